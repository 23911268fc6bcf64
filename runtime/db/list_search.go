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

// Search keeps the rows that contain term in at least one of columns, ignoring case
// by Unicode's simple case folding; ASCII letters match only ASCII letters, not a
// dotless i or a long s. Accents are significant, and % and _ are literal. An empty
// term keeps every row. Columns of UniqueNoCase are searched by their folded forms.
//
// If SearchIndex has created an index, terms of at least three characters are
// looked up in it. The results are the same without it.
func Search(tx *gorm.DB, term string, columns ...string) *gorm.DB {
	if term == "" || len(columns) == 0 {
		return tx
	}
	return tx.Where(search{term, columns})
}

// SearchVector keeps the rows whose column, a tsvector of PostgreSQL, matches a
// term of a search box (websearch_to_tsquery). An empty term keeps every row.
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

// SearchIndex creates an index of trigrams for Search of the columns of a table,
// for migrations: on PostgreSQL an index of the extension pg_trgm, which it
// creates, and on SQLite two tables, <table>_search and <table>_search_new, which
// triggers keep up to date. It replaces an existing index. It creates none on
// MySQL, for tables of SQLite without an integer key, and if pg_trgm cannot be
// created, which it logs; Search then reads every row.
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

// DropSearchIndex drops the index that SearchIndex created, if there is one.
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
		for _, name := range []string{searchTable(table), pendingTable(table)} {
			if err := tx.Exec("DROP TABLE IF EXISTS ?", clause.Table{Name: name}).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

// searchTable is the table of SQLite that indexes a table, pendingTable the one of
// rows that are not indexed yet.
func searchTable(table string) string  { return table + "_search" }
func pendingTable(table string) string { return table + "_search_new" }

// searchEvents are the events of the triggers on a searched table.
var searchEvents = []string{"insert", "update"}

// lowered is a column in lower case on PostgreSQL; the database's own locale may
// support only ASCII.
const lowered = `lower(? COLLATE "und-x-icu")`

// trigramIndex creates the index on PostgreSQL.
func trigramIndex(tx *gorm.DB, table string, columns []string) error {
	where, err := trigramSchema(tx)
	if err != nil {
		return err
	}
	if where == "" { // in a schema that all schemas of the database can use
		made := tx.Transaction(func(tx *gorm.DB) error { // in a savepoint: a failure would end the migration
			return tx.Exec("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public").Error
		})
		if where, err = trigramSchema(tx); err != nil { // another process may have created it
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

// trigramSchema returns the schema of pg_trgm; "" if it is not installed.
func trigramSchema(tx *gorm.DB) (string, error) {
	var where string
	err := tx.Raw("SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'").Scan(&where).Error
	return where, err
}

// pendingBatch is the number of rows that SQLite indexes at once: one by one they would
// cost ten times as much.
const pendingBatch = 256

// trigramTable creates the index on SQLite: an FTS5 table without text, which
// stores only the rows that contain or contained a trigram, and a table with the
// keys of rows to be added. Matches are checked against the rows, so nothing has to
// be removed from the index.
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
	names := strings.NewReplacer(
		"{table}", quote(table), "{id}", quote(key[0].Name), "{columns}", strings.Join(quoted, ", "),
		"{index}", quote(searchTable(table)), "{new}", quote(pendingTable(table)), "{news}", strconv.Itoa(pendingBatch),
		"{inserted}", quote(searchTable(table)+"_insert"), "{updated}", quote(searchTable(table)+"_update"), "{enough}", quote(pendingTable(table)+"_insert"),
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
		// Not through GORM, which interprets @ and ? in names.
		if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, names.Replace(statement)); err != nil {
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
		condition, vars := containsTerm(dialect, current(name), term, folded, anywhere)
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
				clause.PrimaryColumn, clause.Table{Name: table}, clause.Column{Name: table}, match, clause.Table{Name: pendingTable(stmt.Table)},
			}}.Build(b)
		}
	}
	clause.Expr{SQL: "(" + strings.Join(either, " OR ") + ")", Vars: values}.Build(b)
}

// folded returns the column to search, the term to search it for, and whether both
// are folded forms.
func (s search) folded(stmt *gorm.Statement, column string) (name, term string, folded bool) {
	if stmt != nil && folds(stmt, column) {
		return foldedColumn(column), Fold(s.term), true
	}
	return column, s.term, false
}

// containsTerm returns the condition that a column contains term at a place, and its
// values.
func containsTerm(dialect string, column clause.Column, term string, folded bool, at placement) (condition string, vars []any) {
	rough, exact := foldable(term)
	switch {
	case dialect == "postgres":
		// LIKE on the indexed expression. Without ESCAPE, which prevents the use of
		// an index.
		condition, vars = lowered+" LIKE lower(? COLLATE "+`"und-x-icu")`, []any{column, at.before + wildcard(backslashEscaper.Replace(rough)) + at.after}
		if !exact || strings.ContainsAny(term, "iIİkK") { // the lower case of İ and of the Kelvin sign is in ASCII
			condition, vars = "("+condition+" AND ? ~ ?)", append(vars, column, at.regex(regexPattern(term)))
		}
		return condition, vars
	case dialect == "mysql" && !folded:
		condition, vars = "upper(?) LIKE ? ESCAPE '!'", []any{column, at.before + strings.ToUpper(wildcard(likeEscaper.Replace(rough))) + at.after}
		if !exact || strings.ContainsAny(term, "iIısS") { // the upper case of ı and of ſ is in ASCII
			condition, vars = "("+condition+" AND ? REGEXP ?)", append(vars, column, at.regex(regexPattern(term)))
		}
		return condition, vars
	case dialect == "sqlite" && !ascii(term):
		// SQLite's LIKE folds ASCII only; GLOB folds nothing, but has character
		// sets.
		return "? GLOB ?", []any{column, strings.ReplaceAll(at.before, "%", "*") + globPattern(term) + strings.ReplaceAll(at.after, "%", "*")}
	}
	return "? LIKE ? ESCAPE '!'", []any{column, at.before + likeEscaper.Replace(term) + at.after}
}

// casesOf returns r and its other cases; ASCII letters and others do not mix.
func casesOf(r rune) []rune {
	all := []rune{r}
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		if (r <= unicode.MaxASCII) == (other <= unicode.MaxASCII) {
			all = append(all, other)
		}
	}
	return all
}

// ambiguous replaces, in a rough term, a letter whose cases databases do not agree on:
// those with more than two, and recent additions to Unicode.
const ambiguous = '\ufdd0'

// foldable returns term with ambiguous for such letters, and whether there were none.
func foldable(term string) (rough string, exact bool) {
	exact = true
	rough = strings.Map(func(r rune) rune {
		of := casesOf(r)
		if cased := r > unicode.MaxASCII && unicode.SimpleFold(r) != r; r == ambiguous || cased && (len(of) != 2 || of[0] > foldedAlike || of[1] > foldedAlike) {
			exact = false
			return ambiguous
		}
		return r
	}, term)
	return rough, exact
}

// wildcard makes LIKE accept any character for such a letter.
func wildcard(pattern string) string { return strings.ReplaceAll(pattern, string(ambiguous), "_") }

// regexPattern returns the term as a regular expression of PostgreSQL and MySQL,
// with every letter as the set of its cases.
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

// Limits of match: the number of trigrams that it counts, the number of rows from
// which one is common, and the maximum ratio between the rows of another trigram of
// the query and those of the rarest.
const (
	maxTrigrams = 8
	commonRows  = 1000
	maxRatio    = 20
)

// match returns the query for the search table of SQLite: the rarest trigrams of
// the term. It is empty if the table does not exist, is not kept up to date or
// would not help: a page of common matches is found sooner by reading the rows in
// order.
func (s search) match(stmt *gorm.Statement) string {
	if stmt.Schema == nil || stmt.Schema.PrioritizedPrimaryField == nil || !s.folds() {
		return ""
	}
	tx := lookupSession(stmt)
	name := searchTable(stmt.Table)
	triggers := make([]string, len(searchEvents))
	for i, event := range searchEvents {
		triggers[i] = name + "_" + event
	}
	var upToDate bool
	err := tx.Raw("SELECT (SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? AND name IN ?) = ? AND (SELECT count(*) FROM pragma_table_info(?) WHERE name IN ?) = ?",
		stmt.Table, triggers, len(triggers), name, s.columns, len(s.columns)).Scan(&upToDate).Error
	if err != nil || !upToDate {
		return ""
	}
	var rows float64 // upper bound
	if tx.Raw("SELECT coalesce(max(?), 0) FROM ?", clause.Column{Name: stmt.Schema.PrioritizedPrimaryField.DBName}, clause.Table{Name: stmt.Table}).Scan(&rows).Error != nil {
		return ""
	}
	// hits returns the number of rows that match what; for a common one it
	// extrapolates from how far its first rows reach.
	hits := func(what string) float64 {
		var first struct{ Hits, Last float64 }
		err := tx.Raw("SELECT count(*) AS hits, coalesce(max(rowid), 0) AS last FROM (SELECT rowid FROM ? WHERE ? MATCH ? LIMIT ?)",
			clause.Table{Name: name}, clause.Column{Name: name}, what, commonRows).Scan(&first).Error
		switch {
		case err != nil:
			return rows
		case first.Hits < commonRows:
			return first.Hits
		}
		return first.Hits * max(rows/first.Last, 1)
	}
	var grams []string
	found := map[string]float64{}
	for _, gram := range slices.Backward(s.trigrams()) {
		grams = append(grams, gram)
		if found[gram] = hits(gram); found[gram] <= commonRows/50 {
			break
		}
	}
	slices.SortStableFunc(grams, func(a, b string) int { return cmp.Compare(found[a], found[b]) })
	// Intersecting with a trigram that very many rows contain costs more than
	// checking the rows of the others.
	least := found[grams[0]]
	grams = slices.DeleteFunc(grams, func(gram string) bool { return found[gram] > maxRatio*max(least, 1) })
	all := strings.Join(grams[:min(len(grams), 3)], " AND ")
	// The more matches there are, the fewer rows have to be read in order to fill a
	// page, and the more the index returns.
	if most := float64(rowLimit(stmt)); least >= commonRows && most > 0 {
		if n := hits(all); n >= commonRows && n*n > most*rows {
			return ""
		}
	}
	return all
}

// rowLimit returns the maximum number of rows that the statement needs; 0 for all.
func rowLimit(stmt *gorm.Statement) int {
	if tail, ok := stmt.Clauses["FOR"].Expression.(countTail); ok {
		return tail.most
	}
	if page, ok := stmt.Clauses["LIMIT"].Expression.(clause.Limit); ok && page.Limit != nil {
		return *page.Limit + page.Offset
	}
	return 0
}

// trigrams returns trigrams that every row with the term contains, quoted for FTS5.
// For a term of usual length they cover every character.
func (s search) trigrams() []string {
	runes := []rune(s.term)
	last := len(runes) - 3
	var all []string
	for i := 0; i <= last; i += max(3, last/maxTrigrams+1) {
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

// folds reports whether SQLite's index finds every row that contains the term: the
// term is long enough, and FTS5 folds its letters as GLOB's sets do. They differ in
// letters with more than two cases, such as σ and ς, and in recent additions to
// Unicode.
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

// foldedAlike is the last of the Latin, Greek and Cyrillic letters that all fold
// alike.
const foldedAlike = '\u0523'

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

var (
	likeEscaper      = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")
	backslashEscaper = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)
)

// globPattern returns term as a GLOB pattern in which every letter is the set of
// its cases, and every character that is special to GLOB a set of its own.
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
