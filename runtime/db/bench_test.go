package db_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	_ "modernc.org/sqlite"

	"github.com/nexios-go/nexios/runtime/db"
)

type Entry struct {
	ID        int64
	Title     string `gorm:"size:255;not null"`
	Content   string
	Published bool      `gorm:"not null"`
	CreatedAt time.Time `gorm:"not null;index"`
	UpdatedAt time.Time
}

const entries = 20_000

// many returns the number of rows in the tables of the list benchmarks.
func many() int {
	if testing.Short() { // with -short, only check that the benchmarks work
		return 2_000
	}
	return 100_000
}

// BenchmarkAgainstSQL compares with hand-written database/sql over the same driver,
// prepared and with the same settings: "times" is the time of this package divided
// by that of plain SQL.
func BenchmarkAgainstSQL(b *testing.B) {
	address := address(b, "sqlite")
	gdb := open(b, address)
	must(b, gdb.Migrator().CreateTable(&Entry{}))
	rows := make([]Entry, 0, 1000)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range entries {
		rows = append(rows, Entry{Title: fmt.Sprintf("Title %d", i), Content: "some text", Published: i%2 == 0, CreatedAt: start.Add(time.Duration(i) * time.Second)})
		if len(rows) == cap(rows) {
			must(b, gdb.Create(&rows).Error)
			rows = rows[:0]
		}
	}
	plain, err := sql.Open("sqlite", "file:"+address[len("sqlite:"):]+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-16000)&_pragma=mmap_size(268435456)&_time_format=sqlite&_timezone=UTC")
	must(b, err)
	defer plain.Close()
	plain.SetMaxOpenConns(1)
	prepare := func(query string) *sql.Stmt {
		s, err := plain.Prepare(query)
		must(b, err)
		b.Cleanup(func() { s.Close() })
		return s
	}
	const columns = "SELECT id, title, content, published, created_at, updated_at FROM entries "
	scan := func(row interface{ Scan(...any) error }, e *Entry) error {
		return row.Scan(&e.ID, &e.Title, &e.Content, &e.Published, &e.CreatedAt, &e.UpdatedAt)
	}
	one := prepare(columns + "WHERE id = ?")
	page := prepare(columns + "ORDER BY created_at DESC, id DESC LIMIT 20")
	after := prepare(columns + "WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT 21")
	count := prepare("SELECT count(*) FROM entries")
	insert := prepare("INSERT INTO entries (title, content, published, created_at, updated_at) VALUES (?, ?, ?, ?, ?)")
	list := func(s *sql.Stmt, args ...any) error {
		rows, err := s.Query(args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		all := make([]Entry, 0, 20)
		for rows.Next() {
			var e Entry
			if err := scan(rows, &e); err != nil {
				return err
			}
			all = append(all, e)
		}
		if len(all) == 0 {
			return sql.ErrNoRows
		}
		return rows.Err()
	}
	middle, err := db.List[Entry](gdb, db.Query{Page: entries / 40, Limit: 20}, "created_at")
	must(b, err)
	last := middle.Items[len(middle.Items)-1]

	for _, c := range []struct {
		name        string
		plain, ours func(i int) error
	}{
		{"read", func(i int) error {
			var e Entry
			return scan(one.QueryRow(1+i%entries), &e)
		}, func(i int) error {
			_, err := db.Find[Entry](gdb, int64(1+i%entries))
			return err
		}},
		{"list with total", func(i int) error {
			var n int64
			if err := count.QueryRow().Scan(&n); err != nil {
				return err
			}
			return list(page)
		}, func(i int) error {
			_, err := db.List[Entry](gdb, db.Query{Limit: 20}, "created_at")
			return err
		}},
		{"list by cursor", func(i int) error {
			return list(after, last.CreatedAt, last.ID)
		}, func(i int) error {
			_, err := db.List[Entry](gdb, db.Query{Limit: 20, Cursor: middle.NextCursor}, "created_at")
			return err
		}},
		{"create", func(i int) error {
			_, err := insert.Exec("Title", "some text", true, time.Now(), time.Now())
			return err
		}, func(i int) error {
			return gdb.Create(&Entry{Title: "Title", Content: "some text", Published: true}).Error
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			// Alternately, so that both run under the same load.
			var took [2]time.Duration
			for i := 0; b.Loop(); i++ {
				for side, f := range []func(int) error{c.plain, c.ours} {
					begin := time.Now()
					if err := f(i); err != nil {
						b.Fatal(err)
					}
					took[side] += time.Since(begin)
				}
			}
			b.ReportMetric(took[0].Seconds()*1e6/float64(b.N), "plain-µs/op")
			b.ReportMetric(took[1].Seconds()*1e6/float64(b.N), "ours-µs/op")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "times")
		})
	}
}

// BenchmarkAgainstGORM compares with GORM where this package replaces a callback of
// GORM: plugin_point.go and plugin_insert.go, which can be removed when they no
// longer save enough.
func BenchmarkAgainstGORM(b *testing.B) {
	gdb := open(b, address(b, "sqlite"))
	must(b, gdb.Migrator().CreateTable(&Entry{}))
	must(b, gdb.Create(&Entry{Title: "Title"}).Error)
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"read/ours", func() error { _, err := db.Find[Entry](gdb, int64(1)); return err }},
		{"read/gorm", func() error { return gdb.Take(new(Entry), int64(1)).Error }},
		{"create/ours", func() error { return gdb.Create(&Entry{Title: "Title", Content: "some text"}).Error }},
		// A Create with selected columns is left to GORM.
		{"create/gorm", func() error {
			return gdb.Omit("ID").Create(&Entry{Title: "Title", Content: "some text"}).Error
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, c.do())
			}
		})
	}
}

// BenchmarkLists reads pages of a filtered list of 75,000 rows with [db.List], next
// to the alternatives that it replaced.
func BenchmarkLists(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		gdb := open(b, address(b, name))
		must(b, gdb.Migrator().CreateTable(&Entry{}))
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		rows := make([]Entry, many())
		for i := range rows {
			rows[i] = Entry{Title: "Title", Content: strings.Repeat("Some content. ", 60), Published: i%4 != 0, CreatedAt: start.Add(time.Duration(i) * time.Second)}
		}
		must(b, gdb.CreateInBatches(rows, 1000).Error)
		if name == "postgres" {
			must(b, gdb.Exec("CHECKPOINT").Error) // otherwise VACUUM cannot yet mark the rows as visible to all
			must(b, gdb.Exec("VACUUM ANALYZE entries").Error)
		}
		page := func(tx *gorm.DB, q db.Query) func(*testing.B) {
			return func(b *testing.B) {
				for b.Loop() {
					if _, err := db.List[Entry](tx, q, "created_at"); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
		few := gdb.Where("published").Session(&gorm.Session{})
		b.Run(name+"/total/estimate", page(few, db.Query{Limit: 20}))
		b.Run(name+"/total/exact", page(few, db.Query{Limit: 20, Count: new("exact")}))
		b.Run(name+"/deep/keys", page(gdb, db.Query{Page: many() * 9 / 200, Limit: 20, Count: new("none")}))
		b.Run(name+"/deep/offset", func(b *testing.B) {
			for b.Loop() {
				must(b, gdb.Order("created_at DESC, id DESC").Offset(many()*9/10-20).Limit(20).Find(&[]Entry{}).Error)
			}
		})
		b.Run(name+"/deep/cursor", page(gdb, db.Query{Limit: 20, Cursor: new("")}))
	}
}

// Filtered has the indexes of generated tables: on a filter and the order of lists.
// Alone has indexes on the filters alone.
type Filtered struct {
	ID        int64
	Title     string    `gorm:"size:255;not null"`
	Published bool      `gorm:"not null;index:idx_filtered_published_list,priority:1"`
	OwnerID   int64     `gorm:"not null;index:idx_filtered_owner_id_list,priority:1"`
	CreatedAt time.Time `gorm:"not null;index;index:idx_filtered_published_list;index:idx_filtered_owner_id_list"`
}

type Alone struct {
	ID        int64
	Title     string    `gorm:"size:255;not null"`
	Published bool      `gorm:"not null;index"`
	OwnerID   int64     `gorm:"not null;index"`
	CreatedAt time.Time `gorm:"not null;index"`
}

// BenchmarkFilters reads a page of a list that is filtered by a column of two
// values among 100,000 rows, and writes rows, with both kinds of index.
func BenchmarkFilters(b *testing.B) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"sqlite", "postgres"} {
		at := address(b, name)
		gdb, err := db.Open(at, db.Options{})
		must(b, err)
		must(b, gdb.Migrator().CreateTable(&Filtered{}, &Alone{}))
		listed, alone := make([]Filtered, many()), make([]Alone, many())
		for i := range listed {
			listed[i] = Filtered{Title: "Title", Published: i%2 == 0, OwnerID: int64(i % 1000), CreatedAt: start.Add(time.Duration(i) * time.Second)}
			alone[i] = Alone(listed[i])
		}
		must(b, gdb.CreateInBatches(listed, 1000).Error)
		must(b, gdb.CreateInBatches(alone, 1000).Error)
		must(b, gdb.Exec("ANALYZE").Error)
		must(b, db.Close(gdb)) // SQLite plans with the statistics that it read on opening
		gdb = open(b, at)
		run := func(what string, f func() error) {
			b.Run(name+what, func(b *testing.B) {
				for b.Loop() {
					must(b, f())
				}
			})
		}
		q := db.Query{Limit: 20, Cursor: new("")}
		run("/page/listed", func() error {
			_, err := db.List[Filtered](gdb.Where("published = ?", true), q, "created_at")
			return err
		})
		run("/page/alone", func() error { _, err := db.List[Alone](gdb.Where("published = ?", true), q, "created_at"); return err })
		run("/own/listed", func() error { _, err := db.List[Filtered](gdb.Where("owner_id = 7"), q, "created_at"); return err })
		run("/own/alone", func() error { _, err := db.List[Alone](gdb.Where("owner_id = 7"), q, "created_at"); return err })
		run("/create/listed", func() error { return gdb.Create(&Filtered{Title: "Title", Published: true, OwnerID: 7}).Error })
		run("/create/alone", func() error { return gdb.Create(&Alone{Title: "Title", Published: true, OwnerID: 7}).Error })
	}
}

// BenchmarkSearch reads a page of the rows, among 100,000, that contain a word in
// one of two columns: with the index of generated tables, and with plain LIKE.
func BenchmarkSearch(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		gdb := open(b, address(b, name))
		must(b, gdb.Migrator().CreateTable(&Entry{}))
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		rows := make([]Entry, many())
		for i := range rows {
			rows[i] = Entry{Title: fmt.Sprintf("Title %d", i), Content: fmt.Sprintf("Some content with %x in it", i*2654435761), CreatedAt: start.Add(time.Duration(i) * time.Second)}
		}
		must(b, gdb.CreateInBatches(rows, 1000).Error)
		must(b, db.SearchIndex(gdb, "entries", "title", "content"))
		must(b, gdb.Exec("ANALYZE").Error)
		word := fmt.Sprintf("%x", many()*7/9*2654435761)
		b.Run(name+"/index", func(b *testing.B) {
			for b.Loop() {
				page, err := db.List[Entry](db.Search(gdb, word, "title", "content"), db.Query{Limit: 20}, "created_at")
				if must(b, err); len(page.Items) != 1 {
					b.Fatal(len(page.Items))
				}
			}
		})
		b.Run(name+"/hand", func(b *testing.B) {
			const where = "title LIKE ? OR content LIKE ?"
			for b.Loop() {
				var page []Entry
				var total int64
				must(b, gdb.Model(&Entry{}).Where(where, "%"+word+"%", "%"+word+"%").Count(&total).Error)
				must(b, gdb.Where(where, "%"+word+"%", "%"+word+"%").Order("created_at DESC, id DESC").Limit(20).Find(&page).Error)
			}
		})
	}
}
