package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReport runs the tests of a module with one package of each kind.
func TestReport(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles packages")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":            "module m\n\ngo 1.26\n",
		"good/good_test.go": "package good\n\nimport \"testing\"\n\nfunc TestGood(t *testing.T) { t.Log(\"not said\") }\n",
		"bad/bad_test.go": "package bad\n\nimport \"testing\"\n\nfunc TestFine(t *testing.T) { t.Log(\"not said\") }\n\n" +
			"func TestBad(t *testing.T) { t.Run(\"part\", func(t *testing.T) { t.Error(\"the reason\") }) }\n",
		"panics/panics_test.go": "package panics\n\nimport \"testing\"\n\nfunc TestPanics(t *testing.T) { panic(\"at once\") }\n",
		"broken/broken_test.go": "package broken\n\nvar x = undefined\n",
		"none/none.go":          "package none\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out strings.Builder
	code, err := run([]string{"-vet=off", "./..."}, &out)
	if code != 1 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
	for text, want := range map[string]int{
		"ok  \tm/good\t": 1, "--- FAIL: TestBad/part": 1, "the reason": 1, "FAIL\tm/bad\t": 1, "panic: at once": 1,
		"undefined: undefined": 1, "FAIL\tm/broken [build failed]": 1, "not said": 0, "m/none": 0,
	} {
		if got := strings.Count(out.String(), text); got != want {
			t.Errorf("%d times %q in\n%s", got, text, out.String())
		}
	}
	last := out.String()[strings.LastIndex(strings.TrimSpace(out.String()), "\n")+1:]
	for _, pkg := range []string{"m/bad", "m/broken", "m/panics"} {
		if !strings.HasPrefix(last, "FAIL\tin ") || !strings.Contains(last, pkg) {
			t.Errorf("the end does not name %s: %s", pkg, last)
		}
	}
}

func TestProgress(t *testing.T) {
	var out strings.Builder
	r := newReport([]string{"m/a", "m/b", "m/c"}, &out)
	r.take(event{Action: "output", Package: "m/a", Output: "PASS\n"})
	r.take(event{Action: "output", Package: "m/a", Output: "ok  \tm/a\t0.1s\n"})
	r.take(event{Action: "pass", Package: "m/a"})
	r.take(event{Action: "start", Package: "m/b"})
	r.take(event{Action: "run", Package: "m/b", Test: "TestLong"})
	r.progress(nil) // there was output just now
	r.said = r.said.Add(-time.Minute)
	r.progress([]string{"gorm.io/gorm"})
	const want = "ok  \tm/a\t0.1s\n...\t1 of 3 packages done; compiling gorm.io/gorm; running m/b 0s TestLong; left m/c\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// TestUnsteady runs a test again that fails the first time.
func TestUnsteady(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles packages")
	}
	for name, c := range map[string]struct {
		fails string // what the test does the first time
		code  int
		says  []string
	}{
		"a test":      {`t.Error("by chance")`, 0, []string{"\t| --- FAIL: TestUnsteady", "by chance", "unsteady\tm TestUnsteady: failed, and passed"}},
		"a panic":     {`panic("at once")`, 1, []string{"\npanic: at once", "FAIL\tin m\n"}},
		"four tests":  {`t.Error("by chance"); broken = true`, 1, []string{"\n--- FAIL: TestUnsteady", "FAIL\tin m\n"}},
		"nothing":     {``, 0, []string{"skip\tm TestSkipped: there is no moon\n"}},
		"it is wrong": {`os.Remove("again"); t.Error("always")`, 1, []string{"\t| --- FAIL: TestUnsteady", "\n--- FAIL: TestUnsteady", "FAIL\tin m\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			text := "package m\n\nimport (\"os\"; \"testing\")\n\nvar broken bool\n\nfunc TestUnsteady(t *testing.T) {\n" +
				"\tif os.Mkdir(\"again\", 0o755) == nil {\n\t\t" + c.fails + "\n\t}\n}\n\n" +
				"func TestSkipped(t *testing.T) { t.Skip(\"there is no moon\") }\n"
			for _, name := range []string{"One", "Two", "Three"} {
				text += "\nfunc Test" + name + "(t *testing.T) {\n\tif broken {\n\t\tt.Error(\"too\")\n\t}\n}\n"
			}
			for file, text := range map[string]string{"go.mod": "module m\n\ngo 1.26\n", "m_test.go": text} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			code, err := run([]string{"-vet=off", "./..."}, &out)
			if code != c.code || err != nil {
				t.Errorf("exit %d, %v", code, err)
			}
			for _, text := range c.says {
				if !strings.Contains("\n"+out.String(), text) {
					t.Errorf("no %q in the output:\n%s", text, out.String())
				}
			}
		})
	}
}
