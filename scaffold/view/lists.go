package view

import "github.com/nexios-go/nexios/scaffold/spec"

// List is the index of lists that are filtered by one field and ordered by creation.
type List struct {
	Name   string
	Fields []string // as nexios add index accepts them
}

// Lists returns the list indexes that the migration of a new resource creates; tables
// created by an older version of nexios may lack them.
func Lists(p spec.Project, r spec.Resource) ([]List, error) {
	w, err := past(p, r)
	if err != nil || r.Existing != nil {
		return nil, err
	}
	h := &history{w: w}
	var all []List
	add := func(field, column string) {
		all = append(all, List{h.listIndex(column), []string{field, "created_at"}})
	}
	if r.Owner {
		add("user_id", "user_id")
	}
	for _, f := range w.columns() {
		if h.byCreation(f) {
			add(f.Name, f.Column())
		}
	}
	return all, nil
}
