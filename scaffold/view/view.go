// Package view works out everything that templates read from what the user
// said: every Go name, tag, sample and expected answer. A template is left
// with places to fill, lists to go through and flags to ask. A view is plain
// data: equal words give views that are equal to reflect.DeepEqual.
package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// The import paths that generated files need.
const (
	ginImport      = "github.com/gin-gonic/gin"
	gormImport     = "gorm.io/gorm"
	uuidImport     = "github.com/google/uuid"
	runtimeImport  = "github.com/nexios-go/nexios/runtime/"
	dbImport       = runtimeImport + "db"
	webImport      = runtimeImport + "web"
	authImport     = runtimeImport + "auth"
	authtestImport = runtimeImport + "auth/authtest"
	filesImport    = runtimeImport + "files"
	webtestImport  = runtimeImport + "webtest"

	organisationsImport     = runtimeImport + "organisations"
	organisationstestImport = runtimeImport + "organisations/organisationstest"
)

// Resource is what the templates of a resource read.
type Resource struct {
	Module  string // the project's module path
	Package string // the room's package and folder: "blogposts"
	Tag     string // of its routes, and what scopes of API keys name: "blogposts"
	Under   string // Go expression of where its routes are mounted: "api"
	Path    string // of its routes: "/blog-posts"
	Table   string
	Type    string   // of a row: "BlogPost"
	Var     string   // a variable that holds one: "blogPost", or "row" where that is taken
	KeyPath string   // of one row: "/:id"
	One     string   // for people: "blog post"
	AOne    string   // "a blog post"
	Many    string   // "blog posts"
	Routes  bool     // false: a model without a room
	UUID    bool     // keys are UUIDs
	Owner   bool     // rows belong to users
	Uploads []string // columns that hold names of uploads

	Organisation bool // rows belong to organisations, one of which the path names

	Model      Model
	Migrations []Migration // the first makes the table; the others add fields
	Room       Room
	Input      Input
	Test       Test

	// Words are what the {words} in the paths of files stand for: {model} and
	// {room}. The {migration} is that of each.
	Words map[string]string
}

// Line is one field of a struct.
type Line struct {
	Name string
	Type string
	Tag  string
	Note string // an end-of-line comment, without the slashes
}

// Model is the file of the row's type.
type Model struct {
	Imports   string
	Doc       string // what the database says of the table; "" for nothing
	Fields    []Line // columns
	Relations []Line // rows of other tables
	TableName bool   // GORM would guess another table
	Receiver  string
	Rules     []Rule
	Private   []Private // fields for the owner and administrators
	Kept      bool      // from the updates of others, who may change such rows
	Owner     string    // who that is: "UserID", or "" for administrators alone
}

// Rule is a method of the model that says whose rows are whose.
type Rule struct {
	Name string // "Readable" or "Writable"
	Doc  string // completes "the notes that the caller may"
	All  string // a call that says it all: "auth.SignedIn(tx)"
	Own  bool   // else: the caller's own, and an administrator all
	Or   string // a bool column that lets others, too; "" for none
}

// Private is a field that is blanked for others.
type Private struct {
	Name   string
	Column string
	Zero   string // Go expression of what others see
}

// resource is what is worked with while a view is made.
type resource struct {
	p      spec.Project
	r      spec.Resource
	fields []field
	made   bool         // the table is there: a migration adds to it
	later  []spec.Later // columns of the model that this version of the routes does not know
}

// field is a field of the resource and what it points at.
type field struct {
	spec.Field
	row     spec.Type
	target  spec.Resource // of a relation
	account bool          // target is the auth feature's table of users
	samples []spec.Value
	native  bool // an array is one of the database's own
}

// Of returns the view of r, which is one of p's resources. It fails only on
// words that spec.Project.Add would have refused.
//
// Of a resource with several versions of its routes, the room is v1's; there is none
// where that is gone.
func Of(p spec.Project, r spec.Resource) (Resource, error) {
	v, err := OfVersion(p, r, 0)
	if v.Package != r.Package() {
		v.Package, v.Routes, v.Room, v.Input, v.Test = r.Package(), false, Room{}, Input{}, Test{}
		v.Words["room"] = v.Package
	}
	return v, err
}

// OfVersion is Of with the room of a version of the routes; version counts from 0, the
// oldest.
func OfVersion(p spec.Project, r spec.Resource, version int) (Resource, error) {
	w, err := settle(p, r)
	if err != nil {
		return Resource{}, err
	}
	served, pkg := r.OfVersion(version)
	room := w
	if version < len(r.Older) {
		if room, err = settle(p, served); err != nil {
			return Resource{}, err
		}
		if room.later, err = r.Later(version); err != nil {
			return Resource{}, err
		}
	}
	v := Resource{
		Module:  p.Module,
		Package: pkg,
		Tag:     r.Package(),
		Under:   "api",
		Path:    "/" + strings.ReplaceAll(r.Plural, "_", "-"),
		Table:   r.TableName(),
		Type:    exported(r.Name),
		Var:     variable(r.Name, pkg),
		One:     words(r.Name),
		AOne:    article(words(r.Name)),
		Many:    words(r.Plural),
		Routes:  !r.ModelOnly,
		UUID:    r.UUID,
		Owner:   r.Owner,

		Organisation: r.Organisation,
	}
	if r.Organisation {
		v.Path = "/organisations/:organisation" + v.Path
	}
	for _, f := range w.uploads() {
		v.Uploads = append(v.Uploads, f.Column())
	}
	v.Model = w.model()
	v.KeyPath = w.keyPath()
	if v.Migrations, err = w.migrations(); err != nil {
		return Resource{}, err
	}
	v.Words = map[string]string{
		"model": fileName(strings.ReplaceAll(r.Name, "_", "")),
		"room":  pkg,
	}
	if !r.ModelOnly {
		v.Input = room.input()
		v.Room = room.room(v)
		if v.Test, err = room.test(v); err != nil {
			return Resource{}, err
		}
		if pkg != r.Package() {
			v.Under = quoted("/api/" + r.Versions()[version])
		}
		if version < len(r.Older) {
			old := r.Older[version]
			v.Room.Deprecated = "web.Deprecation{Since: " + quoted(old.Since) + ", "
			if old.Sunset != "" {
				v.Room.Deprecated += "Sunset: " + quoted(old.Sunset) + ", "
			}
			v.Room.Deprecated += "Successor: " + quoted("/api/"+r.Versions()[version+1]) + "}"
		}
	}
	return v, nil
}

func settle(p spec.Project, r spec.Resource) (resource, error) {
	w, err := past(p, r)
	if err != nil {
		return w, err
	}
	for i, f := range w.fields {
		if _, ok := p.Target(f.Field); f.Relation() && !ok {
			return w, fmt.Errorf("%s: no table %s", f, f.Arg)
		}
		w.fields[i].samples = f.Samples(spec.Rows + 1)
	}
	return w, nil
}

// past is the resource as it was: what it referred to may be gone.
func past(p spec.Project, r spec.Resource) (resource, error) {
	w := resource{p: p, r: r}
	parsed, err := r.Parsed()
	if err != nil {
		return w, err
	}
	for _, f := range parsed {
		one := field{Field: f, row: f.Row()}
		one.native = r.Existing != nil && !slices.ContainsFunc(r.Added, func(a spec.Addition) bool { return slices.Contains(a.Fields, f.Name) })
		if f.Relation() {
			var ok bool
			one.target, ok = p.Target(f)
			one.account = p.HasFeature("auth") && one.target.Name == spec.Users().Name
			if !ok {
				one.target = spec.Resource{Name: spec.Singular(spec.Table(f.Arg)), Plural: spec.Table(f.Arg)}
			}
		}
		w.fields = append(w.fields, one)
	}
	return w, nil
}

// then is past at the time of a migration: what it referred to by the names of
// that time, too.
func then(p spec.Project, r spec.Resource, migration string) (resource, error) {
	w, err := past(p, r)
	for i, f := range w.fields {
		w.fields[i].target = f.target.At(migration)
	}
	return w, err
}

// fileName keeps the go command from reading a meaning into a file's name: it
// builds x_windows.go on Windows only, and x_test.go in tests only.
func fileName(base string) string {
	last := base[strings.LastIndexByte(base, '_')+1:]
	if last != base && slices.Contains(strings.Fields(fileSuffixes), last) {
		return base + "_table"
	}
	return base
}

const fileSuffixes = `test aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris
	wasip1 windows zos 386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32
	mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm unix cgo`

// goType is the Go type of the field's values, elements of an array included.
func (f field) goType() string {
	if f.Type == "ref" {
		return keyType(f.target)
	}
	name, _ := f.Go()
	return name
}

// goImports are what goType and values of it need.
func (f field) goImports() []string {
	if f.Type == "ref" {
		return keyImports(f.target)
	}
	_, imports := f.Go()
	return imports
}

// nilable reports whether nil stands for null in the type itself.
func (f field) nilable() bool { return f.row.Nil }

// column is the type of the field in the model.
func (f field) modelType() string {
	switch {
	case f.Is("array"):
		return f.arrayType()
	case f.Is("optional") && !f.nilable():
		return "*" + f.goType()
	}
	return f.goType()
}

// serves reports whether the room has the action. There is nothing to update
// where every field is immutable.
func (w resource) serves(action string) bool {
	return w.r.Serves(action) && (action != "update" || slices.ContainsFunc(w.fields, func(f field) bool {
		return f.Input() != "" && !f.Is("immutable")
	}))
}

// columns are the fields that are columns of the table.
func (w resource) columns() []field {
	return slices.DeleteFunc(slices.Clone(w.fields), func(f field) bool { return f.Column() == "" })
}

// related are the fields of one of the types of relation.
func (w resource) related(types ...string) []field {
	return slices.DeleteFunc(slices.Clone(w.fields), func(f field) bool { return !slices.Contains(types, f.Type) })
}

// uploads are the fields that name uploads.
func (w resource) uploads() []field {
	return slices.DeleteFunc(slices.Clone(w.fields), func(f field) bool { return !f.row.Upload })
}

// ownUnique reports whether something is unique among the rows of an owner.
func (w resource) ownUnique() bool {
	within := w.r.Within() == "user_id"
	return within && slices.ContainsFunc(w.fields, func(f field) bool { return f.Is("unique") }) ||
		w.r.Owner && slices.ContainsFunc(w.r.Indexes, func(word string) bool {
			x := spec.ParseIndex(word)
			return x.Unique && (within || slices.Contains(x.Fields, "user_id"))
		})
}

// ownTaken reports whether a request can meet what is taken among the rows of an
// owner: no body has readonly fields, and rows without a value do not conflict.
func (w resource) ownTaken() bool {
	unset := func(f field) bool { return f.Is("readonly") }
	var null []string
	for _, f := range w.fields {
		if unset(f) && f.Is("optional") {
			null = append(null, f.Name)
		}
	}
	w.fields = slices.DeleteFunc(slices.Clone(w.fields), unset)
	w.r.Indexes = slices.DeleteFunc(slices.Clone(w.r.Indexes), func(word string) bool {
		return slices.ContainsFunc(spec.ParseIndex(word).Fields, func(name string) bool { return slices.Contains(null, name) })
	})
	return w.ownUnique()
}

func (w resource) model() Model {
	m := Model{
		Receiver:  strings.ToLower(w.r.Name[:1]),
		TableName: guessedTable(w.r.Name) != w.r.TableName(),
	}
	var paths []string
	if id := w.r.ID(); id != "" {
		how := ""
		if id != "id" {
			how = "column:" + id + ";primaryKey"
		}
		m.Fields = append(m.Fields, Line{Name: "ID", Type: keyType(w.r), Tag: tag("json", id, "gorm", how, "doc", w.doc(id))})
	}
	if w.r.UUID {
		paths = append(paths, uuidImport, gormImport)
	}
	if w.r.Owner {
		m.Owner = "UserID"
		how := ""
		if w.ownUnique() {
			how = "owner"
		}
		m.Fields = append(m.Fields, Line{Name: "UserID", Type: "int64", Tag: tag("json", "user_id", "gorm", how)})
		m.Relations = append(m.Relations, Line{Name: "User", Type: "*PublicUser", Tag: tag("json", "user,omitzero")})
	}
	if w.r.Organisation {
		paths = append(paths, organisationsImport)
		m.Fields = append(m.Fields, Line{Name: "OrganisationID", Type: "int64", Tag: tag("json", "organisation_id", "gorm", "<-:create")})
	}
	m.Doc = w.doc("")
	if m.Rules = w.ruled(); len(m.Rules) > 0 {
		paths = append(paths, gormImport)
		if !w.r.Organisation {
			paths = append(paths, authImport)
		}
	}
	for _, f := range w.columns() {
		key := f.Column()
		if f.Is("secret") {
			key = "-"
		}
		if f.Is("private") {
			m.Private = append(m.Private, Private{exported(f.Column()), f.Column(), f.zero()})
			m.Kept = w.r.Serves("update") && (w.r.Write == "user" || !w.r.Owner && w.r.Guard != "admin" && w.r.Write != "admin")
			paths = append(paths, gormImport, authImport)
		}
		how := slices.DeleteFunc([]string{columnName(f.Column()), f.ModelTag(), w.adopted(f)}, func(s string) bool { return s == "" })
		m.Fields = append(m.Fields, Line{
			Name: exported(f.Column()), Type: f.modelType(),
			Tag: tag("json", key, "gorm", strings.Join(how, ";"), "schema", strings.Join(f.shown(), ","), "doc", w.doc(f.Column())),
		})
		paths = append(paths, f.goImports()...)
		if f.Is("array") {
			paths = append(paths, dbImport)
		}
	}
	for _, at := range [][2]string{{"CreatedAt", w.r.Created()}, {"UpdatedAt", w.r.Updated()}} {
		if name, column := at[0], at[1]; column != "" {
			how := ""
			if column != spec.Snake(name) {
				how = "column:" + column
			}
			m.Fields = append(m.Fields, Line{Name: name, Type: "time.Time", Tag: tag("json", column, "gorm", how, "doc", w.doc(column))})
			paths = append(paths, "time")
		}
	}
	if w.r.SoftDelete {
		paths = append(paths, gormImport)
		m.Fields = append(m.Fields, Line{Name: "DeletedAt", Type: "gorm.DeletedAt", Tag: tag("json", "-")})
	}
	for _, f := range w.related("ref", "many", "has") {
		line := Line{Name: exported(f.Name), Type: "[]" + f.relatedType()}
		var how string
		switch f.Type {
		case "ref":
			line.Type = "*" + f.relatedType()
			if f.target.Name == w.r.Name || exported(f.Name)+"ID" != exported(f.Column()) || w.mutual(f) {
				how = "foreignKey:" + exported(f.Column())
			}
			if name := keyName(f.target); name != "ID" {
				how = "foreignKey:" + exported(f.Column()) + ";references:" + name
			}
		case "has":
			back, _ := spec.BackRef(w.r, f.target, f.Field)
			how = "foreignKey:" + exported(back.Column())
			if name := keyName(w.r); name != "ID" {
				how += ";references:" + name
			}
		case "many":
			how = "many2many:" + w.r.JoinTable(f.Field)
			if ids := f.Input(); ids != "" {
				how += ";ids:" + ids
			}
			mine, other := w.joined(f)
			if _, ok := w.r.Join(f.Field); f.target.Organisation {
				how += ";foreignKey:OrganisationID,ID;joinForeignKey:OrganisationID," + mine + ";references:OrganisationID,ID;joinReferences:OrganisationID," + other
			} else if ok {
				how += ";foreignKey:" + keyName(w.r) + ";joinForeignKey:" + mine + ";references:" + keyName(f.target) + ";joinReferences:" + other
			} else if other != f.relatedType()+"ID" || f.target.Name == w.r.Name ||
				!Guessable(w.r.Name) || !Guessable(f.target.Name) {
				how += ";joinForeignKey:" + mine + ";joinReferences:" + other
			}
		}
		line.Tag = tag("json", f.Name+",omitzero", "gorm", how)
		m.Relations = append(m.Relations, line)
	}
	m.Imports = imports(w.p.Module, paths...)
	return m
}

// joined are the Go names of the columns of the table between the resource and the
// rows of its many field.
func (w resource) joined(f field) (mine, other string) {
	if j, ok := w.r.Join(f.Field); ok {
		return exported(j.Mine), exported(j.Other)
	}
	return exported(w.r.Name) + "ID", exported(spec.Singular(f.Name)) + "ID"
}

// mutual reports whether rows of the target refer to the resource's as well, by a
// column that GORM would take for the one of this relation.
func (w resource) mutual(f field) bool {
	fields, err := f.target.Parsed()
	return err == nil && slices.ContainsFunc(fields, func(back spec.Field) bool {
		return back.Type == "ref" && exported(back.Column()) == exported(w.r.Name)+"ID"
	})
}

// shown are the rules that readers of the field may rely on: which values and
// which form a text has. Limits may have been others when a row was written,
// and of a private text others read none.
func (f field) shown() []string {
	if f.row.Go != "string" || f.Is("secret") || f.Is("private") && !f.Is("optional") && !f.Is("array") {
		return nil
	}
	rules := slices.DeleteFunc(f.rules(), func(rule string) bool {
		name, _, _ := strings.Cut(rule, "=")
		return f.row.Allows(name) || name == "min" || name == "max"
	})
	if len(rules) > 0 && f.Is("array") {
		rules = append([]string{"dive"}, rules...)
	}
	return rules
}

// doc is what the database says of a column, or of the table.
func (w resource) doc(column string) string {
	if w.r.Existing == nil {
		return ""
	}
	return w.r.Existing.Docs[column]
}

// arrayType is the type of a list of the field's values in the model.
func (f field) arrayType() string {
	if f.native {
		return "db.NativeArray[" + f.goType() + "]"
	}
	return "db.Array[" + f.goType() + "]"
}

// adopted is the gorm tag of what is true of a column that was there before.
func (w resource) adopted(f field) string {
	var how []string
	if w.isKey(f) {
		how = append(how, "primaryKey", "autoIncrement:false")
	}
	if f.Is("auto") {
		how = append(how, "default:(-)")
		if f.Is("readonly") {
			how = append(how, "->")
		}
	}
	return strings.Join(how, ";")
}

// relatedType is the model that stands for a row of the target where another
// table shows it: of an account, what is public.
func (f field) relatedType() string {
	if f.account {
		return "PublicUser"
	}
	return exported(f.target.Name)
}

// zero is the Go expression of the empty value of the model's field.
func (f field) zero() string {
	goType := f.modelType()
	switch {
	case strings.HasPrefix(goType, "*"), f.nilable(), f.Is("array"):
		return "nil"
	case f.row.Zero != "":
		return f.row.Zero
	}
	return goType + "{}"
}

// columnName tells GORM a column whose name it would not guess.
func columnName(column string) string {
	if Guessable(column) {
		return ""
	}
	return "column:" + column
}

func quoted(s string) string { return strconv.Quote(s) }
