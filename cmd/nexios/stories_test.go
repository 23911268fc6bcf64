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

// hinting runs main, and fails if a command it suggests is not a valid command line.
func hinting() {
	if isTerminal(os.Stdout) || isTerminal(os.Stderr) {
		main()
	}
	var output bytes.Buffer
	code := start(io.MultiWriter(os.Stdout, &output), io.MultiWriter(os.Stderr, &output))
	for line := range strings.Lines(output.String()) {
		hint, ok := strings.CutPrefix(strings.TrimSpace(line), "try:")
		if err := typeable(hint); ok && err != nil {
			fmt.Fprintf(os.Stderr, "it cannot be typed: %s\n%v\n", hint, err)
			code = -1
		}
	}
	os.Exit(code)
}

// TestStories runs what users type, one story per file in testdata. In addition to the
// commands of testscript, scripts have:
//
//	fails CODE PROGRAM ARGS...   runs a program that must exit with the code
//	keep DIR                     records every file below a directory
//	kept DIR                     fails unless the files are byte for byte the same
//	numbered FILE                replaces each {choice} in a file by its number in the
//	                             wizard of the project in the current directory
//	listen                       listens on a free port, and sets $TAKEN to the
//	                             address, $PORT to the port and $PID to the process
func TestStories(t *testing.T) {
	// Stories run without network, so download the modules first.
	if out, err := exec.Command("go", "mod", "download").CombinedOutput(); err != nil {
		t.Fatalf("the modules cannot be downloaded: %v\n%s", err, out)
	}
	// Go's directories, which depend on the home directory. Looked up once for all
	// stories.
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := strings.Split(strings.TrimSpace(string(out)), "\n") // paths may contain spaces
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
			e.Setenv("GOFLAGS", "-trimpath -ldflags=-s") // shares the compiled runtime between stories
			e.Setenv("NEXIOS_CHECK", "off")              // the check takes seconds; check.txtar has it on
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
						ts.Fatalf("%s has changed since keep", name)
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

// files reads every file below dir except those of git and the undo journal.
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
