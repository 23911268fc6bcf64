package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var release = flag.Bool("release", false, "write the project of TestReleased anew, as this version makes it")

// released is a project as the last release made it, with its runtime and the texts
// that it wrote. CONTRIBUTING says when it is written anew.
const released = "testdata/released.tar.gz"

// TestReleased upgrades what the last release made to this version, after its owner
// has worked on it: it builds, its tests pass, nothing that is theirs is lost, and
// their own code calls the runtime as it is now.
func TestReleased(t *testing.T) {
	t.Parallel()
	if *release {
		p := guide(t)
		p.nexios("add", "resource", "tag", "name:string:unique")
		p.nexios("add", "resource", "task", "title:string:search", "state:enum=open/done:filter", "due:date:optional", "tags:many=tags", "--owner")
		p.nexios("add", "field", "task", "effort:int:default=1:sort")
		pack(t, p)
	}
	p := project{t: t, dir: t.TempDir()}
	unpack(t, p.dir)
	// Its modules are those of that release, which a new machine does not have.
	download := exec.Command("go", "mod", "download")
	download.Dir, download.Env = p.dir, append(os.Environ(), "GOWORK=off")
	if out, err := download.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	p.lay("internal/support/support.go", support)
	p.mine("internal/tasks/tasks.go", "func (h handler) remove(", "// Done counts what is done.\nfunc Done(gdb *gorm.DB) (n int64, err error) {\n\terr = gdb.Table(\"tasks\").Where(\"state = 'done'\").Count(&n).Error\n\treturn n, err\n}\n\nfunc (h handler) remove(")
	p.mine("internal/tasks/tasks.go", "Doc(\"List tasks\")", "Doc(\"List tasks, due first\")")
	p.mine("internal/tasks/tasks.go", "\treturn db.List[", "\ttx = tx.Where(\"title <> 'hidden'\")\n\treturn db.List[")
	p.mine("internal/tasks/tasks_test.go", "func TestTasks", "func TestDone(t *testing.T) {\n\t_, gdb := resource().Start(t)\n\tif n, err := tasks.Done(gdb); n != 0 || err != nil {\n\t\tt.Error(n, err)\n\t}\n}\n\nfunc TestTasks")
	p.mine("internal/model/task.go", "\nfunc ", "\n// Late is ours.\nfunc (t Task) Late() bool { return t.Due == nil }\n\nfunc ")
	p.mine("internal/posts/input.go", "type ", "// most is ours.\nvar _ = most\n\nconst most = 7\n\ntype ")
	p.mine("internal/app/modules.go", "func modules(", "// modules is the map; mind its order.\nfunc modules(")
	p.mine("internal/migrations/migrations.go", "\n}\n", "\n}\n\n// ours are those that we wrote.\nfunc ours() []db.Migration { return nil }\n\nvar _ = ours\n")
	p.mine("Dockerfile", "EXPOSE", "# ours\nEXPOSE")
	p.mine("README.md", "\n", "\n\nOurs.\n")
	if err := os.Remove(filepath.Join(p.dir, ".dockerignore")); err != nil {
		t.Fatal(err)
	}
	p.run("gofmt", "-w", "internal")
	mine := []string{
		"// Done counts what is done.", "Doc(\"List tasks, due first\")", "title <> 'hidden'", "func TestDone(", "func (t Task) Late() bool", "const most = 7",
		"mind its order", "func ours() []db.Migration", "# ours", "Ours.", "// Again confirms once more.",
	}
	before := p.tree()

	out := p.nexios("upgrade")
	if !strings.Contains(out, "internal/support/support.go:14  auth.Service.Confirm") {
		t.Errorf("it does not tell what it wrote into their code:\n%s", out)
	}
	after := p.tree()
	for _, line := range mine {
		if count(before, line) != 1 || count(after, line) != 1 {
			t.Errorf("%q is there %d times, and was %d times", line, count(after, line), count(before, line))
		}
	}
	if after[".dockerignore"] != "" {
		t.Error("what was deleted is back")
	}
	if want := strings.Replace(support, "password)", "password, \"\")", 1); after["internal/support/support.go"] != want {
		t.Errorf("their code is\n%s", after["internal/support/support.go"])
	}
	if again := p.nexios("upgrade"); !strings.Contains(again, "nothing to do") {
		t.Errorf("a second time there is something to do:\n%s", again)
	}
	if bad := p.run("gofmt", "-l", "."); bad != "" {
		t.Errorf("not formatted:\n%s", bad)
	}
	p.run("go", "vet", "./...")
	p.test("tasks", "auth", "users", "app")
	p.nexios("undo")
	sameTree(t, before, p.tree())
}

// support is code of their own that was written for the runtime of that release.
const support = `// Package support is ours.
package support

import (
	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
)

// Again confirms once more.
func Again(c *gin.Context, service *auth.Service, password string) error {
	who, _ := auth.From(c)

	return service.Confirm(c.Request.Context(), auth.ClientOf(c), who, password)
}
`

// lay writes a file, and the folders that it is in.
func (p project) lay(name, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Join(p.dir, filepath.Dir(filepath.FromSlash(name))), 0o755); err != nil {
		p.t.Fatal(err)
	}
	p.write(name, text)
}

// pack writes the archive, but for the secret and what undo remembers.
func pack(t *testing.T, p project) {
	t.Helper()
	var b bytes.Buffer
	zip, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(zip)
	files := p.tree()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name == ".env" || strings.HasPrefix(name, ".nexios/undo/") {
			continue
		}
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))})
		if err == nil {
			_, err = io.WriteString(w, files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close(), os.WriteFile(released, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// unpack lays the archive into a folder.
func unpack(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Open(released)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		project{t: t, dir: dir}.lay(head.Name, string(text))
	}
}
