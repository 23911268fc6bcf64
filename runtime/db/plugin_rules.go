package db

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Readable is a model with rows that not everyone may read. Readable narrows tx to
// those that the caller may read, with Where, Or and Not only; an unqualified
// column is one of the model. The caller is in the statement's context; see
// auth.Caller.
//
// The rule applies to every statement of GORM that reads the model: Find, Count,
// Pluck, Rows, preloads, joins of relations, associations and subqueries. It does
// not apply to SQL (Raw, Exec, Table without Model, a join written as SQL).
type Readable interface {
	Readable(tx *gorm.DB) *gorm.DB
}

// Writable is a model with rows that not everyone may change. Writable narrows tx,
// as in [Readable], to those that the caller may change or delete. The rule applies
// to every UPDATE and DELETE of the model, including those of soft deletes,
// associations and upserts.
type Writable interface {
	Writable(tx *gorm.DB) *gorm.DB
}

type systemKey struct{}

// System returns a context for work without a caller, such as a job, a command or a
// check across all rows: its statements are not narrowed by rules. Everything that
// bypasses the rules calls System.
func System(ctx context.Context) context.Context {
	return context.WithValue(ctx, systemKey{}, true)
}

// IsSystem reports whether ctx was returned by [System].
func IsSystem(ctx context.Context) bool { return ctx.Value(systemKey{}) != nil }

// rules is the GORM plug-in that applies the rules of models: to statements, and to
// the rows that written references point to.
type rules struct {
	known sync.Map // of rule, by *schema.Schema
	refs  sync.Map // of []ref, by *schema.Schema
}

// rule is the rule of a model; a nil function applies none.
type rule struct {
	readable, writable func(*gorm.DB) *gorm.DB
}

// Name implements gorm.Plugin.
func (*rules) Name() string { return "rules" }

// Initialize implements gorm.Plugin.
func (p *rules) Initialize(gdb *gorm.DB) error {
	return errors.Join(
		gdb.Callback().Query().Before("gorm:query").Register("rules", p.read),
		gdb.Callback().Query().After("gorm:after_query").Register("rules:joined", p.joined),
		gdb.Callback().Row().Before("gorm:row").Register("rules", p.read),
		gdb.Callback().Create().Before("gorm:create").Register("rules", p.create),
		gdb.Callback().Create().After("gorm:create").Before("conflicts").Register("rules:end", p.end),
		gdb.Callback().Update().Before("gorm:update").Register("rules", p.update),
		gdb.Callback().Update().After("gorm:update").Before("conflicts").Register("rules:end", p.end),
		gdb.Callback().Delete().Before("gorm:delete").Register("rules", p.write),
	)
}

// ruleOf returns the rule of a model.
func (p *rules) ruleOf(s *schema.Schema) rule {
	if known, ok := p.known.Load(s); ok {
		return known.(rule)
	}
	var r rule
	model := reflect.New(s.ModelType).Interface()
	if m, ok := model.(Readable); ok {
		r.readable = m.Readable
	}
	if m, ok := model.(Writable); ok {
		r.writable = m.Writable
	}
	p.known.Store(s, r)
	return r
}

// model returns the model of a table, among the relations of s and the models of
// earlier statements; one with a rule takes precedence. It is nil if there is none.
func (p *rules) model(s *schema.Schema, table string) (found *schema.Schema) {
	consider := func(other *schema.Schema) {
		if other.Table == table && (found == nil || p.ruleOf(found).readable == nil) {
			found = other
		}
	}
	for _, relation := range s.Relationships.Relations {
		consider(relation.FieldSchema)
	}
	for _, met := range []*sync.Map{&p.known, &p.refs} {
		met.Range(func(key, _ any) bool {
			consider(key.(*schema.Schema))
			return true
		})
	}
	return found
}

// writableOnly marks a statement that reads only rows that the caller may change;
// its value is the type of their model.
const writableOnly = "db:writable"

// read narrows a query and the relations that it joins.
func (p *rules) read(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.SQL.Len() > 0 {
		return
	}
	r := p.ruleOf(s.Schema)
	if r.readable == nil && r.writable == nil && len(s.Joins) == 0 || IsSystem(s.Context) {
		return
	}
	p.narrow(tx, s.Schema, r.readable)
	if r.writable != nil {
		if of, ok := s.Settings.Load(writableOnly); ok && of == s.Schema.ModelType {
			p.narrow(tx, s.Schema, r.writable)
		}
	}
	for i := range s.Joins {
		j := &s.Joins[i]
		relations := path(s.Schema, j.Name)
		for n, relation := range relations {
			joined := p.ruleOf(relation.FieldSchema)
			if joined.readable == nil {
				continue
			}
			if n < len(relations)-1 && !hasOwnJoin(tx, j.Name, n) || j.Expression != nil {
				_ = tx.AddError(fmt.Errorf("the rule of %s cannot hold in Joins(%q): join each relation by its own name", relation.FieldSchema.Table, j.Name))
				return
			}
			if n < len(relations)-1 {
				continue // it has a join of its own
			}
			if condition := p.condition(tx, relation.FieldSchema, joined.readable); condition != nil {
				where := clause.Where{Exprs: []clause.Expression{condition}}
				if j.On != nil {
					where.Exprs = append(where.Exprs, group{*j.On})
				}
				j.On = &where
			}
		}
	}
}

// joined calls AfterFind for the rows of joined relations, as GORM does for all
// others: AfterFind hides private fields.
func (p *rules) joined(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.SkipHooks || len(s.Joins) == 0 {
		return
	}
	for _, j := range s.Joins {
		relations := path(s.Schema, j.Name)
		if len(relations) == 0 || !relations[len(relations)-1].FieldSchema.AfterFind {
			continue
		}
		for _, row := range rows(s.ReflectValue) {
			for _, relation := range relations {
				if row = reflect.Indirect(row); !row.IsValid() || row.Type() != relation.Schema.ModelType {
					row = reflect.Value{}
					break
				}
				row = relation.Field.ReflectValueOf(s.Context, row)
			}
			if row = reflect.Indirect(row); !row.IsValid() || !row.CanAddr() {
				continue
			}
			if found, ok := row.Addr().Interface().(interface{ AfterFind(*gorm.DB) error }); ok {
				_ = tx.AddError(found.AfterFind(tx.Session(&gorm.Session{NewDB: true})))
			}
		}
	}
}

// path returns the relations of a join: "Post.Category" has two. It is nil for a
// join that is written as SQL.
func path(s *schema.Schema, name string) (relations []*schema.Relationship) {
	for part := range strings.SplitSeq(name, ".") {
		relation, ok := s.Relationships.Relations[part]
		if !ok {
			return nil
		}
		relations, s = append(relations, relation), relation.FieldSchema
	}
	return relations
}

// hasOwnJoin reports whether the first n+1 relations of name have a join of their own.
func hasOwnJoin(tx *gorm.DB, name string, n int) bool {
	prefix := strings.Join(strings.Split(name, ".")[:n+1], ".")
	for _, j := range tx.Statement.Joins {
		if j.Name == prefix {
			return true
		}
	}
	return false
}

// write narrows an update or a delete.
func (p *rules) write(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.SQL.Len() > 0 || IsSystem(s.Context) {
		return
	}
	r := p.ruleOf(s.Schema)
	if r.readable == nil && r.writable == nil {
		return
	}
	// GORM rejects a statement without a condition, and the rule must not count as
	// one.
	if _, conditions := s.Clauses["WHERE"]; !conditions && !tx.AllowGlobalUpdate && !keyed(s) {
		_ = tx.AddError(gorm.ErrMissingWhereClause)
		return
	}
	p.narrow(tx, s.Schema, r.readable)
	p.narrow(tx, s.Schema, r.writable)
}

// keyed reports whether the statement is about rows with a primary key.
func keyed(s *gorm.Statement) bool {
	for _, v := range []reflect.Value{s.ReflectValue, reflect.ValueOf(s.Model)} {
		if v = reflect.Indirect(v); !v.IsValid() || v.Kind() != reflect.Struct && v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
			continue
		}
		if v.Kind() == reflect.Struct && v.Type() != s.Schema.ModelType {
			continue
		}
		if _, keys := schema.GetIdentityFieldValuesMap(s.Context, v, s.Schema.PrimaryFields); len(keys) > 0 {
			return true
		}
	}
	return false
}

func (p *rules) narrow(tx *gorm.DB, s *schema.Schema, of func(*gorm.DB) *gorm.DB) {
	if of == nil {
		return
	}
	condition := p.condition(tx, s, of)
	if condition == nil {
		return
	}
	andWhere(tx, condition)
}

// andWhere adds a condition to a statement whose conditions may contain an OR.
func andWhere(tx *gorm.DB, condition clause.Expression) {
	if c, ok := tx.Statement.Clauses["WHERE"]; ok {
		if where, ok := c.Expression.(clause.Where); ok && len(where.Exprs) > 0 {
			c.Expression = clause.Where{Exprs: []clause.Expression{group{where}}}
			tx.Statement.Clauses["WHERE"] = c
		}
	}
	tx.Statement.AddClause(clause.Where{Exprs: []clause.Expression{condition}})
}

// group puts conditions in parentheses.
type group struct{ where clause.Where }

// Build implements clause.Expression.
func (g group) Build(b clause.Builder) {
	_ = b.WriteByte('(')
	g.where.Build(b)
	_ = b.WriteByte(')')
}

// condition returns the conditions of a rule for the caller of tx; nil if it
// permits every row.
func (p *rules) condition(tx *gorm.DB, s *schema.Schema, of func(*gorm.DB) *gorm.DB) clause.Expression {
	fresh := tx.Session(&gorm.Session{NewDB: true}).Model(reflect.New(s.ModelType).Interface())
	narrowed := of(fresh)
	if err := errors.Join(fresh.Error, narrowed.Error); err != nil {
		_ = tx.AddError(err)
		return clause.Expr{SQL: "1 = 0"}
	}
	n := narrowed.Statement
	where, ok := n.Clauses["WHERE"].Expression.(clause.Where)
	if len(n.Joins) > 0 || len(n.Clauses) > 1 || len(n.Clauses) == 1 && !ok {
		_ = tx.AddError(fmt.Errorf("the rule of %s has more than conditions: rules may use only Where, Or and Not", s.Table))
		return clause.Expr{SQL: "1 = 0"}
	}
	if !ok {
		return nil
	}
	return group{clause.Where{Exprs: qualified(where.Exprs)}}
}

// qualified adds the table of the statement to unqualified columns, so that a join
// does not make them ambiguous.
func qualified(exprs []clause.Expression) []clause.Expression {
	all := make([]clause.Expression, len(exprs))
	for i, expr := range exprs {
		switch e := expr.(type) {
		case clause.Eq:
			expr = clause.Eq{Column: qualifyColumn(e.Column), Value: e.Value}
		case clause.Neq:
			expr = clause.Neq{Column: qualifyColumn(e.Column), Value: e.Value}
		case clause.IN:
			expr = clause.IN{Column: qualifyColumn(e.Column), Values: e.Values}
		case clause.AndConditions:
			expr = clause.AndConditions{Exprs: qualified(e.Exprs)}
		case clause.OrConditions:
			expr = clause.OrConditions{Exprs: qualified(e.Exprs)}
		case clause.NotConditions:
			expr = clause.NotConditions{Exprs: qualified(e.Exprs)}
		}
		all[i] = expr
	}
	return all
}

func qualifyColumn(column any) any {
	switch c := column.(type) {
	case string:
		if !strings.ContainsAny(c, ".( ") {
			return current(c)
		}
	case clause.Column:
		if c.Table == "" && !c.Raw {
			c.Table = clause.CurrentTable
			return c
		}
	}
	return column
}

// create checks the references of new rows, and keeps an upsert from updating a row
// that the rule excludes.
func (p *rules) create(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.SQL.Len() > 0 {
		return
	}
	if refs := p.references(s.Schema); len(refs) > 0 {
		all := rows(s.ReflectValue)
		p.check(tx, refs, len(all), func(i int, r ref) any {
			value, _ := r.column.ValueOf(s.Context, all[i])
			return value
		})
	}
	conflict, ok := s.Clauses["ON CONFLICT"].Expression.(clause.OnConflict)
	if !ok || tx.Error != nil || conflict.DoNothing || IsSystem(s.Context) {
		return
	}
	if r := p.ruleOf(s.Schema); r.readable == nil && r.writable == nil {
		return
	}
	_, keys := schema.GetIdentityFieldValuesMap(s.Context, s.ReflectValue, s.Schema.PrimaryFields)
	column, values := schema.ToQueryValues(s.Table, s.Schema.PrimaryFieldDBNames, keys)
	var there int64
	if len(values) > 0 {
		query := systemSession(tx).Unscoped().Model(reflect.New(s.Schema.ModelType).Interface()).Where(clause.IN{Column: column, Values: values})
		if err := query.Count(&there).Error; err != nil {
			_ = tx.AddError(err)
			return
		}
	}
	if there > 0 {
		refused := fault.Forbidden("You may not change this " + strings.ToLower(Humanize(s.Schema.Name)))
		refused.Cause = fmt.Errorf("an upsert of %s would bypass its rule: read the row with db.FindWritable and update it", s.Table)
		_ = tx.AddError(refused)
		return
	}
	delete(s.Clauses, "ON CONFLICT")
}

// update narrows a statement and checks the references that it writes.
func (p *rules) update(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.SQL.Len() > 0 {
		return
	}
	p.write(tx)
	refs := p.references(s.Schema)
	if len(refs) == 0 || tx.Error != nil {
		return
	}
	p.check(tx, refs, 1, func(_ int, r ref) any { return assignedValue(s, r.column) })
}

// assignedValue returns the value that an update writes into a column; nil for none.
func assignedValue(s *gorm.Statement, column *schema.Field) any {
	if values, ok := s.Dest.(map[string]any); ok {
		for name, value := range values {
			if s.Schema.LookUpField(name) == column {
				return value
			}
		}
		return nil
	}
	row := reflect.Indirect(reflect.ValueOf(s.Dest))
	if row.Kind() != reflect.Struct || row.Type() != s.Schema.ModelType {
		return nil
	}
	selected, restricted := s.SelectAndOmitColumns(false, true)
	value, zero := column.ValueOf(s.Context, row)
	if chosen, ok := selected[column.DBName]; ok && !chosen || !ok && restricted || zero {
		return nil
	}
	return value
}

// ref is a column that references a row. If the referenced table has a rule or soft
// deletes, the foreign key cannot tell whether the row exists for the caller, and
// rules query it; otherwise the foreign key does, and explain reports the column.
type ref struct {
	column, key *schema.Field
	target      *schema.Schema
	soft        bool // rows of target are soft-deleted
}

// refTransactionKey holds the transaction in which a statement locks the rows that it
// references.
const refTransactionKey = "db:referred"

// references returns the columns of a model to check.
func (p *rules) references(s *schema.Schema) []ref {
	if known, ok := p.refs.Load(s); ok {
		return known.([]ref)
	}
	refs := slices.DeleteFunc(refsOf(s), func(r ref) bool { return !hidesRows(r.target) })
	p.refs.Store(s, refs)
	return refs
}

// refsOf returns the columns by which rows of a model reference others, sorted, so
// that all transactions lock rows in the same order.
func refsOf(s *schema.Schema) []ref {
	var refs []ref
	for _, relation := range s.Relationships.Relations { // includes the relations of join tables, which no other field lists
		if relation.Type != schema.BelongsTo {
			continue
		}
		// In a key of several columns the last identifies the row and the others
		// only scope it; the database compares all of them.
		from, to := relationColumns(relation)
		last := len(from) - 1
		refs = append(refs, ref{from[last], to[last], relation.FieldSchema, softly(relation.FieldSchema)})
	}
	slices.SortFunc(refs, func(a, b ref) int { return strings.Compare(a.column.DBName, b.column.DBName) })
	return refs
}

// hidesRows reports whether rows of the model can exist and not be visible to the
// caller: a rule excludes them, or they are deleted.
func hidesRows(s *schema.Schema) bool {
	_, ruled := reflect.New(s.ModelType).Interface().(Readable)
	return ruled || len(s.QueryClauses) > 0
}

// checkedAtOnce is the maximum number of values in one statement.
const checkedAtOnce = 500

// check adds a 422 fault with every reference of n rows to a row that does not
// exist, is deleted or may not be read by the caller.
func (p *rules) check(tx *gorm.DB, refs []ref, n int, value func(i int, r ref) any) {
	var details []fault.Detail
	for _, r := range refs {
		wanted := make([]any, n)
		var distinct []any
		seen := map[string]bool{}
		for i := range n {
			v := value(i, r)
			if null, err := isNull(v); null || err != nil {
				continue
			}
			v = reflect.Indirect(reflect.ValueOf(v)).Interface()
			if wanted[i] = v; reflect.ValueOf(v).IsZero() {
				wanted[i] = nil
			} else if k := fmt.Sprint(v); !seen[k] {
				seen[k] = true
				distinct = append(distinct, v)
			}
		}
		if len(distinct) == 0 {
			continue
		}
		if err := p.beginFor(tx, r); err != nil {
			_ = tx.AddError(err)
			return
		}
		found, err := existingRefs(tx, r, distinct)
		if err != nil {
			_ = tx.AddError(err)
			return
		}
		for i, v := range wanted {
			if v != nil && !found[fmt.Sprint(v)] {
				details = append(details, missing(jsonName(tx.Statement.Schema, r.column.DBName), batchIndex(tx, i)))
			}
		}
	}
	if len(details) > 0 {
		_ = tx.AddError(fault.Invalid(details...))
	}
}

// beginFor starts a transaction for the statement, unless it has one, if r references a
// table with soft deletes: a row that check has found must not be deleted before
// the reference is written, which no foreign key ensures.
func (p *rules) beginFor(tx *gorm.DB, r ref) error {
	if !r.soft {
		return nil
	}
	own, err := beginOwn(tx)
	if own != nil {
		tx.InstanceSet(refTransactionKey, own)
	}
	return err
}

// end ends the transaction of beginFor.
func (p *rules) end(tx *gorm.DB) {
	s := tx.Statement
	if s.Schema == nil || !slices.ContainsFunc(p.references(s.Schema), func(r ref) bool { return r.soft }) {
		return
	}
	if own, ok := tx.InstanceGet(refTransactionKey); ok {
		own.(*ownTransaction).end(tx, tx.Error == nil)
	}
}

// existingRefs returns which of values the caller of tx may read in the rows of a
// reference. It locks rows that could be soft-deleted, as a foreign key does for
// deletes.
func existingRefs(tx *gorm.DB, r ref, values []any) (map[string]bool, error) {
	found := map[string]bool{}
	for len(values) > 0 {
		some := values[:min(len(values), checkedAtOnce)]
		values = values[len(some):]
		keys := reflect.New(reflect.SliceOf(r.key.IndirectFieldType))
		stored := tx.Session(&gorm.Session{NewDB: true, SkipHooks: true}).Model(reflect.New(r.target.ModelType).Interface())
		if r.soft {
			stored = stored.Clauses(lockReferenced(tx))
		}
		err := stored.Where(clause.IN{Column: current(r.key.DBName), Values: some}).Pluck(r.key.DBName, keys.Interface()).Error
		if err != nil {
			return nil, err
		}
		for i := range keys.Elem().Len() {
			found[fmt.Sprint(keys.Elem().Index(i).Interface())] = true
		}
	}
	return found, nil
}

// missing returns the detail for a reference to a row that does not exist for the
// caller.
func missing(field string, index *int) fault.Detail {
	name := field
	if many, ok := strings.CutSuffix(field, "_ids"); ok {
		name = many
	}
	return fault.Detail{Field: field, Rule: "exists", Message: Humanize(name) + " not found", Index: index}
}
