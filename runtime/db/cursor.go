package db

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/fault"
)

// position is what a cursor holds: the last row of a page, and the order it
// was last in. It is shown to clients as base64url of its JSON and is no
// secret; it can reach only rows that the list shows anyway.
type position struct {
	Sort  string          `json:"s"`
	Order string          `json:"o"`
	Value json.RawMessage `json:"v"`
	ID    json.RawMessage `json:"i"`
}

func (o ordering) name() string {
	if o.desc {
		return "desc"
	}
	return "asc"
}

// cursor is the position of row.
func (o ordering) cursor(ctx context.Context, row reflect.Value) (string, error) {
	p := position{Sort: o.column.DBName, Order: o.name()}
	for _, part := range []struct {
		field *schema.Field
		into  *json.RawMessage
	}{{o.column, &p.Value}, {o.id, &p.ID}} {
		value, _ := part.field.ValueOf(ctx, row)
		null, err := isNull(value)
		if err != nil {
			return "", err
		}
		if null {
			value = nil
		}
		if o.folded && part.field == o.column {
			value, _ = formOf(value)
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return "", fmt.Errorf("cursor of %s: %w", part.field.Name, err)
		}
		*part.into = raw
	}
	raw, err := json.Marshal(p)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// parse returns the conditions for the rows behind a cursor; see after.
func (o ordering) parse(cursor string) ([]clause.Expression, error) {
	invalid := fault.InvalidQuery(fault.Detail{Field: "cursor", Rule: "cursor", Message: "Cursor is not valid for this list and order"})
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, invalid
	}
	var p position
	if json.Unmarshal(raw, &p) != nil || p.Sort != o.column.DBName || p.Order != o.name() {
		return nil, invalid
	}
	value, ok := decode(o.column, p.Value)
	if !ok {
		return nil, invalid
	}
	id, ok := decode(o.id, p.ID)
	if !ok || id == nil {
		return nil, invalid
	}
	return o.after(value, id), nil
}

// decode reads a value of the field's own type; JSON null is nil.
func decode(field *schema.Field, raw json.RawMessage) (any, bool) {
	if len(raw) == 0 {
		return nil, false
	}
	if bytes.Equal(raw, []byte("null")) {
		return nil, !field.NotNull
	}
	value := reflect.New(field.IndirectFieldType)
	if json.Unmarshal(raw, value.Interface()) != nil {
		return nil, false
	}
	switch v := value.Elem().Interface().(type) {
	case string:
		return v, strings.IndexByte(v, 0) < 0
	case time.Time:
		year := v.UTC().Year()
		return v, year >= 1 && year <= 9999 && !v.IsZero()
	case decimal.Decimal:
		return v, v.Exponent() < 100 && v.Exponent() > -100
	}
	return value.Elem().Interface(), true
}

func isNull(value any) (bool, error) {
	if v := reflect.ValueOf(value); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return true, nil
	}
	if v, ok := value.(driver.Valuer); ok {
		inner, err := v.Value()
		return inner == nil, err
	}
	return false, nil
}

// after are the conditions for the rows behind (value, id): one, or two to be
// read one after the other where the column's NULLs are a stretch of their own.
// NULL is the greatest value on PostgreSQL and the least elsewhere, as ORDER BY
// has it. Each condition is one range of an index on the column, which one
// condition with OR would not be.
func (o ordering) after(value, id any) []clause.Expression {
	column, key, sign := current(o.by()), current(o.id.DBName), ">"
	if o.desc {
		sign = "<"
	}
	nullsLast := o.desc != (o.dialect == "postgres")
	switch {
	case o.column == o.id:
		return []clause.Expression{clause.Expr{SQL: "? " + sign + " ?", Vars: []any{key, id}}}
	case value == nil:
		rest := []clause.Expression{clause.Expr{SQL: "? IS NULL AND ? " + sign + " ?", Vars: []any{column, key, id}}}
		if !nullsLast {
			rest = append(rest, clause.Expr{SQL: "? IS NOT NULL", Vars: []any{column}})
		}
		return rest
	}
	rest := []clause.Expression{clause.Expr{SQL: "(?, ?) " + sign + " (?, ?)", Vars: []any{column, key, value, id}}}
	if o.dialect == "mysql" { // which reads no range by a pair
		rest[0] = clause.Expr{
			SQL:  "? " + sign + "= ? AND (? " + sign + " ? OR ? " + sign + " ?)",
			Vars: []any{column, value, column, value, key, id},
		}
	}
	if nullsLast && !o.column.NotNull {
		rest = append(rest, clause.Expr{SQL: "? IS NULL", Vars: []any{column}})
	}
	return rest
}
