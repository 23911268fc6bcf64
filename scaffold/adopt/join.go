package adopt

import (
	"maps"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// join is a table that contains only pairs of rows: it becomes a field of one of the two
// tables, with many rows of the other.
type join struct {
	spec.Join
	other string // the target table of the field
}

// pair finds the pure join tables between served tables, and returns their names.
func (a *adoption) pair() map[string]bool {
	a.joins = map[string][]join{}
	paired := map[string]bool{}
	for _, t := range a.all {
		mine, j, ok := a.join(t)
		if !ok {
			continue
		}
		a.joins[mine] = append(a.joins[mine], j)
		if a.lines[t.Name] != nil {
			paired[t.Name] = true
			*a.lines[t.Name] = Line{Table: t.Name}
		}
	}
	return paired
}

// join returns the join of a table, and the table that gets the field: the one that is
// first in its key.
func (a *adoption) join(t Table) (mine string, j join, ok bool) {
	if len(t.Columns) != 2 || len(t.Key) != 2 || len(t.Refs) != 2 || t.View || t.Name != strings.ToLower(t.Name) ||
		a.options.Rename[t.Name] != "" || a.alone[t.Name] {
		return "", j, false
	}
	if _, served := a.before[t.Name]; served {
		return "", j, false
	}
	tables := map[string]string{}
	for _, ref := range t.Refs {
		at := slices.IndexFunc(a.all, func(o Table) bool { return o.Name == ref.Table })
		if at < 0 || len(ref.Columns) != 1 || !slices.Equal(ref.Targets, a.all[at].Key) || !view.Guessable(ref.Columns[0]) || !a.serves(ref.Table) {
			return "", j, false
		}
		tables[ref.Columns[0]] = ref.Table
	}
	if mine = tables[t.Key[0]]; len(tables) < 2 || a.lines[mine] == nil {
		return "", j, false
	}
	j = join{spec.Join{Table: t.Name, Mine: t.Key[0], Other: t.Key[1]}, tables[t.Key[1]]}
	_, was := a.joined(t.Name)
	return mine, j, was || a.lines[t.Name] != nil
}

// serves reports whether a table has a resource, or gets one.
func (a *adoption) serves(table string) bool {
	_, out := a.skipped[table]
	return a.lines[table] != nil && !out || a.there(table)
}

// joined returns the resource of which a table has been a many field so far.
func (a *adoption) joined(table string) (spec.Resource, bool) {
	for _, r := range slices.Concat(a.project.Resources, slices.Collect(maps.Values(a.before))) {
		if r.Existing == nil {
			continue
		}
		for _, j := range r.Existing.Joins {
			if j.Table == table {
				return r, true
			}
		}
	}
	return spec.Resource{}, false
}

// many adds the fields of the tables that join t to others.
func (a *adoption) many(r *spec.Resource, t Table, taken map[string]string) {
	for _, j := range a.joins[t.Name] {
		target, known := a.names[j.other]
		if !known {
			target, _ = a.named(j.other)
		}
		named := spec.Plural(strings.TrimSuffix(fieldName(j.Other), "_id"))
		names := []string{target[1], named, spec.Snake(j.Table)}
		if j.other == t.Name {
			names = names[1:]
		}
		for _, name := range names {
			if _, column := t.column(name); column || name == "" || taken[strings.ToLower(view.GoName(name))] != "" {
				continue
			}
			word := name + ":many=" + target[1]
			if takes(*r, word) != nil {
				continue
			}
			r.Fields = append(r.Fields, word)
			if r.Existing.Joins == nil {
				r.Existing.Joins = map[string]spec.Join{}
			}
			r.Existing.Joins[name] = j.Join
			taken[strings.ToLower(view.GoName(name))] = j.Table
			if line := a.lines[j.Table]; line != nil {
				*line = Line{Table: j.Table, Outcome: Whole, Resource: r.Name, Notes: []string{"as " + name + " of " + a.names[t.Name][1]}}
			}
			break
		}
	}
}
