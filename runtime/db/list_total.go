package db

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// The ways to count a list; see [Query].
const (
	countExact    = "exact"
	countEstimate = "estimate"
	countNone     = "none"
)

// exactUpTo is the number of rows up to which a list is counted exactly; beyond,
// the number is estimated. SQLite counts a whole table faster than this many of its
// rows, and the count of a large one is cached for a while.
const exactUpTo = 10_000

// count returns the number of rows that tx matches, up to most (0 for no limit),
// and whether it is current.
func count(tx *gorm.DB, most int) (total int64, now bool, err error) {
	tx = tx.WithContext(tx.Statement.Context) // a statement of its own
	s := tx.Statement
	s.Preloads = nil
	if most == 0 || !wholeRows(tx) {
		err = tx.Count(&total).Error
		return total, true, err
	}
	delete(s.Clauses, "ORDER BY")
	c := &counting{most: most}
	tx = tx.Clauses(clause.Select{Expression: countHead{c}})
	// In place of FOR UPDATE, the last clause of a statement.
	tx.Statement.Clauses["FOR"] = clause.Clause{Expression: countTail{c}}
	begun := time.Now()
	err = tx.Find(&total).Error
	if c.pool != nil && c.whole && !c.cached && err == nil && total > exactUpTo {
		c.pool.cacheCount(c.table, total, time.Since(begun))
	}
	return total, !c.cached, err
}

// wholeRows reports whether tx reads rows of the table ungrouped and with all
// columns.
func wholeRows(tx *gorm.DB) bool {
	s := tx.Statement
	_, grouped := s.Clauses["GROUP BY"]
	_, chosen := s.Clauses["SELECT"]
	return !grouped && !chosen && !s.Distinct && s.TableExpr == nil && len(s.Selects) == 0
}

// counting is a statement that counts up to a number of rows, or a whole table on
// SQLite. Which of them is decided when it is built: by then it has the conditions
// of rules and soft deletes.
type counting struct {
	most   int
	pool   *sqlitePool // nil in transactions
	table  string
	whole  bool
	cached bool // the count is cached, so the statement counts nothing
}

type countHead struct{ *counting }

// Build implements clause.Expression.
func (c countHead) Build(b clause.Builder) {
	if s, ok := b.(*gorm.Statement); ok && s.Name() == "sqlite" && len(s.Joins) == 0 {
		_, narrowed := s.Clauses["WHERE"]
		c.whole = !narrowed
		c.pool, _ = s.ConnPool.(*sqlitePool)
		c.table = s.Table
		if c.whole && c.pool != nil {
			var total int64
			if total, c.cached = c.pool.cachedCount(s.Table); c.cached {
				b.AddVar(b, total)
				return
			}
		}
	}
	text := "count(*) FROM (SELECT 1"
	if c.whole {
		text = "count(*)"
	}
	_, _ = b.WriteString(text)
}

type countTail struct{ *counting }

// Build implements clause.Expression.
func (c countTail) Build(b clause.Builder) {
	switch {
	case c.cached:
		_, _ = b.WriteString("LIMIT 1")
	case !c.whole:
		_, _ = b.WriteString("LIMIT " + strconv.Itoa(c.most) + ") AS counted")
	}
}

// A count is cached for cacheFactor times as long as it took, so that counting uses a
// hundredth of one processor, within limits.
const (
	cacheFactor  = 100
	minCached    = time.Second
	maxCached    = 10 * time.Second
	minCacheable = time.Millisecond // faster counts are not cached
)

// tableCount is the cached number of rows of a table.
type tableCount struct {
	rows  int64
	until time.Time
}

// cacheCount caches the count of a table.
func (p *sqlitePool) cacheCount(table string, rows int64, took time.Duration) {
	if took >= minCacheable {
		p.counts.Store(table, tableCount{rows, time.Now().Add(min(max(cacheFactor*took, minCached), maxCached))})
	}
}

// cachedCount returns the cached count of a table.
func (p *sqlitePool) cachedCount(table string) (rows int64, known bool) {
	c, ok := p.counts.Load(table)
	if !ok || time.Now().After(c.(tableCount).until) {
		return 0, false
	}
	return c.(tableCount).rows, true
}

// estimate returns the database's estimate of how many rows tx matches; 0 if it has
// none, as on SQLite.
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

// firstRows returns the column "rows" of the first line of a plan of MySQL, which
// is that of the listed table.
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
