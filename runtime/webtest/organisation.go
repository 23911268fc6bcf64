package webtest

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm/schema"
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

// organisations tries every way from another organisation to the rows, and what
// members who are no admins may do.
func (w *world) organisations() {
	row := w.store(1)[0]
	oscar := w.as(w.Organisation.Outsider, "user")
	theirs := strings.Replace(w.Path, fmt.Sprint("/", w.Organisation.ID, "/"), fmt.Sprint("/", w.Organisation.Other, "/"), 1)
	if theirs == w.Path {
		w.t.Fatalf("the path %s names no organisation %d", w.Path, w.Organisation.ID)
	}
	for _, base := range []string{w.Path, theirs} {
		at := fmt.Sprintf("%s/%v", base, row.id)
		w.each("the row at "+at, func(w *world) {
			oscar := oscar.For(w.t)
			if w.serves("show") {
				oscar.Get(at).Expect(http.StatusNotFound)
			}
			if w.serves("update") {
				oscar.Put(at, map[string]any{}).Expect(http.StatusNotFound)
				oscar.Patch(at, map[string]any{}).Expect(http.StatusNotFound)
			}
			if w.serves("delete") {
				oscar.Delete(at).Expect(http.StatusNotFound)
			}
			// Its members do not reach it by another organisation either.
			if w.serves("show") && base != w.Path {
				w.client.Get(at).Expect(http.StatusNotFound)
			}
		})
	}
	if w.serves("list") {
		oscar.Get(w.Path).Expect(http.StatusNotFound)
		for _, query := range w.reaching() {
			var p page
			if oscar.Get(theirs + "?" + query).Expect(http.StatusOK).Into(&p); len(p.Items) > 0 {
				w.t.Errorf("?%s tells another organisation of %v", query, p.Items)
			}
		}
	}
	if w.serves("create") {
		oscar.Post(w.Path, w.body(0)).Expect(http.StatusNotFound)
	}
	if w.serves("bulk") {
		oscar.Post(w.Path+"/bulk", w.bodies()).Expect(http.StatusNotFound)
	}
	w.across(oscar, theirs)
	if n := w.count(); n != 1 {
		w.t.Errorf("%d rows are stored, not 1", n)
	}
	if w.Write == "admin" {
		w.members(row)
	}
}

// reaching are queries of lists that find the first row.
func (w *world) reaching() []string {
	queries := []string{"", "cursor=", "limit=100&sort=id&order=asc"}
	for _, f := range w.Fields {
		if f.Filter && len(f.Values) > 0 {
			queries = append(queries, fmt.Sprintf("%s=%v", f.Name, f.Values[0]))
		}
	}
	return queries
}

// across refers from one organisation to rows of another: in bodies, and past
// them in the database.
func (w *world) across(oscar *Client, theirs string) {
	refers := slices.DeleteFunc(slices.Clone(w.Fields), func(f Field) bool {
		target := w.target(f)
		return target == nil || len(f.Values) == 0 || target.LookUpField(organisationID) == nil
	})
	if len(refers) == 0 {
		// Nothing ties what is sent to one organisation: what is unique in one is
		// free in another.
		if w.serves("create") && !slices.ContainsFunc(w.Fields, func(f Field) bool { return f.Upload }) {
			answer := oscar.Post(theirs, w.body(0)).Expect(created)
			id := answer.JSON()["id"]
			if w.serves("show") {
				oscar.Get(fmt.Sprintf("%s/%v", theirs, id)).Expect(http.StatusOK)
				w.client.Get(w.at(id)).Expect(http.StatusNotFound)
			}
			if w.serves("list") {
				if p := w.list(w.client, ""); p.Total != 1 {
					w.t.Errorf("a list shows %d rows of two organisations, not 1", p.Total)
				}
			}
			if err := w.gdb.Unscoped().Where("id = ?", id).Delete(reflect.New(w.schema.ModelType).Interface()).Error; err != nil {
				w.t.Fatal(err)
			}
		}
		return
	}
	for _, f := range refers {
		w.each("refers to another organisation by "+f.Name, func(w *world) {
			oscar := oscar.For(w.t)
			// Only this one: the others are left out where they can be.
			body, sendable := w.body(0), true
			for _, other := range w.Fields {
				if other.Name != f.Name && (w.target(other) != nil || other.Upload) && (other.Optional || other.Many != "") {
					delete(body, other.Name)
				} else if other.Upload {
					sendable = false // it is not theirs, and refused first
				}
			}
			if w.serves("create") && sendable {
				w.refused(oscar.Post(theirs, body), refused, f.Name, "exists")
			}
			if w.serves("bulk") && sendable {
				w.refused(oscar.Post(theirs+"/bulk", []any{body}), refused, f.Name, "exists")
			}
			if _, err := w.insertOne(w.Organisation.Other, func(field Field) any {
				if _, sent := body[field.Name]; sent {
					return field.Values[0]
				}
				return nil
			}); err == nil {
				w.t.Errorf("the database takes %s of another organisation", f.Name)
			}
			if w.serves("update") && !f.Immutable && !slices.ContainsFunc(refers, func(f Field) bool { return !f.Optional && f.Many == "" }) {
				row, err := w.insertOne(w.Organisation.Other, func(field Field) any {
					if w.target(field) != nil {
						return nil
					}
					return field.Values[0]
				})
				if err != nil {
					w.t.Fatal(err)
				}
				w.refused(oscar.Patch(fmt.Sprintf("%s/%v", theirs, row.id), map[string]any{f.Name: f.Values[0]}), refused, f.Name, "exists")
				if err := w.gdb.Unscoped().Delete(row.row).Error; err != nil {
					w.t.Fatal(err)
				}
			}
		})
	}
}

// members sees that only admins of the organisation change its rows.
func (w *world) members(row stored) {
	mary := w.as("mary", "user")
	if w.serves("list") {
		mary.Get(w.Path).Expect(http.StatusOK)
	}
	if w.serves("show") {
		mary.Get(w.at(row.id)).Expect(http.StatusOK)
	}
	if w.serves("create") {
		mary.Post(w.Path, w.body(0)).Expect(http.StatusForbidden)
	}
	if w.serves("bulk") {
		mary.Post(w.Path+"/bulk", w.bodies()).Expect(http.StatusForbidden)
	}
	if w.serves("update") {
		mary.Patch(w.at(row.id), map[string]any{}).Expect(http.StatusForbidden)
	}
	if w.serves("delete") {
		mary.Delete(w.at(row.id)).Expect(http.StatusForbidden)
	}
}
