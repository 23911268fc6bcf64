package webtest

import (
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

func (w *fixture) shows() {
	for _, row := range w.store(3) {
		got := w.client.Get(w.pathOf(row.id)).Expect(http.StatusOK).JSON()
		if fmt.Sprint(w.keyOf(got)) != fmt.Sprint(row.id) {
			w.t.Errorf("%v came for %v", w.keyOf(got), row.id)
		}
		w.checkLoads(got)
		w.checkSecrets(got)
		for _, name := range w.Lists {
			if _, ok := got[name].([]any); !ok {
				w.t.Errorf("%s is %v, not a list", name, got[name])
			}
		}
	}
}

func (w *fixture) missing() {
	for _, id := range missingKeys(w.schema) {
		w.each(fmt.Sprint(id), func(w *fixture) {
			if w.serves("show") {
				w.client.Get(w.pathOf(id)).Expect(http.StatusNotFound)
			}
			if w.serves("update") {
				w.client.Put(w.pathOf(id), map[string]any{}).Expect(http.StatusNotFound)
				w.client.Patch(w.pathOf(id), map[string]any{}).Expect(http.StatusNotFound)
			}
			if w.serves("delete") {
				w.client.Delete(w.pathOf(id)).Expect(http.StatusNotFound)
			}
		})
	}
}

func (w *fixture) pages() {
	if items := w.list(w.client, "").Items; items == nil || len(items) != 0 {
		w.t.Errorf("an empty list has the items %v", items)
	}
	w.store(3)
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
		w.each("?"+tc.query, func(w *fixture) {
			p := w.list(w.client, tc.query)
			if len(p.Items) != tc.items || p.Total != 3 || p.HasNext != tc.next || p.HasPrev != tc.prev {
				w.t.Errorf("it answers %+v", p)
			}
			for _, item := range p.Items {
				w.checkLoads(item)
				w.checkSecrets(item)
				if w.keyOf(item) == nil {
					w.t.Errorf("an item without a key: %v", item)
				}
			}
		})
	}
}

// sortable returns the names that the list can sort by.
func (w *fixture) sortable() []string {
	var names []string
	if id := w.givenKey(); id != "" {
		names = append(names, id)
	}
	for _, f := range w.Fields {
		if f.Sort {
			names = append(names, f.Name)
		}
	}
	return names
}

// walk reads a list by cursor, one row at a time.
func (w *fixture) walk(client *Client, query string) (ids []string) {
	w.t.Helper()
	for p := w.list(client, query+"&limit=1&cursor="); len(p.Items) > 0; p = w.list(client, query+"&limit=1&cursor="+url.QueryEscape(p.NextCursor)) {
		id := fmt.Sprint(w.keyOf(p.Items[0]))
		if len(p.Items) != 1 || slices.Contains(ids, id) {
			w.t.Fatalf("?%s: after %v comes %+v", query, ids, p)
		}
		if ids = append(ids, id); !p.HasNext {
			break
		}
	}
	return ids
}

func (w *fixture) cursors() {
	w.store(3)
	for _, name := range w.sortable() {
		w.each(name, func(w *fixture) {
			if ids := w.walk(w.client, "sort="+name); len(ids) != 3 {
				w.t.Errorf("%v came, not 3 rows", ids)
			}
		})
	}
}

func (w *fixture) sorts() {
	rows := w.store(3)
	names := w.sortable()
	if made := w.createdColumn(); made != "" {
		names = append(names, made)
	}
	for _, name := range names {
		order := []int{0, 1, 2}
		if i := slices.IndexFunc(w.Fields, func(f Field) bool { return f.Name == name }); i >= 0 {
			slices.SortStableFunc(order, func(a, b int) int { return compare(w.Fields[i].Values[a], w.Fields[i].Values[b]) })
		}
		for _, word := range []string{"sort", "sort_by"} {
			w.each(word+" "+name, func(w *fixture) {
				up := w.list(w.client, word+"="+name+"&order=asc").Items
				down := w.list(w.client, word+"="+name).Items
				for i, row := range order {
					id := fmt.Sprint(rows[row].id)
					if fmt.Sprint(w.keyOf(up[i])) != id || fmt.Sprint(w.keyOf(down[2-i])) != id {
						w.t.Errorf("row %v is not at %d: %v and %v", id, i, up, down)
					}
				}
			})
		}
	}
}

// compare compares two values of a field as numbers, durations or text.
func compare(a, b any) int {
	x, y := fmt.Sprint(a), fmt.Sprint(b)
	p, isNumber := new(big.Rat).SetString(x)
	q, both := new(big.Rat).SetString(y)
	if isNumber && both {
		return p.Cmp(q)
	}
	d, err := time.ParseDuration(x)
	e, err2 := time.ParseDuration(y)
	if err == nil && err2 == nil {
		return int(max(-1, min(1, d-e)))
	}
	return strings.Compare(x, y)
}

func (w *fixture) filters() {
	w.store(3)
	w.finds(w.client, []values{at(0), at(1), at(2)})
	for _, f := range w.Fields {
		if !f.Search {
			continue
		}
		w.each("search in "+f.Name, func(w *fixture) {
			// Only this field distinguishes the row from others.
			row := func(other Field) any {
				if other.Name == f.Name {
					return f.Values[2]
				}
				return other.Values[1]
			}
			w.clear()
			w.storeOne(row)
			w.found(w.client, "search", fmt.Sprint(f.Values[2]), 1)
		})
	}
}

// finds tries every filter and search of the list; rows are those visible to the
// client.
func (w *fixture) finds(client *Client, rows []values) {
	w.t.Helper()
	find := func(query string, value any, is func(values) bool) {
		w.each(query+"="+fmt.Sprint(value), func(w *fixture) {
			want := 0
			for _, row := range rows {
				if is(row) {
					want++
				}
			}
			w.found(client.For(w.t), query, fmt.Sprint(value), want)
		})
	}
	for _, f := range w.Fields {
		if len(f.Values) == 0 || !f.Filter && !f.Range {
			continue
		}
		find(f.Name, f.Values[0], func(row values) bool { return compare(row(f), f.Values[0]) == 0 })
		if text, ok := f.Values[0].(string); ok && f.NoCase {
			find(f.Name, strings.ToUpper(text), func(row values) bool { return row(f) == text })
		}
		if f.Range {
			find(f.Name+"_min", f.Values[1], func(row values) bool { return compare(row(f), f.Values[1]) >= 0 })
			find(f.Name+"_max", f.Values[1], func(row values) bool { return compare(row(f), f.Values[1]) <= 0 })
		}
	}
	for _, term := range w.terms() {
		find("search", term, func(row values) bool {
			return slices.ContainsFunc(w.Fields, func(f Field) bool {
				return f.Search && strings.Contains(strings.ToLower(fmt.Sprint(row(f))), strings.ToLower(term))
			})
		})
	}
}

// found reports an error unless the list finds want rows.
func (w *fixture) found(client *Client, query, value string, want int) {
	w.t.Helper()
	p := w.list(client, query+"="+url.QueryEscape(value))
	if p.Total != want || len(p.Items) != want {
		w.t.Errorf("?%s=%s finds %d rows, not %d", query, value, p.Total, want)
	}
}

// terms returns search terms, or nil if the list has no search.
func (w *fixture) terms() []string {
	i := slices.IndexFunc(w.Fields, func(f Field) bool { return f.Search })
	if i < 0 {
		return nil
	}
	first := fmt.Sprint(w.Fields[i].Values[0])
	return []string{strings.ToUpper(first[:min(len(first), 5)]), "no such thing", "%", "_", ""}
}

func (w *fixture) queries() {
	bad := []string{"page=0", "page=x", "limit=0", "limit=101", "order=up", "sort=nothing", "sort=id;drop", "cursor=!"}
	for _, f := range w.Fields {
		if !f.Filter && !f.Range {
			continue
		}
		for _, rule := range []string{"type", "oneof"} {
			for _, value := range w.invalidValues(f)[rule] {
				if text, ok := value.(string); ok {
					bad = append(bad, f.Name+"="+url.QueryEscape(text))
				}
			}
		}
	}
	if w.terms() != nil {
		bad = append(bad, "search="+strings.Repeat("a", 101))
	}
	for _, query := range bad {
		w.each("?"+query[:min(len(query), 40)], func(w *fixture) { w.client.Get(w.Path + "?" + query).Expect(refused) })
	}
}
