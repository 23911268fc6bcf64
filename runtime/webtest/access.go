package webtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/runtime/web"
)

// routes finds each action in the route table.
func (w *world) routes() {
	module := w.Module(w.gdb)
	for _, want := range []struct{ action, method, path string }{
		{"list", "GET", w.Path},
		{"create", "POST", w.Path},
		{"bulk", "POST", w.Path + "/bulk"},
		{"show", "GET", w.Path + "/:id"},
		{"update", "PUT", w.Path + "/:id"},
		{"update", "PATCH", w.Path + "/:id"},
		{"delete", "DELETE", w.Path + "/:id"},
	} {
		there := slices.ContainsFunc(module.Routes, func(r web.Route) bool {
			return r.Method == want.method && matches(module.Prefix+r.Path, want.path)
		})
		if expected := w.serves(want.action); there != expected {
			w.t.Errorf("%s %s is served: %t, not %t; if that is right, say so in Path or Only", want.method, want.path, there, expected)
		}
	}
}

// matches reports whether a route serves a path, whatever the names of its
// parameters are.
func matches(route, path string) bool {
	a, b := strings.Split(route, "/"), strings.Split(path, "/")
	return slices.EqualFunc(a, b, func(x, y string) bool {
		return x == y || strings.HasPrefix(x, ":") && y != "bulk"
	})
}

// guards asks every route of the table as nobody and as a plain user, where
// there is no row.
func (w *world) guards() {
	nobody, bob := w.client.Fresh(), w.as("bob", "user")
	module := w.Module(w.gdb)
	for _, route := range module.Routes {
		path := w.concrete(module.Prefix+route.Path, nowhere(w.schema)[0])
		who, body := w.Write, any(map[string]any{})
		switch route.Method {
		case http.MethodGet, http.MethodHead:
			who, body = w.Read, nil
		case http.MethodDelete:
			body = nil
		}
		open := who == "" || who == "all"
		w.each(route.Method+" "+path, func(w *world) {
			if a := nobody.For(w.t).Send(route.Method, path, body); open == (a.Status == http.StatusUnauthorized) {
				w.t.Errorf("nobody is answered %d", a.Status)
			}
			a := bob.For(w.t).Send(route.Method, path, body)
			forbidden := a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden
			if forbidden != (who == "admin") || a.Status >= http.StatusInternalServerError {
				w.t.Errorf("a user is answered %d", a.Status)
			}
		})
	}
}

// concrete is a path that the route serves, of the row with this key.
func (w *world) concrete(route string, id any) string {
	at := strings.Split(w.Path, "/")
	parts := strings.Split(route, "/")
	for i, part := range parts {
		switch {
		case part == "" || part[0] != ':' && part[0] != '*':
		case i < len(at):
			parts[i] = at[i]
		default:
			parts[i] = fmt.Sprint(id)
		}
	}
	return strings.Join(parts, "/")
}

// others tries every way to another user's rows, of which the second is public
// where a row can be.
func (w *world) others() {
	rows := w.store(3)
	if w.Public != "" {
		for i, row := range rows {
			if err := w.gdb.Model(row.row).Update(w.Public, i == 1).Error; err != nil {
				w.t.Fatal(err)
			}
		}
	}
	bob, admin := w.as("bob", "user"), w.as("root", "admin")
	readable := func(i int) bool { return w.Read != "owner" || w.Public != "" && i == 1 }
	visible := 0
	for i := range rows {
		if readable(i) {
			visible++
		}
	}
	if w.serves("list") {
		if p := w.list(bob, ""); p.Total != visible {
			w.t.Errorf("another user sees %d rows, not %d", p.Total, visible)
		}
		if p := w.list(admin, ""); p.Total != 3 {
			w.t.Errorf("an administrator sees %d rows, not 3", p.Total)
		}
	}
	for i, row := range rows[:2] {
		at, show, change, remove := w.at(row.id), http.StatusOK, http.StatusOK, http.StatusNoContent
		switch {
		case w.Write == "admin":
			change, remove = http.StatusForbidden, http.StatusForbidden
		case !readable(i):
			change, remove = http.StatusNotFound, http.StatusNotFound
		case w.Write == "owner":
			change, remove = http.StatusForbidden, http.StatusForbidden
		}
		if !readable(i) {
			show = http.StatusNotFound
		}
		if w.serves("show") {
			bob.Get(at).Expect(show)
			admin.Get(at).Expect(http.StatusOK)
		}
		if w.serves("update") {
			bob.Put(at, map[string]any{}).Expect(change)
			bob.Patch(at, map[string]any{}).Expect(change)
			admin.Patch(at, map[string]any{}).Expect(http.StatusOK)
		}
		if w.serves("delete") {
			if bob.Delete(at).Expect(remove); remove != http.StatusNoContent {
				admin.Delete(at).Expect(http.StatusNoContent)
			}
		}
	}
}
