package files

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// card is a row that refers to files.
type card struct {
	ID    int64 `json:"id"`
	Photo Name  `json:"photo"`
	Cover *Name `json:"cover"`
}

// tables returns the project's own migrations.
func tables() []db.Migration {
	type user struct {
		ID               int64
		Username         string `gorm:"size:50"`
		Email            string
		PasswordHash     string
		Role             string
		IsActive         bool
		EmailConfirmedAt *time.Time
		CreatedAt        time.Time
		UpdatedAt        time.Time
	}
	type files struct {
		Name string `gorm:"primaryKey;size:40"`
	}
	type card struct {
		ID        int64
		Photo     string  `gorm:"size:40;not null;index"`
		PhotoFile files   `gorm:"foreignKey:Photo;references:Name;constraint:OnDelete:RESTRICT"`
		Cover     *string `gorm:"size:40;index"`
		CoverFile files   `gorm:"foreignKey:Cover;references:Name;constraint:OnDelete:RESTRICT"`
	}
	return []db.Migration{
		{ID: "20260101000000_create_users", Up: func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&user{}) }},
		{ID: "20261121000000_create_cards", Up: func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&card{}) }},
	}
}

// eachDatabase runs test on every kind of database, with a library to whose files cards
// refer.
func eachDatabase(t *testing.T, test func(*testing.T, *Library)) {
	for name, server := range map[string]func(testing.TB) string{
		"sqlite": func(testing.TB) string { return "" }, "postgres": services.Postgres, "mysql": services.MySQL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEST_DATABASE_URL", server(t))
			// As in a project, the runtime's migrations come last in the list.
			gdb := webtest.DB(t, slices.Concat(tables(), auth.Migrations(), Migrations()))
			l, err := New(Config{URL: "file:" + filepath.Join(t.TempDir(), "files")}, gdb, Column{Table: "cards", Name: "photo"}, Column{Table: "cards", Name: "cover"})
			if err != nil {
				t.Fatal(err)
			}
			test(t, l)
		})
	}
}

// add stores a file of the given age.
func (l *Library) add(t *testing.T, file File, age time.Duration) Name {
	t.Helper()
	file.Name = NewName(".png")
	file.CreatedAt = time.Now().Add(-age)
	if err := errors.Join(l.Store.Put(t.Context(), file.Name, strings.NewReader("x")), l.db.Create(&file).Error); err != nil {
		t.Fatal(err)
	}
	return Name(file.Name)
}

func (l *Library) holds(t *testing.T, name Name) bool {
	t.Helper()
	_, err := l.Find(t.Context(), string(name))
	object, lost := l.Store.Open(t.Context(), string(name))
	if lost == nil {
		lost = object.Close()
	}
	if (err == nil) != (lost == nil) {
		t.Errorf("%s: the row returned %v, the store %v", name, err, lost)
	}
	return err == nil
}

func TestAttach(t *testing.T) {
	eachDatabase(t, func(t *testing.T, l *Library) {
		type one struct{ Body card }
		type change struct {
			ID   int64 `uri:"id"`
			Body card
		}
		type many struct{ Body web.Bulk[card] }
		create := func(c *gin.Context, in one) (card, error) {
			if err := Attach(c, l.db, &in.Body); err != nil {
				return in.Body, err
			}
			return in.Body, l.db.Create(&in.Body).Error
		}
		module := web.Module{Name: "cards", Routes: []web.Route{
			web.Post("/cards", create).Guard(auth.User()),
			web.Post("/open", create),
			web.Post("/cards/bulk", func(c *gin.Context, in many) ([]card, error) {
				if err := Attach(c, l.db, []card(in.Body)); err != nil {
					return nil, err
				}
				return in.Body, l.db.Create([]card(in.Body)).Error
			}).Guard(auth.User()),
			web.Put("/cards/:id", func(c *gin.Context, in change) (card, error) {
				row, err := db.Find[card](l.db, in.ID)
				if err != nil {
					return row, err
				}
				before := row
				row.Photo, row.Cover = in.Body.Photo, in.Body.Cover
				if err := Reattach(c, l.db, before, &row); err != nil {
					return row, err
				}
				return row, l.db.Select("photo", "cover").Updates(&row).Error
			}).Guard(auth.User()),
		}}
		known, token := authtest.Sign(t, l.db, authtest.Account{Username: "ada"})
		_, adminToken := authtest.Sign(t, l.db, authtest.Account{Username: "root", Role: "admin"})
		anybody := webtest.New(t, known, module)
		ada, root := anybody.With("Authorization", "Bearer "+token), anybody.With("Authorization", "Bearer "+adminToken)
		id := authtest.UserID(t, l.db, "ada")
		mine, secret := l.add(t, File{UserID: id}, 0), l.add(t, File{UserID: id, Private: true}, 0)
		others, hidden := l.add(t, File{UserID: id + 100}, 0), l.add(t, File{UserID: id + 100, Private: true}, 0)

		type body map[string]any
		refused := func(answer *webtest.Answer, want ...string) {
			t.Helper()
			var got []string
			for _, d := range answer.Expect(422).Details() {
				at := ""
				if d.Index != nil {
					at = fmt.Sprintf("%d.", *d.Index)
				}
				got = append(got, at+d.Field+" "+d.Rule)
			}
			if !slices.Equal(got, want) || answer.JSON()["error"] != "Validation error" {
				t.Errorf("%s; want %v", answer.Body(), want)
			}
		}
		for _, unknown := range []string{NewName(".png"), "../x", strings.ToUpper(string(mine)), strings.Repeat("a", 1000), string(others), string(hidden)} {
			refused(ada.Post("/cards", body{"photo": unknown, "cover": mine}), "photo exists")
			refused(ada.Post("/cards", body{"photo": unknown, "cover": unknown}), "photo exists", "cover exists")
			refused(ada.Post("/cards/bulk", []any{body{"photo": mine}, body{"photo": mine, "cover": unknown}}), "1.cover exists")
		}
		made := ada.Post("/cards", body{"photo": mine, "cover": secret}).Expect(201).JSON()
		root.Post("/cards", body{"photo": hidden}).Expect(201)
		for _, name := range []Name{mine, others, hidden, Name(NewName(".png"))} {
			refused(anybody.Post("/open", body{"photo": name}), "photo exists")
		}
		ada.Post("/open", body{"photo": mine}).Expect(201)
		ada.Post("/cards/bulk", []any{body{"photo": mine}, body{"photo": secret}}).Expect(201)

		at := fmt.Sprint("/cards/", made["id"])
		for _, none := range []any{"", nil} {
			ada.Put(at, body{"photo": mine, "cover": mine}).Expect(200)
			if got := ada.Put(at, body{"photo": mine, "cover": none}).Expect(200).JSON(); got["cover"] != nil {
				t.Errorf("cover cleared with %q is %v", none, got["cover"])
			}
		}
		root.Put(at, body{"photo": others}).Expect(200)
		ada.Put(at, body{"photo": others, "cover": mine}).Expect(200) // she keeps a file that an administrator chose
		refused(ada.Put(at, body{"photo": mine, "cover": hidden}), "cover exists")

		// An attached file cannot be removed.
		file, err := l.Find(t.Context(), string(mine))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Remove(t.Context(), file); fault.From(err).Status != 409 || !l.holds(t, mine) {
			t.Errorf("removing an attached file: %v", err)
		}
	})
}

func TestSweepOfUnused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, l *Library) {
		day, old := 24*time.Hour, 25*time.Hour
		photo, cover, replaced := l.add(t, File{}, old), l.add(t, File{}, old), l.add(t, File{}, old)
		unused, young, kept := l.add(t, File{}, old), l.add(t, File{}, day-time.Minute), l.add(t, File{Kept: true}, old)
		row := card{Photo: photo, Cover: &replaced}
		if err := l.db.Create(&row).Error; err != nil {
			t.Fatal(err)
		}
		row.Cover = &cover
		if err := l.db.Save(&row).Error; err != nil {
			t.Fatal(err)
		}
		plain, err := New(l.cfg, l.db) // a project without columns for files
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			of      *Library
			deleted int
		}{{plain, 0}, {l, 2}, {l, 0}} {
			if n, err := c.of.Sweep(t.Context(), time.Now().Add(-day)); err != nil || n != c.deleted {
				t.Errorf("swept %d, %v; want %d", n, err, c.deleted)
			}
		}
		for name, want := range map[Name]bool{photo: true, cover: true, replaced: false, unused: false, young: true, kept: true} {
			if l.holds(t, name) != want {
				t.Errorf("%s exists: %v", name, !want)
			}
		}
	})
}

// Several replicas sweep while rows attach files: an attached file is never deleted,
// and attaching a deleted one fails.
func TestSweepWhileAttaching(t *testing.T) {
	eachDatabase(t, func(t *testing.T, l *Library) {
		const files = 60
		var names []Name
		for range files {
			names = append(names, l.add(t, File{}, time.Hour))
		}
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				// A database may report a deadlock when it has to wait; the job is
				// retried then.
				for {
					_, err := l.Sweep(t.Context(), time.Now())
					if err == nil || fault.From(err).Status != 503 {
						if err != nil {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		group.Go(func() {
			for _, name := range slices.Backward(names) {
				err := l.db.Transaction(func(tx *gorm.DB) error { return tx.Create(&card{Photo: name}).Error })
				if status := 0; err != nil {
					if status = fault.From(err).Status; status != 409 && status != 503 {
						t.Error(err)
					}
				}
			}
		})
		group.Wait()
		var attached []Name
		if err := l.db.Model(&card{}).Pluck("photo", &attached).Error; err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if there, want := l.holds(t, name), slices.Contains(attached, name); want && !there {
				t.Errorf("%s is attached but deleted", name)
			}
		}
		t.Logf("%d of %d were attached in time", len(attached), files)
	})
}

// In a project without columns for files every upload stays, even if a column is added
// later.
func TestUploadsAreKept(t *testing.T) {
	l := open(t, Config{})
	l.upload(file("plain", "x"))
	l.references = []Column{{Table: "cards", Name: "photo"}}
	l.upload(file("to be attached", "x"))
	for i, want := range []bool{true, false} {
		if row := l.rows()[i]; row.Kept != want {
			t.Errorf("%s: kept %v", row.Original, row.Kept)
		}
	}
}

// A file from before the column was added stays too.
func TestExistingFilesAreKept(t *testing.T) {
	list := Migrations()
	t.Setenv("TEST_DATABASE_URL", "")
	gdb := webtest.DB(t, list[:1])
	if err := gdb.Create(&files1{Name: NewName("")}).Error; err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context(), gdb, list); err != nil {
		t.Fatal(err)
	}
	var row File
	if err := gdb.Take(&row).Error; err != nil || !row.Kept {
		t.Errorf("%+v, %v", row, err)
	}
	if done, err := db.Rollback(t.Context(), gdb, list, 2); err != nil || len(done) != 2 {
		t.Errorf("rollback: %v, %v", done, err)
	}
}
