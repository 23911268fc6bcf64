package reload

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"
)

// patience is the timeout of waiting in tests.
const patience = 90 * time.Second

// TestMain lets this binary run as a development server, for tests that kill one, and
// as its reaper.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], process.ReapArgs) {
		process.Reap(os.Stdin)
		os.Exit(0)
	}
	if dir := os.Getenv("RELOAD_TEST_DEV"); dir != "" {
		o := Options{Dir: dir, Port: AnyPort, Show: ShowJSON, Delve: os.Getenv("RELOAD_TEST_DELVE") != ""}
		if err := Run(context.Background(), o); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if runtimeDir != "" {
		_ = os.RemoveAll(runtimeDir)
	}
	os.Exit(code)
}

// sample returns a program that responds with its version, and with what else the tests
// need.
func sample() map[string]string {
	return map[string]string{
		"go.mod": "module sample\n\ngo 1.24\n",
		"main.go": `package main

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"sample/part"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug - 4})))
	part.Begin()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, part.Version()) })
	http.HandleFunc("/sql", func(w http.ResponseWriter, r *http.Request) {
		log := slog.With("request_id", r.Header.Get("X-Request-Id"))
		for range 10 {
			log.Log(r.Context(), slog.LevelDebug-4, "statement", "query", "SELECT <b> FROM things WHERE id = ?", "took", time.Millisecond, "rows", 1)
		}
		log.Log(r.Context(), slog.LevelDebug-4, "statement", "query", "DELETE FROM things", "took", time.Second, "failed", true)
		log.Debug("only of use to the request")
		log.Warn("look", "at", "<i>this</i>", "stack", "one\ntwo")
	})
	http.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv("APP_ENV")) })
	http.HandleFunc("/client", func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		fmt.Fprint(w, h["X-Forwarded-For"], h["X-Forwarded-Proto"], h["Forwarded"], os.Getenv("TRUSTED_PROXIES"))
	})
	http.HandleFunc("/crash", func(w http.ResponseWriter, r *http.Request) { os.Exit(3) })
	http.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		for range 45 {
			time.Sleep(100 * time.Millisecond)
			fmt.Fprint(w, ".")
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, part.Version())
	})
	http.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(os.Stderr, "upload")
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err, part.Version())
	})
	http.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'nonce-abc'")
		w.Header().Set("ETag", "\"one\"")
		fmt.Fprint(w, "<!doctype html><title>x</title><body>", part.Version(), "</body>")
	})
	http.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: one\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		rw.Write([]byte{0x81, 2, 'h', 'i'})
		rw.Flush()
		rw.ReadByte()
		time.Sleep(time.Minute)
	})
	network, addr := "tcp", os.Getenv("ADDR")
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "process", os.Getpid())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.DefaultServeMux.ServeHTTP(w, r)
		slog.Info("request", "request_id", r.Header.Get("X-Request-Id"))
	})}
	go s.Serve(l)
	<-ctx.Done()
	s.Shutdown(context.Background())
}
`,
		"part/part.go": part("one"),
	}
}

func part(version string) string {
	return fmt.Sprintf("package part\n\n// Begin is called first.\nfunc Begin() {}\n\n// Version is the response.\nfunc Version() string { return %q }\n", version)
}

// dev is a development server under test.
type dev struct {
	t    *testing.T
	dir  string
	url  string
	quit func()

	mu    sync.Mutex
	cond  *sync.Cond
	all   []event.Event
	next  int // the first event that wait has not returned or skipped
	ended bool
}

// startDev runs a development server on files and waits for the first version.
func startDev(t *testing.T, files map[string]string, change ...func(*Options)) *dev {
	t.Helper()
	d := launchDev(t, files, change...)
	d.wait(event.KindBuilt)
	return d
}

func launchDev(t *testing.T, files map[string]string, change ...func(*Options)) *dev {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &dev{t: t, dir: dir}
	d.cond = sync.NewCond(&d.mu)
	lay(t, dir, nil, files)
	in, out := io.Pipe()
	o := Options{Dir: dir, Port: AnyPort, Show: ShowJSON, Stdout: out}
	for _, f := range change {
		f(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.quit = cancel
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, o)
		out.Close()
	}()
	go d.read(in)
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("Run did not return")
		}
		if t.Failed() {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, e := range d.all {
				if e.Kind != event.KindRequest || len(d.all) < 100 {
					t.Log(describe(e))
				}
			}
		}
	})
	d.url = d.wait(event.KindListening).URL
	return d
}

func (d *dev) read(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var e event.Event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			d.t.Errorf("%v: %s", err, s.Text())
		}
		d.mu.Lock()
		d.all = append(d.all, e)
		d.cond.Broadcast()
		d.mu.Unlock()
	}
	d.mu.Lock()
	d.ended = true
	d.cond.Broadcast()
	d.mu.Unlock()
}

// wait returns the next event of one of the kinds, skipping others.
func (d *dev) wait(kinds ...string) event.Event {
	d.t.Helper()
	timer := time.AfterFunc(patience, func() {
		d.mu.Lock()
		d.ended = true
		d.cond.Broadcast()
		d.mu.Unlock()
	})
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		for d.next < len(d.all) {
			e := d.all[d.next]
			d.next++
			for _, kind := range kinds {
				if e.Kind == kind {
					return e
				}
			}
		}
		if d.ended {
			d.t.Fatalf("no %s", strings.Join(kinds, " or "))
		}
		d.cond.Wait()
	}
}

// count returns the number of events of a kind so far.
func (d *dev) count(kind string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.all {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func (d *dev) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// replace saves like many editors: a new file, renamed over the old one.
func (d *dev) replace(name, text string) {
	d.t.Helper()
	d.write(name+"~", text)
	if err := os.Rename(filepath.Join(d.dir, name+"~"), filepath.Join(d.dir, name)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dev) remove(name string) {
	d.t.Helper()
	if err := os.RemoveAll(filepath.Join(d.dir, name)); err != nil {
		d.t.Fatal(err)
	}
}

type response struct {
	status int
	body   string
	header http.Header
}

// get sends a request, with headers as name-value pairs.
func (d *dev) get(path string, headers ...string) response {
	d.t.Helper()
	req, err := http.NewRequest(http.MethodGet, d.url+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response{res.StatusCode, string(body), res.Header}
}

// expect checks that the program responds with version. fresh is whether the response
// must come from the newest source.
func (d *dev) expect(version string, fresh bool) {
	d.t.Helper()
	a := d.get("/")
	stale := a.header.Get(proxy.BuildHeader)
	if a.status != http.StatusOK || a.body != version || (stale == "") != fresh {
		d.t.Errorf("got %d %q with %s %q, want %q (newest: %v)", a.status, a.body, proxy.BuildHeader, stale, version, fresh)
	}
}

// becomes waits until the program, built from the newest source, responds with version.
func (d *dev) becomes(version string) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		a := d.get("/")
		if a.body == version && a.header.Get(proxy.BuildHeader) == "" {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("got %d %q, want %q", a.status, a.body, version)
		}
		time.Sleep(2 * time.Millisecond) // requests wait for builds, so this is rarely needed
	}
}

// sync makes wait skip all events up to now.
func (d *dev) sync() {
	d.t.Helper()
	path := fmt.Sprint("/sync-", time.Now().UnixNano())
	d.get(path)
	for d.wait(event.KindRequest).Request.Path != path {
	}
}

func with(files map[string]string, name, text string) map[string]string {
	files = maps.Clone(files)
	files[name] = text
	return files
}

// lay changes the files in dir from before to files and returns the paths that changed.
func lay(t *testing.T, dir string, before, files map[string]string) []string {
	t.Helper()
	var paths []string
	for name, text := range files {
		if old, ok := before[name]; ok && old == text {
			continue
		}
		path := filepath.Join(dir, name)
		paths = append(paths, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name := range before {
		if _, ok := files[name]; !ok {
			path := filepath.Join(dir, name)
			paths = append(paths, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.Sort(paths)
	return paths
}
