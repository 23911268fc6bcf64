package e2e

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// kills is the number of times each command is killed, at a random moment within its usual
// duration; seed seeds the random numbers.
const (
	kills = 40
	seed  = 20261121
)

// TestKilledAdd kills `nexios add`; once another command that writes has run, the project
// is as before or as after.
func TestKilledAdd(t *testing.T) {
	t.Parallel()
	p := shop(t)
	p.env = append(p.env, "SOURCE_DATE_EPOCH=1795256100")
	order := []string{"add", "resource", "order", "number:int:unique", "product:ref=products", "tags:many=tags"}
	before := settled(p)
	start := time.Now()
	p.nexios(order...)
	took := time.Since(start)
	after := settled(p)
	p.nexios("undo")

	random := rand.New(rand.NewPCG(seed, 1))
	reverted, kept := 0, 0
	for n := range kills {
		delay := time.Duration(random.Int64N(int64(took + took/4)))
		p.killed(delay, order...)
		next := []string{"upgrade", "--yes"}
		if out, code := p.try(tool, next...); code != 0 {
			t.Fatalf("seed %d, kill %d after %v: %s exits with %d\n%s", seed, n, delay, strings.Join(next, " "), code, out)
		}
		switch got := settled(p); {
		case reflect.DeepEqual(got, before):
			reverted++
		case reflect.DeepEqual(got, after):
			kept++
			p.nexios("undo")
		default:
			sameTree(t, before, got)
			t.Fatalf("seed %d, kill %d after %v: the project is neither as before nor as after", seed, n, delay)
		}
	}
	t.Logf("seed %d, %d kills within %v: %d reverted, %d completed", seed, kills, took+took/4, reverted, kept)
}

// TestKilledNew kills `nexios new`; repeating the command creates the complete project,
// and leaves nothing else behind.
func TestKilledNew(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		there bool // an empty folder exists
	}{{"where nothing is", false}, {"in an empty folder", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			parent := project{t: t, dir: t.TempDir()}
			dir := filepath.Join(parent.dir, "shop")
			command := []string{"new", "shop", "--no-git"}
			prepare := func() {
				t.Helper()
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				if c.there {
					if err := os.Mkdir(dir, 0o777); err != nil {
						t.Fatal(err)
					}
				}
			}
			prepare()
			start := time.Now()
			parent.nexios(command...)
			took := time.Since(start)
			after := settled(parent)

			random := rand.New(rand.NewPCG(seed, 2))
			for n := range kills {
				prepare()
				delay := time.Duration(random.Int64N(int64(took + took/4)))
				parent.killed(delay, command...)
				parent.try(tool, command...) // fails for an existing project
				if got := settled(parent); !reflect.DeepEqual(got, after) {
					sameTree(t, after, got)
					t.Fatalf("seed %d, kill %d after %v: incomplete project", seed, n, delay)
				}
			}
			t.Logf("seed %d, %d kills within %v", seed, kills, took+took/4)
		})
	}
}

// killed starts the tool in the project and kills it after the delay.
func (p project) killed(delay time.Duration, args ...string) {
	p.t.Helper()
	cmd := exec.Command(tool, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), p.env...)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	time.Sleep(delay) // the moment is the subject of the test
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	_ = cmd.Wait() // killed or done: the tree shows which
}

// settled returns every file of the project except the journal of undo and the secret,
// which differs between projects.
func settled(p project) map[string]string {
	p.t.Helper()
	files := p.tree()
	for name := range files {
		switch {
		case strings.Contains(name, ".nexios/undo/"):
			delete(files, name)
		case filepath.Base(name) == ".env":
			files[name] = "there"
		}
	}
	return files
}
