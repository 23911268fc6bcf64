package spec

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Renaming is a resource that a branch renamed.
type Renaming struct {
	Former          // its names until then
	Now    Resource // with its names from then on
}

// Renamings returns the renamings of a branch since base, in order.
func Renamings(base, branch Project) []Renaming {
	var list []Renaming
	for _, b := range base.Resources {
		for _, r := range branch.Resources {
			n := len(b.Former)
			if len(r.Former) <= n || r.Former[n].Name != b.Name || !slices.EqualFunc(r.Former[:n], b.Former, func(x, y Former) bool { return reflect.DeepEqual(x, y) }) {
				continue
			}
			for i := n; i < len(r.Former); i++ {
				now := r
				if i+1 < len(r.Former) {
					now.before(r.Former[i+1])
				}
				list = append(list, Renaming{r.Former[i], now})
			}
		}
	}
	return list
}

// Follow applies a renaming of the branch by to the project, and returns the resource
// before and after. It renames the relations that exist on that branch; all others keep
// their names. A project without the resource is returned unchanged.
func (p Project) Follow(r Renaming, by Project) (now Project, was, is Resource, err error) {
	at := slices.IndexFunc(p.Resources, func(o Resource) bool { return o.Name == r.Name })
	if at < 0 {
		return p, was, is, nil
	}
	was = p.Resources[at]
	if was.Version != "" {
		return p, was, is, &problem.Error{
			What:  "one branch renamed " + was.Name + " to " + r.Now.Name + ", but on the other clients use its routes in " + strings.Join(was.Versions(), " and "),
			Where: was.Command(), Try: "give up the merge with git merge --abort, and revert the commit that renamed it",
		}
	}
	is = was
	is.Name, is.Plural = r.Now.Name, r.Now.Plural
	is.Former = append(slices.Clone(was.Former), Former{Migration: r.Migration, Name: was.Name, Plural: was.Plural, Table: was.Table, Joins: was.Joins})
	slices.SortFunc(is.Former, func(x, y Former) int { return strings.Compare(x.Migration, y.Migration) })
	is.Table, is.Joins = "", nil
	if r.Now.TableName() == was.TableName() { // with --keep-table
		is.Table, is.Joins = was.keptNames(is.Plural)
	}
	if now, is, err = p.replaced("nexios rename resource", was, is); err != nil {
		return p, was, is, err
	}
	for _, o := range now.Resources {
		fields, err := o.Parsed()
		if err != nil {
			return p, was, is, err
		}
		for _, f := range fields {
			target, ok := now.Target(f)
			name := map[string]string{was.Name: is.Name, was.Plural: is.Plural}[f.Name]
			if !ok || target.Name != is.Name || name == "" {
				continue
			}
			stamp, renamed := by.renamedField(o.Name, f, name, r.Migration)
			if !renamed {
				continue
			}
			if now, _, err = now.RenameField(o.Name, f.Name, name, stamp); err != nil {
				return p, was, is, err
			}
		}
	}
	for i, o := range now.Resources {
		o.Changed = slices.Clone(o.Changed)
		slices.SortStableFunc(o.Changed, func(x, y Change) int { return strings.Compare(x.Migration, y.Migration) })
		now.Resources[i] = o
		if _, _, err := o.History(); err != nil {
			return p, was, is, &problem.Error{
				What:  "one branch renamed " + was.Name + " to " + is.Name + ", the other changed the relation to it of " + o.Name + " after that",
				Where: o.Command(), Try: "give up the merge with git merge --abort, and rename the resource in a branch that has the change",
			}
		}
	}
	is, _ = now.Resource(is.Name)
	return now, was, is, nil
}

// renamedField reports whether a relation of a resource was renamed by a migration later
// than after, and returns that migration; "" for a relation that is not a column.
func (p Project) renamedField(resource string, f Field, name, after string) (migration string, ok bool) {
	at := slices.IndexFunc(p.Resources, func(o Resource) bool { return o.Name == resource })
	if at < 0 {
		return "", false
	}
	o := p.Resources[at]
	if f.Type == "has" {
		return "", fieldIndex(o.Fields, f.Name) < 0 && fieldIndex(o.Fields, name) >= 0
	}
	for _, c := range o.Changed {
		for _, w := range c.Fields {
			if c.Migration > after && fieldName(w.From) == f.Name && fieldName(w.To) == name {
				return c.Migration, true
			}
		}
	}
	return "", false
}
