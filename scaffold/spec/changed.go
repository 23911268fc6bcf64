package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Change is a migration that changed fields and indexes of an existing resource.
type Change struct {
	Migration string     `json:"migration"` // its timestamp: "20261121101500"
	Fields    []Replaced `json:"fields,omitempty"`
	Indexes   []Replaced `json:"indexes,omitempty"`
	// Fill has the values of rows where the field is null, by field, in the notation of a
	// field definition.
	Fill map[string]string `json:"fill,omitempty"`
}

// Replaced is one definition in place of another. An addition has no From, a removal no
// To.
type Replaced struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Step is a resource before and after one of its migrations.
type Step struct {
	Change
	Renamed       bool // the migration only renamed the resource
	Before, After Resource
}

// History returns the resource as its first migration created it, and its changes since,
// oldest first. It returns a *problem.Error if the recorded changes do not lead to the
// present fields.
func (r Resource) History() (first Resource, steps []Step, err error) {
	changes := slices.Clone(r.Changed)
	for _, a := range r.Added {
		c := Change{Migration: a.Migration, Fill: a.Fill}
		for _, name := range a.Fields {
			c.Fields = append(c.Fields, Replaced{To: name}) // History resolves the definition at that time
		}
		changes = append(changes, c)
	}
	names := map[string]Former{}
	for _, f := range r.Former {
		changes = append(changes, Change{Migration: f.Migration})
		names[f.Migration] = f
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return strings.Compare(a.Migration, b.Migration) })
	now := r
	for _, c := range slices.Backward(changes) {
		step := Step{Change: c, After: now}
		if f, ok := names[c.Migration]; ok {
			now.before(f)
			step.Renamed, step.Before = true, now
			steps = append(steps, step)
			continue
		}
		step.Fields = slices.Clone(c.Fields)
		now.Fields, now.Indexes = slices.Clone(now.Fields), slices.Clone(now.Indexes)
		for i, f := range slices.Backward(c.Fields) {
			if f.To == "" {
				now.Fields = append(now.Fields, f.From)
				continue
			}
			at := fieldIndex(now.Fields, fieldName(f.To))
			if at < 0 {
				return r, nil, unexpected("changed.fields", f.To)
			}
			if step.Fields[i].To = now.Fields[at]; f.From == "" {
				now.Fields = slices.Delete(now.Fields, at, at+1)
			} else {
				now.Fields[at] = f.From
			}
		}
		for _, x := range slices.Backward(c.Indexes) {
			at := slices.Index(now.Indexes, x.To)
			switch {
			case x.To == "":
				now.Indexes = append(now.Indexes, x.From)
			case at < 0:
				return r, nil, unexpected("changed.indexes", x.To)
			case x.From == "":
				now.Indexes = slices.Delete(now.Indexes, at, at+1)
			default:
				now.Indexes[at] = x.From
			}
		}
		step.Before = now
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	return now, steps, nil
}

func fieldName(word string) string {
	name, _, _ := strings.Cut(word, ":")
	return name
}

// fieldIndex returns the index of the field of that name in definitions, or -1.
func fieldIndex(words []string, name string) int {
	return slices.IndexFunc(words, func(word string) bool { return fieldName(word) == name })
}

// resourceOf is [Project.Resource] for a command that works on one resource: its error
// suggests the complete command.
func (p Project) resourceOf(command, name, rest string) (Resource, error) {
	r, ok := p.Resource(name)
	if ok {
		return r, nil
	}
	if s := Snake(name); s == "user" || s == "users" {
		return r, &problem.Error{
			What:  "users belong to auth; edit its files directly",
			Label: "files", Where: "internal/model/user.go internal/users/ internal/migrations/", Try: "nexios add migration change-users",
		}
	}
	return r, p.missing(command, name, rest)
}

// fieldOf returns the index of the field of that name, given in any case.
func (r Resource) fieldOf(command, name string) (int, error) {
	snake := Snake(name)
	for _, n := range []string{snake, strings.TrimSuffix(snake, "_id")} {
		if at := fieldIndex(r.Fields, n); at >= 0 {
			return at, nil
		}
	}
	var names []string
	for _, word := range r.Fields {
		names = append(names, fieldName(word))
	}
	e := &problem.Error{
		What: fmt.Sprintf("%s has no field %q", r.Name, clip(name)), Label: "fields", Where: strings.Join(names, " "),
		Try: "nexios list",
	}
	if near := near(snake, names); near != "" {
		e.Try = command + " " + r.Name + " " + near
	}
	return -1, e
}

// ChangeField changes modifiers or the type of a field, and returns the project and the
// resource. The first of words is the field, as a name or a complete definition; each of
// the others is one change: a modifier, no- and a modifier, required, or a type. fill is
// the value of rows where the field is null; "" for none. migration is the timestamp of
// the migration.
func (p Project) ChangeField(name string, words []string, fill, migration string) (Project, Resource, error) {
	const command = "nexios change field"
	r, err := p.resourceOf(command, name, strings.Join(words, " "))
	if err != nil {
		return p, r, err
	}
	if len(words) == 0 {
		return p, r, &problem.Error{What: "no field to change", Label: "form", Where: "RESOURCE FIELD CHANGE...", Try: command + " " + r.Name + " " + fieldName(r.Fields[0]) + " optional"}
	}
	at, err := r.fieldOf(command, fieldName(words[0]))
	if err != nil {
		return p, r, err
	}
	was, err := ParseField(r.Fields[at])
	if err != nil {
		return p, r, err
	}
	is := was
	if strings.Contains(words[0], ":") {
		is, err = ParseField(words[0])
	}
	if err == nil {
		is, err = is.changed(words[1:])
	}
	if err != nil {
		return p, r, withTry(err, func(better string) string { return command + " " + r.Name + " " + better })
	}
	is.Name = was.Name
	if len(words) == 1 && !strings.Contains(words[0], ":") {
		return p, r, &problem.Error{
			What: "no change given for " + was.Name, Label: "there", Where: was.String(),
			Try: command + " " + r.Name + " " + was.Name + " " + map[bool]string{true: "required", false: "optional"}[was.Is("optional")],
		}
	}
	if err := r.converts(was, is); err != nil {
		return p, r, err
	}
	if is.String() == was.String() && fill != "" {
		if strings.ContainsFunc(fill, func(r rune) bool { return r != '-' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			fill = "VALUE" // shells differ in quoting
		}
		retry := command + " " + r.Name + " " + strings.Join(words, " ") + " --backfill " + fill
		e := &problem.Error{
			What: was.Name + " is that already, and --backfill is part of the change that makes it so", Where: r.Name + " " + was.String(),
			Try: "nexios add migration fill-" + strings.ReplaceAll(r.Name+"-"+was.Name, "_", "-"),
		}
		if len(r.Changed) > 0 {
			if last := r.Changed[len(r.Changed)-1]; len(last.Fields) == 1 && last.Fields[0].To == was.String() {
				e.Try = "nexios undo && " + retry + "   # if nothing was changed since"
			}
		}
		return p, r, e
	}
	if is.String() == was.String() {
		return p, r, nil
	}
	c := Change{Migration: migration, Fields: []Replaced{{From: was.String(), To: is.String()}}}
	if fill != "" {
		v, err := is.Value(fill)
		if err == nil && is.breaks(is.Row(), v) != "" {
			err = fmt.Errorf("%q violates %s", fill, is.breaks(is.Row(), v))
		}
		if err != nil || is.Row().parse == nil {
			return p, r, &problem.Error{What: fmt.Sprintf("cannot backfill %s: %v", is.Name, err), Where: r.Name + " " + is.String(), Try: command + " --help"}
		}
		c.Fill = map[string]string{is.Name: fill}
	}
	return p.changeTable(command, r, c)
}

// RenameField renames a field, and returns the project and the resource.
func (p Project) RenameField(name, old, now, migration string) (Project, Resource, error) {
	const command = "nexios rename field"
	r, err := p.resourceOf(command, name, old+" "+now)
	if err != nil {
		return p, r, err
	}
	at, err := r.fieldOf(command, old)
	if err != nil {
		return p, r, withTry(err, func(better string) string { return better + " " + now })
	}
	was, err := ParseField(r.Fields[at])
	if err != nil {
		return p, r, err
	}
	is := was
	if is.Name = Snake(now); is.Name == "" || strings.Contains(now, ":") {
		return p, r, badName("field", now, command+" "+r.Name+" "+was.Name+" headline")
	}
	if is.Type == "ref" {
		is.Name = strings.TrimSuffix(is.Name, "_id")
	}
	if is.Name == was.Name {
		return p, r, nil
	}
	if was.Type == "has" {
		renamed := r.renamedHas(was.Name, is.Name)
		now, err := p.Replace(renamed)
		return now, renamed, err
	}
	c := Change{Migration: migration, Fields: []Replaced{{From: was.String(), To: is.String()}}}
	for _, word := range r.Indexes {
		if renamed := ParseIndex(word).renamed(was.Name, is.Name).String(); renamed != word {
			c.Indexes = append(c.Indexes, Replaced{From: word, To: renamed})
		}
	}
	if r.Public == was.Name {
		r.Public = is.Name
	}
	return p.changeTable(command, r, c)
}

// RemoveFields removes fields of a resource, and returns the project and the resource.
func (p Project) RemoveFields(name string, fields []string, migration string) (Project, Resource, error) {
	const command = "nexios remove field"
	r, err := p.resourceOf(command, name, strings.Join(fields, " "))
	if err != nil {
		return p, r, err
	}
	if len(fields) == 0 {
		return p, r, &problem.Error{What: "no field to remove", Label: "form", Where: "RESOURCE FIELD...", Try: command + " --help"}
	}
	c := Change{Migration: migration}
	gone := map[string]bool{}
	for _, field := range fields {
		at, err := r.fieldOf(command, field)
		if err != nil {
			return p, r, err
		}
		if word := r.Fields[at]; !gone[fieldName(word)] {
			gone[fieldName(word)] = true
			c.Fields = append(c.Fields, Replaced{From: word})
		}
	}
	if len(gone) == len(r.Fields) {
		return p, r, &problem.Error{What: r.Name + " would have no field left", Where: strings.Join(r.Fields, " "), Try: "nexios remove resource " + r.Name + " --dry-run"}
	}
	if gone[r.Public] {
		return p, r, &problem.Error{What: r.Public + " decides which rows are public and cannot be removed", Where: r.Command(), Try: "nexios help policies"}
	}
	for _, word := range r.Indexes {
		if slices.ContainsFunc(ParseIndex(word).Fields, func(f string) bool { return gone[f] }) {
			c.Indexes = append(c.Indexes, Replaced{From: word})
		}
	}
	return p.changeTable(command, r, c)
}

// changeTable applies the change to r, a resource of the project, and records it.
func (p Project) changeTable(command string, r Resource, c Change) (Project, Resource, error) {
	changed := r
	replace := func(words []string, list []Replaced) []string {
		words = slices.Clone(words)
		for _, w := range list {
			at := slices.Index(words, w.From)
			switch {
			case w.From == "":
				words = append(words, w.To)
			case w.To == "":
				words = slices.Delete(words, at, at+1)
			default:
				words[at] = w.To
			}
		}
		return words
	}
	changed.Fields, changed.Indexes = replace(r.Fields, c.Fields), replace(r.Indexes, c.Indexes)
	if len(changed.Indexes) == 0 {
		changed.Indexes = nil
	}
	changed.Changed = append(slices.Clone(r.Changed), c)
	for _, word := range changed.Indexes {
		if err := changed.checkIndex(word, ""); err != nil {
			x := ParseIndex(word)
			return p, r, &problem.Error{
				What:  "the index on " + strings.Join(x.Fields, " and ") + " would become too long for MySQL",
				Where: r.Name + " " + word, Try: "nexios remove index " + r.Name + " " + strings.Join(x.Fields, ","),
			}
		}
	}
	if err := r.mayBecome(changed); err != nil {
		return p, r, err
	}
	now, err := p.Replace(changed)
	if err != nil {
		return p, r, withTry(err, func(string) string { return command + " --help" })
	}
	return now, changed, nil
}

// WithoutLastChange removes the latest recorded change of the resource, for a change that
// does not alter the database.
func (p Project) WithoutLastChange(r Resource) (Project, Resource, error) {
	r.Changed = r.Changed[: len(r.Changed)-1 : len(r.Changed)-1]
	if len(r.Changed) == 0 {
		r.Changed = nil
	}
	now, err := p.Replace(r)
	return now, r, err
}

// changed returns the field with changes applied, each as the user typed it.
func (f Field) changed(words []string) (Field, error) {
	was := f.String()
	f.Mods = maps.Clone(f.Mods)
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		without, no := strings.CutPrefix(name, "no-")
		_, isType := TypeOf(name)
		switch {
		case word == "required":
			delete(f.Mods, "optional")
		case word == "type" || word == "":
			return f, &problem.Error{What: fmt.Sprintf("unknown change %q", word), Label: "changes", Where: "a modifier, no- and a modifier, required, or a type", Try: f.Name + " optional"}
		case no && isModifier(without):
			delete(f.Mods, without)
		case name == "type" || isType && !(isModifier(name) && f.Row().Allows(name)):
			if name == "type" {
				name, value, _ = strings.Cut(value, "=")
			}
			if _, ok := TypeOf(name); !ok {
				return f, &problem.Error{What: fmt.Sprintf("unknown type %q", name), Label: "types", Where: strings.Join(typeNames(), " "), Try: f.Name + " " + closest(name, typeNames(), "text")}
			}
			f.Type, f.Arg = name, value
		case isModifier(name):
			switch name {
			case "len":
				delete(f.Mods, "min")
				delete(f.Mods, "max")
			case "min", "max":
				delete(f.Mods, "len")
			}
			f.Mods[name] = value
		default:
			return f, &problem.Error{
				What: fmt.Sprintf("unknown change %q of %s", clip(word), f.Name), Label: "changes", Where: "a modifier, no- and a modifier, required, or a type",
				Try: f.Name + " " + closest(name, append(modifierNames(), "required"), "optional"),
			}
		}
	}
	var lost, without []string // modifiers dropped by the new type that no change removes explicitly
	for _, m := range Modifiers() {
		if f.Is(m[0]) && !f.Row().Allows(m[0]) && !slices.ContainsFunc(words, func(word string) bool { return word == m[0] || strings.HasPrefix(word, m[0]+"=") }) {
			lost, without = append(lost, m[0]), append(without, "no-"+m[0])
		}
	}
	if len(lost) > 0 {
		return f, &problem.Error{
			What: fmt.Sprintf("%s cannot keep %s as %s", f.Name, strings.Join(lost, ", "), f.Type), Where: was,
			Try: strings.Join(slices.Concat([]string{f.Name}, words, without), " "),
		}
	}
	return ParseField(f.String())
}

// converts rejects a new type to which stored values cannot be converted.
func (r Resource) converts(was, is Field) error {
	family := func(f Field) string {
		switch {
		case f.Is("array") || f.Relation() || f.Row().Upload:
			return f.Type + f.Arg + map[bool]string{true: " array"}[f.Is("array")]
		case f.Row().Go == "string" && f.Type != "native":
			return "text"
		case f.Row().Go == "int" || f.Row().Go == "int64":
			return "number"
		}
		return f.Type
	}
	a, b := family(was), family(is)
	if a == b || a == "number" && b == "text" && is.Type != "enum" {
		return nil
	}
	other := is
	if other.Name += "_2"; !other.Is("default") && other.Row().Allows("optional") {
		other.Mods = maps.Clone(is.Mods)
		other.Mods["optional"] = ""
	}
	return &problem.Error{
		What:  fmt.Sprintf("existing values of %s cannot be converted from %s to %s. Add another field, fill it in a migration, and remove %[1]s", was.Name, was.Type, is.Type),
		Where: r.Name + " " + was.String(),
		Try:   "nexios add field " + r.Name + " " + other.String(),
	}
}
