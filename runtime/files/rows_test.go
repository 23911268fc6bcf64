package files

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// page is a row of a user that refers to a file.
type page struct {
	ID        int64
	UserID    int64
	Scan      Name
	DeletedAt gorm.DeletedAt
}

func (page) Readable(tx *gorm.DB) *gorm.DB {
	caller := auth.Caller(tx)
	if caller.Admin() {
		return tx
	}
	return tx.Where("user_id", caller.UserID)
}

// A file may be read by callers who may read a row that refers to it; without one, by
// its uploader, unless it is kept.
func TestFilesFollowRulesOfTheirRows(t *testing.T) {
	type pages struct {
		ID        int64
		UserID    int64
		Scan      string `gorm:"size:40;not null;index"`
		DeletedAt gorm.DeletedAt
	}
	for name, server := range map[string]func(testing.TB) string{
		"sqlite": func(testing.TB) string { return "" }, "postgres": services.Postgres, "mysql": services.MySQL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEST_DATABASE_URL", server(t))
			made := db.Migration{ID: "20261121000001_create_pages", Up: func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&pages{}) }}
			gdb := webtest.DB(t, slices.Concat(tables(), []db.Migration{made}, auth.Migrations(), Migrations()))
			l, err := New(Config{URL: "file:" + filepath.Join(t.TempDir(), "files")}, gdb,
				Column{Table: "cards", Name: "photo"}, Column{Table: "pages", Name: "scan", Rows: page{}})
			if err != nil {
				t.Fatal(err)
			}
			const ann, bob = 7, 8
			nobody := auth.Identity{}
			users := map[string]auth.Identity{
				"nobody": nobody, "ann": {UserID: ann}, "bob": {UserID: bob}, "root": {UserID: 9, Role: auth.RoleAdmin},
				"ann's key for tags": {UserID: ann, KeyID: 1, Scopes: []string{"tags:write"}}, "ann's key for files": {UserID: ann, KeyID: 2, Scopes: []string{"files:read"}},
			}
			same := map[string]string{"ann's key for tags": "nobody", "ann's key for files": "ann"}
			for _, c := range []struct {
				name  string
				file  File
				rows  []any // that refer to the file
				reads []string
			}{
				{"of ann, without a row", File{UserID: ann}, nil, []string{"ann", "root"}},
				{"of nobody, without a row", File{}, nil, []string{"root"}},
				{"kept", File{UserID: ann, Kept: true}, nil, []string{"ann", "bob", "nobody", "root"}},
				{"of ann's page", File{UserID: ann}, []any{&page{UserID: ann}}, []string{"ann", "root"}},
				{"of bob's page, by ann", File{UserID: ann}, []any{&page{UserID: bob}}, []string{"bob", "root"}},
				{"of bob's page, and kept", File{UserID: ann, Kept: true}, []any{&page{UserID: bob}}, []string{"bob", "root"}},
				{"of a page that is deleted", File{UserID: ann, Kept: true}, []any{&page{UserID: bob, DeletedAt: gorm.DeletedAt{Valid: true}}}, nil},
				{"of both", File{}, []any{&page{UserID: ann}, &page{UserID: bob}}, []string{"ann", "bob", "root"}},
				{"of a card", File{UserID: ann}, []any{&card{}}, []string{"ann", "bob", "nobody", "root"}},
				{"of a card and a page", File{UserID: ann}, []any{&card{}, &page{UserID: bob}}, []string{"ann", "bob", "nobody", "root"}},
			} {
				file := l.add(t, c.file, 0)
				for _, row := range c.rows {
					switch row := row.(type) {
					case *page:
						row.Scan = file
					case *card:
						row.Photo = file
					}
					if err := gdb.Create(row).Error; err != nil {
						t.Fatal(err)
					}
				}
				for who, id := range users {
					_, err := l.Find(auth.As(context.Background(), id), string(file))
					want := slices.Contains(c.reads, cmp.Or(same[who], who))
					if want && err != nil || !want && (err == nil || fault.From(err).Status != 404) {
						t.Errorf("%s: %s may read it: %t, but got %v", c.name, who, want, err)
					}
				}
				if _, err := l.Find(db.System(context.Background()), string(file)); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
			// A context without a caller is an error.
			if _, err := l.Find(context.Background(), string(l.add(t, File{UserID: ann}, 0))); err == nil || fault.From(err) != nil && fault.From(err).Status < 500 {
				t.Errorf("without a caller: %v", err)
			}
		})
	}
}
