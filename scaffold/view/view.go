// Package view derives everything that templates read from the user's declaration: every
// Go name, tag, sample and expected response. Templates only fill in placeholders, iterate
// over lists and check flags. A view is plain data: equal declarations give views that are
// equal by reflect.DeepEqual.
package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Import paths that generated files need.
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

// Resource is the data of a resource's templates.
type Resource struct {
	Module  string // the project's module path
	Package string // package and folder of its routes: "blogposts"
	Tag     string // tag of its routes, and the name in scopes of API keys: "blogposts"
	Under   string // Go expression of the router that its routes are mounted on: "api"
	Path    string // path of its routes: "/blog-posts"
	Table   string
	Type    string   // type of a row: "BlogPost"
	Var     string   // a variable for one row: "blogPost", or "row" if that is taken
	KeyPath string   // path of one row: "/:id"
	One     string   // in prose: "blog post"
	AOne    string   // "a blog post"
	Many    string   // "blog posts"
	Routes  bool     // false for a model without routes
	UUID    bool     // keys are UUIDs
	Owner   bool     // rows belong to users
	Uploads []string // columns that contain names of uploads

	Organisation bool // rows belong to organisations, one of which the path names

	Model      Model
	Migrations []Migration // the first creates the table; the others change it
	Handlers   Handlers
	Input      Input
	Test       Test

	// Words are the values of the {words} in the paths of files: {model} and {package}. The
	// {migration} is that of each migration.
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
	Doc       string // comment of the table in the database; "" for none
	Fields    []Line // columns
	Relations []Line // rows of other tables
	TableName bool   // GORM would infer another table
	Receiver  string
	Rules     []Rule
	Private   []Private // fields for the owner and administrators
	Kept      bool      // updates of others, who may change such rows, keep them
	Owner     string    // column of the owner: "UserID", or "" for administrators only
}

// Rule is a method of the model that defines who may access which rows.
type Rule struct {
	Name string // "Readable" or "Writable"
	Doc  string // completes "the notes that the caller may"
	All  string // a call that implements the rule: "auth.SignedIn(tx)"
	Own  bool   // otherwise: the caller's own rows, and all for an administrator
	Or   string // a bool column that allows others, too; "" for none
}

// Private is a field that is blanked for others.
type Private struct {
	Name   string
	Column string
	Zero   string // Go expression of what others see
}

// resource is the working state while a view is built.
type resource struct {
	p      spec.Project
	r      spec.Resource
	fields []field
	made   bool         // the table exists: a migration adds to it
	later  []spec.Later // columns of the model that this version of the routes lacks
}

// field is a field of the resource and the table it refers to.
type field struct {
	spec.Field
	row     spec.Type
	target  spec.Resource // of a relation
	account bool          // target is the users table of the auth feature
	samples []spec.Value
	native  bool // an array of the database's own type
}

// Of returns the view of r, a resource of p. It fails only on definitions that
// [spec.Project.Add] would have rejected.
//
// For a resource with several versions of its routes, the package is that of v1; it has
// none if v1 was removed.
func Of(p spec.Project, r spec.Resource) (Resource, error) {
	v, err := OfVersion(p, r, 0)
	if v.Package != r.Package() {
		v.Package, v.Routes, v.Handlers, v.Input, v.Test = r.Package(), false, Handlers{}, Input{}, Test{}
		v.Words["package"] = v.Package
	}
	return v, err
}

// OfVersion is [Of] with the package of a version of the routes; version counts from 0,
// the oldest.
func OfVersion(p spec.Project, r spec.Resource, version int) (Resource, error) {
	w, err := resolve(p, r)
	if err != nil {
		return Resource{}, err
	}
	older, pkg := r.OfVersion(version)
	served := w
	if version < len(r.Older) {
		if served, err = resolve(p, older); err != nil {
			return Resource{}, err
		}
		if served.later, err = r.Later(version); err != nil {
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
		"model":   fileName(strings.ReplaceAll(r.Name, "_", "")),
		"package": pkg,
	}
	if !r.ModelOnly {
		v.Input = served.input()
		v.Handlers = served.handlers(v)
		if v.Test, err = served.test(v); err != nil {
			return Resource{}, err
		}
		if pkg != r.Package() {
			v.Under = quoted("/api/" + r.Versions()[version])
		}
		if version < len(r.Older) {
			old := r.Older[version]
			v.Handlers.Deprecated = "web.Deprecation{Since: " + quoted(old.Since) + ", "
			if old.Sunset != "" {
				v.Handlers.Deprecated += "Sunset: " + quoted(old.Sunset) + ", "
			}
			v.Handlers.Deprecated += "Successor: " + quoted("/api/"+r.Versions()[version+1]) + "}"
		}
	}
	return v, nil
}

func resolve(p spec.Project, r spec.Resource) (resource, error) {
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

// past returns the resource as it was, when tables that it referred to may have been
// removed since.
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

// asOf is past at the time of a migration, with the names that tables had at that time.
func asOf(p spec.Project, r spec.Resource, migration string) (resource, error) {
	w, err := past(p, r)
	for i, f := range w.fields {
		w.fields[i].target = f.target.At(migration)
	}
	return w, err
}

// fileName avoids file names with a meaning for the go command, which builds x_windows.go
// on Windows only, and x_test.go in tests only.
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

// goType returns the Go type of the field's values, and of the elements of an array.
func (f field) goType() string {
	if f.Type == "ref" {
		return keyType(f.target)
	}
	name, _ := f.Go()
	return name
}

// goImports returns the imports of goType and its values.
func (f field) goImports() []string {
	if f.Type == "ref" {
		return keyImports(f.target)
	}
	_, imports := f.Go()
	return imports
}

// nilable reports whether nil is the type's own null.
func (f field) nilable() bool { return f.row.Nil }

// modelType returns the type of the field in the model.
func (f field) modelType() string {
	switch {
	case f.Is("array"):
		return f.arrayType()
	case f.Is("optional") && !f.nilable():
		return "*" + f.goType()
	}
	return f.goType()
}

// serves reports whether the package has the action. There is nothing to update if every
// field is immutable.
func (w resource) serves(action string) bool {
	return w.r.Serves(action) && (action != "update" || slices.ContainsFunc(w.fields, func(f field) bool {
		return f.Input() != "" && !f.Is("immutable")
	}))
}

// columns returns the fields that are columns of the table.
func (w resource) columns() []field {
	return slices.DeleteFunc(slices.Clone(w.fields), func(f field) bool { return f.Column() == "" })
}

// related returns the fields of the given types of relation.
func (w resource) related(types ...string) []field {
	return slices.DeleteFunc(slices.Clone(w.fields), func(f field) bool { return !slices.Contains(types, f.Type) })
}

// uploads returns the fields that name uploads.
func (w resource) uploads() []field {
	return slices.DeleteFunc(slices.Clone(w.fields), func(f field) bool { return !f.row.Upload })
}

// ownUnique reports whether something is unique per owner.
func (w resource) ownUnique() bool {
	within := w.r.Within() == "user_id"
	return within && slices.ContainsFunc(w.fields, func(f field) bool { return f.Is("unique") }) ||
		w.r.Owner && slices.ContainsFunc(w.r.Indexes, func(word string) bool {
			x := spec.ParseIndex(word)
			return x.Unique && (within || slices.Contains(x.Fields, "user_id"))
		})
}

// ownConflicts reports whether a request can conflict with other rows of the same owner:
// bodies have no readonly fields, and nulls do not conflict.
func (w resource) ownConflicts() bool {
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
	if m.Rules = w.rules(); len(m.Rules) > 0 {
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

// joined returns the Go names of the columns of the join table of a many field.
func (w resource) joined(f field) (mine, other string) {
	if j, ok := w.r.Join(f.Field); ok {
		return exported(j.Mine), exported(j.Other)
	}
	return exported(w.r.Name) + "ID", exported(spec.Singular(f.Name)) + "ID"
}

// mutual reports whether rows of the target refer to the resource as well, by a column
// that GORM would mistake for that of this relation.
func (w resource) mutual(f field) bool {
	fields, err := f.target.Parsed()
	return err == nil && slices.ContainsFunc(fields, func(back spec.Field) bool {
		return back.Type == "ref" && exported(back.Column()) == exported(w.r.Name)+"ID"
	})
}

// shown returns the rules that readers of the field may rely on: the allowed values and
// the form of a text. Limits may have been different when a row was written, and private
// texts are blanked for others.
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

// doc returns the database's comment on a column, or on the table.
func (w resource) doc(column string) string {
	if w.r.Existing == nil {
		return ""
	}
	return w.r.Existing.Docs[column]
}

// arrayType returns the type of a list of the field's values in the model.
func (f field) arrayType() string {
	if f.native {
		return "db.NativeArray[" + f.goType() + "]"
	}
	return "db.Array[" + f.goType() + "]"
}

// adopted returns the gorm tag of the properties of an existing column.
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

// relatedType returns the model of a target row within rows of another table; of an
// account, only what is public.
func (f field) relatedType() string {
	if f.account {
		return "PublicUser"
	}
	return exported(f.target.Name)
}

// zero returns the Go expression of the zero value of the field in the model.
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

// columnName returns the tag of a column whose name GORM would not infer.
func columnName(column string) string {
	if Guessable(column) {
		return ""
	}
	return "column:" + column
}

func quoted(s string) string { return strconv.Quote(s) }
