package view

import (
	"slices"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Migration is the file of the change that makes the tables.
type Migration struct {
	Imports string
	ID      string // "20261121101500_create_posts"
	Func    string // "createPosts"
	// Apart says that the types of the tables stand outside the function,
	// because some need a method to tell their table.
	Apart  bool
	Stubs  []Table  // tables that these refer to
	Tables []Table  // in the order in which they are made
	Drop   []string // in the order in which they are dropped
	Fold   []string // columns that are unique whatever the case
	Last   string   // one more of those
}

// Table is a table as it is when the migration runs.
type Table struct {
	Name   string // of its type
	Table  string
	Fields []Line
}

func (w resource) migration() Migration {
	m := Migration{
		ID:   strings.TrimPrefix(w.r.Migration+"_create_"+w.r.TableName(), "_"),
		Func: "create" + exported(w.r.TableName()),
	}
	paths := []string{gormImport, dbImport}

	// Every table that is named here, so that it is known which need a method.
	targets := map[string]spec.Resource{}
	for _, f := range w.related("ref", "many") {
		targets[f.target.TableName()] = f.target
	}
	if w.r.Owner {
		users, _ := w.p.Target(spec.Field{Arg: "users"})
		targets["users"] = users
	}
	if len(w.uploads()) > 0 {
		targets[uploads] = spec.Resource{}
	}
	joins := map[string]string{}
	for _, f := range w.related("many") {
		table := w.r.JoinTable(f.Field)
		joins[table] = table
	}
	names := map[string]string{}
	for table := range targets {
		names[table] = snapshot(table)
	}
	for table := range joins {
		names[table] = snapshot(table)
	}
	own := w.r.TableName()
	names[own] = snapshot(own)
	for _, name := range names {
		m.Apart = m.Apart || name == ""
	}
	if m.Apart {
		for table := range names {
			names[table] = unexported(table) + "At" + w.r.Migration
		}
	}

	t := Table{Name: names[own], Table: own}
	key := func(name string, r spec.Resource, tags ...string) Line {
		if r.UUID {
			return Line{Name: name, Type: "string", Tag: tag("gorm", strings.Join(append([]string{"type:char(36)"}, tags...), ";"))}
		}
		return Line{Name: name, Type: "int64", Tag: tag("gorm", strings.Join(tags, ";"))}
	}
	primary := []string{"primaryKey"}
	if !w.r.UUID {
		primary = nil
	}
	t.Fields = append(t.Fields, key("ID", w.r, primary...))
	live := ""
	if w.r.SoftDelete {
		live = "idx_" + own + "_"
	}
	unique := []string{}
	constraint := func(f spec.Field) string {
		switch f.Mods["ondelete"] {
		case "cascade":
			return "constraint:OnDelete:CASCADE"
		case "null":
			return "constraint:OnDelete:SET NULL"
		}
		return "constraint:OnDelete:RESTRICT"
	}
	if w.r.Owner {
		t.Fields = append(t.Fields,
			Line{Name: "UserID", Type: "int64", Tag: tag("gorm", "not null;index")},
			Line{Name: "User", Type: names["users"], Tag: tag("gorm", "constraint:OnDelete:CASCADE")})
	}
	for _, f := range w.columns() {
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
		case f.Type == "uuid", f.Type == "ref" && f.target.UUID:
			goType = "string"
		case f.Type == "ref":
			goType = "int64"
		case f.Type == "decimal", f.row.Upload:
			goType = "string"
		}
		if goType == f.goType() || f.Is("array") {
			paths = append(paths, f.goImports()...)
		}
		if f.Type == "ref" && f.target.UUID {
			tags = append(tags, "type:char(36)")
		}
		if f.Is("optional") && !f.Is("array") {
			if !f.nilable() {
				goType = "*" + goType
			}
		} else {
			tags = append(tags, "not null")
		}
		if v, ok := f.Default(); ok && v.Cell != "" {
			tags = append(tags, "default:"+v.Cell)
		}
		switch {
		case f.Mods["unique"] == "nocase":
			m.Fold = append(m.Fold, f.Column())
		case f.Is("unique") && live != "":
			tags = append(tags, "uniqueIndex:"+live+f.Column())
			unique = append(unique, f.Column())
		case f.Is("unique"):
			tags = append(tags, "uniqueIndex")
		case f.Is("index") || f.Is("sort") || f.Is("filter") || f.Type == "ref" || f.row.Upload:
			tags = append(tags, "index")
		}
		t.Fields = append(t.Fields, Line{Name: exported(f.Column()), Type: goType, Tag: tag("gorm", strings.Join(tags, ";"))})
		if f.Type == "ref" {
			name := names[f.target.TableName()]
			if f.target.Name == w.r.Name {
				name = "*" + name
			}
			how := constraint(f.Field)
			if exported(f.Name)+"ID" != exported(f.Column()) || f.target.Name == w.r.Name {
				how = "foreignKey:" + exported(f.Column()) + ";" + how
			}
			t.Fields = append(t.Fields, Line{Name: exported(f.Name), Type: name, Tag: tag("gorm", how)})
		}
		if f.row.Upload {
			how := "foreignKey:" + exported(f.Column()) + ";references:Name;constraint:OnDelete:RESTRICT"
			t.Fields = append(t.Fields, Line{Name: w.free(exported(f.Name) + "File"), Type: names[uploads], Tag: tag("gorm", how)})
		}
	}
	paths = append(paths, "time")
	t.Fields = append(t.Fields,
		Line{Name: "CreatedAt", Type: "time.Time", Tag: tag("gorm", "not null;index")},
		Line{Name: "UpdatedAt", Type: "time.Time", Tag: tag("gorm", "not null")})
	if w.r.SoftDelete {
		t.Fields = append(t.Fields, Line{Name: "DeletedAt", Type: "gorm.DeletedAt", Tag: tag("gorm", "index")})
		if len(unique) > 0 {
			// Null in a unique index never equals null: rows that are deleted
			// stand in nobody's way, on every database.
			how := "type:smallint GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN 1 END) STORED"
			for _, column := range unique {
				how += ";uniqueIndex:" + live + column
			}
			t.Fields = append(t.Fields, Line{Name: "NotDeleted", Type: "*int", Tag: tag("gorm", how)})
		}
	}
	for _, table := range sortedKeys(targets) {
		if table == own {
			continue
		}
		id := key("ID", targets[table], keyTags(targets[table])...)
		if table == uploads {
			id = Line{Name: "Name", Type: "string", Tag: tag("gorm", "primaryKey;size:40")}
		}
		m.Stubs = append(m.Stubs, Table{Name: names[table], Table: table, Fields: []Line{id}})
	}
	m.Tables = append(m.Tables, t)
	for _, f := range w.related("many") {
		join := w.r.JoinTable(f.Field)
		mine, theirs := exported(w.r.Name), exported(spec.Singular(f.Name))
		a := key(mine+"ID", w.r, append(present(columnName(w.r.Name+"_id")), "primaryKey", "autoIncrement:false")...)
		b := key(theirs+"ID", f.target, append(present(columnName(spec.Singular(f.Name)+"_id")), "primaryKey", "autoIncrement:false", "index")...)
		m.Tables = append(m.Tables, Table{
			Name: names[join], Table: join,
			Fields: []Line{
				a, b,
				{Name: mine, Type: names[own], Tag: tag("gorm", "constraint:OnDelete:CASCADE")},
				{Name: theirs, Type: names[f.target.TableName()], Tag: tag("gorm", "constraint:OnDelete:CASCADE")},
			},
		})
	}
	for i := range m.Tables {
		m.Drop = append(m.Drop, m.Tables[len(m.Tables)-1-i].Table)
	}
	if n := len(m.Fold); n > 0 {
		m.Fold, m.Last = m.Fold[:n-1], m.Fold[n-1]
	}
	m.Imports = imports(w.p.Module, paths...)
	return m
}

// uploads is the table of uploads.
const uploads = "files"

// free returns the Go name, made longer until no field has it.
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

func present(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// snapshot is the name of a local type that GORM takes for the table; "" when
// there is none.
func snapshot(table string) string {
	for _, number := range []func(string) string{strings.Clone, spec.Singular} {
		name := number(table)
		local := unexportedPlain(name)
		if !guessablePlain(name) || inflection.Plural(name) != table {
			continue
		}
		if taken := strings.Fields("db gorm time decimal uuid tx string int int64 bool float64 byte error"); spec.Keyword(local) ||
			spec.Predeclared(local) || slices.Contains(taken, local) {
			continue
		}
		return local
	}
	return ""
}

// guessablePlain is guessable for what unexportedPlain makes.
func guessablePlain(snake string) bool {
	for word := range strings.SplitSeq(snake, "_") {
		if len(word) < 2 || strings.ContainsAny(word, "0123456789") {
			return false
		}
	}
	return true
}

// unexportedPlain is unexported without capitals for acronyms in the middle,
// which GORM would take apart.
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

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
