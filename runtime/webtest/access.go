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

// routes finds each action in the route table.
func (w *world) routes() {
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
		there := slices.ContainsFunc(module.Routes, func(r web.Route) bool {
			return r.Method == want.method && matches(module.Prefix+r.Path, want.path)
		})
		if expected := w.serves(want.action); there != expected {
			w.t.Errorf("%s %s is served: %t, not %t; if that is right, say so in Path or Only", want.method, want.path, there, expected)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(w.Access)) {
		if !slices.ContainsFunc(w.all(), func(r web.Route) bool { return w.address(r) == address }) {
			w.t.Errorf("Access has %q, which the module does not serve", address)
		}
	}
}

// said is what Access says of a route of all, and otherwise what Read or Write does.
func (w *world) said(route web.Route) (who string, own bool) {
	if who, own = w.Access[w.address(route)]; own {
		return who, true
	}
	if reads(route) {
		return w.Read, false
	}
	return w.Write, false
}

// address is what Access calls a route of all.
func (w *world) address(route web.Route) string {
	return route.Method + " " + strings.TrimPrefix(route.Path, w.Module(w.gdb).Prefix)
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
	for _, route := range w.all() {
		path := w.concrete(route.Path, nowhere(w.schema)[0])
		who, _ := w.said(route)
		open := who == "" || who == "all"
		say := func(who string) string {
			return fmt.Sprintf("; if that is right, say so: Access: map[string]string{%q: %q}", w.address(route), who)
		}
		w.each(route.Method+" "+path, func(w *world) {
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

// others tries every way to ann's rows as another user, to whom the second is
// public where a row can be.
func (w *world) others() {
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
		w.each("list", func(w *world) {
			p := w.list(bob.For(w.t), "")
			if p.Total != len(visible) || len(p.Items) != len(visible) {
				w.t.Errorf("another user sees %d rows, not %d", p.Total, len(visible))
			}
			for _, item := range p.Items {
				w.blanks(item)
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
			w.blanks(bob.Get(w.at(row.id)).Expect(http.StatusOK).JSON())
		}
		for _, route := range w.below() {
			w.each(fmt.Sprintf("%s %s of row %d", route.Method, route.Path, i), func(w *world) { w.other(bob, route, row.id, i) })
		}
	}
	if n := w.count(); n != 3 && w.Write != "user" && w.Write != "all" {
		w.t.Errorf("%d rows are left, not 3", n)
	}
	at := w.at(rows[2].id)
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

// shares stores what ann has as another user, who may not learn that she has it.
func (w *world) shares() {
	w.store(3)
	carol := w.client.Fresh().With("Authorization", "Bearer "+w.token)
	bodies, one := w.bodies(), false
	for _, f := range w.Fields {
		for i, id := range w.foreignTo(f) { // hers, where ann's are not for her to refer to
			if f.Many != "" {
				id = []any{id}
			}
			for _, body := range bodies {
				if i == 0 && body[f.Name] != nil {
					body[f.Name] = id
					one = one || f.Unique // then all bodies have the same
				}
			}
		}
	}
	first := carol.Post(w.Path, bodies[0])
	if first.Status == refused { // there is nothing that she may refer to
		w.t.Skip(string(first.body))
	}
	at := w.at(w.keyOf(first.Expect(created).JSON()))
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

// all are the routes of the module with their whole path, those that delete
// last.
func (w *world) all() []web.Route {
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

// below are those of all routes that are about one row.
func (w *world) below() []web.Route {
	return slices.DeleteFunc(w.all(), func(route web.Route) bool {
		_, rest, _ := w.cut(route.Path)
		return !strings.ContainsAny(rest, ":*")
	})
}

// reads reports whether a route changes nothing.
func reads(route web.Route) bool {
	return route.Method == http.MethodGet || route.Method == http.MethodHead
}

// send asks a route with a body that changes nothing, where it takes one.
func (w *world) send(client *Client, route web.Route, path string) *Answer {
	var body any = map[string]any{}
	if reads(route) || route.Method == http.MethodDelete {
		body = nil
	}
	return client.For(w.t).Send(route.Method, path, body)
}

// cut divides the path of a route in what is the resource's Path and the rest.
func (w *world) cut(route string) (path, rest string, ok bool) {
	parts, n := strings.Split(route, "/"), strings.Count(w.Path, "/")+1
	if len(parts) < n {
		return "", "", false
	}
	path = strings.Join(parts[:n], "/")
	return path, strings.Join(parts[n:], "/"), matches(path, w.Path)
}

// readable reports whether another user may read the row at a position.
func (w *world) readable(i int) bool { return w.Read != "owner" || w.Public != "" && i == 1 }

// blanks fails for every private field that another user is told.
func (w *world) blanks(got map[string]any) {
	w.t.Helper()
	for _, f := range w.Fields {
		if v := got[f.Name]; f.Private && !blank(v) {
			w.t.Errorf("another user is told that %s is %v", f.Name, v)
		}
	}
}

// keepsPrivate sends private fields as another user, who may change the row and does
// not see them.
func (w *world) keepsPrivate(bob, admin *Client, id any) {
	before := admin.Get(w.at(id)).Expect(http.StatusOK).JSON()
	for _, f := range w.Fields {
		if !f.Private || f.Immutable || f.ReadOnly {
			continue
		}
		w.blanks(bob.Patch(w.at(id), map[string]any{f.Name: f.Values[1]}).Expect(http.StatusOK).JSON())
		if after := admin.Get(w.at(id)).Expect(http.StatusOK).JSON(); !reflect.DeepEqual(after[f.Name], before[f.Name]) {
			w.t.Errorf("another user has made %s %v, which was %v", f.Name, after[f.Name], before[f.Name])
		}
	}
}

// other sends what another user may send about a row.
func (w *world) other(bob *Client, route web.Route, id any, i int) {
	want := http.StatusForbidden
	who, own := w.said(route)
	switch {
	case own && who == "admin":
	case !w.readable(i) && (reads(route) || w.Write != "admin"):
		want = http.StatusNotFound
	case own || reads(route) || w.Write == "user" || w.Write == "all":
		want = route.Success
	}
	a := w.send(bob, route, w.concrete(route.Path, id))
	_, rest, _ := w.cut(route.Path)
	more := strings.Contains(rest, "/") || route.Method == http.MethodPost // it may want a body
	if a.Status != want && !(more && a.Status == refused) {
		w.t.Errorf("another user is answered %d, not %d: %s", a.Status, want, a.body)
	}
}

// related looks for rows of another user beside those of the caller.
func (w *world) related() {
	// Who sees them: whose they are, or an administrator of the application.
	sees := w.client.Fresh().With("Authorization", "Bearer "+w.token)
	if w.Organisation == nil {
		sees = w.as("root", "admin")
	}
	for _, f := range w.Fields {
		if w.target(f) == nil || w.Organisation != nil && w.within(f) { // which the database refuses
			continue
		}
		for _, id := range w.foreignTo(f) {
			w.each(f.Name, func(w *world) {
				row := w.storeOne(func(other Field) any {
					switch {
					case other.Name != f.Name:
						return other.Values[0]
					case f.Many != "":
						return []any{id}
					}
					return id
				})
				w.beside(w.client, row, w.relationKey(f), 0)
				w.beside(sees.For(w.t), row, w.relationKey(f), 1)
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
			w.each(key(r.Field), func(w *world) {
				row := w.store(1)[0]
				to := reflect.New(s.ModelType)
				to.Elem().Set(reflect.Indirect(reflect.ValueOf(child)))
				w.set(s.LookUpField(r.References[0].ForeignKey.DBName), to.Elem(), row.id)
				w.insert(w.carol, to.Interface())
				w.beside(w.client, row, key(r.Field), 0)
				w.beside(sees.For(w.t), row, key(r.Field), 1)
				if err := w.gdb.Unscoped().Where("1 = 1").Delete(reflect.New(s.ModelType).Interface()).Error; err != nil {
					w.t.Fatal(err)
				}
				w.clear()
			})
		}
	}
}

// beside counts what an answer holds under the key, in show and in list.
func (w *world) beside(client *Client, row stored, name string, want int) {
	w.t.Helper()
	var answers []map[string]any
	if w.serves("show") {
		answers = append(answers, client.Get(w.at(row.id)).Expect(http.StatusOK).JSON())
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

// relationKey is the key of the rows that a field refers to.
func (w *world) relationKey(f Field) string {
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

// probe is a module without guards, as its author may forget them: it counts
// the rows that it finds for the caller, and those that it could delete.
func (w *world) probe() web.Module {
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
	return web.Module{Name: "probe", Routes: []web.Route{web.Get(probed, count), web.Delete(probed, remove)}}
}

const probed = "/probe-of-rows"

// probes asks a handler that has no guards for all rows.
func (w *world) probes() {
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
	// who counts the rows that only those of a level may have.
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
		w.each(user.name, func(w *world) {
			less := public
			if !user.signedIn {
				less = 0 // public rows are for all users, not for everybody
			}
			readable := who(w.Read, user.signedIn, user.admin, less)
			writable := min(readable, who(w.Write, user.signedIn, user.admin, 0))
			for method, want := range map[string]int{http.MethodGet: readable, http.MethodDelete: writable} {
				var n int
				user.client.For(w.t).Send(method, probed, nil).Expect(http.StatusOK).Into(&n)
				if n != want {
					w.t.Errorf("%s reaches %d rows, not %d", method, n, want)
				}
			}
		})
	}
}
