package e2e

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/nexios-go/nexios/e2e/services"
)

func TestContractHelp(t *testing.T) {
	t.Parallel()
	b := newBlog(t)
	for _, word := range []string{"--help", "-h", "help"} {
		out, problems, code := b.command("", word)
		if code != 0 {
			t.Errorf("%s: exit %d\n%s", word, code, problems)
		}
		for _, want := range []string{
			"APP_ENV", "APP_SECRET", "ADDR", "127.0.0.1:8000", "DATABASE_URL", "sqlite:data/blog.db", "REDIS_URL", "FILES_URL", "SMTP_URL", "MAIL_FROM", "CORS_ORIGINS",
			"TRUSTED_PROXIES", "RATE_LIMIT", "100/60s", "METRICS_ADDR", "LOG_LEVEL", "LOG_FORMAT", "DEBUG",
			"serve", "migrate up", "migrate down", "migrate status", "migrate redo", "db check", "db reset", "user create", "routes", "openapi", "jobs", "work",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not mention %s", word, want)
			}
		}
	}
	out, _, code := b.command("", "routes")
	if code != 0 || !strings.Contains(out, "/api/v1/posts/:id") {
		t.Errorf("routes: exit %d\n%s", code, out)
	}
	for _, args := range [][]string{{"migrate", "up", "--help"}, {"user", "create", "--help"}, {"work", "--help"}, {"jobs", "ls", "--help"}} {
		if out, problems, code := b.command("", args...); code != 0 || out+problems == "" {
			t.Errorf("%v: exit %d\n%s%s", args, code, out, problems)
		}
	}
}

// TestContractSettings: malformed and unknown settings prevent the start, with an error
// that says what, where, and what to type.
func TestContractSettings(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"APP_ENV=prod", "APP_ENV=", "ADDR=nowhere", "ADDR=127.0.0.1:99999", "DATABASE_URL=oracle://x", "DATABASE_URL=postgres://%zz", "RATE_LIMIT=many", "RATE_LIMIT=0/60s", "RATE_LIMIT=100",
		"CORS_ORIGINS=*", "CORS_ORIGINS=example.com", "CORS_ORIGINS=https://a.example/path", "TRUSTED_PROXIES=proxy", "LOG_LEVEL=loud", "LOG_FORMAT=xml", "DEBUG=maybe", "METRICS_ADDR=x",
		"SMTP_URL=gopher://x", "SMTP_URL=file:", "MAIL_FROM=nobody", "FILES_URL=ftp://x", "FILES_MAX=-1", "REDIS_URL=http://x", "AUTH_REFRESH=header", "AUTH_ACCESS_TTL=1s", "AUTH_ACCESS_TTL=soon", "WS_HISTORY=51",
		"APP_URL=here",
	} {
		name, value, _ := strings.Cut(setting, "=")
		b := newBlog(t, setting)
		for _, args := range [][]string{{"routes"}, {}} {
			if value == "" { // as if unset
				if len(args) > 0 && name == "APP_ENV" {
					if out, problems, code := b.command("", args...); code != 0 {
						t.Errorf("%s: exit %d\n%s%s", setting, code, out, problems)
					}
				}
				continue
			}
			out, problems, code := b.command("", args...)
			if code == 0 || !strings.Contains(problems, name) || !strings.Contains(problems, "try:") || !strings.HasPrefix(problems, "error: ") || strings.Contains(problems, "goroutine") {
				t.Errorf("%s: exit %d\n%s%s", setting, code, out, problems)
			}
		}
	}

	// Errors of all settings are reported together.
	wrong := []string{"AUTH_ACCESS_TTL=soon", "RATE_LIMIT=many", "LOG_LEVEL=loud", "ADDR=nowhere", "DATABASE_URL=oracle://x", "FILES_URL=ftp://x", "MAIL_FROM=nobody"}
	b := newBlog(t, wrong...)
	_, problems, code := b.command("", "routes")
	for _, setting := range wrong {
		if name, _, _ := strings.Cut(setting, "="); code == 0 || !strings.Contains(problems, name) {
			t.Errorf("exit %d, nothing of %s:\n%s", code, name, problems)
		}
	}

	// Production requires a secret, and does not show internals.
	for _, settings := range [][]string{
		{"APP_SECRET="}, {"APP_SECRET=short"}, {"APP_SECRET=" + strings.Repeat("a", 64)}, {"APP_SECRET=changeme-changeme-changeme-changeme"}, {"DEBUG=true"},
	} {
		b := newBlog(t, append([]string{"APP_ENV=production", "SMTP_URL=smtp://mail.example.com", "MAIL_FROM=a@example.com"}, settings...)...)
		name, _, _ := strings.Cut(settings[0], "=")
		if out, problems, code := b.command(""); code == 0 || !strings.Contains(problems, name) || !strings.Contains(problems, "try:") {
			t.Errorf("production with %v: exit %d\n%s%s", settings, code, out, problems)
		}
	}

	// An unknown name in the file.
	b = newBlog(t)
	if err := os.WriteFile(filepath.Join(b.dir, ".env"), []byte("DATABSE_URL=sqlite:x.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.env = append(b.env, "APP_ENV=development")
	if out, problems, code := b.command("", "routes"); code == 0 || !strings.Contains(problems, "DATABSE_URL") || !strings.Contains(problems, "DATABASE_URL") {
		t.Errorf(".env with an unknown name: exit %d\n%s%s", code, out, problems)
	}
	if err := os.WriteFile(filepath.Join(b.dir, ".env"), []byte("DATABASE_URL=sqlite:other.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, problems, code := b.command("", "migrate", "up"); code != 0 {
		t.Errorf("exit %d\n%s%s", code, out, problems)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "other.db")); err != nil {
		t.Errorf(".env is not read: %v", err)
	}

	// Production does not use a developer's secret.
	b = newBlog(t, "APP_ENV=production", "SMTP_URL=smtp://mail.example.com", "MAIL_FROM=a@example.com", "APP_SECRET=")
	if err := os.WriteFile(filepath.Join(b.dir, ".env"), []byte("APP_SECRET="+rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, problems, code := b.command("", "routes"); code == 0 || !strings.Contains(problems, "APP_SECRET is missing") {
		t.Errorf("production with .env alone: exit %d\n%s%s", code, out, problems)
	}
}

func TestContractCommands(t *testing.T) {
	t.Parallel()
	b := newBlog(t)
	run := func(want int, stdin string, args ...string) string {
		t.Helper()
		out, problems, code := b.command(stdin, args...)
		if code != want {
			t.Fatalf("%v: exit %d, want %d\n%s%s", args, code, want, out, problems)
		}
		if want != 0 && (!strings.HasPrefix(problems, "error: ") || !strings.Contains(problems, "try:")) {
			t.Errorf("%v: not a complete error message:\n%s", args, problems)
		}
		return out
	}
	run(0, "", "migrate", "status")
	run(3, "", "db", "check")
	run(0, "", "migrate", "up")
	run(0, "", "db", "check")
	first := run(0, "", "migrate", "status")
	if strings.Contains(first, "pending") || strings.Count(first, "\n") < 4 {
		t.Errorf("status after up:\n%s", first)
	}
	run(0, "", "migrate", "up")
	run(0, "", "migrate", "redo")
	run(0, "", "migrate", "down")
	if after := run(0, "", "migrate", "status"); strings.Count(after, "pending") != 1 {
		t.Errorf("status after down:\n%s", after)
	}
	run(0, "", "migrate", "down", "100")
	run(0, "", "migrate", "up")
	run(2, "", "migrate", "sideways")
	run(2, "", "migrate", "down", "x")
	run(2, "", "nonsense")
	run(2, "", "serve", "extra")

	create := func(name, email string, more ...string) []string {
		return append([]string{"user", "create", "--username", name, "--email", email}, more...)
	}
	run(0, goodPassword+"\n", create("root", "root@example.com", "--admin")...)
	run(0, goodPassword, create("anna", "anna@example.com")...)
	run(1, goodPassword+"\n", create("ROOT", "other@example.com")...)
	run(1, goodPassword+"\n", create("other", "Root@Example.com")...)
	run(1, "weak\n", create("other", "other@example.com")...)
	run(1, "", create("other", "other@example.com")...)
	run(2, goodPassword+"\n", create("ab", "ab@example.com")...)
	run(2, goodPassword+"\n", create("other", "nowhere")...)
	run(2, goodPassword+"\n", "user", "create")
	s := b.serve()
	for name, role := range map[string]string{"root": "admin", "anna": "user"} {
		if got := s.login(name, goodPassword).get(mePath).want(200).text("role"); got != role {
			t.Errorf("%s is %s", name, got)
		}
	}
	taken := newBlog(t, "ADDR="+s.addr)
	if _, problems, code := taken.command(""); code != 1 || !strings.Contains(problems, s.addr) || !strings.Contains(problems, "try:") {
		t.Errorf("address in use: exit %d\n%s", code, problems)
	}
}

// TestContractFirstAdministrator: an administrator can be created before the first start;
// in production the schema has to be migrated first, and the error says so.
func TestContractFirstAdministrator(t *testing.T) {
	t.Parallel()
	words := []string{"user", "create", "--username", "root", "--email", "root@example.com", "--admin"}
	for _, env := range []string{"development", "test"} {
		b := newBlog(t, "APP_ENV="+env)
		if out, problems, code := b.command(goodPassword+"\n", words...); code != 0 || !strings.Contains(out, "root") {
			t.Errorf("%s: exit %d\n%s%s", env, code, out, problems)
		}
		b.serve().login("root", goodPassword)
	}
	b := newBlog(t, "APP_ENV=production", "MAIL_FROM=a@example.com", "APP_URL=https://blog.example.com")
	for _, words := range [][]string{words, {"jobs", "ls"}} {
		if _, problems, code := b.command(goodPassword+"\n", words...); code != 1 || !strings.Contains(problems, "migrations are pending") || !strings.Contains(problems, "try: migrate up") {
			t.Errorf("%v before the schema: exit %d\n%s", words, code, problems)
		}
	}
}

// TestContractProduction: in production the start does not migrate the schema, and
// responses do not reveal internal errors.
func TestContractProduction(t *testing.T) {
	t.Parallel()
	b := newBlog(t, "APP_ENV=production", "MAIL_FROM=Blog <blog@example.com>", "APP_URL=https://blog.example.com")
	if _, problems, code := b.command("", "migrate", "up"); code != 0 {
		t.Fatalf("migrate up: exit %d\n%s", code, problems)
	}
	s := b.serve()
	s.register("anna")
	a := s.client().post(loginPath, credentials("anna", goodPassword)).want(200)
	if cookie := cookieOf(a, "refresh_token"); !cookie.Secure || !cookie.HttpOnly {
		t.Errorf("cookie %s", cookie)
	}
	s.client().get("/dev/mail").wantFault(404, "")
	line, _, _ := strings.Cut(s.log.String(), "\n")
	var record map[string]any
	if err := json.Unmarshal([]byte(line), &record); err != nil || record["level"] == nil || record["msg"] == nil {
		t.Errorf("the log is not JSON: %s", line)
	}
	// The database fails while it is running.
	for _, debug := range []bool{false, true} {
		b := newBlog(t, fmt.Sprint("DEBUG=", debug))
		s := b.serve()
		if err := breakDatabase(filepath.Join(b.dir, "data", "blog.db")); err != nil {
			t.Fatal(err)
		}
		a := s.client().with("X-Request-ID", "broken-1").post(apiBase+"/users", registration("anna")).wantFault(500, "Internal server error")
		detail, present := a.json()["detail"]
		if _, text := detail.(string); !present || text != debug {
			t.Errorf("DEBUG=%v: detail is %v", debug, detail)
		}
		s.logs(`"level":"ERROR"`, "broken-1", "no such table")
		s.client().get("/healthz").want(200)
	}
}

func breakDatabase(file string) error {
	database, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(0)")
	if err != nil {
		return err
	}
	defer database.Close()
	_, err = database.Exec("DROP TABLE users")
	return err
}

// TestContractReplicas: two processes on one PostgreSQL act as one application.
func TestContractReplicas(t *testing.T) {
	t.Parallel()
	shared := services.Postgres(t)
	admin, err := sql.Open("pgx", shared)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := fmt.Sprintf("contract_%d", time.Now().UnixNano())
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.Exec("DROP DATABASE " + name + " WITH (FORCE)") })
	where, err := url.Parse(shared)
	if err != nil {
		t.Fatal(err)
	}
	where.Path = "/" + name

	b := newBlog(t, "DATABASE_URL="+where.String(), "REDIS_URL="+services.Redis(t))
	one, two := b.serve(), b.serve()
	anna := one.register("anna")
	there := two.client().as(anna.token)
	there.get(mePath).want(200)

	count := atOnce(20, func(i int) int {
		s := one
		if i%2 == 1 {
			s = two
		}
		return s.client().post(apiBase+"/users", registration("emil")).status
	})
	if count[201] != 1 || count[409] != 19 {
		t.Errorf("20 equal creations: %v", count)
	}
	b.awaitLetter("anna@example.com", "Welcome")
	b.awaitLetter("emil@example.com", "Welcome")
	if n := len(b.letters("emil@example.com")); n != 1 {
		t.Errorf("%d mails", n)
	}
	refresh := atOnce(10, func(i int) string {
		c := anna.browser()
		if i%2 == 1 {
			c.url = two.url
		}
		a := c.post(refreshPath, nil)
		return fmt.Sprint(a.status, cookieOf(a, "refresh_token").Value)
	})
	if len(refresh) != 1 {
		t.Errorf("10 refreshes at once: %v", refresh)
	}
	// Both share one rate limit.
	limited := newBlog(t, "DATABASE_URL="+where.String(), "REDIS_URL="+services.Redis(t), "RATE_LIMIT=6/60s", "TRUSTED_PROXIES=127.0.0.1")
	pair := []*server{limited.serve(), limited.serve()}
	from := fmt.Sprintf("198.51.%d.%d", time.Now().UnixNano()%250, time.Now().UnixMilli()%250)
	for i := range 8 {
		want := 401 // not logged in
		if i >= 6 {
			want = 429
		}
		a := pair[i%2].client().with("X-Forwarded-For", from).get(apiBase + "/posts").want(want)
		if left := a.header.Get("RateLimit-Remaining"); left != fmt.Sprint(max(5-i, 0)) || a.header.Get("RateLimit-Limit") != "6" {
			t.Errorf("request %d over both replicas has %s left of %s", i, left, a.header.Get("RateLimit-Limit"))
		}
	}

	bert := two.register("bert")
	here, far := one.join(t, anna, "lobby"), two.join(t, bert, "lobby")
	here.expect(joined)
	far.say(`{"text":"across"}`)
	here.expect(`{"type":"message","message":"across","from":"bert"}`)
	for range 5 {
		one.client().post(loginPath, credentials("anna", "Wrong-Horse-7")).want(401)
		two.client().post(loginPath, credentials("anna", "Wrong-Horse-7")).want(401)
	}
	two.client().post(loginPath, credentials("anna", goodPassword)).wantFault(429, "")
	anna.post(logoutPath, nil).want(200, 204)
	eventually(t, 5*time.Second, "logout everywhere", func() bool { return there.get(mePath).status == 401 })
	if _, err := here.receive(5 * time.Second); err == nil {
		t.Error("the logout did not close the connection")
	} else if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Error("the logout did not close the connection within 5 s")
	}
	posts := make([]map[string]any, 30)
	for i := range posts {
		posts[i] = map[string]any{"title": fmt.Sprintf("Post %d%%", i), "content": "Ünïcode ÄÖÜ", "published": true}
	}
	bert.post(apiBase+"/posts/bulk", posts).want(201)
	for query, want := range map[string]int{"search=POST": 30, "search=%25": 30, "search=_": 0, "search=%C3%BCn%C3%AFcode+%C3%A4%C3%B6%C3%BC": 30, "published=false": 0} {
		if got := bert.get(apiBase + "/posts?" + query).want(200).number("total"); got != want {
			t.Errorf("%s: total %d, want %d", query, got, want)
		}
	}
}
