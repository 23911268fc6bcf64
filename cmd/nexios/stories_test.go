package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nexios-go/nexios/scaffold/spec"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nexios": hinting})
}

// hinting is main, and fails where what it says to type cannot be typed.
func hinting() {
	if isTerminal(os.Stdout) || isTerminal(os.Stderr) {
		main()
	}
	var said bytes.Buffer
	code := start(io.MultiWriter(os.Stdout, &said), io.MultiWriter(os.Stderr, &said))
	for line := range strings.Lines(said.String()) {
		hint, ok := strings.CutPrefix(strings.TrimSpace(line), "try:")
		if err := typeable(hint); ok && err != nil {
			fmt.Fprintf(os.Stderr, "it cannot be typed: %s\n%v\n", hint, err)
			code = -1
		}
	}
	os.Exit(code)
}

// TestStories runs what people type, one story a file in testdata. Besides the
// commands of testscript they have:
//
//	fails CODE PROGRAM ARGS...   runs a program that must exit with the code
//	keep DIR                     remembers every file below a folder
//	kept DIR                     fails unless they are the same, byte for byte
//	numbered FILE                writes the number of each {choice} of the wizard, in
//	                             the project that is the current folder, into a file
//	listen                       takes a port, and calls its address $TAKEN, its
//	                             number $PORT and the process that has it $PID
func TestStories(t *testing.T) {
	// The stories have no network: what they need from the cache is asked for here.
	if out, err := exec.Command("go", "mod", "download").CombinedOutput(); err != nil {
		t.Fatalf("the modules cannot be downloaded: %v\n%s", err, out)
	}
	// Once, for all stories: Go's own folders, which a home would tell.
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := strings.Split(strings.TrimSpace(string(out)), "\n") // a home may have spaces
	var types []string
	for _, row := range spec.Types() {
		types = append(types, row.Name)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GOMODCACHE", folders[0])
			e.Setenv("GOCACHE", folders[1])
			e.Setenv("GOPROXY", "off")
			e.Setenv("GOFLAGS", "-trimpath -ldflags=-s") // what one story compiles of the runtime serves all
			e.Setenv("NEXIOS_CHECK", "off")              // which takes seconds; check.txtar has it on
			for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
				e.Setenv(name, filepath.Join(e.WorkDir, ".tmp", "home"))
			}
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			e.Setenv("GIT_CEILING_DIRECTORIES", e.WorkDir)
			e.Setenv("SOURCE_DATE_EPOCH", "1795256100") // 20261121101500
			e.Setenv("LONG", strings.Repeat("a", 300))
			e.Setenv("TYPES", strings.Join(types, " "))
			e.Values["kept"] = map[string]map[string]string{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": fails,
			"listen": func(ts *testscript.TestScript, _ bool, _ []string) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				ts.Check(err)
				ts.Defer(func() { l.Close() })
				ts.Setenv("TAKEN", l.Addr().String())
				ts.Setenv("PORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
				ts.Setenv("PID", strconv.Itoa(os.Getpid()))
			},
			"numbered": func(ts *testscript.TestScript, _ bool, args []string) {
				p, err := spec.Parse([]byte(ts.ReadFile("nexios.json")))
				ts.Check(err)
				text := ts.ReadFile(args[0])
				for i, choice := range offered(p) {
					text = strings.ReplaceAll(text, "{"+choice+"}", strconv.Itoa(i+1))
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
			},
			"keep": func(ts *testscript.TestScript, _ bool, args []string) {
				kept(ts)[args[0]] = files(ts, args[0])
			},
			"kept": func(ts *testscript.TestScript, _ bool, args []string) {
				want, got := kept(ts)[args[0]], files(ts, args[0])
				names := slices.Sorted(maps.Keys(want))
				for name := range got {
					if _, ok := want[name]; !ok {
						names = append(names, name)
					}
				}
				for _, name := range names {
					was, before := want[name]
					is, after := got[name]
					if before != after || was != is {
						ts.Fatalf("%s is not as it was kept", name)
					}
				}
			},
		},
	})
}

func kept(ts *testscript.TestScript) map[string]map[string]string {
	return ts.Value("kept").(map[string]map[string]string)
}

func fails(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	exit := (*exec.ExitError)(nil)
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == want:
	case err == nil:
		ts.Fatalf("exit code 0, want %d", want)
	default:
		ts.Fatalf("%v, want exit code %d", err, want)
	}
}

// files reads every file below dir but git's own and what undo remembers.
func files(ts *testscript.TestScript, dir string) map[string]string {
	found := map[string]string{}
	root := ts.MkAbs(dir)
	ts.Check(filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, name)
		switch rel = filepath.ToSlash(rel); {
		case err != nil:
			return err
		case rel == ".tmp" || entry.Name() == ".git" || strings.HasSuffix(rel, ".nexios/undo"):
			return filepath.SkipDir
		case entry.IsDir():
			found[rel+"/"] = ""
			return nil
		}
		text, err := os.ReadFile(name)
		found[rel] = string(text)
		return err
	}))
	return found
}
