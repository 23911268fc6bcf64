package db_test

import (
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// addAll returns a migration that adds to posts every kind of column of a project.
func addAll() db.Migration {
	type users struct {
		ID int64
	}
	type posts struct {
		ID         int64
		Subtitle   *string `gorm:"size:50;uniqueIndex"`
		Stars      int     `gorm:"not null;default:3;index"`
		Live       bool    `gorm:"not null;default:false"`
		Labels     db.Array[string]
		Code       *string `gorm:"size:20"`
		State      *string `gorm:"size:8;check:state IN ('new','old')"`
		EditorID   *int64  `gorm:"index"`
		Editor     users   `gorm:"constraint:OnDelete:SET NULL"`
		ParentID   *int64  `gorm:"index"`
		Parent     *posts  `gorm:"constraint:OnDelete:CASCADE"`
		Slug       *string `gorm:"size:50;uniqueIndex:idx_posts_slug"`
		NotDeleted *int    `gorm:"type:smallint GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN 1 END) STORED;uniqueIndex:idx_posts_slug"`
	}
	return db.Migration{
		ID: "20260101000006_add_all_to_posts",
		Up: func(tx *gorm.DB) error {
			if err := db.AddColumns(tx, &posts{}); err != nil {
				return err
			}
			return db.UniqueFold(tx, "posts", "code")
		},
		Down: func(tx *gorm.DB) error { return db.DropColumns(tx, &posts{}) },
	}
}

// addAlias returns a migration that adds a second unique column with the existing
// generated one.
func addAlias() db.Migration {
	type posts struct {
		ID         int64
		Alias      *string `gorm:"size:50;uniqueIndex:idx_posts_alias"`
		NotDeleted *int    `gorm:"->;uniqueIndex:idx_posts_alias"`
	}
	return db.Migration{
		ID:   "20260101000007_add_alias_to_posts",
		Up:   func(tx *gorm.DB) error { return db.AddColumns(tx, &posts{}) },
		Down: func(tx *gorm.DB) error { return db.DropColumns(tx, &posts{}) },
	}
}

func addDeletedAt() db.Migration {
	type posts struct {
		DeletedAt gorm.DeletedAt `gorm:"index"`
	}
	return db.Migration{
		ID:   "20260101000005_add_deleted_at_to_posts",
		Up:   func(tx *gorm.DB) error { return db.AddColumns(tx, &posts{}) },
		Down: func(tx *gorm.DB) error { return db.DropColumns(tx, &posts{}) },
	}
}

func TestAddAndDropColumns(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := append(blog(), addDeletedAt(), addAll(), addAlias())
		before := list[:5]
		_, err := db.Migrate(t.Context(), gdb, before)
		must(t, err)
		must(t, gdb.Exec("INSERT INTO users (id, username, email) VALUES (1, 'ann', 'a@x'), (2, 'bob', 'b@x')").Error)
		must(t, gdb.Exec("INSERT INTO posts (id, title, author_id, created_at) VALUES (1, 'one', 1, '2026-01-01 00:00:00'), (2, 'two', 1, '2026-01-01 00:00:00')").Error)
		was := shape(t, gdb, "posts")

		for range 2 {
			_, err = db.Migrate(t.Context(), gdb, list)
			must(t, err)
			var there []struct {
				Stars    int
				Live     bool
				Labels   db.Array[string]
				Subtitle *string
			}
			must(t, gdb.Table("posts").Find(&there).Error)
			if len(there) != 2 || there[0].Stars != 3 || there[1].Live || there[0].Labels != nil || there[0].Subtitle != nil {
				t.Errorf("existing rows: %+v", there)
			}
			must(t, gdb.Exec("UPDATE posts SET subtitle = 'x', slug = 'x', alias = 'x', code = 'x', editor_id = 2 WHERE id = 1").Error)
			must(t, gdb.Exec("UPDATE posts SET parent_id = 1, state = 'old' WHERE id = 2").Error)
			for _, statement := range []string{
				"UPDATE posts SET subtitle = 'x' WHERE id = 2", "UPDATE posts SET slug = 'x' WHERE id = 2",
				"UPDATE posts SET alias = 'x' WHERE id = 2", "UPDATE posts SET code = 'X' WHERE id = 2",
				"UPDATE posts SET editor_id = 9 WHERE id = 2", "UPDATE posts SET parent_id = 9 WHERE id = 2",
				"UPDATE posts SET stars = NULL WHERE id = 2", "UPDATE posts SET state = 'lost' WHERE id = 2",
			} {
				if gdb.Exec(statement).Error == nil {
					t.Errorf("no error: %s", statement)
				}
			}
			// Deleted rows do not count for unique columns.
			must(t, gdb.Exec("UPDATE posts SET deleted_at = '2026-01-02 00:00:00' WHERE id = 1").Error)
			must(t, gdb.Exec("UPDATE posts SET slug = 'x', alias = 'x' WHERE id = 2").Error)
			must(t, gdb.Exec("UPDATE posts SET deleted_at = NULL, slug = NULL, alias = NULL WHERE id = 1").Error)
			must(t, gdb.Exec("DELETE FROM users WHERE id = 2").Error)
			var editors int64
			must(t, gdb.Table("posts").Where("editor_id IS NOT NULL").Count(&editors).Error)
			if editors != 0 {
				t.Error("a post has a deleted editor")
			}
			must(t, gdb.Exec("INSERT INTO users (id, username, email) VALUES (2, 'bob', 'b@x')").Error)

			undone, err := db.Rollback(t.Context(), gdb, list, 2)
			must(t, err)
			if len(undone) != 2 {
				t.Fatalf("rolled back %v", undone)
			}
			if is := shape(t, gdb, "posts"); !slices.Equal(is, was) {
				t.Errorf("the table is %v, want %v", is, was)
			}
		}
	})
}

// A migration that failed half way on MySQL can be run again, on every database.
func TestAddColumnsIsRepeatable(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := append(blog(), addDeletedAt())
		_, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		type users struct{ ID int64 }
		type posts struct {
			ID       int64
			Stars    int    `gorm:"not null;default:3;index;check:stars > 0"`
			EditorID *int64 `gorm:"index"`
			Editor   users
		}
		for range 2 {
			must(t, db.AddColumns(gdb, &posts{}))
		}
		for range 2 {
			must(t, db.DropColumns(gdb, &posts{}))
		}
	})
}

// The check of an added column can be replaced, and the reference of the column
// stays.
func TestChangeCheckOfAddedColumn(t *testing.T) {
	type users struct{ ID int64 }
	type posts struct {
		ID       int64
		State    *string `gorm:"size:8;check:state IN ('new','old')"`
		EditorID *int64  `gorm:"check:editor_id < 5"`
		Editor   users
	}
	type before posts
	type after struct {
		ID       int64
		State    *string `gorm:"size:8;check:state IN ('new','gone')"`
		EditorID *int64  `gorm:"check:editor_id < 6"`
		Editor   users
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := append(blog(), db.Migration{
			ID: "20260101000005_add_state", Online: true,
			Up:   func(tx *gorm.DB) error { return db.AddColumns(tx, &posts{}) },
			Down: func(tx *gorm.DB) error { return db.DropColumns(tx, &posts{}) },
		}, db.Migration{
			ID: "20260101000006_change_state", Online: true,
			Up:   func(tx *gorm.DB) error { return db.ChangeTable(tx, "posts", &before{}, &after{}) },
			Down: func(tx *gorm.DB) error { return db.ChangeTable(tx, "posts", &after{}, &before{}) },
		})
		_, err := db.Migrate(t.Context(), gdb, list[:len(list)-1])
		must(t, err)
		must(t, gdb.Exec("INSERT INTO users (id, username, email) VALUES (1, 'ann', 'a@x'), (5, 'bob', 'b@x')").Error)
		must(t, gdb.Exec("INSERT INTO posts (id, title, author_id, created_at) VALUES (1, 'one', 1, '2026-01-01 00:00:00')").Error)
		try := func(works, fails string) {
			t.Helper()
			must(t, gdb.Exec("UPDATE posts SET "+works).Error)
			for fail := range strings.SplitSeq(fails, "; ") {
				if gdb.Exec("UPDATE posts SET "+fail).Error == nil {
					t.Errorf("no error: %s", fail)
				}
			}
			must(t, gdb.Exec("UPDATE posts SET state = 'new', editor_id = NULL").Error)
		}
		try("state = 'old', editor_id = 1", "state = 'gone'; editor_id = 5; editor_id = 4")
		_, err = db.Migrate(t.Context(), gdb, list)
		must(t, err)
		try("state = 'gone', editor_id = 5", "state = 'old'; editor_id = 6; editor_id = 4")
		_, err = db.Rollback(t.Context(), gdb, list, 1)
		must(t, err)
		try("state = 'old', editor_id = 1", "state = 'gone'; editor_id = 5; editor_id = 4")
	})
}

// shape returns the columns of a table, its indexes, checks and references.
func shape(t *testing.T, gdb *gorm.DB, table string) []string {
	t.Helper()
	names := func(query string, vars ...any) (list []string) {
		must(t, gdb.Raw(query, vars...).Scan(&list).Error)
		return list
	}
	var all []string
	switch gdb.Name() {
	case "sqlite":
		all = slices.Concat(
			names("SELECT name || ' ' || lower(type) || ' ' || \"notnull\" || ' ' || coalesce(dflt_value, '') FROM pragma_table_xinfo(?)", table),
			names("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master WHERE type IN ('index', 'trigger') AND tbl_name = ?", table),
			names("SELECT 'reference ' || \"table\" || ' ' || \"from\" || ' ' || on_delete FROM pragma_foreign_key_list(?)", table),
		)
	case "postgres":
		all = slices.Concat(
			names("SELECT attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' ' || attcollation::regcollation || ' ' || coalesce(pg_get_expr(adbin, adrelid), '') FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped", table),
			names("SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ?", table),
			names("SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass(?)", table),
		)
	case "mysql":
		all = slices.Concat(
			names("SELECT concat_ws(' ', column_name, column_type, is_nullable, collation_name, column_default) FROM information_schema.columns WHERE table_schema = database() AND table_name = ?", table),
			names("SELECT concat_ws(' ', 'index', index_name, seq_in_index, column_name, non_unique) FROM information_schema.statistics WHERE table_schema = database() AND table_name = ?", table),
			names("SELECT concat_ws(' ', constraint_type, constraint_name) FROM information_schema.table_constraints WHERE table_schema = database() AND table_name = ?", table),
			names("SELECT concat_ws(' ', constraint_name, delete_rule) FROM information_schema.referential_constraints WHERE constraint_schema = database() AND table_name = ?", table),
		)
	}
	slices.Sort(all)
	return all
}

// A single migration removes everything that a history created, and its Down
// restores it.
func TestReverse(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := append(blog(), addDeletedAt(), addAll(), addAlias())
		_, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		was := shape(t, gdb, "posts")
		list = append(list, db.Reverse("20260101000008_drop_all", list))
		_, err = db.Migrate(t.Context(), gdb, list)
		must(t, err)
		tables, err := gdb.Migrator().GetTables()
		must(t, err)
		if !slices.Equal(tables, []string{"schema_migrations"}) {
			t.Errorf("tables left: %v", tables)
		}
		_, err = db.Rollback(t.Context(), gdb, list, 1)
		must(t, err)
		if is := shape(t, gdb, "posts"); !slices.Equal(is, was) {
			t.Errorf("the table is %v, want %v", is, was)
		}
		last := db.Reverse("20260101000008_drop_all", []db.Migration{{ID: "x"}})
		if err := last.Up(gdb); err == nil {
			t.Error("no error for a migration without Down")
		}
	})
}
