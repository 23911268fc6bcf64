package db_test

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Run with -rows 100000 to measure how long writes wait.
var rows = flag.Int("rows", 300, "rows of TestOnline; from 100000 on it measures how long writes wait")

// online is a kind of migration of the table articles, as nexios generates them.
type online struct {
	name     string
	up, down func(tx *gorm.DB) error
	lost     string // a column whose values are not restored
	breaks   bool   // fails in older programs
}

// changes returns a change from one struct to another.
func changes(name string, before, after any) online {
	return online{
		name: name,
		up:   func(tx *gorm.DB) error { return db.ChangeTable(tx, "articles", before, after) },
		down: func(tx *gorm.DB) error { return db.ChangeTable(tx, "articles", after, before) },
	}
}

// both returns a function that runs several in order.
func both(list ...func(tx *gorm.DB) error) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error {
		for _, do := range list {
			if err := do(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// added returns a migration that adds columns.
func added(name string, table any, more ...func(tx *gorm.DB) error) online {
	add := func(tx *gorm.DB) error { return db.AddColumns(tx, table) }
	return online{
		name: name, up: both(append([]func(tx *gorm.DB) error{add}, more...)...),
		down: func(tx *gorm.DB) error { return db.DropColumns(tx, table) },
	}
}

type plainArticles struct {
	ID       int64
	Subtitle *string `gorm:"size:255;index"`
	Rank     int     `gorm:"not null;default:1;index"`
	Shade    *string `gorm:"size:64;check:shade IN ('dark','light')"`
}

func (plainArticles) TableName() string { return "articles" }

type referringArticles struct {
	ID      int64
	TwinID  *int64       `gorm:"index"`
	Twin    *articleStub `gorm:"constraint:OnDelete:SET NULL"`
	OtherID *int64       `gorm:"uniqueIndex"`
	Other   *articleStub `gorm:"constraint:OnDelete:CASCADE"`
}

func (referringArticles) TableName() string { return "articles" }

type namedArticles struct {
	ID   int64
	Nick *string `gorm:"size:100"`
}

func (namedArticles) TableName() string { return "articles" }

type filledArticles struct {
	ID   int64
	Mood *string `gorm:"size:40"`
}

func (filledArticles) TableName() string { return "articles" }

type articleTags struct {
	ArticleID int64       `gorm:"primaryKey;autoIncrement:false"`
	TagID     int64       `gorm:"primaryKey;autoIncrement:false;index"`
	Article   articleStub `gorm:"constraint:OnDelete:CASCADE"`
}

// kinds returns the kinds of migrations that nexios generates.
func kinds() []online {
	type title struct {
		ID    int64
		Title string `gorm:"size:255;not null;index"`
	}
	type uniqueTitle struct {
		ID    int64
		Title string `gorm:"size:255;not null;uniqueIndex"`
	}
	type shortTitle struct {
		ID    int64
		Title string `gorm:"size:100;not null;index"`
	}
	type longTitle struct {
		ID    int64
		Title string `gorm:"size:500;not null"`
	}
	type headline struct {
		ID       int64
		Headline string `gorm:"size:255;not null;index"`
	}
	type foldedTitle struct {
		ID    int64
		Title string `gorm:"size:255;not null;fold"`
	}
	type plainTitle struct {
		ID    int64
		Title string `gorm:"size:255;not null;nocase"`
	}
	type slug struct {
		ID   int64
		Slug *string `gorm:"size:100"`
	}
	type requiredSlug struct {
		ID   int64
		Slug string `gorm:"size:100;not null;default:none"`
	}
	type stars struct {
		ID    int64
		Stars int `gorm:"not null;default:3"`
	}
	type bigStars struct {
		ID    int64
		Stars int64 `gorm:"not null;default:4;index;check:stars >= 0"`
	}
	type textStars struct {
		ID    int64
		Stars string `gorm:"size:20;not null;default:3"`
	}
	type status struct {
		ID     int64
		Status string `gorm:"size:64;not null;default:draft;check:status IN ('draft','live');index"`
	}
	type moreStatus struct {
		ID     int64
		Status string `gorm:"size:64;not null;default:live;check:status IN ('draft','live','new');index"`
	}
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
	type none struct{ ID int64 }
	type composite struct {
		ID     int64
		Status string `gorm:"->;size:64;index:idx_articles_status_code,priority:2"`
		Code   string `gorm:"->;size:40;index:idx_articles_status_code,priority:3;uniqueIndex:idx_articles_code_title,priority:2"`
		Title  string `gorm:"->;size:255;uniqueIndex:idx_articles_code_title,priority:3"`
	}
	type body struct {
		ID   int64
		Body string `gorm:"not null"`
	}
	type optionalBody struct {
		ID   int64
		Body *string
	}
	type filling struct {
		ID   int64
		Mood *string `gorm:"size:40"`
	}
	type filled struct {
		ID   int64
		Mood string `gorm:"size:40;not null;index"`
	}
	require := changes("required", &slug{}, &requiredSlug{})
	require.up = both(func(tx *gorm.DB) error { return db.Fill(tx, "articles", "slug", "none") }, require.up)
	require.lost = "slug"
	fill := added("added and filled", &filledArticles{},
		func(tx *gorm.DB) error { return db.Fill(tx, "articles", "mood", "it's fine?") },
		func(tx *gorm.DB) error { return db.ChangeTable(tx, "articles", &filling{}, &filled{}) })
	rename := online{
		name: "renamed", breaks: true,
		up: both(func(tx *gorm.DB) error { return db.DropSearchIndex(tx, "articles") },
			func(tx *gorm.DB) error { return db.RenameColumn(tx, "articles", &title{}, &headline{}) },
			func(tx *gorm.DB) error { return db.SearchIndex(tx, "articles", "headline", "body") }),
		down: both(func(tx *gorm.DB) error { return db.DropSearchIndex(tx, "articles") },
			func(tx *gorm.DB) error { return db.RenameColumn(tx, "articles", &headline{}, &title{}) },
			func(tx *gorm.DB) error { return db.SearchIndex(tx, "articles", "title", "body") }),
	}
	remove := changes("removed", &stars{}, &none{})
	remove.lost, remove.breaks = "stars", true
	return []online{
		added("added", &plainArticles{}),
		added("references added", &referringArticles{}),
		added("unique ignoring case, added", &namedArticles{}, func(tx *gorm.DB) error { return db.UniqueNoCase(tx, "articles", "nick", "not_deleted") }),
		fill,
		require,
		changes("optional", &body{}, &optionalBody{}),
		changes("unique", &title{}, &uniqueTitle{}),
		changes("shorter", &title{}, &shortTitle{}),
		changes("longer, without its index", &title{}, &longTitle{}),
		changes("unique ignoring case", &title{}, &foldedTitle{}),
		changes("compared ignoring case", &title{}, &plainTitle{}),
		changes("wider", &stars{}, &bigStars{}),
		changes("text", &stars{}, &textStars{}),
		changes("more values", &status{}, &moreStatus{}),
		changes("another reference", &parent{}, &cascade{}),
		changes("indexes of several columns", &none{}, &composite{}),
		{
			name: "a search of one column",
			up:   func(tx *gorm.DB) error { return db.SearchIndex(tx, "articles", "title") },
			down: func(tx *gorm.DB) error { return db.SearchIndex(tx, "articles", "title", "body") },
		},
		{
			name: "a table that references it",
			up:   func(tx *gorm.DB) error { return db.CreateTables(tx, &articleTags{}) },
			down: func(tx *gorm.DB) error { return tx.Migrator().DropTable("article_tags") },
		},
		rename,
		remove,
	}
}

// seed fills the table.
func seed(t *testing.T, gdb *gorm.DB, rows int) {
	t.Helper()
	for first := 1; first <= rows; first += 500 {
		var list []map[string]any
		for id := first; id < first+500 && id <= rows; id++ {
			row := map[string]any{
				"title": fmt.Sprintf("Title %d", id), "slug": fmt.Sprintf("s-%d", id), "body": fmt.Sprintf("What number %d says, at some length.", id),
				"stars": id % 6, "status": "live", "code": fmt.Sprintf("c%d", id), "alias": fmt.Sprintf("a%d", id), "parent_id": nil,
			}
			if id%3 == 0 {
				row["slug"] = nil
			}
			if first > 1 {
				row["parent_id"] = id - 500
			}
			list = append(list, row)
		}
		must(t, gdb.Table("articles").Create(list).Error)
	}
}

// sums returns a checksum of each column, over the rows that program does not
// write.
func sums(t *testing.T, gdb *gorm.DB, rows int) map[string]uint64 {
	t.Helper()
	// A new text each time: PostgreSQL has prepared the old one for the old
	// columns.
	found, err := gdb.Raw("SELECT * FROM articles WHERE id <= ? AND id % 10 > 0 ORDER BY id -- "+rand.Text(), rows).Rows()
	must(t, err)
	defer found.Close()
	names, err := found.Columns()
	must(t, err)
	values, into := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	all, n := map[string]uint64{}, 0
	for found.Next() {
		must(t, found.Scan(into...))
		for i, name := range names {
			if text, ok := values[i].([]byte); ok {
				values[i] = string(text)
			}
			sum := fnv.New64a()
			fmt.Fprintf(sum, "%d %v", all[name], values[i])
			all[name] = sum.Sum64()
		}
		n++
	}
	must(t, found.Err())
	if n != rows-rows/10 {
		t.Errorf("%d rows of %d", n, rows)
	}
	return all
}

// program is a program that uses the table during migrations.
type program struct {
	gdb   *gorm.DB
	stop  chan struct{}
	all   sync.WaitGroup
	mu    sync.Mutex
	done  int
	worst time.Duration
	err   error
}

// begin starts to read, update, insert and delete rows, so many times a second.
func (p *program) begin(rows, often int) {
	p.stop = make(chan struct{})
	p.all.Go(func() {
		each := time.NewTicker(time.Second / time.Duration(often))
		defer each.Stop()
		for n := 0; ; n++ {
			select {
			case <-p.stop:
				return
			case <-each.C:
			}
			p.all.Go(func() { p.use(n, n*7%(rows/10)*10+10) })
		}
	})
}

func (p *program) use(n, id int) {
	start := time.Now()
	err := p.gdb.Exec("UPDATE articles SET code = ?, stars = 2 WHERE id = ?", "w"+rand.Text(), id).Error
	switch n % 3 {
	case 0:
		var row []map[string]any
		err = errors.Join(err, p.gdb.Raw("SELECT * FROM articles WHERE id = ?", id).Scan(&row).Error)
	case 1:
		code := rand.Text()
		err = errors.Join(err, p.gdb.Exec("INSERT INTO articles (title, body, code, parent_id) VALUES (?, 'new', ?, ?)", code, code, id).Error,
			p.gdb.Exec("DELETE FROM articles WHERE code = ?", code).Error)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.worst = max(p.worst, time.Since(start))
	p.err = errors.Join(p.err, err)
}

// end stops the program and reports what it did.
func (p *program) end() (done int, worst time.Duration, err error) {
	close(p.stop)
	p.all.Wait()
	defer func() { p.done, p.worst, p.err = 0, 0, nil }()
	return p.done, p.worst, p.err
}

// TestOnline applies each kind of migration to a table with rows and rolls it back:
// the rows and the definition of the table are restored. On PostgreSQL a program
// uses the table meanwhile: none of its statements fail, and with many rows none
// waits for 2 s.
func TestOnline(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			address := address(t, name)
			gdb := open(t, address)
			list := []db.Migration{createArticles()}
			_, err := db.Migrate(t.Context(), gdb, list)
			must(t, err)
			seed(t, gdb, *rows)
			measured := *rows >= 100_000
			limit, often := db.Config{LockTimeout: time.Minute, StatementTimeout: -1}, 500 // no limit fails on a busy machine
			if measured {
				limit, often = db.Config{}, 50
			}
			other, err := db.Open(address, db.Options{Config: limit})
			must(t, err)
			defer db.Close(other)
			uses := &program{gdb: other}
			for i, kind := range kinds() {
				m := db.Migration{ID: fmt.Sprintf("2%03d", i), Up: kind.up, Down: kind.down, Online: true}
				was, before := shape(t, gdb, "articles"), sums(t, gdb, *rows)
				busy := name == "postgres" && !kind.breaks
				if busy {
					uses.begin(*rows, often)
				}
				start := time.Now()
				_, err := db.Migrate(t.Context(), gdb, append(list, m))
				up := time.Since(start)
				if err != nil {
					t.Fatalf("%s: %v", kind.name, err)
				}
				after := sums(t, gdb, *rows)
				if is := shape(t, gdb, "articles"); slices.Equal(is, was) && name != "sqlite" && !strings.HasPrefix(kind.name, "a ") {
					t.Errorf("%s: nothing changed", kind.name)
				}
				start = time.Now()
				_, err = db.Rollback(t.Context(), gdb, append(list, m), 1)
				down := time.Since(start)
				must(t, err)
				if busy {
					done, worst, err := uses.end()
					t.Logf("%s: up in %v, down in %v; %d writes waited %v at most", kind.name, up, down, done, worst)
					if err != nil || measured && worst > 2*time.Second {
						t.Errorf("%s: waited %v, %v", kind.name, worst, err)
					}
				} else if measured {
					t.Logf("%s: up in %v, down in %v", kind.name, up, down)
				}
				if is := shape(t, gdb, "articles"); !slices.Equal(is, was) {
					t.Errorf("%s: the table is\n%s\nwant\n%s", kind.name, strings.Join(is, "\n"), strings.Join(was, "\n"))
				}
				again := sums(t, gdb, *rows)
				for column, sum := range before {
					if column == kind.lost {
						continue
					}
					if now, there := after[column]; there && now != sum || again[column] != sum {
						t.Errorf("%s: values of %s differ", kind.name, column)
					}
				}
			}
		})
	}
}

// TestOnlineGivesWay locks a table as a long transaction does: the migration waits,
// and others can write meanwhile.
func TestOnlineGivesWay(t *testing.T) {
	for _, name := range []string{"postgres", "mysql"} {
		for _, isOnline := range []bool{true, false} {
			if name == "mysql" && !isOnline {
				continue // it cannot be retried there
			}
			t.Run(fmt.Sprint(name, " online ", isOnline), func(t *testing.T) {
				address := address(t, name)
				gdb := open(t, address)
				list := []db.Migration{createArticles()}
				_, err := db.Migrate(t.Context(), gdb, list)
				must(t, err)
				seed(t, gdb, 30)
				long := gdb.Begin()
				must(t, long.Error)
				var n int64
				must(t, long.Table("articles").Count(&n).Error)

				tried := make(chan struct{}, 100)
				add := added("", &plainArticles{})
				m := db.Migration{ID: "2", Down: add.down, Online: isOnline, Up: func(tx *gorm.DB) error { tried <- struct{}{}; return add.up(tx) }}
				var migrating sync.WaitGroup
				migrating.Go(func() {
					if _, err := db.Migrate(t.Context(), open(t, address), append(list, m)); err != nil {
						t.Error(err)
					}
				})
				<-tried
				client, err := db.Open(address, db.Options{Config: db.Config{LockTimeout: time.Minute, StatementTimeout: -1}})
				must(t, err)
				defer db.Close(client)
				for i := range 20 {
					must(t, client.Exec("UPDATE articles SET code = ? WHERE id = 1", fmt.Sprint(i)).Error)
				}
				must(t, long.Rollback().Error)
				migrating.Wait()
			})
		}
	}
}

// TestOnlineAgain interrupts each kind of migration before each of its statements;
// running it again gives the same result as one uninterrupted run, even after a
// half-built index.
func TestOnlineAgain(t *testing.T) {
	for _, name := range []string{"postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			gdb := open(t, address(t, name))
			list := []db.Migration{createArticles()}
			_, err := db.Migrate(t.Context(), gdb, list)
			must(t, err)
			seed(t, gdb, 3)
			at := 0
			must(t, gdb.Callback().Raw().Before("gorm:raw").Register("test:break", func(tx *gorm.DB) {
				if at--; at == 0 && !tx.DryRun {
					_ = tx.AddError(errors.New("interrupted"))
				}
			}))
			for i, kind := range kinds() {
				if kind.lost != "" || testing.Short() && i%4 > 0 {
					continue
				}
				m := db.Migration{ID: fmt.Sprintf("2%03d", i), Up: kind.up, Down: kind.down, Online: true}
				with := append(list, m)
				was := shape(t, gdb, "articles")
				_, err := db.Migrate(t.Context(), gdb, with)
				must(t, err)
				is := shape(t, gdb, "articles")
				_, err = db.Rollback(t.Context(), gdb, with, 1)
				must(t, err)
				for _, up := range []bool{true, false} {
					for n := 1; ; n++ {
						do, want := func() error { _, err := db.Migrate(t.Context(), gdb, with); return err }, is
						if !up {
							_, err := db.Migrate(t.Context(), gdb, with)
							must(t, err)
							do, want = func() error { _, err := db.Rollback(t.Context(), gdb, with, 1); return err }, was
						}
						at = n
						err := do()
						done := at > 0
						at = 0
						if err == nil && !done {
							done = false // a statement whose failure is ignored
						} else if err != nil {
							if err := do(); err != nil {
								t.Fatalf("%s, up %v, interrupted at %d: %v", kind.name, up, n, err)
							}
						}
						if got := shape(t, gdb, "articles"); !slices.Equal(got, want) {
							t.Fatalf("%s, up %v, interrupted at %d: the table is\n%s\nwant\n%s", kind.name, up, n, strings.Join(got, "\n"), strings.Join(want, "\n"))
						}
						if up {
							_, err := db.Rollback(t.Context(), gdb, with, 1)
							must(t, err)
						}
						if done {
							break
						}
					}
				}
			}
		})
	}
}

// Plug-ins that watch the writes of programs ignore migrations, with and without a
// transaction.
func TestMigrationsAreNotWatched(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, db.Watch(gdb, func(name string) bool { return name == "stickers" }, func(*gorm.DB, []db.Change) error {
			return errors.New("a migration was watched")
		}))
		must(t, db.Reserve(gdb, "stickers", "name", func(*gorm.DB, []string) (bool, error) { return true, nil }))
		list := []db.Migration{{ID: "1", Up: func(tx *gorm.DB) error {
			return tx.Exec("CREATE TABLE stickers (id integer primary key, name varchar(50), secret varchar(50))").Error
		}}}
		for i, online := range []bool{false, true} {
			id := int64(i + 1)
			list = append(list, db.Migration{ID: fmt.Sprint(i + 2), Online: online, Up: func(tx *gorm.DB) error {
				sticker := Sticker{ID: id, Name: "one"}
				return errors.Join(tx.Create(&sticker).Error, tx.Model(&sticker).Update("name", "two").Error,
					tx.Table("stickers").Where("id = ?", id).Update("name", "three").Error)
			}})
		}
		_, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		var names []string
		must(t, gdb.Table("stickers").Order("id").Pluck("name", &names).Error)
		if !slices.Equal(names, []string{"three", "three"}) {
			t.Errorf("got names %q", names)
		}
	})
}
