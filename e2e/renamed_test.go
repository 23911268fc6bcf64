package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRenameReferencedResources renames resources that features refer to by name: uploads
// by their columns, organisations, the audit log, relations and join tables. On three
// databases rows, files and the log survive the migration up and down.
func TestRenameReferencedResources(t *testing.T) {
	t.Parallel()
	p := newProject(t, "vault")
	for _, words := range []string{
		"auth", "uploads", "organisations", "audit", "websocket team --kind organisation",
		"resource tag name:string:unique",
		"resource note title:string:unique cover:file:optional tags:many=tags --owner --soft-delete",
		"resource plan title:string:unique text:file:optional --organisation",
		"resource step name:string plan:ref=plans:filter --organisation",
		"field plan steps:has=steps",
	} {
		p.nexios(append([]string{"add"}, strings.Fields(words)...)...)
	}
	before := p.tree()
	older := filepath.Join(p.dir, "older.exe")
	p.run("go", "build", "-o", older, ".")
	p.nexios("rename", "resource", "note", "memo")
	p.nexios("rename", "resource", "plan", "scheme")
	newer := filepath.Join(p.dir, "newer.exe")
	p.run("go", "build", "-o", newer, ".")
	p.run("go", "vet", "./...")
	p.test("memos", "schemes", "steps", "uploads", "team", "app")
	for name, text := range p.tree() {
		if strings.HasPrefix(name, "internal/") && !strings.HasPrefix(name, "internal/migrations/") && text != before[name] &&
			(strings.Contains(text, `"notes"`) || strings.Contains(text, "model.Note{") || strings.Contains(text, `"plans"`)) {
			t.Errorf("%s contains the former name of a table", name)
		}
	}
	renames, err := filepath.Glob(filepath.Join(p.dir, "internal", "migrations", "*_rename_*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"sqlite", "postgres", "mariadb"}
	if testing.Short() {
		names = names[:1]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			b := newBlog(t, "DATABASE_URL="+database(t, name))
			on := func(exe string, down int) *server {
				t.Helper()
				b.exe = exe
				if down > 0 {
					if _, problems, code := b.command("", "migrate", "down", fmt.Sprint(down)); code != 0 {
						t.Fatal(problems)
					}
					b.exe = older
				}
				if _, problems, code := b.command("", "migrate", "up"); code != 0 {
					t.Fatal(problems)
				}
				return b.serve()
			}
			end := func(s *server) {
				t.Helper()
				if err := s.process.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				<-s.ended
			}
			s := on(older, 0)
			ann := s.register("ann")
			s.admin("root")
			send := func(text string) (url, name string) {
				t.Helper()
				url = ann.upload(file(text+".txt", text)).want(201).text("url")
				return url, strings.TrimPrefix(url, apiBase+"/files/")
			}
			cover, coverName := send("cover")
			text, textName := send("text")
			org := fmt.Sprintf("/organisations/%d", ann.post(apiBase+"/organisations", `{"name":"Acme"}`).want(201).number("id"))
			tag := ann.post(apiBase+"/tags", `{"name":"red"}`).want(201).number("id")
			ann.post(apiBase+"/notes", fmt.Sprintf(`{"title":"one","cover":%q,"tag_ids":[%d]}`, coverName, tag)).want(201)
			gone := ann.post(apiBase+"/notes", `{"title":"two"}`).want(201).number("id")
			ann.delete(fmt.Sprintf("%s/notes/%d", apiBase, gone)).want(204)
			plan := ann.post(apiBase+org+"/plans", fmt.Sprintf(`{"title":"one","text":%q}`, textName)).want(201).number("id")
			ann.post(apiBase+org+"/steps", fmt.Sprintf(`{"name":"first","plan_id":%d}`, plan)).want(201)
			look := func(s *server, note, plan string) string {
				t.Helper()
				ann := s.login("ann", goodPassword)
				var all []string
				for _, path := range []string{"/" + note + "s", "/" + note + "s/1", org + "/" + plan + "s/1", org + "/steps?" + plan + "_id=1"} {
					all = append(all, string(ann.get(apiBase+path).want(200).body))
				}
				for url, text := range map[string]string{cover: "cover", text: "text"} {
					if got := ann.get(url).want(200); string(got.body) != text {
						t.Errorf("%s is %q", url, got.body)
					}
					ann.delete(url).want(409) // a row refers to it
				}
				return strings.ReplaceAll(strings.ReplaceAll(strings.Join(all, "\n"), note, "note"), plan, "plan")
			}
			same := func(s *server, note, plan, want string) {
				t.Helper()
				if got := look(s, note, plan); got != want {
					t.Errorf("the rows are\n%s\nwant\n%s", got, want)
				}
			}
			want := look(s, "note", "plan")
			end(s)
			s = on(newer, 0)
			same(s, "memo", "scheme", want)
			ann = s.login("ann", goodPassword)
			ann.post(apiBase+"/memos", `{"title":"one"}`).want(409)
			made := ann.post(apiBase+"/memos", `{"title":"three"}`).want(201)
			ann.get(apiBase + "/notes").want(404)
			root := s.login("root", goodPassword)
			log := string(root.get(apiBase + "/audit?limit=100").want(200).body)
			for _, table := range []string{"notes", "memos", "plans"} {
				if !strings.Contains(log, fmt.Sprintf("%q:%q", "resource", table)) {
					t.Errorf("no entry of %s in the audit log: %s", table, log)
				}
			}
			if out, problems, code := b.command("", "audit", "verify"); code != 0 {
				t.Errorf("the audit log is broken: %s%s", out, problems)
			}
			ann.delete(fmt.Sprintf("%s/memos/%d", apiBase, made.number("id"))).want(204)
			end(s)
			s = on(newer, len(renames))
			same(s, "note", "plan", want)
			end(s)
		})
	}
	for _, name := range []string{older, newer} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	p.nexios("undo")
	p.nexios("undo")
	sameTree(t, before, p.tree())
}
