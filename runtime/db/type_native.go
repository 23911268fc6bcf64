package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Char is a column of type char(n), which the database pads with spaces. They are
// not part of the value.
type Char string

// Scan implements sql.Scanner.
func (c *Char) Scan(value any) error {
	raw, err := scanBytes(value)
	*c = Char(strings.TrimRight(string(raw), " "))
	return err
}

// Value implements driver.Valuer.
func (c Char) Value() (driver.Value, error) { return string(c), nil }

// GormDataType implements schema.GormDataTypeInterface.
func (Char) GormDataType() string { return string(schema.String) }

// NativeArray is a column of a one-dimensional native array of PostgreSQL. A nil
// NativeArray is an empty list, and NULL is read as nil.
type NativeArray[T any] []T

// Scan implements sql.Scanner.
func (l *NativeArray[T]) Scan(value any) error {
	raw, err := scanBytes(value)
	if err != nil || raw == nil {
		*l = nil
		return err
	}
	elements, err := elementsOf(string(raw))
	if err != nil {
		return err
	}
	*l = make([]T, len(elements))
	for i, e := range elements {
		if err := setElement(&(*l)[i], e); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	return nil
}

// setElement parses one element as PostgreSQL formats it.
func setElement(to any, text string) error {
	switch to := to.(type) {
	case *string:
		*to = text
		return nil
	case *bool:
		*to = text == "t" || text == "true"
		return nil
	}
	if json.Unmarshal([]byte(text), to) == nil { // a number
		return nil
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(quoted, to)
}

// elementsOf splits the text of an array: {a,"b c",NULL}.
func elementsOf(text string) ([]string, error) {
	if at := strings.IndexByte(text, '='); strings.HasPrefix(text, "[") && at > 0 { // [2:3]={a,b}
		text = text[at+1:]
	}
	body, begins := strings.CutPrefix(text, "{")
	body, ends := strings.CutSuffix(body, "}")
	if !begins || !ends {
		return nil, fmt.Errorf("not an array: %.40q", text)
	}
	elements := []string{}
	for i := 0; i < len(body); {
		var b strings.Builder
		if body[i] == '{' {
			return nil, fmt.Errorf("an array of arrays: %.40q", text)
		}
		quoted := body[i] == '"'
		if quoted {
			i++
		}
		for ; i < len(body) && (quoted && body[i] != '"' || !quoted && body[i] != ','); i++ {
			if body[i] == '\\' && i+1 < len(body) {
				i++
			}
			b.WriteByte(body[i])
		}
		if quoted {
			i++
		}
		i++ // the comma
		if !quoted && strings.EqualFold(b.String(), "null") {
			b.Reset()
		}
		elements = append(elements, b.String())
	}
	return elements, nil
}

// Value implements driver.Valuer.
func (l NativeArray[T]) Value() (driver.Value, error) {
	var parts []string
	for _, e := range l {
		text, ok := any(e).(string)
		if !ok {
			raw, err := json.Marshal(e)
			if err != nil {
				return nil, err
			}
			if text = string(raw); json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
		}
		parts = append(parts, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`"`)
	}
	return "{" + strings.Join(parts, ",") + "}", nil
}

// MarshalJSON implements json.Marshaler.
func (l NativeArray[T]) MarshalJSON() ([]byte, error) { return Array[T](l).MarshalJSON() }

// GormDataType implements schema.GormDataTypeInterface.
func (NativeArray[T]) GormDataType() string { return "list" }

// GormDBDataType implements migrator.GormDataTypeInterface.
func (NativeArray[T]) GormDBDataType(*gorm.DB, *schema.Field) string { return "text[]" }
