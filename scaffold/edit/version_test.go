package edit_test

import (
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/edit"
)

// The next version is mounted in the same way as the previous one, and removed with it.
func TestMounts(t *testing.T) {
	t.Parallel()
	const next = `postsv2.Module(gdb).Under("/api/v2")`
	for mounted, want := range map[string]string{
		`posts.Module(gdb).Under(api)`:                             next,
		`posts.Module(gdb, queue).Under(api)`:                      `postsv2.Module(gdb, queue).Under("/api/v2")`,
		`posts.Module(gdb).With(limited("posts"), own).Under(api)`: `postsv2.Module(gdb).With(limited("posts"), own).Under("/api/v2")`,
		`posts.Module(gdb).Under(api).With(own)`:                   `postsv2.Module(gdb).Under("/api/v2").With(own)`,
		`wrapped(posts.Module(gdb, 1).Under(api))`:                 `postsv2.Module(gdb, 1).Under("/api/v2")`,
		`posts.Module(gdb)`:                                        next, // not below a prefix that is known
		`others.Module(gdb, queue).Under(api)`:                     next,
	} {
		file := func(first, second string) string {
			return "package app\n\nimport (\n\t\"shop/internal/posts\"\n)\n\nfunc modules() []web.Module {\n\treturn []web.Module{\n\t\t" + first + ",\n\t\t" + second + ",\n\t}\n}\n"
		}
		got := edit.MountLike([]byte(file(mounted, next)), "shop/internal/posts", next, "postsv2", `"/api/v2"`)
		if string(got) != file(mounted, want) {
			t.Errorf("%s:\n%s", mounted, got)
		}
		got = edit.MountAs([]byte(file(mounted, next)), "shop/internal/posts", `posts.Module(gdb).Under(api)`)
		if known := strings.Contains(mounted, "posts.") && strings.Contains(mounted, "Under"); known != strings.Contains(string(got), "posts.Module(gdb).Under(api)") {
			t.Errorf("%s, as generated:\n%s", mounted, got)
		}
	}
}

// A module is marked as deprecated in whatever form it is written, and only once.
func TestDeprecate(t *testing.T) {
	t.Parallel()
	const expression = `web.Deprecation{Since: "2026-11-21"}`
	for body, want := range map[string]string{
		"return web.Module{Name: \"posts\", Routes: nil}":                         "return web.Module{Name: \"posts\", Deprecated: " + expression + ", Routes: nil}",
		"m := web.Module{\n\t\tName: \"posts\",\n\t\tRun:  run,\n\t}\n\treturn m": "m := web.Module{\n\t\tName: \"posts\", Deprecated: " + expression + ",\n\t\tRun: run,\n\t}\n\treturn m",
		"return web.Module{Name: \"posts\", Deprecated: ours}":                    "return web.Module{Name: \"posts\", Deprecated: ours}",
		"return other()": "return other()",
	} {
		file := func(body string) string { return "package posts\n\nfunc Module() web.Module {\n\t" + body + "\n}\n" }
		if got := edit.Deprecate([]byte(file(body)), expression); string(got) != file(want) {
			t.Errorf("%s:\n%s", body, got)
		}
	}
	if got := edit.Deprecate([]byte("no Go"), expression); string(got) != "no Go" {
		t.Errorf("changed invalid Go to %s", got)
	}
}

// Uses of the model or of jobs are found in code, not in comments or identifiers.
func TestUses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		"_ = post.Title":                  6,
		`_ = model.Post{Title: "a"}`:      6,
		`tx = tx.Preload("Title")`:        6,
		`_ = web.Module{Title: "a"}`:      0,
		"// post.Title":                   0,
		"var Title = post.Titles + title": 0,
	} {
		src := []byte("package posts\n\nimport queues \"example.com/jobs\"\n\nfunc f() {\n\t" + line + "\n\tqueues.Handle(q, 1)\n\tjobs.Handle(q, 1)\n\tqueues.New()\n}\n")
		if got := edit.Selects(src, "Title"); got != want {
			t.Errorf("%s: line %d, want %d", line, got, want)
		}
		if got := edit.Calls(src, "example.com/jobs", "Handle"); len(got) != 1 || got[0] != 7 {
			t.Errorf("%s: jobs are registered at %d", line, got)
		}
	}
}
