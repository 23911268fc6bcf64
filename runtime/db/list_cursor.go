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

// position is the content of a cursor: the last row of a page, and the order of the
// list. Clients see it as the base64url encoding of its JSON. It is not secret; it
// reaches only rows that the list returns anyway.
type position struct {
	Sort  string          `json:"s"`
	Order string          `json:"o"`
	Value json.RawMessage `json:"v"`
	ID    json.RawMessage `json:"i"` // the key; an array if it has several columns
}

func (o ordering) name() string {
	if o.desc {
		return "desc"
	}
	return "asc"
}

// cursor returns the encoded position of row.
func (o ordering) cursor(ctx context.Context, row reflect.Value) (string, error) {
	p := position{Sort: o.column.DBName, Order: o.name()}
	encode := func(field *schema.Field) (json.RawMessage, error) {
		value, _ := field.ValueOf(ctx, row)
		if null, err := isNull(value); err != nil {
			return nil, err
		} else if null {
			value = nil
		}
		if o.folded && field == o.column {
			value, _ = foldedForm(value)
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("cursor of %s: %w", field.Name, err)
		}
		return raw, nil
	}
	var err error
	if p.Value, err = encode(o.column); err != nil {
		return "", err
	}
	parts := make([]json.RawMessage, len(o.key))
	for i, field := range o.key {
		if parts[i], err = encode(field); err != nil {
			return "", err
		}
	}
	switch len(parts) {
	case 0: // the column is the key
		p.ID = p.Value
	case 1:
		p.ID = parts[0]
	default:
		if p.ID, err = json.Marshal(parts); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(p)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// parse returns the conditions for the rows after a cursor; see after.
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
	parts := []json.RawMessage{p.ID}
	if len(o.key) > 1 && (json.Unmarshal(p.ID, &parts) != nil || len(parts) != len(o.key)) {
		return nil, invalid
	}
	var key []any
	for i, field := range o.key {
		part, ok := decode(field, parts[i])
		if !ok || part == nil {
			return nil, invalid
		}
		key = append(key, part)
	}
	if len(key) == 0 && value == nil {
		return nil, invalid
	}
	return o.after(value, key), nil
}

// decode decodes a value of the field's type; JSON null is nil.
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

// after returns the conditions for the rows after (value, key): one, or two whose
// rows follow each other where the column can be NULL. NULL is the greatest value
// on PostgreSQL and the least elsewhere, as in ORDER BY. Each condition is one
// range of an index on the column, which a single condition with OR would not be.
func (o ordering) after(value any, key []any) []clause.Expression {
	column, sign := current(o.by()), ">"
	if o.desc {
		sign = "<"
	}
	nullsLast := o.desc != (o.dialect == "postgres")
	if len(key) == 0 { // the column is the key
		return []clause.Expression{clause.Expr{SQL: "? " + sign + " ?", Vars: []any{column, value}}}
	}
	keyAfter := o.keyAfter(key, sign)
	if value == nil {
		rest := []clause.Expression{clause.Expr{SQL: "? IS NULL AND ?", Vars: []any{column, keyAfter}}}
		if !nullsLast {
			rest = append(rest, clause.Expr{SQL: "? IS NOT NULL", Vars: []any{column}})
		}
		return rest
	}
	names, places := []any{column}, "(?"+strings.Repeat(", ?", len(key))+")"
	for _, field := range o.key {
		names = append(names, current(field.DBName))
	}
	rest := []clause.Expression{clause.Expr{SQL: places + " " + sign + " " + places, Vars: append(append(names, value), key...)}}
	if o.dialect == "mysql" { // MySQL does not use an index range for a tuple
		rest[0] = clause.Expr{
			SQL:  "? " + sign + "= ? AND (? " + sign + " ? OR ?)",
			Vars: []any{column, value, column, value, keyAfter},
		}
	}
	if nullsLast && !o.column.NotNull {
		rest = append(rest, clause.Expr{SQL: "? IS NULL", Vars: []any{column}})
	}
	return rest
}

// keyAfter returns the condition for the rows whose key comes after key.
func (o ordering) keyAfter(key []any, sign string) clause.Expression {
	names, places := []any{}, "?"+strings.Repeat(", ?", len(key)-1)
	for _, field := range o.key {
		names = append(names, current(field.DBName))
	}
	if len(key) > 1 {
		places = "(" + places + ")"
	}
	return clause.Expr{SQL: places + " " + sign + " " + places, Vars: append(names, key...)}
}
