package spec

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/problem"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// format is the version of the format of nexios.json.
const format = 1

type file struct {
	Format int `json:"format"`
	Project
}

// JSON returns the contents of nexios.json. It is deterministic.
func (p Project) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(file{format, p})
	return b.Bytes(), err
}

// New sets the defaults of a new project: its name as the module path, and SQLite as the
// database.
func New(p Project) (Project, error) {
	if err := CheckName(p.Name); err != nil {
		return p, err
	}
	if p.Module == "" {
		p.Module = p.Name
	}
	if p.Database == "" {
		p.Database = Databases()[0]
	}
	if err := CheckModule(p.Module); err != nil {
		return p, err
	}
	return p, CheckDatabase(p.Database)
}

// Rename returns the project with another module path and name. The default name is the
// last element of the path.
func (p Project) Rename(to, name string) (Project, error) {
	if name == "" {
		before, _, _ := module.SplitPathVersion(to) // without a /v2
		name = path.Base(before)
	}
	p.Module, p.Name = to, name
	now, err := New(p)
	return now, withTry(err, func(string) string { return "nexios rename project example.com/me/blog" })
}

// Parse parses nexios.json. It returns a *problem.Error for an unsupported format, an
// unknown key, and a project that nexios would not have recorded.
func Parse(data []byte) (Project, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // as some editors on Windows write it
	var head struct{ Format int }
	wrong := func(what, try string) (Project, error) {
		return Project{}, &problem.Error{What: "nexios.json " + what, Try: try}
	}
	if bytes.HasPrefix(data, []byte("<<<<<<< ")) || bytes.Contains(data, []byte("\n<<<<<<< ")) {
		return wrong("has the conflict markers of a merge", "nexios merge")
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return wrong("is not valid JSON: "+err.Error(), "git checkout nexios.json")
	}
	if head.Format != format {
		return wrong(fmt.Sprintf("has format %d; this nexios reads format %d", head.Format, format), "install the nexios version that wrote it")
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return wrong("cannot be read: "+strings.TrimPrefix(err.Error(), "json: "), "git checkout nexios.json")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wrong("has data after its end", "git checkout nexios.json")
	}
	if err := f.check(); err != nil {
		return Project{}, withTry(err, func(string) string { return "correct it in nexios.json, or git checkout nexios.json" })
	}
	return f.Project, nil
}

// check validates a project that may have been edited by hand or with malicious intent:
// everything that becomes a path, an identifier or a word of a command must be in the
// canonical form that nexios writes.
func (p Project) check() error {
	if _, err := New(p); err != nil {
		return err
	}
	if !semver.IsValid("v" + p.Nexios) {
		return unexpected("nexios", p.Nexios)
	}
	for _, d := range p.Dropped {
		switch {
		case Snake(d.What) != d.What || d.What == "":
			return unexpected("dropped.what", d.What)
		case d.Migration != "" && !stamp(d.Migration):
			return unexpected("dropped.migration", d.Migration)
		case d.Restored != "" && !stamp(d.Restored):
			return unexpected("dropped.restored", d.Restored)
		}
	}
	for _, c := range p.Clients {
		if c.Language != "ts" && c.Language != "go" {
			return unexpected("clients.language", c.Language)
		}
	}
	for _, r := range p.Resources {
		normalized, err := ParseResource(r)
		if err != nil {
			return err
		}
		if err := r.checkRecord(normalized); err != nil {
			return err
		}
	}
	if err := p.CheckNames(); err != nil {
		return err
	}
	for _, r := range p.Resources {
		if err := p.checkNeeds(r); err != nil {
			return err
		}
	}
	return nil
}

// CheckNames rejects a project in which two parts share a package, model or table.
func (p Project) CheckNames() error {
	for i, f := range p.Features {
		if err := (Project{Features: p.Features[:i]}).checkPackages(f); err != nil {
			return err
		}
	}
	uses := Project{Features: p.Features}.uses()
	for _, r := range p.Resources {
		if err := uses.add(r); err != nil {
			return err
		}
	}
	return nil
}

// checkRecord rejects a resource that Add would have recorded differently.
func (r Resource) checkRecord(normalized Resource) error {
	switch {
	case r.Name != normalized.Name:
		return unexpected("name", r.Name)
	case r.Plural != normalized.Plural:
		return unexpected("plural", r.Plural)
	case r.Table != normalized.Table:
		return unexpected("table", r.Table)
	case r.Public != normalized.Public:
		return unexpected("public", r.Public)
	case r.Migration != "" && !stamp(r.Migration):
		return unexpected("migration", r.Migration)
	}
	for i, field := range r.Fields {
		if field != normalized.Fields[i] {
			return unexpected("fields", field)
		}
	}
	if !slices.Equal(r.Indexes, normalized.Indexes) {
		return unexpected("indexes", strings.Join(r.Indexes, " "))
	}
	for _, a := range r.Added {
		if !stamp(a.Migration) {
			return unexpected("added.migration", a.Migration)
		}
		if err := checkFill(a.Fill); err != nil {
			return err
		}
	}
	for _, c := range r.Changed {
		if !stamp(c.Migration) {
			return unexpected("changed.migration", c.Migration)
		}
		if err := checkFill(c.Fill); err != nil {
			return err
		}
		for _, f := range c.Fields {
			for _, word := range []string{f.From, f.To} {
				if was, err := ParseField(word); word != "" && (err != nil || was.String() != word) {
					return unexpected("changed.fields", word)
				}
			}
		}
	}
	if err := r.checkFormer(); err != nil {
		return err
	}
	if err := r.checkVersions(); err != nil {
		return err
	}
	_, steps, err := normalized.History()
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := step.Before.checkRecorded(); err != nil {
			return err
		}
	}
	return nil
}

// checkFill rejects fills with invalid field names, since they become Go code of a
// migration. The values are parsed later.
func checkFill(fill map[string]string) error {
	for name := range fill {
		if Snake(name) != name {
			return unexpected("fill", name)
		}
	}
	return nil
}

// checkRecorded rejects past fields and indexes that nexios would not have written.
func (r Resource) checkRecorded() error {
	for _, word := range r.Fields {
		if f, err := ParseField(word); err != nil || f.String() != word {
			return unexpected("changed.fields", word)
		}
	}
	for _, word := range r.Indexes {
		if err := r.checkIndex(word, "nexios add index "+r.Name); err != nil {
			return unexpected("changed.indexes", word)
		}
	}
	return nil
}

// unexpected returns the error for a value that nexios would not have written.
func unexpected(member, value string) error {
	return &problem.Error{
		What:  fmt.Sprintf("nexios.json has an unexpected value %q", clip(value)),
		Label: "member", Where: member, Try: "git checkout nexios.json",
	}
}

// stamp reports whether text is the timestamp of a migration: "20261121101500".
func stamp(text string) bool {
	_, err := time.Parse("20060102150405", text)
	return err == nil
}

// Add adds r to the project and returns both, r normalized by [ParseResource]. A resource
// that already exists with the same definition changes nothing. It returns a
// *problem.Error for a resource that exists with another definition, and for one that does
// not fit the project. An existing resource keeps the timestamp of its migration.
func (p Project) Add(r Resource) (Project, Resource, error) {
	words := r.Fields
	r, err := ParseResource(r)
	if err != nil {
		return p, r, err
	}
	old, there := p.Resource(r.Name)
	if there = there && old.Name == r.Name; r.Guard == "" && !r.Owner && !r.Organisation && !r.ModelOnly && p.HasFeature("auth") {
		// Requiring a login is the safe default.
		if r.Guard = "user"; there {
			r.Guard = old.Guard
		}
	}
	if r.Owner && r.Guard != "" && !there {
		// Older versions of nexios accepted both and ignored the guard.
		free := r
		free.Guard = ""
		return p, r, &problem.Error{
			What:  "--guard " + r.Guard + " is for rows without an owner: it cannot be combined with --owner, --write or --public",
			Where: r.Name, Try: free.Command(),
		}
	}
	if r.hidesRows() {
		r.UniqueWithin = "owner"
	}
	if there {
		r.UniqueWithin = old.UniqueWithin
		r.Migration, r.Added, r.Changed, r.Former, r.Joins = old.Migration, old.Added, old.Changed, old.Former, old.Joins
		r.Version, r.Older = old.Version, old.Older
		if r.Indexes == nil {
			r.Indexes = old.Indexes
		}
		if reflect.DeepEqual(old, r) {
			return p, old, nil
		}
		return p, r, &problem.Error{
			What:  fmt.Sprintf("%s already exists with a different definition", r.Name),
			Label: "there", Where: old.Command(),
			Try: "use another name; or nexios undo, if it was added last",
		}
	}
	if err := p.fits(r); err != nil {
		return p, r, asTyped(err, words)
	}
	if err := r.checkFolding(nil); err != nil {
		return p, r, err
	}
	if err := r.checkSecrets(nil); err != nil {
		return p, r, err
	}
	p.Resources = append(slices.Clone(p.Resources), r)
	return p, r, nil
}

// asTyped rewrites an error to quote the definitions as the user typed them: for ref=xx it
// names xx, not the table xxes that it stands for.
func asTyped(err error, words []string) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	typed := *e
	for _, word := range words {
		f, err := ParseField(word)
		if err != nil || !f.Relation() {
			continue
		}
		_, after, _ := strings.Cut(word, f.Type+"=")
		arg, _, _ := strings.Cut(after, ":")
		if before := "no table " + strconv.Quote(f.Arg) + " in " + f.String(); typed.What == before {
			typed.What = fmt.Sprintf("no table %q in %s", arg, word)
		}
	}
	return &typed
}

// Replace returns the project with r in place of the resource of the same name. It rejects
// what Add rejects.
func (p Project) Replace(r Resource) (Project, error) {
	r, err := ParseResource(r)
	if err != nil {
		return p, err
	}
	at := slices.IndexFunc(p.Resources, func(o Resource) bool { return o.Name == r.Name })
	if at < 0 {
		return p, p.noResource(r.Name)
	}
	others := p
	others.Resources = slices.Delete(slices.Clone(p.Resources), at, at+1)
	if err := others.fits(r); err != nil {
		return p, err
	}
	changed := p
	changed.Resources = slices.Clone(p.Resources)
	changed.Resources[at] = r
	for _, o := range changed.Resources {
		if err := changed.checkNeeds(o); err != nil {
			return p, err
		}
	}
	return changed, nil
}

// Remove removes the resource of that name, given in any case and number, and returns the
// project and the resource. The has fields of other resources that refer to it are removed
// too. If others refer to it by columns, it returns a *problem.Error. migration is the
// timestamp of the migration that drops its tables.
func (p Project) Remove(name, migration string) (Project, Resource, error) {
	r, ok := p.Resource(name)
	if !ok {
		return p, r, p.missing("nexios remove resource", name, "")
	}
	without := p
	without.Resources = nil
	var referring []string
	for _, o := range p.Resources {
		if o.Name == r.Name {
			continue
		}
		of := func(version Resource) ([]string, error) {
			fields, err := version.Parsed()
			left := slices.Clone(version.Fields)
			for i, f := range slices.Backward(fields) {
				target, ok := p.Target(f)
				switch {
				case !ok || target.Name != r.Name:
				case f.Type == "has" && len(left) > 1:
					left = slices.Delete(left, i, i+1)
				case !slices.Contains(referring, o.Plural+"."+f.Name):
					referring = append(referring, o.Plural+"."+f.Name)
				}
			}
			return left, err
		}
		is := o
		is.Older = slices.Clone(o.Older)
		for i := range o.Older {
			version, _ := o.OfVersion(i)
			var err error
			if is.Older[i].Fields, err = of(version); err != nil {
				return p, r, err
			}
		}
		var err error
		if is.Fields, err = of(o); err != nil {
			return p, r, err
		}
		without.Resources = append(without.Resources, is)
	}
	if len(referring) > 0 {
		slices.Sort(referring)
		plural, _, _ := strings.Cut(referring[0], ".")
		other, _ := p.Resource(plural)
		var fields []string
		for _, name := range referring {
			if of, field, _ := strings.Cut(name, "."); of == plural {
				fields = append(fields, field)
			}
		}
		return p, r, &problem.Error{
			What:  fmt.Sprintf("other resources refer to %s", r.Name),
			Label: "fields", Where: strings.Join(referring, " "),
			Try: other.removing(fields),
		}
	}
	if r.Existing != nil && len(r.Added) == 0 {
		return without, r, nil // no migration made its table
	}
	return without.Drop(r.TableName(), migration), r, nil
}

// Resource returns the resource of that name, given in any case and number.
func (p Project) Resource(name string) (Resource, bool) {
	snake := Snake(name)
	if snake == "" {
		return Resource{}, false
	}
	for _, r := range p.Resources {
		if r.Name == snake || r.Plural == snake {
			return r, true
		}
	}
	for _, r := range p.Resources {
		if r.Name == Singular(snake) || r.Plural == Plural(snake) {
			return r, true
		}
	}
	return Resource{}, false
}

func (p Project) noResource(name string) error {
	names := make([]string, len(p.Resources))
	for i, r := range p.Resources {
		names[i] = r.Name
	}
	e := &problem.Error{
		What: fmt.Sprintf("no resource %q", clip(name)), Label: "resources", Where: strings.Join(names, " "),
		Try: "nexios list",
	}
	if len(names) == 0 {
		e.Try = "nexios add resource post title:string"
	}
	return e
}

// missing is noResource for a command that works on one resource: it suggests the complete
// command, ending with rest.
func (p Project) missing(command, name, rest string) error {
	var names []string
	for _, r := range p.Resources {
		names = append(names, r.Name)
	}
	return withTry(p.noResource(name), func(otherwise string) string {
		if better := cmp.Or(near(name, names), near(Singular(Snake(name)), names)); better != "" {
			return strings.TrimSpace(command + " " + better + " " + rest)
		}
		return otherwise
	})
}

// unmet returns the fields that have an unmet dependency each; none if r has others
// besides.
func (p Project) unmet(r Resource) []string {
	if p.checkNeeds(r.withFields(nil)) != nil {
		return nil
	}
	var names []string
	for _, word := range r.Fields {
		if p.checkNeeds(r.withFields([]string{word})) != nil {
			names = append(names, fieldName(word))
		}
	}
	return names
}

// removing returns the command that removes fields of r, or r itself if fields is empty or
// all that it has.
func (r Resource) removing(fields []string) string {
	if len(fields) == 0 || len(fields) == len(r.Fields) {
		return "nexios remove resource " + r.Name
	}
	return "nexios remove field " + r.Name + " " + strings.Join(fields, " ")
}

// AddFeature adds f to the project. Adding the same feature again changes nothing. It
// returns a *problem.Error for the same feature with other options, unless its option
// "name" differs too, and for a table or package that a resource uses already.
func (p Project) AddFeature(f Feature) (Project, error) {
	for _, old := range p.Features {
		if old.Name != f.Name || old.Options["name"] != f.Options["name"] {
			continue
		}
		if maps.Equal(old.Options, f.Options) {
			return p, nil
		}
		return p, &problem.Error{
			What: fmt.Sprintf("%s is already added, with other options", f.Name),
			Try:  "edit the existing code, it is yours; or nexios undo, if it was added last",
		}
	}
	if err := p.checkPackages(f); err != nil {
		return p, err
	}
	for _, r := range p.Resources {
		if slices.Contains(f.Packages, r.Package()) || slices.Contains(f.Tables, r.TableName()) {
			return p, &problem.Error{
				What:  fmt.Sprintf("%s adds %s, which already exists as a resource", f.Name, r.Plural),
				Label: "there", Where: r.Command(),
				Try: "nexios rename resource " + r.Name + " " + r.Name + "_item",
			}
		}
	}
	p.Features = append(slices.Clone(p.Features), f)
	return p, nil
}

// checkPackages rejects a feature with a package that another feature of p brings.
// Instances of one feature with different names share all other packages.
func (p Project) checkPackages(f Feature) error {
	for _, there := range p.Features {
		for _, name := range f.Packages {
			if !slices.Contains(there.Packages, name) || there.Name == f.Name && name != f.Package() {
				continue
			}
			command := strings.TrimSpace("nexios add " + there.Name + " " + there.Options["name"])
			e := &problem.Error{
				What:  fmt.Sprintf("%s adds the package %s, which the project already has", f.Name, name),
				Label: "there", Where: command,
				Try: strings.Replace(command, "add", "remove", 1) + " --dry-run",
			}
			if name == f.Package() {
				e.Try = "nexios add " + f.Name + " " + f.Options["name"] + "-room"
			}
			return e
		}
	}
	return nil
}

// RemoveFeature removes the feature from the project. It returns a *problem.Error if
// resources need it.
func (p Project) RemoveFeature(f Feature) (Project, error) {
	at := slices.IndexFunc(p.Features, func(o Feature) bool {
		return o.Name == f.Name && o.Options["name"] == f.Options["name"]
	})
	if at < 0 {
		var names []string
		for _, o := range p.Features {
			names = append(names, strings.TrimSpace(o.Name+" "+o.Options["name"]))
		}
		return p, &problem.Error{
			What:  fmt.Sprintf("no %s in this project", strings.TrimSpace(f.Name+" "+f.Options["name"])),
			Label: "there", Where: strings.Join(names, ", "), Try: "nexios remove --help",
		}
	}
	without := p
	without.Features = slices.Delete(slices.Clone(p.Features), at, at+1)
	var needing []string
	first := ""
	for _, r := range p.Resources {
		if without.checkNeeds(r) != nil {
			needing = append(needing, r.Name)
			first = cmp.Or(first, r.removing(without.unmet(r)))
		}
	}
	if len(needing) > 0 {
		return p, &problem.Error{
			What:  f.Name + " is needed by resources",
			Label: "resources", Where: strings.Join(needing, " "),
			Try: first,
		}
	}
	return without, nil
}

// Opened returns the project without the guards of its resources, and the plurals of those
// whose rows anyone may then change or read without a login. Resources that depend on
// users in other ways are unchanged.
func (p Project) Opened() (Project, []string) {
	opened := p
	opened.Resources = slices.Clone(p.Resources)
	var names []string
	for i, r := range p.Resources {
		if (r.Guard == "user" || r.Guard == "admin") && !r.Organisation {
			opened.Resources[i].Guard = ""
			if !r.Owner {
				opened.Resources[i].Read = ""
			}
			names = append(names, r.Plural)
		}
	}
	return opened, names
}

// Drop records that the migrations of what are reverted at that time.
func (p Project) Drop(what, migration string) Project {
	p.Dropped = append(slices.Clone(p.Dropped), Dropped{What: what, Migration: migration})
	return p
}

// Restore records that the dropped part was added again.
func (p Project) Restore(what, migration string) Project {
	for i, d := range slices.Backward(p.Dropped) {
		if d.What == what && d.Restored == "" {
			p.Dropped = slices.Clone(p.Dropped)
			p.Dropped[i].Restored = migration
			break
		}
	}
	return p
}

// Gone reports whether the part was dropped and not added again.
func (p Project) Gone(what string) bool {
	return slices.ContainsFunc(p.Dropped, func(d Dropped) bool { return d.What == what && d.Restored == "" })
}

// Before reports whether a part of that name was dropped or renamed before a time, so that
// the names of its migrations are taken.
func (p Project) Before(what, migration string) bool {
	for _, r := range p.Resources {
		for _, f := range r.Former {
			r.before(f)
			if r.TableName() == what && f.Migration < migration {
				return true
			}
		}
	}
	return slices.ContainsFunc(p.Dropped, func(d Dropped) bool { return d.What == what && d.Migration < migration })
}

// CheckName rejects names that are not valid for a project, its folder and its binary on
// every system.
func CheckName(name string) error {
	bad := func(why string) error {
		return &problem.Error{
			What:  fmt.Sprintf("%q is not a valid project name: %s", clip(name), why),
			Label: "names", Where: "start with a letter; ASCII letters, digits, - and _; at most 64 characters",
			Try: "nexios new blog",
		}
	}
	switch {
	case name == "":
		return bad("it is empty")
	case len(name) > 64:
		return bad(fmt.Sprintf("it has %d characters", len(name)))
	case strings.ContainsAny(name, `/\`):
		return bad("it is a path; use --dir to choose the folder")
	case device(name):
		return bad("it is reserved on Windows")
	case !isLetter(name[0]):
		return bad("it does not start with a letter")
	}
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return bad("it may contain only letters, digits, - and _")
		}
	}
	return nil
}

// device reports whether Windows treats a file of that name as a device.
func device(name string) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	if slices.Contains([]string{"con", "prn", "aux", "nul", "conin$", "conout$"}, base) {
		return true
	}
	port, ok := strings.CutPrefix(base, "com")
	if !ok {
		port, ok = strings.CutPrefix(base, "lpt")
	}
	return ok && len(port) == 1 && port[0] >= '0' && port[0] <= '9'
}

// CheckModule rejects invalid module paths.
func CheckModule(path string) error {
	bad := func(why string) error {
		return &problem.Error{
			What:  fmt.Sprintf("%q is not a valid module path: %s", clip(path), why),
			Label: "paths", Where: "as in go.mod: example.com/me/blog",
			Try: "nexios new blog --module example.com/me/blog",
		}
	}
	if len(path) > 200 {
		return bad(fmt.Sprintf("it has %d characters", len(path)))
	}
	if err := module.CheckImportPath(path); err != nil {
		if invalid, ok := errors.AsType[*module.InvalidPathError](err); ok {
			return bad(invalid.Err.Error())
		}
		return bad(err.Error())
	}
	first, _, _ := strings.Cut(path, "/")
	switch {
	case slices.Contains(strings.Fields(std), first):
		return bad(first + " is reserved for Go's standard library and the go command")
	case path == toolkit || strings.HasPrefix(path, toolkit+"/"):
		return bad("it is nexios' own path")
	case slices.Contains(strings.Split(path, "/"), "vendor") || slices.Contains(strings.Split(path, "/"), "internal"):
		return bad("internal and vendor have a special meaning in Go")
	}
	return nil
}

const toolkit = "github.com/nexios-go/nexios"

// std lists the first elements of the standard library's import paths, and the names that
// the go command reserves.
const std = `all archive arena bufio builtin bytes cmd cmp compress container context crypto database debug embed encoding
errors expvar flag fmt go hash html image index internal io iter log main maps math mime net os path plugin reflect
regexp runtime simd slices sort std strconv strings structs sync syscall testing text time tool unicode unique unsafe vendor weak work`

// CheckDatabase rejects unknown databases.
func CheckDatabase(name string) error {
	if slices.Contains(Databases(), name) {
		return nil
	}
	return &problem.Error{
		What:  fmt.Sprintf("unknown database %q", clip(name)),
		Label: "databases", Where: strings.Join(Databases(), " "),
		Try: "nexios new shop --db " + closest(name, Databases(), "sqlite"),
	}
}

// Databases returns the databases that a project can use; the first is the default.
func Databases() []string { return []string{"sqlite", "postgres", "mysql"} }
