package db

import (
	"cmp"
	"context"
	"math"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Query holds the query parameters that every list accepts; inputs embed it. A zero
// Page, Limit, Order or Count means 1, 10, desc and estimate. For a list with a
// filter on a column named count, the parameter count is that filter.
type Query struct {
	Page  int    `form:"page,default=1" binding:"min=1,max=1000000000" doc:"Page number, from 1."`
	Limit int    `form:"limit,default=10" binding:"min=1,max=100" doc:"Items per page."`
	Order string `form:"order,default=desc" binding:"oneof=asc desc" doc:"Sort direction."`
	// Count selects how the total is computed; nil means "estimate".
	Count *string `form:"count" binding:"omitempty,oneof=exact estimate none" doc:"How total is computed: estimate (the default) counts up to 10,000 rows and uses the database's estimate beyond (then total_is_estimate is true), exact counts all rows, none omits total and pages."`
	// Cursor selects keyset paging, whose cost does not grow with the offset: empty
	// for the first page, then the next_cursor of each page. If it is absent, pages
	// are numbered.
	Cursor *string `form:"cursor" doc:"Keyset paging: empty for the first page, then next_cursor of the page before. Rows are not counted then."`
}

// Page is one page of a list. Total, Page, Pages and HasPrev are omitted in keyset
// paging, which does not count rows; Total and Pages also with count=none.
type Page[T any] struct {
	Items           []T     `json:"items"` // never null
	Total           *int64  `json:"total,omitempty" doc:"Rows that match, on all pages; absent with cursor and count=none."`
	TotalIsEstimate bool    `json:"total_is_estimate,omitempty" doc:"True when total and pages are estimates, which they can be from 10,000 rows on; otherwise absent."`
	Page            *int    `json:"page,omitempty" doc:"Page number, from 1; absent with cursor."`
	Limit           int     `json:"limit" doc:"Items per page."`
	Pages           *int64  `json:"pages,omitempty" doc:"Number of pages; absent with cursor and count=none."`
	HasNext         bool    `json:"has_next" doc:"Whether there is a next page."`
	HasPrev         *bool   `json:"has_prev,omitempty" doc:"Whether there is a previous page; absent with cursor."`
	NextCursor      *string `json:"next_cursor" doc:"The cursor of the next page; null on the last page."`
}

// Map returns the page with f applied to every item.
func Map[T, U any](p Page[T], f func(T) U) Page[U] {
	items := make([]U, len(p.Items))
	for i, item := range p.Items {
		items[i] = f(item)
	}
	return Page[U]{items, p.Total, p.TotalIsEstimate, p.Page, p.Limit, p.Pages, p.HasNext, p.HasPrev, p.NextCursor}
}

// List returns the page of the rows of tx that q selects, ordered by the column
// sort and then by primary key, so that every row appears exactly once; [Relevance]
// is the order of a search unless a column has that name. PostgreSQL sorts NULL as
// the greatest value, the other databases as the least. It returns a 422 fault for
// an unknown sort column and for a cursor of another list.
func List[T any](tx *gorm.DB, q Query, sort string) (Page[T], error) {
	q = q.withDefaults()
	// Sessions: the caller may reuse tx, and List uses it more than once.
	tx = tx.Session(&gorm.Session{}).Model(new(T)).Session(&gorm.Session{})
	o, err := newOrdering(tx, sort, q.Order == "desc")
	if err != nil {
		return Page[T]{}, err
	}
	if sort == Relevance && o.column == nil {
		if o.rank, err = newRanking(tx, q, o); err != nil {
			return Page[T]{}, err
		}
		tx = o.window(tx)
	}
	if q.Cursor != nil && o.keyless {
		return Page[T]{}, fault.InvalidQuery(fault.Detail{Field: "cursor", Rule: "cursor", Message: "This list has no cursor; use page"})
	}
	if q.Cursor != nil {
		return listAfter[T](grouped(tx), q, o)
	}
	return listPage[T](tx, q, o)
}

func (q Query) withDefaults() Query {
	q.Page = max(q.Page, 1)
	if q.Limit < 1 {
		q.Limit = 10
	}
	if q.Order == "" {
		q.Order = "desc"
	}
	if q.Count == nil {
		q.Count = new(countEstimate)
	}
	return q
}

// listPage returns a numbered page.
func listPage[T any](tx *gorm.DB, q Query, o ordering) (Page[T], error) {
	skip := int64(q.Page-1) * int64(q.Limit)
	if skip > math.MaxInt-int64(q.Limit)-1 {
		return Page[T]{}, fault.InvalidQuery(fault.Detail{Field: "page", Rule: "max", Message: "Page is too large"})
	}
	// Where the total does not tell whether there is another page, read one row
	// more to find out.
	limit := q.Limit
	if *q.Count == countNone || *q.Count == countEstimate && skip+int64(q.Limit) >= exactUpTo {
		limit++
	}
	items := make([]T, 0, limit)
	if err := o.at(tx, int(skip), limit).Find(&items).Error; err != nil {
		return Page[T]{}, err
	}
	hasPrev := q.Page > 1
	page := Page[T]{Items: items, Page: &q.Page, Limit: q.Limit, HasNext: len(items) > q.Limit, HasPrev: &hasPrev}
	page.Items = slices.Clip(items[:min(len(items), q.Limit)])
	if *q.Count != countNone {
		total, known, err := total(tx, *q.Count, skip, len(items), limit)
		if err != nil {
			return Page[T]{}, err
		}
		pages := (total + int64(q.Limit) - 1) / int64(q.Limit)
		page.Total, page.TotalIsEstimate, page.Pages = &total, !known || o.rank != nil && total >= maxRanked, &pages
		page.HasNext = page.HasNext || limit == q.Limit && int64(q.Page) < pages
	}
	return page.withCursor(tx.Statement.Context, o)
}

// total returns the number of rows that tx matches, and whether it is exact or an
// estimate. n rows were read after skip with the given limit.
func total(tx *gorm.DB, how string, skip int64, n, limit int) (total int64, known bool, err error) {
	switch {
	case n > 0 && n < limit, n == 0 && skip == 0: // the last page gives the total
		return skip + int64(n), true, nil
	case how == countExact:
		return count(tx, 0)
	case n == 0 || skip < exactUpTo || tx.Name() == "sqlite": // few rows, or SQLite, which cannot estimate
		total, known, err = count(tx, exactUpTo+1)
		if !known {
			return max(total, skip+int64(n)), false, err
		}
		if err != nil || total != exactUpTo+1 {
			return total, true, err
		}
	}
	estimated, err := estimate(tx)
	if n == 0 { // after the last page
		return min(max(estimated, total), skip), false, err
	}
	return max(estimated, total, skip+int64(n)), false, err
}

// listAfter returns the page after the cursor. It reads one row more than the page
// holds, to see whether there is another page.
func listAfter[T any](tx *gorm.DB, q Query, o ordering) (Page[T], error) {
	stretches := []clause.Expression{clause.Expr{SQL: "1 = 1"}} // everything
	if *q.Cursor != "" {
		var err error
		if stretches, err = o.parse(*q.Cursor); err != nil {
			return Page[T]{}, err
		}
	}
	items := make([]T, 0, q.Limit+1)
	for _, stretch := range stretches {
		var more []T
		if err := o.apply(tx.Where(stretch)).Limit(q.Limit + 1 - len(items)).Find(&more).Error; err != nil {
			return Page[T]{}, err
		}
		if items = append(items, more...); len(items) > q.Limit {
			break
		}
	}
	page := Page[T]{Items: items, Limit: q.Limit, HasNext: len(items) > q.Limit}
	page.Items = slices.Clip(items[:min(len(items), q.Limit)])
	return page.withCursor(tx.Statement.Context, o)
}

// grouped puts the conditions of tx in parentheses: after tx.Where(a).Or(b), GORM
// would combine a further condition with b only.
func grouped(tx *gorm.DB) *gorm.DB {
	where, ok := tx.Statement.Clauses["WHERE"].Expression.(clause.Where)
	if !ok {
		return tx
	}
	tx = tx.WithContext(tx.Statement.Context) // a statement of its own
	c := tx.Statement.Clauses["WHERE"]
	c.Expression = clause.Where{Exprs: []clause.Expression{clause.And(where.Exprs...)}}
	tx.Statement.Clauses["WHERE"] = c
	return tx
}

func (p Page[T]) withCursor(ctx context.Context, o ordering) (Page[T], error) {
	if !p.HasNext || len(p.Items) == 0 || o.keyless || o.rank != nil {
		return p, nil
	}
	next, err := o.cursor(ctx, reflect.ValueOf(&p.Items[len(p.Items)-1]).Elem())
	p.NextCursor = &next
	return p, err
}

// ordering is the order of a list: by one column or by relevance, then by primary
// key.
type ordering struct {
	column  *schema.Field   // nil with a rank
	rank    *ranking        // nil with a column
	id      *schema.Field   // nil for a key of several columns and for no key
	key     []*schema.Field // without column
	keyless bool
	folded  bool // sorted by the folded form of the column
	desc    bool
	dialect string
}

// ordered reports whether every database can order values of the field.
func ordered(field *schema.Field) bool {
	switch field.DataType {
	case schema.Int, schema.Uint, schema.Float, schema.String, schema.Time, schema.Bool:
		return true
	}
	return false
}

func newOrdering(tx *gorm.DB, sort string, desc bool) (ordering, error) {
	stmt := &gorm.Statement{DB: tx, Context: tx.Statement.Context}
	if err := stmt.Parse(tx.Statement.Model); err != nil {
		return ordering{}, err
	}
	s := stmt.Schema
	key := s.PrimaryFields
	if s.PrioritizedPrimaryField != nil {
		key = []*schema.Field{s.PrioritizedPrimaryField}
	}
	column := s.FieldsByDBName[sort]
	if column == nil && sort != Relevance {
		return ordering{}, fault.InvalidQuery(fault.Detail{Field: "sort", Rule: "oneof", Message: "Sort is not a column of the list"})
	}
	// Rows without a key, as of a view, are ordered by all columns that can be.
	keyless := len(key) == 0
	for _, field := range s.Fields {
		if keyless && field.DBName != "" && ordered(field) {
			key = append(key, field)
		}
	}
	stmt.Table = cmp.Or(tx.Statement.Table, s.Table)
	key = slices.DeleteFunc(slices.Clone(key), func(f *schema.Field) bool { return f == column })
	return ordering{column, nil, s.PrioritizedPrimaryField, key, keyless, folds(stmt, sort), desc, tx.Name()}, stmt.Error
}

// by returns the column that the rows are ordered by.
func (o ordering) by() string {
	if o.folded {
		return foldedColumn(o.column.DBName)
	}
	return o.column.DBName
}

// deepOffset is the number of skipped rows from which a page is found by its keys first.
const deepOffset = 1000

// at returns the query for the page after skip rows. With an index in that order it
// does not read the rows that it skips.
func (o ordering) at(tx *gorm.DB, skip, limit int) *gorm.DB {
	if skip < deepOffset || o.id == nil || o.rank != nil || !wholeRows(tx) || len(tx.Statement.Joins) > 0 {
		return o.apply(tx).Offset(skip).Limit(limit)
	}
	keys := o.apply(tx).Clauses(clause.Select{Columns: []clause.Column{current(o.id.DBName)}}).Offset(skip).Limit(limit)
	return o.apply(o.within(tx, keys))
}

func (o ordering) apply(tx *gorm.DB) *gorm.DB {
	if o.rank != nil {
		return tx.Clauses(clause.OrderBy{Expression: o.rank})
	}
	tx = tx.Order(clause.OrderByColumn{Column: current(o.by()), Desc: o.desc})
	for _, field := range o.key {
		tx = tx.Order(clause.OrderByColumn{Column: current(field.DBName), Desc: o.desc})
	}
	return tx
}
