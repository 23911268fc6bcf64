package e2e

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestContractUsers(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	root := s.admin("root")
	anna, bert := s.register("anna"), s.register("bert")
	path := func(u user) string { return fmt.Sprintf("%s/users/%d", apiBase, u.id) }

	t.Run("create", func(t *testing.T) {
		body := registration("carol")
		maps.Copy(body, map[string]any{
			"id": 4711, "role": "admin", "is_active": false, "created_at": "2001-02-03T04:05:06Z", "updated_at": "2001-02-03T04:05:06Z",
			"password_hash": "x", "email_confirmed_at": "2001-02-03T04:05:06Z", "unknown": 1,
		})
		a := s.client().of(t).post(apiBase+"/users", body).want(201)
		got := a.json()
		want := map[string]any{"username": "carol", "email": "carol@example.com", "role": "user", "is_active": true, "email_confirmed_at": nil}
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s is %v, want %v", name, got[name], value)
			}
		}
		if got["id"] == 4711.0 || a.header.Get("Location") != fmt.Sprintf("%s/users/%v", apiBase, got["id"]) {
			t.Errorf("id %v, Location %q", got["id"], a.header.Get("Location"))
		}
		for _, name := range []string{"created_at", "updated_at"} {
			when, err := time.Parse(time.RFC3339, got[name].(string))
			if err != nil || !strings.HasSuffix(got[name].(string), "Z") || time.Since(when).Abs() > time.Minute {
				t.Errorf("%s is %v", name, got[name])
			}
		}
		shown := root.of(t).get(a.header.Get("Location")).want(200).json()
		maps.DeleteFunc(got, func(_ string, value any) bool { return value == nil })
		if !maps.EqualFunc(shown, got, func(a, b any) bool { return a == b }) {
			t.Errorf("shown as %v, created as %v", shown, got)
		}
	})

	t.Run("rules", func(t *testing.T) {
		for _, c := range []struct {
			field string
			value any
			want  int
		}{
			{"username", "ab", 422}, {"username", strings.Repeat("a", 51), 422}, {"username", "   ", 422}, {"username", nil, 422}, {"username", "", 422},
			{"username", "a\x00bc", 422}, {"username", 12345, 422}, {"username", strings.Repeat("ü", 50), 201}, {"username", "äöü", 201},
			{"email", "", 422}, {"email", "nobody", 422}, {"email", "a@", 422}, {"email", "a@b@c.de", 422}, {"email", []string{"a@b.de"}, 422},
			{"email", strings.Repeat("a", 250) + "@example.com", 422}, {"email", "x@example.com\r\nBcc: y@example.com", 422},
			{"password", "Sh0rt", 422}, {"password", "Password1", 422}, {"password", "alllower1", 422}, {"password", "ALLUPPER1", 422},
			{"password", "NoDigitsHere", 422}, {"password", strings.Repeat("Aa1 b", 26), 422}, {"password", nil, 422}, {"password", 12345678, 422},
			{"password", "fourteen chars", 422}, {"password", "fifteen letters", 201}, {"password", strings.Repeat("Aa1 bcde", 16), 201},
			{"password", "a sentence, long enough but without digits", 201},
		} {
			body := registration(fmt.Sprintf("user%d", time.Now().UnixNano()))
			body[c.field] = c.value
			a := s.client().of(t).post(apiBase+"/users", body)
			if c.want == 201 {
				a.want(201)
			} else if wrong := a.fault(c.want); wrong != "" || a.fields() != c.field {
				t.Errorf("%s %.60v: %s", c.field, c.value, wrong)
			}
		}
		for password, missing := range map[string]string{"abcdefg1": "upper", "ABCDEFG1": "lower", "Abcdefgx": "digit", "Ab1": "8 characters"} {
			body := registration("never")
			body["password"] = password
			if a := s.client().of(t).post(apiBase+"/users", body).wantFault(422, "Validation error"); !strings.Contains(string(a.body), missing) {
				t.Errorf("%s: the response does not mention %q: %s", password, missing, a.body)
			}
		}
	})

	t.Run("unique", func(t *testing.T) {
		for _, c := range []struct{ field, value, text string }{
			{"username", "anna", "Username taken"}, {"username", "ANNA", "Username taken"},
			{"email", "anna@example.com", "Email taken"}, {"email", "Anna@Example.COM", "Email taken"},
		} {
			body := registration("dora")
			body[c.field] = c.value
			a := s.client().of(t).post(apiBase+"/users", body).wantFault(409, c.text)
			if a.fields() != c.field {
				t.Errorf("%s=%s: details of %q", c.field, c.value, a.fields())
			}
			if a := bert.of(t).patch(path(bert), map[string]any{c.field: c.value}).wantFault(409, c.text); a.fields() != c.field {
				t.Errorf("changed to %s=%s: details of %q", c.field, c.value, a.fields())
			}
		}
		// A user's own name is not a conflict, in any case.
		bert.of(t).put(path(bert), map[string]any{"username": "bert", "email": "bert@example.com"}).want(200)
		bert.of(t).put(path(bert), map[string]any{"username": "BERT", "email": "Bert@example.com"}).want(200)
		bert.of(t).put(path(bert), map[string]any{"username": "bert"}).want(200)
	})

	t.Run("twenty at once", func(t *testing.T) {
		count := atOnce(20, func(int) int { return s.client().of(t).post(apiBase+"/users", registration("emil")).status })
		if count[201] != 1 || count[409] != 19 {
			t.Errorf("responses %v", count)
		}
	})

	t.Run("update", func(t *testing.T) {
		before := anna.of(t).get(path(anna)).want(200).json()
		for _, method := range []string{"PUT", "PATCH"} {
			after := anna.of(t).do(method, path(anna), map[string]any{
				"id": 999, "role": "admin", "is_active": false, "created_at": "2001-02-03T04:05:06Z", "password": "Another-Horse-8", "password_hash": "x",
				"username": nil, "email": nil,
			}).want(200).json()
			for _, name := range []string{"id", "username", "email", "role", "is_active", "created_at"} {
				if after[name] != before[name] {
					t.Errorf("%s changed %s from %v to %v", method, name, before[name], after[name])
				}
			}
		}
		if got := anna.of(t).patch(path(anna), map[string]any{"username": "annabel"}).want(200).json(); got["username"] != "annabel" || got["email"] != before["email"] {
			t.Errorf("changed to %v", got)
		}
		anna.of(t).patch(path(anna), map[string]any{"username": "anna"}).want(200)
		anna.of(t).patch(path(anna), `{}`).want(200)
		anna.of(t).patch(path(anna), `{"username":""}`).wantFault(422, "Validation error")
		anna.of(t).patch(path(anna), `{"role":"emperor"}`).wantFault(422, "Validation error")
		anna.of(t).patch(path(bert), map[string]any{"username": "mine"}).wantFault(403, "")
		anna.of(t).delete(path(bert)).wantFault(403, "")
		anna.of(t).patch(apiBase+"/users/4000", `{"username":"nobody"}`).wantFault(404, "User not found")
		anna.of(t).delete(apiBase+"/users/4000").wantFault(404, "User not found")
		if got := root.of(t).patch(path(bert), `{"role":"guest","is_active":false}`).want(200).json(); got["role"] != "guest" || got["is_active"] != false {
			t.Errorf("an administrator changed the user to %v", got)
		}
		bert.of(t).get(apiBase+"/users/me").wantFault(401, "")
		root.of(t).patch(path(bert), `{"role":"user","is_active":true}`).want(200)
		anna.of(t).get(apiBase + "/users/me").want(200)
		anna.of(t).do("GET", apiBase+"/users/me", nil).want(200)
	})

	t.Run("list", func(t *testing.T) {
		for query, want := range map[string]int{
			"search=BERT": 1, "search=nna%40EXAMPLE": 1, "search=%25": 0, "search=_": 0, "search=": -1, "role=admin": 1, "role=guest": 0,
			"is_active=true": -1, "is_active=false": 0, "page=1000000": 0, "search=%27%20OR%201%3D1--": 0,
		} {
			a := root.of(t).get(apiBase + "/users?" + query).want(200)
			if items := a.items(); want >= 0 && (len(items) != want || query != "page=1000000" && a.number("total") != want) || want < 0 && len(items) == 0 {
				t.Errorf("%s: %d items, total %d, want %d", query, len(items), a.number("total"), want)
			}
			if strings.Contains(string(a.body), "argon2") || strings.Contains(strings.ToLower(string(a.body)), "password") {
				t.Errorf("%s: the response mentions passwords: %s", query, a.body)
			}
		}
		for _, query := range []string{
			"page=0", "page=-1", "page=x", "page=1.5", "page=99999999999999999999", "limit=0", "limit=101", "limit=x", "limit=", "order=up", "order=", "sort=password", "sort=password_hash",
			"sort_by=id%3Bdrop", "role=emperor", "is_active=maybe", "page=1&page=2", "search=%00", "search=" + strings.Repeat("a", 101),
			"unknown=1", "Page=1", "limit=1&is_admin=true",
		} {
			if wrong := anna.of(t).get(apiBase + "/users?" + query).fault(422); wrong != "" {
				t.Errorf("%s: %s", query, wrong)
			}
		}
	})

	t.Run("others", func(t *testing.T) {
		bert := s.register("berta")
		public := func(user any) bool {
			u, _ := user.(map[string]any)
			return len(u) == 2 && u["id"] != nil && u["username"] != nil
		}
		if got := anna.of(t).get(path(bert)).want(200).json(); !public(got) {
			t.Errorf("anna sees %v of bert", got)
		}
		for _, query := range []string{"limit=100", "cursor=", "search=berta", "sort=username"} {
			for _, user := range anna.of(t).get(apiBase + "/users?" + query).want(200).items() {
				if own := user["id"] == float64(anna.id); own == public(user) {
					t.Errorf("%s: anna sees %v", query, user)
				}
			}
		}
		for _, query := range []string{"role=admin", "is_active=true", "sort=email", "sort_by=role"} {
			anna.of(t).get(apiBase+"/users?"+query).wantFault(403, "")
		}
		if n := anna.of(t).get(apiBase + "/users?search=example.com").want(200).number("total"); n != 0 {
			t.Errorf("anna finds %d users by their addresses", n)
		}
		post := bert.of(t).post(apiBase+"/posts", map[string]any{"title": "Seen by all", "content": "c", "published": true}).want(201)
		if got := anna.of(t).get(fmt.Sprintf("%s/posts/%d", apiBase, post.number("id"))).want(200).json(); !public(got["user"]) {
			t.Errorf("the author is shown as %v", got["user"])
		}
	})

	t.Run("delete", func(t *testing.T) {
		gone := s.register("gone")
		if a := gone.of(t).delete(path(gone)).want(204); len(a.body) != 0 {
			t.Errorf("204 with %s", a.body)
		}
		gone.of(t).get(apiBase+"/users/me").wantFault(401, "")
		anna.of(t).get(path(gone)).wantFault(404, "User not found")
		other := s.register("other")
		root.of(t).delete(path(other)).want(204)
		root.of(t).delete(path(other)).wantFault(404, "User not found")
	})
}

// atOnce runs do n times concurrently and counts the results.
func atOnce[T comparable](n int, do func(i int) T) map[T]int {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		count = map[T]int{}
	)
	for i := range n {
		wg.Go(func() {
			got := do(i)
			mu.Lock()
			defer mu.Unlock()
			count[got]++
		})
	}
	wg.Wait()
	return count
}

func TestContractPosts(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	root := s.admin("root")
	anna, bert := s.register("anna"), s.register("bert")
	posts := apiBase + "/posts"
	path := func(a response) string { return fmt.Sprintf("%s/%d", posts, a.number("id")) }
	create := func(u user, fields map[string]any) response {
		body := map[string]any{"title": "A title", "content": "Content"}
		maps.Copy(body, fields)
		return u.post(posts, body).want(201)
	}

	t.Run("create", func(t *testing.T) {
		a := create(anna, map[string]any{"id": 99, "user_id": bert.id, "created_at": "2001-02-03T04:05:06Z", "user": map[string]any{"id": bert.id}})
		got := a.json()
		for name, want := range map[string]any{"title": "A title", "content": "Content", "published": false, "category": nil, "user_id": float64(anna.id)} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
		if got["id"] == 99.0 || strings.HasPrefix(fmt.Sprint(got["created_at"]), "2001") || a.header.Get("Location") != path(a) {
			t.Errorf("%v, Location %q", got, a.header.Get("Location"))
		}
		if got := create(anna, map[string]any{"published": true, "category": "go", "title": "日本語"}).json(); got["published"] != true || got["category"] != "go" || got["title"] != "日本語" {
			t.Errorf("%v", got)
		}
	})

	t.Run("unpublished", func(t *testing.T) {
		draft := create(anna, map[string]any{"title": "Her draft", "category": "hidden"})
		anna.of(t).get(path(draft)).want(200)
		root.of(t).get(path(draft)).want(200)
		bert.of(t).get(path(draft)).wantFault(404, "Post not found")
		bert.of(t).patch(path(draft), `{"title":"Mine now"}`).wantFault(404, "Post not found")
		bert.of(t).delete(path(draft)).wantFault(404, "Post not found")
		for _, query := range []string{"?category=hidden", "?category=hidden&published=false", "?search=draft", "?category=hidden&cursor="} {
			if a := bert.of(t).get(posts + query).want(200); len(a.items()) != 0 || a.number("total") != 0 {
				t.Errorf("%s: a draft of another user is counted: %s", query, a.body)
			}
			if a := anna.of(t).get(posts + query).want(200); len(a.items()) != 1 {
				t.Errorf("%s: the user's own draft is missing: %s", query, a.body)
			}
		}
		anna.of(t).patch(path(draft), `{"published":true}`).want(200)
		bert.of(t).get(path(draft)).want(200)
		bert.of(t).patch(path(draft), `{"title":"Mine now"}`).wantFault(403, "")
		bert.of(t).delete(path(draft)).wantFault(403, "")
		root.of(t).patch(path(draft), `{"title":"Edited"}`).want(200)
		anna.of(t).delete(path(draft)).want(204)
		anna.of(t).get(path(draft)).wantFault(404, "Post not found")
	})

	t.Run("update", func(t *testing.T) {
		a := create(anna, map[string]any{"category": "go", "published": true})
		for _, c := range []struct {
			body string
			want map[string]any
		}{
			{`{}`, map[string]any{"title": "A title", "content": "Content", "category": "go", "published": true}},
			{`{"title":null,"content":null,"published":null,"user_id":1,"id":5}`, map[string]any{"title": "A title", "content": "Content", "published": true, "user_id": float64(anna.id)}},
			{`{"published":false}`, map[string]any{"title": "A title", "published": false}},
			{`{"category":null}`, map[string]any{"category": nil, "content": "Content"}},
			{`{"content":"New","category":"web"}`, map[string]any{"title": "A title", "content": "New", "category": "web"}},
		} {
			for _, method := range []string{"PUT", "PATCH"} {
				changed := anna.of(t).do(method, path(a), c.body).want(200).json()
				shown := anna.of(t).get(path(a)).want(200).json()
				for name, want := range c.want {
					if changed[name] != want || shown[name] != want {
						t.Errorf("%s %s: %s is %v and shown as %v, want %v", method, c.body, name, changed[name], shown[name], want)
					}
				}
			}
		}
		for _, bad := range []string{`{"title":"ab"}`, `{"title":""}`, `{"content":""}`, `{"title":5}`} {
			anna.of(t).patch(path(a), bad).wantFault(422, "Validation error")
		}
	})

	t.Run("lists", func(t *testing.T) {
		reader := s.register("reader")
		bulk := make([]map[string]any, 25)
		for i := range bulk {
			bulk[i] = map[string]any{"title": fmt.Sprintf("Row %02d", i%5), "content": "listed", "published": i%2 == 0, "category": "lists"}
		}
		bulk[3]["content"] = "100% sure_thing"
		reader.of(t).post(posts+"/bulk", bulk).want(201)
		list := func(query string) response { return reader.of(t).get(posts + "?category=lists&" + query).want(200) }
		a := list("")
		for name, want := range map[string]any{"total": 25.0, "page": 1.0, "limit": 10.0, "pages": 3.0, "has_next": true, "has_prev": false} {
			if got := a.json()[name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		last := list("page=3").json()
		if last["has_next"] != false || last["has_prev"] != true || len(last["items"].([]any)) != 5 {
			t.Errorf("the last page: %v", last)
		}
		beyond := list("page=1000000000")
		if len(beyond.items()) != 0 || beyond.number("total") != 25 || beyond.json()["has_next"] != false {
			t.Errorf("beyond the last page: %s", beyond.body)
		}
		for query, want := range map[string]int{
			"published=true": 13, "published=false": 12, "search=ROW": 25, "search=100%25": 1, "search=%25": 1, "search=sure_": 1, "search=_": 1,
			"search=row+01": 5, "search=nowhere": 0, "published=true&search=row+00": 3, "limit=100": 25, "search=%5C": 0, "search=row&sort=relevance": 25,
		} {
			if a := list(query); a.number("total") != want || len(a.items()) != min(want, a.number("limit")) {
				t.Errorf("%s: total %d, %d items, want %d", query, a.number("total"), len(a.items()), want)
			}
		}
		for query, first := range map[string]string{"sort=title&order=asc": "Row 00", "sort_by=title&order=desc": "Row 04", "sort_by=title": "Row 04", "search=row+03&sort=relevance&order=asc": "Row 03"} {
			if got := list(query).items()[0]["title"]; got != first {
				t.Errorf("%s begins with %v", query, got)
			}
		}
		var newest []float64
		for _, row := range list("limit=100").items() {
			newest = append(newest, row["id"].(float64))
			if author, _ := row["user"].(map[string]any); author["username"] != "reader" || author["password_hash"] != nil {
				t.Errorf("listed with the author %v", row["user"])
			}
		}
		if !slices.IsSortedFunc(newest, func(a, b float64) int { return int(b - a) }) {
			t.Errorf("not the newest first: %v", newest)
		}
		for _, order := range []string{"sort=title&order=asc", "sort=title&order=desc", "sort=created_at", "sort=id&order=asc", "sort=updated_at"} {
			seen := map[any]int{}
			for page := 1; page <= 4; page++ {
				for _, row := range list(fmt.Sprintf("%s&limit=7&page=%d", order, page)).items() {
					seen[row["id"]]++
				}
			}
			for id, n := range seen {
				if n != 1 || len(seen) != 25 {
					t.Errorf("%s: %d rows by pages, %v came %d times", order, len(seen), id, n)
				}
			}
			clear(seen)
			cursor, pages := "", 0
			for ; pages < 10; pages++ {
				a := list(order + "&limit=7&cursor=" + url.QueryEscape(cursor))
				for _, row := range a.items() {
					seen[row["id"]]++
				}
				next, more := a.json()["next_cursor"].(string)
				if more != a.json()["has_next"] {
					t.Errorf("%s: next_cursor %v, has_next %v", order, next, a.json()["has_next"])
				}
				if cursor = next; !more {
					break
				}
			}
			if len(seen) != 25 || pages != 3 {
				t.Errorf("%s: %d rows by cursor in %d pages", order, len(seen), pages+1)
			}
		}
		for query, want := range map[string]string{
			"": "25 3 true", "count=estimate": "25 3 true", "count=exact": "25 3 true", "count=exact&page=3": "25 3 false",
			"count=none": "<nil> <nil> true", "count=none&page=3": "<nil> <nil> false", "count=none&cursor=": "<nil> <nil> true",
		} {
			a := list(query).json()
			if got := fmt.Sprint(a["total"], a["pages"], a["has_next"]); got != want || a["total_is_estimate"] != nil {
				t.Errorf("?%s has total, pages and has_next %s, want %s", query, got, want)
			}
		}
		for _, query := range []string{"count=", "count=all", "count=1", "count=exact&count=none"} {
			if fields := reader.of(t).get(posts + "?" + query).want(422).fields(); fields != "count" {
				t.Errorf("?%s: %s", query, fields)
			}
		}
		for query, want := range map[string]string{"sort=relevance": "search", "sort_by=relevance&search=": "search", "sort=relevance&search=row&cursor=": "cursor"} {
			if fields := reader.of(t).get(posts + "?" + query).want(422).fields(); fields != want {
				t.Errorf("?%s: %s", query, fields)
			}
		}
		if empty := reader.of(t).get(posts + "?category=none").want(200); !strings.Contains(string(empty.body), `"items":[]`) {
			t.Errorf("an empty list is %s", empty.body)
		}
	})

	t.Run("bulk", func(t *testing.T) {
		writer := s.register("writer")
		rows := func(n int) []map[string]any {
			list := make([]map[string]any, n)
			for i := range list {
				list[i] = map[string]any{"title": fmt.Sprintf("Bulk %d", i), "content": "x", "category": "bulk", "user_id": 1}
			}
			return list
		}
		total := func() int { return writer.of(t).get(posts + "?category=bulk").want(200).number("total") }
		writer.of(t).post(posts+"/bulk", rows(0)).wantFault(422, "")
		writer.of(t).post(posts+"/bulk", rows(1001)).wantFault(422, "")
		bad := rows(10)
		bad[3]["title"], bad[7]["title"], bad[7]["content"] = "ab", 5, nil
		a := writer.of(t).post(posts+"/bulk", bad).wantFault(422, "Validation error")
		var where []string
		for _, d := range a.json()["details"].([]any) {
			d := d.(map[string]any)
			where = append(where, fmt.Sprint(d["index"], " ", d["field"]))
		}
		if slices.Sort(where); !slices.Equal(where, []string{"3 title", "7 content", "7 title"}) {
			t.Errorf("wrong are %v", where)
		}
		if n := total(); n != 0 {
			t.Errorf("%d rows of rejected requests", n)
		}
		if got := writer.of(t).post(posts+"/bulk", map[string]any{"items": rows(1000)}).want(201).items(); len(got) != 1000 || got[0]["id"] == nil || got[0]["user_id"] != float64(writer.id) {
			t.Errorf("%d rows", len(got))
		}
		if n := total(); n != 1000 {
			t.Errorf("%d rows of 1,000", n)
		}
	})
}
