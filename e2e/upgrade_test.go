package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// older replaces a text in a file and its base, as if an older version had generated it.
func (p project) older(name, text, was string) {
	p.t.Helper()
	for _, name := range []string{name, ".nexios/base/" + name} {
		has := p.read(name)
		if !strings.Contains(has, text) {
			p.t.Fatalf("%s has no %q", name, text)
		}
		p.write(name, strings.Replace(has, text, was, 1))
	}
}

// edit edits a file as a developer would.
func (p project) edit(name, text, edited string) {
	p.t.Helper()
	has := p.read(name)
	if !strings.Contains(has, text) {
		p.t.Fatalf("%s has no %q", name, text)
	}
	p.write(name, strings.Replace(has, text, edited, 1))
}

// TestUpgrade turns the guide into a project of an older version, with the developer's
// additions and edits, and upgrades it: the result is what this version generates, with
// those edits, and its tests pass.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	p := newProject(t, "blog", "--preset", "guide")
	p.nexios("add", "resource", "tag", "name:string:unique")
	p.nexios("add", "field", "post", "subtitle:string:optional", "tags:many=tags")
	p.nexios("remove", "websocket", "echo")

	edit := func() {
		p.edit("internal/posts/posts.go", "func (h handler) remove(", "// drafts counts what is not published.\nfunc (h handler) drafts() (n int64) {\n\th.db.Model(&model.Post{}).Where(\"NOT published\").Count(&n)\n\treturn n\n}\n\nfunc (h handler) remove(")
		p.edit("internal/posts/posts.go", "Doc(\"List posts\")", "Doc(\"List posts, drafts last\")")
		p.edit("internal/posts/posts_test.go", "func TestPosts", "func TestDrafts(t *testing.T) {\n\t_, gdb := resource().Start(t)\n\tvar n int64\n\tif err := gdb.Model(&model.Post{}).Count(&n).Error; err != nil {\n\t\tt.Fatal(err)\n\t}\n}\n\nfunc TestPosts")
		p.edit("internal/model/post.go", "// Post is a row", "// Post is a piece of writing.\n//\n// Post is a row")
		p.edit("internal/app/modules.go", "func modules(", "// modules is the map; mind its order.\nfunc modules(")
		p.edit("README.md", "\n", "\n\nOurs.\n")
		if err := os.Remove(filepath.Join(p.dir, "compose.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	clean := p.tree()
	edit()
	want := p.tree()

	for name, text := range clean { // restore it, to make it older
		p.write(name, text)
	}
	p.edit("nexios.json", `"nexios": "`, `"nexios": "0.0.1-`)
	p.older("internal/posts/posts.go", "web.Location(c, post.ID)", "c.Header(\"Location\", \"/posts\")")
	p.older("internal/posts/input.go", "// post returns the new row.", "// post makes a row.")
	p.older("internal/posts/posts_test.go", "// resource describes", "// resource described")
	p.older("internal/model/tag.go", "// Tag is a row", "// Tag is a line")
	p.older("internal/app/modules.go", "import (", "import ( // of old")
	p.older("internal/app/app.go", "return", "// Old.\n\treturn")
	p.older("main.go", "package main", "// Command blog is old.\npackage main")
	p.older("Dockerfile", "\n", "\n# old\n")
	for _, name := range []string{"internal/app/gone.go", ".nexios/base/internal/app/gone.go", ".nexios/runtime/gone.go"} {
		p.write(name, "package app\n")
	}
	if err := os.Remove(filepath.Join(p.dir, ".nexios/runtime/db/plugin_fold.go")); err != nil {
		t.Fatal(err)
	}
	edit()
	old := p.tree()
	p.nexios("upgrade")
	sameTree(t, want, p.tree())
	if out := p.nexios("upgrade"); !strings.Contains(out, "nothing to do") {
		t.Errorf("upgraded twice:\n%s", out)
	}
	p.run("go", "vet", "./...")
	p.test("posts", "tags", "app")
	p.nexios("undo")
	sameTree(t, old, p.tree())
}
