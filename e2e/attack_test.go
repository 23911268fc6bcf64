package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// secrets are resources with restricted rows, with every kind of relation between them.
const secrets = `
resource tag name:string:search hidden:string:private:optional --owner
resource note title:string:search:filter text:text attachment:file:optional --owner --soft-delete
resource remark body:text note:ref=notes:filter tags:many=tags --owner
resource topic name:string --read all
resource draft title:string topic:ref=topics:filter live:bool:default=false:filter --owner --public live
field topic drafts:has=drafts
resource project name:string:search --organisation
resource task title:string project:ref=projects:filter parent:ref=tasks:optional --organisation
resource policy name:string --organisation --guard admin --plural policies
`

// TestHiddenRowsLookAbsent calls every operation of the OpenAPI document, as another user,
// as a member of another organisation and anonymously, for a row that exists and for one
// that does not: the responses are identical, and no list, filter, search or relation
// reveals anything about the row.
func TestHiddenRowsLookAbsent(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a project")
	}
	p := newProject(t, "vault")
	for _, feature := range []string{"auth", "uploads", "organisations"} {
		p.nexios("add", feature, "--no-check")
	}
	for words := range strings.Lines(strings.TrimSpace(secrets)) {
		p.nexios(append([]string{"add"}, strings.Fields(words+" --no-check")...)...)
	}
	p.run("go", "build", "-o", "vault.exe", ".")
	b := newBlog(t)
	b.exe = filepath.Join(p.dir, "vault.exe")
	s := b.serve()

	ann, bob := s.register("ann"), s.register("bob")
	const api, absent = "/api/v1", 999
	row := func(who client, path string, body map[string]any) int {
		t.Helper()
		return who.post(api+path, body).want(201).number("id")
	}
	type rows map[string]int // by the last element of their path
	fill := func(who user, text string) (rows, string) {
		org := fmt.Sprintf("/organisations/%d", row(who.client, "/organisations", map[string]any{"name": text}))
		r := rows{}
		r["tags"] = row(who.client, "/tags", map[string]any{"name": text, "hidden": text})
		r["notes"] = row(who.client, "/notes", map[string]any{"title": text, "text": text})
		r["remarks"] = row(who.client, "/remarks", map[string]any{"body": text, "note_id": r["notes"], "tag_ids": []int{r["tags"]}})
		r["topics"] = row(who.client, "/topics", map[string]any{"name": "open"})
		r["drafts"] = row(who.client, "/drafts", map[string]any{"title": text, "topic_id": r["topics"]})
		r["projects"] = row(who.client, org+"/projects", map[string]any{"name": text})
		r["tasks"] = row(who.client, org+"/tasks", map[string]any{"title": text, "project_id": r["projects"]})
		r["policies"] = row(who.client, org+"/policies", map[string]any{"name": text})
		return r, org
	}
	anns, annsOrg := fill(ann, "SECRET")
	bobs, bobsOrg := fill(bob, "plain")
	live := row(ann.client, "/drafts", map[string]any{"title": "SECRET for users", "topic_id": anns["topics"], "live": true})

	same := func(who, what string, there, nowhere response) {
		t.Helper()
		if a, b := anonymous(there), anonymous(nowhere); a != b {
			t.Errorf("%s %s: response for a hidden row\n%s\nand for an absent one\n%s", who, what, a, b)
		}
		if strings.Contains(string(there.body), "SECRET") || there.status < 300 {
			t.Errorf("%s %s: %d %.300s", who, what, there.status, there.body)
		}
	}
	callers := map[string]client{"bob": bob.client, "nobody": s.client()}
	operations := 0
	paths := s.client().get("/openapi.json").want(200).json()["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		resource := regexp.MustCompile(`/(\w+)(/bulk|/\{id\})?$`).FindStringSubmatch(path)
		if resource == nil || anns[resource[1]] == 0 || resource[1] == "topics" {
			continue
		}
		within := []string{""} // organisations to try
		if strings.Contains(path, "{organisation}") {
			within = []string{annsOrg, bobsOrg, fmt.Sprintf("/organisations/%d", absent)}
		}
		for method, operation := range paths[path].(map[string]any) {
			method = strings.ToUpper(method)
			for who, c := range callers {
				for _, org := range within {
					at := strings.Replace(path, "/organisations/{organisation}", org, 1)
					switch what := who + " " + method; {
					case strings.HasSuffix(path, "/{id}"):
						operations++
						one, none := strings.Replace(at, "{id}", fmt.Sprint(anns[resource[1]]), 1), strings.Replace(at, "{id}", fmt.Sprint(absent), 1)
						for _, header := range []string{"Accept", "If-Match", "If-None-Match"} {
							c := c.with(header, "*")
							var body any
							if method == "PUT" || method == "PATCH" {
								body = map[string]any{}
							}
							same(what, one+" with "+header, c.do(method, one, body), c.do(method, none, body))
						}
					case method == "GET":
						operations++
						queries := []string{"limit=100", "cursor="}
						for _, p := range operation.(map[string]any)["parameters"].([]any) {
							name, _ := p.(map[string]any)["name"].(string)
							for _, value := range []string{"SECRET", fmt.Sprint(anns[resource[1]]), "false", "id"} {
								queries = append(queries, name+"="+value)
							}
						}
						for _, query := range queries {
							got := c.get(at + "?" + query)
							if text := strings.ReplaceAll(string(got.body), "SECRET for users", ""); strings.Contains(text, "SECRET") || who == "nobody" && got.status != 401 {
								t.Errorf("%s?%s: %d %.300s", at, query, got.status, got.body)
							}
						}
					}
				}
			}
		}
	}
	if operations < 80 {
		t.Errorf("only %d operations were tried", operations)
	}

	// References in bodies, including those of shared rows.
	for _, ref := range []struct {
		path, field string
		target      string
		body        map[string]any
	}{
		{"/remarks", "note_id", "notes", map[string]any{"body": "x", "tag_ids": []int{}}},
		{"/remarks", "tag_ids", "tags", map[string]any{"body": "x", "note_id": bobs["notes"]}},
		{bobsOrg + "/tasks", "project_id", "projects", map[string]any{"title": "x"}},
		{bobsOrg + "/tasks", "parent_id", "tasks", map[string]any{"title": "x", "project_id": bobs["projects"]}},
	} {
		body := func(id int) map[string]any {
			b := maps.Clone(ref.body)
			if b[ref.field] = any(id); strings.HasSuffix(ref.field, "_ids") {
				b[ref.field] = []int{id}
			}
			return b
		}
		theirs, none := body(anns[ref.target]), body(absent)
		at := fmt.Sprintf("%s%s/%d", api, ref.path, bobs[filepath.Base(ref.path)])
		for what, ask := range map[string]func(map[string]any) response{
			"POST": func(b map[string]any) response { return bob.client.post(api+ref.path, b) },
			"bulk": func(b map[string]any) response {
				return bob.client.post(api+ref.path+"/bulk", []any{body(bobs[ref.target]), b})
			},
			"PATCH": func(b map[string]any) response { return bob.client.patch(at, map[string]any{ref.field: b[ref.field]}) },
			"PUT":   func(b map[string]any) response { return bob.client.put(at, map[string]any{ref.field: b[ref.field]}) },
		} {
			got := ask(theirs)
			same("bob", what+" "+ref.path+" with "+ref.field, got, ask(none))
			if got.status != 422 || !strings.Contains(string(got.body), `"rule":"exists"`) {
				t.Errorf("%s %s: %d %s", what, ref.field, got.status, got.body)
			}
		}
	}

	// Public rows show only those related rows that the caller may read.
	topic := fmt.Sprintf("%s/topics/%d", api, anns["topics"])
	for who, want := range map[string]int{"nobody": 0, "bob": 1} {
		drafts, _ := callers[who].get(topic).want(200).json()["drafts"].([]any)
		if len(drafts) != want || want == 1 && drafts[0].(map[string]any)["id"] != float64(live) {
			t.Errorf("%s sees the drafts %v", who, drafts)
		}
	}
}

// anonymous returns a response without the parts that differ between requests.
func anonymous(a response) string {
	return fmt.Sprint(a.status, " ", a.header.Get("ETag"), a.header.Get("Cache-Control"), a.header.Get("Allow"), " ",
		regexp.MustCompile(`,?"request_id":"[^"]*"`).ReplaceAllString(string(a.body), ""))
}
