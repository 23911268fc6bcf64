package db

import (
	"slices"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Relevance is the sort of [List] that puts the best matches of a [Search] first: a
// match in an earlier column before one in a later column; within a column the whole
// text, then a prefix, then the prefix of a word, then anywhere; then the shorter
// text; then the greater key. The order is the same on every database. A
// [SearchVector] is ranked by PostgreSQL's ts_rank.
//
// Of more than 10,000 matches, those with the greatest keys are ranked and counted.
const Relevance = "relevance"

// maxRanked is the maximum number of matches ranked, since each of them is read.
const maxRanked = exactUpTo

// relevant is a condition whose matches can be ranked.
type relevant interface {
	clause.Expression
	// ranks returns the expressions to sort by, ascending; the best match has the
	// least.
	ranks(stmt *gorm.Statement) []clause.Expr
}

// ranking is the order of a list by relevance.
type ranking struct {
	by   relevant
	key  []*schema.Field
	desc bool
}

// newRanking returns the ranking for the search of tx.
func newRanking(tx *gorm.DB, q Query, o ordering) (*ranking, error) {
	if q.Cursor != nil {
		return nil, fault.InvalidQuery(fault.Detail{Field: "cursor", Rule: "cursor", Message: "Cursor cannot be used with sort=relevance; use page"})
	}
	where, _ := tx.Statement.Clauses["WHERE"].Expression.(clause.Where)
	i := slices.IndexFunc(where.Exprs, func(e clause.Expression) bool { _, ok := e.(relevant); return ok })
	if i < 0 {
		return nil, fault.InvalidQuery(fault.Detail{Field: "search", Rule: "required", Message: "Search is required with sort=relevance"})
	}
	return &ranking{where.Exprs[i].(relevant), o.key, o.desc}, nil
}

// Build implements clause.Expression.
func (r ranking) Build(b clause.Builder) {
	stmt, _ := b.(*gorm.Statement)
	best, last := "", " DESC" // the newest row has the greatest key
	if !r.desc {
		best, last = " DESC", ""
	}
	for i, rank := range r.by.ranks(stmt) {
		if i > 0 {
			_, _ = b.WriteString(", ")
		}
		rank.Build(b)
		_, _ = b.WriteString(best)
	}
	for _, field := range r.key {
		_, _ = b.WriteString(", ")
		b.WriteQuoted(current(field.DBName))
		_, _ = b.WriteString(last)
	}
}

// window narrows tx to the matches that are ranked.
func (o ordering) window(tx *gorm.DB) *gorm.DB {
	if o.id == nil || !wholeRows(tx) || len(tx.Statement.Joins) > 0 {
		return tx
	}
	key := current(o.id.DBName)
	hits := tx.Clauses(clause.Select{Columns: []clause.Column{key}}).Order(clause.OrderByColumn{Column: key, Desc: true}).Limit(maxRanked)
	return o.within(tx, hits).Session(&gorm.Session{})
}

// within returns the rows of tx with the given keys.
func (o ordering) within(tx, wanted *gorm.DB) *gorm.DB {
	rows := tx.WithContext(tx.Statement.Context) // a statement of its own
	delete(rows.Statement.Clauses, "WHERE")
	return rows.Where(clause.Expr{SQL: "? IN (SELECT * FROM (?) AS wanted)", Vars: []any{current(o.id.DBName), wanted}})
}

// placement is a position of the term in a text, as LIKE patterns for the text around
// it.
type placement struct{ before, after string }

var (
	anywhere = placement{"%", "%"}
	// From best to worst.
	places = []placement{{"", ""}, {"", "%"}, {"% ", "%"}, anywhere}
)

// regex returns the regular expression for pattern in this placement.
func (p placement) regex(pattern string) string {
	pattern = map[string]string{"": "^", "% ": " "}[p.before] + pattern
	if p.after == "" {
		pattern += "$"
	}
	return pattern
}

// ranks implements relevant.
func (s search) ranks(stmt *gorm.Statement) []clause.Expr {
	length := "length(?)"
	if stmt.Name() == "mysql" {
		length = "char_length(?)"
	}
	rank, short := clause.Expr{SQL: "CASE"}, clause.Expr{SQL: "CASE"}
	for i, column := range s.columns {
		name, term, folded := s.folded(stmt, column)
		for j, at := range places {
			condition, vars := containsTerm(stmt.Name(), current(name), term, folded, at)
			rank.SQL += " WHEN " + condition + " THEN " + strconv.Itoa(i*len(places)+j)
			rank.Vars = append(rank.Vars, vars...)
		}
		condition, vars := containsTerm(stmt.Name(), current(name), term, folded, anywhere)
		short.SQL += " WHEN " + condition + " THEN " + length
		short.Vars = append(append(short.Vars, vars...), current(column))
	}
	rank.SQL += " END"
	short.SQL += " END"
	return []clause.Expr{rank, short}
}

// ranks implements relevant.
func (v vector) ranks(*gorm.Statement) []clause.Expr {
	return []clause.Expr{{SQL: "-ts_rank(?, websearch_to_tsquery(?))", Vars: []any{current(v.column), v.term}}}
}
