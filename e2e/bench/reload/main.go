// Reload measures the time from saving a file to the first response of the new version:
// for a baseline (go build with the fastest flags, and a start), for nexios dev, and for
// air, with its default and its best settings. All in one run, in turns, on copies of the
// same project.
//
//	go build -o bin/nexios ./cmd/nexios && go run ./e2e/bench/reload bin/nexios
//
// It edits the body of a function in a package of routes and in the model package, and the
// exported identifiers of the model package. -resources adds that many tables and packages
// to the project. -idle leaves the tools alone for that long afterwards, and prints the
// CPU usage of each tool and its program meanwhile.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

const patience = 5 * time.Minute

var (
	edits     = flag.Int("edits", 15, "edits of each kind with each tool")
	only      = flag.String("tools", "floor,nexios,air,air best", "which tools")
	edited    = flag.String("kinds", "room body,model body,model exported", "which kinds of edit; each changes what GET /text answers")
	resources = flag.Int("resources", 0, "resources that a second project has more")
	idle      = flag.Duration("idle", 0, "how long to measure tools that have nothing to do")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if flag.NArg() != 1 {
		return errors.New("which nexios?\n  try: go run ./e2e/bench/reload bin/nexios")
	}
	nexios, err := filepath.Abs(flag.Arg(0))
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "nexios-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	projects, err := create(ctx, work, nexios)
	if err != nil {
		return err
	}
	kinds := strings.Split(*edited, ",")
	var tools []*tool
	for _, project := range projects {
		for name := range strings.SplitSeq(*only, ",") {
			t := &tool{name: name, project: project.name, dir: filepath.Join(work, "copies", fmt.Sprint(len(tools)), "blog"), took: map[string][]time.Duration{}}
			if err := os.CopyFS(t.dir, os.DirFS(project.dir)); err != nil {
				return err
			}
			if err := t.begin(ctx, nexios); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			defer t.end()
			tools = append(tools, t)
		}
	}
	// The first edits warm up caches and tools.
	for _, t := range tools {
		for i := range 2 {
			for _, kind := range kinds {
				if _, err := t.edit(ctx, kind, fmt.Sprintf("warm-%d", i)); err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
			}
		}
	}
	for i := range *edits {
		for _, t := range tools {
			for _, kind := range kinds {
				took, err := t.edit(ctx, kind, fmt.Sprintf("edit-%d", i))
				if err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
				t.took[kind] = append(t.took[kind], took)
			}
		}
	}
	report(tools, kinds)
	if *idle > 0 {
		return rest(ctx, tools)
	}
	return nil
}

// project is the original that each tool gets a copy of.
type project struct{ name, dir string }

// create generates the guide project, and with -resources the larger one.
func create(ctx context.Context, work, nexios string) ([]project, error) {
	guide := project{"", filepath.Join(work, "guide", "blog")}
	large := project{fmt.Sprintf(", %d resources", *resources), filepath.Join(work, "large", "blog")}
	projects := []project{guide}
	if *resources > 0 {
		projects = append(projects, large)
	}
	for _, p := range projects {
		if err := os.MkdirAll(filepath.Dir(p.dir), 0o755); err != nil {
			return nil, err
		}
		if err := command(ctx, filepath.Dir(p.dir), nexios, "new", "blog", "--preset", "guide"); err != nil {
			return nil, err
		}
		if err := prepare(p.dir); err != nil {
			return nil, err
		}
	}
	for i := range *resources {
		if err := command(ctx, large.dir, nexios, "add", "resource", fmt.Sprintf("thing%03d", i), "title:string:min=3", "body:text"); err != nil {
			return nil, err
		}
	}
	return projects, nil
}

// rest prints the CPU usage of the tools while nothing changes.
func rest(ctx context.Context, tools []*tool) error {
	fmt.Printf("\nidle CPU in %v, with the program:\n", *idle)
	before := map[*tool]float64{}
	for _, t := range tools {
		if err := t.settle(ctx); err != nil {
			return err
		}
	}
	for _, t := range tools {
		before[t], _ = t.used()
	}
	select {
	case <-time.After(*idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, t := range tools {
		after, names := t.used()
		fmt.Printf("  %s%s %.2f %% of a core (%s)\n", t.name, t.project, 100*(after-before[t])/idle.Seconds(), strings.Join(names, ", "))
	}
	return nil
}

// settle waits until the tool has no background processes: a tool has at most one child
// program.
func (t *tool) settle(ctx context.Context) error {
	for deadline := time.Now().Add(patience); ; {
		if _, names := t.used(); len(names) <= 2 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not come to rest", t.name)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// used returns the CPU time in seconds of the tool and its child processes, and their
// names.
func (t *tool) used() (sum float64, names []string) {
	var add func(p *process.Process)
	add = func(p *process.Process) {
		times, err := p.Times()
		if err != nil {
			return // it has just exited
		}
		name, _ := p.Name() // for display only
		sum += times.User + times.System
		names = append(names, name)
		children, _ := p.Children() // most have none
		for _, child := range children {
			add(child)
		}
	}
	if p, err := process.NewProcess(int32(t.process.Process.Pid)); err == nil {
		add(p)
	}
	return sum, names
}

func report(tools []*tool, kinds []string) {
	fmt.Printf("save to new answer, median (least to most) of %d edits, %s, %d cores\n\n", *edits, runtime.Version(), runtime.NumCPU())
	fmt.Printf("| |")
	for _, kind := range kinds {
		fmt.Printf(" %s | of %s |", kind, tools[0].name)
	}
	fmt.Printf(" saves lost |\n|---|%s---|\n", strings.Repeat("---|---|", len(kinds)))
	for _, t := range tools {
		fmt.Printf("| %s%s |", t.name, t.project)
		for _, kind := range kinds {
			list := slices.Sorted(slices.Values(t.took[kind]))
			fmt.Printf(" %s (%s to %s) | %.2f |", seconds(median(list)), seconds(list[0]), seconds(list[len(list)-1]),
				float64(median(list))/float64(median(tools[0].took[kind])))
		}
		fmt.Printf(" %d |\n", t.lost)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func median(list []time.Duration) time.Duration {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// The files that edits write.
const (
	roomFile  = "internal/tour/mark.go"
	modelFile = "internal/model/mark.go"
)

func roomMark(mark string) string {
	return fmt.Sprintf("package tour\n\nimport \"blog/internal/model\"\n\nfunc mark() string {\n\ts := %q\n\treturn s + model.Mark() + model.Exported\n}\n", mark)
}

func modelMark(mark, exported string) string {
	return fmt.Sprintf("package model\n\n// Mark is what edits change.\n//\n//go:noinline\nfunc Mark() string {\n\ts := %q\n\treturn s\n}\n\n// Exported is what importers see.\nconst Exported = %q\n", mark, exported)
}

// prepare makes GET /text respond with the marks.
func prepare(dir string) error {
	tour := filepath.Join(dir, "internal/tour/tour.go")
	text, err := os.ReadFile(tour)
	if err != nil {
		return err
	}
	const answer = "func getText(c *gin.Context) { c.String(http.StatusOK, hello) }"
	if !bytes.Contains(text, []byte(answer)) {
		return errors.New("the tour has no getText to edit")
	}
	text = bytes.Replace(text, []byte(answer), []byte("func getText(c *gin.Context) { c.String(http.StatusOK, hello+mark()) }"), 1)
	if err := os.WriteFile(tour, text, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, modelFile), []byte(modelMark("", "")), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, roomFile), []byte(roomMark("")), 0o644)
}

// tool is one way to run edited code.
type tool struct {
	name    string
	project string // project it runs on, if not the guide
	dir     string
	port    int
	took    map[string][]time.Duration

	mu       sync.Mutex
	process  *exec.Cmd // the tool, or the program of the baseline
	output   bytes.Buffer
	exported string
	count    int
	lost     int // edits that had to be saved again
}

func (t *tool) begin(ctx context.Context, nexios string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	t.port = port
	switch t.name {
	case "floor":
		if err := t.build(ctx); err != nil {
			return err
		}
		err = t.start(ctx, filepath.Join(t.dir, "bin-floor"))
	case "nexios":
		err = t.start(ctx, nexios, "dev", "--plain", "--port", fmt.Sprint(t.port))
	case "air":
		err = t.air(ctx, "")
	case "air best":
		err = t.air(ctx, "[build]\n  cmd = \"go build -ldflags='-s -w' -o ./tmp/main .\"\n  bin = \"./tmp/main\"\n  delay = 0\n  kill_delay = 0\n")
	default:
		err = errors.New("no such tool")
	}
	if err != nil {
		return err
	}
	return t.await(ctx, "")
}

func (t *tool) air(ctx context.Context, config string) error {
	air, err := exec.LookPath("air")
	if err != nil {
		out, envErr := exec.CommandContext(ctx, "go", "env", "GOPATH").Output()
		if envErr != nil {
			return envErr
		}
		air = filepath.Join(strings.TrimSpace(string(out)), "bin", "air")
		if _, err := os.Stat(air); err != nil {
			if err := command(ctx, t.dir, "go", "install", "github.com/air-verse/air@latest"); err != nil {
				return err
			}
		}
	}
	if config != "" {
		if err := os.WriteFile(filepath.Join(t.dir, ".air.toml"), []byte("root = \".\"\ntmp_dir = \"tmp\"\n"+config), 0o644); err != nil {
			return err
		}
	}
	return t.start(ctx, air)
}

func (t *tool) build(ctx context.Context) error {
	return command(ctx, t.dir, "go", "build", "-ldflags=-w", "-gcflags=all=-dwarf=false", "-o", "bin-floor", ".")
}

func (t *tool) start(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("ADDR=127.0.0.1:%d", t.port), "RATE_LIMIT=off", "LOG_LEVEL=error")
	cmd.Stdout, cmd.Stderr = t, t
	t.process = cmd
	return cmd.Start()
}

// Write keeps the tool's output for error messages.
func (t *tool) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.output.Write(p)
}

func (t *tool) end() {
	if t.process == nil || t.process.Process == nil {
		return
	}
	_ = t.process.Process.Signal(os.Interrupt) // it may have exited
	_ = t.process.Wait()
}

// edit makes one edit and returns the time until it is served.
func (t *tool) edit(ctx context.Context, kind, mark string) (time.Duration, error) {
	t.count++
	mark = fmt.Sprintf("[%s %d]", mark, t.count)
	file, text := roomFile, roomMark(mark)
	switch kind {
	case "model body":
		file, text = modelFile, modelMark(mark, t.exported)
	case "model exported":
		t.exported = mark
		file, text = modelFile, modelMark("", mark)
	}
	time.Sleep(300 * time.Millisecond) // the pace of a person, so that no tool is still busy with the last edit
	begun := time.Now()
	if err := os.WriteFile(filepath.Join(t.dir, file), []byte(text), 0o644); err != nil {
		return 0, err
	}
	if t.name == "floor" {
		if err := t.build(ctx); err != nil {
			return 0, err
		}
		// Stopping the old program is not counted: a new one could listen elsewhere.
		built := time.Since(begun)
		t.end()
		begun = time.Now().Add(-built)
		if err := t.start(ctx, filepath.Join(t.dir, "bin-floor")); err != nil {
			return 0, err
		}
	}
	for range savesTried {
		err := t.await(ctx, mark)
		if !errors.Is(err, errLost) {
			return time.Since(begun), err
		}
		// The tool missed the edit, or could not start its program: save again, as a
		// person would.
		t.lost++
		text += "\n"
		begun = time.Now()
		if err := os.WriteFile(filepath.Join(t.dir, file), []byte(text), 0o644); err != nil {
			return 0, err
		}
	}
	return 0, t.await(ctx, mark)
}

// savesTried is the number of times an edit is saved before the benchmark fails.
const savesTried = 3

// errLost is the error for an edit that is never served.
var errLost = errors.New("no answer")

// await polls until the response contains mark.
func (t *tool) await(ctx context.Context, mark string) error {
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	wait := patience
	if mark != "" && !strings.HasPrefix(mark, "[warm-0") {
		wait = 30 * time.Second
	}
	for deadline := time.Now().Add(wait); ; {
		res, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/text", t.port))
		if err == nil {
			body, _ := io.ReadAll(res.Body) // a truncated response does not contain the mark
			res.Body.Close()
			if res.StatusCode == http.StatusOK && strings.Contains(string(body), mark) {
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			t.mu.Lock()
			defer t.mu.Unlock()
			return fmt.Errorf("%w with %q\n%s", errLost, mark, t.output.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}
