package db_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
)

// blog returns a history with everything that a generated one has: foreign keys,
// checks, indexes, a join table, columns added and dropped.
func blog() []db.Migration {
	return []db.Migration{createUsers(), createPosts(), createTags(), addViews()}
}

func createUsers() db.Migration {
	type user struct {
		ID       int64
		Username string `gorm:"size:50;not null"`
		Email    string `gorm:"size:254;not null;index:idx_users_email,unique"`
		Age      int    `gorm:"not null;default:18;check:chk_users_age,age >= 0"`
	}
	return db.Migration{
		ID: "20260101000001_create_users",
		Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&user{}); err != nil {
				return err
			}
			return db.UniqueFold(tx, "users", "username")
		},
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable("users") },
	}
}

func createPosts() db.Migration {
	type user struct{ ID int64 }
	type post struct {
		ID        int64
		Title     string    `gorm:"size:255;not null;uniqueIndex:idx_posts_title_author_id"`
		AuthorID  int64     `gorm:"not null;uniqueIndex:idx_posts_title_author_id;index"`
		Author    user      `gorm:"constraint:OnDelete:RESTRICT"`
		Price     *float64  `gorm:"check:chk_posts_price,price > 0"`
		CreatedAt time.Time `gorm:"index;not null"`
	}
	return db.Migration{
		ID:   "20260101000002_create_posts",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&post{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable("posts") },
	}
}

func createTags() db.Migration {
	type tag struct {
		ID   int64
		Name string `gorm:"size:50;not null;uniqueIndex"`
	}
	type post struct {
		ID   int64
		Tags []tag `gorm:"many2many:post_tags;constraint:OnDelete:CASCADE"`
	}
	return db.Migration{
		ID: "20260101000003_create_tags",
		Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&tag{}); err != nil {
				return err
			}
			if err := tx.SetupJoinTable(&post{}, "Tags", &postTag{}); err != nil {
				return err
			}
			return tx.Migrator().CreateTable(&postTag{})
		},
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable("post_tags", "tags") },
	}
}

type postTag struct {
	PostID int64    `gorm:"primaryKey"`
	TagID  int64    `gorm:"primaryKey;index"`
	Post   struct{} `gorm:"-"`
}

func addViews() db.Migration {
	type post struct {
		Views int `gorm:"not null;default:0"`
	}
	return db.Migration{
		ID:   "20260101000004_add_posts_views",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().AddColumn(&post{}, "Views") },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropColumn(&post{}, "Views") },
	}
}

// A list may be in any order: a project may list its tables before those of the
// runtime, which they reference.
func TestMigrationsRunInTheOrderOfTheirIDs(t *testing.T) {
	gdb := open(t, address(t, "memory"))
	list := blog()
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	slices.Reverse(list)
	applied, err := db.Migrate(t.Context(), gdb, list)
	must(t, err)
	if !slices.Equal(applied, ids) {
		t.Errorf("applied %v", applied)
	}
	undone, err := db.Rollback(t.Context(), gdb, list, 1)
	must(t, err)
	pending, err := db.Pending(t.Context(), gdb, list)
	must(t, err)
	if last := ids[len(ids)-1:]; !slices.Equal(undone, last) || !slices.Equal(pending, last) {
		t.Errorf("rolled back %v, pending %v", undone, pending)
	}
}

func TestMigrateUpAndDown(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := blog()
		pending, err := db.Pending(t.Context(), gdb, list)
		must(t, err)
		if len(pending) != len(list) {
			t.Fatalf("pending at first: %v", pending)
		}
		applied, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		if len(applied) != len(list) {
			t.Fatalf("applied %v", applied)
		}
		if again, err := db.Migrate(t.Context(), gdb, list); err != nil || len(again) != 0 {
			t.Fatalf("applied again: %v, %v", again, err)
		}
		must(t, gdb.Exec("INSERT INTO users (id, username, email) VALUES (1, 'ann', 'a@x')").Error)
		must(t, gdb.Exec("INSERT INTO posts (id, title, author_id, created_at, views) VALUES (1, 'one', 1, '2026-01-01 00:00:00', 7)").Error)
		must(t, gdb.Exec("INSERT INTO tags (id, name) VALUES (1, 'go')").Error)
		must(t, gdb.Exec("INSERT INTO post_tags (post_id, tag_id) VALUES (1, 1)").Error)

		// Dropping a column deletes no rows, neither of the table nor of those that
		// reference it.
		undone, err := db.Rollback(t.Context(), gdb, list, 1)
		must(t, err)
		if !slices.Equal(undone, []string{list[3].ID}) {
			t.Fatalf("rolled back %v", undone)
		}
		for _, table := range []string{"posts", "post_tags"} {
			var n int64
			must(t, gdb.Table(table).Count(&n).Error)
			if n != 1 {
				t.Errorf("%s lost its row", table)
			}
		}
		if gdb.Migrator().HasColumn("posts", "views") {
			t.Error("posts.views is still there")
		}
		// Its constraints still apply.
		if err := gdb.Exec("INSERT INTO posts (id, title, author_id, created_at) VALUES (2, 'two', 9, '2026-01-01 00:00:00')").Error; err == nil {
			t.Error("a post without its author was inserted")
		}
		if err := gdb.Exec("INSERT INTO posts (id, title, author_id, created_at) VALUES (2, 'one', 1, '2026-01-01 00:00:00')").Error; err == nil {
			t.Error("a duplicate post was inserted")
		}
		undone, err = db.Rollback(t.Context(), gdb, list, 99)
		must(t, err)
		if len(undone) != 3 {
			t.Fatalf("rolled back %v", undone)
		}
		tables, err := gdb.Migrator().GetTables()
		must(t, err)
		if !slices.Equal(tables, []string{"schema_migrations"}) {
			t.Errorf("tables left: %v", tables)
		}
	})
}

// A migration of another branch has an earlier ID than the last applied one: it is
// applied, and rolled back before those that were applied earlier.
func TestMigrationOfAnotherBranch(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := blog()
		late := list[2]
		_, err := db.Migrate(t.Context(), gdb, slices.Delete(slices.Clone(list), 2, 3))
		must(t, err)
		applied, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		if !slices.Equal(applied, []string{late.ID}) {
			t.Errorf("applied %v", applied)
		}
		undone, err := db.Rollback(t.Context(), gdb, list, 2)
		must(t, err)
		if !slices.Equal(undone, []string{late.ID, list[3].ID}) {
			t.Errorf("rolled back %v", undone)
		}
		applied, err = db.Migrate(t.Context(), gdb, list)
		must(t, err)
		undone, err = db.Rollback(t.Context(), gdb, list, 2)
		must(t, err)
		if !slices.Equal(applied, []string{late.ID, list[3].ID}) || !slices.Equal(undone, []string{list[3].ID, late.ID}) {
			t.Errorf("applied %v, rolled back %v", applied, undone)
		}
	})
}

// A failed migration leaves nothing behind, and those before it stay.
func TestMigrateFailureIsUndone(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := append(blog()[:1], db.Migration{ID: "2_broken", Up: func(tx *gorm.DB) error {
			if err := tx.Exec("INSERT INTO users (id, username, email) VALUES (1, 'ann', 'a@x')").Error; err != nil {
				return err
			}
			return errors.New("broken")
		}})
		applied, err := db.Migrate(t.Context(), gdb, list)
		if err == nil || !strings.Contains(err.Error(), "2_broken") || !slices.Equal(applied, []string{list[0].ID}) {
			t.Fatalf("applied %v, error %v", applied, err)
		}
		var n int64
		must(t, gdb.Table("users").Count(&n).Error)
		if n != 0 {
			t.Error("half of the migration stayed")
		}
	})
}

// What MySQL keeps of a migration that failed half way does not prevent it from
// running again; a different table of the same name does.
func TestMigrateAfterFailure(t *testing.T) {
	type words struct {
		ID   int64
		Word string `gorm:"size:50;not null"`
	}
	type wordMarks struct {
		ID     int64
		WordID int64 `gorm:"index;not null"`
		Word   words
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		fails := 3
		fail := func(at int) error {
			if fails == at {
				fails--
				return errors.New("broken")
			}
			return nil
		}
		list := []db.Migration{{ID: "1_words", Up: func(tx *gorm.DB) error {
			for _, step := range []func() error{
				func() error { return tx.Migrator().CreateTable(&words{}) },
				func() error { return fail(3) },
				func() error { return tx.Migrator().CreateTable(&wordMarks{}) },
				func() error { return fail(2) },
				func() error { return db.UniqueNoCase(tx, "words", "word") },
				func() error { return fail(1) },
			} {
				if err := step(); err != nil {
					return err
				}
			}
			return nil
		}}}
		for range 3 {
			if _, err := db.Migrate(t.Context(), gdb, list); err == nil || !strings.Contains(err.Error(), "broken") {
				t.Fatal(err)
			}
		}
		_, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		must(t, gdb.Exec("INSERT INTO words (id, word, word_folded) VALUES (1, 'A', 'a')").Error)
		must(t, gdb.Exec("INSERT INTO word_marks (word_id) VALUES (1)").Error)
		must(t, gdb.Exec("CREATE TABLE marks (id bigint PRIMARY KEY, name varchar(9))").Error)
		_, err = db.Migrate(t.Context(), gdb, append(list, db.Migration{ID: "2_marks", Up: func(tx *gorm.DB) error {
			type marks struct {
				ID   int64
				Note string
			}
			return tx.Migrator().CreateTable(&marks{})
		}}))
		if err == nil {
			t.Error("a different table was accepted")
		}
	})
}

// On SQLite, foreign keys are off while migrations run; a migration that violates
// one still fails, and they are on afterwards.
func TestMigrateChecksForeignKeys(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := append(blog(), db.Migration{ID: "3_broken", Up: func(tx *gorm.DB) error {
			return tx.Exec("INSERT INTO posts (id, title, author_id, created_at) VALUES (2, 'two', 9, '2026-01-01 00:00:00')").Error
		}})
		if _, err := db.Migrate(t.Context(), gdb, list); err == nil {
			t.Fatal("a row with a missing reference was accepted")
		}
		if err := list[4].Up(gdb); err == nil {
			t.Fatal("foreign keys are off")
		}
	})
}

// Replicas that start together apply everything exactly once.
func TestMigrateReplicas(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			address := address(t, name)
			var mu sync.Mutex
			var all []string
			var wg sync.WaitGroup
			for range 4 {
				gdb := open(t, address)
				wg.Go(func() {
					applied, err := db.Migrate(t.Context(), gdb, blog())
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					all = append(all, applied...)
				})
			}
			wg.Wait()
			slices.Sort(all)
			if len(all) != 4 || len(slices.Compact(all)) != 4 {
				t.Errorf("applied %v", all)
			}
		})
	}
}

// A replica that waits for another one stops waiting when its context ends.
func TestMigrateWaitsWithinContext(t *testing.T) {
	for _, name := range []string{"postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			address := address(t, name)
			holding, release := make(chan struct{}), make(chan struct{})
			var wg sync.WaitGroup
			gdb := open(t, address)
			wg.Go(func() {
				_, err := db.Migrate(t.Context(), gdb, []db.Migration{{ID: "1", Up: func(*gorm.DB) error {
					close(holding)
					<-release
					return nil
				}}})
				if err != nil {
					t.Error(err)
				}
			})
			<-holding
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := db.Migrate(ctx, open(t, address), blog()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the second replica: %v", err)
			}
			close(release)
			wg.Wait()
		})
	}
}

// A replica that waits for another one logs that, and continues when it can.
func TestMigrateLogsThatItWaits(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			address := address(t, name)
			logs, out := io.Pipe()
			late := time.AfterFunc(time.Minute, func() { out.CloseWithError(errors.New("nothing was logged")) })
			defer late.Stop()
			second, err := db.Open(address, db.Options{Log: slog.New(slog.NewTextHandler(out, nil))})
			must(t, err)
			defer db.Close(second)
			first := open(t, address)
			var wg sync.WaitGroup
			_, err = db.Migrate(t.Context(), first, []db.Migration{{ID: "1", Up: func(*gorm.DB) error {
				wg.Go(func() {
					if done, err := db.Migrate(t.Context(), second, blog()); err != nil || len(done) != len(blog()) {
						t.Errorf("applied %v, error %v", done, err)
					}
				})
				line, err := bufio.NewReader(logs).ReadString('\n') // the lock is held until then
				go io.Copy(io.Discard, logs)
				if err == nil && !strings.Contains(line, "waiting for another program to finish migrating") {
					err = errors.New(line)
				}
				return err
			}}})
			must(t, err)
			wg.Wait()
		})
	}
}

func TestMigrateRejectsBadLists(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	up := func(*gorm.DB) error { return nil }
	for name, list := range map[string][]db.Migration{
		"twice":   {{ID: "1", Up: up}, {ID: "1", Up: up}},
		"no ID":   {{Up: up}},
		"no Up":   {{ID: "1"}},
		"no Down": {{ID: "1", Up: up}},
	} {
		_, err := db.Migrate(t.Context(), gdb, list)
		if name == "no Down" {
			must(t, err)
			_, err = db.Rollback(t.Context(), gdb, list, 1)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMigrateCommands(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	run := func(list []db.Migration, line string) (string, error) {
		var out strings.Builder
		err := command.Run(t.Context(), command.IO{Args: strings.Fields(line), Stdout: &out, Stderr: &out}, db.Commands(gdb, list), "")
		return out.String(), err
	}
	list := blog()
	for _, step := range []struct {
		list []db.Migration
		line string
		want []string // parts of the output or the error
	}{
		{list, "migrate status", []string{"pending", "20260101000001_create_users"}},
		{list, "migrate up", []string{"applied 20260101000001_create_users\n", "applied 20260101000004_add_posts_views\n"}},
		{list, "migrate up", []string{"nothing to do"}},
		{list, "migrate redo", []string{"rolled back 20260101000004_add_posts_views\napplied 20260101000004_add_posts_views\n"}},
		{list[:3], "migrate up", []string{"nothing to do", "warning: the database has migration 20260101000004_add_posts_views"}},
		{list[:3], "migrate status", []string{"unknown", "20260101000004_add_posts_views"}},
		{list[:3], "migrate down", []string{"which this program does not know", "try:"}},
		{list, "migrate down 2", []string{"rolled back 20260101000004_add_posts_views\nrolled back 20260101000003_create_tags\n"}},
		{list, "migrate down x", []string{`"x" is not a number`, "try:"}},
		{list, "migrate status now", []string{`unexpected argument "now"`}},
	} {
		out, err := run(step.list, step.line)
		if err != nil {
			out += err.Error()
		}
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", step.line, want, out)
			}
		}
	}
}
