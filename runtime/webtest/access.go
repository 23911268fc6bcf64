package webtest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

// routes checks that the route table has each expected action, and no other.
func (w *fixture) routes() {
	module := w.Module(w.gdb)
	one := w.Path + strings.Repeat("/:id", max(len(w.schema.PrimaryFields), 1))
	for _, want := range []struct{ action, method, path string }{
		{"list", "GET", w.Path},
		{"create", "POST", w.Path},
		{"bulk", "POST", w.Path + "/bulk"},
		{"show", "GET", one},
		{"update", "PUT", one},
		{"update", "PATCH", one},
		{"delete", "DELETE", one},
	} {
		found := slices.ContainsFunc(module.Routes, func(r web.Route) bool {
			return r.Method == want.method && matches(module.Prefix+r.Path, want.path)
		})
		if expected := w.serves(want.action); found != expected {
			w.t.Errorf("%s %s is served: %t, not %t; if that is right, say so in Path or Only", want.method, want.path, found, expected)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(w.Access)) {
		if !slices.ContainsFunc(w.allRoutes(), func(r web.Route) bool { return w.address(r) == address }) {
			w.t.Errorf("Access has %q, which the module does not serve", address)
		}
	}
}

// access returns the value of Access for a route of allRoutes, or that of Read or
// Write. own is set if it is from Access.
func (w *fixture) access(route web.Route) (who string, own bool) {
	if who, own = w.Access[w.address(route)]; own {
		return who, true
	}
	if isRead(route) {
		return w.Read, false
	}
	return w.Write, false
}

// address returns the key in Access for a route of allRoutes.
func (w *fixture) address(route web.Route) string {
	return route.Method + " " + strings.TrimPrefix(route.Path, w.Module(w.gdb).Prefix)
}

// matches reports whether a route serves a path, ignoring the names of its
// parameters.
func matches(route, path string) bool {
	a, b := strings.Split(route, "/"), strings.Split(path, "/")
	return slices.EqualFunc(a, b, func(x, y string) bool {
		return x == y || strings.HasPrefix(x, ":") && y != "bulk"
	})
}

// guards sends a request to every route anonymously and as a plain user, for a row
// that does not exist.
func (w *fixture) guards() {
	nobody, bob := w.client.Fresh(), w.as("bob", "user")
	for _, route := range w.allRoutes() {
		path := w.pathFor(route.Path, missingKeys(w.schema)[0])
		who, _ := w.access(route)
		open := who == "" || who == "all"
		say := func(who string) string {
			return fmt.Sprintf("; if that is right, say so: Access: map[string]string{%q: %q}", w.address(route), who)
		}
		w.each(route.Method+" "+path, func(w *fixture) {
			switch a := w.send(nobody, route, path); {
			case open && a.Status == http.StatusUnauthorized:
				w.t.Errorf("an anonymous request is answered 401%s", say("user"))
			case !open && a.Status != http.StatusUnauthorized:
				w.t.Errorf("an anonymous request is answered %d, not 401%s", a.Status, say("all"))
			}
			a := w.send(bob, route, path)
			forbidden := a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden
			switch {
			case forbidden && who != "admin":
				w.t.Errorf("a user is answered %d%s", a.Status, say("admin"))
			case !forbidden && who == "admin":
				w.t.Errorf("a user is answered %d, not 403%s", a.Status, say("user"))
			case a.Status >= http.StatusInternalServerError:
				w.t.Errorf("a user is answered %d", a.Status)
			}
		})
	}
}

// pathFor returns a path served by the route, for the row with this key.
func (w *fixture) pathFor(route string, id any) string {
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

// others tries every route to ann's rows as another user. The second row is public if
// rows can be.
func (w *fixture) others() {
	rows := make([]stored, 3)
	var visible []values // to another user
	for i := range rows {
		row := func(f Field) any {
			if f.Name == w.Public {
				return i == 1
			}
			return f.Values[i]
		}
		if rows[i] = w.storeOne(row); w.readable(i) {
			visible = append(visible, row)
		}
	}
	bob, admin := w.as("bob", "user"), w.as("root", "admin")
	if w.serves("list") {
		w.each("list", func(w *fixture) {
			p := w.list(bob.For(w.t), "")
			if p.Total != len(visible) || len(p.Items) != len(visible) {
				w.t.Errorf("another user sees %d rows, not %d", p.Total, len(visible))
			}
			for _, item := range p.Items {
				w.checkPrivate(item)
			}
			if p := w.list(admin.For(w.t), ""); p.Total != 3 {
				w.t.Errorf("an administrator sees %d rows, not 3", p.Total)
			}
			for _, name := range w.sortable() {
				if ids := w.walk(bob.For(w.t), "sort="+name); len(ids) != len(visible) {
					w.t.Errorf("by cursor, sorted by %s, another user sees %v, not %d rows", name, ids, len(visible))
				}
			}
			w.finds(bob, visible)
		})
	}
	if w.Write == "user" && w.serves("update") && w.serves("show") {
		w.keepsPrivate(bob, admin, rows[0].id)
	}
	for i, row := range rows[:2] {
		if w.serves("show") && w.readable(i) {
			w.checkPrivate(bob.Get(w.pathOf(row.id)).Expect(http.StatusOK).JSON())
		}
		for _, route := range w.rowRoutes() {
			w.each(fmt.Sprintf("%s %s of row %d", route.Method, route.Path, i), func(w *fixture) { w.other(bob, route, row.id, i) })
		}
	}
	if n := w.count(); n != 3 && w.Write != "user" && w.Write != "all" {
		w.t.Errorf("%d rows are left, not 3", n)
	}
	at := w.pathOf(rows[2].id)
	if w.serves("show") {
		admin.Get(at).Expect(http.StatusOK)
	}
	if w.serves("update") {
		admin.Patch(at, map[string]any{}).Expect(http.StatusOK)
	}
	if w.serves("delete") {
		admin.Delete(at).Expect(http.StatusNoContent)
	}
}

// shares stores ann's unique values again as another user, who must not learn that
// ann has them.
func (w *fixture) shares() {
	w.store(3)
	carol := w.client.Fresh().With("Authorization", "Bearer "+w.token)
	bodies, one := w.bodies(), false
	for _, f := range w.Fields {
		for i, id := range w.foreignTo(f) { // carol's own rows, if she may not refer to ann's
			if f.Many != "" {
				id = []any{id}
			}
			for _, body := range bodies {
				if i == 0 && body[f.Name] != nil {
					body[f.Name] = id
					one = one || f.Unique // then all bodies share the value
				}
			}
		}
	}
	first := carol.Post(w.Path, bodies[0])
	if first.Status == refused { // there is nothing that she may refer to
		w.t.Skip(string(first.body))
	}
	at := w.pathOf(w.keyOf(first.Expect(created).JSON()))
	again := carol.Post(w.Path, bodies[0])
	for _, d := range again.Expect(taken).Details() {
		if d.Field == w.Owner {
			w.t.Errorf("a conflict is about %s, which no body has: %s", d.Field, again.body)
		}
	}
	if w.serves("bulk") && !one {
		carol.Post(w.Path+"/bulk", bodies[1:2]).Expect(created)
	}
	if w.serves("update") && !one {
		change := map[string]any{}
		for _, f := range w.Fields {
			if f.Unique && !f.Immutable && !f.ReadOnly {
				change[f.Name] = bodies[2][f.Name]
			}
		}
		carol.Patch(at, change).Expect(http.StatusOK)
		carol.Put(at, change).Expect(http.StatusOK)
	}
}

// allRoutes returns the routes of the module with their full path, those that delete
// last.
func (w *fixture) allRoutes() []web.Route {
	module := w.Module(w.gdb)
	routes := slices.Clone(module.Routes)
	for i := range routes {
		routes[i].Path = module.Prefix + routes[i].Path
	}
	slices.SortStableFunc(routes, func(a, b web.Route) int {
		return cmp.Compare(strings.Index(a.Method, http.MethodDelete), strings.Index(b.Method, http.MethodDelete))
	})
	return routes
}

// rowRoutes returns those of allRoutes that concern a single row.
func (w *fixture) rowRoutes() []web.Route {
	return slices.DeleteFunc(w.allRoutes(), func(route web.Route) bool {
		_, rest, _ := w.splitPath(route.Path)
		return !strings.ContainsAny(rest, ":*")
	})
}

// isRead reports whether a route changes nothing.
func isRead(route web.Route) bool {
	return route.Method == http.MethodGet || route.Method == http.MethodHead
}

// send sends a request with a body that changes nothing, if the route expects one.
func (w *fixture) send(client *Client, route web.Route, path string) *Answer {
	var body any = map[string]any{}
	if isRead(route) || route.Method == http.MethodDelete {
		body = nil
	}
	return client.For(w.t).Send(route.Method, path, body)
}

// splitPath splits the path of a route after the resource's Path. ok reports whether it
// begins with it.
func (w *fixture) splitPath(route string) (path, rest string, ok bool) {
	parts, n := strings.Split(route, "/"), strings.Count(w.Path, "/")+1
	if len(parts) < n {
		return "", "", false
	}
	path = strings.Join(parts[:n], "/")
	return path, strings.Join(parts[n:], "/"), matches(path, w.Path)
}

// readable reports whether another user may read the row at index i.
func (w *fixture) readable(i int) bool { return w.Read != "owner" || w.Public != "" && i == 1 }

// checkPrivate reports every private field that another user can see.
func (w *fixture) checkPrivate(got map[string]any) {
	w.t.Helper()
	for _, f := range w.Fields {
		if v := got[f.Name]; f.Private && !isBlank(v) {
			w.t.Errorf("another user is told that %s is %v", f.Name, v)
		}
	}
}

// keepsPrivate sends private fields as another user, who may change the row but not
// see them.
func (w *fixture) keepsPrivate(bob, admin *Client, id any) {
	before := admin.Get(w.pathOf(id)).Expect(http.StatusOK).JSON()
	for _, f := range w.Fields {
		if !f.Private || f.Immutable || f.ReadOnly {
			continue
		}
		w.checkPrivate(bob.Patch(w.pathOf(id), map[string]any{f.Name: f.Values[1]}).Expect(http.StatusOK).JSON())
		if after := admin.Get(w.pathOf(id)).Expect(http.StatusOK).JSON(); !reflect.DeepEqual(after[f.Name], before[f.Name]) {
			w.t.Errorf("another user has made %s %v, which was %v", f.Name, after[f.Name], before[f.Name])
		}
	}
}

// other sends a request about a row as another user.
func (w *fixture) other(bob *Client, route web.Route, id any, i int) {
	want := http.StatusForbidden
	who, own := w.access(route)
	switch {
	case own && who == "admin":
	case !w.readable(i) && (isRead(route) || w.Write != "admin"):
		want = http.StatusNotFound
	case own || isRead(route) || w.Write == "user" || w.Write == "all":
		want = route.Success
	}
	a := w.send(bob, route, w.pathFor(route.Path, id))
	_, rest, _ := w.splitPath(route.Path)
	more := strings.Contains(rest, "/") || route.Method == http.MethodPost // it may require a body
	if a.Status != want && !(more && a.Status == refused) {
		w.t.Errorf("another user is answered %d, not %d: %s", a.Status, want, a.body)
	}
}

// related checks that rows of other users are not included as related rows.
func (w *fixture) related() {
	// Their owner sees them, or an administrator of the application.
	sees := w.client.Fresh().With("Authorization", "Bearer "+w.token)
	if w.Organisation == nil {
		sees = w.as("root", "admin")
	}
	for _, f := range w.Fields {
		if w.target(f) == nil || w.Organisation != nil && w.inOrganisation(f) { // rejected by the database
			continue
		}
		for _, id := range w.foreignTo(f) {
			w.each(f.Name, func(w *fixture) {
				row := w.storeOne(func(other Field) any {
					switch {
					case other.Name != f.Name:
						return other.Values[0]
					case f.Many != "":
						return []any{id}
					}
					return id
				})
				w.countRelated(w.client, row, w.relationKey(f), 0)
				w.countRelated(sees.For(w.t), row, w.relationKey(f), 1)
				w.clear()
			})
		}
	}
	for _, child := range w.Children {
		s := w.parse(child)
		for _, r := range w.schema.Relationships.HasMany {
			if r.FieldSchema.Table != s.Table {
				continue
			}
			w.each(key(r.Field), func(w *fixture) {
				row := w.store(1)[0]
				to := reflect.New(s.ModelType)
				to.Elem().Set(reflect.Indirect(reflect.ValueOf(child)))
				w.set(s.LookUpField(r.References[0].ForeignKey.DBName), to.Elem(), row.id)
				w.insert(w.carol, to.Interface())
				w.countRelated(w.client, row, key(r.Field), 0)
				w.countRelated(sees.For(w.t), row, key(r.Field), 1)
				if err := w.gdb.Unscoped().Where("1 = 1").Delete(reflect.New(s.ModelType).Interface()).Error; err != nil {
					w.t.Fatal(err)
				}
				w.clear()
			})
		}
	}
}

// countRelated counts the related rows under a key, in show and list responses.
func (w *fixture) countRelated(client *Client, row stored, name string, want int) {
	w.t.Helper()
	var answers []map[string]any
	if w.serves("show") {
		answers = append(answers, client.Get(w.pathOf(row.id)).Expect(http.StatusOK).JSON())
	}
	if w.serves("list") && slices.Contains(w.Loads, name) {
		answers = append(answers, w.list(client, "").Items...)
	}
	for _, got := range answers {
		n := 0
		switch v := got[name].(type) {
		case []any:
			n = len(v)
		case map[string]any:
			n = 1
		}
		if n != want {
			w.t.Errorf("%d rows come as %s, not %d: %v", n, name, want, got[name])
		}
	}
}

// relationKey returns the response key of the row or rows that a field refers to.
func (w *fixture) relationKey(f Field) string {
	if f.Many != "" {
		return f.Many
	}
	for _, r := range w.schema.Relationships.BelongsTo {
		if r.References[0].ForeignKey.DBName == f.Name {
			return key(r.Field)
		}
	}
	return ""
}

// probe returns a module without guards, as if its author forgot them: it counts the
// rows visible to the caller, and those that the caller could delete.
func (w *fixture) probe() web.Module {
	count := func(c *gin.Context, _ web.None) (n int64, err error) {
		model := reflect.New(w.schema.ModelType).Interface()
		err = w.gdb.WithContext(c.Request.Context()).Model(model).Count(&n).Error
		return n, err
	}
	remove := func(c *gin.Context, _ web.None) (int64, error) {
		tx := w.gdb.WithContext(c.Request.Context()).Begin()
		defer tx.Rollback()
		tx = tx.Where("1 = 1").Delete(reflect.New(w.schema.ModelType).Interface())
		return tx.RowsAffected, tx.Error
	}
	return web.Module{Name: "probe", Routes: []web.Route{web.Get(probePath, count), web.Delete(probePath, remove)}}
}

const probePath = "/probe-of-rows"

// probes requests all rows from a handler without guards.
func (w *fixture) probes() {
	w.store(3)
	public := 0
	if w.Public != "" {
		for _, f := range w.Fields {
			for _, value := range f.Values {
				if f.Name == w.Public && value == true {
					public++
				}
			}
		}
	}
	// who returns the number of rows that a user with these rights may access at a
	// level.
	who := func(level string, signedIn, admin bool, less int) int {
		if admin || level == "" || level == "all" || (level == "user" || level == "member") && signedIn {
			return 3
		}
		return less
	}
	type user struct {
		name            string
		client          *Client
		signedIn, admin bool
	}
	users := []user{
		{"nobody", w.client.Fresh(), false, false},
		{"a user", w.as("bob", "user"), true, false},
		{"an administrator", w.as("root", "admin"), true, true},
	}
	if w.Organisation != nil {
		users = append(users, user{"a member of another organisation", w.as(w.Organisation.Outsider, "user"), false, false})
	}
	for _, user := range users {
		w.each(user.name, func(w *fixture) {
			less := public
			if !user.signedIn {
				less = 0 // public rows are visible to users, not to anonymous clients
			}
			readable := who(w.Read, user.signedIn, user.admin, less)
			writable := min(readable, who(w.Write, user.signedIn, user.admin, 0))
			for method, want := range map[string]int{http.MethodGet: readable, http.MethodDelete: writable} {
				var n int
				user.client.For(w.t).Send(method, probePath, nil).Expect(http.StatusOK).Into(&n)
				if n != want {
					w.t.Errorf("%s reaches %d rows, not %d", method, n, want)
				}
			}
		})
	}
}
