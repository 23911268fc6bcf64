package replica_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/replica"
)

// Leaf is a row with a column that tells which server it was read from, computed by a
// view.
type Leaf struct {
	ID      int64
	Text    string
	Standby bool `gorm:"->"`
}

func (Leaf) TableName() string { return "leaves_seen" }

// log is a log that may be read while it is written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) times(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMiddleware(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers of its own")
	}
	primary, err := services.StartPostgres()
	must(t, err)
	standby, err := services.StartStandby(primary)
	must(t, err)
	middle := services.Between(t, standby.URL)
	logged := new(log)
	gdb, err := db.Open(primary.URL, db.Options{Log: slog.New(slog.NewTextHandler(logged, nil)), Config: db.Config{ReadURL: middle.URL}})
	must(t, err)
	defer func() { must(t, db.Close(gdb)) }()
	must(t, gdb.Exec("CREATE TABLE leaves (id bigserial PRIMARY KEY, text text NOT NULL)").Error)
	must(t, gdb.Exec("CREATE VIEW leaves_seen AS SELECT id, text, pg_is_in_recovery() AS standby FROM leaves").Error)
	must(t, gdb.Exec("INSERT INTO leaves (text) VALUES ('first')").Error)
	behind, err := db.Open(standby.URL, db.Options{})
	must(t, err)
	defer func() { must(t, db.Close(behind)) }()

	gin.SetMode(gin.TestMode)
	engine := gin.New()
	engine.Use(replica.Middleware(gdb)...)
	say := func(c *gin.Context, from bool) {
		c.String(200, map[bool]string{true: "standby", false: "primary"}[from])
	}
	engine.GET("/list", func(c *gin.Context) {
		page, err := db.List[Leaf](gdb.WithContext(c.Request.Context()), db.Query{}, "id")
		if err != nil || len(page.Items) == 0 {
			c.String(500, "%v", err)
			return
		}
		if c.Query("last") != "" && page.Items[0].Text != c.Query("last") {
			c.String(500, "the newest is %q", page.Items[0].Text)
			return
		}
		say(c, page.Items[0].Standby)
	})
	for path, ask := range map[string]func(context.Context, *Leaf) error{
		"/find": func(ctx context.Context, l *Leaf) (err error) {
			*l, err = db.Find[Leaf](gdb.WithContext(ctx), 1)
			return err
		},
		"/all": func(ctx context.Context, l *Leaf) error {
			var leaves []Leaf
			err := gdb.WithContext(ctx).Find(&leaves).Error
			if len(leaves) > 0 {
				*l = leaves[0]
			}
			return err
		},
		"/system": func(ctx context.Context, l *Leaf) error { return gdb.WithContext(db.System(ctx)).Take(l).Error },
		"/raw": func(ctx context.Context, l *Leaf) error {
			return gdb.WithContext(ctx).Raw("SELECT * FROM leaves_seen LIMIT 1").Scan(l).Error
		},
		"/transaction": func(ctx context.Context, l *Leaf) error {
			return gdb.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.Take(l).Error })
		},
		"/locking": func(ctx context.Context, l *Leaf) error {
			return gdb.WithContext(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).Take(l).Error
		},
		"/after": func(ctx context.Context, l *Leaf) error { // a write after a read in the same session
			tx := gdb.WithContext(ctx)
			if err := tx.Take(l).Error; err != nil {
				return err
			}
			return tx.Exec("INSERT INTO leaves (text) VALUES ('from a GET') RETURNING id").Error
		},
	} {
		engine.GET(path, func(c *gin.Context) {
			var leaf Leaf
			if err := ask(c.Request.Context(), &leaf); err != nil {
				c.String(500, "%v", err)
				return
			}
			say(c, leaf.Standby)
		})
	}
	engine.POST("/write", func(c *gin.Context) {
		if err := gdb.WithContext(c.Request.Context()).Exec("INSERT INTO leaves (text) VALUES (?)", c.Query("text")).Error; err != nil {
			c.String(500, "%v", err)
			return
		}
		var leaf Leaf
		if err := gdb.WithContext(c.Request.Context()).Order("id DESC").Take(&leaf).Error; err != nil || leaf.Text != c.Query("text") {
			c.String(500, "%v, %q", err, leaf.Text)
			return
		}
		say(c, leaf.Standby)
	})
	from := func(method, path, who, cookie string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // as a server does
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, method, path, nil)
		r.RemoteAddr = who + ":1"
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: "wrote", Value: cookie})
		}
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	until := func(what, path, who, want string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); from("GET", path, who, "") != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the %s is not used", what, want)
			}
		}
	}
	const reader, writer = "10.0.0.1", "10.0.0.2"
	until("at the start", "/list", reader, "standby")
	until("at the start", "/find", reader, "standby")
	for _, path := range []string{"/system", "/raw", "/transaction", "/after"} {
		if got := from("GET", path, reader, ""); path != "/after" && got != "primary" {
			t.Errorf("%s was read from the %s", path, got)
		}
	}
	must(t, gdb.Exec("DROP VIEW leaves_seen").Error)
	must(t, gdb.Exec("CREATE VIEW leaves_seen AS SELECT id, text, pg_is_in_recovery() AS standby FROM leaves").Error)
	if got := from("GET", "/locking", reader, ""); got != "primary" {
		t.Errorf("a locking read used the %s", got)
	}

	// Clients see their own writes while the replica lags; others may not see them
	// yet.
	until("before the pause", "/list", reader, "standby")
	must(t, behind.Exec("SELECT pg_wal_replay_pause()").Error)
	if got := from("POST", "/write?text=mine", writer, ""); got != "primary" {
		t.Errorf("a read in a POST used the %s", got)
	}
	if got := from("GET", "/list?last=mine", writer, ""); got != "primary" {
		t.Errorf("a client's own write was read from the %s", got)
	}
	if got := from("GET", "/list?last=mine", "10.0.0.3", "1"); got != "primary" {
		t.Errorf("a client that wrote in another process read from the %s", got)
	}
	until("far behind", "/list", reader, "primary")
	const unused = "the read replica is not used"
	for end := time.Now().Add(time.Minute); logged.times(unused) == 0; time.Sleep(20 * time.Millisecond) {
		if from("GET", "/list?last=mine", reader, ""); time.Now().After(end) {
			t.Fatal("the lag is not logged")
		}
	}
	must(t, behind.Exec("SELECT pg_wal_replay_resume()").Error)
	until("after the pause", "/list?last=mine", writer, "standby")

	// Requests that wait for a replica that accepts connections but does not respond
	// are served by the primary, one or many at a time.
	for _, waiting := range []int{1, 8} {
		until("before the silence", "/find", reader, "standby")
		middle.Set(services.Silent)
		var all sync.WaitGroup
		for range waiting {
			all.Go(func() { from("GET", "/find", reader, "") })
		}
		all.Wait()
		until("silent", "/list", reader, "primary")
		middle.Set(services.Pass)
		until("after the silence", "/list", reader, "standby")
	}

	// A replica whose response breaks off is not used, and the primary responds.
	for range 5 {
		until("before the tear", "/all", reader, "standby")
		middle.Set(services.Truncate)
		if got := from("GET", "/all", reader, ""); got != "primary" {
			t.Errorf("a response that breaks off was read from the %s", got)
		}
		middle.Set(services.Pass)
	}
	until("after the tears", "/list", reader, "standby")

	// A replica that is down is logged once, and no request fails.
	must(t, standby.Signal("INT"))
	until("gone", "/list", reader, "primary")
	for range 50 {
		from("GET", "/list", reader, "")
	}
	must(t, standby.Start())
	until("back", "/list", reader, "standby")
	// On a busy machine it may have seemed down once more.
	if n, again := logged.times(unused), logged.times("the read replica is used again"); n < 2 || n > again+1 {
		t.Errorf("logged %d failures and %d recoveries, want one each per fault", n, again)
	}
}
