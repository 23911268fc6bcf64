package db

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Search keeps the rows that hold term in at least one of columns, whatever
// the case of its characters by Unicode's simple folding; those of ASCII are
// ASCII's own, which a dotless i or a long s is not. Accents count, and % and _
// stand for themselves. An empty term keeps every row. Columns that
// UniqueNoCase made unique are searched by their folded forms.
//
// Where SearchIndex has made an index, terms of three characters and more are
// looked up in it. What is found is the same without.
func Search(tx *gorm.DB, term string, columns ...string) *gorm.DB {
	if term == "" || len(columns) == 0 {
		return tx
	}
	return tx.Where(search{term, columns})
}

// SearchVector keeps the rows whose column, a tsvector of PostgreSQL, matches the
// term as people type it into a search box. An empty term keeps every row.
func SearchVector(tx *gorm.DB, term, column string) *gorm.DB {
	if term == "" {
		return tx
	}
	return tx.Where(vector{term, column})
}

// vector is the condition of SearchVector.
type vector struct{ term, column string }

// Build implements clause.Expression.
func (v vector) Build(b clause.Builder) {
	clause.Expr{SQL: "? @@ websearch_to_tsquery(?)", Vars: []any{current(v.column), v.term}}.Build(b)
}

// SearchIndex makes Search of the columns of a table cheap, for migrations: by
// trigrams, in an index of PostgreSQL's extension pg_trgm, which it creates, and
// on SQLite in two tables, <table>_search and <table>_search_new, that triggers
// keep up to date. It replaces the index that is there. It makes none on MySQL,
// for tables of SQLite without an integer key, and where pg_trgm cannot be
// created, which is logged; Search then looks at every row.
func SearchIndex(tx *gorm.DB, table string, columns ...string) error {
	if err := DropSearchIndex(tx, table); err != nil {
		return err
	}
	there, err := foldedColumns(tx, table)
	if err != nil {
		return err
	}
	columns = slices.Clone(columns)
	for i, column := range columns {
		if there[column] {
			columns[i] = foldedColumn(column)
		}
	}
	switch tx.Name() {
	case "postgres":
		return trigramIndex(tx, table, columns)
	case "sqlite":
		return trigramTable(tx, table, columns)
	}
	return nil
}

// DropSearchIndex takes back what SearchIndex made. Where there is nothing, it
// does nothing.
func DropSearchIndex(tx *gorm.DB, table string) error {
	switch tx.Name() {
	case "postgres":
		return dropIndex(tx, "idx_"+searchTable(table))
	case "sqlite":
		for _, event := range searchEvents {
			if err := tx.Exec("DROP TRIGGER IF EXISTS ?", clause.Table{Name: searchTable(table) + "_" + event}).Error; err != nil {
				return err
			}
		}
		for _, name := range []string{searchTable(table), newsTable(table)} {
			if err := tx.Exec("DROP TABLE IF EXISTS ?", clause.Table{Name: name}).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

// searchTable is what SQLite has indexed of a table, newsTable which of its rows
// are not in it yet.
func searchTable(table string) string { return table + "_search" }
func newsTable(table string) string   { return table + "_search_new" }

// searchEvents name the triggers of a table that is searched.
var searchEvents = []string{"insert", "update"}

// lowered is a column as PostgreSQL compares it whatever the case; the database's
// own locale may know the cases of ASCII only.
const lowered = `lower(? COLLATE "und-x-icu")`

// trigramIndex is the index of PostgreSQL.
func trigramIndex(tx *gorm.DB, table string, columns []string) error {
	where, err := trigramSchema(tx)
	if err != nil {
		return err
	}
	if where == "" { // where all schemas of the database find it
		made := tx.Transaction(func(tx *gorm.DB) error { // a savepoint: what fails would be the end of the migration
			return tx.Exec("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public").Error
		})
		if where, err = trigramSchema(tx); err != nil { // another may have been faster
			return err
		}
		if where == "" {
			tx.Logger.Warn(tx.Statement.Context, "search of %s has no index: %v; have an administrator create the extension pg_trgm", table, made)
			return nil
		}
	}
	var parts []string
	vars := []any{clause.Table{Name: table}}
	for _, column := range columns {
		parts = append(parts, "("+lowered+") ?")
		vars = append(vars, clause.Column{Name: column}, clause.Column{Table: where, Name: "gin_trgm_ops"})
	}
	return createIndex(tx, "", "idx_"+searchTable(table), "ON ? USING gin ("+strings.Join(parts, ", ")+")", vars...)
}

// trigramSchema is where pg_trgm is; "" for nowhere.
func trigramSchema(tx *gorm.DB) (string, error) {
	var where string
	err := tx.Raw("SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'").Scan(&where).Error
	return where, err
}

// news is how many rows SQLite indexes at once: one by one they would cost ten
// times as much.
const news = 256

// trigramTable is the index of SQLite: an FTS5 table that keeps no text, and
// only which rows a trigram is or was in, and beside it the keys of the rows that
// are to be added. What is found is looked at again, so that nothing has to be
// removed.
func trigramTable(tx *gorm.DB, table string, columns []string) error {
	var key []struct{ Name, Type string }
	if err := tx.Raw("SELECT name, type FROM pragma_table_info(?) WHERE pk > 0", table).Scan(&key).Error; err != nil {
		return err
	}
	if len(key) != 1 || !strings.EqualFold(key[0].Type, "integer") {
		return nil
	}
	quote := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = quote(column)
	}
	words := strings.NewReplacer(
		"{table}", quote(table), "{id}", quote(key[0].Name), "{columns}", strings.Join(quoted, ", "),
		"{index}", quote(searchTable(table)), "{new}", quote(newsTable(table)), "{news}", strconv.Itoa(news),
		"{inserted}", quote(searchTable(table)+"_insert"), "{updated}", quote(searchTable(table)+"_update"), "{enough}", quote(newsTable(table)+"_insert"),
	)
	for _, statement := range []string{
		"CREATE VIRTUAL TABLE {index} USING fts5({columns}, content='', columnsize=0, detail=none, tokenize='trigram')",
		"INSERT INTO {index} (rowid, {columns}) SELECT {id}, {columns} FROM {table} ORDER BY {id}",
		"CREATE TABLE {new} (n integer PRIMARY KEY, id integer NOT NULL)",
		"CREATE TRIGGER {inserted} AFTER INSERT ON {table} BEGIN INSERT INTO {new} (id) VALUES (new.{id}); END",
		"CREATE TRIGGER {updated} AFTER UPDATE OF {id}, {columns} ON {table} BEGIN INSERT INTO {new} (id) VALUES (new.{id}); END",
		"CREATE TRIGGER {enough} AFTER INSERT ON {new} WHEN new.n >= {news} BEGIN " +
			"INSERT INTO {index} (rowid, {columns}) SELECT {id}, {columns} FROM {table} WHERE {id} IN (SELECT id FROM {new}) ORDER BY {id}; " +
			"DELETE FROM {new}; END",
	} {
		// Not through GORM, which takes @ and ? in names for its own.
		if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, words.Replace(statement)); err != nil {
			return fmt.Errorf("index of the search of %s: %w", table, Translate(err))
		}
	}
	return nil
}

// search is the condition of Search.
type search struct {
	term    string
	columns []string
}

// Build implements clause.Expression.
func (s search) Build(b clause.Builder) {
	dialect := ""
	stmt, ok := b.(*gorm.Statement)
	if ok {
		dialect = stmt.Name()
	}
	var either []string
	var values []any
	indexed, plain := search{term: Fold(s.term)}, false
	for _, column := range s.columns {
		name, term, folded := s.folded(stmt, column)
		condition, vars := holds(dialect, current(name), term, folded, anywhere)
		either, values = append(either, condition), append(values, vars...)
		indexed.columns, plain = append(indexed.columns, name), plain || !folded
	}
	if plain {
		indexed.term = s.term
	}
	if dialect == "sqlite" && (!plain || Fold(s.term) == strings.ToLower(s.term) || slices.Equal(indexed.columns, s.columns)) {
		if match := indexed.match(stmt); match != "" {
			table := searchTable(stmt.Table)
			clause.Expr{SQL: "? IN (SELECT rowid FROM ? WHERE ? MATCH ? UNION ALL SELECT id FROM ?) AND ", Vars: []any{
				clause.PrimaryColumn, clause.Table{Name: table}, clause.Column{Name: table}, match, clause.Table{Name: newsTable(stmt.Table)},
			}}.Build(b)
		}
	}
	clause.Expr{SQL: "(" + strings.Join(either, " OR ") + ")", Vars: values}.Build(b)
}

// folded is the column that is looked at, the term as it is looked for there,
// and whether these are folded forms.
func (s search) folded(stmt *gorm.Statement, column string) (name, term string, folded bool) {
	if stmt != nil && folds(stmt, column) {
		return foldedColumn(column), Fold(s.term), true
	}
	return column, s.term, false
}

// holds is the condition that a column holds term in a place, and its values.
func holds(dialect string, column clause.Column, term string, folded bool, at place) (condition string, vars []any) {
	rough, exact := loose(term)
	switch {
	case dialect == "postgres":
		// ILIKE, by a word that has an index. Without ESCAPE, through which no
		// index sees.
		condition, vars = lowered+" LIKE lower(? COLLATE "+`"und-x-icu")`, []any{column, at.before + wildcard(backslashEscaper.Replace(rough)) + at.after}
		if !exact || strings.ContainsAny(term, "iIİkK") { // İ and the Kelvin sign are letters of ASCII in lower case
			condition, vars = "("+condition+" AND ? ~ ?)", append(vars, column, at.around(regexPattern(term)))
		}
		return condition, vars
	case dialect == "mysql" && !folded:
		condition, vars = "upper(?) LIKE ? ESCAPE '!'", []any{column, at.before + strings.ToUpper(wildcard(likeEscaper.Replace(rough))) + at.after}
		if !exact || strings.ContainsAny(term, "iIısS") { // ı and ſ are letters of ASCII in upper case
			condition, vars = "("+condition+" AND ? REGEXP ?)", append(vars, column, at.around(regexPattern(term)))
		}
		return condition, vars
	case dialect == "sqlite" && !ascii(term):
		// LIKE of SQLite folds ASCII only; GLOB folds nothing, but takes sets.
		return "? GLOB ?", []any{column, strings.ReplaceAll(at.before, "%", "*") + globPattern(term) + strings.ReplaceAll(at.after, "%", "*")}
	}
	return "? LIKE ? ESCAPE '!'", []any{column, at.before + likeEscaper.Replace(term) + at.after}
}

// casesOf are a letter's, with the letter first: of ASCII those of ASCII.
func casesOf(r rune) []rune {
	all := []rune{r}
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		if (r <= unicode.MaxASCII) == (other <= unicode.MaxASCII) {
			all = append(all, other)
		}
	}
	return all
}

// unsure stands in a rough term for a letter whose cases databases do not agree on:
// those with more than two, and those that came late to Unicode.
const unsure = '\ufdd0'

// loose is a term as all databases fold it, and whether that is all of it.
func loose(term string) (rough string, exact bool) {
	exact = true
	rough = strings.Map(func(r rune) rune {
		of := casesOf(r)
		if cased := r > unicode.MaxASCII && unicode.SimpleFold(r) != r; r == unsure || cased && (len(of) != 2 || of[0] > foldedAlike || of[1] > foldedAlike) {
			exact = false
			return unsure
		}
		return r
	}, term)
	return rough, exact
}

// wildcard has LIKE take any character for such a letter.
func wildcard(pattern string) string { return strings.ReplaceAll(pattern, string(unsure), "_") }

// regexPattern is the term as a regular expression of PostgreSQL and MySQL, with
// every letter as the set of its cases.
func regexPattern(term string) string {
	var b strings.Builder
	for _, r := range term {
		switch of := casesOf(r); {
		case len(of) > 1:
			b.WriteString("[" + string(of) + "]")
		case strings.ContainsRune(`.^$*+?()[]{}\|-`, r):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Bounds of what match asks before the search itself: how many trigrams it
// counts, from how many rows on one is common, and how many times as many as the
// fewest may have another that is asked for as well.
const (
	counted = 8
	common  = 1000
	joined  = 20
)

// match is what to ask the search table of SQLite for: the trigrams of the term
// that the fewest rows have. It is empty where the table is not there, is not
// kept up to date or is of no use: a page of hits that are common is sooner found
// by looking at the rows in their order.
func (s search) match(stmt *gorm.Statement) string {
	if stmt.Schema == nil || stmt.Schema.PrioritizedPrimaryField == nil || !s.folds() {
		return ""
	}
	tx := asking(stmt)
	name := searchTable(stmt.Table)
	triggers := make([]string, len(searchEvents))
	for i, event := range searchEvents {
		triggers[i] = name + "_" + event
	}
	var kept bool
	err := tx.Raw("SELECT (SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? AND name IN ?) = ? AND (SELECT count(*) FROM pragma_table_info(?) WHERE name IN ?) = ?",
		stmt.Table, triggers, len(triggers), name, s.columns, len(s.columns)).Scan(&kept).Error
	if err != nil || !kept {
		return ""
	}
	var rows float64 // at most
	if tx.Raw("SELECT coalesce(max(?), 0) FROM ?", clause.Column{Name: stmt.Schema.PrioritizedPrimaryField.DBName}, clause.Table{Name: stmt.Table}).Scan(&rows).Error != nil {
		return ""
	}
	// hits is how many rows have what is asked for: where that is common, by how
	// far the first of them reach.
	hits := func(what string) float64 {
		var first struct{ Hits, Last float64 }
		err := tx.Raw("SELECT count(*) AS hits, coalesce(max(rowid), 0) AS last FROM (SELECT rowid FROM ? WHERE ? MATCH ? LIMIT ?)",
			clause.Table{Name: name}, clause.Column{Name: name}, what, common).Scan(&first).Error
		switch {
		case err != nil:
			return rows
		case first.Hits < common:
			return first.Hits
		}
		return first.Hits * max(rows/first.Last, 1)
	}
	var grams []string
	found := map[string]float64{}
	for _, gram := range slices.Backward(s.trigrams()) {
		grams = append(grams, gram)
		if found[gram] = hits(gram); found[gram] <= common/50 {
			break
		}
	}
	slices.SortStableFunc(grams, func(a, b string) int { return cmp.Compare(found[a], found[b]) })
	// To go through the rows of a trigram that very many have costs more than to
	// look at the rows that have the others.
	least := found[grams[0]]
	grams = slices.DeleteFunc(grams, func(gram string) bool { return found[gram] > joined*max(least, 1) })
	all := strings.Join(grams[:min(len(grams), 3)], " AND ")
	// To look at rows in their order until a page is full takes the fewer, the
	// more hits there are; to read all that the index has takes the more.
	if most := float64(wanted(stmt)); least >= common && most > 0 {
		if n := hits(all); n >= common && n*n > most*rows {
			return ""
		}
	}
	return all
}

// wanted is how many rows the statement needs at most; 0 for all.
func wanted(stmt *gorm.Statement) int {
	if tail, ok := stmt.Clauses["FOR"].Expression.(countTail); ok {
		return tail.most
	}
	if page, ok := stmt.Clauses["LIMIT"].Expression.(clause.Limit); ok && page.Limit != nil {
		return *page.Limit + page.Offset
	}
	return 0
}

// trigrams are some of those that a row with the term has, as FTS5 asks for
// them: those of a term of usual length cover every character.
func (s search) trigrams() []string {
	runes := []rune(s.term)
	last := len(runes) - 3
	var all []string
	for i := 0; i <= last; i += max(3, last/counted+1) {
		all = append(all, gram(runes[i:]))
	}
	if final := gram(runes[last:]); !slices.Contains(all, final) {
		all = append(all, final)
	}
	return all
}

func gram(runes []rune) string {
	return `"` + strings.ReplaceAll(string(runes[:3]), `"`, `""`) + `"`
}

// folds tells whether the index of SQLite finds everything that holds the term:
// it is long enough, and FTS5 folds its letters as GLOB's sets do. Letters of
// which there are more than two, such as σ and ς, and those that came late to
// Unicode are not folded alike.
func (s search) folds() bool {
	if utf8.RuneCountInString(s.term) < 3 || !utf8.ValidString(s.term) || strings.ContainsRune(s.term, 0) {
		return false
	}
	if ascii(s.term) {
		return true
	}
	for _, r := range s.term {
		other := unicode.SimpleFold(r)
		switch {
		case other == r || r <= unicode.MaxASCII:
		case r > foldedAlike, other > foldedAlike, unicode.SimpleFold(other) != r, r == '\u037f', r == '\u03f3':
			return false
		}
	}
	return true
}

// foldedAlike is the end of Latin, Greek and Cyrillic letters.
const foldedAlike = '\u0523'

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

var (
	likeEscaper      = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")
	backslashEscaper = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)
)

// globPattern writes every letter as the set of its cases, and every
// character that GLOB gives a meaning as a set of one.
func globPattern(term string) string {
	var b strings.Builder
	for _, r := range term {
		if of := casesOf(r); len(of) > 1 || strings.ContainsRune("*?[", r) {
			b.WriteString("[" + string(of) + "]")
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
