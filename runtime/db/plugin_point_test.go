package db_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

type Paper struct {
	ID        int64
	Title     string `gorm:"size:50;not null"`
	Tenant    int64  `gorm:"not null"`
	DeletedAt gorm.DeletedAt
}

// The cached text of a Find must not leak into one that needs more: each case runs
// twice, after the plain one and after itself.
func TestCachedFindKeepsStatements(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.AutoMigrate(&Paper{}))
	must(t, gdb.Table("old_papers").AutoMigrate(&Paper{}))
	must(t, gdb.Create(&[]Paper{{Title: "one", Tenant: 1}, {Title: "two", Tenant: 2}, {Title: "gone", Tenant: 1}}).Error)
	must(t, gdb.Delete(&Paper{}, 3).Error)
	must(t, gdb.Table("old_papers").Create(&Paper{Title: "old"}).Error)

	// A plug-in that restricts every query.
	restricted := open(t, address(t, "sqlite"))
	must(t, restricted.AutoMigrate(&Paper{}))
	must(t, restricted.Create(&[]Paper{{Title: "one", Tenant: 1}, {Title: "two", Tenant: 2}}).Error)
	must(t, restricted.Callback().Query().Before("gorm:query").Register("tenant", func(tx *gorm.DB) { tx.Where("tenant = ?", 1) }))

	ended, cancel := context.WithCancel(t.Context())
	cancel()

	for name, c := range map[string]struct {
		tx    *gorm.DB
		id    any
		title string // "" for absent
	}{
		"plain":               {gdb, int64(1), "one"},
		"another":             {gdb, int64(2), "two"},
		"absent":              {gdb, int64(9), ""},
		"deleted":             {gdb, int64(3), ""},
		"deleted, unscoped":   {gdb.Unscoped(), int64(3), "gone"},
		"condition":           {gdb.Where("tenant = ?", 2), int64(1), ""},
		"scope":               {gdb.Scopes(func(tx *gorm.DB) *gorm.DB { return tx.Where("tenant = ?", 2) }), int64(1), ""},
		"other table":         {gdb.Table("old_papers"), int64(1), "old"},
		"other columns":       {gdb.Select("id"), int64(1), ""},
		"other join":          {gdb.Joins("JOIN papers p ON p.id = papers.id AND p.tenant = 2"), int64(1), ""},
		"null":                {gdb, nil, ""},
		"list":                {gdb, []int64{2, 7}, "two"},
		"plugin lets through": {restricted, int64(1), "one"},
		"plugin keeps away":   {restricted, int64(2), ""},
		"ended context":       {gdb.WithContext(ended), int64(1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				tx := c.tx.Session(&gorm.Session{})
				row, err := db.Find[Paper](tx, c.id)
				if c.title == "" && name != "other columns" {
					require.Error(t, err)
					if name == "ended context" {
						require.ErrorIs(t, err, context.Canceled)
						continue
					}
					require.Equal(t, 404, fault.From(err).Status)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, c.title, row.Title)
			}
		})
	}
}

type Origin struct{ City, Country string }

type Parcel struct {
	ID     int64
	Note   string
	Weight *float64
	Count  int
	Sent   db.Date
}

type Sealed struct {
	ID     int64
	Secret string `gorm:"serializer:json"`
}

type Shipment struct {
	ID     int64
	Origin *Origin `gorm:"embedded;embeddedPrefix:origin_"`
}

// Rows that do not fit the model's fields directly are read by GORM.
func TestFindFallsBackToGORM(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.AutoMigrate(&Parcel{}, &Sealed{}, &Shipment{}))
		weight := 2.5
		parcel := Parcel{Note: "first", Weight: &weight, Count: 3, Sent: db.NewDate(2025, 3, 1)}
		must(t, gdb.Create(&parcel).Error)
		broken := parcel
		broken.ID = 0
		must(t, gdb.Create(&broken).Error)
		must(t, gdb.Exec("UPDATE parcels SET note = NULL, weight = NULL WHERE id = ?", broken.ID).Error)
		broken.Note, broken.Weight = "", nil
		sealed, shipment := Sealed{Secret: "open"}, Shipment{Origin: &Origin{City: "Bern"}}
		must(t, gdb.Create(&sealed).Error)
		must(t, gdb.Create(&shipment).Error)
		for range 2 {
			same(t, gdb, parcel.ID, parcel)
			same(t, gdb, broken.ID, broken)
			same(t, gdb, sealed.ID, sealed)
			same(t, gdb, shipment.ID, shipment)
		}
	})
}

func same[T any](t *testing.T, gdb *gorm.DB, id int64, want T) {
	t.Helper()
	got, err := db.Find[T](gdb, id)
	must(t, err)
	require.Equal(t, want, got)
}

type Crate struct {
	ID, Width, Height int64
}

// A migration may change the order of columns.
func TestFindAfterSchemaChange(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Exec("CREATE TABLE crates (id integer primary key, width integer, height integer)").Error)
	must(t, gdb.Exec("INSERT INTO crates VALUES (1, 20, 30)").Error)
	same(t, gdb, 1, Crate{1, 20, 30})
	must(t, gdb.Exec("DROP TABLE crates").Error)
	must(t, gdb.Exec("CREATE TABLE crates (height integer, id integer primary key, width integer)").Error)
	must(t, gdb.Exec("INSERT INTO crates VALUES (30, 1, 20)").Error)
	same(t, gdb, 1, Crate{1, 20, 30})
}

type Sticker struct {
	ID     int64
	Name   string
	Secret string `gorm:"->:false"`
}

// Columns without a field in the model, such as folded columns, are discarded,
// without reading the row a second time.
func TestFindDiscardsColumnsWithoutField(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Exec("CREATE TABLE stickers (id integer primary key, name_folded varchar(765), name varchar(50), secret varchar(50))").Error)
		must(t, gdb.Exec("INSERT INTO stickers VALUES (1, 'one', 'One', 'hidden'), (2, NULL, 'Two', NULL)").Error)
		counter := &counting{ConnPool: gdb.ConnPool}
		tx := gdb.Session(&gorm.Session{Context: t.Context()})
		tx.Statement.ConnPool = counter
		for range 2 {
			same(t, tx, 1, Sticker{ID: 1, Name: "One"})
			same(t, tx, 2, Sticker{ID: 2, Name: "Two"})
		}
		require.Equal(t, 4, counter.queries)
	})
}

// counting counts the queries of a pool.
type counting struct {
	gorm.ConnPool
	queries int
}

func (c *counting) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	c.queries++
	return c.ConnPool.QueryContext(ctx, query, args...)
}

// A plug-in that replaces GORM's query callback does not handle Find's condition:
// Find must fail, and not read any row.
func TestFindFailsWithoutItsCallback(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.AutoMigrate(&Paper{}))
	must(t, gdb.Create(&[]Paper{{Title: "one"}, {Title: "two"}}).Error)
	must(t, gdb.Callback().Query().Replace("gorm:query", callbacks.Query))
	_, err := db.Find[Paper](gdb, int64(2))
	require.ErrorContains(t, err, "gorm:query")
}
