package db

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// The ways to count a list; see [Query].
const (
	countExact    = "exact"
	countEstimate = "estimate"
	countNone     = "none"
)

// exactUpTo is how many rows of a list are counted before their number is
// estimated. SQLite counts a whole table faster than this many rows of it, and
// always does.
const exactUpTo = 10_000

// count is how many rows tx matches: all of them, or up to most.
func count(tx *gorm.DB, most int) (int64, error) {
	var total int64
	tx = tx.WithContext(tx.Statement.Context) // a statement of its own
	s := tx.Statement
	s.Preloads = nil
	if most == 0 || !wholeRows(tx) {
		return total, tx.Count(&total).Error
	}
	delete(s.Clauses, "ORDER BY")
	tx = tx.Clauses(clause.Select{Expression: piece{"count(*) FROM (SELECT 1", "count(*)"}})
	// In the place of FOR UPDATE, the last of a statement.
	tx.Statement.Clauses["FOR"] = clause.Clause{Expression: piece{"LIMIT " + strconv.Itoa(most) + ") AS counted", ""}}
	return total, tx.Find(&total).Error
}

// wholeRows reports whether tx reads each row by itself and as it is.
func wholeRows(tx *gorm.DB) bool {
	s := tx.Statement
	_, grouped := s.Clauses["GROUP BY"]
	_, chosen := s.Clauses["SELECT"]
	return !grouped && !chosen && !s.Distinct && s.TableExpr == nil && len(s.Selects) == 0
}

// piece is a part of a statement that counts up to a number of rows, and what
// stands there when SQLite counts a whole table.
type piece struct{ some, whole string }

// Build implements clause.Expression. By now the statement has the conditions
// of rules and of soft deletes.
func (p piece) Build(b clause.Builder) {
	text := p.some
	if s, ok := b.(*gorm.Statement); ok && s.Name() == "sqlite" && len(s.Joins) == 0 {
		if _, narrowed := s.Clauses["WHERE"]; !narrowed {
			text = p.whole
		}
	}
	_, _ = b.WriteString(text)
}

// estimate is how many rows the database supposes that tx matches; 0 where it
// has no idea, as SQLite.
func estimate(tx *gorm.DB) (int64, error) {
	tx = tx.WithContext(tx.Statement.Context) // a statement of its own
	s := tx.Statement
	s.Preloads = nil
	delete(s.Clauses, "ORDER BY")
	explain := func(word string) {
		s.Clauses["SELECT"] = clause.Clause{Name: word + " SELECT", Expression: clause.Expr{SQL: "1"}}
	}
	switch tx.Name() {
	case "postgres":
		explain("EXPLAIN (FORMAT JSON)")
		var text string
		if err := tx.Find(&text).Error; err != nil {
			return 0, err
		}
		var plans []struct {
			Plan struct {
				Rows int64 `json:"Plan Rows"`
			}
		}
		if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) == 0 {
			return 0, fmt.Errorf("plan of a count: %w", errors.Join(err, errors.New(text)))
		}
		return plans[0].Plan.Rows, nil
	case "mysql":
		explain("EXPLAIN")
		rows, err := tx.Rows()
		if err != nil {
			return 0, err
		}
		defer rows.Close()
		return firstRows(rows)
	}
	return 0, nil
}

// firstRows is the column "rows" of the first line of a plan of MySQL, which is
// about the table that is listed.
func firstRows(rows *sql.Rows) (n int64, err error) {
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		return 0, errors.Join(err, rows.Err())
	}
	into := make([]any, len(names))
	var found sql.NullInt64
	for i, name := range names {
		if into[i] = new(sql.RawBytes); name == "rows" {
			into[i] = &found
		}
	}
	return found.Int64, rows.Scan(into...)
}
