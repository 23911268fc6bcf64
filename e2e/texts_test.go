package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/db"
)

// alike are texts that databases compare differently.
var alike = []string{
	"a", "A", "ä", "Ä", "a\u0308", "e", "é", "ß", "ss", "SS", "ẞ", "Ａ", "ａ", "a ", "a\u00a0", "ﬀ", "ff", "I", "ı", "İ", "i", "🙂", "🙃", "🙂 ", "❤", "❤\ufe0f",
	"ñ", "n", "Æ", "AE", "0", "０", "_", "%", "'", `\`, "a-b", "ab", "a\u00adb", "ж", "Ж", "日本", "ｶ", "カ", "σ", "ς", "Σ", "𐐀", "𐐨", "K", "\u212a",
}

// TestTextsCompareAlike compares every pair of alike on every database, for unique,
// unique=nocase and nocase fields, filters, sorting, search and usernames. A pair is equal
// by its characters, or by their folded form, on all databases.
func TestTextsCompareAlike(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.nexios("add", "auth", "--with", "none")
	p.nexios("add", "resource", "plain", "name:string:unique:filter:sort:search", "--guard", "none")
	p.nexios("add", "resource", "loose", "name:string:unique=nocase:filter:sort:search", "--guard", "none")
	p.nexios("add", "resource", "mild", "name:string:nocase:filter:sort:search", "--guard", "none")
	exe := filepath.Join(p.dir, "shop.exe")
	p.run("go", "build", "-o", exe, ".")
	names := []string{"sqlite", "postgres", "mariadb"}
	if testing.Short() {
		names = names[:1]
	}
	var first []string
	for i, name := range names {
		results := textsOn(t, exe, name)
		if i == 0 {
			first = results
		} else if !slices.Equal(results, first) {
			for j := range min(len(results), len(first)) {
				if results[j] != first[j] {
					t.Errorf("on %s %s, and on %s %s", names[0], first[j], name, results[j])
				}
			}
		}
	}
}

// textsOn returns the results of the API for the texts.
func textsOn(t *testing.T, exe, name string) (results []string) {
	b := blog{t: t, exe: exe, dir: t.TempDir(), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "APP_ENV=test", "ADDR=127.0.0.1:0", "RATE_LIMIT=off",
		"APP_SECRET=0123456789abcdef0123456789abcdef0123456789", "DATABASE_URL=" + database(t, name),
	}}
	if _, problems, code := b.command("", "migrate", "up"); code != 0 {
		t.Fatal(problems)
	}
	s := b.serve()
	admin := s.client().as(s.admin("chief").token)
	record := func(format string, args ...any) { results = append(results, fmt.Sprintf(format, args...)) }
	for _, of := range []struct {
		path, field, before string
		form                func(string) string
		body                map[string]any
	}{
		{"/api/v1/plains", "name", "", strings.Clone, map[string]any{}},
		{"/api/v1/looses", "name", "", db.Fold, map[string]any{}},
		{"/api/v1/users", "username", "usr", db.Fold, map[string]any{"password": goodPassword}},
		{"/api/v1/users", "email", "usr", db.Fold, map[string]any{"password": goodPassword}},
	} {
		taken := map[string]string{}
		for i, text := range alike {
			body, value := of.body, of.before+text
			body[of.field] = value
			switch of.field {
			case "username":
				body["email"] = fmt.Sprintf("%d@example.com", i)
			case "email":
				body["username"], body["email"] = fmt.Sprintf("mail %d", i), value+"@example.com"
				value += "@example.com"
			}
			a := admin.post(of.path, body)
			record("POST %s %q is %d %s", of.path, value, a.status, a.fields())
			switch there, is := taken[of.form(value)]; {
			case a.status == 422 && of.body["password"] != nil: // not a valid name
			case is != (a.status == 409) || !is && a.status != 201:
				t.Errorf("%s: POST %s %q is %d, after %q", name, of.path, value, a.status, there)
			case !is:
				taken[of.form(value)] = value
			}
		}
		var sorted []string
		for cursor := ""; ; {
			a := admin.get(of.path + "?sort=" + of.field + "&order=asc&limit=17&cursor=" + url.QueryEscape(cursor)).want(200)
			for _, row := range a.items() {
				if value, _ := row[of.field].(string); taken[of.form(value)] == value {
					sorted = append(sorted, value)
				}
			}
			if cursor = a.text("next_cursor"); cursor == "" {
				break
			}
		}
		var want []string
		for form := range taken {
			want = append(want, form)
		}
		slices.Sort(want)
		for i, form := range want {
			want[i] = taken[form]
		}
		if !slices.Equal(sorted, want) {
			t.Errorf("%s: %s sorted by %s: %q, not %q", name, of.path, of.field, sorted, want)
		}
		for _, text := range alike {
			value := of.before + text
			held := admin.get(of.path + "?limit=100&search=" + url.QueryEscape(value)).want(200)
			record("%s searched for %q has %d", of.path, value, held.number("total"))
			if of.body["password"] != nil {
				continue
			}
			found := admin.get(of.path + "?limit=100&name=" + url.QueryEscape(value)).want(200).items()
			if len(found) != 1 || found[0]["name"] != taken[of.form(value)] {
				t.Errorf("%s: %s filtered by %q: %v, not %q", name, of.path, value, found, taken[of.form(value)])
			}
		}
		if of.field != "username" {
			continue
		}
		for _, text := range alike { // a username is found in any spelling with the same folded form
			if value, ok := taken[db.Fold(strings.TrimSpace(of.before+text))]; ok {
				a := s.client().post(loginPath, credentials(of.before+text, goodPassword)).want(200)
				if me := s.client().as(a.text("access_token")).get("/api/v1/users/me").want(200); me.text("username") != value {
					t.Errorf("%s: %q is logged in as %s, not %q", name, of.before+text, me.body, value)
				}
			}
		}
	}
	for _, text := range alike { // rows may be equal
		admin.post("/api/v1/milds", map[string]any{"name": text}).want(201)
	}
	names := func(query string) (names []string) {
		for _, row := range admin.get("/api/v1/milds?limit=100&sort=name&order=asc&" + query).want(200).items() {
			names = append(names, row["name"].(string))
		}
		return names
	}
	sorted := slices.Clone(alike)
	slices.SortStableFunc(sorted, func(a, b string) int { return strings.Compare(db.Fold(a), db.Fold(b)) })
	if got := names(""); !slices.Equal(got, sorted) {
		t.Errorf("%s: nocase is sorted %q, not %q", name, got, sorted)
	}
	for _, text := range alike {
		want := slices.DeleteFunc(slices.Clone(sorted), func(other string) bool { return db.Fold(other) != db.Fold(text) })
		if got := names("name=" + url.QueryEscape(text)); !slices.Equal(got, want) {
			t.Errorf("%s: nocase filtered by %q: %q, not %q", name, text, got, want)
		}
		record("nocase searched for %q has %q", text, names("search="+url.QueryEscape(text)))
	}
	return results
}
