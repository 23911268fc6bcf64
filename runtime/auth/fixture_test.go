package auth

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// fixture is a database with users, any number of replicas, and a clock controlled by the
// test.
type fixture struct {
	t   *testing.T
	db  *gorm.DB
	s   *Service // the first replica
	mu  sync.Mutex
	now time.Time
	log *strings.Builder
}

const (
	rightPassword = "Correct-Horse-7"
	otherPassword = "Different-Horse-8"
)

var here = Client{Address: "192.0.2.7", Agent: "test"}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	w := &fixture{t: t, db: webtest.DB(t, append([]db.Migration{users()}, Migrations()...)), now: time.Now(), log: &strings.Builder{}}
	w.s = w.replica()
	return w
}

// replica returns another process on the same database, with a cache of its own.
func (w *fixture) replica() *Service {
	w.t.Helper()
	s, err := New(testConfig(), w.db, slog.New(slog.NewTextHandler(locked{w}, nil)))
	if err != nil {
		w.t.Fatal(err)
	}
	s.now = func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	s.hasher.cost = cost{memory: 8, rounds: 1, threads: 1}
	return s
}

type locked struct{ w *fixture }

func (l locked) Write(line []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(line)
}

func (w *fixture) advance(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.now = w.now.Add(d) }

func (w *fixture) events(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.log.String(), "event="+name+" ")
}

func (w *fixture) user(name string) account {
	w.t.Helper()
	hash, err := w.s.Hash(w.t.Context(), rightPassword)
	if err != nil {
		w.t.Fatal(err)
	}
	row := userRow{Username: name, Email: name + "@example.com", PasswordHash: hash, Role: "user", IsActive: true}
	if err := w.db.Create(&row).Error; err != nil {
		w.t.Fatal(err)
	}
	return account{ID: row.ID, Username: name, Email: row.Email, PasswordHash: hash, Role: "user", IsActive: true}
}

func (w *fixture) login(s *Service, name string) Grant {
	w.t.Helper()
	g, err := s.Login(w.t.Context(), here, Credentials{Username: name, Password: rightPassword})
	if err != nil {
		w.t.Fatalf("login of %s: %v", name, err)
	}
	return g
}

func (w *fixture) identity(s *Service, g Grant) Identity {
	w.t.Helper()
	id, err := s.Authenticate(w.t.Context(), g.AccessToken)
	if err != nil {
		w.t.Fatalf("a new access token: %v", err)
	}
	return id
}

func (w *fixture) set(user account, column string, value any) {
	w.t.Helper()
	if err := w.db.Table("users").Where("id = ?", user.ID).Update(column, value).Error; err != nil {
		w.t.Fatal(err)
	}
}

// status returns the HTTP status of err; 0 for nil.
func status(err error) int {
	if err == nil {
		return 0
	}
	return fault.From(err).Status
}

func wantStatus(t *testing.T, what string, err error, want int) {
	t.Helper()
	if got := status(err); got != want {
		t.Errorf("%s: status %d (%v), want %d", what, got, err, want)
	}
}

func retryAfter(err error) time.Duration {
	var f *fault.Error
	errors.As(err, &f)
	return f.RetryAfter
}

func testConfig() Config {
	return Config{Env: "test", Secret: "of-no-worth-outside-of-tests-4f1c9a", Issuer: "test"}.withDefaults()
}

// userRow is the users table as in projects.
type userRow struct {
	ID               int64
	Username         string `gorm:"size:50;not null"`
	Email            string `gorm:"size:255;not null"`
	PasswordHash     string `gorm:"size:255;not null"`
	Role             string `gorm:"size:10;not null"`
	IsActive         bool   `gorm:"not null"`
	EmailConfirmedAt *time.Time
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

func (userRow) TableName() string { return "users" }

func users() db.Migration {
	return db.Migration{
		ID: "20260101000000_create_users",
		Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&userRow{}); err != nil {
				return err
			}
			//lint:ignore SA1019 the table is that of an older version
			if err := db.UniqueFold(tx, "users", "username"); err != nil {
				return err
			}
			//lint:ignore SA1019 the table is that of an older version
			return db.UniqueFold(tx, "users", "email")
		},
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable("users") },
	}
}
