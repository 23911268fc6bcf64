package spec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Merge merges the records of two branches; base is their common ancestor. It returns a
// *problem.Error for conflicting changes, and for a resource that one branch renamed: see
// [Project.Follow].
//
// rewritten has the timestamps of migrations that have to be generated again, since an
// earlier migration of the other branch changed the same field.
func Merge(base, ours, theirs Project) (merged Project, rewritten []string, err error) {
	for _, branch := range []Project{ours, theirs} {
		for _, r := range Renamings(base, branch) { // which Follow has to apply first
			return ours, nil, &problem.Error{What: "one branch renamed " + r.Name + " to " + r.Now.Name, Where: r.Now.Command(), Try: "nexios merge"}
		}
	}
	merged = ours
	if err := scalars("the project", &merged, base, theirs, "Resources", "Features", "Dropped", "Clients"); err != nil {
		return ours, nil, err
	}
	merged.Resources, err = union(base.Resources, ours.Resources, theirs.Resources, func(r Resource) string { return r.Name },
		func(name string, b *Resource, o, t Resource) (Resource, error) {
			if b == nil {
				return o, conflict("resource "+name, o.Command(), t.Command())
			}
			r, more, err := mergeResource(*b, o, t)
			rewritten = append(rewritten, more...)
			return r, err
		})
	if err != nil {
		return ours, nil, err
	}
	merged.Features, err = union(base.Features, ours.Features, theirs.Features,
		func(f Feature) string { return strings.TrimSpace(f.Name + " " + f.Options["name"]) },
		func(name string, b *Feature, o, t Feature) (Feature, error) {
			had := map[string]string{}
			if b != nil {
				had = b.Options
			}
			options, err := union(pairs(had), pairs(o.Options), pairs(t.Options), func(p [2]string) string { return p[0] },
				func(option string, _ *[2]string, o, t [2]string) ([2]string, error) {
					return o, conflict("option "+option+" of "+name, o[1], t[1])
				})
			o.Options = nil
			for _, p := range options {
				if o.Options == nil {
					o.Options = map[string]string{}
				}
				o.Options[p[0]] = p[1]
			}
			return o, err
		})
	if err != nil {
		return ours, nil, err
	}
	merged.Dropped, err = union(base.Dropped, ours.Dropped, theirs.Dropped,
		func(d Dropped) string { return d.What + " " + d.Migration },
		func(_ string, _ *Dropped, o, t Dropped) (Dropped, error) { // restored on both
			o.Restored = min(o.Restored, t.Restored)
			return o, nil
		})
	if err != nil {
		return ours, nil, err
	}
	merged.Clients, err = union(base.Clients, ours.Clients, theirs.Clients, func(c Client) string { return c.Language },
		func(language string, _ *Client, o, t Client) (Client, error) {
			return o, conflict("client "+language, o.File, t.File)
		})
	if err != nil {
		return ours, nil, err
	}
	if err := merged.check(); err != nil {
		return ours, nil, err
	}
	return merged, rewritten, nil
}

// conflict returns the error for conflicting changes.
func conflict(what, ours, theirs string) error {
	return &problem.Error{
		What:  "both branches changed " + what + ", in different ways",
		Label: "ours", Where: ours + "\n  theirs: " + theirs,
		Try: "edit nexios.json as it should be, then nexios merge",
	}
}

func pairs(m map[string]string) [][2]string {
	var list [][2]string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, [2]string{name, m[name]})
	}
	return list
}

// union merges lists of values identified by a key, in the order of ours with the
// additions of theirs at the end. It calls both for values in both lists of which at least
// one was changed; base is nil for values that both added.
func union[T any](base, ours, theirs []T, key func(T) string, both func(key string, base *T, ours, theirs T) (T, error)) ([]T, error) {
	find := func(list []T, k string) *T {
		at := slices.IndexFunc(list, func(x T) bool { return key(x) == k })
		if at < 0 {
			return nil
		}
		return &list[at]
	}
	same := func(a, b *T) bool { return a == nil && b == nil || a != nil && b != nil && reflect.DeepEqual(*a, *b) }
	var merged []T
	for _, o := range ours {
		k := key(o)
		b, t := find(base, k), find(theirs, k)
		switch {
		case same(&o, t) || same(b, t): // equal, or changed by ours only
			merged = append(merged, o)
		case same(b, &o):
			if t != nil {
				merged = append(merged, *t)
			}
		case t == nil:
			return nil, conflict(k, "changed", "removed")
		default:
			m, err := both(k, b, o, *t)
			if err != nil {
				return nil, err
			}
			merged = append(merged, m)
		}
	}
	for _, t := range theirs {
		k := key(t)
		if b := find(base, k); find(ours, k) == nil {
			if b == nil {
				merged = append(merged, t)
			} else if !same(b, &t) {
				return nil, conflict(k, "removed", "changed")
			}
		}
	}
	return merged, nil
}

// scalars copies into ours, a pointer to a struct, the fields that theirs changed, except
// the named ones.
func scalars(what string, ours, base, theirs any, except ...string) error {
	o, b, t := reflect.ValueOf(ours).Elem(), reflect.ValueOf(base), reflect.ValueOf(theirs)
	for i := range o.NumField() {
		name := o.Type().Field(i).Name
		is := func(x, y reflect.Value) bool {
			return reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface())
		}
		switch {
		case slices.Contains(except, name) || is(b, t) || is(o, t):
		case is(b, o):
			o.Field(i).Set(t.Field(i))
		default:
			return conflict(strings.ToLower(name)+" of "+what, fmt.Sprint(o.Field(i)), fmt.Sprint(t.Field(i)))
		}
	}
	return nil
}

// side is a resource on one branch.
type side struct {
	Resource
	steps []Step            // the new steps
	names map[string]string // current names of the fields of base; "" if removed
	// called maps the name of a field on this side at the time of a step to its name in
	// the merged resource at that time.
	called map[string]string
}

func sideOf(base, r Resource) (side, error) {
	s := side{Resource: r, names: map[string]string{}, called: map[string]string{}}
	_, steps, err := r.History()
	if err != nil {
		return s, err
	}
	known := map[string]bool{}
	for _, c := range base.Changed {
		known[c.Migration] = true
	}
	for _, a := range base.Added {
		known[a.Migration] = true
	}
	for _, f := range base.Former {
		known[f.Migration] = true
	}
	for _, word := range base.Fields {
		s.names[fieldName(word)] = fieldName(word)
	}
	for _, step := range steps {
		if known[step.Migration] {
			continue
		}
		s.steps = append(s.steps, step)
		for _, f := range step.Fields {
			for was, is := range s.names {
				if f.From != "" && is == fieldName(f.From) {
					s.names[was] = fieldName(f.To)
				}
			}
		}
	}
	for was, is := range s.names {
		if fieldIndex(r.Fields, is) < 0 { // removed without a migration
			s.names[was] = ""
		}
	}
	return s, nil
}

// mergeResource merges one resource: its fields one by one, each with its modifiers, and
// its history by time.
func mergeResource(base, ours, theirs Resource) (Resource, []string, error) {
	r := ours
	if err := scalars(ours.Name, &r, base, theirs, "Fields", "Added", "Changed", "Indexes", "Public"); err != nil {
		return r, nil, err
	}
	o, err := sideOf(base, ours)
	if err != nil {
		return r, nil, err
	}
	t, err := sideOf(base, theirs)
	if err != nil {
		return r, nil, err
	}
	if r.Fields, err = mergeFields(base, o, t); err != nil {
		return r, nil, err
	}
	if r.Public == base.Public && theirs.Public != base.Public {
		r.Public = theirs.Public
	}
	rewritten, err := r.replay(base, &o, &t)
	return r, rewritten, err
}

// mergeFields merges the fields, matching those of base by their names there and new ones
// by their own names.
func mergeFields(base Resource, o, t side) ([]string, error) {
	word := func(s side, was string) string {
		if at := fieldIndex(s.Fields, s.names[was]); s.names[was] != "" && at >= 0 {
			return s.Fields[at]
		}
		return ""
	}
	merged := map[string]string{} // by name in base
	for _, b := range base.Fields {
		was := fieldName(b)
		w, err := mergeWord(o.Name, b, word(o, was), word(t, was))
		if err != nil {
			return nil, err
		}
		merged[was] = w
	}
	var fields []string
	for _, s := range []side{o, t} {
		for _, w := range s.Fields {
			old := ""
			for was, is := range s.names {
				if is == fieldName(w) {
					old = was
				}
			}
			if old != "" {
				w = merged[old]
				delete(merged, old)
			}
			at := fieldIndex(fields, fieldName(w))
			switch {
			case w == "" || at >= 0 && (old != "" || fields[at] == w):
			case at >= 0:
				return nil, conflict("the field "+fieldName(w)+" of "+o.Name, fields[at], w)
			default:
				fields = append(fields, w)
			}
		}
	}
	return fields, nil
}

// mergeWord merges two versions of a field definition; "" is a removed field.
func mergeWord(resource, base, ours, theirs string) (string, error) {
	switch {
	case ours == theirs || theirs == base:
		return ours, nil
	case ours == base:
		return theirs, nil
	}
	bad := func() (string, error) {
		gone := func(word string) string {
			if word == "" {
				return "removed"
			}
			return word
		}
		return "", conflict("the field "+fieldName(base)+" of "+resource, gone(ours), gone(theirs))
	}
	if ours == "" || theirs == "" {
		return bad()
	}
	b, err := readField(base)
	if err != nil {
		return "", err
	}
	o, err := readField(ours)
	if err != nil {
		return "", err
	}
	t, err := readField(theirs)
	if err != nil {
		return "", err
	}
	three := func(b, o, t string) (string, bool) {
		if o == b || o == t {
			return t, true
		}
		return o, t == b
	}
	var named bool
	o.Name, named = three(b.Name, o.Name, t.Name)
	kind, typed := three(b.Type+"="+b.Arg, o.Type+"="+o.Arg, t.Type+"="+t.Arg)
	if b.Type == "enum" && o.Type == "enum" && t.Type == "enum" && !typed {
		values := func(f Field) []string { return strings.Split(f.Arg, "/") }
		all, err := union(values(b), values(o), values(t), func(v string) string { return v }, nil)
		kind, typed = "enum="+strings.Join(all, "/"), err == nil
	}
	if !named || !typed {
		return bad()
	}
	o.Type, o.Arg, _ = strings.Cut(kind, "=")
	mods, err := union(pairs(b.Mods), pairs(o.Mods), pairs(t.Mods), func(p [2]string) string { return p[0] },
		func(mod string, _ *[2]string, o, t [2]string) ([2]string, error) {
			return o, conflict(mod, o[1], t[1])
		})
	if err != nil {
		return bad()
	}
	o.Mods = map[string]string{}
	for _, p := range mods {
		o.Mods[p[0]] = p[1]
	}
	f, err := ParseField(o.String())
	if err != nil {
		return bad()
	}
	return f.String(), nil
}

// replay merges the histories of both sides into r, whose fields are merged already,
// ordered by time: each step builds on the other side's earlier steps. It returns the
// timestamps of the steps that differ from what their side wrote.
func (r *Resource) replay(base Resource, sides ...*side) (rewritten []string, err error) {
	type turn struct {
		Step
		of *side
	}
	var turns []turn
	for _, s := range sides {
		for _, word := range base.Fields {
			s.called[fieldName(word)] = fieldName(word)
		}
		for _, step := range s.steps {
			if at := slices.IndexFunc(turns, func(u turn) bool { return u.Migration == step.Migration }); at >= 0 {
				if reflect.DeepEqual(turns[at].Change, step.Change) {
					continue
				}
				return nil, conflict(r.Name+" at the same second", step.Migration, step.Migration)
			}
			turns = append(turns, turn{step, s})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return strings.Compare(a.Migration, b.Migration) })
	added := func(s *side, at string) bool {
		return slices.ContainsFunc(s.Added, func(a Addition) bool { return a.Migration == at })
	}
	now := slices.Clone(base.Fields)
	indexes := slices.Clone(base.Indexes)
	r.Added, r.Changed = slices.Clone(base.Added), slices.Clone(base.Changed)
	for _, u := range turns {
		c, differs := u.Change, false
		c.Fields, c.Indexes, c.Fill = nil, nil, map[string]string{}
		var from []string // by the names before the step
		for _, x := range u.Indexes {
			from = append(from, u.of.index(x.From))
		}
		for _, f := range u.Fields {
			from, to := fieldName(f.From), fieldName(f.To)
			if f.From == "" {
				if at := fieldIndex(now, to); at >= 0 {
					return nil, conflict("the fields of "+r.Name, now[at], f.To)
				}
				now = append(now, f.To)
				u.of.called[to] = to
				c.Fields = append(c.Fields, Replaced{To: f.To})
				continue
			}
			at := fieldIndex(now, u.of.called[from])
			if at < 0 {
				return nil, conflict("the field "+from+" of "+r.Name, "removed", "changed")
			}
			was := now[at]
			next, err := mergeWord(r.Name, f.From, was, f.To)
			if f.To == "" {
				next, err = "", nil
			}
			if err != nil {
				return nil, err
			}
			differs = differs || was != f.From
			c.Fields = append(c.Fields, Replaced{From: was, To: next})
			for _, s := range sides { // both sides use this name from now on
				for called, is := range s.called {
					if is == fieldName(was) {
						s.called[called] = fieldName(next)
					}
				}
			}
			u.of.called[to] = fieldName(next)
			if next == "" {
				now = slices.Delete(now, at, at+1)
			} else {
				now[at] = next
			}
		}
		for name, value := range u.Fill {
			if is := u.of.called[name]; is != "" {
				name = is
			}
			c.Fill[name] = value
		}
		if len(c.Fill) == 0 {
			c.Fill = nil
		}
		for i, x := range u.Indexes {
			is := Replaced{From: from[i], To: u.of.index(x.To)}
			differs = differs || is != x
			at := slices.Index(indexes, is.From)
			switch {
			case is.From == "" && slices.Contains(indexes, is.To):
				continue // created by both
			case is.From == "":
				indexes = append(indexes, is.To)
			case at < 0:
				continue // dropped by both
			case is.To == "":
				indexes = slices.Delete(indexes, at, at+1)
			default:
				indexes[at] = is.To
			}
			c.Indexes = append(c.Indexes, is)
		}
		for _, f := range c.Fields { // renamed fields in indexes that the other side created
			for at, word := range indexes {
				if renamed := ParseIndex(word).renamed(fieldName(f.From), fieldName(f.To)).String(); f.To != "" && renamed != word {
					indexes[at], differs = renamed, true
					c.Indexes = append(c.Indexes, Replaced{From: word, To: renamed})
				}
			}
		}
		if differs {
			rewritten = append(rewritten, u.Migration)
		}
		if added(u.of, u.Migration) {
			a := Addition{Migration: u.Migration, Fill: c.Fill}
			for _, f := range c.Fields {
				a.Fields = append(a.Fields, fieldName(f.To))
			}
			r.Added = append(r.Added, a)
		} else {
			r.Changed = append(r.Changed, c)
		}
	}
	if r.Indexes = indexes; len(indexes) == 0 {
		r.Indexes = nil
	}
	return rewritten, nil
}

// index translates an index definition of the side to the field names of the merged
// resource.
func (s *side) index(word string) string {
	if word == "" {
		return ""
	}
	x := ParseIndex(word)
	x.Fields = slices.Clone(x.Fields)
	for i, name := range x.Fields {
		if is := s.called[name]; is != "" {
			x.Fields[i] = is
		}
	}
	return x.String()
}
