package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

type diary struct {
	ID     int64
	UserID int64
	Text   string
}

func (diary) TableName() string { return "diaries" }

func (diary) Readable(tx *gorm.DB) *gorm.DB {
	caller := Caller(tx)
	if caller.Admin() {
		return tx
	}
	return tx.Where("user_id", caller.UserID)
}

// TestCaller reads all diaries as every kind of caller.
func TestCaller(t *testing.T) {
	w := newFixture(t)
	alice, bob, root := w.user("alice"), w.user("bob"), w.user("root")
	w.set(root, "role", "admin")
	if err := w.db.AutoMigrate(&diary{}); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Create(&[]diary{{UserID: alice.ID, Text: "a"}, {UserID: bob.ID, Text: "b"}}).Error; err != nil {
		t.Fatal(err)
	}
	read := func(tx *gorm.DB) (string, error) {
		var texts []string
		err := tx.Model(&diary{}).Order("id").Pluck("text", &texts).Error
		return strings.Join(texts, " "), err
	}
	type text struct {
		Text string `json:"text"`
	}
	routes := web.Module{Routes: []web.Route{
		web.Get("/diaries", func(c *gin.Context, _ web.None) (out text, err error) {
			out.Text, err = read(w.db.WithContext(c.Request.Context()))
			return out, err
		}),
		web.Get("/transaction", func(c *gin.Context, _ web.None) (out text, err error) {
			err = w.db.WithContext(c.Request.Context()).Transaction(func(tx *gorm.DB) error {
				out.Text, err = read(tx)
				return err
			})
			return out, err
		}),
		web.Get("/gin", func(c *gin.Context, _ web.None) (out text, err error) {
			out.Text, err = read(w.db.WithContext(c))
			return out, err
		}),
		web.Get("/page", func(c *gin.Context, _ web.None) (out text, err error) {
			out.Text, err = read(w.db.WithContext(c.Request.Context()))
			return out, err
		}).Guard(Page()),
	}}
	client := webtest.New(t, web.Module{Use: []gin.HandlerFunc{w.s.Middleware()}}, routes)
	key := func(user int64) string {
		made, err := w.s.MakeKey(t.Context(), Identity{UserID: user}, "k", []string{"read"}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return made.Key
	}
	bearer := func(name string) string { return "Bearer " + w.login(w.s, name).AccessToken }
	for _, path := range []string{"/diaries", "/transaction", "/gin"} {
		for name, c := range map[string]struct{ header, value, want string }{
			"anonymous":         {"X-Nothing", "", ""},
			"a forged token":    {"Authorization", "Bearer x.y.z", ""},
			"alice":             {"Authorization", bearer("alice"), "a"},
			"an administrator":  {"Authorization", bearer("root"), "a b"},
			"a key of bob's":    {"X-API-Key", key(bob.ID), "b"},
			"a key of an admin": {"X-API-Key", key(root.ID), "a b"},
			"an unknown key":    {"X-API-Key", "nx_nothing", ""},
		} {
			if got := client.With(c.header, c.value).Get(path).Expect(200).JSON()["text"]; got != c.want {
				t.Errorf("%s on %s reads %q, want %q", name, path, got, c.want)
			}
		}
	}
	client.Get("/page").Expect(401)
	if got := webtest.New(t, routes).Get("/diaries").Expect(200).JSON()["text"]; got != "" {
		t.Errorf("without the auth module: %q", got)
	}

	identity, err := w.s.Identify(t.Context(), bob.ID)
	if err != nil || identity.Username != "bob" || identity.Fresh() {
		t.Fatalf("%+v, %v", identity, err)
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		want string
	}{
		"on behalf of bob": {As(t.Context(), identity), "b"},
		"as the system":    {db.System(t.Context()), "a b"},
	} {
		if got, err := read(w.db.WithContext(c.ctx)); err != nil || got != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := read(w.db.WithContext(t.Context())); !errors.Is(err, errNoCaller) {
		t.Errorf("without a caller: %q, %v", got, err)
	}
	w.set(bob, "is_active", false)
	for _, gone := range []int64{bob.ID, 999} {
		if _, err := w.s.Identify(t.Context(), gone); fault.From(err) == nil || fault.From(err).Status != 404 {
			t.Errorf("user %d: %v", gone, err)
		}
	}
}
