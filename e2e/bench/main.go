// Bench prints the cost of generated code relative to the same handwritten API, as ratios
// of the CPU time of the server per request, all in one run on 100,000 posts in SQLite.
// Linux only: it reads /proc.
//
//	go run ./e2e/bench
//
// With -requests it only compares requests, and with -cores only requests by number of
// cores; both are parts of the full run. With -rows it compares tables of that many rows
// with tables of 100,000 instead, and with -against requests with those of another commit.
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	_ "modernc.org/sqlite"
)

const (
	posts  = 100_000
	rounds = 25
)

// server is one of the compared programs.
type server struct {
	name  string
	addr  string
	token string
	cmd   *exec.Cmd
	// helpers returns other processes that work for it; nil for none.
	helpers func() (pids []int, err error)
}

// task is one kind of request.
type task struct {
	name     string
	requests int
	aim      string // maximum of the first ratio
	make     func(s *server, n int) *http.Request
	refused  bool // the response is a 4xx
}

func main() {
	many := flag.Int("rows", 0, "compare tables of so many rows with tables of 100,000")
	onlyCores := flag.Bool("cores", false, "compare by cores alone")
	onlyRequests := flag.Bool("requests", false, "compare requests alone")
	commit := flag.String("against", "", "compare requests with the code that this commit generates")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute+time.Duration(*many)*time.Millisecond)
	defer cancel()
	if err := run(ctx, *many, *onlyCores, *onlyRequests, *commit); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, many int, onlyCores, onlyRequests bool, commit string) error {
	dir, err := os.MkdirTemp("", "nexios-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tool := filepath.Join(dir, "nexios")
	if err := do(ctx, ".", "go", "build", "-o", tool, "./cmd/nexios"); err != nil {
		return err
	}
	if many > 0 {
		return rows(ctx, tool, dir, many)
	}
	if commit != "" {
		return against(ctx, tool, dir, commit)
	}
	if onlyCores || onlyRequests {
		return requests(ctx, tool, dir, onlyCores, onlyRequests)
	}
	if err := commands(ctx, tool, dir); err != nil {
		return err
	}
	if err := requests(ctx, tool, dir, false, false); err != nil {
		return err
	}
	if err := pairs(ctx); err != nil {
		return err
	}
	return queues(ctx)
}

// queues compares background jobs on PostgreSQL with River.
func queues(ctx context.Context) error {
	if os.Getenv("NEXIOS_TEST_POSTGRES") == "" {
		fmt.Println("\nbackground jobs are compared on a PostgreSQL server: run make bench")
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "run", ".")
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Join("e2e", "bench", "river"), os.Stdout, os.Stderr
	fmt.Println("\nbackground jobs on PostgreSQL, in microseconds, and as so many times River's")
	return cmd.Run()
}

// commands times `nexios new` and `nexios add resource`, the latter also in a project with
// 100 resources.
func commands(ctx context.Context, tool, dir string) error {
	fmt.Println("commands (median of 5, wall time)")
	var times []time.Duration
	for i := range 5 {
		begin := time.Now()
		if err := do(ctx, dir, tool, "new", "small"+strconv.Itoa(i), "--no-git"); err != nil {
			return err
		}
		times = append(times, time.Since(begin))
	}
	fmt.Printf("  %-44s %6.0f ms\n", "nexios new", ms(times))
	times = nil
	large := filepath.Join(dir, "small0")
	for i := range 100 {
		begin := time.Now()
		if err := do(ctx, large, tool, "add", "resource", fmt.Sprintf("thing%dx", i), "name:string:unique", "price:decimal=10.2:min=0", "note:text:optional"); err != nil {
			return err
		}
		if i == 4 {
			fmt.Printf("  %-44s %6.0f ms\n", "nexios add resource, the first", ms(append(times, time.Since(begin))))
		}
		times = append(times, time.Since(begin))
	}
	fmt.Printf("  %-44s %6.0f ms\n", "nexios add resource, the 100th", ms(times[95:]))
	return nil
}

func ms(times []time.Duration) float64 {
	times = slices.Sorted(slices.Values(times))
	return float64(times[len(times)/2].Microseconds()) / 1000
}

func requests(ctx context.Context, tool, dir string, onlyCores, onlyRequests bool) error {
	secret := rand.Text() + rand.Text()
	if err := generate(ctx, tool, dir, "generated"); err != nil {
		return err
	}
	for _, other := range []string{"stdlib", "obvious"} {
		if err := do(ctx, ".", "go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, other), "./e2e/bench/"+other); err != nil {
			return err
		}
	}
	database := filepath.Join(dir, "generated.db")
	if err := prepare(ctx, dir, "generated", database, secret); err != nil {
		return err
	}
	var servers []*server
	for _, name := range []string{"generated", "stdlib", "dressed", "obvious"} {
		file := filepath.Join(dir, name+".db")
		if file != database {
			if err := clone(database, file); err != nil {
				return err
			}
		}
		if onlyCores {
			continue
		}
		s, err := start(ctx, dir, name, file, secret)
		if err != nil {
			return err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	if onlyCores {
		return cores(ctx, dir, secret, requested())
	}
	if err := tokens(servers, secret); err != nil {
		return err
	}
	fmt.Printf("\nserver CPU a request in us, %d posts in SQLite (medians of %d rounds in turns), and the generated code's as so many times\n", posts, rounds-1)
	if err := compare(servers, append(requested(), refused())); err != nil {
		return err
	}
	fmt.Println("  by hand: net/http and database/sql, nothing else; dressed: the same with request id, security headers, time limits and log line")
	if err := depth(servers[0]); err != nil {
		return err
	}
	if err := onPostgres(ctx, dir, secret); err != nil || onlyRequests {
		return err
	}
	return cores(ctx, dir, secret, requested())
}

// generate creates the project with the tool and builds its program at dir/name.
func generate(ctx context.Context, tool, dir, name string) error {
	home := filepath.Join(dir, "project-"+name)
	for _, args := range [][]string{
		{"new", "bench", "--no-git", "--dir", home},
		// before auth, so that its routes need no login in any version
		{"add", "resource", "post", "title:string:min=3", "content:text", "published:bool:default=false:filter", "category:string:optional:filter", "--dir", home},
		{"add", "auth", "--dir", home},
	} {
		if err := do(ctx, dir, tool, args...); err != nil {
			return err
		}
	}
	return do(ctx, home, "go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, name), ".")
}

// against compares requests with the code that another commit generates, both with the
// current indexes of posts: the choice of indexes is a separate trade-off between lists
// and writes.
func against(ctx context.Context, tool, dir, commit string) error {
	short, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "--verify", commit+"^{commit}").Output()
	if err != nil {
		return fmt.Errorf("%s is no commit of this repository", commit)
	}
	commit = strings.TrimSpace(string(short)) // which files can be named by
	source := filepath.Join(dir, "source")
	if err := do(ctx, ".", "git", "worktree", "add", "--detach", source, commit); err != nil {
		return err
	}
	defer func() { _ = do(context.WithoutCancel(ctx), ".", "git", "worktree", "remove", "--force", source) }()
	other := filepath.Join(dir, "nexios-"+commit)
	if err := do(ctx, source, "go", "build", "-o", other, "./cmd/nexios"); err != nil {
		return err
	}
	secret := rand.Text() + rand.Text()
	var servers []*server
	for _, side := range []struct{ name, tool string }{{"generated", tool}, {commit, other}} {
		if err := generate(ctx, side.tool, dir, side.name); err != nil {
			return err
		}
		database := filepath.Join(dir, side.name+".db")
		if err := prepare(ctx, dir, side.name, database, secret); err != nil {
			return err
		}
		if err := sameIndexes(ctx, filepath.Join(dir, "generated.db"), database); err != nil {
			return err
		}
		s, err := start(ctx, dir, side.name, database, secret)
		if err != nil {
			return err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	if err := tokens(servers, secret); err != nil {
		return err
	}
	fmt.Printf("server CPU a request in us, %d posts in SQLite (medians of %d rounds in turns), and as so many times that of %s on the same indexes\n", posts, rounds-1, commit)
	tasks := append(requested(), refused())
	for i := range tasks {
		tasks[i].aim = "1.03"
	}
	return compare(servers, tasks)
}

// migrate creates the tables and a user, with the program at dir/name.
func migrate(ctx context.Context, dir, name, database, secret string) error {
	for _, step := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"migrate", "up"}},
		{"Bench-passw0rd\n", []string{"user", "create", "--username", "bench", "--email", "bench@example.com"}},
	} {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, name), step.args...)
		cmd.Dir, cmd.Env, cmd.Stdin = dir, environment("", database, secret), strings.NewReader(step.stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", step.args, err, out)
		}
	}
	return nil
}

// prepare creates the tables, a user, and the posts.
func prepare(ctx context.Context, dir, name, database, secret string) error {
	if err := migrate(ctx, dir, name, database, secret); err != nil {
		return err
	}
	pool, err := sql.Open("sqlite", "file:"+database)
	if err != nil {
		return err
	}
	defer pool.Close()
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	insert, err := tx.Prepare("INSERT INTO posts (title, content, published, category, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range posts {
		now := at.Add(time.Duration(i) * time.Second).Format("2006-01-02 15:04:05.999999999-07:00")
		if _, err := insert.Exec(fmt.Sprintf("Post number %d", i), strings.Repeat("Some content. ", 12), i%2 == 0, []string{"go", "web", "db"}[i%3], now, now); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err = pool.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// sameIndexes gives posts in the database to the same indexes as in from.
func sameIndexes(ctx context.Context, from, to string) error {
	if from == to {
		return nil
	}
	pool, err := sql.Open("sqlite", "file:"+to)
	if err != nil {
		return err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1) // ATTACH applies to one connection
	if _, err := pool.ExecContext(ctx, "ATTACH ? AS other", from); err != nil {
		return err
	}
	for _, change := range []string{
		"SELECT 'DROP INDEX ' || name AS s FROM main.sqlite_master WHERE type = 'index' AND tbl_name = 'posts' AND sql IS NOT NULL",
		"SELECT sql AS s FROM other.sqlite_master WHERE type = 'index' AND tbl_name = 'posts' AND sql IS NOT NULL",
	} {
		var statements string
		if err := pool.QueryRowContext(ctx, "SELECT coalesce(group_concat(s, '; '), '') FROM ("+change+")").Scan(&statements); err != nil {
			return err
		}
		if _, err := pool.ExecContext(ctx, statements); err != nil {
			return err
		}
	}
	_, err = pool.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

func clone(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

func environment(addr, database, secret string) []string {
	if !strings.Contains(database, "://") {
		database = "sqlite:" + database
	}
	return append(os.Environ(), "ADDR="+addr, "APP_ENV=production", "APP_SECRET="+secret, "DATABASE_URL="+database,
		"RATE_LIMIT=off", "USERS=yes", "GOMAXPROCS=2", "SMTP_URL=file:"+filepath.Join(os.TempDir(), "mail"), "MAIL_FROM=bench@example.com")
}

// start runs a server on a database. before has settings, as name=value, and a command
// prefix.
func start(ctx context.Context, dir, name, database, secret string, before ...string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{name: name, addr: l.Addr().String()}
	l.Close()
	binary, env := name, environment(s.addr, database, secret)
	if name == "dressed" {
		binary, env = "stdlib", append(env, "DRESSED=yes")
	}
	// Access logs are written, as in production: a nil Stderr is the null device.
	words := append(slices.Clone(before), filepath.Join(dir, binary))
	first := slices.IndexFunc(words, func(word string) bool { return !strings.Contains(word, "=") })
	env, words = append(env, words[:first]...), words[first:]
	s.cmd = exec.CommandContext(ctx, words[0], words[1:]...)
	s.cmd.Dir, s.cmd.Env = dir, env
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get("http://" + s.addr + "/healthz"); err == nil {
			answer.Body.Close()
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer", name)
}

func (s *server) stop() {
	s.cmd.Process.Signal(os.Interrupt)
	s.cmd.Wait()
}

// tokens logs in to generated programs and signs a token for the others.
func tokens(servers []*server, secret string) error {
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject: "1", IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).SignedString([]byte(secret))
	if err != nil {
		return err
	}
	for _, s := range servers {
		s.token = signed
		if slices.Contains([]string{"stdlib", "dressed", "obvious"}, s.name) {
			continue
		}
		answer, err := http.Post("http://"+s.addr+"/api/v1/auth/login", "application/json", strings.NewReader(`{"username":"bench","password":"Bench-passw0rd"}`))
		if err != nil {
			return err
		}
		var out struct {
			Token string `json:"access_token"`
		}
		err = json.NewDecoder(answer.Body).Decode(&out)
		answer.Body.Close()
		if err != nil || out.Token == "" {
			return fmt.Errorf("login: status %d, %v", answer.StatusCode, err)
		}
		s.token = out.Token
	}
	return nil
}

// requested returns the kinds of requests that are compared.
func requested() []task {
	get := func(path func(n int) string) func(*server, int) *http.Request {
		return func(s *server, n int) *http.Request {
			r, _ := http.NewRequest(http.MethodGet, "http://"+s.addr+path(n), nil)
			r.Header.Set("Authorization", "Bearer "+s.token)
			return r
		}
	}
	return []task{
		{name: "get", requests: 1500, aim: "1.40", make: get(func(n int) string { return fmt.Sprintf("/api/v1/posts/%d", n*7919%posts+1) })},
		{name: "list with total", requests: 400, aim: "1.30", make: get(func(n int) string { return fmt.Sprintf("/api/v1/posts?limit=20&page=%d", n%50+1) })},
		{name: "create", requests: 1000, aim: "1.25", make: func(s *server, n int) *http.Request {
			return post(s, fmt.Sprintf(`{"title":"New post %d","content":"Some content","published":true,"category":"go"}`, n))
		}},
		{name: "me (JWT)", requests: 1500, aim: "1.40", make: get(func(int) string { return "/api/v1/users/me" })},
	}
}

// refused is a request whose body violates the rules of two fields.
func refused() task {
	return task{name: "refused (422)", requests: 1500, aim: "1.40", refused: true, make: func(s *server, _ int) *http.Request {
		return post(s, `{"title":"No","published":true,"category":"go"}`)
	}}
}

func post(s *server, body string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "http://"+s.addr+"/api/v1/posts", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// compare prints the cost of requests to each server, and the ratios of the first to the
// others.
func compare(servers []*server, tasks []task) error {
	others := servers[1:]
	fmt.Printf("  %-18s %9s", "", servers[0].name)
	for _, s := range others {
		fmt.Printf(" %9s", s.title())
	}
	for i, s := range others {
		fmt.Printf("   %s", "/ "+s.title()+[]string{" (aim)", ""}[min(i, 1)])
	}
	fmt.Println()
	for _, t := range tasks {
		costs := make([][]float64, len(servers))
		for round := range rounds {
			for i, s := range servers {
				cost, err := s.cost(t, round)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", t.name, s.name, err)
				}
				if round > 0 { // the first round warms up
					costs[i] = append(costs[i], cost)
				}
			}
		}
		fmt.Printf("  %-18s", t.name)
		for i := range servers {
			fmt.Printf(" %9.1f", median(costs[i]))
		}
		fmt.Printf("   %8.2f (%s)", ratio(costs[0], costs[1]), t.aim)
		for i := range others[1:] {
			fmt.Printf(" %10.2f", ratio(costs[0], costs[i+2]))
		}
		fmt.Println()
	}
	return nil
}

// title returns the server's name in a table.
func (s *server) title() string {
	if s.name == "stdlib" {
		return "by hand"
	}
	return s.name
}

// depth compares a page by cursor after the first rows with one after row 90,000.
func depth(s *server) error {
	var costs [2][]float64
	var tasks [2]task
	for i, page := range []int{1, 4500} {
		answer, err := http.Get(fmt.Sprintf("http://%s/api/v1/posts?limit=20&page=%d", s.addr, page))
		if err != nil {
			return err
		}
		var out struct {
			Next string `json:"next_cursor"`
		}
		err = json.NewDecoder(answer.Body).Decode(&out)
		answer.Body.Close()
		if err != nil || out.Next == "" {
			return fmt.Errorf("page %d has no cursor: status %d, %w", page, answer.StatusCode, err)
		}
		tasks[i] = task{name: "cursor", requests: 400, make: func(s *server, _ int) *http.Request {
			r, _ := http.NewRequest(http.MethodGet, "http://"+s.addr+"/api/v1/posts?limit=20&cursor="+out.Next, nil)
			return r
		}}
	}
	for round := range rounds {
		for i, t := range tasks {
			cost, err := s.cost(t, round)
			if err != nil {
				return fmt.Errorf("page by cursor: %w", err)
			}
			if round > 0 {
				costs[i] = append(costs[i], cost)
			}
		}
	}
	fmt.Printf("  page by cursor at row 90,000 %.1f, at row 1 %.1f: %.2f (1.00)\n", median(costs[1]), median(costs[0]), ratio(costs[1], costs[0]))
	return nil
}

func median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// ratio returns the median of the ratios by round.
func ratio(a, b []float64) float64 {
	var ratios []float64
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	return median(ratios)
}

// cost returns the server's CPU time per request, in microseconds.
func (s *server) cost(t task, round int) (float64, error) { return s.load(t, round, 4) }

// load returns the cost per request with that number of clients.
func (s *server) load(t task, round, clients int) (float64, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		wrong error
	)
	for client := range clients {
		wait.Go(func() {
			transport := &http.Client{Transport: &http.Transport{DisableCompression: true}}
			defer transport.CloseIdleConnections()
			for n := client; n < t.requests; n += clients {
				answer, err := transport.Do(t.make(s, round*t.requests+n))
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
					if t.refused != (answer.StatusCode/100 == 4) || answer.StatusCode >= 500 {
						err = errors.Join(err, fmt.Errorf("status %d", answer.StatusCode))
					}
				}
				if err != nil {
					mu.Lock()
					wrong = errors.Join(wrong, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wait.Wait()
	after, err := s.cpu()
	return float64((after - before).Nanoseconds()) / 1000 / float64(t.requests), errors.Join(wrong, err)
}

// cpu returns the CPU time of the server's threads.
func (s *server) cpu() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("no /proc/%d: this bench needs Linux", s.cmd.Process.Pid)
	}
	if s.helpers != nil {
		pids, err := s.helpers()
		if err != nil {
			return 0, err
		}
		for _, pid := range pids {
			files = append(files, fmt.Sprintf("/proc/%d/schedstat", pid))
		}
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

func do(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}
