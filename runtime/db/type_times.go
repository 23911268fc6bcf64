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

// Date is a day without a time: "2006-01-02" in JSON and in URLs. The zero Date is
// 0001-01-01; years range from 1 to 9999.
type Date struct{ day time.Time } // midnight, UTC

// NewDate returns the date; months and days out of range are normalized, as in
// time.Date.
func NewDate(year int, month time.Month, day int) Date {
	return Date{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
}

// DateOf returns the date of t in its own location.
func DateOf(t time.Time) Date { return NewDate(t.Date()) }

// ParseDate parses "2006-01-02".
func ParseDate(text string) (Date, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1 {
		return Date{}, fmt.Errorf("not a date such as 2006-01-02: %q", text)
	}
	return Date{day}, nil
}

// Time returns midnight of the date in UTC.
func (d Date) Time() time.Time { return d.day.UTC() }

// String returns the date as in JSON.
func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// IsZero reports whether the date is 0001-01-01.
func (d Date) IsZero() bool { return d.day.IsZero() }

// Compare returns -1 if d is before other, 0 if they are equal and 1 if d is after
// other.
func (d Date) Compare(other Date) int { return d.day.Compare(other.day) }

// Scan implements sql.Scanner.
func (d *Date) Scan(value any) error {
	switch v := value.(type) {
	case time.Time:
		*d = DateOf(v)
		return nil
	case string:
		return d.UnmarshalText([]byte(v[:min(len(v), len(time.DateOnly))]))
	case []byte:
		return d.Scan(string(v))
	}
	return fmt.Errorf("cannot read a date from %T", value)
}

// Value implements driver.Valuer.
func (d Date) Value() (driver.Value, error) { return d.String(), nil }

// MarshalText implements encoding.TextMarshaler, and so JSON.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler, and so JSON.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

// GormDataType implements schema.GormDataTypeInterface.
func (Date) GormDataType() string { return "date" }

// GormDBDataType implements migrator.GormDataTypeInterface.
func (Date) GormDBDataType(*gorm.DB, *schema.Field) string { return "date" }

// JSONSchema implements web.Described.
func (Date) JSONSchema() string { return `{"type":"string","format":"date"}` }

// MustBe implements web.Described.
func (Date) MustBe() string { return "must be a date such as 2006-01-02" }

// Clock is a time of day without a date, as seconds since midnight, 0 to 86399:
// "15:04:05" in JSON and in URLs.
type Clock int32

// NewClock returns the time of day.
func NewClock(hour, minute, second int) Clock {
	return Clock(hour*3600 + minute*60 + second) // #nosec G115 -- a day has 86,400 seconds
}

// ParseClock parses "15:04:05" or "15:04".
func ParseClock(text string) (Clock, error) {
	layout := time.TimeOnly
	if len(text) == len("15:04") {
		layout = "15:04"
	}
	t, err := time.Parse(layout, text)
	if err != nil || len(text) > len(time.TimeOnly) {
		return 0, fmt.Errorf("not a time such as 15:04:05: %q", text)
	}
	return NewClock(t.Clock()), nil
}

// String returns the time of day as in JSON.
func (c Clock) String() string {
	return fmt.Sprintf("%02d:%02d:%02d", c/3600, c/60%60, c%60)
}

// Scan implements sql.Scanner.
func (c *Clock) Scan(value any) error {
	switch v := value.(type) {
	case time.Time:
		*c = NewClock(v.Clock())
		return nil
	case string:
		return c.UnmarshalText([]byte(v[:min(len(v), len(time.TimeOnly))]))
	case []byte:
		return c.Scan(string(v))
	}
	return fmt.Errorf("cannot read a time of day from %T", value)
}

// Value implements driver.Valuer.
func (c Clock) Value() (driver.Value, error) {
	if c < 0 || c > 86399 {
		return nil, errors.New("time of day out of range")
	}
	return c.String(), nil
}

// MarshalText implements encoding.TextMarshaler, and so JSON.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler, and so JSON.
func (c *Clock) UnmarshalText(text []byte) (err error) {
	*c, err = ParseClock(string(text))
	return err
}

// GormDataType implements schema.GormDataTypeInterface.
func (Clock) GormDataType() string { return "clock" }

// GormDBDataType implements migrator.GormDataTypeInterface.
func (Clock) GormDBDataType(tx *gorm.DB, _ *schema.Field) string {
	if tx.Name() == "sqlite" {
		return "text"
	}
	return "time"
}

// JSONSchema implements web.Described.
func (Clock) JSONSchema() string {
	return `{"type":"string","pattern":"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$","examples":["09:30:00"]}`
}

// MustBe implements web.Described.
func (Clock) MustBe() string { return "must be a time of day such as 15:04:05" }

// Duration is a time.Duration in the format of time.ParseDuration: "1h30m0s" in
// JSON and in URLs; the database stores nanoseconds in a bigint.
type Duration time.Duration

// ParseDuration parses "1h30m".
func ParseDuration(text string) (Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("not a duration such as 1h30m: %q", text)
	}
	return Duration(d), nil
}

// String returns the duration as in JSON.
func (d Duration) String() string { return time.Duration(d).String() }

// Scan implements sql.Scanner.
func (d *Duration) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("cannot read a duration from %T", value)
	}
	*d = Duration(n)
	return nil
}

// Value implements driver.Valuer.
func (d Duration) Value() (driver.Value, error) { return int64(d), nil }

// MarshalText implements encoding.TextMarshaler, and so JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// UnmarshalJSON implements json.Unmarshaler. It rejects a bare number, whose unit
// would be ambiguous.
func (d *Duration) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	return d.UnmarshalText([]byte(s))
}

// GormDataType implements schema.GormDataTypeInterface.
func (Duration) GormDataType() string { return "duration" }

// GormDBDataType implements migrator.GormDataTypeInterface.
func (Duration) GormDBDataType(*gorm.DB, *schema.Field) string { return "bigint" }

// JSONSchema implements web.Described.
func (Duration) JSONSchema() string {
	return `{"type":"string","pattern":"^[-+]?(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$","examples":["1h30m"]}`
}

// MustBe implements web.Described.
func (Duration) MustBe() string { return "must be a duration such as 1h30m" }
