package view

import (
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Input is the file that declares what requests may contain.
type Input struct {
	Imports   string
	Create    []Line
	Build     []Assign // fields of a new row copied from the body
	Defaults  []Default
	Update    []Line
	Apply     []Apply
	Filters   []Line
	Sorts     string // the columns that a list can be sorted by, separated by spaces
	Search    bool
	Sort      string // the default sort column
	Keys      []Key
	HasBody   bool // the create body is used
	ShowInput bool
}

// Assign is one line of a composite literal.
type Assign struct{ Name, Value string }

// Default is a field that is Value in a new row unless the body sets it.
type Default struct {
	Name     string
	Value    string
	Optional bool // the column is nullable: both are pointers
}

// Apply is one field that a partial update changes.
type Apply struct {
	Name   string
	Sent   string // the condition: "b.Title != nil"
	Value  string // "*b.Title"
	Column string // quoted
}

func (w resource) input() Input {
	r := w.r
	in := Input{Keys: w.key(), Search: w.vector() != "" || slices.ContainsFunc(w.fields, func(f field) bool { return f.Is("search") })}
	in.HasBody = w.serves("create") || w.serves("bulk")
	in.ShowInput = w.serves("show") || w.serves("delete")
	var paths []string
	if in.ShowInput || w.serves("update") {
		if r.ID() != "" {
			paths = append(paths, keyImports(r)...)
		}
		for _, f := range w.keys() {
			paths = append(paths, f.goImports()...)
		}
	}
	if in.HasBody {
		paths = append(paths, w.p.Module+"/internal/model")
	}
	if w.serves("bulk") {
		paths = append(paths, webImport)
	}
	if w.serves("list") {
		paths = append(paths, dbImport)
	}
	for _, f := range w.fields {
		if f.Is("readonly") {
			if v, ok := f.Default(); ok && in.HasBody {
				paths = append(paths, f.preset(&in, v)...)
			}
			if w.serves("list") && f.Is("filter") {
				paths = append(paths, f.filter(&in)...)
			}
		}
		if f.Input() == "" {
			continue
		}
		if in.HasBody {
			paths = append(paths, f.create(&in)...)
		}
		if w.serves("update") && !f.Is("immutable") {
			paths = append(paths, f.update(&in)...)
		}
		if w.serves("list") && f.Is("filter") {
			paths = append(paths, f.filter(&in)...)
		}
	}
	for _, l := range w.later {
		if in.HasBody && l.Given {
			paths = append(paths, field{Field: l.Field, row: l.Row()}.preset(&in, l.Value)...)
		}
	}
	if w.serves("update") && len(in.Apply) > 0 {
		paths = append(paths, w.p.Module+"/internal/model")
	}
	in.Sorts, in.Sort = w.sorts()
	in.Imports = imports(w.p.Module, paths...)
	return in
}

// sorts returns the columns that a list can be sorted by, including "relevance" if it can
// be searched, and the default one.
func (w resource) sorts() (all, usual string) {
	var columns []string
	if id := w.r.ID(); id != "" {
		columns = append(columns, id)
	}
	for _, f := range w.fields {
		if f.Is("sort") || w.isKey(f) {
			columns = append(columns, f.Column())
		}
	}
	for _, at := range []string{w.r.Created(), w.r.Updated()} {
		if at != "" {
			columns = append(columns, at)
		}
	}
	searched := w.vector() != "" || slices.ContainsFunc(w.fields, func(f field) bool { return f.Is("search") })
	if searched && !slices.ContainsFunc(w.fields, func(f field) bool { return f.Column() == "relevance" }) {
		columns = append(columns, "relevance")
	}
	usual = w.r.Created()
	if usual == "" && len(columns) > 0 {
		usual = columns[0]
	}
	return strings.Join(columns, " "), usual
}

// inputName returns the Go name of the field in bodies.
func (f field) inputName() string {
	if f.Type == "many" {
		return exported(spec.Singular(f.Name)) + "IDs"
	}
	return exported(f.Column())
}

// rules returns the validation rules of one value of the field.
func (f field) rules() []string {
	if f.Type == "ref" {
		return keyRules(f.target)
	}
	return f.Rules()
}

// elements returns the rules of a list of values: its length and the rules of each value.
func (f field) elements() []string {
	rules := []string{"max=100"}
	each := f.rules()
	if f.Type == "many" {
		rules, each = append(rules, "unique"), keyRules(f.target)
	}
	if len(each) > 0 {
		rules = append(append(rules, "dive"), each...)
	}
	return rules
}

// list reports whether bodies contain a list of values of the field.
func (f field) list() bool { return f.Is("array") || f.Type == "many" }

func (f field) bodyType() string {
	if f.Type == "many" {
		return "[]" + keyType(f.target)
	}
	if f.Is("array") {
		return "[]" + f.goType()
	}
	return f.goType()
}

// natural reports whether the field refers to rows by a natural key, which the request
// that creates a row chooses.
func (f field) natural() bool { _, ok := chosenKey(f.target); return ok }

func (f field) bodyImports() []string {
	if f.Type == "many" {
		return keyImports(f.target)
	}
	return f.goImports()
}

// create adds the field to the body that creates a row, and returns the imports it needs.
func (f field) create(in *Input) []string {
	name, goType := f.inputName(), f.bodyType()
	value := "b." + name
	rules := f.rules()
	if f.list() {
		rules = f.elements()
	}
	line := Line{Name: name, Type: goType}
	v, hasDefault := f.Default()
	switch {
	case f.Type == "many":
		rules = append([]string{"omitempty"}, rules...)
	case f.Is("optional") || hasDefault || f.Is("auto"):
		if !f.nilable() && !f.list() {
			line.Type = "*" + goType
		}
		if len(rules) > 0 {
			rules = append([]string{"omitempty"}, rules...)
		}
		if hasDefault {
			line.Note = "default " + v.Text
		}
	case f.list() || f.nilable():
		rules = append([]string{"required"}, rules...)
	case f.row.Plain || f.Type == "ref" && (f.goType() == "string" || !f.target.UUID && !f.natural()):
		rules = append([]string{"required"}, withoutMin1(rules, f.row.Plain)...)
	default:
		line.Type, value = "*"+goType, "*"+value
		rules = append([]string{"required"}, rules...)
	}
	line.Tag = tag("json", f.Input(), "binding", strings.Join(rules, ","))
	in.Create = append(in.Create, line)
	switch {
	case f.Type == "many":
	case hasDefault:
		if f.Is("optional") {
			in.Build = append(in.Build, Assign{name, value})
			in.Defaults = append(in.Defaults, Default{name, f.newOf(v), true})
			break
		}
		in.Build = append(in.Build, Assign{name, v.Go})
		in.Defaults = append(in.Defaults, Default{name, "*" + value, false})
	case f.Is("auto") && !f.Is("optional") && !f.nilable() && !f.list():
		in.Defaults = append(in.Defaults, Default{name, "*" + value, false})
	default:
		in.Build = append(in.Build, Assign{name, value})
	}
	paths := f.bodyImports()
	if hasDefault {
		paths = append(paths, f.row.Constants...)
	}
	return paths
}

// preset sets a field that requests cannot set in new rows, and returns the imports it
// needs.
func (f field) preset(in *Input, v spec.Value) []string {
	value := v.Go
	if f.Is("optional") {
		value = f.newOf(v)
	}
	in.Build = append(in.Build, Assign{exported(f.Column()), value})
	return append(f.bodyImports(), f.row.Constants...)
}

// newOf returns the Go expression of a pointer to a value of the field.
func (f field) newOf(v spec.Value) string {
	value := v.Go
	if f.row.Zero == "0" && f.goType() != "int" && !strings.Contains(value, "(") {
		value = f.goType() + "(" + value + ")" // otherwise it would be a pointer to an int
	}
	return "new(" + value + ")"
}

// withoutMin1 drops the rule min=1 of a text, which required implies.
func withoutMin1(rules []string, text bool) []string {
	if !text {
		return rules
	}
	return slices.DeleteFunc(slices.Clone(rules), func(r string) bool { return r == "min=1" })
}

// update adds the field to the body that updates a row.
func (f field) update(in *Input) []string {
	name, goType := f.inputName(), f.bodyType()
	rules := f.rules()
	if f.list() {
		rules = f.elements()
	}
	if len(rules) > 0 {
		rules = append([]string{"omitempty"}, rules...)
	}
	line := Line{Name: name, Type: "*" + goType}
	apply := Apply{Name: name, Sent: "b." + name + " != nil", Value: "*b." + name, Column: quoted(f.Column())}
	paths := f.bodyImports()
	if f.Is("optional") && !f.list() {
		line.Type = "web.Null[" + goType + "]"
		apply.Sent, apply.Value = "b."+name+".Set", "b."+name+".Ptr()"
		if f.nilable() {
			apply.Value = "b." + name + ".Value"
		}
		paths = append(paths, webImport)
	}
	line.Tag = tag("json", f.Input(), "binding", strings.Join(rules, ","))
	in.Update = append(in.Update, line)
	if f.Type != "many" {
		in.Apply = append(in.Apply, apply)
	}
	return paths
}

// filter adds the filters by the field to lists.
func (f field) filter(in *Input) []string {
	var rule string
	if f.row.Listed {
		rule = "omitempty," + strings.Join(f.Rules(), ",")
	}
	doc := ""
	if f.Folded() {
		doc = "In upper or lower case."
	}
	name := exported(f.Column())
	in.Filters = append(in.Filters, Line{Name: name, Type: "*" + f.goType(), Tag: tag("form", f.Column(), "binding", rule, "doc", doc)})
	if f.row.Filters == "range" {
		for _, end := range []string{"Min", "Max"} {
			in.Filters = append(in.Filters, Line{
				Name: name + end, Type: "*" + f.goType(), Tag: tag("form", f.Column()+"_"+strings.ToLower(end)),
			})
		}
	}
	return f.goImports()
}
