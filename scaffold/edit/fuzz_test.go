package edit

import (
	"bytes"
	"errors"
	"go/format"
	"strings"
	"testing"
)

func seeds(f *testing.F) {
	for _, src := range []string{modules, migrations, config,
		"package p\nfunc f() []T { return []T{} }",
		"package p; import (\"fmt\"; \"os\"); func f() []T { return append([]T{a, b,}, c) }",
		"package p\nimport . \"fmt\" // x\nimport _ `os`\nfunc f() (a []T) { a = []T{1 /* x */}; return a }",
		"package p\n\nimport (\n\t\"fmt\" // a\n\t// b\n\n\t// c\n\t\"x.y/z\"\n\t\"os\"\n)\n\nfunc f() []T {\n\treturn []T{\n\t\ta, // b\n\t\t/* c\n\t\t*/}\n}\n",
		strings.ReplaceAll(modules, "\n", "\r\n"),
	} {
		for _, function := range []string{"modules", "All", "f"} {
			f.Add(src, function)
		}
	}
}

// checkEdit checks an edit on any source: it adds once or returns an error, its result
// parses if the source did, and nothing of the source is lost.
func checkEdit(t *testing.T, e Edit, src string) {
	got, err := e.Apply([]byte(src))
	if err != nil {
		if missing := (*Missing)(nil); !errors.As(err, &missing) || missing.Line == "" || missing.What == "" {
			t.Errorf("error %v", err)
		}
		return
	}
	s, err := parse(got)
	if err != nil {
		t.Fatalf("invalid Go: %v\n%q", err, got)
	}
	if again, err := e.Apply(got); err != nil || !bytes.Equal(again, got) {
		t.Errorf("applied twice: %v\n%q\n%q", err, got, again)
	}
	before, _ := parse([]byte(src))
	if len(s.tree.Comments) < len(before.tree.Comments) {
		t.Errorf("lost comments: %q", got)
	}
	left := map[string]int{}
	for _, word := range tokens(string(got)) {
		left[word]++
	}
	for _, word := range tokens(src) {
		if left[word]--; left[word] < 0 && !strings.ContainsAny(word, ",;()") {
			t.Errorf("lost %q: %q", word, got)
		}
	}
	if formatted, err := format.Source([]byte(src)); err == nil && string(formatted) == src {
		if formatted, err := format.Source(got); err != nil || !bytes.Equal(formatted, got) {
			t.Errorf("gofmt would change %q", got)
		}
	}
	back, err := e.Revert(got)
	if err != nil {
		return
	}
	if _, err := parse(back); err != nil {
		t.Errorf("reverted to invalid Go: %v\n%q", err, back)
	}
}

func FuzzElementIn(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src, function string) {
		checkEdit(t, element(function, "posts.Module(gdb).Under(api)"), src)
		checkEdit(t, argument(function, "posts.Migrations()"), src)
		checkEdit(t, statement(function, "queue := jobs.New(gdb, log)"), src)
		checkEdit(t, field("Config", "Mail mail.Config"), src)
	})
}

func FuzzImport(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src, _ string) {
		checkEdit(t, imports("context", ""), src)
		checkEdit(t, imports("gorm.io/gorm/clause", ""), src)
		checkEdit(t, imports("example.com/blog/internal/posts", "rooms"), src)
	})
}
