package view

import "github.com/nexios-go/nexios/scaffold/spec"

// List is the index of lists that are filtered by one field, in the order of
// their creation.
type List struct {
	Name   string
	Fields []string // as nexios add index takes them
}

// Lists are the indexes of lists that the migration of a new resource makes,
// which a table that an older version made may lack.
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
