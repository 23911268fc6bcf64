package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// ParseResource normalizes a resource as the user declared it: the name in any case and
// number, Plural empty or an override, the fields as typed. Normalizing the result again
// changes nothing. [Project.Add] checks whether it fits a project.
func ParseResource(declared Resource) (Resource, error) {
	r := declared
	words := Words(declared.Name)
	if words == nil {
		return r, badName("resource", declared.Name, "nexios add resource post title:string")
	}
	name := strings.Join(words, "_")
	if declared.Plural == "" {
		r.Name, r.Plural = inflect(name)
	} else {
		r.Plural = Snake(declared.Plural)
		if r.Plural == "" {
			return r, badName("plural", declared.Plural, "nexios add resource "+name+" --plural "+Plural(name))
		}
		if r.Name = name; name != r.Plural && Plural(name) == name && Singular(name) == Singular(r.Plural) {
			r.Name = Singular(name)
		}
	}
	if len(r.Plural) > longest {
		return r, badName("resource", r.Plural, "nexios add resource post title:string")
	}
	if err := r.normalizeFlags(declared); err != nil {
		return r, err
	}
	if err := r.normalizeFields(declared.Fields); err != nil {
		return r, err
	}
	r.normalizeIndexes(declared.Indexes)
	if err := r.Existing.check(); err != nil {
		return r, err
	}
	return r, r.check()
}

func (r *Resource) normalizeFlags(declared Resource) error {
	if declared.Table != "" {
		// The table may exist already, so its name is kept unchanged.
		if r.Table = declared.Table; !exactTable.MatchString(r.Table) || len(r.Table) > longest {
			r.Table = Snake(declared.Table)
		}
		if r.Table == "" {
			return badName("table", declared.Table, "nexios add resource "+r.Name+" --table "+r.Plural)
		}
		if r.Table == r.Plural {
			r.Table = ""
		}
	}
	r.Only = nil
	only := List(strings.Join(declared.Only, "/"))
	for _, action := range Actions() {
		if slices.Contains(only, action) {
			r.Only = append(r.Only, action)
		}
	}
	for _, action := range only {
		if !slices.Contains(Actions(), action) {
			return &problem.Error{
				What:  fmt.Sprintf("unknown action %q in --only", clip(action)),
				Label: "actions", Where: strings.Join(Actions(), " "),
				Try: r.commandWith("--only " + closest(action, Actions(), "list")),
			}
		}
	}
	if len(r.Only) == len(Actions()) {
		r.Only = nil
	}
	if r.Lock && len(r.Only) > 0 && !slices.Contains(r.Only, "show") {
		return &problem.Error{
			What: "--lock needs the action show: an update says which version was read", Where: r.Name,
			Try: r.commandWith("--lock --only " + strings.Join(append(slices.Clone(r.Only), "show"), "/")),
		}
	}
	if err := r.normalizeAccess(declared); err != nil {
		return err
	}
	if r.ModelOnly {
		r.Only, r.Guard, r.Lock = nil, "", false
	}
	if declared.Public != "" {
		r.Public = Snake(declared.Public)
	}
	return nil
}

// normalizeAccess reads who may use the routes and the rows. Write implies Owner, and so
// does Read without a guard.
func (r *Resource) normalizeAccess(declared Resource) error {
	for _, flag := range []struct {
		name, value string
		choices     []string
	}{
		{"guard", declared.Guard, []string{"none", "user", "admin"}},
		{"read", declared.Read, []string{"all", "user", "owner"}},
		{"write", declared.Write, []string{"owner", "user", "admin"}},
	} {
		if flag.value != "" && !slices.Contains(flag.choices, flag.value) {
			return &problem.Error{
				What:  fmt.Sprintf("unknown value %q for --%s", clip(flag.value), flag.name),
				Label: "values", Where: strings.Join(flag.choices, " "),
				Try: r.commandWith("--" + flag.name + " " + closest(flag.value, flag.choices, "user")),
			}
		}
	}
	r.Owner = declared.Owner || declared.Read != "" && declared.Guard == "" || declared.Write != ""
	if r.Read == "owner" {
		r.Read = ""
	}
	if r.Write == "owner" {
		r.Write = ""
	}
	contradiction := func(what, try string) error {
		return &problem.Error{What: what, Where: r.Name, Try: r.commandWith(try)}
	}
	if declared.UniqueWithin != "" && (declared.UniqueWithin != "owner" || !r.Owner) {
		return unexpected("unique_within", declared.UniqueWithin)
	}
	switch {
	case r.Organisation && (r.Owner || declared.Read != "" || declared.Public != ""):
		return contradiction("--organisation cannot be combined with --owner, --read, --write or --public: the members of the organisation use its rows", "--organisation")
	case r.Organisation && r.Guard != "" && r.Guard != "admin":
		return contradiction("--guard "+r.Guard+" cannot be combined with --organisation: its members, or with --guard admin its admins, use the routes", "--organisation --guard admin")
	case !r.Owner && declared.Read == "owner":
		return contradiction("--read owner needs rows with an owner, which --guard "+r.Guard+" says there are not", "--owner")
	case !r.Owner && r.Guard == "none" && r.Read != "":
		return contradiction("--guard none lets anybody read and change rows, whatever --read says", "--guard user --read "+r.Read)
	case !r.Owner && r.Read == "user":
		r.Read = "" // the default of every guard but none
	case r.Write == "user" && r.Read == "":
		return contradiction("--write user lets users change rows that they may not read", "--read user --write user")
	case declared.Public != "" && r.Read == "all":
		return contradiction("--public "+declared.Public+" adds nothing to --read all: every row is readable", "--read all")
	case declared.Public != "" && r.Read == "user":
		return contradiction("--public "+declared.Public+" adds nothing to --read user: every user reads every row", "--read user")
	}
	return nil
}

// maxFilters is the maximum number of parameters of a list besides the common ones: the
// runtime reads 64.
const maxFilters = 58

var exactTable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (r *Resource) normalizeFields(words []string) error {
	if len(words) == 0 {
		return &problem.Error{
			What:  fmt.Sprintf("the resource %s has no fields", r.Name),
			Label: "form", Where: "name:type[:modifier...]",
			Try: r.withFields([]string{"title:string"}).Command(),
		}
	}
	if len(words) > 100 && r.Existing == nil {
		return &problem.Error{
			What: fmt.Sprintf("the resource %s has %d fields; at most 100 are allowed", r.Name, len(words)),
			Try:  "split it into two resources, one with a ref to the other",
		}
	}
	r.Fields = make([]string, len(words))
	for i, word := range words {
		f, err := ParseField(word)
		if err != nil {
			return r.retry(err, words, i)
		}
		if r.Fields[i] = f.String(); len(r.Fields[i]) > 2000 {
			return &problem.Error{What: fmt.Sprintf("the field %s is %d characters long", f.Name, len(r.Fields[i])), Try: "a shorter one"}
		}
	}
	return nil
}

func (r *Resource) normalizeIndexes(words []string) {
	r.Indexes = nil
	for _, word := range words {
		x := ParseIndex(word)
		for i, name := range x.Fields {
			x.Fields[i] = r.indexable(name)
		}
		if word := x.String(); !slices.Contains(r.Indexes, word) {
			r.Indexes = append(r.Indexes, word)
		}
	}
}

// retry extends the definition that an error suggests to the complete command.
func (r *Resource) retry(err error, words []string, at int) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.Try == "" {
		return err
	}
	better := *e
	better.Try = r.withFields(corrected(words, at, e.Try, func(word string) error {
		_, err := ParseField(word)
		return err
	})).Command()
	return &better
}

// corrected replaces the rejected word by a better one, and corrects those after it that
// are invalid too.
func corrected(words []string, at int, better string, check func(word string) error) []string {
	words = slices.Clone(words)
	words[at] = better
	for i := at; i < len(words); i++ {
		if strings.Contains(words[i], " ") { // includes a flag
			continue
		}
		if e, ok := errors.AsType[*problem.Error](check(words[i])); ok && e.Try != "" {
			words[i] = e.Try
		}
	}
	return words
}

// withFields returns the resource with other fields, for a suggested command. It keeps the
// flags: without them, the rows would be accessible to more users.
func (r Resource) withFields(fields []string) Resource {
	r.Fields = fields
	return r
}

// withName returns the resource under another name, likewise.
func (r Resource) withName(name, plural string) Resource {
	r.Name, r.Plural = name, plural
	return r
}

// replaceField returns the fields with the i-th replaced.
func (r Resource) replaceField(i int, word string) []string {
	fields := slices.Clone(r.Fields)
	fields[i] = word
	return fields
}

// withoutModifier returns the fields with a modifier removed.
func (r Resource) withoutModifier(modifier string) []string {
	fields := slices.Clone(r.Fields)
	for i, word := range fields {
		if f, err := ParseField(word); err == nil && f.Is(modifier) {
			delete(f.Mods, modifier)
			fields[i] = f.String()
		}
	}
	return fields
}

// inOrganisation returns the resource with rows that belong to an organisation.
func (r Resource) inOrganisation() Resource {
	r.Organisation, r.Owner, r.Read, r.Write, r.Public = true, false, "", "", ""
	if r.Guard != "admin" {
		r.Guard = ""
	}
	return r
}

// commandWith returns the command of the resource with other flags, for a suggestion.
func (r Resource) commandWith(flags string) string {
	return strings.Join(append(append([]string{r.verb(), r.Name}, r.Fields...), flags), " ")
}

func (r Resource) verb() string {
	if r.ModelOnly {
		return "nexios add model"
	}
	return "nexios add resource"
}

// Command returns the command that adds the resource.
func (r Resource) Command() string {
	words := []string{r.verb(), r.Name}
	for _, word := range r.Fields {
		words = append(words, shellWord(word))
	}
	add := func(given bool, flag ...string) {
		if given {
			words = append(words, flag...)
		}
	}
	add(Plural(r.Name) != r.Plural || Singular(r.Name) != r.Name, "--plural", r.Plural)
	add(r.Table != "", "--table", r.Table)
	add(r.SoftDelete, "--soft-delete")
	add(r.UUID, "--uuid")
	add(r.Lock, "--lock")
	add(r.Owner && r.Read == "" && r.Write == "", "--owner")
	add(r.Read != "", "--read", r.Read)
	add(r.Write != "", "--write", r.Write)
	add(r.Public != "", "--public", r.Public)
	add(r.Organisation, "--organisation")
	for _, word := range r.Indexes {
		if x := ParseIndex(word); x.Unique {
			add(true, "--unique", strings.Join(x.Fields, ","))
		}
	}
	add(len(r.Only) > 0, "--only", strings.Join(r.Only, "/"))
	add(r.Guard != "", "--guard", r.Guard)
	return strings.Join(words, " ")
}

// Package returns the resource's package and folder: its plural without underscores.
func (r Resource) Package() string { return strings.ReplaceAll(r.Plural, "_", "") }

// check rejects a resource whose parts contradict each other.
func (r Resource) check() error {
	bad := func(word, format string, args ...any) error {
		at := slices.Index(r.Fields, word)
		fixed := slices.Delete(slices.Clone(r.Fields), at, at+1)
		if len(fixed) == 0 {
			fixed = []string{"title:string"}
		}
		return &problem.Error{
			What:  fmt.Sprintf(format, args...),
			Where: r.Name + " " + word,
			Try:   r.withFields(fixed).Command(),
		}
	}
	other := func(what string) error {
		return &problem.Error{
			What: what, Where: r.Name + ", plural " + r.Plural,
			Try: r.withName(r.Name, r.Name+"_items").Command(),
		}
	}
	switch pkg, model := r.Package(), strings.ReplaceAll(r.Name, "_", ""); {
	case device(model):
		return &problem.Error{
			What:  fmt.Sprintf("%q is reserved on Windows and cannot be a file name", model),
			Where: r.Name + ", plural " + r.Plural,
			Try:   r.withName(r.Name+"_item", Plural(r.Name+"_item")).Command(),
		}
	case Unfit(pkg) != "":
		return other(fmt.Sprintf("%q %s", pkg, Unfit(pkg)))
	case pkg == "input":
		return other(fmt.Sprintf("%q is reserved: every package of a resource has a file of that name", pkg))
	}
	fields, err := r.Parsed()
	if err != nil {
		return err
	}
	type use struct{ what, word string }
	taken := map[string]use{}
	for _, own := range r.ownColumns() {
		taken["column "+own] = use{"every table already has it", ""}
		taken["key "+own] = use{"every table already has it", ""}
	}
	if r.Owner {
		taken["column user_id"] = use{"--owner adds it", ""}
		taken["key user_id"] = use{"--owner adds it", ""}
		taken["key user"] = use{"--owner adds it", ""}
	}
	if r.Organisation {
		taken["column organisation_id"] = use{"--organisation adds it", ""}
		taken["key organisation_id"] = use{"--organisation adds it", ""}
		taken["key organisation"] = use{"--organisation adds it", ""}
	}
	for i, f := range fields {
		word := r.Fields[i]
		if r.Organisation && f.Is("private") {
			return &problem.Error{
				What:  "private cannot be combined with --organisation: all members read the rows, in " + word,
				Where: r.Name + " " + word, Try: r.withFields(r.withoutModifier("private")).Command(),
			}
		}
		if slices.ContainsFunc(fields[:i], func(o Field) bool { return o.Name == f.Name }) {
			return bad(word, "the field %s is repeated", f.Name)
		}
		if f.Name == "table_name" {
			return bad(word, "a field cannot be called table_name: GORM uses the method TableName()")
		}
		if f.Name == "not_deleted" && r.SoftDelete {
			return bad(word, "a field cannot be called not_deleted: --soft-delete adds that column")
		}
		for _, place := range []string{"column " + f.Column(), "key " + f.Name, "key " + f.Input()} {
			if strings.HasSuffix(place, " ") {
				continue
			}
			if u, ok := taken[place]; ok && u.word != word+"#"+fmt.Sprint(i) {
				_, name, _ := strings.Cut(place, " ")
				what := u.what
				if u.word != "" {
					what = "another field uses it"
				}
				return bad(word, "%s is reserved: %s", name, what)
			}
			taken[place] = use{"", word + "#" + fmt.Sprint(i)}
		}
		squeezed := "go " + strings.ReplaceAll(f.Name, "_", "")
		if _, ok := taken[squeezed]; ok {
			return bad(word, "the field %s differs from another only in underscores", f.Name)
		}
		taken[squeezed] = use{"", word}
		if f.Is("filter") && r.Serves("list") {
			if slices.Contains([]string{"page", "limit", "order", "cursor", "sort", "sort_by", "search", "query"}, f.Column()) {
				return bad(word, "a list cannot be filtered by %s: every list has a parameter of that name", f.Column())
			}
		}
	}
	width, parameters := 0, 0
	for i, f := range fields {
		if f.Is("filter") && r.Serves("list") {
			if parameters++; f.Row().Filters == "range" {
				parameters += 2
			}
			if parameters > maxFilters {
				return bad(r.Fields[i], "a list takes %d filter parameters, and %s is one more (a number or a time needs three)", maxFilters, f.Name)
			}
		}
		if n := f.Length(); n <= maxIndexed && !f.Is("array") {
			width += 4*n + 2
			if f.Folded() {
				width += 4*folded + 2
			}
			if width > 60_000 {
				return bad(r.Fields[i], "the row is too wide with %s: in MySQL all strings of a row share 65,535 bytes; use text, or max=N", f.Name)
			}
		}
		if f.Is("filter") && f.Row().Filters == "range" {
			for _, end := range []string{"_min", "_max"} {
				if _, ok := taken["column "+f.Column()+end]; ok {
					return bad(r.Fields[i], "filtering by %s needs the parameter %s, which another field uses", f.Name, f.Column()+end)
				}
			}
		}
	}
	if _, _, err := r.History(); err != nil {
		return err
	}
	for _, word := range r.Indexes {
		if err := r.checkIndex(word, r.verb()+" "+r.Name+" "+strings.Join(r.Fields, " ")+" --unique"); err != nil {
			return err
		}
	}
	if r.Public != "" {
		at := slices.IndexFunc(fields, func(f Field) bool { return f.Name == r.Public })
		if !r.Owner || at < 0 || fields[at].Type != "bool" || fields[at].Is("optional") {
			return &problem.Error{
				What:  fmt.Sprintf("--public %s needs --owner and a bool field of that name", r.Public),
				Where: r.Name, Try: r.verb() + " " + r.Name + " " + r.Public + ":bool:default=false --owner --public " + r.Public,
			}
		}
	}
	return nil
}

// Open reports whether anyone may change the resource's rows without a login.
func (r Resource) Open() bool {
	writes := slices.ContainsFunc([]string{"create", "bulk", "update", "delete"}, r.Serves)
	return writes && !r.Owner && !r.Organisation && (r.Guard == "" || r.Guard == "none")
}

// Within returns the column that limits the scope of unique: only rows with the same value
// of it conflict. It is "" if all rows do.
func (r Resource) Within() string {
	switch {
	case r.Organisation:
		return "organisation_id"
	case r.UniqueWithin == "owner":
		return "user_id"
	}
	return ""
}

// hidesRows reports whether users create rows without being able to read those of others:
// a conflict would reveal values of the latter.
func (r Resource) hidesRows() bool { return r.Owner && r.Read == "" && r.Write != "admin" }

// Revealing returns the definitions of fields and indexes for which a conflict reveals
// values that the user may not read: those that are unique and private, or unique among
// rows that include hidden ones.
func (r Resource) Revealing() []string {
	if !slices.ContainsFunc([]string{"create", "bulk", "update"}, r.Serves) || r.Within() != "" || r.Guard == "admin" || r.Write == "admin" {
		return nil
	}
	fields, err := r.Parsed()
	if err != nil {
		return nil
	}
	hidden := func(names ...string) bool {
		return r.hidesRows() || slices.ContainsFunc(fields, func(f Field) bool { return f.Is("private") && slices.Contains(names, f.Name) })
	}
	var words []string
	for i, f := range fields {
		if f.Is("unique") && !f.Is("readonly") && hidden(f.Name) {
			words = append(words, r.Fields[i])
		}
	}
	for _, word := range r.Indexes {
		if x := ParseIndex(word); x.Unique && !slices.Contains(x.Fields, "user_id") && hidden(x.Fields...) {
			words = append(words, word)
		}
	}
	return words
}

// checkSecrets rejects a new field or index that would let users guess private fields of
// others. before lists the existing ones.
func (r Resource) checkSecrets(before []string) error {
	revealing := r.Revealing()
	if len(revealing) <= len(before) || r.hidesRows() {
		return nil
	}
	word := revealing[len(revealing)-1]
	without := r
	without.Indexes = slices.DeleteFunc(slices.Clone(r.Indexes), func(x string) bool { return x == word })
	if at := slices.Index(r.Fields, word); at >= 0 {
		f, err := ParseField(word)
		if err != nil {
			return err
		}
		delete(f.Mods, "unique")
		without = r.withFields(r.replaceField(at, f.String()))
	}
	return &problem.Error{
		What:  word + " is private and unique: a conflict would reveal what another row has. With --owner, unique applies per owner",
		Where: r.Name + " " + word, Try: without.Command(),
	}
}

// Table returns the table that a relation's argument names.
func Table(arg string) string {
	table, _, _ := strings.Cut(arg, ".")
	return table
}

// Tables returns the tables that a relation can refer to: those of the resources and of
// the features, described as resources.
func (p Project) Tables() []Resource {
	tables := slices.Clone(p.Resources)
	if p.HasFeature("auth") {
		tables = append(tables, Users())
	}
	return tables
}

// Users describes the table of the auth feature, as far as other tables depend on it.
func Users() Resource {
	return Resource{
		Name: "user", Plural: "users", ModelOnly: true,
		Fields: []string{
			"username:string:unique:max=50", "email:email:unique", "password_hash:string:secret",
			"role:enum=admin/user/guest:default=user", "is_active:bool:default=true",
		},
	}
}

// Target returns the table that a relation refers to; false for another field.
func (p Project) Target(f Field) (Resource, bool) {
	if !f.Relation() {
		return Resource{}, false
	}
	tables, table := p.Tables(), Table(f.Arg)
	for _, t := range tables {
		if t.Plural == table {
			return t, true
		}
	}
	for _, t := range tables {
		if t.matches(table) {
			return t, true
		}
	}
	return Resource{}, false
}

// matches reports whether an argument means a table with a custom plural: by the usual
// plural of its name, or by its plural, which [Plural] has inflected again (guses for the
// table gus). Inflecting is slow, so it is the last resort.
func (r Resource) matches(table string) bool {
	return Plural(r.Name) == table || Plural(r.Plural) == table
}

// BlockingRefs returns the references with which users of r prevent rows of other users
// from being deleted, even though the owners of those may not be able to see what refers
// to them.
func (p Project) BlockingRefs(r Resource) (fields []Field) {
	all, err := r.Parsed()
	stores := r.Serves("create") || r.Serves("bulk")
	if err != nil || !stores || r.Write == "admin" || r.Guard == "admin" || !p.HasFeature("auth") {
		return nil
	}
	for _, f := range all {
		if f.Type != "ref" || f.Is("readonly") || f.Mods["ondelete"] == "cascade" || f.Mods["ondelete"] == "null" {
			continue
		}
		target, ok := p.Target(f)
		shared := target.Owner && target.Write != "admin" && (target.Read != "" || target.Public != "")
		if ok && (target.Name == "user" || shared) {
			fields = append(fields, f)
		}
	}
	return fields
}

// BackRef returns the ref of target that refers to r, the other side of the has field f.
func BackRef(r, target Resource, f Field) (Field, bool) {
	fields, err := target.Parsed()
	if err != nil {
		return Field{}, false
	}
	for _, back := range fields {
		if back.Type == "ref" && (Table(back.Arg) == r.Plural || r.matches(Table(back.Arg))) {
			return back, true
		}
	}
	return Field{}, false
}

// JoinTable returns the table between r and the rows of its many field.
func (r Resource) JoinTable(f Field) string {
	if j, ok := r.Join(f); ok {
		return j.Table
	}
	return r.Name + "_" + f.Name
}

// uses maps the names that a project uses to the commands that introduced them.
type uses map[string]string

// uses returns the names that p's features and resources use.
func (p Project) uses() uses {
	u := uses{"table schema_migrations": "go run . migrate, which keeps there what was applied"}
	for _, f := range p.Features {
		for _, name := range f.Packages {
			u["package "+name] = "nexios add " + f.Name
		}
		for _, table := range f.Tables {
			u["table "+table] = "nexios add " + f.Name
		}
	}
	for _, r := range p.Resources {
		command := r.Command()
		for _, name := range r.names() {
			u[name] = command
		}
	}
	return u
}

// names returns the names that a resource uses in its project.
func (r Resource) names() []string {
	names := []string{"package " + r.Package()}
	for i := range r.Versions() {
		if _, name := r.OfVersion(i); name != r.Package() {
			names = append(names, "package "+name)
		}
	}
	names = append(names, "model "+strings.ReplaceAll(r.Name, "_", ""))
	for _, table := range r.tables() {
		names = append(names, "table "+strings.ToLower(table)) // some databases ignore case
	}
	return names
}

// add records the names of r. It returns an error if one is used already.
func (u uses) add(r Resource) error {
	names := r.names()
	for _, name := range names {
		if there, taken := u[name]; taken {
			other := r.withName(r.Name, r.Name+"_items")
			if name == "table "+strings.ToLower(r.Table) {
				other = r
				other.Table = ""
			}
			return &problem.Error{
				What:  fmt.Sprintf("the %s of %s is already taken", name, r.Name),
				Label: "there", Where: there,
				Try: other.Command(),
			}
		}
	}
	command := r.Command()
	for _, name := range names {
		u[name] = command
	}
	return nil
}

// fits rejects a normalized resource that clashes with p, or that depends on something
// missing from p.
func (p Project) fits(r Resource) error {
	if err := p.uses().add(r); err != nil {
		return err
	}
	all := p
	all.Resources = append(slices.Clone(p.Resources), r)
	return all.checkNeeds(r)
}

// tables returns the tables that a resource creates.
func (r Resource) tables() []string {
	tables := []string{r.TableName()}
	fields, _ := r.Parsed()
	for _, f := range fields {
		if f.Type == "many" {
			tables = append(tables, r.JoinTable(f))
		}
	}
	return tables
}

// checkNeeds rejects r, a resource of p, if it depends on something that the project
// lacks, such as auth or the target of a relation.
func (p Project) checkNeeds(r Resource) error {
	fields, err := r.Parsed()
	if err != nil {
		return err
	}
	if !p.HasFeature("auth") {
		private := slices.IndexFunc(fields, func(f Field) bool { return f.Is("private") })
		flag := ""
		switch {
		case r.Read != "":
			flag = "--read"
		case r.Write != "":
			flag = "--write"
		case r.Owner:
			flag = "--owner"
		case r.Guard == "user" || r.Guard == "admin":
			flag = "--guard"
		case private >= 0:
			flag = r.Fields[private]
		}
		if flag != "" {
			return &problem.Error{What: flag + " requires authentication", Where: r.Name, Try: "nexios add auth"}
		}
	}
	if r.Organisation && !p.HasFeature("organisations") {
		return &problem.Error{What: "--organisation requires organisations", Where: r.Name, Try: "nexios add organisations"}
	}
	for i, f := range fields {
		word := r.Fields[i]
		if f.Row().Upload && !p.HasFeature("uploads") {
			return &problem.Error{What: "file fields require uploads, in " + word, Where: r.Name + " " + word, Try: "nexios add uploads"}
		}
		if !f.Relation() {
			continue
		}
		target, ok := p.Target(f)
		if !ok {
			var names []string
			for _, t := range p.Tables() {
				names = append(names, t.Plural)
			}
			lacking := Resource{Name: Singular(f.Arg), Plural: Plural(f.Arg), Fields: []string{"name:string"}, Organisation: r.Organisation}
			e := &problem.Error{
				What:  fmt.Sprintf("no table %q in %s", f.Arg, word),
				Label: "tables", Where: strings.Join(names, " "), Try: lacking.Command(),
			}
			if f.Arg == "users" {
				e.Try = "nexios add auth"
			}
			return e
		}
		switch {
		case (f.Type == "ref" || f.Type == "many") && target.Organisation && !r.Organisation:
			return &problem.Error{
				What:  word + " refers to rows of organisations from a table outside organisations",
				Where: r.Name + " " + word, Try: r.inOrganisation().Command(),
			}
		case f.Type == "ref" && target.Organisation && f.Mods["ondelete"] == "null":
			return &problem.Error{
				What:  "ondelete=null does not work within an organisation, in " + word + ": it would clear organisation_id too",
				Where: r.Name + " " + word, Try: r.withFields(r.replaceField(i, strings.Replace(word, ":ondelete=null", "", 1))).Command(),
			}
		case f.Type == "ref" && target.Name == r.Name && !f.Is("optional"):
			return &problem.Error{
				What:  "no first row could be created: " + word + " refers to its own table",
				Where: r.Name + " " + word, Try: r.withFields(r.replaceField(i, word+":optional")).Command(),
			}
		case f.Type == "has":
			if _, ok := BackRef(r, target, f); !ok {
				return &problem.Error{
					What:  fmt.Sprintf("%s has no ref to %s, which %s needs", target.Plural, r.Plural, word),
					Label: "there", Where: target.Command(),
					Try: target.withFields(append(slices.Clone(target.Fields), r.Name+":ref="+r.Plural)).Command(),
				}
			}
		}
	}
	return nil
}
