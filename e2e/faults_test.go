package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/nexios-go/nexios/e2e/services"
)

// lockedFor is how long TestFaults keeps a table locked: longer than anybody
// waits. FAULT_SECONDS=30 makes it more.
const lockedFor = 6 * time.Second

// traffic are requests to both processes, and how they ended.
type traffic struct {
	stop   chan struct{}
	group  sync.WaitGroup
	mu     sync.Mutex
	status map[string]map[int]int
	took   map[string]time.Duration // at most
	late   map[string]bool          // Retry-After was missing
}

// drive sends each request over and over, some 60 a second together, from a
// client of its own on each process.
func drive(t *testing.T, servers []*server, token string, requests map[string]func(c client) answer) *traffic {
	f := &traffic{stop: make(chan struct{}), status: map[string]map[int]int{}, took: map[string]time.Duration{}, late: map[string]bool{}}
	for name, request := range requests {
		f.status[name] = map[int]int{}
		for _, s := range servers {
			for range 4 {
				c := s.client().as(token)
				f.group.Go(func() {
					pace := time.NewTicker(time.Duration(len(requests)*len(servers)*4) * time.Second / 60)
					defer pace.Stop()
					for {
						select {
						case <-f.stop:
							return
						case <-pace.C:
						}
						select {
						case <-f.stop: // both were
							return
						default:
						}
						begin := time.Now()
						a := request(c)
						f.mu.Lock()
						f.status[name][a.status]++
						f.took[name] = max(f.took[name], time.Since(begin))
						f.late[name] = f.late[name] || a.status == 503 && a.header.Get("Retry-After") == ""
						f.mu.Unlock()
					}
				})
			}
		}
	}
	return f
}

// end stops the traffic, and reports every answer that is none of those
// expected, by request.
func (f *traffic) end(t *testing.T, expected map[string][]int) {
	t.Helper()
	close(f.stop)
	f.group.Wait()
	for name, counts := range f.status {
		t.Logf("%s: %v, at most %s", name, counts, f.took[name].Round(time.Millisecond))
		for status := range counts {
			if !slices.Contains(expected[name], status) {
				t.Errorf("%s: %d answers %d", name, counts[status], status)
			}
		}
		if f.late[name] {
			t.Errorf("%s: a 503 without Retry-After", name)
		}
	}
}

// One slow thing does not take the rest: two processes of the guide on one
// PostgreSQL and one Redis, through what happens to those.
func TestFaults(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("kills a server of another user")
	}
	at, err := services.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := services.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	b := newBlog(t, "DATABASE_URL="+at, "REDIS_URL="+cache, "SHUTDOWN_DELAY=2s")
	servers := []*server{b.serve(), b.serve()}
	anna := servers[0].register("anna")
	post := servers[0].client().as(anna.token).post(apiBase+"/posts", map[string]any{"title": "first", "content": "text", "published": true}).want(201).number("id")
	ready := func(c client) answer { return c.get("/readyz") }
	me := func(c client) answer { return c.get(apiBase + "/users/me") }
	list := func(c client) answer { return c.get(apiBase + "/posts?limit=5") }
	create := func(c client) answer {
		return c.post(apiBase+"/posts", map[string]any{"title": "another", "content": "text"})
	}
	database := func(t *testing.T) *pgx.Conn {
		var conn *pgx.Conn
		eventually(t, 30*time.Second, "PostgreSQL", func() (ok bool) {
			conn, err = pgx.Connect(context.Background(), at)
			return err == nil
		})
		t.Cleanup(func() { conn.Close(context.Background()) })
		return conn
	}
	healthy := func(t *testing.T) {
		t.Helper()
		for _, s := range servers {
			eventually(t, 15*time.Second, "health", func() bool {
				c := s.client().of(t).as(anna.token)
				return ready(c).status == 200 && list(c).status == 200 && create(c).status == 201
			})
		}
	}

	t.Run("a table is locked", func(t *testing.T) {
		conn := database(t)
		if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE posts IN ACCESS EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		limit := lockedFor
		if seconds := os.Getenv("FAULT_SECONDS"); seconds != "" {
			if limit, err = time.ParseDuration(seconds + "s"); err != nil {
				t.Fatal(err)
			}
		}
		f := drive(t, servers, anna.token, map[string]func(client) answer{"list": list, "create": create, "me": me, "ready": ready})
		time.Sleep(limit) // that is how long it is locked
		f.end(t, map[string][]int{"list": {503}, "create": {503}, "me": {200}, "ready": {200}})
		for _, name := range []string{"me", "ready"} {
			if f.took[name] > 2*time.Second {
				t.Errorf("%s took %s", name, f.took[name])
			}
		}
		if f.took["list"] > 5*time.Second {
			t.Errorf("a list gave up after %s", f.took["list"])
		}
		if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		healthy(t)
	})

	t.Run("PostgreSQL restarts at once", func(t *testing.T) {
		if _, err := database(t).Exec(t.Context(), "CHECKPOINT"); err != nil { // the server does not sync what it commits
			t.Fatal(err)
		}
		f := drive(t, servers, anna.token, map[string]func(client) answer{"list": list, "create": create, "me": me})
		for range 4 {
			witness := database(t)
			victim, err := os.FindProcess(int(database(t).PgConn().PID()))
			if err != nil {
				t.Fatal(err)
			}
			if err := victim.Kill(); err != nil {
				t.Fatal(err)
			}
			eventually(t, 10*time.Second, "end of every connection", func() bool { return witness.Ping(t.Context()) != nil })
			healthy(t)
		}
		f.end(t, map[string][]int{"list": {200, 503}, "create": {201, 503}, "me": {200, 503}})
	})

	t.Run("Redis is paused", func(t *testing.T) {
		room := servers[0].join(t, anna, "room")
		defer room.conn.Close()
		options, err := redis.ParseURL(cache)
		if err != nil {
			t.Fatal(err)
		}
		person := redis.NewClient(options)
		defer person.Close()
		if err := person.Do(t.Context(), "CLIENT", "PAUSE", "4000", "ALL").Err(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		f := drive(t, servers, anna.token, map[string]func(client) answer{
			"list": list, "ready": ready,
			"members": func(c client) answer { return c.get("/chat/room/members") },
		})
		time.Sleep(3500*time.Millisecond - time.Since(begin)) // that is how long it is silent
		f.end(t, map[string][]int{"list": {200}, "ready": {200}, "members": {200}})
		for name, took := range f.took {
			if took > 1500*time.Millisecond {
				t.Errorf("%s took %s", name, took)
			}
		}
		healthy(t)
	})

	t.Run("one process leaves", func(t *testing.T) {
		leaving, staying := servers[0], servers[1]
		peers := []peer{leaving.join(t, anna, "room"), leaving.join(t, anna, "other")}
		f := drive(t, servers[1:], anna.token, map[string]func(client) answer{"list": list, "create": create})
		begin := time.Now()
		if err := leaving.process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		c := leaving.client().of(t).as(anna.token)
		eventually(t, time.Second, "unready", func() bool { return ready(c).status == 503 })
		for time.Since(begin) < 1500*time.Millisecond { // everything is served meanwhile
			c.get(fmt.Sprintf("%s/posts/%d", apiBase, post)).want(200)
			create(c).want(201)
		}
		staying.client().of(t).get("/readyz").want(200)
		for _, p := range peers {
			for err = error(nil); err == nil; {
				_, err = p.hear(8 * time.Second)
			}
			if !websocket.IsCloseError(err, websocket.CloseServiceRestart) || !strings.Contains(err.Error(), "restarting") {
				t.Errorf("a WebSocket ends with %v", err)
			}
		}
		select {
		case err := <-leaving.ended:
			if err != nil {
				t.Errorf("it ends with %v", err)
			}
		case <-time.After(time.Until(begin.Add(10 * time.Second))):
			t.Error("it runs after 10 s")
		}
		f.end(t, map[string][]int{"list": {200}, "create": {201}})
	})
}
