package db_test

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Everything has a column of every supported type.
type Everything struct {
	ID       int64
	Text     string
	Name     string `gorm:"size:100"`
	Int      int
	Big      int64
	Float    float64
	Bool     bool
	Price    decimal.Decimal `gorm:"type:decimal(15,2)"`
	Raw      db.JSON
	Day      db.Date
	At       db.Clock
	Took     db.Duration
	Tags     db.Array[string]
	Numbers  db.Array[int64]
	Bytes    []byte
	Key      uuid.UUID `gorm:"size:36"`
	Time     time.Time
	RawP     *db.JSON
	DayP     *db.Date
	AtP      *db.Clock
	TookP    *db.Duration
	PriceP   *decimal.Decimal `gorm:"type:decimal(15,2)"`
	TimeP    *time.Time
	TagsP    *db.Array[string]
	Created  time.Time `gorm:"autoCreateTime"`
	Modified time.Time `gorm:"autoUpdateTime"`
}

func full() Everything {
	day, at, took := db.NewDate(1, 1, 1), db.NewClock(0, 0, 0), db.Duration(-time.Nanosecond)
	price := decimal.RequireFromString("-0.01")
	when := time.Date(1970, 1, 1, 0, 0, 1, 1000, time.UTC)
	raw := db.JSON(`null`)
	return Everything{
		Text: "ü\n'\"\\%🙂", Name: "ﬀ", Int: -1 << 31, Big: 1<<63 - 1, Float: 0.1, Bool: true,
		Price: decimal.RequireFromString("1234567890123.45"),
		Raw:   db.JSON(`{"a": [1, 2.50, null, "\u00fc"]}`), RawP: &raw,
		Day: db.NewDate(9999, 12, 31), DayP: &day, At: db.NewClock(23, 59, 59), AtP: &at,
		Took: db.Duration(90 * time.Minute), TookP: &took,
		Tags: db.Array[string]{"a", `"b"`, "", "ü"}, Numbers: db.Array[int64]{1<<63 - 1, -1}, TagsP: &db.Array[string]{},
		Bytes: []byte{0, 255, 128, '\''}, Key: uuid.MustParse("c3d4e5f6-0000-4000-8000-000000000001"),
		Time: time.Date(2026, 2, 28, 23, 59, 59, 999999000, time.FixedZone("", 5*3600+1800)), TimeP: &when, PriceP: &price,
	}
}

// Values are read as they were written, in Go and in JSON, and a created row has
// the same JSON as one that is read later.
func TestTypesRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Everything{}))
		for name, in := range map[string]Everything{
			"full": full(),
			"zero": {Key: uuid.New(), Day: db.NewDate(2000, 1, 1), Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)},
		} {
			created := in
			must(t, gdb.Create(&created).Error)
			read, err := db.Find[Everything](gdb, created.ID)
			must(t, err)
			if !read.Price.Equal(in.Price) || in.PriceP != nil && !read.PriceP.Equal(*in.PriceP) {
				t.Errorf("%s: price %v, want %v", name, read.Price, in.Price)
			}
			if in.Raw != nil && !sameJSON(string(in.Raw), string(read.Raw)) {
				t.Errorf("%s: json %s, want %s", name, read.Raw, in.Raw)
			}
			if read.Time.Location() != time.UTC || read.Created.Location() != time.UTC {
				t.Errorf("%s: times are not in UTC: %v", name, read.Time)
			}
			if !read.Time.Equal(in.Time) || !read.Created.Equal(created.Created) {
				t.Errorf("%s: times %v and %v, want %v and %v", name, read.Time, read.Created, in.Time, created.Created)
			}
			// The rest must be exactly equal.
			in.ID, in.Created, in.Modified, in.Time, in.Price, in.PriceP, in.Raw = read.ID, read.Created, read.Modified, read.Time, read.Price, read.PriceP, read.Raw
			if name == "zero" {
				in.Tags, in.Numbers = db.Array[string]{}, db.Array[int64]{}
				read.Bytes = nil
			}
			if !reflect.DeepEqual(in, read) {
				t.Errorf("%s:\nread %s\nwant %s", name, asJSON(read), asJSON(in))
			}
			created.Price, created.PriceP, created.Raw, created.Bytes = read.Price, read.PriceP, read.Raw, read.Bytes
			if got, want := asJSON(created), asJSON(read); got != want {
				t.Errorf("%s:\ncreated %s\nread    %s", name, got, want)
			}
		}
		// They are filtered and sorted as values, not as text.
		for column, value := range map[string]any{
			"price": decimal.RequireFromString("1234567890123.45"), "day": db.NewDate(9999, 12, 31), "at": db.NewClock(23, 59, 59),
			"took": db.Duration(90 * time.Minute), "key": full().Key, "time": full().Time, "float": 0.1, "bool": true, "day_p": db.NewDate(1, 1, 1),
		} {
			var n int64
			must(t, db.Where(gdb.Model(&Everything{}), column, &value).Count(&n).Error)
			if n != 1 {
				t.Errorf("%d rows where %s is %v", n, column, value)
			}
			must(t, db.AtLeast(gdb.Model(&Everything{}).Where("name <> ''"), column, &value).Count(&n).Error)
			if n != 1 {
				t.Errorf("%d rows where %s is at least %v", n, column, value)
			}
		}
	})
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// After a write, a time of a client has the form in which it is read later: in UTC
// with microseconds.
func TestInstants(t *testing.T) {
	type Event struct {
		ID int64
		At time.Time `gorm:"not null"`
		By *time.Time
		As db.Duration
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Event{}))
		zone := time.FixedZone("", -7*3600)
		given := func(second int) time.Time { return time.Date(2026, 3, 4, 5, 6, second, 123456789, zone) }
		same := func(what string, e Event) {
			t.Helper()
			read, err := db.Find[Event](gdb, e.ID)
			must(t, err)
			if asJSON(e) != asJSON(read) || !strings.Contains(asJSON(e), ".123456Z") {
				t.Errorf("%s: wrote %s, read %s", what, asJSON(e), asJSON(read))
			}
		}
		e := Event{At: given(1), By: new(given(2))}
		must(t, gdb.Create(&e).Error)
		same("create", e)
		many := []*Event{{At: given(3)}, {At: given(4), By: new(given(5))}}
		must(t, gdb.Create(many).Error)
		same("create many", *many[1])
		e.At = given(6)
		must(t, gdb.Save(&e).Error)
		same("save", e)
		e.At, e.By = given(7), new(given(8))
		must(t, gdb.Model(&e).Select("At", "By").Updates(e).Error)
		same("updates", e)
		e.At = given(9)
		must(t, gdb.Model(&e).Select("At").Updates(&e).Error)
		same("updates, pointer", e)
		must(t, gdb.Model(&e).Updates(map[string]any{"at": given(10)}).Error)
		same("updates, map", e)
		must(t, gdb.Model(&e).Update("at", given(11)).Error)
		same("update", e)
	})
}

// Decimals keep every digit, sort as numbers and can be summed, within the 15
// digits of SQLite's numbers.
func TestDecimals(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		type Price struct {
			ID     int64
			Amount decimal.Decimal `gorm:"type:decimal(15,2);not null"`
		}
		must(t, gdb.Migrator().CreateTable(&Price{}))
		for _, text := range []string{"10.10", "9.99", "-3", "0.01", "9999999999999.99", "-9999999999999.99", "100"} {
			must(t, gdb.Create(&Price{Amount: decimal.RequireFromString(text)}).Error)
		}
		page, err := db.List[Price](gdb, db.Query{Order: "asc"}, "amount")
		must(t, err)
		var got []string
		for _, p := range page.Items {
			got = append(got, p.Amount.StringFixed(2))
		}
		if want := "-9999999999999.99 -3.00 0.01 9.99 10.10 100.00 9999999999999.99"; strings.Join(got, " ") != want {
			t.Errorf("sorted: %v", got)
		}
	})
}

// The types parse what they format, from JSON, forms and URLs, and nothing else.
func TestTypesText(t *testing.T) {
	for _, c := range []struct {
		make   func() any
		good   map[string]string // text: how it is formatted again
		bad    []string
		number bool
	}{
		{make: func() any { return new(db.Date) }, good: map[string]string{"2024-02-29": "2024-02-29", "0001-01-01": "0001-01-01"},
			bad: []string{"", "2023-02-29", "2024-2-9", "2024-02-29T00:00:00Z", "29.02.2024", "0000-01-01", "10000-01-01", " 2024-02-29"}},
		{make: func() any { return new(db.Clock) }, good: map[string]string{"00:00:00": "00:00:00", "23:59": "23:59:00", "07:05:09": "07:05:09"},
			bad: []string{"", "24:00:00", "7:05", "12:60", "12:00:00.5", "12:00:00Z", "noon"}},
		{make: func() any { return new(db.Duration) }, good: map[string]string{"1h30m": "1h30m0s", "-5ms": "-5ms", "0": "0s"},
			bad: []string{"", "5", "1 hour", "1d", "9999999h"}},
		{make: func() any { return new(db.BigInt) }, number: true,
			good: map[string]string{"0": "0", "-9223372036854775808": "-9223372036854775808", "9007199254740993": "9007199254740993"},
			bad:  []string{"", "+1", "-0", "01", "1.0", "1e3", "0x1", "9223372036854775808", " 1"}},
	} {
		for text, want := range c.good {
			fromText, fromJSON := c.make(), c.make()
			must(t, fromText.(encoding.TextUnmarshaler).UnmarshalText([]byte(text)))
			must(t, json.Unmarshal([]byte(`"`+text+`"`), fromJSON))
			if !reflect.DeepEqual(fromText, fromJSON) || asJSON(fromJSON) != `"`+want+`"` {
				t.Errorf("%T %q: %s, formatted %s", fromText, text, asJSON(fromText), asJSON(fromJSON))
			}
		}
		for _, text := range append(c.bad, "\x00", strings.Repeat("9", 1000)) {
			v := c.make()
			if err := v.(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T %q: parsed as %s", v, text, asJSON(v))
			}
		}
		for _, text := range []string{"5", "true", "{}", "[]"} {
			if v := c.make(); json.Unmarshal([]byte(text), v) == nil && !(c.number && text == "5") {
				t.Errorf("%T: JSON %s parsed as %s", v, text, asJSON(v))
			}
		}
	}
}

// JSON keeps its value, and invalid JSON never reaches the database.
func TestJSON(t *testing.T) {
	var in struct{ A, B, C db.JSON }
	must(t, json.Unmarshal([]byte(`{"A": { "x" : 1.10 }, "B": null}`), &in))
	if got := asJSON(in); got != `{"A":{"x":1.10},"B":null,"C":null}` {
		t.Error(got)
	}
	for _, bad := range []string{"", "{", "nul", "1 2"} {
		if _, err := db.JSON(bad).Value(); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
	if v, err := db.JSON(nil).Value(); v != nil || err != nil {
		t.Errorf("nil is %v, %v", v, err)
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Everything{}))
		row := Everything{Raw: db.JSON("{"), Time: time.Now(), Day: db.NewDate(2000, 1, 1)}
		check(t, gdb.Create(&row).Error, 422, "Validation error", "")
		row.Raw = db.JSON(`"a\u0000b"`) // PostgreSQL cannot store it
		if err := gdb.Create(&row).Error; err != nil {
			check(t, err, 422, "Validation error", "")
		}
	})
}

// Decimals keep the digits of their scale on every database, an empty blob is not
// NULL, and times in arrays have the same precision as others.
func TestExactValues(t *testing.T) {
	type Item struct {
		ID     int64
		Price  decimal.Decimal  `gorm:"type:decimal(10,2);scale:2"`
		Was    *decimal.Decimal `gorm:"type:decimal(10,2);scale:2"`
		Blob   []byte           `gorm:"not null"`
		NoBlob []byte
		Times  db.Array[time.Time]
		At     time.Time
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Item{}))
		created := Item{
			Price: decimal.RequireFromString("12.5"), Was: new(decimal.RequireFromString("7")), Blob: []byte{},
			Times: db.Array[time.Time]{time.Date(2026, 1, 31, 9, 30, 0, 123456789, time.FixedZone("", 3600))},
			At:    time.Date(2026, 1, 31, 9, 30, 0, 123456789, time.UTC),
		}
		must(t, gdb.Create(&created).Error)
		for range 2 { // as a cached statement, and as another one
			read, err := db.Find[Item](gdb, created.ID)
			must(t, err)
			page, err := db.List[Item](gdb, db.Query{}, "price")
			must(t, err)
			for _, got := range []string{asJSON(read), asJSON(page.Items[0])} {
				if want := asJSON(created); got != want {
					t.Errorf("read %s, want %s", got, want)
				}
			}
			if read.Blob == nil || read.NoBlob != nil || !strings.Contains(asJSON(read), `"Price":"12.50","Was":"7.00"`) || !strings.Contains(asJSON(read), "08:30:00.123456Z") {
				t.Errorf("read %s", asJSON(read))
			}
			must(t, gdb.Model(&read).Updates(map[string]any{"price": decimal.RequireFromString("12.5"), "was": decimal.RequireFromString("7")}).Error)
		}
		// A time as the client sent it finds its row, in every zone.
		at := time.Date(2026, 1, 31, 9, 30, 0, 123456789, time.UTC)
		for _, sent := range []time.Time{at, at.In(time.FixedZone("", 7200))} {
			for name, found := range map[string]*gorm.DB{
				"equal": db.Where(gdb, "at", &sent), "at least": db.AtLeast(gdb, "at", &sent), "at most": db.AtMost(gdb, "at", &sent),
			} {
				var n int64
				if must(t, found.Model(&Item{}).Count(&n).Error); n != 1 {
					t.Errorf("%s %s found %d rows", name, sent, n)
				}
			}
		}
		// A model without the column writes with the same precision.
		type part struct{ ID int64 }
		must(t, gdb.Table("items").Model(&part{}).Where("id = ?", created.ID).Update("at", at.Add(time.Second)).Error)
		if read, err := db.Find[Item](gdb, created.ID); err != nil || !read.At.Equal(at.Add(time.Second).Truncate(time.Microsecond)) {
			t.Errorf("read %s: %v", read.At, err)
		}
		for _, at := range []time.Time{time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))} {
			check(t, gdb.Create(&Item{Blob: []byte{}, At: at}).Error, 422, "Validation error", "at/value")
			check(t, gdb.Model(&created).Update("at", at).Error, 422, "Validation error", "at/value")
		}
	})
}
