package view

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Test is the file of the package's test: the resource as data, for webtest.Resource. Each
// entry of a list is a Go expression.
type Test struct {
	Imports string
	Name    string     // of the test: "BlogPosts"
	Lines   []string   // properties of the resource as a whole
	Fields  [][]string // the lines of each field
	Rows    []string   // rows that others refer to
	Others  []string   // likewise, of another user
	// Children are rows of another user that refer to those of the resource.
	Children []string
}

// parentID returns the key of the i-th row that others refer to, greater than the keys
// that the database generates in a test.
func parentID(r spec.Resource, i int) (goText, json string) {
	if f, ok := chosenKey(r); ok {
		return f.sample(i).Go, f.sample(i).JSON
	}
	if r.UUID {
		id := fmt.Sprintf("0192e4a0-7b3c-7d10-8000-%012d", 101+i)
		return "uuid.MustParse(" + quoted(id) + ")", quoted(id)
	}
	id := strconv.Itoa(101 + i)
	return id, id
}

func (w resource) test(v Resource) (Test, error) {
	internal := w.p.Module + "/internal/"
	t := Test{Name: exported(w.r.Plural)}
	paths := []string{"testing", webtestImport, internal + "migrations", internal + "model"}

	var loads, lists []string
	if w.r.Owner {
		loads = append(loads, quoted("user"))
	}
	for _, f := range w.fields {
		if f.Type == "has" {
			lists = append(lists, quoted(f.Name))
			continue
		}
		if f.Relation() && !w.empty(f) {
			loads = append(loads, quoted(f.Name))
		}
		t.Fields = append(t.Fields, w.testField(f))
	}
	values := fmt.Sprint(t.Fields)
	for mention, from := range map[string]string{"strings.Repeat(": "strings", "json.RawMessage(": "encoding/json"} {
		if strings.Contains(values, mention) {
			paths = append(paths, from)
		}
	}
	rowless := w.r.Existing != nil && w.r.Existing.Rowless
	all := &parents{}
	if !rowless {
		var err error
		if all, err = w.parents(); err != nil {
			return t, err
		}
	}
	t.Rows, t.Others, t.Children = all.list, all.others, all.children
	paths = append(paths, all.paths...)
	uploads := len(w.uploads()) > 0
	if uploads || all.uploads {
		t.Rows, paths = append(uploadRows(), t.Rows...), append(paths, filesImport)
	}
	who := w.access()
	guarded := w.p.HasFeature("auth") // so that rows it refers to can have an owner
	signIn := "authtest.SignIn"
	switch {
	case w.r.Organisation:
		signIn, paths = "organisationstest.SignIn", append(paths, organisationstestImport)
	case guarded:
		paths = append(paths, authtestImport)
	}
	if uploads && guarded {
		t.Others = append(t.Others, "files.File{Name: "+quoted(spec.OthersUpload)+"}")
	}

	module, name := internal+v.Package, v.Package
	if name == "resource" || slices.ContainsFunc(paths, func(other string) bool { return path.Base(other) == name }) {
		module, name = module+" as served", "served" // its name is used in the file
	}
	t.Imports = imports(w.p.Module, append(paths, module)...)

	line := func(is bool, key, value string) {
		if is {
			t.Lines = append(t.Lines, key+": "+value)
		}
	}
	only := w.only()
	line(true, "Module", name+".Module")
	line(true, "Migrations", "migrations.All()")
	line(true, "Path", quoted(strings.Replace(v.Path, ":organisation", "101", 1)))
	line(true, "Model", "model."+v.Type+"{}")
	line(rowless, "Rowless", "true")
	line(only != "", "Only", "[]string{"+only+"}")
	line(guarded, "SignIn", signIn)
	line(w.r.Organisation, "Organisation", "organisationstest.Two()")
	line(guarded, "Read", quoted(who.read))
	line(guarded, "Write", quoted(strings.TrimPrefix(who.write, "member ")))
	line(w.r.Owner, "Owner", quoted("user_id"))
	line(w.ownConflicts() && w.r.Within() != "", "UniqueWithin", quoted("owner"))
	line(w.r.Public != "", "Public", quoted(w.r.Public))
	line(w.r.Lock, "Lock", "true")
	line(len(loads) > 0, "Loads", "[]string{"+strings.Join(loads, ", ")+"}")
	line(len(lists) > 0, "Lists", "[]string{"+strings.Join(lists, ", ")+"}")
	return t, nil
}

// only returns the actions that the package serves; "" for all.
func (w resource) only() string {
	var some []string
	for _, action := range spec.Actions() {
		if w.serves(action) {
			some = append(some, quoted(action))
		}
	}
	if len(some) == len(spec.Actions()) {
		return ""
	}
	return strings.Join(some, ", ")
}

// empty reports whether samples omit the field: a ref to rows of its own table, of which
// there are none yet, or to rows that refer to such rows.
func (w resource) empty(f field) bool {
	return f.Relation() && (f.target.Name == w.r.Name || f.Type != "has" && (f.Is("optional") || f.Type == "many") && w.reaches(f.target, w.r.Name)) || f.Type == "native" && len(f.samples) == 0
}

// testField returns one field in the test: its name and flags first, then a line for each
// list.
func (w resource) testField(f field) []string {
	head := "Name: " + quoted(cmp.Or(f.Input(), f.Column()))
	flag := func(is bool, name string) {
		if is {
			head += ", " + name + ": true"
		}
	}
	flag(f.Is("optional"), "Optional")
	flag(f.Is("unique"), "Unique")
	flag(f.noCase(), "NoCase")
	flag(f.Is("auto"), "Auto")
	flag(f.Is("immutable"), "Immutable")
	flag(f.Is("readonly"), "ReadOnly")
	flag(f.Is("secret"), "Secret")
	flag(f.Is("private"), "Private")
	flag(f.row.Upload, "Upload")
	flag(f.Is("search"), "Search")
	flag(f.Is("sort"), "Sort")
	flag(f.Is("filter"), "Filter")
	flag(f.Is("filter") && f.row.Filters == "range", "Range")
	if key, ok := chosenKey(f.target); ok && (f.Type == "ref" || f.Type == "many") && len(key.samples) > spec.Rows {
		head += ", Absent: " + key.sample(spec.Rows).JSON
	}
	if strings.HasPrefix(f.target.KeyType(), "tinyint") {
		head += ", Absent: 99"
	}
	if f.Type == "many" {
		head += ", Many: " + quoted(f.Name)
	}
	if rule := w.onDelete(f); rule != "" {
		head += ", OnDelete: " + quoted(rule)
	}
	if value, ok := f.Default(); ok {
		head += ", Default: " + value.JSON
	}
	lines := []string{head}
	if !w.empty(f) {
		var values []string
		for i := range spec.Rows {
			values = append(values, f.bodyValue(i))
		}
		lines = append(lines, "Values: []any{"+strings.Join(values, ", ")+"}")
	}
	if f.Is("readonly") {
		return lines // not part of any body
	}
	if valid := f.valid(); len(valid) > 0 {
		lines = append(lines, "Valid: []any{"+strings.Join(valid, ", ")+"}")
	}
	if breaks := f.breaks(); breaks != "" {
		lines = append(lines, "Breaks: webtest.Breaks{"+breaks+"}")
	}
	return lines
}

// noCase reports whether the sample in upper case is valid too, and is equal to it by the
// field's rules.
func (f field) noCase() bool {
	if !f.Folded() || f.Type == "slug" || f.Is("pattern") {
		return false
	}
	s := f.sample(0)
	return strings.ToUpper(s.Text) != s.Text && s.JSON == quoted(s.Text)
}

// bodyValue returns the field's value in the i-th body.
func (f field) bodyValue(i int) string {
	switch {
	case f.Type == "many":
		_, id := parentID(f.target, i)
		return "[]any{" + id + "}"
	case f.Type == "ref":
		_, id := parentID(f.target, i)
		return id
	case f.Is("array"):
		return "[]any{" + f.sample(i).JSON + "}"
	}
	return f.sample(i).JSON
}

// valid returns the values that just pass the rules, and Go's zero value if valid.
func (f field) valid() (values []string) {
	for _, edge := range f.Edges() {
		values = append(values, edge.JSON)
	}
	if zero, ok := f.Empty(); ok && !slices.Contains(values, zero.JSON) {
		values = append(values, zero.JSON)
	}
	if f.Is("array") {
		for i, value := range values {
			values[i] = "[]any{" + value + "}"
		}
		values = append(values, "[]any{}")
	}
	return values
}

// breaks returns the values that break a rule, by rule.
func (f field) breaks() string {
	var rules []string
	values := map[string][]string{}
	for _, bad := range f.Bad() {
		_, hasDefault := f.Default()
		if bad.Rule == "required" && (f.Is("array") || hasDefault || f.Is("auto")) {
			// A list may be empty, and a field with a default, or one that the database
			// fills, may be omitted, but not empty.
			bad.Rule, _, _ = strings.Cut(f.rules()[0], "=")
		}
		// An invalid element of a list is reported by its index.
		if f.Is("array") {
			bad.JSON = "[]any{" + bad.JSON + "}"
		}
		if values[bad.Rule] == nil {
			rules = append(rules, bad.Rule)
		}
		values[bad.Rule] = append(values[bad.Rule], bad.JSON)
	}
	for i, rule := range rules {
		rules[i] = quoted(rule) + ": {" + strings.Join(values[rule], ", ") + "}"
	}
	return strings.Join(rules, ", ")
}

// cell returns the field of a row that others refer to.
func (f field) cell(i int) string {
	name := exported(f.Column()) + ": "
	if f.Type == "ref" {
		id, _ := parentID(f.target, i%spec.Rows)
		return name + id
	}
	value := f.sample(i).Go
	if f.Is("array") {
		value = f.arrayType() + "{" + value + "}"
	}
	return name + value
}

// sample returns the field's value in the i-th row. The second is the smallest, so that a
// list sorted by the field differs from any other order.
func (f field) sample(i int) spec.Value {
	if len(f.samples) > 1 && i < 2 {
		i = 1 - i
	}
	return f.samples[i%len(f.samples)]
}

// parents are rows that those of a test refer to, as Go expressions.
type parents struct {
	list     []string // those of the caller, or without an owner
	others   []string // those of another user or organisation, readable only by it
	children []string // rows of has fields that nobody else may read
	paths    []string // imports of their values
	uploads  bool     // some name uploads
	within   bool     // the rows under test belong to an organisation
	outside  bool     // some belong to the other organisation, though those under test belong to none
	done     map[string]bool
}

// parents makes the rows that the resource's rows refer to, and those that these refer to
// in turn, in an order in which they can be stored.
func (w resource) parents() (*parents, error) {
	all := &parents{done: map[string]bool{w.r.Name: true}, within: w.r.Organisation}
	for _, f := range w.fields {
		if w.empty(f) {
			continue
		}
		var err error
		switch f.Type {
		case "ref", "many":
			err = all.visit(w.p, f.target)
		case "has":
			err = all.child(w, f)
		}
		if err != nil {
			return all, err
		}
	}
	if all.outside {
		all.list = append([]string{"model.Organisation{ID: organisationstest.Other}"}, all.list...)
		all.paths = append(all.paths, organisationstestImport)
	}
	return all, nil
}

func (all *parents) visit(p spec.Project, r spec.Resource) error {
	if all.done[r.Name] {
		return nil
	}
	all.done[r.Name] = true
	w, err := resolve(p, r)
	if err != nil {
		return err
	}
	if err := all.visitRefs(w, ""); err != nil {
		return err
	}
	for i := range spec.Rows {
		all.list = append(all.list, all.row(w, i, ""))
	}
	switch {
	case w.r.Organisation && all.within:
		all.others = append(all.others, all.row(w, spec.Rows, ""))
	case w.access().read == "owner" && w.fourth():
		all.others = append(all.others, all.row(w, spec.Rows, ""))
	}
	return nil
}

// visitRefs makes the rows that w must refer to, except for one column.
func (all *parents) visitRefs(w resource, but string) error {
	for _, f := range w.fields {
		if f.Type == "ref" && !f.Is("optional") && f.Column() != but {
			if err := all.visit(w.p, f.target); err != nil {
				return err
			}
		}
	}
	return nil
}

// fourth reports whether there can be one row more than the values of a test.
func (w resource) fourth() bool {
	return !slices.ContainsFunc(w.fields, func(f field) bool {
		return f.Is("unique") && !f.Is("optional") && (f.Type == "ref" || len(f.samples) <= spec.Rows)
	})
}

// child makes a row that refers to the one under test.
func (all *parents) child(w resource, f field) error {
	child, err := resolve(w.p, f.target)
	if err != nil || child.access().read != "owner" && (!child.r.Organisation || w.r.Organisation) {
		return err // readable by all, or kept within the organisation by the database
	}
	back, _ := spec.BackRef(w.r, f.target, f.Field)
	for _, other := range child.fields {
		if other.Type == "ref" && !other.Is("optional") && other.Name != back.Name && (other.target.Name == w.r.Name || child.reaches(other.target, w.r.Name)) {
			return nil // there is no row that it could refer to
		}
	}
	if err := all.visitRefs(child, back.Column()); err != nil {
		return err
	}
	all.children = append(all.children, all.row(child, 0, back.Column()))
	return nil
}

// row returns the i-th row of a table, with its required fields except for one column. It
// has a key if others refer to it. The test sets the owner, and the organisation if the
// rows under test have one; the fourth row belongs to the other organisation.
func (all *parents) row(w resource, i int, but string) string {
	var cells []string
	if but == "" && w.r.ID() != "" {
		id, _ := parentID(w.r, i)
		cells = append(cells, "ID: "+id)
		if w.r.UUID {
			all.paths = append(all.paths, uuidImport)
		}
	}
	if w.r.Organisation && (!all.within || i == spec.Rows) {
		all.outside = all.outside || !all.within
		all.paths = append(all.paths, organisationstestImport)
		cells = append(cells, "OrganisationID: organisationstest.Other")
	}
	for _, f := range w.fields {
		if f.Is("optional") || f.Is("auto") || f.Type == "many" || f.Type == "has" || f.Column() == but {
			continue
		}
		if f.Type == "ref" && f.target.Organisation && all.within && i == spec.Rows {
			id, _ := parentID(f.target, i)
			cells = append(cells, exported(f.Column())+": "+id)
			continue
		}
		if f.Name == w.r.Public {
			cells = append(cells, exported(f.Column())+": false")
			continue
		}
		all.uploads = all.uploads || f.row.Upload
		cells = append(cells, f.cell(i))
		all.paths = append(all.paths, f.goImports()...)
		if f.Is("array") {
			all.paths = append(all.paths, dbImport)
		}
	}
	return "model." + exported(w.r.Name) + "{" + strings.Join(cells, ", ") + "}"
}

// uploadRows returns the uploads that samples name; their contents do not matter.
func uploadRows() []string {
	f, err := spec.ParseField("file:file")
	if err != nil {
		panic(err) // the definition is valid
	}
	var rows []string
	for _, sample := range f.Samples(spec.Rows) {
		rows = append(rows, "files.File{Name: "+sample.JSON+"}")
	}
	return rows
}

// onDelete returns what happens to the first row when the row it refers to is deleted; ""
// if other rows of the test refer to that row too.
func (w resource) onDelete(f field) string {
	if f.Type != "ref" || w.empty(f) || w.r.Owner && f.target.Name == "user" {
		return ""
	}
	for _, other := range w.fields {
		if other.Name != f.Name && (other.Type == "ref" || other.Type == "many") &&
			(other.target.Name == f.target.Name || w.reaches(other.target, f.target.Name)) {
			return ""
		}
	}
	return cmp.Or(f.Mods["ondelete"], "restrict")
}

// reaches reports whether rows of r refer to rows of the table name.
func (w resource) reaches(r spec.Resource, name string) bool {
	fields, err := r.Parsed()
	if err != nil || r.Name == w.r.Name {
		return false
	}
	if r.Owner && name == "user" {
		return true
	}
	for _, f := range fields {
		if f.Type != "ref" || f.Is("optional") {
			continue
		}
		if target, ok := w.p.Target(f); ok && (target.Name == name || target.Name != r.Name && w.reaches(target, name)) {
			return true
		}
	}
	return false
}
