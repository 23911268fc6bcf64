package spec

import (
	"slices"
	"strings"
)

// Made is a command that adds a resource or a model, or a field, an index or a version of
// one.
type Made struct {
	Kind    string // resource, model, field, index or version
	Name    string // of the resource
	Command string
}

// Commands returns the commands that create the resources of the project as they are now,
// in an order in which they can be run: first all resources with the fields of their
// oldest version, adding relations to later tables after those tables, then the newer
// versions with their changes, and the indexes.
func (p Project) Commands() []Made {
	var all []Made
	add := func(r Resource, kind string, words ...string) {
		for i, word := range words {
			words[i] = shellWord(word)
		}
		all = append(all, Made{kind, r.Name, "nexios " + strings.Join(words, " ")})
	}
	there := map[string]bool{Users().Name: true}
	later := map[string][]string{} // fields by resource whose target tables come later
	flags := map[string]bool{}     // indexes that are created by flags of their resource
	toCome := func(word string) bool {
		f, err := readField(word)
		target, ok := p.Target(f)
		return err == nil && ok && !there[target.Name]
	}
	for _, r := range p.Resources {
		there[r.Name] = true
		first := p.first(r)
		for _, word := range first.Fields {
			if toCome(word) {
				later[r.Name] = append(later[r.Name], word)
			}
		}
		first.Fields = slices.DeleteFunc(first.Fields, toCome)
		first.Indexes = slices.DeleteFunc(first.Indexes, func(word string) bool { return !first.hasAll(word) })
		for _, word := range first.Indexes {
			flags[r.Name+" "+word] = ParseIndex(word).Unique && r.Existing == nil
		}
		kind := map[bool]string{true: "model", false: "resource"}[r.ModelOnly]
		if r.Existing != nil {
			add(r, kind, "adopt", r.TableName())
		} else {
			all = append(all, Made{kind, r.Name, first.Command()})
		}
		for _, o := range p.Resources {
			had := len(later[o.Name])
			ready := slices.DeleteFunc(slices.Clone(later[o.Name]), toCome)
			if later[o.Name] = slices.DeleteFunc(later[o.Name], func(word string) bool { return !toCome(word) }); len(later[o.Name]) < had {
				add(o, "field", append([]string{"add", "field", o.Name}, ready...)...)
			}
		}
	}
	for _, r := range p.Resources {
		if names := r.Versions(); len(names) > 0 && names[0] != "v1" { // v1 was removed
			add(r, "version", "api", "version", names[0], r.Name)
			add(r, "version", "remove", "version", "v1", r.Name)
		}
		for i, v := range r.Older {
			next, _ := r.OfVersion(i + 1)
			words := []string{"api", "version", r.Versions()[i+1], r.Name}
			if v.Sunset != "" {
				words = append(words, "--sunset", v.Sunset)
			}
			add(r, "version", words...)
			for _, step := range r.between(v.Fields, next.Fields) {
				add(r, "field", step...)
			}
		}
		for _, word := range r.Indexes {
			x := ParseIndex(word)
			words := []string{"add", "index", r.Name, strings.Join(x.Fields, ",")}
			if x.Unique {
				words = append(words, "--unique")
			}
			if !flags[r.Name+" "+word] {
				add(r, "index", words...)
			}
		}
	}
	return all
}

// first returns a resource as it was added: with the fields of its oldest version.
func (p Project) first(r Resource) Resource {
	if r.Guard == "" && !r.Owner && !r.Organisation && !r.ModelOnly && p.HasFeature("auth") {
		r.Guard = "none" // as before auth was added
	}
	first, _ := r.OfVersion(0)
	first.Fields, first.Indexes = slices.Clone(first.Fields), slices.Clone(r.Indexes)
	return first
}

// hasAll reports whether the resource has all fields of an index.
func (r Resource) hasAll(index string) bool {
	return !slices.ContainsFunc(ParseIndex(index).Fields, func(name string) bool {
		return fieldIndex(r.Fields, name) < 0 && !slices.Contains([]string{"user_id", "created_at", "updated_at"}, name)
	})
}

// between returns the commands that turn the fields was into the fields is.
func (r Resource) between(was, is []string) (steps [][]string) {
	for _, word := range is {
		name := fieldName(word)
		at := fieldIndex(was, name)
		switch {
		case at < 0:
			step := []string{"add", "field", r.Name, word}
			if fill := r.backfill(name); fill != "" {
				step = append(step, "--backfill", fill)
			}
			steps = append(steps, step)
		case was[at] != word:
			steps = append(steps, []string{"change", "field", r.Name, word})
		}
	}
	for _, word := range was {
		if name := fieldName(word); fieldIndex(is, name) < 0 {
			steps = append(steps, []string{"remove", "field", r.Name, name})
		}
	}
	return steps
}

// backfill returns the value that existing rows got for an added field; "" for none.
func (r Resource) backfill(field string) string {
	for _, a := range r.Added {
		if fill := a.Fill[field]; fill != "" {
			return fill
		}
	}
	return ""
}

// shellWord quotes a word for a shell where needed.
func shellWord(word string) string {
	if word != "" && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.,:=/@%+") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
