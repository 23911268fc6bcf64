package db

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// JSON is a column of any JSON value: json on MySQL, jsonb on PostgreSQL (which
// sorts keys and drops spaces), text on SQLite. A nil JSON is NULL in the database
// and null in JSON.
type JSON []byte

// Scan implements sql.Scanner.
func (j *JSON) Scan(value any) error {
	raw, err := scanBytes(value)
	*j = JSON(raw)
	return err
}

// Value implements driver.Valuer. It rejects invalid JSON.
func (j JSON) Value() (driver.Value, error) {
	if j == nil {
		return nil, nil
	}
	if !json.Valid(j) {
		return nil, errors.New("not JSON")
	}
	return string(j), nil
}

// MarshalJSON implements json.Marshaler.
func (j JSON) MarshalJSON() ([]byte, error) {
	if j == nil {
		return []byte("null"), nil
	}
	return j, nil
}

// UnmarshalJSON implements json.Unmarshaler. It keeps the text, without
// insignificant spaces.
func (j *JSON) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*j = nil
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return err
	}
	*j = b.Bytes()
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (j *JSON) UnmarshalText(text []byte) error { return j.UnmarshalJSON(text) }

// GormDataType implements schema.GormDataTypeInterface.
func (JSON) GormDataType() string { return "json" }

// GormDBDataType implements migrator.GormDataTypeInterface.
func (JSON) GormDBDataType(tx *gorm.DB, _ *schema.Field) string { return jsonType(tx) }

func jsonType(tx *gorm.DB) string {
	switch tx.Name() {
	case "postgres":
		return "jsonb"
	case "mysql":
		return "json"
	}
	return "text"
}

// scanBytes returns a copy of a text or blob from a driver; nil for NULL.
func scanBytes(value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return bytes.Clone(v), nil
	case string:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("cannot read %T", value)
}

// Array is a column of a list of scalars, stored as a JSON array on every database.
// A nil Array is an empty list, both in the database and in JSON: the column is
// never NULL unless the field is a pointer.
type Array[T any] []T

// Scan implements sql.Scanner.
func (a *Array[T]) Scan(value any) error {
	raw, err := scanBytes(value)
	if err != nil {
		return err
	}
	*a = nil
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, (*[]T)(a))
}

// Value implements driver.Valuer.
func (a Array[T]) Value() (driver.Value, error) {
	raw, err := a.MarshalJSON()
	return string(raw), err
}

// MarshalJSON implements json.Marshaler. Times are formatted as those of a time
// column.
func (a Array[T]) MarshalJSON() ([]byte, error) {
	if a == nil {
		return []byte("[]"), nil
	}
	if times, ok := any([]T(a)).([]time.Time); ok {
		same := make([]time.Time, len(times))
		for i, t := range times {
			same[i] = instant(t)
		}
		return json.Marshal(same)
	}
	return json.Marshal([]T(a))
}

// GormDataType implements schema.GormDataTypeInterface.
func (Array[T]) GormDataType() string { return "json" }

// GormDBDataType implements migrator.GormDataTypeInterface.
func (Array[T]) GormDBDataType(tx *gorm.DB, _ *schema.Field) string { return jsonType(tx) }
