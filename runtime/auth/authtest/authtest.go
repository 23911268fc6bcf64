// Package authtest signs users in for the tests of a module, with real rows and tokens
// but without the cost of hashing a password.
package authtest

import (
	"cmp"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/web"
)

// Account is a user to create. Only Username is required.
type Account struct {
	Username string
	Email    string // default: username@example.com
	Role     string // default: user
	Password string // default: none, so that nobody can log in with a password
}

// Config returns the settings for a test: every Service has the same secret and accepts
// the tokens of others on the same database.
func Config() auth.Config {
	return auth.Config{Env: "test", Secret: "of-no-worth-outside-of-tests-4f1c9a"}
}

// Service returns a Service on gdb with [Config].
func Service(t testing.TB, gdb *gorm.DB) *auth.Service {
	t.Helper()
	s, err := auth.New(Config(), gdb, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Sign creates a user in the users table of gdb, opens a session for them and returns
// an access token, to be sent as "Authorization: Bearer <token>". The table has the
// columns that package auth names, and updated_at. The module, which has no routes, makes
// guards work: mount it with the module under test, once, however many users sign in on
// the same database.
func Sign(t testing.TB, gdb *gorm.DB, a Account) (module web.Module, token string) {
	t.Helper()
	a.Email = cmp.Or(a.Email, a.Username+"@example.com")
	a.Role = cmp.Or(a.Role, "user")
	s := Service(t, gdb)
	hash := "none"
	if a.Password != "" {
		var err error
		if hash, err = s.Hash(t.Context(), a.Password); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().UTC()
	err := gdb.Table("users").Create(map[string]any{
		"username": a.Username, "email": a.Email, "password_hash": hash, "role": a.Role, "is_active": true,
		"created_at": now, "updated_at": now,
	}).Error
	if err != nil {
		t.Fatal(fmt.Errorf("make user %s: %w", a.Username, err))
	}
	grant, err := s.OpenSession(t.Context(), auth.Client{Address: "192.0.2.1", Agent: "test"}, UserID(t, gdb, a.Username))
	if err == nil { // as after a login
		err = gdb.Table("auth_sessions").Where("id = ?", grant.SessionID).Update("confirmed_at", now.UnixMilli()).Error
	}
	if err != nil {
		t.Fatal(err)
	}
	return web.Module{Name: "authtest", Use: []gin.HandlerFunc{s.Middleware()}}, grant.AccessToken
}

// SignIn is [Sign] for a webtest.Resource.
func SignIn(t testing.TB, gdb *gorm.DB, username, role string) (guards web.Module, id int64, token string) {
	t.Helper()
	guards, token = Sign(t, gdb, Account{Username: username, Role: role})
	return guards, UserID(t, gdb, username), token
}

// UserID returns the ID of the user with this name.
func UserID(t testing.TB, gdb *gorm.DB, username string) int64 {
	t.Helper()
	var user struct{ ID int64 }
	if err := gdb.Table("users").Select("id").Where("username = ?", username).Take(&user).Error; err != nil {
		t.Fatal(err)
	}
	return user.ID
}
