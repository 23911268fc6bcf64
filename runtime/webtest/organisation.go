package webtest

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

// organisationID is the column of the organisation that a row belongs to.
const organisationID = "organisation_id"

// setOrganisation sets the organisation of a row, if its table has one.
func (w *fixture) setOrganisation(s *schema.Schema, row reflect.Value, organisation int64) {
	w.t.Helper()
	if f := s.LookUpField(organisationID); f != nil && organisation != 0 {
		w.set(f, row, organisation)
	}
}

// organisations tries every route from another organisation to the rows: as a member
// of only that organisation, and as an owner of both.
func (w *fixture) organisations() {
	rows := w.store(3)
	second := *w
	second.Path = strings.Replace(w.Path, fmt.Sprint("/", w.Organisation.ID, "/"), fmt.Sprint("/", w.Organisation.Other, "/"), 1)
	if second.Path == w.Path {
		w.t.Fatalf("the path %s names no organisation %d", w.Path, w.Organisation.ID)
	}
	oscar, both := w.as(w.Organisation.Outsider, "user"), w.as(w.Organisation.Both, "user")
	for _, route := range w.allRoutes() {
		w.each(route.Method+" "+route.Path, func(w *fixture) {
			w.unreachable("a user who is not a member", oscar, route, w.pathFor(route.Path, rows[0].id))
			w.unreachable("a member of another organisation", w.client, route, second.pathFor(route.Path, rows[0].id))
		})
	}
	for _, route := range w.rowRoutes() {
		w.each("the other's "+route.Method+" "+route.Path, func(w *fixture) {
			w.unreachable("the other organisation", oscar, route, second.pathFor(route.Path, rows[0].id))
			w.unreachable("an owner of both, in the other,", both, route, second.pathFor(route.Path, rows[0].id))
		})
	}
	for _, user := range []struct {
		name   string
		client *Client
	}{{"the other organisation", oscar}, {"an owner of both, in the other", both}} {
		if w.serves("list") {
			second.each(user.name, func(w *fixture) { w.empty(user.client) })
		}
	}
	w.crossReferences(&second, oscar, both)
	if n := w.count(); n != 3 {
		w.t.Errorf("%d rows are stored, not 3", n)
	}
	if w.Write == "admin" {
		w.members(rows[0])
	}
}

// unreachable reports an error unless the client gets 404 for the path.
func (w *fixture) unreachable(who string, client *Client, route web.Route, path string) {
	w.t.Helper()
	if who, own := w.access(route); own && who == "all" {
		return
	}
	_, rest, _ := w.splitPath(route.Path)
	own := strings.Contains(rest, "/") // it may require a body
	if a := w.send(client, route, path); a.Status != http.StatusNotFound && !(own && a.Status == refused) {
		w.t.Errorf("%s is answered %d by %s %s, not 404: %s", who, a.Status, route.Method, path, a.body)
	}
}

// empty reports an error for every list that shows the client a row.
func (w *fixture) empty(client *Client) {
	w.t.Helper()
	if p := w.list(client.For(w.t), "limit=100"); p.Total != 0 || len(p.Items) != 0 {
		w.t.Errorf("a list tells of %v", p.Items)
	}
	for _, name := range append(w.sortable(), "created_at") {
		for _, order := range []string{"asc", "desc"} {
			if ids := w.walk(client.For(w.t), "sort="+name+"&order="+order); len(ids) != 0 {
				w.t.Errorf("by cursor, sorted by %s, come %v", name, ids)
			}
		}
	}
	w.finds(client, nil)
}

// crossReferences refers from one organisation to rows of the other directly in the database,
// bypassing the handlers, and checks that unique values of one are free in the other.
func (w *fixture) crossReferences(second *fixture, oscar, both *Client) {
	body := w.body(0)
	sendable := w.serves("create")
	for _, f := range w.Fields {
		if _, sent := body[f.Name]; !sent || w.target(f) == nil && !f.Upload {
			continue
		}
		if !w.inOrganisation(f) {
			if target := w.target(f); target != nil {
				if _, ruled := reflect.New(target.ModelType).Interface().(db.Readable); !ruled {
					continue // anyone may refer to it
				}
			}
			delete(body, f.Name)
			sendable = sendable && (f.Optional || f.Many != "")
			continue
		}
		ids := w.foreignTo(f)
		if len(ids) == 0 {
			sendable = false
			continue
		}
		if body[f.Name] = ids[0]; f.Many != "" {
			body[f.Name] = []any{ids[0]}
		}
		w.each("the database keeps "+f.Name+" within", func(w *fixture) {
			_, err := w.insertOne(w.Organisation.ID, func(other Field) any {
				if other.Name == f.Name {
					return body[f.Name]
				}
				return at(0)(other)
			})
			if err == nil {
				w.t.Errorf("the database takes %s of another organisation", f.Name)
			}
		})
	}
	if !sendable {
		return
	}
	id := oscar.Post(second.Path, body).Expect(created).JSON()["id"]
	if w.serves("show") {
		oscar.Get(second.pathOf(id)).Expect(http.StatusOK)
		both.Get(second.pathOf(id)).Expect(http.StatusOK)
		both.Get(w.pathOf(id)).Expect(http.StatusNotFound)
		w.client.Get(w.pathOf(id)).Expect(http.StatusNotFound)
	}
	if w.serves("list") {
		for _, client := range []*Client{w.client, both} {
			if p := w.list(client, ""); p.Total != 3 {
				w.t.Errorf("a list shows %d rows of two organisations, not 3", p.Total)
			}
		}
		if p := second.list(both, ""); p.Total != 1 {
			w.t.Errorf("an owner of both sees %d rows of the other, not 1", p.Total)
		}
	}
	if err := w.gdb.Unscoped().Where("id = ?", id).Delete(reflect.New(w.schema.ModelType).Interface()).Error; err != nil {
		w.t.Fatal(err)
	}
}

// inOrganisation reports whether a field refers to rows that belong to an organisation.
func (w *fixture) inOrganisation(f Field) bool {
	target := w.target(f)
	return target != nil && target.LookUpField(organisationID) != nil
}

// members checks that only admins of the organisation can change its rows.
func (w *fixture) members(row stored) {
	mary := w.as("mary", "user")
	for _, route := range w.allRoutes() {
		want := http.StatusForbidden
		if who, own := w.access(route); own && who != "admin" || !own && isRead(route) {
			want = route.Success
		}
		w.each("a member "+route.Method+" "+route.Path, func(w *fixture) {
			if a := w.send(mary, route, w.pathFor(route.Path, row.id)); a.Status != want {
				w.t.Errorf("it is answered %d, not %d: %s", a.Status, want, a.body)
			}
		})
	}
}
