package db

import (
	"strings"
	"unicode"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Search keeps the rows that hold term in at least one of columns, whatever
// its case (of the Turkish i, every database has its own idea); accents count,
// and % and _ stand for themselves. An empty term keeps every row.
func Search(tx *gorm.DB, term string, columns ...string) *gorm.DB {
	if term == "" || len(columns) == 0 {
		return tx
	}
	operator, pattern := "? LIKE ? ESCAPE '!'", "%"+likeEscaper.Replace(term)+"%"
	switch {
	case tx.Name() == "postgres":
		// The database's own locale may know the cases of ASCII only.
		operator = `? COLLATE "und-x-icu" ILIKE ? ESCAPE '!'`
	case tx.Name() == "mysql":
		operator, pattern = "upper(?) LIKE ? ESCAPE '!'", strings.ToUpper(pattern)
	case tx.Name() == "sqlite" && strings.ContainsFunc(term, func(r rune) bool { return r > unicode.MaxASCII }):
		// LIKE of SQLite folds ASCII only; GLOB folds nothing, but takes sets.
		operator, pattern = "? GLOB ?", globPattern(term)
	}
	// One expression: GORM joins an OR of its own with what came before.
	either := strings.TrimSuffix(strings.Repeat(operator+" OR ", len(columns)), " OR ")
	values := make([]any, 0, 2*len(columns))
	for _, column := range columns {
		values = append(values, current(column), pattern)
	}
	return tx.Where(clause.Expr{SQL: "(" + either + ")", Vars: values})
}

var likeEscaper = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// globPattern writes every letter as the set of its cases, and every
// character that GLOB gives a meaning as a set of one.
func globPattern(term string) string {
	var b strings.Builder
	b.WriteByte('*')
	for _, r := range term {
		other := unicode.SimpleFold(r)
		if other == r && !strings.ContainsRune("*?[", r) {
			b.WriteRune(r)
			continue
		}
		b.WriteByte('[')
		b.WriteRune(r)
		for ; other != r; other = unicode.SimpleFold(other) {
			b.WriteRune(other)
		}
		b.WriteByte(']')
	}
	b.WriteByte('*')
	return b.String()
}

// Where keeps the rows whose column equals value; nil keeps every row.
// The column is quoted, and still must be the program's own word.
func Where[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(clause.Eq{Column: current(column), Value: *value})
}

// AtLeast keeps the rows whose column is value or more; nil keeps every row.
func AtLeast[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(clause.Gte{Column: current(column), Value: *value})
}

// AtMost keeps the rows whose column is value or less; nil keeps every row.
func AtMost[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(clause.Lte{Column: current(column), Value: *value})
}

// current is a column of the statement's own table, so that joins do not make
// its name ambiguous.
func current(column string) clause.Column {
	return clause.Column{Table: clause.CurrentTable, Name: column}
}
