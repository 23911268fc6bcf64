package db

import (
	"database/sql/driver"
	"fmt"
	"math"
	"math/big"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Money is an amount in cents: "12.50" in JSON and in URLs, a bigint in the
// database.
type Money int64

// ParseMoney reads "12.50", with at most two digits behind the point.
func ParseMoney(text string) (Money, error) {
	amount, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsAny(text, "eE_/+xXoObBpP") {
		return 0, fmt.Errorf("not an amount such as 12.50: %q", text)
	}
	cents := amount.Mul(amount, big.NewRat(100, 1))
	if !cents.IsInt() || !cents.Num().IsInt64() || cents.Num().Int64() == math.MinInt64 {
		return 0, fmt.Errorf("not an amount in cents: %q", text)
	}
	return Money(cents.Num().Int64()), nil
}

// String is the amount as in JSON.
func (m Money) String() string { return big.NewRat(int64(m), 100).FloatString(2) }

// Scan implements sql.Scanner.
func (m *Money) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("cannot read an amount from %T", value)
	}
	*m = Money(n)
	return nil
}

// Value implements driver.Valuer.
func (m Money) Value() (driver.Value, error) { return int64(m), nil }

// MarshalText implements encoding.TextMarshaler, and so JSON.
func (m Money) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler, and so JSON.
func (m *Money) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMoney(string(text))
	return err
}

// GormDataType implements schema.GormDataTypeInterface.
func (Money) GormDataType() string { return "money" }

// GormDBDataType implements migrator.GormDataTypeInterface.
func (Money) GormDBDataType(*gorm.DB, *schema.Field) string { return "bigint" }

// JSONSchema implements web.Described.
func (Money) JSONSchema() string {
	return `{"type":"string","pattern":"^-?[0-9]+(\\.[0-9]{1,2})?$","examples":["12.50"]}`
}

// MustBe implements web.Described.
func (Money) MustBe() string { return "must be an amount such as 12.50" }
