package db_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Song is the table as the older program declares it.
type Song struct {
	ID    int64
	Title string  `gorm:"size:50;not null"`
	Genre *string `gorm:"size:20"`
	Plays int64   `gorm:"not null;default:0"`
}

// While a new version is rolled out, the older program keeps working with the
// changed table as long as the change expands it. Contracting changes belong into
// the version after: rename or remove a column when no running program uses it any
// more.
func TestOlderProgramsKeepWorking(t *testing.T) {
	type songs struct {
		ID    int64
		Title string  `gorm:"size:50;not null"`
		Genre *string `gorm:"size:20"`
		Plays int64   `gorm:"not null;default:0"`
	}
	for _, c := range []struct {
		name  string
		up    func(tx *gorm.DB) error
		fails string // what fails in the older program
	}{
		{"an optional field is added", func(tx *gorm.DB) error {
			type songs struct {
				Year *int
			}
			return db.AddColumns(tx, &songs{})
		}, ""},
		{"a field with a default is added", func(tx *gorm.DB) error {
			type songs struct {
				Live bool `gorm:"not null;default:false"`
			}
			return db.AddColumns(tx, &songs{})
		}, ""},
		{"an indexed field is added", func(tx *gorm.DB) error {
			type songs struct {
				Label *string `gorm:"size:20;index"`
			}
			return db.AddColumns(tx, &songs{})
		}, ""},
		{"a text is lengthened", func(tx *gorm.DB) error {
			type after struct {
				Title string `gorm:"size:200;not null"`
			}
			type before struct {
				Title string `gorm:"size:50;not null"`
			}
			return db.ChangeTable(tx, "songs", &before{}, &after{})
		}, ""},
		{"a field becomes optional", func(tx *gorm.DB) error {
			type after struct {
				Title *string `gorm:"size:50"`
			}
			type before struct {
				Title string `gorm:"size:50;not null"`
			}
			return db.ChangeTable(tx, "songs", &before{}, &after{})
		}, ""},
		{"a field becomes required", func(tx *gorm.DB) error {
			type after struct {
				Genre string `gorm:"size:20;not null"`
			}
			type before struct {
				Genre *string `gorm:"size:20"`
			}
			return db.ChangeTable(tx, "songs", &before{}, &after{})
		}, "create without"},
		{"a required field is added, and filled", func(tx *gorm.DB) error {
			type songs struct {
				Year *int
			}
			type after struct {
				Year int `gorm:"not null"`
			}
			type before struct {
				Year *int
			}
			if err := db.AddColumns(tx, &songs{}); err != nil {
				return err
			}
			if err := db.Fill(tx, "songs", "year", 1999); err != nil {
				return err
			}
			return db.ChangeTable(tx, "songs", &before{}, &after{})
		}, "create, create without"},
		{"a field is indexed", func(tx *gorm.DB) error {
			type after struct {
				Genre *string `gorm:"size:20;index"`
			}
			type before struct {
				Genre *string `gorm:"size:20"`
			}
			return db.ChangeTable(tx, "songs", &before{}, &after{})
		}, ""},
		{"a field is searched", func(tx *gorm.DB) error { return db.SearchIndex(tx, "songs", "title") }, ""},
		{"a field is compared ignoring case", func(tx *gorm.DB) error { return db.UniqueNoCase(tx, "songs", "title") }, ""},
		{"a field is renamed", func(tx *gorm.DB) error {
			type after struct {
				Name string `gorm:"size:50;not null"`
			}
			type before struct {
				Title string `gorm:"size:50;not null"`
			}
			return db.RenameColumn(tx, "songs", &before{}, &after{})
		}, "create, create without, update, sort"},
		{"a field is removed", func(tx *gorm.DB) error {
			type songs struct {
				Title string `gorm:"size:50;not null"`
			}
			return db.DropColumns(tx, &songs{})
		}, "create, create without, update, sort"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{"sqlite", "postgres", "mysql"} {
				at := address(t, name)
				older := open(t, at)
				must(t, older.Migrator().CreateTable(&songs{}))
				genre, n := "folk", 0
				work := func() (fails string) {
					n++
					try := func(what string, f func() error) {
						if err := f(); err != nil {
							if fails != "" {
								fails += ", "
							}
							fails += what
						}
					}
					title := strings.Repeat("x", n)
					var first Song
					try("create", func() error { return older.Create(&Song{Title: title, Genre: &genre}).Error })
					try("create without", func() error { return older.Create(&Song{Title: title + "!"}).Error })
					try("find", func() (err error) { first, err = db.Find[Song](older, 1); return err })
					try("update", func() error {
						return older.Model(&Song{ID: 1}).Select("title", "plays").Updates(&Song{Title: first.Title, Plays: first.Plays + 1}).Error
					})
					try("list", func() error { _, err := db.List[Song](older, db.Query{}, "id"); return err })
					try("sort", func() error { _, err := db.List[Song](older, db.Query{}, "title"); return err })
					try("delete", func() error { return older.Where("id > ?", 1).Delete(&Song{}).Error })
					return fails
				}
				if fails := work(); fails != "" { // statements are prepared from here on
					t.Fatalf("%s: before: %s", name, fails)
				}
				newer := open(t, at)
				must(t, newer.Transaction(c.up))
				if fails := work(); fails != c.fails {
					t.Errorf("%s: the older program fails at %q, want %q", name, fails, c.fails)
				}
			}
		})
	}
}
