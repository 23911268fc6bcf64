package db_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// TestRenameTable renames a table with rows, both ways: its rows, indexes,
// triggers, constraints and references are kept under the names of the new table,
// so that the old name is free.
func TestRenameTable(t *testing.T) {
	type title struct {
		ID    int64
		Title string `gorm:"size:255;not null;index"`
	}
	type unique struct {
		ID    int64
		Title string `gorm:"size:255;not null;uniqueIndex"`
	}
	rename := db.Migration{
		ID: "20260201000002_rename_articles_to_pieces", Online: true,
		Up:   func(tx *gorm.DB) error { return db.RenameTable(tx, "articles", "pieces", "title", "body") },
		Down: func(tx *gorm.DB) error { return db.RenameTable(tx, "pieces", "articles", "title", "body") },
	}
	change := db.Migration{
		ID:   "20260201000003_change_title_of_pieces",
		Up:   func(tx *gorm.DB) error { return db.ChangeTable(tx, "pieces", &title{}, &unique{}) },
		Down: func(tx *gorm.DB) error { return db.ChangeTable(tx, "pieces", &unique{}, &title{}) },
	}
	again := createArticles()
	again.ID = "20260201000004_create_articles"
	again.Up = func(tx *gorm.DB) error {
		type articles struct {
			ID    int64
			Title string `gorm:"size:255;not null;index"`
			Alias string `gorm:"size:50;uniqueIndex:idx_articles_alias"`
		}
		return tx.Migrator().CreateTable(&articles{})
	}
	again.Down = func(tx *gorm.DB) error { return tx.Migrator().DropTable("articles") }
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := []db.Migration{createArticles(), rename, change, again}
		_, err := db.Migrate(t.Context(), gdb, list[:1])
		must(t, err)
		for i := range 3 {
			must(t, gdb.Exec("INSERT INTO articles (id, title, slug, body, stars, status, code, alias) VALUES (?, ?, ?, ?, ?, 'live', ?, ?)",
				i+1, fmt.Sprintf("title %d", i), fmt.Sprintf("s%d", i), "b", i, fmt.Sprintf("c%d", i), fmt.Sprintf("a%d", i)).Error)
		}
		must(t, gdb.Exec("UPDATE articles SET parent_id = 1 WHERE id = 2").Error)
		must(t, gdb.Exec("INSERT INTO comments (id, article_id) VALUES (1, 2)").Error)
		was, rows := unquoted(shape(t, gdb, "articles")), content(t, gdb)

		_, err = db.Migrate(t.Context(), gdb, list)
		must(t, err)
		for _, name := range shape(t, gdb, "pieces") {
			if strings.Contains(name, "articles") {
				t.Errorf("still named after articles: %s", name)
			}
		}
		var n int64
		must(t, db.Search(gdb.Table("pieces"), "title 2", "title", "body").Count(&n).Error)
		if n != 1 {
			t.Errorf("found %d rows", n)
		}
		for _, statement := range []string{
			"INSERT INTO comments (id, article_id) VALUES (2, 99)", "UPDATE pieces SET parent_id = 99 WHERE id = 1",
			"UPDATE pieces SET status = 'old' WHERE id = 1", "UPDATE pieces SET alias = 'a1' WHERE id = 1", "UPDATE pieces SET title = 'title 1' WHERE id = 1",
		} {
			if gdb.Exec(statement).Error == nil {
				t.Errorf("no error: %s", statement)
			}
		}
		must(t, gdb.Exec("DELETE FROM pieces WHERE id = 2 AND id NOT IN (SELECT article_id FROM comments)").Error)

		_, err = db.Rollback(t.Context(), gdb, list, 3)
		must(t, err)
		if is := unquoted(shape(t, gdb, "articles")); !slices.Equal(is, was) {
			t.Errorf("the table is\n%s\nwant\n%s", strings.Join(is, "\n"), strings.Join(was, "\n"))
		}
		if is := content(t, gdb); fmt.Sprint(is) != fmt.Sprint(rows) {
			t.Errorf("got rows %v, want %v", is, rows)
		}
		_, err = db.Migrate(t.Context(), gdb, list)
		must(t, err)
	})
}

// unquoted removes the quotes around names, which SQLite places differently.
func unquoted(texts []string) []string {
	for i, text := range texts {
		texts[i] = strings.NewReplacer("`", "", `"`, "").Replace(text)
	}
	return texts
}
