package posts_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"blog/internal/migrations"
	"blog/internal/model"
	"blog/internal/posts"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// start serves posts alone, on a database of the test's own.
func start(t *testing.T) (*webtest.Client, *gorm.DB) {
	t.Helper()
	gdb := webtest.DB(t, migrations.All())
	guards, token := authtest.Sign(t, gdb, authtest.Account{Username: "ann"})
	return webtest.New(t, guards, posts.Module(gdb)).With("Authorization", "Bearer "+token), gdb
}

// store stores three posts and returns them.
func store(t *testing.T, gdb *gorm.DB) []model.Post {
	t.Helper()
	ann := authtest.UserID(t, gdb, "ann")
	stored := []model.Post{
		{
			UserID:    ann,
			Title:     "bravo",
			Content:   "bravo",
			Published: false,
			Category:  new("bravo"),
		},
		{
			UserID:    ann,
			Title:     "alpha",
			Content:   "alpha",
			Published: true,
			Category:  new("alpha"),
		},
		{
			UserID:    ann,
			Title:     "charlie",
			Content:   "charlie",
			Published: true,
			Category:  new("charlie"),
		},
	}
	if err := gdb.Create(&stored).Error; err != nil {
		t.Fatal(err)
	}
	return stored
}

// bodies are request bodies that pass every rule.
func bodies() []map[string]any {
	return []map[string]any{
		{
			"title":     "bravo",
			"content":   "bravo",
			"published": false,
			"category":  "bravo",
		},
		{
			"title":     "alpha",
			"content":   "alpha",
			"published": true,
			"category":  "alpha",
		},
		{
			"title":     "charlie",
			"content":   "charlie",
			"published": true,
			"category":  "charlie",
		},
	}
}

// path is where the post with this key is.
func path(id any) string { return fmt.Sprintf("/posts/%v", id) }

// same tells of every field that is not as wanted, whatever Go types its value
// has on either side.
func same(t *testing.T, got, want map[string]any, fields ...string) {
	t.Helper()
	for _, field := range fields {
		g, _ := json.Marshal(got[field])
		w, _ := json.Marshal(want[field])
		if string(g) != string(w) {
			t.Errorf("%s is %s, not %s", field, g, w)
		}
	}
}

// names tells whether an error speaks of the field and the rule.
func names(details []fault.Detail, field, rule string) bool {
	return slices.ContainsFunc(details, func(d fault.Detail) bool {
		return strings.HasPrefix(d.Field, field) && d.Rule == rule
	})
}

// count is how many posts there are.
func count(t *testing.T, gdb *gorm.DB) int64 {
	t.Helper()
	var n int64
	if err := gdb.Model(&model.Post{}).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// page is what a list answers.
type page struct {
	Items      []map[string]any
	Total      int
	HasNext    bool   `json:"has_next"`
	HasPrev    bool   `json:"has_prev"`
	NextCursor string `json:"next_cursor"`
}

func list(client *webtest.Client, query string) (p page) {
	client.Get("/posts?" + query).Expect(200).Into(&p)
	return p
}

func TestCreate(t *testing.T) {
	t.Parallel()
	client, _ := start(t)
	for _, body := range bodies() {
		body["id"], body["created_at"] = 987654, "2001-01-01T00:00:00Z"
		answer := client.Post("/posts", body).Expect(201)
		got := answer.JSON()
		same(t, got, body, "title", "content", "published", "category")
		if fmt.Sprint(got["id"]) == fmt.Sprint(body["id"]) || got["created_at"] == body["created_at"] {
			t.Errorf("the client set what is not his to set: %v", got)
		}
		if want := path(got["id"]); answer.Header("Location") != want {
			t.Errorf("Location is %q, not %q", answer.Header("Location"), want)
		}
		stored := client.Get(path(got["id"])).Expect(200).JSON()
		same(t, stored, got, "id", "title", "content", "published", "category")
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	client, _ := start(t)
	for _, tc := range []struct {
		body   string
		status int
	}{
		{"", 400},
		{"{", 400},
		{"{} {}", 400},
		{"[]", 422},
		{"null", 422},
	} {
		client.Post("/posts", tc.body).Expect(tc.status)
	}
	client.With("Content-Type", "text/plain").Post("/posts", "{}").Expect(415)
}

func TestRules(t *testing.T) {
	t.Parallel()
	client, _ := start(t)
	for _, tc := range []struct {
		field string
		value any
		rule  string
	}{
		{"title", 1, "type"},
		{"title", "", "required"},
		{"title", strings.Repeat("a", 256), "max"},
		{"title", "aa", "min"},
		{"title", nil, "required"},
		{"content", 1, "type"},
		{"content", "", "required"},
		{"content", strings.Repeat("a", 65537), "max"},
		{"content", nil, "required"},
		{"published", "yes", "type"},
		{"category", 1, "type"},
		{"category", strings.Repeat("a", 256), "max"},
	} {
		body := bodies()[0]
		body[tc.field] = tc.value
		if details := client.Post("/posts", body).Expect(422).Details(); !names(details, tc.field, tc.rule) {
			t.Errorf("%s %v breaks %s, got %+v", tc.field, tc.value, tc.rule, details)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	for _, tc := range []struct {
		field string
		value any
	}{
		{"title", "aaa"},
		{"title", strings.Repeat("a", 255)},
		{"content", "a"},
		{"content", strings.Repeat("a", 65536)},
		{"category", "a"},
		{"category", strings.Repeat("a", 255)},
	} {
		body := bodies()[0]
		body[tc.field] = tc.value
		if answer := client.Post("/posts", body); answer.Status != 201 {
			t.Errorf("%s %v is refused: %s", tc.field, tc.value, answer.Body())
		}
		if err := gdb.Unscoped().Where("1 = 1").Delete(&model.Post{}).Error; err != nil {
			t.Fatal(err)
		}
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)

	spoiled := bodies()
	spoiled[1]["title"] = 1
	details := client.Post("/posts/bulk", spoiled).Expect(422).Details()
	if len(details) != 1 || details[0].Index == nil || *details[0].Index != 1 {
		t.Errorf("the second is wrong, got %+v", details)
	}
	client.Post("/posts/bulk", []any{}).Expect(422)
	if n := count(t, gdb); n != 0 {
		t.Errorf("%d are stored of what was refused", n)
	}

	var made struct{ Items []map[string]any }
	client.Post("/posts/bulk", bodies()).Expect(201).Into(&made)
	if n := count(t, gdb); n != 3 || len(made.Items) != 3 {
		t.Errorf("%d are stored and %d told, not 3", n, len(made.Items))
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	for _, row := range store(t, gdb) {
		got := client.Get(path(row.ID)).Expect(200).JSON()
		if fmt.Sprint(got["id"]) != fmt.Sprint(row.ID) {
			t.Errorf("%v came for %v", got["id"], row.ID)
		}
		if got["user"] == nil {
			t.Error("user is not loaded")
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	client, _ := start(t)
	for _, id := range []string{"999999", "0", "-1", "abc", "99999999999999999999"} {
		client.Get(path(id)).Expect(404)
		client.Patch(path(id), map[string]any{}).Expect(404)
		client.Delete(path(id)).Expect(404)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	at := path(store(t, gdb)[0].ID)
	want := client.Put(at, map[string]any{}).Expect(200).JSON()
	for _, tc := range []struct {
		field       string
		value, want any
	}{
		{"title", "charlie", "charlie"},
		{"content", "charlie", "charlie"},
		{"published", true, true},
		{"published", false, false},
		{"published", true, true},
		{"category", "charlie", "charlie"},
		{"category", "", ""},
		{"category", nil, nil},
	} {
		want[tc.field] = tc.want
		got := client.Patch(at, map[string]any{tc.field: tc.value}).Expect(200).JSON()
		same(t, got, want, tc.field, "title", "content", "published", "category")
	}
}

func TestKept(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	at := path(store(t, gdb)[0].ID)
	want := client.Put(at, map[string]any{}).Expect(200).JSON()
	for _, tc := range []struct {
		field string
		value any
	}{
		{"title", nil},
		{"content", nil},
		{"published", nil},
	} {
		got := client.Patch(at, map[string]any{tc.field: tc.value}).Expect(200).JSON()
		same(t, got, want, tc.field)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	if items := list(client, "").Items; items == nil || len(items) != 0 {
		t.Errorf("an empty list has the items %v", items)
	}
	store(t, gdb)
	for _, tc := range []struct {
		query      string
		items      int
		next, prev bool
	}{
		{"", 3, false, false},
		{"limit=100", 3, false, false},
		{"limit=3", 3, false, false},
		{"limit=2", 2, true, false},
		{"limit=2&page=2", 1, false, true},
		{"limit=2&page=3", 0, false, true},
		{"page=1000000000", 0, false, true},
	} {
		p := list(client, tc.query)
		if len(p.Items) != tc.items || p.Total != 3 || p.HasNext != tc.next || p.HasPrev != tc.prev {
			t.Errorf("?%s answers %+v", tc.query, p)
		}
		for _, item := range p.Items {
			if item["user"] == nil {
				t.Error("user is not loaded")
			}
			if item["id"] == nil {
				t.Errorf("an item without a key: %v", item)
			}
		}
	}
}

func TestListByCursor(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	store(t, gdb)
	for _, sort := range []string{"id", "title"} {
		seen := map[any]bool{}
		for p := list(client, "limit=1&cursor=&sort="+sort); ; p = list(client, "limit=1&sort="+sort+"&cursor="+url.QueryEscape(p.NextCursor)) {
			if len(p.Items) != 1 || seen[p.Items[0]["id"]] {
				t.Fatalf("sorted by %s, after %d comes %+v", sort, len(seen), p)
			}
			seen[p.Items[0]["id"]] = true
			if !p.HasNext {
				break
			}
		}
		if len(seen) != 3 {
			t.Errorf("sorted by %s, %d came, not 3", sort, len(seen))
		}
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	rows := store(t, gdb)
	for _, tc := range []struct {
		sort string
		want []int
	}{
		{"id", []int{0, 1, 2}},
		{"title", []int{1, 0, 2}},
	} {
		for _, key := range []string{"sort", "sort_by"} {
			up := list(client, key+"="+tc.sort+"&order=asc").Items
			down := list(client, key+"="+tc.sort).Items
			for i, row := range tc.want {
				id := fmt.Sprint(rows[row].ID)
				if fmt.Sprint(up[i]["id"]) != id || fmt.Sprint(down[2-i]["id"]) != id {
					t.Errorf("sorted by %s, %v is not at %d: %v and %v", tc.sort, id, i, up, down)
				}
			}
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	store(t, gdb)
	for _, tc := range []struct {
		query string
		want  int
	}{
		{"published=false", 1},
		{"category=bravo", 1},
		{"search=BRAVO", 1},
		{"search=no+such+thing", 0},
		{"search=%25", 0},
		{"search=_", 0},
		{"search=", 3},
	} {
		if p := list(client, tc.query); p.Total != tc.want || len(p.Items) != tc.want {
			t.Errorf("?%s finds %d, not %d", tc.query, p.Total, tc.want)
		}
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	client, _ := start(t)
	for _, query := range []string{
		"page=0",
		"page=x",
		"limit=0",
		"limit=101",
		"order=up",
		"sort=nothing",
		"sort=id;drop",
		"cursor=!",
		"published=none+of+them",
		"search=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	} {
		if answer := client.Get("/posts?" + query); answer.Status != 422 {
			t.Errorf("?%s answers %d", query, answer.Status)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	at := path(store(t, gdb)[0].ID)
	if body := client.Delete(at).Expect(204).Body(); len(body) != 0 {
		t.Errorf("a deletion answers %s", body)
	}
	client.Delete(at).Expect(404)
	client.Get(at).Expect(404)
	if n := count(t, gdb); n != 2 {
		t.Errorf("%d are left, not 2", n)
	}
	client.Post("/posts", bodies()[0]).Expect(201)
}

func TestGuards(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	nobody := client.Fresh()
	_, token := authtest.Sign(t, gdb, authtest.Account{Username: "bob"})
	bob := nobody.With("Authorization", "Bearer "+token)
	for _, tc := range []struct {
		method, path string
		nobody, bob  int
	}{
		{"GET", "/posts", 401, 200},
		{"GET", "/posts/999999", 401, 404},
		{"POST", "/posts", 401, 422},
		{"POST", "/posts/bulk", 401, 422},
		{"PATCH", "/posts/999999", 401, 404},
		{"DELETE", "/posts/999999", 401, 404},
	} {
		for _, who := range []struct {
			client *webtest.Client
			want   int
		}{{nobody, tc.nobody}, {bob, tc.bob}} {
			ask := map[string]func(string) *webtest.Answer{
				"GET":    who.client.Get,
				"DELETE": who.client.Delete,
				"POST":   func(path string) *webtest.Answer { return who.client.Post(path, map[string]any{}) },
				"PATCH":  func(path string) *webtest.Answer { return who.client.Patch(path, map[string]any{}) },
			}
			if answer := ask[tc.method](tc.path); answer.Status != who.want {
				t.Errorf("%s %s answers %d, not %d", tc.method, tc.path, answer.Status, who.want)
			}
		}
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	client, gdb := start(t)
	rows := store(t, gdb)
	as := func(name, role string) *webtest.Client {
		_, token := authtest.Sign(t, gdb, authtest.Account{Username: name, Role: role})
		return client.Fresh().With("Authorization", "Bearer "+token)
	}
	bob, admin := as("bob", "user"), as("root", "admin")
	for i := range rows {
		if err := gdb.Model(&rows[i]).Update("published", i == 1).Error; err != nil {
			t.Fatal(err)
		}
	}
	if p := list(bob, ""); p.Total != 1 {
		t.Errorf("another user sees %d, not 1", p.Total)
	}
	if p := list(admin, ""); p.Total != 3 {
		t.Errorf("an administrator sees %d, not 3", p.Total)
	}
	bob.Get(path(rows[0].ID)).Expect(404)
	bob.Get(path(rows[1].ID)).Expect(200)
	admin.Get(path(rows[0].ID)).Expect(200)
	bob.Patch(path(rows[0].ID), map[string]any{}).Expect(404)
	bob.Patch(path(rows[1].ID), map[string]any{}).Expect(403)
	admin.Patch(path(rows[0].ID), map[string]any{}).Expect(200)
	bob.Delete(path(rows[0].ID)).Expect(404)
	bob.Delete(path(rows[1].ID)).Expect(403)
	admin.Delete(path(rows[0].ID)).Expect(204)
}
