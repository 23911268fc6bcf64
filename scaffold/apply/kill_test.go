package apply

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
)

// TestChild is a helper: killed runs it in a separate process, which dies before its nth
// change of the disk.
func TestChild(t *testing.T) {
	what, dir := os.Getenv("NEXIOS_CHILD"), os.Getenv("NEXIOS_DIR")
	at, _ := strconv.Atoi(os.Getenv("NEXIOS_DIE_AT"))
	die := func(string) {
		if at--; at == 0 {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			if err != nil {
				panic(err)
			}
			select {}
		}
	}
	var err error
	switch o := (Options{Title: "add posts", Time: moment, Step: die}); what {
	case "apply":
		_, err = Apply(dir, posts(), o)
	case "undo":
		_, err = Undo(dir, o)
	case "recover":
		_, err = recoverDir(dir, die)
	case "new":
		_, err = New(dir, fresh(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// killed runs a command until just before its nth change, and reports whether it got that
// far; otherwise the command has completed.
func killed(t *testing.T, dir, what string, n int) bool {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), "NEXIOS_CHILD="+what, "NEXIOS_DIR="+dir, "NEXIOS_DIE_AT="+strconv.Itoa(n))
	out, err := child.CombinedOutput()
	if err != nil && bytes.Contains(out, []byte("--- FAIL")) { // the exit code does not tell: it is 1 if Windows kills the process
		t.Fatalf("%s: %v\n%s", what, err, out)
	}
	return err != nil
}

// recovered calls Recover, and checks that the tree is one of the two, as reported by
// Recover.
func recovered(t *testing.T, dir, what string, n int, before, after tree) tree {
	t.Helper()
	r, err := Recover(dir)
	if err != nil {
		t.Fatalf("%s, change %d: %v", what, n, err)
	}
	got := look(t, dir)
	want := before
	if r.Outcome == Finished || r.Outcome == Nothing && reflect.DeepEqual(got, after) {
		want = after
	}
	equal(t, what+", change "+strconv.Itoa(n)+", "+string(r.Outcome), got, want)
	if again, err := Recover(dir); err != nil || again.Outcome != Nothing {
		t.Errorf("%s, change %d: recovered again: %+v, %v", what, n, again, err)
	}
	return want
}

func TestKilledApply(t *testing.T) {
	t.Parallel()
	reverted, kept := 0, 0
	for n := 1; ; n++ {
		dir := t.TempDir()
		project(t, dir)
		before := look(t, dir)
		if !killed(t, dir, "apply", n) {
			equal(t, "not killed", look(t, dir), after)
			t.Logf("%d changes: %d times reverted, %d times kept", n-1, reverted, kept)
			break
		}
		if reflect.DeepEqual(recovered(t, dir, "apply", n, before, after), before) {
			reverted++
			if _, err := Apply(dir, posts(), Options{}); err != nil {
				t.Errorf("change %d: applied again: %v", n, err)
			}
			equal(t, "once more", look(t, dir), after)
		} else {
			kept++
		}
		if _, err := Undo(dir, Options{}); err != nil {
			t.Errorf("change %d: undo: %v", n, err)
		}
		equal(t, "undone", look(t, dir), before)
		if t.Failed() {
			return
		}
	}
	if reverted < 30 || kept < 2 {
		t.Errorf("%d times reverted, %d times kept: too few cases", reverted, kept)
	}
}

func TestKilledUndo(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		dir := t.TempDir()
		project(t, dir)
		before := look(t, dir)
		if _, err := Apply(dir, posts(), Options{}); err != nil {
			t.Fatal(err)
		}
		if !killed(t, dir, "undo", n) {
			equal(t, "not killed", look(t, dir), before)
			return
		}
		r, err := Recover(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := look(t, dir)
		want := before
		if r.Outcome == Nothing && reflect.DeepEqual(got, after) {
			want = after
		}
		equal(t, "undo, change "+strconv.Itoa(n), got, want)
		if t.Failed() {
			return
		}
	}
}

func TestKilledRecovery(t *testing.T) {
	t.Parallel()
	for _, first := range []int{30, 48, 58} {
		for n := 1; ; n++ {
			dir := t.TempDir()
			project(t, dir)
			before := look(t, dir)
			if !killed(t, dir, "apply", first) {
				t.Fatalf("the step has fewer than %d changes", first)
			}
			more := killed(t, dir, "recover", n)
			recovered(t, dir, "recovery from "+strconv.Itoa(first), n, before, after)
			if !more || t.Failed() {
				break
			}
		}
	}
}

func TestKilledNew(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	if _, err := New(filepath.Join(whole, "blog"), fresh(), Options{}); err != nil {
		t.Fatal(err)
	}
	want, nothing := look(t, whole), tree{}
	for n := 1; ; n++ {
		parent := t.TempDir()
		blog := filepath.Join(parent, "blog")
		if !killed(t, blog, "new", n) {
			equal(t, "not killed", look(t, parent), want)
			break
		}
		if _, err := os.Lstat(blog); err == nil {
			equal(t, "at once", look(t, parent), want)
		}
		if n%2 == 0 {
			recovered(t, parent, "new", n, nothing, want)
		}
		if _, err := New(blog, fresh(), Options{}); err != nil {
			t.Errorf("change %d: applied again: %v", n, err)
		}
		equal(t, "once more", look(t, parent), want)
		if t.Failed() {
			return
		}
	}
	for n := 1; ; n++ { // in an existing directory
		dir := t.TempDir()
		if !killed(t, dir, "new", n) {
			return
		}
		recovered(t, dir, "new in a directory", n, nothing, look(t, filepath.Join(whole, "blog")))
		if t.Failed() {
			return
		}
	}
}
