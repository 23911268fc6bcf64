package spec

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Former has the names of a resource until a migration renamed it.
type Former struct {
	Migration string          `json:"migration"` // timestamp of the renaming: "20261121101500"
	Name      string          `json:"name"`
	Plural    string          `json:"plural"`
	Table     string          `json:"table,omitempty"`
	Joins     map[string]Join `json:"joins,omitempty"`
}

// At returns the resource with the names that it had after the migration, and its present
// fields.
func (r Resource) At(migration string) Resource {
	for _, f := range slices.Backward(r.Former) {
		if f.Migration <= migration {
			break
		}
		r.before(f)
	}
	return r
}

// before restores the names that the resource had before it was renamed.
func (r *Resource) before(f Former) {
	r.Name, r.Plural, r.Table, r.Joins = f.Name, f.Plural, f.Table, f.Joins
}

// RenameResource renames a resource, and returns the project and the resource. now is the
// singular, plural its plural; "" for the usual one. Relations of all resources are
// updated. With keepTable, tables and columns keep their names, and so do the fields of
// other resources. migration is the timestamp of the migration.
func (p Project) RenameResource(old, now, plural string, keepTable bool, migration string) (Project, Resource, error) {
	const command = "nexios rename resource"
	r, err := p.resourceOf(command, old, now)
	if err != nil {
		for _, o := range p.Resources {
			is := func(f Former) bool { return f.Name == Snake(old) || f.Plural == Snake(old) }
			if o.Name == Singular(Snake(now)) && slices.ContainsFunc(o.Former, is) {
				err = &problem.Error{What: Snake(old) + " is called " + o.Name + " already", Where: o.Command(), Try: "nexios list"}
			}
		}
		return p, r, err
	}
	is, err := ParseResource(Resource{Name: now, Plural: plural, Fields: r.Fields[:1]})
	if err != nil && Words(now) == nil {
		return p, r, badName("resource", now, command+" "+r.Name+" article")
	}
	if r.Version != "" {
		other := r.withName(is.Name, is.Plural)
		other.Table = ""
		return p, r, &problem.Error{
			What:  "cannot rename " + r.Name + ": clients use its routes in " + strings.Join(r.Versions(), " and "),
			Where: r.Command(), Try: other.Command(),
		}
	}
	if is.Name == r.Name && is.Plural == r.Plural {
		return p, r, &problem.Error{What: r.Name + " already has that name", Where: r.Command(), Try: command + " " + r.Name + " article"}
	}
	changed := r
	changed.Name, changed.Plural = is.Name, is.Plural
	changed.Former = append(slices.Clone(r.Former), Former{Migration: migration, Name: r.Name, Plural: r.Plural, Table: r.Table, Joins: r.Joins})
	if changed.Table, changed.Joins = r.keptNames(is.Plural); !keepTable {
		changed.Table, changed.Joins = "", nil
		if r.Existing != nil {
			return p, r, &problem.Error{
				What:  "the table " + r.TableName() + " existed before nexios and keeps its name",
				Where: r.Name, Try: command + " " + r.Name + " " + is.Name + " --keep-table",
			}
		}
	}
	renamed, changed, err := p.replaced(command, r, changed)
	if err != nil {
		return p, r, err
	}
	if keepTable {
		return renamed, changed, nil
	}
	return renamed.renameRelations(r, changed, migration)
}

// replaced returns the project with r replaced by changed, which has another name, and
// changed itself. It updates the relations of all resources.
func (p Project) replaced(command string, r, changed Resource) (Project, Resource, error) {
	others := p
	others.Resources = slices.DeleteFunc(slices.Clone(p.Resources), func(o Resource) bool { return o.Name == r.Name })
	uses := others.uses()
	if err := uses.add(changed); err != nil {
		return p, r, withTry(err, func(string) string { return command + " " + r.Name + " " + changed.Name + "_item" })
	}
	renamed := p
	renamed.Resources = nil
	for _, o := range p.Resources {
		is := o.Name == r.Name
		if is {
			o = changed
		}
		o, err := p.retarget(o, r, changed.Plural)
		if err == nil {
			o, err = ParseResource(o)
		}
		if err != nil {
			return p, r, withTry(err, func(string) string { return command + " --help" })
		}
		if is {
			changed = o
		}
		renamed.Resources = append(renamed.Resources, o)
	}
	for _, o := range renamed.Resources {
		if err := renamed.checkNeeds(o); err != nil {
			return p, r, withTry(err, func(string) string { return command + " --help" })
		}
	}
	return renamed, changed, nil
}

// renameRelations renames the relations to now that are named after r: post in comments,
// with its column, and posts in authors. Each gets its own migration, one second after the
// previous one. Relations that clients of an older version use keep their names.
func (p Project) renameRelations(r, now Resource, migration string) (Project, Resource, error) {
	for i := range p.Resources {
		o := p.Resources[i]
		fields, err := o.Parsed()
		if err != nil {
			return p, r, err
		}
		for _, f := range fields {
			target, ok := p.Target(f)
			if !ok || target.Name != now.Name {
				continue
			}
			name := map[string]string{r.Name: now.Name, r.Plural: now.Plural}[f.Name]
			if name == "" || o.oldestWith(f.Name) != "" {
				continue
			}
			if f.Type != "has" {
				migration = After(migration, 1)
			}
			if p, _, err = p.RenameField(o.Name, f.Name, name, migration); err != nil {
				return p, r, withTry(err, func(string) string { return "nexios rename field " + o.Name + " " + f.Name + ", first" })
			}
		}
	}
	now, _ = p.Resource(now.Name)
	return p, now, nil
}

// renamedHas returns r with a has field renamed, in its history too, since has fields are
// not stored in the database.
func (r Resource) renamedHas(old, now string) Resource {
	word := func(word string) string {
		if f, err := readField(word); err == nil && f.Type == "has" && f.Name == old {
			return now + strings.TrimPrefix(word, old)
		}
		return word
	}
	r.Fields = slices.Clone(r.Fields)
	for i := range r.Fields {
		r.Fields[i] = word(r.Fields[i])
	}
	r.Added = slices.Clone(r.Added)
	for i, a := range r.Added {
		a.Fields = slices.Clone(a.Fields)
		for j, name := range a.Fields {
			if name == old {
				a.Fields[j] = now
			}
		}
		r.Added[i] = a
	}
	r.Changed = slices.Clone(r.Changed)
	for i, c := range r.Changed {
		c.Fields = slices.Clone(c.Fields)
		for j, f := range c.Fields {
			c.Fields[j] = Replaced{From: word(f.From), To: word(f.To)}
		}
		r.Changed[i] = c
	}
	return r
}

// keptNames returns the table and the join tables of r, for keeping them under another
// plural.
func (r Resource) keptNames(plural string) (table string, joins map[string]Join) {
	if table = r.TableName(); table == plural {
		table = ""
	}
	joins = maps.Clone(r.Joins)
	fields, err := r.Parsed()
	if err != nil {
		return table, joins
	}
	for _, f := range fields {
		if _, ok := r.Join(f); f.Type != "many" || ok {
			continue
		}
		if joins == nil {
			joins = map[string]Join{}
		}
		joins[f.Name] = Join{Table: r.JoinTable(f), Mine: r.Name + "_id", Other: Singular(f.Name) + "_id"}
	}
	return table, joins
}

// retarget returns o with the relations to r, past ones included, pointing to a table of
// another plural: the record refers to tables by their current names.
func (p Project) retarget(o, r Resource, plural string) (Resource, error) {
	word := func(word string) (string, error) {
		if word == "" {
			return "", nil
		}
		f, err := readField(word)
		if err != nil || !f.Relation() {
			return word, err
		}
		if target, ok := p.Target(f); !ok || target.Name != r.Name {
			return word, nil
		}
		f.Arg = plural + strings.TrimPrefix(f.Arg, Table(f.Arg))
		return f.String(), nil
	}
	var err error
	words := func(words []string) (all []string, err error) {
		for _, w := range words {
			if w, err = word(w); err != nil {
				return nil, err
			}
			all = append(all, w)
		}
		return all, nil
	}
	if o.Fields, err = words(o.Fields); err != nil {
		return o, err
	}
	o.Older = slices.Clone(o.Older)
	for i := range o.Older {
		if o.Older[i].Fields, err = words(o.Older[i].Fields); err != nil {
			return o, err
		}
	}
	o.Changed = slices.Clone(o.Changed)
	for i, c := range o.Changed {
		c.Fields = slices.Clone(c.Fields)
		for j, f := range c.Fields {
			if f.From, err = word(f.From); err == nil {
				f.To, err = word(f.To)
			}
			if err != nil {
				return o, err
			}
			c.Fields[j] = f
		}
		o.Changed[i] = c
	}
	return o, nil
}

// checkFormer rejects former names that nexios would not have recorded.
func (r Resource) checkFormer() error {
	joins := func(joins map[string]Join) error {
		for field, j := range joins {
			if Snake(field) != field {
				return unexpected("joins", field)
			}
			for _, name := range []string{j.Table, j.Mine, j.Other} {
				if !validIdentifier(name) {
					return unexpected("joins", name)
				}
			}
		}
		return nil
	}
	if err := joins(r.Joins); err != nil {
		return err
	}
	for i, f := range r.Former {
		switch {
		case !stamp(f.Migration) || i > 0 && f.Migration <= r.Former[i-1].Migration:
			return unexpected("former.migration", f.Migration)
		case f.Name == "" || Snake(f.Name) != f.Name:
			return unexpected("former.name", f.Name)
		case f.Plural == "" || Snake(f.Plural) != f.Plural:
			return unexpected("former.plural", f.Plural)
		case f.Table != "" && !validIdentifier(f.Table):
			return unexpected("former.table", f.Table)
		}
		if err := joins(f.Joins); err != nil {
			return err
		}
	}
	return nil
}

// After returns a timestamp some seconds after another.
func After(migration string, seconds int) string {
	const layout = "20060102150405"
	at, err := time.Parse(layout, migration)
	if err != nil {
		return migration
	}
	return at.Add(time.Duration(seconds) * time.Second).Format(layout)
}
