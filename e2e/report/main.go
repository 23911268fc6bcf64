// Report runs go test and reports progress: each package when it is done, as go test does,
// and during long steps what is being compiled, what is running and which packages are
// left. At the end it lists the skipped tests, with reasons.
//
// If only a few tests fail, they are run once more while the machine is idle. A test that
// passes then is reported as unsteady, with its earlier output, and does not fail the run.
// Data races, panics and timeouts always do.
//
//	go run ./e2e/report -timeout=60m ./...
//
// Arguments are those of go test; a flag and its value are one word.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// silence is the maximum time without output.
const silence = 15 * time.Second

func main() {
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(code)
}

func run(args []string, out io.Writer) (int, error) {
	list := []string{"list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"}
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			list = append(list, arg)
		}
	}
	packages := exec.Command("go", list...)
	packages.Stderr = os.Stderr
	names, err := packages.Output()
	if err != nil {
		return 1, fmt.Errorf("the packages cannot be listed: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM) // go test gets it too, and handles it
	r := newReport(strings.Fields(string(names)), out)
	code, err := r.test(args)
	if code == 0 || err != nil || len(stop) > 0 || !r.worthAnother() {
		r.say(r.held.String())
		r.summary()
		return code, err
	}
	flags := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	unsteady := r.broken
	r.broken, r.failed = map[string][]string{}, nil
	for line := range strings.Lines(r.held.String()) {
		r.say("\t| " + line)
	}
	r.held.Reset()
	code = 0
	for _, pkg := range slices.Sorted(maps.Keys(unsteady)) {
		pattern := "-run=^(" + strings.Join(unsteady[pkg], "|") + ")$"
		once, ended := r.test(append(slices.Clone(flags), "-count=1", pattern, pkg))
		code, err = max(code, once), cmp.Or(err, ended)
	}
	r.say(r.held.String())
	r.summary()
	if code == 0 {
		for _, pkg := range slices.Sorted(maps.Keys(unsteady)) {
			r.say(fmt.Sprintf("unsteady\t%s %s: failed, and passed when run again; the reason is above, and must be mended\n",
				pkg, strings.Join(unsteady[pkg], ", ")))
		}
	}
	return code, err
}

// test runs go test once.
func (r *report) test(args []string) (int, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	over := make(chan struct{})
	go func() {
		for tick := time.Tick(silence); ; {
			select {
			case <-over:
				return
			case <-tick:
				r.progress(compiling(int32(cmd.Process.Pid)))
			}
		}
	}()
	err = r.read(events)
	close(over)
	if ended := cmd.Wait(); ended != nil {
		if exit := (*exec.ExitError)(nil); errors.As(ended, &exit) && exit.ExitCode() > 0 {
			return exit.ExitCode(), err
		}
		return 1, cmp.Or(err, ended)
	}
	return 0, err
}

// event is a line of go test -json (see go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

// report is the state of a run.
type report struct {
	out io.Writer

	mu      sync.Mutex
	total   int
	left    []string              // packages that are not done
	running map[string]time.Time  // packages whose tests are running, and their start
	last    map[string]string     // the last started test, by package
	output  map[string][]*testLog // output of a package's tests that have not passed, in order
	broken  map[string][]string   // failed tests, by package
	hard    bool                  // something failed that must not be retried
	held    strings.Builder       // output of failed tests
	skipped []string              // with reasons
	failed  []string
	said    time.Time
}

// testLog is the output of a test, or of a package outside of its tests.
type testLog struct {
	name string
	text bytes.Buffer
}

func newReport(packages []string, out io.Writer) *report {
	return &report{
		out: out, total: len(packages), left: packages, said: time.Now(),
		running: map[string]time.Time{}, last: map[string]string{}, output: map[string][]*testLog{}, broken: map[string][]string{},
	}
}

// read processes events as they arrive.
func (r *report) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				e = event{Action: "build-output", Output: string(line)} // go test itself
			}
			r.take(e)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Action {
	case "build-output":
		r.say(e.Output)
	case "start":
		r.running[e.Package] = time.Now()
	case "run":
		r.last[e.Package] = e.Test
	case "output":
		r.log(e.Package, e.Test).text.WriteString(e.Output)
	case "pass", "skip":
		if e.Action == "skip" && e.Test != "" {
			r.skipped = append(r.skipped, e.Package+" "+e.Test+": "+reason(r.log(e.Package, e.Test).text.String()))
		}
		if e.Test == "" {
			r.done(e.Package, false)
		} else {
			r.output[e.Package] = slices.DeleteFunc(r.output[e.Package], func(l *testLog) bool { return l.name == e.Test })
		}
	case "fail":
		if e.Test == "" {
			r.failed = append(r.failed, e.Package)
			r.done(e.Package, true)
		} else if !strings.Contains(e.Test, "/") {
			r.broken[e.Package] = append(r.broken[e.Package], e.Test)
		}
	}
}

func (r *report) log(pkg, test string) *testLog {
	for _, l := range r.output[pkg] {
		if l.name == test {
			return l
		}
	}
	l := &testLog{name: test}
	r.output[pkg] = append(r.output[pkg], l)
	return l
}

// done reports a finished package: its last line, and after a failure the output of all
// tests that did not pass.
func (r *report) done(pkg string, failed bool) {
	own := r.log(pkg, "").text.String()
	if failed {
		var text strings.Builder
		for _, l := range r.output[pkg] {
			if l.name != "" {
				text.Write(l.text.Bytes())
			}
		}
		text.WriteString(own)
		if hard.MatchString(text.String()) || len(r.broken[pkg]) == 0 {
			r.hard = true
			r.say(text.String())
		} else {
			r.held.WriteString(text.String())
			r.say(fmt.Sprintf("failed\t%s %s: what it wrote follows at the end\n", pkg, strings.Join(r.broken[pkg], ", ")))
		}
	} else if slices.Contains(r.left, pkg) {
		lines := strings.SplitAfter(strings.TrimSuffix(own, "\n"), "\n")
		r.say(lines[len(lines)-1] + "\n")
	}
	delete(r.output, pkg)
	delete(r.running, pkg)
	r.left = slices.DeleteFunc(r.left, func(p string) bool { return p == pkg })
}

func (r *report) say(text string) {
	fmt.Fprint(r.out, text)
	r.said = time.Now()
}

// progress reports the current activity, unless there was output recently.
func (r *report) progress(compiling []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.said) < silence {
		return
	}
	var parts []string
	if len(compiling) > 0 {
		parts = append(parts, "compiling "+short(compiling))
	}
	var runs []string
	for _, pkg := range slices.Sorted(maps.Keys(r.running)) {
		runs = append(runs, strings.TrimSpace(fmt.Sprintf("%s %s %s", pkg, time.Since(r.running[pkg]).Round(time.Second), r.last[pkg])))
	}
	if len(runs) > 0 {
		parts = append(parts, "running "+strings.Join(runs, ", "))
	}
	waiting := slices.DeleteFunc(slices.Clone(r.left), func(pkg string) bool { return !r.running[pkg].IsZero() })
	if len(waiting) > 0 {
		parts = append(parts, "left "+short(waiting))
	}
	r.say(fmt.Sprintf("...\t%d of %d packages done; %s\n", r.total-len(r.left), r.total, strings.Join(parts, "; ")))
}

// hard matches failures that must not be retried.
var hard = regexp.MustCompile(`(?m)^(panic: |WARNING: DATA RACE|fatal error: )`)

// few is the maximum number of tests to run once more: beyond it, failures are not random.
const few = 3

// worthAnother reports whether the failed tests are run once more.
func (r *report) worthAnother() bool {
	count := 0
	for _, tests := range r.broken {
		count += len(tests)
	}
	return !r.hard && count > 0 && count <= few
}

// reason returns the reason of a skipped test, without its position.
func reason(output string) string {
	for line := range strings.Lines(output) {
		if _, text, found := strings.Cut(line, ".go:"); found {
			if _, text, found = strings.Cut(text, ": "); found {
				return strings.TrimSpace(text)
			}
		}
	}
	return "it does not say why"
}

// summary repeats skipped tests and failed packages, whose output may have scrolled away.
func (r *report) summary() {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.skipped)
	for _, test := range slices.Compact(r.skipped) {
		r.say("skip\t" + test + "\n")
	}
	if len(r.failed) > 0 {
		r.say("FAIL\tin " + strings.Join(r.failed, ", ") + "\n")
	}
}

// short joins the first of a list, and the number of the others.
func short(list []string) string {
	const shown = 5
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}

// compiling returns the packages that compilers and linkers started by a process are
// working on.
func compiling(pid int32) (found []string) {
	p, err := process.NewProcess(pid)
	if err != nil {
		return nil // it has exited
	}
	children, _ := p.Children() // none on error
	for _, child := range children {
		words, _ := child.CmdlineSlice()
		if len(words) > 0 {
			switch strings.TrimSuffix(filepath.Base(words[0]), ".exe") {
			case "compile":
				if at := slices.Index(words, "-p"); at >= 0 && at+1 < len(words) {
					found = append(found, words[at+1])
				}
			case "link":
				if at := slices.Index(words, "-o"); at >= 0 && at+1 < len(words) {
					found = append(found, filepath.Base(words[at+1]))
				}
			}
		}
		found = append(found, compiling(child.Pid)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
