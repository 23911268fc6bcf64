package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeletedRowsAreHidden soft-deletes rows and accesses them in every possible way, on
// three databases: rows that refer to them, rows they refer to, related rows in responses,
// and rows that replace them.
func TestDeletedRowsAreHidden(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	for _, words := range []string{
		"resource tag name:string:unique --soft-delete",
		"resource shelf name:string:unique tags:many=tags --soft-delete",
		"resource keeper name:string:unique:optional shelf:ref=shelves:filter --soft-delete",
		"resource goner shelf:ref=shelves:ondelete=cascade:filter --soft-delete",
		"resource part goner:ref=goners:ondelete=cascade",
		"resource loose shelf:ref=shelves:optional:ondelete=null:filter",
		"field shelf keepers:has=keepers goners:has=goners looses:has=looses",
		"resource house name:string",
		"resource room house:ref=houses name:string:unique=nocase door:int --soft-delete --unique house,door",
		"resource node parent:ref=nodes:optional:ondelete=cascade:filter name:string --soft-delete",
		"resource folder parent:ref=folders:optional:filter name:string --soft-delete",
	} {
		p.nexios(append([]string{"add"}, strings.Fields(words)...)...)
	}
	exe := filepath.Join(p.dir, "shop.exe")
	p.run("go", "build", "-o", exe, ".")
	names := []string{"sqlite", "postgres", "mariadb"}
	if testing.Short() {
		names = names[:1]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			b := blog{t: t, exe: exe, dir: t.TempDir(), env: []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "APP_ENV=test", "ADDR=127.0.0.1:0", "RATE_LIMIT=off", "DATABASE_URL=" + database(t, name),
			}}
			if _, problems, code := b.command("", "migrate", "up"); code != 0 {
				t.Fatal(problems)
			}
			deletedRowsAreHidden(t, b.serve().client())
		})
	}
}

func deletedRowsAreHidden(t *testing.T, c client) {
	create := func(path, body string, args ...any) int {
		t.Helper()
		return c.post(apiBase+path, fmt.Sprintf(body, args...)).want(201).number("id")
	}
	at := func(path string, id int) string { return fmt.Sprintf("%s%s/%d", apiBase, path, id) }
	wantError := func(a response, status int, about string) {
		t.Helper()
		details, _ := a.json()["details"].([]any)
		var got []string
		for _, d := range details {
			d := d.(map[string]any)
			word := fmt.Sprintf("%v/%v", d["field"], d["rule"])
			if index, ok := d["index"]; ok {
				word = fmt.Sprintf("%v.%s", index, word)
			}
			got = append(got, word)
		}
		if a.status != status || strings.Join(got, " ") != about {
			t.Errorf("%s is %d %s, want %d %s", a.what, a.status, a.body, status, about)
		}
	}
	beside := func(a response, relation string, ids ...int) {
		t.Helper()
		list, _ := a.want(200).json()[relation].([]any)
		var got []int
		for _, row := range list {
			id, _ := row.(map[string]any)["id"].(float64)
			got = append(got, int(id))
		}
		if fmt.Sprint(got) != fmt.Sprint(ids) {
			t.Errorf("%s: %s are %v, want %v", a.what, relation, got, ids)
		}
	}
	total := func(path string, want int) {
		t.Helper()
		if got := c.get(apiBase + path).want(200).number("total"); got != want {
			t.Errorf("%s has %d, want %d", path, got, want)
		}
	}

	// Deleted on every route, and only once.
	red, blue := create("/tags", `{"name":"red"}`), create("/tags", `{"name":"blue"}`)
	shelf := create("/shelves", `{"name":"one","tag_ids":[%d,%d]}`, red, blue)
	beside(c.get(at("/shelves", shelf)), "tags", red, blue)
	c.delete(at("/tags", red)).want(204)
	c.get(at("/tags", red)).want(404)
	c.patch(at("/tags", red), `{"name":"pink"}`).want(404)
	c.delete(at("/tags", red)).want(404)
	total("/tags", 1)

	// many
	beside(c.get(at("/shelves", shelf)), "tags", blue)
	if rows := c.get(apiBase + "/shelves").items(); len(rows) != 1 || len(rows[0]["tags"].([]any)) != 1 {
		t.Errorf("a deleted tag is listed: %v", rows)
	}
	wantError(c.post(apiBase+"/shelves", fmt.Sprintf(`{"name":"two","tag_ids":[%d]}`, red)), 422, "tag_ids/exists")
	wantError(c.patch(at("/shelves", shelf), fmt.Sprintf(`{"tag_ids":[%d]}`, red)), 422, "tag_ids/exists")
	wantError(c.post(apiBase+"/shelves/bulk", fmt.Sprintf(`[{"name":"two"},{"name":"three","tag_ids":[%d,%d]}]`, blue, red)), 422, "1.tag_ids/exists")
	c.patch(at("/shelves", shelf), fmt.Sprintf(`{"tag_ids":[%d]}`, blue)).want(200)

	// unique
	red = create("/tags", `{"name":"red"}`)
	wantError(c.post(apiBase+"/tags", `{"name":"red"}`), 409, "name/unique")
	wantError(c.patch(at("/tags", blue), `{"name":"red"}`), 409, "name/unique")
	c.delete(at("/tags", red)).want(204)
	wantError(c.post(apiBase+"/tags/bulk", `[{"name":"red"},{"name":"green"},{"name":"red"}]`), 409, "2.name/unique")
	c.post(apiBase+"/tags/bulk", `[{"name":"red"},{"name":"green"}]`).want(201)
	wantError(c.post(apiBase+"/tags/bulk", `[{"name":"black"},{"name":"green"}]`), 409, "1.name/unique")

	// restrict, cascade, null and has
	keeper, goner, loose := create("/keepers", `{"shelf_id":%d,"name":"k"}`, shelf), create("/goners", `{"shelf_id":%d}`, shelf), create("/looses", `{"shelf_id":%d}`, shelf)
	part := create("/parts", `{"goner_id":%d}`, goner)
	a := c.get(at("/shelves", shelf))
	beside(a, "keepers", keeper)
	beside(a, "goners", goner)
	beside(a, "looses", loose)
	wantError(c.delete(at("/shelves", shelf)), 409, "")
	c.get(at("/goners", goner)).want(200) // only referring rows are deleted
	c.get(at("/parts", part)).want(200)
	total("/looses?shelf_id="+fmt.Sprint(shelf), 1)
	c.delete(at("/keepers", keeper)).want(204)
	other := create("/goners", `{"shelf_id":%d}`, shelf)
	c.delete(at("/goners", other)).want(204)
	a = c.get(at("/shelves", shelf))
	beside(a, "keepers")
	beside(a, "goners", goner)
	c.delete(at("/shelves", shelf)).want(204)
	c.get(at("/goners", goner)).want(404)
	c.get(at("/parts", part)).want(404)
	total("/goners", 0)
	total("/parts", 0)
	total("/looses", 1)
	if id := c.get(at("/looses", loose)).want(200).json()["shelf_id"]; id != nil {
		t.Errorf("shelf_id is %v", id)
	}

	// exists
	for _, path := range []string{"/keepers", "/goners", "/looses"} {
		wantError(c.post(apiBase+path, fmt.Sprintf(`{"shelf_id":%d}`, shelf)), 422, "shelf_id/exists")
		total(path+"?shelf_id="+fmt.Sprint(shelf), 0)
	}
	fresh := create("/shelves", `{"name":"one"}`) // its name is free
	wantError(c.post(apiBase+"/keepers/bulk", fmt.Sprintf(`[{"shelf_id":%d},{"shelf_id":%d}]`, fresh, shelf)), 422, "1.shelf_id/exists")
	wantError(c.patch(at("/looses", loose), fmt.Sprintf(`{"shelf_id":%d}`, shelf)), 422, "shelf_id/exists")
	wantError(c.patch(at("/parts", create("/parts", `{"goner_id":%d}`, create("/goners", `{"shelf_id":%d}`, fresh))), fmt.Sprintf(`{"goner_id":%d}`, goner)), 422, "goner_id/exists")
	total("/keepers", 0)
	create("/keepers", `{"shelf_id":%d,"name":"k"}`, fresh) // so is the keeper's

	// A kept row below one that is not kept: once deleted, it does not block deletion.
	house, other := create("/houses", `{"name":"h"}`), create("/houses", `{"name":"o"}`)
	room := create("/rooms", `{"house_id":%d,"name":"Hall","door":1}`, house)
	wantError(c.delete(at("/houses", house)), 409, "")
	wantError(c.post(apiBase+"/rooms", fmt.Sprintf(`{"house_id":%d,"name":"HALL","door":2}`, house)), 409, "name/unique")
	wantError(c.post(apiBase+"/rooms", fmt.Sprintf(`{"house_id":%d,"name":"Attic","door":1}`, house)), 409, "house_id/unique door/unique")
	c.delete(at("/rooms", room)).want(204)
	room = create("/rooms", `{"house_id":%d,"name":"hall","door":1}`, house) // name and door are free
	c.delete(at("/rooms", room)).want(204)
	c.post(apiBase+"/rooms/bulk", fmt.Sprintf(`[{"house_id":%d,"name":"HALL","door":1},{"house_id":%[1]d,"name":"Attic","door":2}]`, other)).want(201)
	c.delete(at("/houses", house)).want(204)
	c.get(at("/houses", house)).want(404)
	c.put(at("/rooms", room), `{"door":9}`).want(404)

	// Rows that refer to their own table, far deeper than MariaDB cascades.
	top := create("/nodes", `{"name":"0"}`)
	below := top
	for i := range 40 {
		below = create("/nodes", `{"name":"%d","parent_id":%d}`, i+1, below)
	}
	side := create("/nodes", `{"name":"side","parent_id":%d}`, top)
	c.delete(at("/nodes", side)).want(204)
	total("/nodes?parent_id="+fmt.Sprint(top), 1)
	wantError(c.post(apiBase+"/nodes", fmt.Sprintf(`{"name":"x","parent_id":%d}`, side)), 422, "parent_id/exists")
	c.delete(at("/nodes", top)).want(204)
	total("/nodes", 0)
	c.get(at("/nodes", below)).want(404)
	folder := create("/folders", `{"name":"f"}`)
	inner := create("/folders", `{"name":"i","parent_id":%d}`, folder)
	wantError(c.delete(at("/folders", folder)), 409, "")
	c.delete(at("/folders", inner)).want(204)
	c.delete(at("/folders", folder)).want(204)
	total("/folders", 0)
	wantError(c.post(apiBase+"/folders/bulk", fmt.Sprintf(`[{"name":"a"},{"name":"b","parent_id":%d}]`, folder)), 422, "1.parent_id/exists")
}
