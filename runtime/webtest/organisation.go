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

// organisationID is the column that says which organisation a row belongs to.
const organisationID = "organisation_id"

// belong puts a row into an organisation, if its table has rows that belong to
// some.
func (w *world) belong(s *schema.Schema, row reflect.Value, organisation int64) {
	w.t.Helper()
	if f := s.LookUpField(organisationID); f != nil && organisation != 0 {
		w.set(f, row, organisation)
	}
}

// organisations tries every way from another organisation to the rows: as
// somebody who is a member of that alone, and as an owner of both.
func (w *world) organisations() {
	rows := w.store(3)
	there := *w
	there.Path = strings.Replace(w.Path, fmt.Sprint("/", w.Organisation.ID, "/"), fmt.Sprint("/", w.Organisation.Other, "/"), 1)
	if there.Path == w.Path {
		w.t.Fatalf("the path %s names no organisation %d", w.Path, w.Organisation.ID)
	}
	oscar, both := w.as(w.Organisation.Outsider, "user"), w.as(w.Organisation.Both, "user")
	for _, route := range w.all() {
		w.each(route.Method+" "+route.Path, func(w *world) {
			w.unreachable("a user who is not a member", oscar, route, w.concrete(route.Path, rows[0].id))
			w.unreachable("a member of another organisation", w.client, route, there.concrete(route.Path, rows[0].id))
		})
	}
	for _, route := range w.below() {
		w.each("the other's "+route.Method+" "+route.Path, func(w *world) {
			w.unreachable("the other organisation", oscar, route, there.concrete(route.Path, rows[0].id))
			w.unreachable("an owner of both, in the other,", both, route, there.concrete(route.Path, rows[0].id))
		})
	}
	for _, user := range []struct {
		name   string
		client *Client
	}{{"the other organisation", oscar}, {"an owner of both, in the other", both}} {
		if w.serves("list") {
			there.each(user.name, func(w *world) { w.empty(user.client) })
		}
	}
	w.across(&there, oscar, both)
	if n := w.count(); n != 3 {
		w.t.Errorf("%d rows are stored, not 3", n)
	}
	if w.Write == "admin" {
		w.members(rows[0])
	}
}

// unreachable fails unless the path is of nothing, for the client.
func (w *world) unreachable(who string, client *Client, route web.Route, path string) {
	w.t.Helper()
	if who, own := w.said(route); own && who == "all" {
		return
	}
	_, rest, _ := w.cut(route.Path)
	own := strings.Contains(rest, "/") // it may want a body
	if a := w.send(client, route, path); a.Status != http.StatusNotFound && !(own && a.Status == refused) {
		w.t.Errorf("%s is answered %d by %s %s, not 404: %s", who, a.Status, route.Method, path, a.body)
	}
}

// empty fails for every list that shows the client a row.
func (w *world) empty(client *Client) {
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

// across refers from one organisation to rows of the other past every handler,
// in the database; and sees that what is unique in one is free in the other.
func (w *world) across(there *world, oscar, both *Client) {
	body := w.body(0)
	sendable := w.serves("create")
	for _, f := range w.Fields {
		if _, sent := body[f.Name]; !sent || w.target(f) == nil && !f.Upload {
			continue
		}
		if !w.within(f) {
			if target := w.target(f); target != nil {
				if _, ruled := reflect.New(target.ModelType).Interface().(db.Readable); !ruled {
					continue // everybody may refer to it
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
		w.each("the database keeps "+f.Name+" within", func(w *world) {
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
	id := oscar.Post(there.Path, body).Expect(created).JSON()["id"]
	if w.serves("show") {
		oscar.Get(there.at(id)).Expect(http.StatusOK)
		both.Get(there.at(id)).Expect(http.StatusOK)
		both.Get(w.at(id)).Expect(http.StatusNotFound)
		w.client.Get(w.at(id)).Expect(http.StatusNotFound)
	}
	if w.serves("list") {
		for _, client := range []*Client{w.client, both} {
			if p := w.list(client, ""); p.Total != 3 {
				w.t.Errorf("a list shows %d rows of two organisations, not 3", p.Total)
			}
		}
		if p := there.list(both, ""); p.Total != 1 {
			w.t.Errorf("an owner of both sees %d rows of the other, not 1", p.Total)
		}
	}
	if err := w.gdb.Unscoped().Where("id = ?", id).Delete(reflect.New(w.schema.ModelType).Interface()).Error; err != nil {
		w.t.Fatal(err)
	}
}

// within reports whether a field refers to rows that belong to an organisation.
func (w *world) within(f Field) bool {
	target := w.target(f)
	return target != nil && target.LookUpField(organisationID) != nil
}

// members sees that only admins of the organisation change its rows.
func (w *world) members(row stored) {
	mary := w.as("mary", "user")
	for _, route := range w.all() {
		want := http.StatusForbidden
		if who, own := w.said(route); own && who != "admin" || !own && reads(route) {
			want = route.Success
		}
		w.each("a member "+route.Method+" "+route.Path, func(w *world) {
			if a := w.send(mary, route, w.concrete(route.Path, row.id)); a.Status != want {
				w.t.Errorf("it is answered %d, not %d: %s", a.Status, want, a.body)
			}
		})
	}
}
