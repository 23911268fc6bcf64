package db

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// BigInt is a 64-bit integer that is a string in JSON, since JavaScript rounds
// integers of more than 53 bits. It also accepts a JSON number.
type BigInt int64

// ParseBigInt parses a canonical decimal number, such as "-9007199254740993".
func ParseBigInt(text string) (BigInt, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("not a whole number of 64 bits: %q", text)
	}
	return BigInt(n), nil
}

// String returns the number as in JSON.
func (n BigInt) String() string { return strconv.FormatInt(int64(n), 10) }

// MarshalText implements encoding.TextMarshaler, and so JSON.
func (n BigInt) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *BigInt) UnmarshalText(text []byte) (err error) {
	*n, err = ParseBigInt(string(text))
	return err
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *BigInt) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	if text[0] != '"' {
		return json.Unmarshal(text, (*int64)(n))
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	return n.UnmarshalText([]byte(s))
}

// GormDBDataType implements migrator.GormDataTypeInterface.
func (BigInt) GormDBDataType(*gorm.DB, *schema.Field) string { return "bigint" }

// JSONSchema implements web.Described.
func (BigInt) JSONSchema() string {
	return `{"type":"string","pattern":"^-?[0-9]+$","examples":["9007199254740993"]}`
}

// MustBe implements web.Described.
func (BigInt) MustBe() string { return "must be a whole number" }
