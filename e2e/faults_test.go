package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5"

	"github.com/nexios-go/nexios/e2e/services"
)

// traffic is a stream of requests to both processes, and their results.
type traffic struct {
	t      *testing.T
	stop   chan struct{}
	group  sync.WaitGroup
	mu     sync.Mutex
	status map[string]map[int]int
	took   map[string][]time.Duration
	late   map[string]bool // Retry-After was missing
}

// drive sends the requests repeatedly, some 60 a second in total, from separate clients
// for each process.
func drive(t *testing.T, servers []*server, token string, requests map[string]func(c client) response) *traffic {
	return driveAt(t, 60, servers, token, requests)
}

// driveAt is drive with the given number of requests a second.
func driveAt(t *testing.T, rate int, servers []*server, token string, requests map[string]func(c client) response) *traffic {
	f := &traffic{t: t, stop: make(chan struct{}), status: map[string]map[int]int{}, took: map[string][]time.Duration{}, late: map[string]bool{}}
	for name, request := range requests {
		f.status[name] = map[int]int{}
		for _, s := range servers {
			for range 4 {
				c := s.client().as(token)
				f.group.Go(func() {
					pace := time.NewTicker(time.Duration(len(requests)*len(servers)*4) * time.Second / time.Duration(rate))
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
						f.took[name] = append(f.took[name], time.Since(begin))
						f.late[name] = f.late[name] || a.status == 503 && a.header.Get("Retry-After") == ""
						f.mu.Unlock()
					}
				})
			}
		}
	}
	return f
}

// await waits until each request, including those in progress, has had n more responses.
func (f *traffic) await(n int) {
	f.t.Helper()
	answers := func() map[string]int {
		f.mu.Lock()
		defer f.mu.Unlock()
		counts := map[string]int{}
		for name := range f.status {
			counts[name] = len(f.took[name])
		}
		return counts
	}
	before := answers()
	eventually(f.t, 2*time.Minute, fmt.Sprintf("%d answers to each request", n), func() bool {
		for name, count := range answers() {
			if count < before[name]+n {
				return false
			}
		}
		return true
	})
}

// end stops the traffic, and reports every unexpected response, by request.
func (f *traffic) end(expected map[string][]int) {
	f.t.Helper()
	close(f.stop)
	f.group.Wait()
	for name, counts := range f.status {
		f.t.Logf("%s: %v, half within %s, all within %s", name, counts, f.usual(name).Round(time.Millisecond/10), f.most(name).Round(time.Millisecond))
		for status := range counts {
			if !slices.Contains(expected[name], status) {
				f.t.Errorf("%s: %d answers %d", name, counts[status], status)
			}
		}
		if f.late[name] {
			f.t.Errorf("%s: a 503 without Retry-After", name)
		}
	}
}

// usual and most return the durations of the median and the slowest request.
func (f *traffic) usual(name string) time.Duration {
	took := slices.Sorted(slices.Values(f.took[name]))
	if len(took) == 0 {
		return 0
	}
	return took[len(took)/2]
}

func (f *traffic) most(name string) time.Duration {
	return slices.Max(append(f.took[name], 0))
}

// slowdown is a proxy that delays every response of a server.
type slowdown struct{ delay atomic.Int64 }

// before returns the URL of the proxy for a server.
func (s *slowdown) before(t *testing.T, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	behind := u.Host
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go s.carry(client, behind)
		}
	}()
	u.Host = listener.Addr().String()
	return u.String()
}

func (s *slowdown) carry(client net.Conn, behind string) {
	defer client.Close()
	server, err := net.Dial("tcp", behind)
	if err != nil {
		return
	}
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	}()
	response := make([]byte, 64<<10)
	for {
		n, err := server.Read(response)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(s.delay.Load()))
		if _, err := client.Write(response[:n]); err != nil {
			return
		}
	}
}

// A slow dependency affects only what uses it: two processes of the guide on one
// PostgreSQL and one Redis, while these fail in various ways.
func TestFaults(t *testing.T) {
	t.Parallel()
	postgres, err := services.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := services.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	database := func(t *testing.T) *pgx.Conn {
		var conn *pgx.Conn
		eventually(t, 30*time.Second, "PostgreSQL", func() (ok bool) {
			conn, err = pgx.Connect(context.Background(), postgres.URL)
			return err == nil
		})
		t.Cleanup(func() { conn.Close(context.Background()) })
		return conn
	}
	execute := func(t *testing.T, conn *pgx.Conn, statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	// A separate user, whose connections can be limited.
	const cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
	setup := database(t)
	execute(t, setup, "CREATE ROLE app LOGIN")
	execute(t, setup, "CREATE DATABASE app OWNER app")
	at := strings.Replace(postgres.URL, "postgres@", "app@", 1)
	at = strings.Replace(at, "/postgres?", "/app?", 1)
	slow := new(slowdown)
	b := newBlog(t, "DATABASE_URL="+at, "REDIS_URL="+slow.before(t, cache.URL), "SHUTDOWN_DELAY=2s", "RATE_LIMIT=1000000/60s")
	servers := []*server{b.serve(), b.serve()}
	anna := servers[0].register("anna")
	post := servers[0].client().as(anna.token).post(apiBase+"/posts", map[string]any{"title": "first", "content": "text", "published": true}).want(201).number("id")
	ready := func(c client) response { return c.get("/readyz") }
	me := func(c client) response { return c.get(apiBase + "/users/me") }
	list := func(c client) response { return c.get(apiBase + "/posts?limit=5") }
	create := func(c client) response {
		return c.post(apiBase+"/posts", map[string]any{"title": "another", "content": "text"})
	}
	members := func(c client) response { return c.get("/chat/room/members") }
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
		conn, err := pgx.Connect(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		execute(t, conn, "BEGIN; LOCK TABLE posts IN ACCESS EXCLUSIVE MODE")
		f := drive(t, servers, anna.token, map[string]func(client) response{"list": list, "create": create, "me": me, "ready": ready})
		f.await(16)
		f.end(map[string][]int{"list": {503}, "create": {503}, "me": {200}, "ready": {200}})
		for _, name := range []string{"me", "ready"} {
			if f.most(name) > 2*time.Second {
				t.Errorf("%s took %s", name, f.most(name))
			}
		}
		if f.most("list") > 5*time.Second {
			t.Errorf("a list gave up after %s", f.most("list"))
		}
		execute(t, conn, "ROLLBACK")
		healthy(t)
	})

	t.Run("connections are cut", func(t *testing.T) {
		conn := database(t)
		f := drive(t, servers, anna.token, map[string]func(client) response{"list": list, "create": create, "me": me})
		for range 5 {
			f.await(12)
			execute(t, conn, cut)
		}
		healthy(t)
		f.end(map[string][]int{"list": {200, 503}, "create": {201, 503}, "me": {200, 503}})
		// Reads are retried once; a slow one may be cut twice.
		if n := f.status["list"][503] + f.status["me"][503]; n > 2 {
			t.Errorf("%d reads were not retried", n)
		}
	})

	for name, signal := range map[string]string{"PostgreSQL restarts": "INT", "PostgreSQL restarts immediately": "QUIT"} {
		t.Run(name, func(t *testing.T) {
			execute(t, database(t), "CHECKPOINT") // the server does not sync commits
			f := drive(t, servers, anna.token, map[string]func(client) response{"list": list, "create": create, "me": me, "alive": func(c client) response { return c.get("/healthz") }})
			for range 2 {
				f.await(4)
				if err := postgres.Signal(signal); err != nil {
					t.Fatal(err)
				}
				f.await(4)
				if err := postgres.Start(); err != nil {
					t.Fatal(err)
				}
				healthy(t)
			}
			f.end(map[string][]int{"list": {200, 503}, "create": {201, 503}, "me": {200, 503}, "alive": {200}})
			if f.status["create"][503] == 0 {
				t.Error("no request failed")
			}
		})
	}

	t.Run("a process of PostgreSQL is killed", func(t *testing.T) { // and it restarts
		execute(t, database(t), "CHECKPOINT")
		f := drive(t, servers, anna.token, map[string]func(client) response{"list": list, "create": create, "me": me})
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
		f.end(map[string][]int{"list": {200, 503}, "create": {201, 503}, "me": {200, 503}})
	})

	t.Run("no connection is left", func(t *testing.T) {
		conn := database(t)
		execute(t, conn, "ALTER ROLE app CONNECTION LIMIT 0")
		execute(t, conn, cut)
		f := drive(t, servers, anna.token, map[string]func(client) response{"list": list, "create": create, "me": me, "ready": ready})
		f.await(16)
		f.end(map[string][]int{"list": {503}, "create": {503}, "me": {503}, "ready": {200}}) // no other replica could do better
		execute(t, conn, "ALTER ROLE app CONNECTION LIMIT -1")
		healthy(t)
	})

	t.Run("clients hang up", func(t *testing.T) {
		f := driveAt(t, 1000, servers, anna.token, map[string]func(client) response{"list": list, "create": create, "me": me})
		stop := make(chan struct{})
		var group sync.WaitGroup
		for i := range 8 {
			s := servers[i%2]
			group.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(5000))*time.Microsecond)
					method, body := "GET", io.Reader(nil)
					if rand.IntN(2) == 0 {
						method, body = "POST", strings.NewReader(`{"title":"never read","content":"text"}`)
					}
					r, _ := http.NewRequestWithContext(ctx, method, s.url+apiBase+"/posts", body)
					r.Header.Set("Authorization", "Bearer "+anna.token)
					r.Header.Set("Content-Type", "application/json")
					if response, err := transport.RoundTrip(r); err == nil {
						response.Body.Close()
					}
					cancel()
				}
			})
		}
		f.await(32)
		close(stop)
		group.Wait()
		f.end(map[string][]int{"list": {200}, "create": {201}, "me": {200}})
	})

	// Without any fault.
	undisturbed := func(t *testing.T) {
		f := drive(t, servers, anna.token, map[string]func(client) response{"list": list, "ready": ready, "members": members})
		f.await(8)
		f.end(map[string][]int{"list": {200}, "ready": {200}, "members": {200}})
	}
	for _, fault := range []struct {
		name       string
		begin, end func() error
	}{
		{"Redis is paused", func() error { return cache.Signal("STOP") }, func() error { return cache.Signal("CONT") }},
		{"Redis is gone", func() error { return cache.Signal("KILL") }, cache.Start},
		{"Redis is slow", func() error { slow.delay.Store(int64(100 * time.Millisecond)); return nil }, func() error { slow.delay.Store(0); return nil }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			room := servers[0].join(t, anna, "room")
			defer room.conn.Close()
			undisturbed(t)
			logged := func(s *server) int { return strings.Count(s.log.String(), "the rate limit is not shared") }
			shared := func(s *server) { // a busy machine may be slow, too
				t.Helper()
				eventually(t, 20*time.Second, "a shared rate limit", func() bool {
					list(s.client().of(t).as(anna.token))
					return strings.Count(s.log.String(), "the rate limit is shared again") == logged(s)
				})
			}
			shared(servers[0])
			shared(servers[1])
			before := []int{logged(servers[0]), logged(servers[1])}
			if err := fault.begin(); err != nil {
				t.Fatal(err)
			}
			f := drive(t, servers, anna.token, map[string]func(client) response{"list": list, "ready": ready, "members": members})
			f.await(48)
			f.end(map[string][]int{"list": {200}, "ready": {200}, "members": {200}})
			for name := range f.took {
				// Requests that wait for Redis take at least 100 ms, and the machine may
				// be busy: the fastest tenth of the requests decides.
				took := slices.Sorted(slices.Values(f.took[name]))
				if quick := took[len(took)/10]; quick > 100*time.Millisecond && (name != "members" || fault.name != "Redis is slow") {
					t.Errorf("%s: all but one in ten took more than %s", name, quick)
				}
				if f.most(name) > time.Second {
					t.Errorf("%s took %s", name, f.most(name))
				}
			}
			if err := fault.end(); err != nil {
				t.Fatal(err)
			}
			for i, s := range servers {
				if n := logged(s) - before[i]; n != 1 {
					t.Errorf("logged %d times", n)
				}
				shared(s)
			}
			healthy(t)
		})
	}

	t.Run("one process leaves", func(t *testing.T) {
		leaving, staying := servers[0], servers[1]
		peers := []peer{leaving.join(t, anna, "room"), leaving.join(t, anna, "other")}
		f := drive(t, servers[1:], anna.token, map[string]func(client) response{"list": list, "create": create})
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
				_, err = p.receive(8 * time.Second)
			}
			if !websocket.IsCloseError(err, websocket.CloseServiceRestart) || !strings.Contains(err.Error(), "restarting") {
				t.Errorf("a WebSocket ends with %v", err)
			}
		}
		select {
		case err := <-leaving.ended:
			if err != nil {
				t.Errorf("exit status: %v", err)
			}
		case <-time.After(time.Until(begin.Add(10 * time.Second))):
			t.Error("still running after 10 s")
		}
		f.end(map[string][]int{"list": {200}, "create": {201}})
	})
}

// A full disk is a 507 for writes, and does not affect reads; nothing of a rejected write
// remains, and writes work again once there is space.
func TestFullDisks(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("mounts small disks as Linux does")
	}
	if os.Geteuid() != 0 { // root in its own namespace may mount
		again := exec.Command("unshare", "--map-root-user", "--mount", os.Args[0], "-test.run=^TestFullDisks$", "-test.timeout=10m")
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("with small disks of its own: %v\n%s\n  try:   sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, if unshare may not", err, out)
		}
		return
	}
	disk := func(size string) string {
		dir := t.TempDir()
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
			t.Fatalf("no disk can be mounted: %v %s\n  try:   another user than root, or docker run --cap-add SYS_ADMIN", err, out)
		}
		t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
		return dir
	}
	data, uploads := disk("8m"), disk("1m")
	ballast := func(dir string, size int) string {
		name := filepath.Join(dir, "ballast")
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	b := newBlog(t, "DATABASE_URL=sqlite:"+filepath.Join(data, "blog.db"), "FILES_URL=file:"+uploads)
	servers := []*server{b.serve(), b.serve()}
	anna := servers[0].register("anna")
	clients := []client{servers[0].client().as(anna.token), servers[1].client().as(anna.token)}
	release := map[string]string{"database": ballast(data, 4<<20), "uploads": ballast(uploads, 512<<10)}

	t.Run("database", func(t *testing.T) {
		text, made, refused := strings.Repeat("text ", 2000), 0, 0
		create := func(c client) int {
			a := c.of(t).post(apiBase+"/posts", map[string]any{"title": "another", "content": text})
			switch a.status {
			case 201:
				made++
			case 507:
				refused++
			default:
				t.Fatalf("a create is %d %s", a.status, a.body)
			}
			return a.status
		}
		total := func(c client) int {
			return c.of(t).get(apiBase + "/posts?limit=1&count=exact").want(200).number("total")
		}
		for n := 0; refused < 20; n++ {
			if n > 2000 {
				t.Fatal("the disk is never full")
			}
			create(clients[n%2])
			if refused > 0 && total(clients[n%2]) != made {
				t.Fatalf("%d posts of %d", total(clients[n%2]), made)
			}
		}
		for _, c := range clients {
			if a := c.of(t).get("/readyz").want(200); a.text("status") != "degraded" {
				t.Errorf("ready: %s", a.body)
			}
		}
		if err := os.Remove(release["database"]); err != nil {
			t.Fatal(err)
		}
		for _, c := range clients {
			if create(c) != 201 || total(c) != made {
				t.Errorf("%d posts of %d", total(c), made)
			}
			if a := c.of(t).get("/readyz").want(200); a.text("status") != "ready" {
				t.Errorf("ready: %s", a.body)
			}
		}
	})

	t.Run("uploads", func(t *testing.T) {
		upload := func(c client, size int) response {
			var body bytes.Buffer
			fmt.Fprintf(&body, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n%s\r\n--x--\r\n", strings.Repeat("x", size))
			return c.of(t).with("Content-Type", "multipart/form-data; boundary=x").post(apiBase+"/files/upload", &body)
		}
		kept := upload(clients[0], 100_000).want(201)
		for _, c := range clients {
			for range 3 {
				upload(c, 600_000).wantFault(507, "")
			}
			if got := c.of(t).get(kept.text("url")).want(200); len(got.body) != 100_000 {
				t.Errorf("%d bytes", len(got.body))
			}
			c.of(t).get("/readyz").want(200)
		}
		var files []string
		_ = filepath.WalkDir(uploads, func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && entry.Name() != "ballast" {
				files = append(files, path)
			}
			return err
		})
		if len(files) != 1 {
			t.Errorf("left are %q", files)
		}
		if err := os.Remove(release["uploads"]); err != nil {
			t.Fatal(err)
		}
		upload(clients[1], 600_000).want(201)
	})
}
