package view

import (
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Migration is the file of a migration that creates tables or columns.
type Migration struct {
	Imports string
	File    string // its name, without .go
	ID      string // "20261121101500_create_posts"
	Func    string // "createPosts"
	// Apart declares the types outside the function, because some need a method that
	// returns their table.
	Apart bool
	Types []Table // each after those that it refers to
	// Local are types declared within the function nevertheless: their names do not have
	// to match a table.
	Local []Table
	Up    Steps
	Down  Steps
	// Online indicates that the table may be in use while it is changed.
	Online bool
}

// Steps are Go expressions of type error, in order of evaluation, which stops at the first
// error.
type Steps struct {
	First []string
	Last  string
}

func steps(list []string) Steps {
	last := len(list) - 1
	return Steps{First: list[:last], Last: list[last]}
}

// Table is a table as it is when the migration runs.
type Table struct {
	Name   string // of its type
	Table  string
	Fields []Line
}

// migrations returns the migrations of the resource, oldest first.
func (w resource) migrations() ([]Migration, error) {
	first, history, err := w.r.History()
	if err != nil {
		return nil, err
	}
	made, err := asOf(w.p, first, first.Migration)
	if err != nil {
		return nil, err
	}
	var list []Migration
	if w.r.Existing == nil {
		list = append(list, made.migration())
	}
	for _, step := range history {
		before, err := asOf(w.p, step.Before, step.Migration)
		if err != nil {
			return nil, err
		}
		after, err := asOf(w.p, step.After, step.Migration)
		if err != nil {
			return nil, err
		}
		var m Migration
		if step.Renamed {
			m = after.renamed(step, before)
			if m.ID == "" {
				continue
			}
		} else if slices.ContainsFunc(w.r.Added, func(a spec.Addition) bool { return a.Migration == step.Migration }) {
			m, err = after.addition(step, before)
		} else {
			m, err = after.change(step, before)
		}
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(o Migration) bool { return o.Func == m.Func }) { // an earlier migration made the same change
			m.Func += step.Migration
		}
		list = append(list, m)
	}
	return list, nil
}

// migration returns the migration that creates the resource's tables.
func (w resource) migration() Migration {
	h := w.snapshot(w.r.Migration)
	own := h.w.r.TableName()
	m := h.m
	m.ID = strings.TrimPrefix(h.w.r.Migration+"_create_"+spec.Snake(own), "_")
	m.Func = "create" + exported(spec.Snake(own)) + w.apart(w.r.Migration)

	t := Table{Name: h.names[own], Table: own, Fields: []Line{h.primary()}}
	if w.r.Owner {
		t.Fields = append(t.Fields,
			Line{Name: "UserID", Type: "int64", Tag: tag("gorm", h.also("not null;"+h.list("user_id"), "user_id")+h.owned())},
			Line{Name: "User", Type: h.names["users"], Tag: tag("gorm", "constraint:OnDelete:CASCADE")})
	}
	created := "index"
	if w.r.Organisation {
		created = "index:" + h.within("created_at") + ",priority:2"
		t.Fields = append(t.Fields,
			Line{Name: "OrganisationID", Type: "int64", Tag: tag("gorm", h.organisation("not null;uniqueIndex:"+h.within("id")+",priority:1;index:"+h.within("created_at")+",priority:1"))},
			Line{Name: "Organisation", Type: h.names["organisations"], Tag: tag("gorm", "constraint:OnDelete:RESTRICT")})
	}
	t.Fields = append(t.Fields, h.columns(true)...)
	h.paths = append(h.paths, "time")
	t.Fields = append(t.Fields,
		Line{Name: "CreatedAt", Type: "time.Time", Tag: tag("gorm", h.also("not null;"+created+h.listed("created_at"), "created_at"))},
		Line{Name: "UpdatedAt", Type: "time.Time", Tag: tag("gorm", h.also("not null", "updated_at"))})
	if w.r.SoftDelete {
		t.Fields = append(t.Fields, Line{Name: "DeletedAt", Type: "gorm.DeletedAt", Tag: tag("gorm", "index")})
		if h.w.hasNotDeleted() {
			t.Fields = append(t.Fields, Line{Name: "NotDeleted", Type: "*int", Tag: tag("gorm", notDeleted+h.live())})
		}
	}
	if columns := h.w.searched(); len(columns) > 0 {
		h.search, h.unsearch = searchIndex(own, columns), searchIndex(own, nil)
	}
	return h.finish(m, append([]Table{t}, h.joins()...))
}

// searched returns the columns that are searched.
func (w resource) searched() []string {
	var columns []string
	for _, f := range w.fields {
		if f.Is("search") {
			columns = append(columns, f.Column())
		}
	}
	return columns
}

// searchedForms returns the columns that are searched, or their folded copies.
func (w resource) searchedForms() []string {
	var columns []string
	for _, f := range w.fields {
		if f.Is("search") {
			columns = append(columns, f.Column()+map[bool]string{true: "_folded"}[f.Folded()])
		}
	}
	return columns
}

// searchIndex returns the expression that creates the search index of a table, or drops it
// if no columns are searched.
func searchIndex(table string, columns []string) string {
	if len(columns) == 0 {
		return "db.DropSearchIndex(tx, " + quoted(table) + ")"
	}
	words := []string{"tx", quoted(table)}
	for _, column := range columns {
		words = append(words, quoted(column))
	}
	return "db.SearchIndex(" + strings.Join(words, ", ") + ")"
}

// addition returns the migration that adds fields to the resource's table.
func (w resource) addition(step spec.Step, before resource) (Migration, error) {
	var names []string
	for _, f := range step.Fields {
		names = append(names, fieldName(f.To))
	}
	only := w.without(func(name string) bool { return !slices.Contains(names, name) })
	only.r.Owner, only.r.Indexes = false, nil // they exist already
	only.made = true
	h := only.snapshot(step.Migration)
	own := h.w.r.TableName()
	m := h.m
	m.Online = true
	what := some(names)
	m.ID = step.Migration + "_add_" + what + "_to_" + spec.Snake(own)
	m.Func = "add" + exported(what) + "To" + exported(spec.Snake(own)) + w.apart(step.Migration)

	t := Table{Name: h.names[own], Table: own, Fields: []Line{h.primary()}}
	if w.r.Existing != nil {
		t.Fields = w.existingKey(w.r)
	}
	if w.r.Organisation {
		t.Fields = append(t.Fields, Line{Name: "OrganisationID", Type: "int64", Tag: tag("gorm", h.organisation("->"))})
	}
	columns := h.filling(step.Fill)
	if owned := h.owned(); owned != "" || h.w.r.Within() == "user_id" && len(h.fold) > 0 {
		t.Fields = append(t.Fields, Line{Name: "UserID", Type: "int64", Tag: tag("gorm", "->"+owned)})
	}
	t.Fields = append(t.Fields, columns...)
	if lists := h.listed("created_at"); lists != "" {
		h.paths = append(h.paths, "time")
		t.Fields = append(t.Fields, Line{Name: "CreatedAt", Type: "time.Time", Tag: tag("gorm", "->"+lists)})
	}
	if h.w.hasNotDeleted() {
		how := notDeleted
		if before.hasNotDeleted() {
			how = "->" // exists already
		}
		t.Fields = append(t.Fields, Line{Name: "NotDeleted", Type: "*int", Tag: tag("gorm", how+h.live())})
	}
	if len(only.searched()) > 0 {
		h.search = searchIndex(own, w.searched())
		h.unsearch = searchIndex(own, before.searched())
	}
	h.altered = &t
	h.bare = len(columns) == 0
	if err := h.fill(step); err != nil {
		return m, err
	}
	return h.finish(m, h.joins()), nil
}

// some joins the first of names.
func some(names []string) string {
	if len(names) > 2 {
		return fmt.Sprintf("%s_and_%d_more", names[0], len(names)-1)
	}
	return strings.Join(names, "_and_")
}

func fieldName(word string) string {
	name, _, _ := strings.Cut(word, ":")
	return name
}

// apart returns a suffix that distinguishes the migrations of a table from those of a
// dropped one of the same name.
func (w resource) apart(time string) string {
	if w.p.Before(w.r.TableName(), time) {
		return time
	}
	return ""
}

// without returns the resource without the fields for which out returns true.
func (w resource) without(out func(name string) bool) resource {
	w.fields = slices.DeleteFunc(slices.Clone(w.fields), func(f field) bool { return out(f.Name) })
	return w
}

// notDeleted is a column of tables with soft deletion. In a unique index null never equals
// null on any database, so deleted rows do not conflict.
const notDeleted = "type:smallint GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN 1 END) STORED"

// history is what is known about tables at the time of a migration.
type history struct {
	w       resource
	m       Migration
	targets map[string]spec.Resource // tables referred to
	names   map[string]string        // of the types that represent tables
	paths   []string
	fold    []string // columns that are unique case-insensitively
	noCase  []string // columns that are compared case-insensitively
	altered *Table   // the table that gets columns; nil if it is created
	bare    bool     // it gets none: others refer to it
	// search creates the search index of the table, unsearch reverts that; "" for none.
	search, unsearch string
	changing         bool // columns are compared, so a case-insensitive unique index is declared by its own tag
	// filled are steps after columns were added, which fill them and make them required.
	filled []string
	local  []Table
}

// snapshot names all tables that the fields need, which determines which types need a
// method.
func (w resource) snapshot(time string) *history {
	h := &history{w: w, targets: map[string]spec.Resource{}, names: map[string]string{}, paths: []string{gormImport, dbImport}}
	for _, f := range w.related("ref", "many") {
		h.targets[f.target.TableName()] = f.target
	}
	if w.r.Organisation && !w.made {
		h.targets["organisations"] = spec.Resource{}
	}
	if w.r.Owner {
		users, _ := w.p.Target(spec.Field{Type: "ref", Arg: "users"})
		h.targets["users"] = users
	}
	if len(w.uploads()) > 0 {
		h.targets[uploads] = spec.Resource{}
	}
	tables := append(slices.Sorted(maps.Keys(h.targets)), w.r.TableName())
	for _, f := range w.related("many") {
		tables = append(tables, w.r.JoinTable(f.Field))
	}
	for _, table := range tables {
		h.names[table] = snapshot(table)
		h.m.Apart = h.m.Apart || h.names[table] == ""
	}
	if h.m.Apart {
		for _, table := range tables {
			h.names[table] = unexported(spec.Snake(table)) + "At" + time
		}
	}
	return h
}

// primary returns the key column of the resource's table.
func (h *history) primary() Line {
	if h.w.r.Existing != nil {
		return h.w.existingKey(h.w.r)[0]
	}
	tags := keyTags(h.w.r)
	if h.w.r.Organisation && !h.w.made {
		tags = append(tags, "uniqueIndex:"+h.within("id")+",priority:2")
	}
	return tableKey("ID", h.w.r, tags...)
}

// within returns the name of a column's index within an organisation or an owner.
func (h *history) within(column string) string {
	name := "idx_" + h.w.r.TableName() + "_" + h.w.r.Within() + "_" + column
	if h.w.r.Organisation {
		return name
	}
	return short(name)
}

// short shortens the name of an index to what PostgreSQL and MySQL accept.
func short(name string) string {
	if len(name) > 60 { // PostgreSQL accepts 63
		return fmt.Sprintf("%s_%08x", name[:51], crc32.ChecksumIEEE([]byte(name)))
	}
	return name
}

// A list that is filtered by a column, or limited to its owner's rows, is by default
// ordered by creation: one index covers both.

// byCreation reports whether lists filtered by f have such an index.
func (h *history) byCreation(f field) bool {
	return h.w.r.Existing == nil && f.Is("filter") && f.Row().Filters == "equal" && !f.Is("unique") && !f.Is("nocase") && !f.Is("array") &&
		len(h.listIndex(f.Column())) <= longestIndex
}

// longestIndex is the length at which PostgreSQL truncates names of indexes.
const longestIndex = 63

// listIndex returns the name of the index of lists filtered by a column.
func (h *history) listIndex(column string) string {
	return "idx_" + h.w.r.TableName() + "_" + column + "_list"
}

// list returns the tag of a column that lists are filtered by.
func (h *history) list(column string) string {
	priority := ",priority:1"
	if h.w.r.Organisation {
		priority = ",priority:2" // after organisation_id
	}
	return "index:" + h.listIndex(column) + priority
}

// listed returns the end of the tag of organisation_id, which is first in the indexes of
// lists, or of created_at, which is last.
func (h *history) listed(column string) string {
	priority := "" // 10
	if column == "organisation_id" {
		priority = ",priority:1"
	}
	how := ""
	if h.w.r.Owner {
		how += ";index:" + h.listIndex("user_id") + priority
	}
	for _, f := range h.w.columns() {
		if h.byCreation(f) {
			how += ";index:" + h.listIndex(f.Column()) + priority
		}
	}
	return how
}

// organisation returns the tag of the column organisation_id, which is first in the
// indexes of other columns.
func (h *history) organisation(how string) string {
	for _, f := range h.w.columns() {
		if f.Is("unique") && f.Mods["unique"] != "nocase" {
			how += ";uniqueIndex:" + h.within(f.Column()) + ",priority:1"
		}
	}
	for _, word := range h.w.r.Indexes {
		how += ";" + h.indexTag(spec.ParseIndex(word), 1)
	}
	return how + h.listed("organisation_id")
}

// owned returns the tags of the column user_id where it is first in the indexes of what is
// unique per owner.
func (h *history) owned() (how string) {
	if h.w.r.Within() != "user_id" {
		return ""
	}
	for _, f := range h.w.columns() {
		if f.Is("unique") && f.Mods["unique"] != "nocase" {
			how += ";uniqueIndex:" + h.within(f.Column()) + ",priority:1"
		}
	}
	for _, word := range h.w.r.Indexes {
		if x := spec.ParseIndex(word); h.first(x) == "user_id" {
			how += ";" + h.indexTag(x, 1)
		}
	}
	return how
}

// tableKey returns a column that contains keys of r.
func tableKey(name string, r spec.Resource, tags ...string) Line {
	exact := r.KeyType()
	if exact == "" && r.UUID {
		exact = "char(36)"
	}
	if exact != "" {
		tags = append([]string{"type:" + exact}, tags...)
	}
	if r.UUID {
		return Line{Name: name, Type: "string", Tag: tag("gorm", strings.Join(tags, ";"))}
	}
	return Line{Name: name, Type: "int64", Tag: tag("gorm", strings.Join(tags, ";"))}
}

// columns returns the columns of the fields, and what they refer to. In a table with rows,
// an array is nullable, and null is read as an empty array.
func (h *history) columns(empty bool) []Line {
	var lines []Line
	for _, f := range h.w.columns() {
		var tags []string
		if name := columnName(f.Column()); name != "" {
			tags = append(tags, name)
		}
		if how := f.ColumnTag(); how != "" && f.Type != "ref" {
			tags = append(tags, strings.Split(how, ";")...)
		}
		goType := f.goType()
		switch {
		case f.Is("array"):
			goType = "db.Array[" + goType + "]"
		case f.Type == "ref" && f.target.UUID:
			goType = "string"
		case f.Type == "ref", f.Is("string"):
			goType = "int64"
		case f.row.Stored != "":
			goType = f.row.Stored
		}
		if goType == f.goType() || f.Is("array") {
			h.paths = append(h.paths, f.goImports()...)
		}
		switch key, chosen := chosenKey(f.target); {
		case f.Type != "ref":
		case f.target.KeyType() != "":
			tags = append(tags, "type:"+f.target.KeyType())
			if chosen {
				goType = key.stored()
			}
		case chosen:
			goType, tags = key.stored(), append(tags, key.ColumnTag())
		case f.target.UUID && f.target.Existing != nil:
			tags = append(tags, "type:uuid")
		case f.target.UUID:
			tags = append(tags, "type:char(36)")
		}
		switch {
		case f.Is("optional") && !f.Is("array"):
			if !f.nilable() {
				goType = "*" + goType
			}
		case empty || !f.Is("array"):
			tags = append(tags, "not null")
		}
		if v, ok := f.Default(); ok && v.Cell != "" {
			tags = append(tags, "default:"+v.Cell)
		}
		switch {
		case f.Mods["unique"] == "nocase" && h.changing:
			tags = append(tags, strings.TrimSuffix("fold:"+strings.Join(h.w.foldedWithin(), ","), ":"))
		case f.Mods["unique"] == "nocase":
			h.fold = append(h.fold, f.Column())
		case f.Is("nocase") && h.changing:
			tags = append(tags, "nocase")
		case f.Is("nocase"):
			h.noCase = append(h.noCase, f.Column())
		case f.Is("unique") && h.w.r.SoftDelete:
			tags = append(tags, "uniqueIndex:"+h.liveIndex(f))
		case f.Is("unique") && h.w.r.Within() != "":
			tags = append(tags, "uniqueIndex:"+h.within(f.Column())+",priority:2")
		case f.Is("unique"):
			tags = append(tags, "uniqueIndex")
		case h.byCreation(f) && !f.Is("sort"):
			tags = append(tags, h.list(f.Column()))
		case h.byCreation(f):
			tags = append(tags, "index", h.list(f.Column()))
		case f.Is("index") || f.Is("sort") || f.Is("filter") || f.Type == "ref" || f.row.Upload:
			tags = append(tags, "index")
		}
		if f.Is("unique") && h.w.r.Within() == "user_id" && (f.Type == "ref" || f.row.Upload) {
			tags = append(tags, "index") // lookups by the referenced row do not include user_id
		}
		tags = append(tags, h.composite(f.Column())...)
		lines = append(lines, Line{Name: exported(f.Column()), Type: goType, Tag: tag("gorm", strings.Join(tags, ";"))})
		if f.Type == "ref" {
			name := h.names[f.target.TableName()]
			if f.target.Name == h.w.r.Name {
				name = "*" + name
			}
			how := constraint(f.Field)
			if f.target.Organisation {
				how = "foreignKey:OrganisationID," + exported(f.Column()) + ";references:OrganisationID,ID;" + how
			} else if exported(f.Name)+"ID" != exported(f.Column()) || f.target.Name == h.w.r.Name {
				how = "foreignKey:" + exported(f.Column()) + ";" + how
			}
			if key := keyName(f.target); key != "ID" {
				how = "foreignKey:" + exported(f.Column()) + ";references:" + key + ";" + constraint(f.Field)
			}
			lines = append(lines, Line{Name: exported(f.Name), Type: name, Tag: tag("gorm", how)})
		}
		if f.row.Upload {
			how := "foreignKey:" + exported(f.Column()) + ";references:Name;constraint:OnDelete:RESTRICT"
			lines = append(lines, Line{Name: h.w.free(exported(f.Name) + "File"), Type: h.names[uploads], Tag: tag("gorm", how)})
		}
	}
	return lines
}

func constraint(f spec.Field) string {
	switch f.Mods["ondelete"] {
	case "cascade":
		return "constraint:OnDelete:CASCADE"
	case "null":
		return "constraint:OnDelete:SET NULL"
	}
	return "constraint:OnDelete:RESTRICT"
}

// hasNotDeleted reports whether the table has the column not_deleted, which it needs for
// unique columns with soft deletion.
func (w resource) hasNotDeleted() bool {
	return w.r.SoftDelete && (slices.ContainsFunc(w.columns(), func(f field) bool { return f.Is("unique") }) ||
		slices.ContainsFunc(w.r.Indexes, func(word string) bool { return spec.ParseIndex(word).Unique }))
}

// foldedWithin returns the columns that limit the scope of a case-insensitive unique
// column.
func (w resource) foldedWithin() []string {
	var within []string
	if column := w.r.Within(); column != "" {
		within = append(within, column)
	}
	if w.r.SoftDelete {
		within = append(within, "not_deleted")
	}
	return within
}

// liveIndex returns the name of the unique index of a column among rows that are not
// deleted.
func (h *history) liveIndex(f field) string {
	if h.w.r.Within() != "" {
		return h.within(f.Column())
	}
	return "idx_" + h.w.r.TableName() + "_" + f.Column()
}

// live returns the end of the tag of not_deleted: the indexes that include it, or "".
func (h *history) live() string {
	how := ""
	for _, f := range h.w.columns() {
		if h.w.r.SoftDelete && f.Is("unique") && f.Mods["unique"] != "nocase" {
			how += ";uniqueIndex:" + h.liveIndex(f)
		}
	}
	for _, word := range h.w.r.Indexes {
		if x := spec.ParseIndex(word); h.w.r.SoftDelete && x.Unique {
			how += ";" + h.indexTag(x, len(x.Fields)+2)
		}
	}
	return how
}

// stubs returns the tables that are referred to.
func (h *history) stubs() []Table {
	var stubs []Table
	for _, table := range slices.Sorted(maps.Keys(h.targets)) {
		if table == h.w.r.TableName() {
			continue
		}
		id := tableKey("ID", h.targets[table], keyTags(h.targets[table])...)
		if table == uploads {
			id = Line{Name: "Name", Type: "string", Tag: tag("gorm", "primaryKey;size:40")}
		}
		stub := Table{Name: h.names[table], Table: table, Fields: []Line{id}}
		if h.targets[table].Existing != nil {
			stub.Fields = h.w.existingKey(h.targets[table])
		}
		if h.targets[table].Organisation {
			stub.Fields = append(stub.Fields, Line{Name: "OrganisationID", Type: "int64"})
		}
		stubs = append(stubs, stub)
	}
	return stubs
}

// joins returns the join tables of many fields.
func (h *history) joins() []Table {
	var joins []Table
	for _, f := range h.w.related("many") {
		join := h.w.r.JoinTable(f.Field)
		// GORM infers the names of these columns, here as in the model.
		mine, theirs := h.w.joined(f)
		a := tableKey(mine, h.w.r, "primaryKey", "autoIncrement:false")
		b := tableKey(theirs, f.target, "primaryKey", "autoIncrement:false", "index")
		mine, theirs = strings.TrimSuffix(mine, "ID"), strings.TrimSuffix(theirs, "ID")
		t := Table{Name: h.names[join], Table: join, Fields: []Line{a, b}}
		how := func(string) string { return "" }
		if f.target.Organisation {
			t.Fields = append([]Line{{Name: "OrganisationID", Type: "int64", Tag: tag("gorm", "primaryKey;autoIncrement:false")}}, t.Fields...)
			how = func(name string) string {
				return "foreignKey:OrganisationID," + name + "ID;references:OrganisationID,ID;"
			}
		}
		t.Fields = append(t.Fields,
			Line{Name: mine, Type: h.names[h.w.r.TableName()], Tag: tag("gorm", how(mine)+"constraint:OnDelete:CASCADE")},
			Line{Name: theirs, Type: h.names[f.target.TableName()], Tag: tag("gorm", how(theirs)+"constraint:OnDelete:CASCADE")})
		joins = append(joins, t)
	}
	return joins
}

// finish completes the migration: it creates the tables, and the columns of the altered
// one.
func (h *history) finish(m Migration, tables []Table) Migration {
	m.File = fileName(m.ID)
	m.Types = h.stubs()
	var up, down []string
	if h.altered != nil {
		m.Types = append(m.Types, *h.altered)
	}
	if h.altered != nil && !h.bare {
		up = append(up, "db.AddColumns(tx, &"+h.altered.Name+"{})")
		down = append(down, "db.DropColumns(tx, &"+h.altered.Name+"{})")
	}
	if len(tables) > 0 {
		var made, dropped []string
		for i, t := range tables {
			made = append(made, "&"+t.Name+"{}")
			dropped = append(dropped, quoted(tables[len(tables)-1-i].Table))
		}
		m.Types = append(m.Types, tables...)
		create := "tx.Migrator().CreateTable("
		if h.w.r.Organisation || m.Online {
			create = "db.CreateTables(tx, "
		}
		up = append(up, create+strings.Join(made, ", ")+")")
		down = append([]string{"tx.Migrator().DropTable(" + strings.Join(dropped, ", ") + ")"}, down...)
	}
	up = append(up, h.filled...)
	m.Local = h.local
	for _, column := range h.fold {
		within := ""
		for _, column := range h.w.foldedWithin() {
			within += ", " + quoted(column)
		}
		up = append(up, "db.UniqueNoCase(tx, "+quoted(h.w.r.TableName())+", "+quoted(column)+within+")")
	}
	for _, column := range h.noCase {
		up = append(up, "db.NoCase(tx, "+quoted(h.w.r.TableName())+", "+quoted(column)+")")
	}
	if h.search != "" {
		up = append(up, h.search)
		down = append([]string{h.unsearch}, down...)
	}
	m.Up, m.Down = steps(up), steps(down)
	m.Imports = imports(h.w.p.Module, h.paths...)
	return m
}

// uploads is the table of uploads.
const uploads = "files"

// free returns the Go name, extended until no field has it.
func (w resource) free(name string) string {
	for slices.ContainsFunc(w.columns(), func(f field) bool { return exported(f.Column()) == name || exported(f.Name) == name }) {
		name += "File"
	}
	return name
}

func keyTags(r spec.Resource) []string {
	if r.UUID {
		return []string{"primaryKey"}
	}
	return nil
}

// snapshot returns the name of a local type that GORM maps to the table; "" if there is
// none.
func snapshot(table string) string {
	for _, number := range []func(string) string{strings.Clone, spec.Singular} {
		name := number(table)
		local := unexportedPlain(name)
		if table != strings.ToLower(table) || !guessablePlain(name) || inflection.Plural(name) != table {
			continue
		}
		if taken := strings.Fields("db gorm time decimal uuid tx string int int64 bool float64 byte error"); spec.Predeclared(local) || slices.Contains(taken, local) {
			continue
		}
		return local
	}
	return ""
}

// guessablePlain is [Guessable] for names made by unexportedPlain.
func guessablePlain(snake string) bool {
	for word := range strings.SplitSeq(snake, "_") {
		if len(word) < 2 || strings.ContainsAny(word, "0123456789") {
			return false
		}
	}
	return true
}

// unexportedPlain is unexported without upper-case acronyms in the middle, which GORM
// would split.
func unexportedPlain(snake string) string {
	var parts []string
	for i, word := range strings.Split(snake, "_") {
		if i > 0 {
			word = title(word)
		}
		parts = append(parts, word)
	}
	return strings.Join(parts, "")
}
