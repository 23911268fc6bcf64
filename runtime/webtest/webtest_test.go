package webtest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

type thing struct {
	ID   int64
	Name string
}

func migrations() []db.Migration {
	return []db.Migration{{
		ID:   "20260101000000_create_things",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&thing{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&thing{}) },
	}}
}

// TestDatabasesArePrivate creates two databases of every kind, which must share no
// rows and be dropped from the server.
func TestDatabasesArePrivate(t *testing.T) {
	for name, server := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": services.Postgres,
		"mysql":    services.MySQL,
	} {
		t.Run(name, func(t *testing.T) {
			address := server(t)
			t.Setenv("TEST_DATABASE_URL", address)
			var made string
			t.Run("two", func(t *testing.T) {
				one, two := webtest.DB(t, migrations()), webtest.DB(t, migrations())
				if err := one.Create(&thing{Name: "only in one"}).Error; err != nil {
					t.Fatal(err)
				}
				for gdb, want := range map[*gorm.DB]int64{one: 1, two: 0} {
					var count int64
					if err := gdb.Model(&thing{}).Count(&count).Error; err != nil || count != want {
						t.Errorf("%d rows, %v", count, err)
					}
				}
				if address != "" {
					made = place(t, one, name)
				}
			})
			if address == "" {
				return
			}
			admin, err := db.Open(address, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close(admin)
			var left int64
			err = admin.Raw("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?", made).Scan(&left).Error
			if err != nil || left != 0 || !strings.HasPrefix(made, "test_") {
				t.Errorf("%q was not dropped: %d, %v", made, left, err)
			}
		})
	}
}

func place(t *testing.T, gdb *gorm.DB, name string) string {
	t.Helper()
	query := "SELECT DATABASE()"
	if name == "postgres" {
		query = "SELECT CURRENT_SCHEMA()"
	}
	var made string
	if err := gdb.Raw(query).Scan(&made).Error; err != nil {
		t.Fatal(err)
	}
	return made
}

func TestClient(t *testing.T) {
	client := webtest.New(t, web.Module{Name: "echo", Routes: []web.Route{
		web.Post("/echo", func(c *gin.Context, in struct {
			Agent string `header:"X-Agent"`
			Body  map[string]any
		}) (map[string]any, error) {
			in.Body["agent"] = in.Agent
			return in.Body, nil
		}),
		web.Put("/cookie", func(c *gin.Context, _ web.None) (web.None, error) {
			http.SetCookie(c.Writer, &http.Cookie{Name: "seen", Value: "yes"})
			return web.None{}, nil
		}),
		web.Delete("/cookie", func(c *gin.Context, _ web.None) (web.None, error) {
			http.SetCookie(c.Writer, &http.Cookie{Name: "seen", MaxAge: -1})
			return web.None{}, nil
		}),
		web.Get("/cookie", func(c *gin.Context, _ web.None) (string, error) {
			value, err := c.Cookie("seen")
			if err != nil {
				return "", fault.NotFound("No cookie")
			}
			return value, nil
		}),
	}})
	mine := client.With("X-Agent", "me")
	if got := mine.Post("/echo", map[string]int{"n": 1}).Expect(201).JSON(); got["n"] != 1.0 || got["agent"] != "me" {
		t.Errorf("echo: %v", got)
	}
	if got := client.Post("/echo", `{"n":2}`).Expect(201).JSON(); got["agent"] != "" {
		t.Errorf("a header of a copy was sent by the client: %v", got)
	}
	client.Post("/echo", "{").Expect(400)
	client.Get("/cookie").Expect(404)
	client.Put("/cookie", nil).Expect(204)
	mine.Get("/cookie").Expect(200)
	client.Fresh().Get("/cookie").Expect(404)
	client.Delete("/cookie").Expect(204)
	client.Get("/cookie").Expect(404)
}
