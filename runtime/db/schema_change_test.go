package db_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// createArticles creates a table with everything that a change must keep.
func createArticles() db.Migration {
	type articles struct {
		ID         int64
		Title      string  `gorm:"size:255;not null;index"`
		Slug       *string `gorm:"size:100"`
		Body       string  `gorm:"not null"`
		Stars      int     `gorm:"not null;default:3"`
		Status     string  `gorm:"size:64;not null;default:draft;check:status IN ('draft','live');index"`
		Code       string  `gorm:"size:40;not null"`
		ParentID   *int64  `gorm:"index"`
		Parent     *articles
		DeletedAt  gorm.DeletedAt `gorm:"index"`
		Alias      *string        `gorm:"size:50;uniqueIndex:idx_articles_alias"`
		NotDeleted *int           `gorm:"type:smallint GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN 1 END) STORED;uniqueIndex:idx_articles_alias"`
	}
	type comments struct {
		ID        int64
		ArticleID int64    `gorm:"not null;index"`
		Article   articles `gorm:"constraint:OnDelete:CASCADE"`
	}
	return db.Migration{
		ID: "20260201000001_create_articles",
		Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&articles{}, &comments{}); err != nil {
				return err
			}
			return db.SearchIndex(tx, "articles", "title", "body")
		},
		Down: func(tx *gorm.DB) error {
			if err := db.DropSearchIndex(tx, "articles"); err != nil {
				return err
			}
			return tx.Migrator().DropTable("comments", "articles")
		},
	}
}

// changed returns a migration from one struct to another.
func changed(before, after any) db.Migration {
	return db.Migration{
		ID:   "20260201000002_change_articles",
		Up:   func(tx *gorm.DB) error { return db.ChangeTable(tx, "articles", before, after) },
		Down: func(tx *gorm.DB) error { return db.ChangeTable(tx, "articles", after, before) },
	}
}

// articleStub is the table that a column references.
type articleStub struct{ ID int64 }

func (articleStub) TableName() string { return "articles" }

// TestChangeTable makes every kind of change to a column, and undoes it, with rows
// in the table: the rows are kept, and so are the indexes, triggers and references
// of the table.
func TestChangeTable(t *testing.T) {
	type title struct {
		ID    int64
		Title string `gorm:"size:255;not null;index"`
	}
	type shortTitle struct {
		ID    int64
		Title string `gorm:"size:100;not null;uniqueIndex"`
	}
	type slug struct {
		ID   int64
		Slug *string `gorm:"size:100"`
	}
	type requiredSlug struct {
		ID   int64
		Slug string `gorm:"size:100;not null;default:it's;index"`
	}
	type foldedSlug struct {
		ID   int64
		Slug *string `gorm:"size:100;fold"`
	}
	type stars struct {
		ID    int64
		Stars int `gorm:"not null;default:3"`
	}
	type bigStars struct {
		ID    int64
		Stars int64 `gorm:"not null;index"`
	}
	type textStars struct {
		ID    int64
		Stars string `gorm:"size:20;not null"`
	}
	type status struct {
		ID     int64
		Status string `gorm:"size:64;not null;default:draft;check:status IN ('draft','live');index"`
	}
	type moreStatus struct {
		ID     int64
		Status string `gorm:"size:64;not null;default:new;check:status IN ('draft','live','new');index"`
	}
	type none struct{ ID int64 }
	type parent struct {
		ID       int64
		ParentID *int64 `gorm:"index"`
		Parent   *articleStub
	}
	type cascade struct {
		ID       int64
		ParentID *int64       `gorm:"index"`
		Parent   *articleStub `gorm:"constraint:OnDelete:CASCADE"`
	}
	type uniqueParent struct {
		ID       int64
		ParentID *int64       `gorm:"uniqueIndex"`
		Parent   *articleStub `gorm:"constraint:OnDelete:CASCADE"`
	}
	type body struct {
		ID   int64
		Body string `gorm:"not null"`
	}
	type optionalBody struct {
		ID   int64
		Body *string
	}
	type alias struct {
		ID         int64
		Alias      *string `gorm:"size:50;uniqueIndex:idx_articles_alias"`
		NotDeleted *int    `gorm:"type:smallint GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN 1 END) STORED;uniqueIndex:idx_articles_alias"`
	}
	type plainAlias struct {
		ID    int64
		Alias *string `gorm:"size:60;index"`
	}
	type renamedTitle struct {
		ID       int64
		Headline string `gorm:"size:255;not null;index"`
	}
	type renamedStatus struct {
		ID    int64
		State string `gorm:"size:64;not null;default:draft;check:state IN ('draft','live');index"`
	}
	type renamedParent struct {
		ID      int64
		AboveID *int64       `gorm:"index"`
		Above   *articleStub `gorm:"foreignKey:AboveID"`
	}
	for name, c := range map[string]struct {
		before, after any
		rename        bool
		lost          string   // a column whose values are lost
		works, fails  []string // statements after the change
	}{
		"shorter and unique": {before: &title{}, after: &shortTitle{}, fails: []string{"UPDATE articles SET title = 'one' WHERE id = 2"}},
		"required": {
			before: &slug{}, after: &requiredSlug{}, fails: []string{"UPDATE articles SET slug = NULL WHERE id = 1"},
			works: []string{"INSERT INTO articles (id, title, body, code) VALUES (9, 'nine', 'x', 'c9')", "DELETE FROM articles WHERE id = 9"},
		},
		"ignoring case": {before: &slug{}, after: &foldedSlug{}, fails: []string{"UPDATE articles SET slug_folded = 's1' WHERE id = 2"}},
		"wider":         {before: &stars{}, after: &bigStars{}, works: []string{"UPDATE articles SET stars = 5000000000 WHERE id = 1", "UPDATE articles SET stars = 1 WHERE id = 1"}},
		"text":          {before: &stars{}, after: &textStars{}, works: []string{"UPDATE articles SET stars = 'many' WHERE id = 1", "UPDATE articles SET stars = '1' WHERE id = 1"}},
		"more values": {
			before: &status{}, after: &moreStatus{}, fails: []string{"UPDATE articles SET status = 'old' WHERE id = 1"},
			works: []string{"UPDATE articles SET status = 'new' WHERE id = 1", "UPDATE articles SET status = 'live' WHERE id = 1"},
		},
		"removed":                {before: &stars{}, after: &none{}, lost: "stars", fails: []string{"UPDATE articles SET stars = 1"}},
		"reference removed":      {before: &parent{}, after: &none{}, lost: "parent_id", fails: []string{"UPDATE articles SET parent_id = 1"}},
		"reference":              {before: &parent{}, after: &cascade{}, fails: []string{"UPDATE articles SET parent_id = 99 WHERE id = 1"}},
		"unique reference":       {before: &parent{}, after: &uniqueParent{}, fails: []string{"UPDATE articles SET parent_id = 1 WHERE id = 3", "UPDATE articles SET parent_id = 99 WHERE id = 3"}},
		"optional":               {before: &body{}, after: &optionalBody{}, works: []string{"UPDATE articles SET body = NULL WHERE id = 3", "UPDATE articles SET body = 'b3' WHERE id = 3"}},
		"among rows not deleted": {before: &alias{}, after: &plainAlias{}, works: []string{"UPDATE articles SET alias = 'a1' WHERE id = 2", "UPDATE articles SET alias = 'a2' WHERE id = 2"}},
		"renamed":                {before: &title{}, after: &renamedTitle{}, rename: true, works: []string{"UPDATE articles SET headline = 'one' WHERE id = 1"}},
		"check renamed":          {before: &status{}, after: &renamedStatus{}, rename: true, fails: []string{"UPDATE articles SET state = 'old' WHERE id = 1"}},
		"reference renamed":      {before: &parent{}, after: &renamedParent{}, rename: true, fails: []string{"UPDATE articles SET above_id = 99 WHERE id = 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, gdb *gorm.DB) {
				change := changed(c.before, c.after)
				if c.rename {
					change.Up = func(tx *gorm.DB) error {
						if err := db.DropSearchIndex(tx, "articles"); err != nil {
							return err
						}
						return db.RenameColumn(tx, "articles", c.before, c.after)
					}
					change.Down = func(tx *gorm.DB) error {
						if err := db.RenameColumn(tx, "articles", c.after, c.before); err != nil {
							return err
						}
						return db.SearchIndex(tx, "articles", "title", "body")
					}
				}
				list := []db.Migration{createArticles(), change}
				_, err := db.Migrate(t.Context(), gdb, list[:1])
				must(t, err)
				for i := range 3 {
					must(t, gdb.Exec("INSERT INTO articles (id, title, slug, body, stars, status, code, alias) VALUES (?, ?, ?, ?, ?, 'live', ?, ?)",
						i+1, []string{"one", "two's", "drei ß"}[i], fmt.Sprintf("s%d", i+1), fmt.Sprintf("b%d", i+1), i+1, fmt.Sprintf("c%d", i+1), fmt.Sprintf("a%d", i+1)).Error)
				}
				must(t, gdb.Exec("UPDATE articles SET parent_id = 1 WHERE id = 2").Error)
				must(t, gdb.Exec("INSERT INTO comments (id, article_id) VALUES (1, 2)").Error)
				if gdb.Name() == "sqlite" {
					must(t, gdb.Exec("CREATE TABLE updated (id integer)").Error)
					must(t, gdb.Exec("CREATE TRIGGER record AFTER UPDATE ON articles BEGIN INSERT INTO updated (id) VALUES (new.id); END").Error)
					must(t, gdb.Exec("CREATE TRIGGER follow AFTER INSERT ON updated BEGIN UPDATE comments SET id = id WHERE article_id IN (SELECT id FROM articles); END").Error)
				}
				was, rows := shape(t, gdb, "articles"), content(t, gdb)

				_, err = db.Migrate(t.Context(), gdb, list)
				must(t, err)
				if !c.rename {
					var n int64
					must(t, db.Search(gdb.Table("articles"), "two", "title", "body").Count(&n).Error)
					if n != 1 {
						t.Errorf("found %d rows", n)
					}
				}
				for _, statement := range c.fails {
					if gdb.Exec(statement).Error == nil {
						t.Errorf("no error: %s", statement)
					}
				}
				for _, statement := range c.works {
					must(t, gdb.Exec(statement).Error)
				}
				if gdb.Exec("INSERT INTO comments (id, article_id) VALUES (2, 99)").Error == nil {
					t.Error("a comment references a missing article")
				}
				if gdb.Name() == "sqlite" {
					must(t, gdb.Exec("DELETE FROM updated").Error)
					must(t, gdb.Exec("UPDATE articles SET code = code WHERE id = 1").Error)
					var n int64
					must(t, gdb.Table("updated").Count(&n).Error)
					if n != 1 {
						t.Errorf("a trigger ran %d times", n)
					}
				}

				_, err = db.Rollback(t.Context(), gdb, list, 1)
				must(t, err)
				if is := shape(t, gdb, "articles"); !slices.Equal(is, was) {
					t.Errorf("the table is\n%s\nwant\n%s", strings.Join(is, "\n"), strings.Join(was, "\n"))
				}
				for i, row := range content(t, gdb) {
					if c.lost != "" {
						delete(row, c.lost)
						delete(rows[i], c.lost)
					}
					if fmt.Sprint(row) != fmt.Sprint(rows[i]) {
						t.Errorf("got row %v, want %v", row, rows[i])
					}
				}
				_, err = db.Migrate(t.Context(), gdb, list)
				must(t, err)
			})
		})
	}
}

// TestChangeDecimal narrows a decimal only if every row keeps its value: a database
// that rounds would lose digits.
func TestChangeDecimal(t *testing.T) {
	type wide struct {
		ID    int64
		Price *string `gorm:"type:decimal(10,4)"`
	}
	type narrow struct {
		ID    int64
		Price *string `gorm:"type:decimal(6,2)"`
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Table("prices").Migrator().CreateTable(&wide{}))
		for price, fits := range map[any]bool{"-9999.99": true, "0.07": true, nil: true, "1.2345": false, "10000": false, "-123456.5": false} {
			must(t, gdb.Exec("INSERT INTO prices (id, price) VALUES (1, ?)", price).Error)
			err := db.ChangeTable(gdb, "prices", &wide{}, &narrow{})
			if fits {
				must(t, err)
				must(t, db.ChangeTable(gdb, "prices", &narrow{}, &wide{}))
			} else if err == nil || !strings.Contains(err.Error(), "1 row of prices has a price that does not fit decimal(6,2)") {
				t.Errorf("%v: %v", price, err)
			}
			must(t, gdb.Exec("DELETE FROM prices").Error)
		}
	})
}

// TestChangeRefused makes changes that rows do not fit: the error describes the
// rows and gives advice, before anything is changed.
func TestChangeRefused(t *testing.T) {
	type plain struct {
		ID     int64
		Title  *string `gorm:"size:40"`
		Amount *string `gorm:"size:40"`
	}
	type required struct {
		ID     int64
		Title  string  `gorm:"size:40;not null"`
		Amount *string `gorm:"size:40"`
	}
	type short struct {
		ID     int64
		Title  *string `gorm:"size:40"`
		Amount *string `gorm:"size:2"`
	}
	type unique struct {
		ID         int64
		Title      *string `gorm:"size:40;uniqueIndex:idx_notes_title"`
		Amount     *string `gorm:"size:40"`
		NotDeleted *int    `gorm:"type:smallint GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN 1 END) STORED;uniqueIndex:idx_notes_title"`
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Exec("CREATE TABLE notes (id integer PRIMARY KEY, title varchar(40), amount varchar(40), deleted_at timestamp NULL)").Error)
		must(t, gdb.Exec("INSERT INTO notes (id, title, amount, deleted_at) VALUES (1, 'a', '123', NULL), (2, 'a', '1', '2026-01-01'), (3, NULL, '1', NULL), (4, 'b', '1', NULL)").Error)
		for _, c := range []struct {
			after any
			want  string // the whole error; "" for none
		}{
			{&required{}, "1 row of notes has no value for title, which is to be required\n  where: table notes\n  try:   change these rows first, in a migration before this one; or undo the command and give it --backfill VALUE"},
			{&short{}, "1 row of notes has an amount of more than 2 characters\n  where: table notes\n  try:   change these rows first, in a migration before this one"},
			{&unique{}, ""},
		} {
			if err := db.ChangeTable(gdb, "notes", &plain{}, c.after); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
				t.Errorf("%T: %v", c.after, err)
			}
		}
		must(t, db.ChangeTable(gdb, "notes", &unique{}, &plain{}))
		must(t, gdb.Exec("UPDATE notes SET deleted_at = NULL").Error)
		const want = "2 rows of notes share their title with another, which is to be unique\n  where: table notes\n" +
			"         \"a\", id 1\n         \"a\", id 2\n  try:   change these rows first, in a migration before this one"
		if err := db.ChangeTable(gdb, "notes", &plain{}, &unique{}); err == nil || err.Error() != want {
			t.Errorf("%v", err)
		}
	})
}

// content returns the rows of articles.
func content(t *testing.T, gdb *gorm.DB) []map[string]any {
	t.Helper()
	var rows []map[string]any
	// A new text each time: PostgreSQL has prepared the old one for the old
	// columns.
	must(t, gdb.Raw("SELECT * FROM articles ORDER BY id -- "+rand.Text()).Scan(&rows).Error)
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		for name, value := range row {
			if bytes, ok := value.([]byte); ok {
				row[name] = string(bytes)
			}
		}
	}
	return rows
}

// TestRenameFolded renames columns that are compared ignoring case, both ways: the
// folded column and its index are renamed too, and restored if an earlier version
// lost them.
func TestRenameFolded(t *testing.T) {
	type folded struct {
		ID    int64
		Title string `gorm:"size:40;not null;fold"`
	}
	type notDeleted struct {
		ID         int64
		Title      string `gorm:"size:40;not null;fold:not_deleted"`
		NotDeleted *int   `gorm:"->;type:smallint"`
	}
	type plain struct {
		ID    int64
		Title string `gorm:"size:40;not null;nocase"`
	}
	type renamedFolded struct {
		ID   int64
		Name string `gorm:"size:40;not null;fold"`
	}
	type renamedNotDeleted struct {
		ID         int64
		Name       string `gorm:"size:40;not null;fold:not_deleted"`
		NotDeleted *int   `gorm:"->;type:smallint"`
	}
	type renamedPlain struct {
		ID   int64
		Name string `gorm:"size:40;not null;nocase"`
	}
	for name, c := range map[string]struct {
		before, after any
		equal         bool // rows may be equal
		make          func(tx *gorm.DB) error
	}{
		"unique":                 {before: &folded{}, after: &renamedFolded{}, make: func(tx *gorm.DB) error { return db.UniqueNoCase(tx, "notes", "title") }},
		"among rows not deleted": {before: &notDeleted{}, after: &renamedNotDeleted{}, make: func(tx *gorm.DB) error { return db.UniqueNoCase(tx, "notes", "title", "not_deleted") }},
		"only compared":          {before: &plain{}, after: &renamedPlain{}, equal: true, make: func(tx *gorm.DB) error { return db.NoCase(tx, "notes", "title") }},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, gdb *gorm.DB) {
				must(t, gdb.Exec("CREATE TABLE notes (id integer PRIMARY KEY, title varchar(40) NOT NULL, not_deleted smallint DEFAULT 1)").Error)
				must(t, c.make(gdb))
				must(t, gdb.Table("notes").Create(map[string]any{"id": 1, "title": "Straße"}).Error)
				was := shape(t, gdb, "notes")
				works := func(column string, id int) {
					t.Helper()
					var n int64
					must(t, db.WhereFold(gdb.Table("notes"), column, "STRASSE").Count(&n).Error)
					if err := gdb.Table("notes").Create(map[string]any{"id": id, column: "STRASSE"}).Error; n != 1 || (err == nil) != c.equal {
						t.Errorf("%d rows found by %s; creating an equal one: %v", n, column, err)
					}
					must(t, gdb.Exec("DELETE FROM notes WHERE id <> 1").Error)
				}
				for range 2 {
					must(t, db.RenameColumn(gdb, "notes", c.before, c.after))
					want := slices.Sorted(strings.SplitSeq(strings.ReplaceAll(strings.Join(was, "\n"), "title", "name"), "\n"))
					if is := shape(t, gdb, "notes"); !slices.Equal(is, want) {
						t.Errorf("the table is\n%s\nwant\n%s", strings.Join(is, "\n"), strings.Join(want, "\n"))
					}
					works("name", 2)
					must(t, db.RenameColumn(gdb, "notes", c.after, c.before))
					if is := shape(t, gdb, "notes"); !slices.Equal(is, was) {
						t.Errorf("the table is\n%s\nwant\n%s", strings.Join(is, "\n"), strings.Join(was, "\n"))
					}
					works("title", 3)
				}
				// The state that an earlier version left.
				must(t, db.RenameColumn(gdb, "notes", c.before, c.after))
				must(t, gdb.Migrator().DropIndex("notes", "idx_notes_name"))
				must(t, gdb.Exec("ALTER TABLE notes DROP COLUMN name_folded").Error)
				must(t, db.RenameColumn(gdb, "notes", c.after, c.before))
				works("title", 4)
			})
		})
	}
}
