package e2e

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var commandKills = flag.Int("kills", 1, "number of times that TestKilledCommands kills each command")

// TestKilledCommands kills the commands that change a project other than add and new, each
// on a copy of its project: once another command has run, and was undone, the copy is as
// before or as after.
func TestKilledCommands(t *testing.T) {
	t.Parallel()
	grown := shop(t)
	grown.nexios("add", "index", "product", "status,price")
	grown.edit("internal/products/products.go", "func (h handler) remove(", "// ours is ours.\nfunc (h handler) ours() {}\n\nfunc (h handler) remove(")
	older := shop(t)
	older.edit("nexios.json", `"nexios": "`, `"nexios": "0.0.1-`)
	older.older("internal/products/products.go", "// Module", "// Old.\n//\n// Module")
	older.older("main.go", "package main", "// Command shop is old.\npackage main")
	older.write(".nexios/runtime/gone.go", "package runtime\n")
	merging := repository(t)
	for i, field := range []string{"subtitle:string:optional", "rank:int:default=1"} {
		name, _, _ := strings.Cut(field, ":")
		merging.run("git", "checkout", "--quiet", "-b", name, "main")
		on := merging
		on.env = append(slices.Clip(on.env), fmt.Sprint("SOURCE_DATE_EPOCH=", 1795260000+60*i))
		on.nexios("add", "field", "post", field)
		on.commit(name)
	}
	if out, code := merging.try("git", "merge", "--quiet", "--no-gpg-sign", "subtitle"); code == 0 {
		t.Fatalf("git merges these:\n%s", out)
	}
	adopting := newProject(t, "shop")
	there := filepath.Join(t.TempDir(), "there.db")
	pool, err := sql.Open("sqlite", "file:"+there)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec("CREATE TABLE books (id integer PRIMARY KEY, title text NOT NULL); CREATE TABLE readers (id integer PRIMARY KEY, book_id integer REFERENCES books (id))")
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
	adopting.env = append(adopting.env, "DATABASE_URL=sqlite:"+there)

	reverted, kept := 0, 0
	for i, c := range []struct {
		in      project
		command string
	}{
		{grown, "change field product name max=40 unique"},
		{grown, "rename field product name title"},
		{grown, "rename resource product item"},
		{grown, "api version v2 product --sunset 2027-05-28"},
		{grown, "templates eject resource"},
		{grown, "rename project example.com/acme/store"},
		{grown, "client ts"},
		{grown, "remove field product sku"},
		{grown, "add index product released,price --unique"},
		{grown, "remove index product status,price"},
		{grown, "add migration count-words"},
		{grown, "add deploy --to kubernetes"},
		{grown, "remove resource product --force"},
		{older, "upgrade"},
		{merging, "merge"},
		{adopting, "adopt --all --guard none"},
	} {
		words := append(strings.Fields(c.command), "--yes")
		before := settled(c.in)
		whole := c.in.copied()
		start := time.Now()
		whole.nexios(words...)
		took := time.Since(start)
		after := settled(whole)
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		for n := range *commandKills {
			delay := took/3 + time.Duration(random.Int64N(int64(took))) // reading takes the first third
			p := c.in.copied()
			p.env = append(slices.Clip(p.env), "SOURCE_DATE_EPOCH=1795256100") // as in environment
			p.killed(delay, words...)
			next := []string{"add", "migration", "look-again", "--yes"}
			if c.command == "client ts" { // not part of the project: repeating the command completes it
				p.nexios(words...)
			}
			switch out, code := p.try(tool, next...); {
			case code == 0:
				p.nexios("undo", "--yes")
			case c.command != "upgrade" && c.command != "merge": // without these, other commands only recover
				t.Fatalf("%s, kill %d after %v: the next command exits with %d\n%s", c.command, n, delay, code, out)
			}
			switch got := settled(p); {
			case reflect.DeepEqual(got, before):
				reverted++
			case reflect.DeepEqual(got, after):
				kept++
			default:
				sameTree(t, before, got)
				t.Fatalf("%s, kill %d after %v: the project is neither as before nor as after", c.command, n, delay)
			}
		}
	}
	t.Logf("%d reverted, %d completed", reverted, kept)
}

// copied copies the project to another folder.
func (p project) copied() project {
	p.t.Helper()
	dir := filepath.Join(p.t.TempDir(), "shop")
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		p.t.Fatal(err)
	}
	p.dir = dir
	return p
}
