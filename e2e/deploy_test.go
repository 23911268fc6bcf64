package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// deployed builds testdata/deploy, which reads compose files and manifests.
var deployed = sync.OnceValues(func() (string, error) {
	exe := filepath.Join(filepath.Dir(tool), "deploy.exe")
	build := exec.Command("go", "build", "-o", exe, ".")
	build.Dir, build.Env = filepath.Join("testdata", "deploy"), append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("testdata/deploy: %w\n%s", err, out)
	}
	return exe, nil
})

// composed is a compose file with the values of an environment.
type composed struct {
	Services map[string]composedService
	Volumes  map[string]any
}

type composedService struct {
	Image       string
	Build       any
	Command     []string
	Environment map[string]*string
	DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
	Healthcheck *struct{ Test []string }
	Volumes     []struct{ Source, Target string }
	ReadOnly    bool     `json:"read_only"`
	CapDrop     []string `json:"cap_drop"`
	SecurityOpt []string `json:"security_opt"`
	Tmpfs       []string
}

// compose reads the compose file in a folder.
func compose(t *testing.T, dir string, env ...string) (c composed, problems string) {
	t.Helper()
	exe, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "compose", filepath.Join(dir, "compose.yaml"))
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	var out, failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failure
	if err := cmd.Run(); err != nil {
		return c, failure.String()
	}
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	return c, ""
}

// TestComposeFiles renders the compose file for every combination of a database and the
// features that it depends on: it is valid, each setting is one of the program's,
// dependencies exist and have health checks, and the program has only the rights it needs.
func TestComposeFiles(t *testing.T) {
	t.Parallel()
	catalog, err := templates.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	choices := []spec.Feature{
		{Name: "auth"}, {Name: "mail"}, {Name: "redis"}, {Name: "metrics"}, {Name: "traces"},
		{Name: "uploads"}, {Name: "uploads", Options: map[string]string{"store": "s3"}},
	}
	exe, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	dir := t.TempDir()
	for _, database := range []string{"sqlite", "postgres", "mysql"} {
		seen := map[string]bool{}
		for set := range 1 << len(choices) {
			p := spec.Project{Nexios: catalog.Version, Name: "shop", Module: "shop", Database: database}
			for i, f := range choices {
				if set>>i&1 == 1 && !p.HasFeature(f.Name) {
					if p, err = catalog.Add(p, f); err != nil {
						t.Fatal(err)
					}
				}
			}
			slices.SortFunc(p.Features, func(a, b spec.Feature) int { return strings.Compare(a.Name, b.Name) })
			if key := fmt.Sprint(p.Features); seen[key] {
				continue
			}
			seen[fmt.Sprint(p.Features)] = true
			changes, err := catalog.Change(spec.Project{}, p, os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			for _, op := range changes.Ops {
				if op.Path == "compose.yaml" {
					name := filepath.Join(dir, fmt.Sprintf("%s-%d", database, set), "compose.yaml")
					if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(name, op.After, 0o644); err != nil {
						t.Fatal(err)
					}
					files = append(files, name)
				}
			}
		}
	}
	cmd := exec.Command(exe, append([]string{"compose"}, files...)...)
	cmd.Env = append(os.Environ(), "APP_SECRET=s", "DATABASE_PASSWORD=p", "FILES_PASSWORD=f")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &problems)
	}
	read := json.NewDecoder(bytes.NewReader(out))
	for _, file := range files {
		var c composed
		if err := read.Decode(&c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for name, s := range c.Services {
			for other, on := range s.DependsOn {
				if on.Condition == "service_healthy" && c.Services[other].Healthcheck == nil {
					t.Errorf("%s: %s waits for the health of %s, which has no check", file, name, other)
				}
			}
			if s.Build != nil && (!s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) ||
				!slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || !slices.Equal(s.Tmpfs, []string{"/tmp"})) {
				t.Errorf("%s: %s has more rights than it needs: %+v", file, name, s)
			}
			for _, v := range s.Volumes {
				if _, ok := c.Volumes[v.Source]; !ok {
					t.Errorf("%s: %s has an unknown volume %s", file, name, v.Source)
				}
			}
		}
		if c.Services["app"].DependsOn["migrate"].Condition != "service_completed_successfully" {
			t.Errorf("%s: the program does not wait for its migrations", file)
		}
	}
}

// TestComposeStarts carries out the guide's compose file without containers, with the same
// environment, commands and order: the program registers a user, sends mail, counts
// requests in Redis and stores uploads, with a password that needs no escaping.
func TestComposeStarts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts database servers")
	}
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			name := "blog" + strings.ToLower(rand.Text()[:8])
			p := newProject(t, name, "--preset", "guide", "--db", database)
			const password = `p@ss:w/rd?#&+$x%!"'`
			if _, problems := compose(t, p.dir); !strings.Contains(problems, "APP_SECRET") && !strings.Contains(problems, "DATABASE_PASSWORD") {
				t.Errorf("without secrets\n%s", problems)
			}
			c, problems := compose(t, p.dir, "APP_SECRET="+rand.Text()+rand.Text(), "DATABASE_PASSWORD="+password)
			if problems != "" {
				t.Fatal(problems)
			}
			exe, err := guideBinary()
			if err != nil {
				t.Fatal(err)
			}
			x := newContainers(t, name, exe, c)
			s := x.start("app")
			u := s.register("ada")
			eventually(t, 30*time.Second, "welcome mail", func() bool { return strings.Contains(x.mail(), "To: <ada@example.com>") })
			u.upload(file("a.txt", "a")).want(201)
			if keys, err := x.redis.Keys(t.Context(), "ratelimit:*").Result(); err != nil || len(keys) == 0 {
				t.Errorf("requests not counted in Redis: %v, %v", keys, err)
			}
			if err := s.process.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := <-s.ended; err != nil {
				t.Errorf("exit status: %v", err)
			}
			s = x.start("app") // migrated already
			s.login("ada", goodPassword)
			if entries, err := os.ReadDir(x.dir); err != nil || len(entries) != 1 {
				t.Errorf("files outside of data, which compose.yaml makes read-only: %v, %v", entries, err)
			}
		})
	}
}

// TestDeploy adds the files of each deployment target: they are valid, every setting is
// one of the program's, and they are updated with the project.
func TestDeploy(t *testing.T) {
	t.Parallel()
	exe, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	help, _, _ := newBlog(t).command("", "--help")
	known := func(p project, file string, form *regexp.Regexp) {
		t.Helper()
		found := form.FindAllStringSubmatch(p.read(file), -1)
		for _, name := range found {
			if !strings.Contains(help, "\n  "+name[1]+" ") && name[1] != "GOMEMLIMIT" {
				t.Errorf("%s: unknown setting %s", file, name[1])
			}
		}
		if len(found) < 3 {
			t.Errorf("%s: settings %v", file, found)
		}
	}
	kubernetes := func(p project, name string, wants, lacks string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(p.dir, "deploy", "kubernetes", "*.yaml"))
		if err != nil || len(files) != 3 {
			t.Fatalf("manifests %v, %v", files, err)
		}
		p.run(exe, append([]string{"kubernetes"}, files...)...)
		text := p.read("deploy/kubernetes/" + name + ".yaml")
		for want := range strings.SplitSeq(wants, ", ") {
			if !strings.Contains(text, want) {
				t.Errorf("no %q with a database server", want)
			}
		}
		for lack := range strings.SplitSeq(lacks, ", ") {
			if strings.Contains(text, lack) {
				t.Errorf("unexpected %q", lack)
			}
		}
		known(p, "deploy/kubernetes/settings.yaml", regexp.MustCompile(`(?m)^  ([A-Z_]+): `))
	}

	small := newProject(t, "small")
	small.nexios("add", "deploy")
	kubernetes(small, "small", "replicas: 1, initContainers:, PersistentVolumeClaim", "kind: Job, PodDisruptionBudget")
	if out, code := small.try(tool, "add", "deploy", "--to", "fly"); code != 2 || !strings.Contains(out, "SQLite") {
		t.Errorf("fly with SQLite: exit %d\n%s", code, out)
	}

	p := newProject(t, "shop", "--db", "postgres")
	without := p.tree()
	for _, words := range []string{"uploads --store s3", "redis", "metrics", "deploy", "deploy --to systemd"} {
		p.nexios(append([]string{"add"}, strings.Fields(words)...)...)
	}
	kubernetes(p, "shop", "replicas: 2, kind: Job, PodDisruptionBudget, readinessProbe, livenessProbe, requests:, readOnlyRootFilesystem: true, prometheus.io", "initContainers, PersistentVolumeClaim")
	p.nexios("add", "deploy", "--to", "fly")
	p.nexios("add", "traces")
	known(p, "deploy/systemd/shop.env", regexp.MustCompile(`(?m)^([A-Z_]+)=`))
	known(p, "compose.yaml", regexp.MustCompile(`(?m)^    ([A-Z][A-Z_]+): `))
	_, env, _ := strings.Cut(p.read("fly.toml"), "[env]")
	p.write("env.txt", env)
	known(p, "env.txt", regexp.MustCompile(`(?m)^([A-Z_]+) = `))
	if verify, err := exec.LookPath("systemd-analyze"); err == nil {
		unit := filepath.Join(t.TempDir(), "shop.service")
		if err := os.WriteFile(unit, []byte(strings.ReplaceAll(p.read("deploy/systemd/shop.service"), "/usr/local/bin/shop", exe)), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, code := p.try(verify, "verify", unit); code != 0 {
			t.Errorf("systemd unit: %s", out)
		}
		if out, code := p.try(verify, "security", "--offline=true", "--no-pager", "--threshold=20", unit); code != 0 {
			t.Errorf("the unit has an exposure of more than 2.0 of 10:\n%s", out)
		}
	}
	if err := os.Remove(filepath.Join(p.dir, "env.txt")); err != nil {
		t.Fatal(err)
	}
	for range 7 {
		p.nexios("undo")
	}
	sameTree(t, without, p.tree())
}

// TestExtras adds each of the small files: they are valid, they refer to existing names,
// and undo removes them.
func TestExtras(t *testing.T) {
	t.Parallel()
	exe, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, "shop")
	without := p.tree()
	p.nexios("add", "extras")
	p.nexios("add", "extras", "--with", "vscode/devcontainer/dependabot/grafana/litestream")
	for _, target := range []string{"dev", "test", "check", "migrate", "build"} {
		p.run("make", "-n", target)
	}
	if launch := p.read(".vscode/launch.json"); !json.Valid([]byte(launch)) || !strings.Contains(launch, `"port": 2345`) {
		t.Errorf("launch.json:\n%s", launch)
	}
	if container := p.read(".devcontainer/devcontainer.json"); !json.Valid([]byte(container)) {
		t.Errorf("devcontainer.json:\n%s", container)
	}
	p.run(exe, "dependabot", ".github/dependabot.yml")
	p.run(exe, "litestream", "deploy/litestream.yml")
	if !strings.Contains(p.read("deploy/litestream.yml"), "path: data/shop.db") || !strings.Contains(p.read(".env"), "sqlite:data/shop.db") {
		t.Error("Litestream replicates another database")
	}

	board := p.read("deploy/grafana/dashboard.json")
	p.run(exe, "grafana", "deploy/grafana/dashboard.json")
	addr := freeAddr(t)
	own := guideServer(t, "METRICS_ADDR="+addr).client()
	own.get("/api/items/7").want(200)
	own.url = "http://" + addr
	eventually(t, 10*time.Second, "the address of metrics", func() bool { return own.do("GET", "/metrics", nil).status == 200 })
	metrics := own.get("/metrics").want(200).body
	names := regexp.MustCompile(`[a-z_]{5,}(?:_seconds_count|_seconds_bucket|_bytes|_active|_goroutines)\b`).FindAllString(board, -1)
	if len(names) < 8 {
		t.Errorf("the dashboard shows %v", names)
	}
	for _, name := range names {
		if !strings.Contains(string(metrics), "\n"+name) {
			t.Errorf("the dashboard shows %s, which is not a metric", name)
		}
	}

	other := newProject(t, "other", "--db", "postgres")
	if out, code := other.try(tool, "add", "extras", "--with", "litestream"); code != 2 || !strings.Contains(out, "SQLite") {
		t.Errorf("Litestream with PostgreSQL: exit %d\n%s", code, out)
	}
	p.nexios("undo")
	p.nexios("undo")
	sameTree(t, without, p.tree())
}

// containers replaces those of a compose file: a service is a program on this machine, and
// its name maps to a local address.
type containers struct {
	t         *testing.T
	c         composed
	exe       string // the program
	dir       string
	addresses map[string]string // by "service:port"
	redis     *goredis.Client
	mail      func() string
}

func newContainers(t *testing.T, name, exe string, c composed) *containers {
	t.Helper()
	x := &containers{t: t, c: c, exe: exe, dir: t.TempDir(), addresses: map[string]string{}}
	if err := os.Mkdir(filepath.Join(x.dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, at := range slices.Sorted(maps.Keys(c.Services)) {
		service := c.Services[at]
		value := func(name string) string {
			if v := service.Environment[name]; v != nil {
				return *v
			}
			t.Fatalf("%s has no %s", at, name)
			return ""
		}
		image, _, _ := strings.Cut(service.Image, ":")
		switch image {
		case name:
		case "postgres":
			x.database(services.Postgres(t), "5432",
				fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", value("POSTGRES_USER"), strings.ReplaceAll(value("POSTGRES_PASSWORD"), "'", "''")),
				fmt.Sprintf("CREATE DATABASE %s OWNER %s", value("POSTGRES_DB"), value("POSTGRES_USER")))
		case "mariadb":
			x.database(services.MySQL(t), "3306",
				"CREATE DATABASE "+value("MARIADB_DATABASE"),
				fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", value("MARIADB_USER"), strings.ReplaceAll(value("MARIADB_PASSWORD"), "'", "''")),
				fmt.Sprintf("GRANT ALL ON %s.* TO %s", value("MARIADB_DATABASE"), value("MARIADB_USER")))
		case "redis":
			options, err := goredis.ParseURL(services.Redis(t))
			if err != nil {
				t.Fatal(err)
			}
			x.addresses["redis:6379"], x.redis = options.Addr, goredis.NewClient(options)
			t.Cleanup(func() { x.redis.Close() })
		case "axllent/mailpit":
			x.addresses["mail:1025"], x.mail = smtpServer(t)
		default:
			t.Fatalf("%s: no replacement for %s", at, image)
		}
	}
	return x
}

// database runs the statements that an image runs on its first start.
func (x *containers) database(server, port string, statements ...string) {
	x.t.Helper()
	admin, err := db.Open(server, db.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { db.Close(admin) })
	for _, statement := range statements {
		if err := admin.Exec(statement).Error; err != nil {
			x.t.Fatal(err)
		}
	}
	u, err := url.Parse(server)
	if err != nil {
		x.t.Fatal(err)
	}
	x.addresses["database"], x.addresses["database:"+port] = u.Host, u.Host
}

// start starts a service after its dependencies have met their conditions.
func (x *containers) start(name string) *server {
	x.t.Helper()
	service := x.c.Services[name]
	for _, other := range slices.Sorted(maps.Keys(service.DependsOn)) {
		if x.c.Services[other].Build == nil {
			continue // running already
		}
		switch condition := service.DependsOn[other].Condition; condition {
		case "service_completed_successfully":
			x.finish(other)
		default:
			x.t.Fatalf("%s waits for %s of %s", name, condition, other)
		}
	}
	b := x.program(service)
	if len(service.Command) > 0 {
		x.t.Fatalf("%s runs %v", name, service.Command)
	}
	s := b.serve()
	test := service.Healthcheck.Test
	if test[0] != "CMD" || !strings.HasPrefix(test[1], "/app/") {
		x.t.Fatalf("the health check is %v", test)
	}
	b.env = append(b.env, "ADDR="+s.addr)
	if _, problems, code := b.command("", test[2:]...); code != 0 {
		x.t.Fatalf("not healthy:\n%s", problems)
	}
	return s
}

// finish runs a service until it exits.
func (x *containers) finish(name string) {
	x.t.Helper()
	service := x.c.Services[name]
	for other := range service.DependsOn {
		if x.c.Services[other].Build != nil {
			x.t.Fatalf("%s depends on %s", name, other)
		}
	}
	if out, problems, code := x.program(service).command("", service.Command...); code != 0 {
		x.t.Fatalf("%s: exit %d\n%s%s", name, code, out, problems)
	}
}

// program returns the program in the service's environment, with names of services
// replaced by local addresses, and its own ports.
func (x *containers) program(service composedService) blog {
	x.t.Helper()
	b := blog{t: x.t, exe: x.exe, dir: x.dir, env: []string{"PATH=" + os.Getenv("PATH")}}
	for name, value := range service.Environment {
		if value == nil {
			x.t.Fatalf("%s has no value", name)
		}
		text := *value
		for host, address := range x.addresses {
			text = strings.NewReplacer("@"+host+"/", "@"+address+"/", "//"+host+"/", "//"+address+"/", "//"+host+"?", "//"+address+"?").Replace(text)
		}
		if name == "ADDR" || name == "METRICS_ADDR" {
			text = "127.0.0.1:0"
		}
		b.env = append(b.env, name+"="+text)
	}
	return b
}

// smtpServer starts a server that accepts mail and returns all of it.
func smtpServer(t *testing.T) (address string, mails func() string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box := &mailbox{}
	engine := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return box, nil }))
	go func() { _ = engine.Serve(listener) }()
	t.Cleanup(func() { _ = engine.Shutdown(context.Background()) })
	return listener.Addr().String(), box.String
}

type mailbox struct{ lockedBuffer }

func (*mailbox) Mail(string, *smtp.MailOptions) error { return nil }
func (*mailbox) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (*mailbox) Reset()                               {}
func (*mailbox) Logout() error                        { return nil }
func (m *mailbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	m.write(string(text))
	return err
}
