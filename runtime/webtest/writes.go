package webtest

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

const (
	created = http.StatusCreated
	refused = http.StatusUnprocessableEntity
	taken   = http.StatusConflict
)

func (w *fixture) creates() {
	forged, id, made := missingKeys(w.schema)[0], w.givenKey(), w.createdColumn()
	for _, body := range w.bodies() {
		for name, value := range map[string]any{id: forged, made: "2001-01-01T00:00:00Z"} {
			if name != "" {
				body[name] = value
			}
		}
		if w.Owner != "" {
			body[w.Owner] = w.carol
		}
		for _, f := range w.Fields {
			if f.ReadOnly {
				body[f.Name] = other(f)
			}
		}
		if w.Organisation != nil {
			body[organisationID] = w.Organisation.Other
		}
		answer := w.client.Post(w.Path, body).Expect(created)
		got := answer.JSON()
		w.expectEqual(got, body, w.echoed()...)
		w.checkSecrets(got)
		if id != "" && fmt.Sprint(got[id]) == fmt.Sprint(forged) || made != "" && got[made] == body[made] {
			w.t.Errorf("the client set what is not theirs to set: %v", got)
		}
		if w.Owner != "" {
			w.expectEqual(got, map[string]any{w.Owner: w.ann}, w.Owner)
		}
		w.checkReadOnly(got)
		if w.Organisation != nil {
			w.expectEqual(got, map[string]any{organisationID: w.Organisation.ID}, organisationID)
		}
		if want := w.pathOf(w.keyOf(got)); answer.Header("Location") != want {
			w.t.Errorf("Location is %q, not %q", answer.Header("Location"), want)
		}
		if w.serves("show") {
			again := w.client.Get(w.pathOf(w.keyOf(got))).Expect(http.StatusOK).JSON()
			fields := w.echoed()
			if id != "" {
				fields = append(fields, id)
			}
			for _, f := range w.Fields {
				if f.Many != "" && len(f.Values) > 0 {
					fields = append(fields, f.Many)
				}
			}
			w.expectEqual(again, got, fields...)
		}
	}
	for _, f := range w.Fields {
		if f.Default == nil {
			continue
		}
		w.clear()
		body := w.body(0)
		delete(body, f.Name)
		w.expectEqual(w.client.Post(w.Path, body).Expect(created).JSON(), map[string]any{f.Name: f.Default}, f.Name)
	}
}

// other returns a value of the field that differs from its default.
func other(f Field) any {
	for _, value := range f.Values {
		if compare(value, f.Default) != 0 {
			return value
		}
	}
	return nil
}

// checkReadOnly reports every read-only field that a body could set.
func (w *fixture) checkReadOnly(got map[string]any) {
	w.t.Helper()
	for _, f := range w.Fields {
		if f.ReadOnly && !f.Auto {
			w.expectEqual(got, map[string]any{f.Name: f.Default}, f.Name)
		}
	}
}

func (w *fixture) malformed() {
	for _, tc := range []struct {
		name, body string
		status     int
	}{
		{"no body", "", http.StatusBadRequest},
		{"half a body", "{", http.StatusBadRequest},
		{"two bodies", "{} {}", http.StatusBadRequest},
		{"a list", "[]", refused},
		{"null", "null", refused},
	} {
		w.each(tc.name, func(w *fixture) { w.client.Post(w.Path, tc.body).Expect(tc.status) })
	}
	w.each("plain text", func(w *fixture) {
		w.client.With("Content-Type", "text/plain").Post(w.Path, "{}").Expect(http.StatusUnsupportedMediaType)
	})
}

// invalidValues returns values that the field of a new row rejects, by rule.
func (w *fixture) invalidValues(f Field) Breaks {
	all := Breaks{}
	maps.Copy(all, f.Breaks)
	if target := w.target(f); target != nil && f.Many == "" {
		all["type"] = []any{"many"}
		if target.PrioritizedPrimaryField.IndirectFieldType.Kind() == reflect.String {
			all["type"] = []any{1}
		}
		if missingKeys(target)[0] == 31999 {
			all["min"] = []any{-1}
		}
	}
	if f.ReadOnly {
		return nil
	}
	if !f.Optional && f.Default == nil && !f.Auto && f.Many == "" {
		all["required"] = append(slices.Clip(all["required"]), nil)
	}
	return all
}

func (w *fixture) breaks() {
	var row []stored
	if w.serves("update") {
		row = w.store(1)
	}
	for _, f := range w.Fields {
		broken := w.invalidValues(f)
		for _, rule := range slices.Sorted(maps.Keys(broken)) {
			w.each(f.Name+" "+rule, func(w *fixture) {
				for _, value := range broken[rule] {
					if w.serves("create") {
						w.expectError(w.client.Post(w.Path, with(w.body(0), f.Name, value)), refused, f.Name, rule)
					}
					// Changes may omit required fields.
					if w.serves("update") && !f.Immutable && rule != "required" {
						w.expectError(w.client.Patch(w.pathOf(row[0].id), map[string]any{f.Name: value}), refused, f.Name, rule)
					}
				}
			})
		}
	}
}

func (w *fixture) valid() {
	for _, f := range w.Fields {
		if len(f.Valid) == 0 {
			continue
		}
		w.each(f.Name, func(w *fixture) {
			for _, value := range f.Valid {
				if w.serves("create") {
					if a := w.client.Post(w.Path, with(w.body(0), f.Name, value)); a.Status != created {
						w.t.Errorf("%.60v is refused: %s", value, a.Body())
					}
					w.clear()
				}
				if w.serves("update") && !f.Immutable {
					got := w.client.Patch(w.pathOf(w.store(1)[0].id), map[string]any{f.Name: value}).Expect(http.StatusOK).JSON()
					if !f.Secret {
						w.expectEqual(got, map[string]any{f.Name: value}, f.Name)
					}
					w.clear()
				}
			}
		})
	}
}

func (w *fixture) taken() {
	for _, f := range w.Fields {
		if !f.taken() {
			continue
		}
		w.each(f.Name, func(w *fixture) {
			defer w.clear()
			values := []any{f.Values[0]}
			if text, ok := values[0].(string); ok && f.NoCase {
				values = append(values, strings.ToUpper(text))
			}
			w.store(1)
			for _, value := range values {
				body := with(w.body(1), f.Name, value)
				if w.serves("create") {
					w.expectError(w.client.Post(w.Path, body), taken, f.Name, "unique")
				}
				if w.serves("bulk") {
					w.client.Post(w.Path+"/bulk", []any{body}).Expect(taken)
				}
			}
			if n := w.count(); n != 1 {
				w.t.Errorf("%d rows are stored after a conflict, not 1", n)
			}
			if w.serves("update") && !f.Immutable {
				w.clear()
				rows := w.store(2)
				w.client.Patch(w.pathOf(rows[0].id), map[string]any{f.Name: values[0]}).Expect(http.StatusOK)
				for _, value := range values {
					w.expectError(w.client.Patch(w.pathOf(rows[1].id), map[string]any{f.Name: value}), taken, f.Name, "unique")
				}
			}
		})
	}
}

// absent refers to rows that never existed.
func (w *fixture) absent() {
	for _, f := range w.Fields {
		for _, name := range f.Breaks["exists"] {
			w.each(f.Name, func(w *fixture) { w.expectNoReference(f, name) })
		}
		if target := w.target(f); target != nil {
			key := f.Absent
			if key == nil {
				key = missingKeys(target)[0]
			}
			w.each(f.Name, func(w *fixture) { w.expectNoReference(f, key) })
		}
	}
}

// deleted refers to soft-deleted rows.
func (w *fixture) deleted() {
	for _, f := range w.Fields {
		target := w.target(f)
		if target == nil || target.LookUpField("deleted_at") == nil || len(f.Values) == 0 {
			continue
		}
		w.each(f.Name, func(w *fixture) {
			id := f.Values[1]
			if f.Many != "" {
				id = id.([]any)[0]
			}
			row := reflect.New(target.ModelType).Interface()
			if err := w.gdb.Where(target.PrioritizedPrimaryField.DBName+" = ?", id).Delete(row).Error; err != nil {
				w.t.Fatal(err)
			}
			w.expectNoReference(f, id)
		})
	}
}

// foreign refers to rows of another user.
func (w *fixture) foreign() {
	for _, f := range w.Fields {
		for _, id := range w.foreignTo(f) {
			w.each(f.Name, func(w *fixture) { w.expectNoReference(f, id) })
		}
	}
}

// foreignTo returns the keys of Others that the field could refer to.
func (w *fixture) foreignTo(f Field) (ids []any) {
	table := "files"
	if target := w.target(f); target != nil {
		table = target.Table
	} else if !f.Upload {
		return nil
	}
	for _, row := range w.Others {
		if s := w.parse(row); s.Table == table {
			id, _ := s.PrioritizedPrimaryField.ValueOf(w.t.Context(), reflect.Indirect(reflect.ValueOf(row)))
			ids = append(ids, id)
		}
	}
	return ids
}

// expectNoReference tries every way to refer to a row that the caller must not refer to. A
// row that the caller cannot read is treated as missing, wherever it is referred to.
func (w *fixture) expectNoReference(f Field, id any) {
	w.t.Helper()
	if f.ReadOnly {
		return
	}
	value := id
	if f.Many != "" {
		value = []any{id}
	}
	if w.serves("create") {
		w.expectError(w.client.Post(w.Path, with(w.body(0), f.Name, value)), refused, f.Name, "exists")
		if other, rule, broken := w.another(f); !f.Upload && rule != "" {
			answer := w.client.Post(w.Path, with(with(w.body(0), f.Name, value), other, broken))
			w.expectError(answer, refused, other, rule)
			w.expectError(answer, refused, f.Name, "exists")
		}
	}
	if w.serves("bulk") {
		bodies := w.bodies()[:2]
		bodies[1][f.Name] = value
		w.expectError(w.client.Post(w.Path+"/bulk", bodies), refused, f.Name, "exists", 1)
	}
	if n := w.count(); n != 0 {
		w.t.Errorf("%d rows are stored of what was refused", n)
	}
	if w.serves("update") && !f.Immutable {
		row := w.storeOne(at(0))
		w.expectError(w.client.Patch(w.pathOf(row.id), map[string]any{f.Name: value}), refused, f.Name, "exists")
	}
	w.clear()
}

// another returns another field than f, with a value that breaks one of its rules.
func (w *fixture) another(f Field) (field, rule string, value any) {
	for _, other := range w.Fields {
		broken := w.invalidValues(other)
		for _, rule := range slices.Sorted(maps.Keys(broken)) {
			if other.Name != f.Name && rule != "exists" && len(broken[rule]) > 0 {
				return other.Name, rule, broken[rule][0]
			}
		}
	}
	return "", "", nil
}

func (w *fixture) bulk() {
	all := w.Path + "/bulk"
	for _, f := range w.Fields {
		if values := w.invalidValues(f)["type"]; len(values) > 0 {
			spoiled := w.bodies()
			spoiled[1][f.Name] = values[0]
			answer := w.client.Post(all, spoiled).Expect(refused)
			if details := answer.Details(); len(details) != 1 || details[0].Index == nil || *details[0].Index != 1 {
				w.t.Errorf("the %s of the second is wrong, got %s", f.Name, answer.Body())
			}
		}
	}
	w.client.Post(all, []any{}).Expect(refused)
	if n := w.count(); n != 0 {
		w.t.Errorf("%d rows are stored of what was refused", n)
	}
	for _, bodies := range []any{w.bodies(), map[string]any{"items": w.bodies()}} {
		var made struct{ Items []map[string]any }
		w.client.Post(all, bodies).Expect(created).Into(&made)
		if n := w.count(); n != 3 || len(made.Items) != 3 {
			w.t.Fatalf("%d rows are stored and %d answered, not 3", n, len(made.Items))
		}
		for i, got := range made.Items {
			w.expectEqual(got, w.body(i), w.echoed()...)
			w.checkSecrets(got)
		}
		w.clear()
	}
}

// attached checks that an upload is kept as long as a row refers to it, and can be
// sent again whoever owns it by then.
func (w *fixture) attached() {
	for _, f := range w.Fields {
		if !f.Upload || f.Immutable || len(f.Values) == 0 {
			continue
		}
		w.each(f.Name, func(w *fixture) {
			defer w.clear()
			at := w.pathOf(w.store(1)[0].id)
			w.client.Patch(at, map[string]any{f.Name: f.Values[2]}).Expect(http.StatusOK)
			if err := w.gdb.Exec("DELETE FROM files WHERE name = ?", f.Values[2]).Error; err == nil {
				w.t.Errorf("the upload was deleted")
			}
			if w.SignIn == nil {
				return
			}
			if err := w.gdb.Exec("UPDATE files SET user_id = 0").Error; err != nil {
				w.t.Fatal(err)
			}
			defer w.gdb.Exec("UPDATE files SET user_id = ?", w.ann)
			w.client.Patch(at, map[string]any{f.Name: f.Values[2]}).Expect(http.StatusOK)
		})
	}
}

func (w *fixture) updates() {
	at := w.pathOf(w.store(1)[0].id)
	want := w.client.Put(at, map[string]any{}).Expect(http.StatusOK).JSON()
	for _, f := range w.Fields {
		if f.Immutable || f.ReadOnly || f.Secret || f.Many != "" {
			continue
		}
		change := func(w *fixture, value, then any) {
			w.t.Helper()
			want[f.Name] = then
			for _, write := range []func(string, any) *Answer{w.client.Put, w.client.Patch} {
				got := write(at, map[string]any{f.Name: value}).Expect(http.StatusOK).JSON()
				w.expectEqual(got, want, append(w.echoed(), f.Name)...)
			}
		}
		w.each(f.Name, func(w *fixture) {
			for i := len(f.Values) - 1; i >= 0; i-- {
				change(w, f.Values[i], f.Values[i])
			}
			if f.Optional && f.Upload {
				change(w, "", nil)
			}
			if f.Optional && !f.list() {
				change(w, nil, nil)
			}
		})
	}
}

// list reports whether the values of the field are lists.
func (f Field) list() bool {
	if len(f.Values) > 0 {
		_, ok := f.Values[0].([]any)
		return ok
	}
	return f.Many != ""
}

func (w *fixture) keeps() {
	at := w.pathOf(w.store(1)[0].id)
	want := w.client.Put(at, map[string]any{}).Expect(http.StatusOK).JSON()
	keep := func(field string, value any) {
		w.t.Helper()
		w.expectEqual(w.client.Patch(at, map[string]any{field: value}).Expect(http.StatusOK).JSON(), want, field)
	}
	if id := w.givenKey(); id != "" {
		keep(id, missingKeys(w.schema)[0])
	}
	if made := w.createdColumn(); made != "" {
		keep(made, "2001-01-01T00:00:00Z")
	}
	if w.Owner != "" {
		keep(w.Owner, w.carol)
	}
	if w.Organisation != nil {
		keep(organisationID, w.Organisation.Other)
	}
	for _, f := range w.Fields {
		switch {
		case f.Secret || f.Many != "":
		case f.Immutable, f.ReadOnly:
			for _, value := range f.Values {
				keep(f.Name, value)
			}
		case !f.Optional:
			keep(f.Name, nil)
		}
	}
}

func (w *fixture) joins() {
	for _, f := range w.Fields {
		if f.Many == "" {
			continue
		}
		w.each(f.Name, func(w *fixture) {
			defer w.clear()
			at := w.pathOf(w.store(1)[0].id)
			ids := []any{}
			for _, value := range f.Values {
				ids = append(ids, value.([]any)...)
			}
			for _, ids := range [][]any{ids, ids[:len(ids)/2], {}, ids} {
				got := w.client.Patch(at, map[string]any{f.Name: ids}).Expect(http.StatusOK).JSON()
				if found, ok := got[f.Many].([]any); !ok || len(found) != len(ids) {
					w.t.Errorf("%s are %v, not those of %v", f.Many, got[f.Many], ids)
				}
			}
			missing := missingKeys(w.relation(f).FieldSchema)[0]
			w.client.Patch(at, map[string]any{f.Name: []any{missing}}).Expect(refused)
			w.client.Patch(at, map[string]any{f.Name: nil}).Expect(http.StatusOK)
			if !w.serves("show") {
				return
			}
			if found, _ := w.client.Get(at).Expect(http.StatusOK).JSON()[f.Many].([]any); len(found) != len(ids) {
				w.t.Errorf("%s are %v after a refused change", f.Many, found)
			}
		})
	}
}

func (w *fixture) deletes() {
	at := w.pathOf(w.store(3)[0].id)
	if body := w.client.Delete(at).Expect(http.StatusNoContent).Body(); len(body) != 0 {
		w.t.Errorf("a deletion answers %s", body)
	}
	w.client.Delete(at).Expect(http.StatusNotFound)
	if w.serves("show") {
		w.client.Get(at).Expect(http.StatusNotFound)
	}
	if w.serves("update") {
		w.client.Patch(at, map[string]any{}).Expect(http.StatusNotFound)
	}
	if n := w.count(); n != 2 {
		w.t.Errorf("%d rows are left, not 2", n)
	}
	if w.serves("create") {
		w.client.Post(w.Path, w.body(0)).Expect(created)
	}
}

// follows deletes rows that the rows refer to.
func (w *fixture) follows() {
	for _, f := range w.Fields {
		if f.OnDelete == "" {
			continue
		}
		w.each(f.Name+" "+f.OnDelete, func(w *fixture) {
			w.clear()
			row := w.store(3)[0]
			target := w.target(f)
			err := w.gdb.Unscoped().Where(target.PrioritizedPrimaryField.DBName+" = ?", f.Values[0]).
				Delete(reflect.New(target.ModelType).Interface()).Error
			n := w.count()
			if f.OnDelete == "restrict" {
				if err == nil || n != 3 {
					w.t.Errorf("what a row refers to was deleted, and %d rows are left", n)
				}
				return
			}
			if err != nil {
				w.t.Fatal(err)
			}
			left := reflect.New(w.schema.ModelType)
			for _, key := range w.schema.PrimaryFields {
				value, _ := key.ValueOf(w.t.Context(), reflect.ValueOf(row.row).Elem())
				w.set(key, left.Elem(), value)
			}
			err = w.gdb.Take(left.Interface()).Error
			if f.OnDelete == "cascade" {
				if err == nil || n != 2 {
					w.t.Errorf("the row stayed: %v", err)
				}
				return
			}
			if err != nil {
				w.t.Fatal(err)
			}
			if value, zero := w.column(f.Name).ValueOf(w.t.Context(), left.Elem()); !zero {
				w.t.Errorf("%s is %v, not null", f.Name, value)
			}
		})
	}
}

// locks changes a row without If-Match, with an outdated ETag and with the current
// one.
func (w *fixture) locks() {
	at := w.pathOf(w.store(1)[0].id)
	blind := w.client.With("If-Match", "")
	write := map[string]func(c *Client) *Answer{}
	if w.serves("update") {
		write["PATCH"] = func(c *Client) *Answer { return c.Patch(at, map[string]any{}) }
		write["PUT"] = func(c *Client) *Answer { return c.Put(at, map[string]any{}) }
	}
	if w.serves("delete") {
		write["DELETE"] = func(c *Client) *Answer { return c.Delete(at) }
	}
	for method, write := range write {
		w.each(method, func(w *fixture) {
			write(blind.For(w.t)).Expect(http.StatusPreconditionRequired)
			write(w.client.With("If-Match", `"older"`)).Expect(http.StatusPreconditionFailed)
		})
	}
	for _, method := range []string{"PATCH", "PUT", "DELETE"} {
		if write := write[method]; write != nil {
			seen := w.client.Get(at).Expect(http.StatusOK).Header("ETag")
			if answer := write(w.client.With("If-Match", seen)); answer.Status >= 300 {
				w.t.Errorf("%s of what has been seen is %d: %s", method, answer.Status, answer.Body())
			}
		}
	}
}
