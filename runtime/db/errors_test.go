package db_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

type User struct {
	ID       int64
	Username string `gorm:"size:50;not null"`
	Email    string `gorm:"size:254;not null" json:"e_mail"`
	Age      int    `gorm:"not null;default:18"`
}

type Post struct {
	ID        int64
	Title     string `gorm:"size:255;not null"`
	AuthorID  int64  `json:"author_id"`
	Author    *User
	Price     *float64
	Views     int
	Tags      []Tag `gorm:"many2many:post_tags"`
	CreatedAt time.Time
}

type Tag struct {
	ID   int64
	Name string
}

// createBlog migrates a database and creates one user with one post.
func createBlog(t *testing.T, gdb *gorm.DB) {
	t.Helper()
	_, err := db.Migrate(t.Context(), gdb, blog())
	must(t, err)
	must(t, gdb.Create(&User{Username: "ann", Email: "ann@example.org"}).Error)
	must(t, gdb.Create(&Post{Title: "one", AuthorID: 1}).Error)
}

// Constraint errors read the same on every database, and do not repeat its text.
func TestConflicts(t *testing.T) {
	negative := -1.0
	cases := []struct {
		name    string
		do      func(tx *gorm.DB) error
		status  int
		message string
		field   string // fields, separated by spaces; Field/Rule
	}{
		{"unique, other case", func(tx *gorm.DB) error { return tx.Create(&User{Username: "ANN", Email: "b@x"}).Error },
			409, "Username taken", "username/unique"},
		{"unique, JSON key", func(tx *gorm.DB) error { return tx.Create(&User{Username: "bob", Email: "ann@example.org"}).Error },
			409, "Email taken", "e_mail/unique"},
		// The index on the e-mail address is the older one.
		{"unique, two indexes", func(tx *gorm.DB) error { return tx.Create(&User{Username: "Ann", Email: "ann@example.org"}).Error },
			409, "Email taken", "e_mail/unique"},
		{"unique, by update, the older index unaffected", func(tx *gorm.DB) error {
			must(t, tx.Create(&User{Username: "bob", Email: "b@x"}).Error)
			var bob User
			must(t, tx.Where("username = ?", "bob").Take(&bob).Error)
			bob.Username = "ann"
			return tx.Save(&bob).Error
		}, 409, "Username taken", "username/unique"},
		{"unique, several columns", func(tx *gorm.DB) error { return tx.Create(&Post{Title: "one", AuthorID: 1}).Error },
			409, "Title and author taken", "title/unique author_id/unique"},
		{"unique, in bulk", func(tx *gorm.DB) error {
			return tx.Create([]User{{Username: "bob", Email: "b@x"}, {Username: "Bob", Email: "c@x"}}).Error
		}, 409, "Username taken", "username/unique"},
		{"unique, by update", func(tx *gorm.DB) error {
			must(t, tx.Create(&User{Username: "bob", Email: "b@x"}).Error)
			return tx.Model(&User{}).Where("username = ?", "bob").Updates(map[string]any{"username": "ann"}).Error
		}, 409, "Username taken", "username/unique"},
		{"unique, primary key", func(tx *gorm.DB) error { return tx.Create(&User{ID: 1, Username: "bob", Email: "b@x"}).Error },
			409, "Id taken", "id/unique"},
		{"foreign key, missing", func(tx *gorm.DB) error { return tx.Create(&Post{Title: "two", AuthorID: 9}).Error },
			422, "Validation error", "author_id/exists"},
		{"foreign key, in bulk", func(tx *gorm.DB) error {
			return tx.Create([]Post{{Title: "two", AuthorID: 1}, {Title: "three", AuthorID: 9}}).Error
		}, 422, "Validation error", "author_id/exists"},
		{"foreign key, by update", func(tx *gorm.DB) error {
			return tx.Model(&Post{ID: 1}).Select("AuthorID").Updates(Post{AuthorID: 9}).Error
		}, 422, "Validation error", "author_id/exists"},
		{"foreign key, by update of a map", func(tx *gorm.DB) error {
			return tx.Model(&Post{ID: 1}).Updates(map[string]any{"author_id": 9}).Error
		}, 422, "Validation error", "author_id/exists"},
		{"foreign key, by save", func(tx *gorm.DB) error {
			post, err := db.Find[Post](tx, 1)
			must(t, err)
			post.AuthorID = 9
			return tx.Save(&post).Error
		}, 422, "Validation error", "author_id/exists"},
		{"foreign key, still used", func(tx *gorm.DB) error { return tx.Delete(&User{}, 1).Error },
			409, "User is still used by posts", ""},
		{"foreign key, still used, by struct", func(tx *gorm.DB) error { return tx.Delete(&User{ID: 1}).Error },
			409, "User is still used by posts", ""},
		{"check", func(tx *gorm.DB) error { return tx.Create(&Post{Title: "two", AuthorID: 1, Price: &negative}).Error },
			409, "Price is not allowed", "price/check"},
		{"not null", func(tx *gorm.DB) error {
			return tx.Model(&User{}).Where("id = ?", 1).Updates(map[string]any{"email": nil}).Error
		}, 409, "Email is required", "e_mail/required"},
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createBlog(t, gdb)
		for _, c := range cases {
			for _, inside := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, transaction %v", c.name, inside), func(t *testing.T) {
					run := c.do
					if inside {
						run = func(tx *gorm.DB) error { return tx.Transaction(c.do) }
					}
					err := run(gdb)
					check(t, err, c.status, c.message, c.field)
					must(t, gdb.Exec("DELETE FROM users WHERE id > 1").Error)
				})
			}
		}
	})
}

// A batch is written completely or not at all, and the error gives the index of the
// row.
func TestConflictsByIndex(t *testing.T) {
	many := func(n int, change func(i int, u *User)) []User {
		all := make([]User, n)
		for i := range all {
			all[i] = User{Username: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("%d@x", i)}
			change(i, &all[i])
		}
		return all
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createBlog(t, gdb)
		for name, c := range map[string]struct {
			do     func(tx *gorm.DB) error
			index  int
			field  string
			status int
		}{
			"stored": {func(tx *gorm.DB) error {
				return tx.Create(many(1000, func(i int, u *User) {
					if i == 700 {
						u.Username = "Ann"
					}
				})).Error
			}, 700, "username/unique", 409},
			"within the batch": {func(tx *gorm.DB) error {
				return tx.Create(many(50, func(i int, u *User) {
					if i == 30 {
						u.Email = "10@x"
					}
				})).Error
			}, 30, "e_mail/unique", 409},
			"several columns": {func(tx *gorm.DB) error {
				return tx.Create([]*Post{{Title: "two", AuthorID: 1}, {Title: "one", AuthorID: 1}}).Error
			}, 1, "title/unique author_id/unique", 409},
			"foreign key": {func(tx *gorm.DB) error {
				return tx.Create([]*Post{{Title: "two", AuthorID: 1}, {Title: "three", AuthorID: 1}, {Title: "four", AuthorID: 9}}).Error
			}, 2, "author_id/exists", 422},
		} {
			f := fault.From(c.do(gdb))
			if f == nil || f.Status != c.status || len(f.Details) == 0 {
				t.Errorf("%s: %v", name, f)
				continue
			}
			var fields []string
			for _, d := range f.Details {
				fields = append(fields, d.Field+"/"+d.Rule)
				if d.Index == nil || *d.Index != c.index {
					t.Errorf("%s: %s", name, asJSON(d))
				}
			}
			if strings.Join(fields, " ") != c.field {
				t.Errorf("%s: %v", name, fields)
			}
		}
		var users, posts int64
		must(t, gdb.Model(&User{}).Count(&users).Error)
		must(t, gdb.Model(&Post{}).Count(&posts).Error)
		if users != 1 || posts != 1 {
			t.Errorf("%d users and %d posts were written", users-1, posts-1)
		}
	})
}

// An update that changes nothing still counts its row.
func TestUnchangedRowsAreCounted(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createBlog(t, gdb)
		for range 2 {
			done := gdb.Model(&User{ID: 1}).Update("age", 40)
			must(t, done.Error)
			if done.RowsAffected != 1 {
				t.Errorf("%d rows", done.RowsAffected)
			}
		}
	})
}

func check(t *testing.T, err error, status int, message, fields string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("not a fault: %v", err)
	}
	var got []string
	for _, d := range f.Details {
		got = append(got, d.Field+"/"+d.Rule)
	}
	if f.Status != status || f.Message != message || strings.Join(got, " ") != fields {
		t.Errorf("got %d %q %v, want %d %q [%s]\n%v", f.Status, f.Message, got, status, message, fields, err)
	}
	for _, d := range f.Details {
		if strings.ContainsAny(d.Message, "_'`\"") || d.Message == "" {
			t.Errorf("message of the driver: %q", d.Message)
		}
	}
}

// A text or number of a client that a database cannot store never causes a 500.
func TestValuesThatDoNotFit(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createBlog(t, gdb)
		for name, do := range map[string]func() error{
			"NUL":             func() error { return gdb.Create(&User{Username: "a\x00b", Email: "n@x"}).Error },
			"invalid UTF-8":   func() error { return gdb.Create(&User{Username: "a\xff\xfeb", Email: "u@x"}).Error },
			"too long":        func() error { return gdb.Create(&User{Username: strings.Repeat("x", 300), Email: "l@x"}).Error },
			"too large":       func() error { return gdb.Create(&Post{Title: "large", AuthorID: 1, Views: 1 << 62}).Error },
			"search, NUL":     func() error { return db.Search(gdb, "a\x00b", "username").Find(&[]User{}).Error },
			"search, UTF-8":   func() error { return db.Search(gdb, "a\xffb", "username").Find(&[]User{}).Error },
			"filter, type":    func() error { return gdb.Where("id = ?", "x").Find(&[]User{}).Error },
			"filter, uint64":  func() error { return gdb.Where("id = ?", uint64(1<<63)).Find(&[]User{}).Error },
			"filter, too big": func() error { return gdb.Where("age = ?", int64(1)<<62).Find(&[]User{}).Error },
		} {
			err := do()
			if f := fault.From(err); err != nil && f.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d %v", name, f.Status, err)
			}
		}
	})
}

func TestFind(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createBlog(t, gdb)
		post, err := db.Find[Post](gdb.Preload("Author"), 1)
		must(t, err)
		if post.Title != "one" || post.Author == nil || post.Author.Username != "ann" {
			t.Errorf("found %+v", post)
		}
		for _, id := range []any{int64(9), "x", "' OR 1=1 --", int64(-1)} {
			_, err := db.Find[Post](gdb, id)
			check(t, err, 404, "Post not found", "")
		}
		_, err = db.Find[Post](gdb.Where("author_id = ?", 2), 1)
		check(t, err, 404, "Post not found", "")
		if !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Error("the cause is lost")
		}
	})
}

// Of twenty concurrent creates of the same name one succeeds and the others get a
// 409.
func TestConcurrentCreatesOfOneName(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createBlog(t, gdb)
		var wg sync.WaitGroup
		var mu sync.Mutex
		count := map[int]int{}
		for i := range 20 {
			wg.Go(func() {
				err := gdb.Create(&User{Username: "race", Email: fmt.Sprintf("%d@x", i)}).Error
				status := http.StatusCreated
				if err != nil {
					status = fault.From(err).Status
				}
				mu.Lock()
				defer mu.Unlock()
				count[status]++
			})
		}
		wg.Wait()
		if count[201] != 1 || count[409] != 19 {
			t.Errorf("statuses: %v", count)
		}
	})
}

// When the context ends, the statement ends with a 503.
func TestContextEndsStatement(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		endless := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT count(*) FROM n"
		switch gdb.Name() {
		case "postgres":
			endless = "SELECT pg_sleep(30)"
		case "mysql":
			endless = "SELECT sleep(30)"
		}
		begin := time.Now()
		var n int64
		err := gdb.WithContext(ctx).Raw(endless).Scan(&n).Error
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the statement took %v", took)
		}
		check(t, err, 503, "The request took too long", "")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the cause is lost: %v", err)
		}
		// Its connection can be used again.
		must(t, gdb.Raw("SELECT 1").Scan(&n).Error)
	})
}

// A database that is down is a 503, and the error of Ping gives advice.
func TestUnreachable(t *testing.T) {
	for _, address := range []string{"postgres://u:secret@127.0.0.1:1/x", "mysql://u:secret@127.0.0.1:1/x"} {
		gdb := open(t, address)
		err := gdb.Exec("SELECT 1").Error
		check(t, err, 503, "The database is not available", "")
		err = db.Ping(t.Context(), gdb)
		if err == nil || !strings.Contains(err.Error(), "try:") || strings.Contains(err.Error(), "secret") {
			t.Errorf("ping: %v", err)
		}
	}
}

func TestOpenRejectsBadURLs(t *testing.T) {
	for _, address := range []string{"", "blog.db", "sqlite:", "oracle://secret@x/y", "postgres://%zz", "mysql://secret@/x", "mysql://secret@x", "mysql://secret@x/y?loc=Nowhere/X"} {
		_, err := db.Open(address, db.Options{})
		if err == nil || !strings.Contains(err.Error(), "try:") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
