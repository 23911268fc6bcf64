package edit

import (
	"bytes"
	"errors"
	"go/format"
	"strings"
	"testing"
)

// The initial files of a project.
const (
	modules = `package app

import (
	"log/slog"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/web"
)

// api is where the JSON API is mounted.
const api = "/api/v1"

// modules is the map of the application.
func modules(cfg Config, gdb *gorm.DB, log *slog.Logger) []web.Module {
	return []web.Module{}
}
`
	migrations = `// Package migrations changes the schema.
package migrations

import (
	"slices"

	"github.com/nexios-go/nexios/runtime/db"
)

// All lists every migration.
func All() []db.Migration {
	return slices.Concat(
		[]db.Migration{
			createUsers(), // the first
		},
	)
}
`
	config = `package app

import "github.com/nexios-go/nexios/runtime/web"

type Config struct {
	web.Config
	DatabaseURL string ` + "`env:\"DATABASE_URL\"`" + ` // where the data is
}
`
)

var own = []string{"github.com/nexios-go/nexios/runtime", "example.com/blog"}

func element(in, text string) Edit   { return Edit{Op: AddElement, In: in, Text: text} }
func argument(in, text string) Edit  { return Edit{Op: AddArgument, In: in, Text: text} }
func statement(in, text string) Edit { return Edit{Op: AddStatement, In: in, Text: text} }
func field(in, text string) Edit     { return Edit{Op: AddField, In: in, Text: text} }
func imports(text, name string) Edit { return Edit{Op: AddImport, Text: text, Name: name, Own: own} }

// Each edit makes its change, nothing when repeated, and restores the original text when
// reverted, or back where the new layout stays.
func TestEdits(t *testing.T) {
	const head = "package p\n\n"
	for _, c := range []struct {
		name string
		edit Edit
		src  string
		want string
		back string
	}{
		{name: "first element", edit: element("modules", "posts.Module(gdb).Under(api)"), src: modules,
			want: strings.Replace(modules, "[]web.Module{}", "[]web.Module{\n\t\tposts.Module(gdb).Under(api),\n\t}", 1)},
		{name: "next element", edit: element("All", "createPosts(),"), src: migrations,
			want: strings.Replace(migrations, "// the first\n", "// the first\n\t\t\tcreatePosts(),\n", 1)},
		{name: "argument", edit: argument("All", "auth.Migrations()"), src: migrations,
			want: strings.Replace(migrations, "\t\t},\n\t)", "\t\t},\n\t\tauth.Migrations(),\n\t)", 1)},
		{name: "element in one line", edit: element("f", "c()"), src: head + "func f() []T { return []T{a(), b()} }\n",
			want: head + "func f() []T { return []T{a(), b(), c()} }\n"},
		{name: "argument of append", edit: argument("f", "c"), src: head + "func f() []T {\n\treturn append(a, b)\n}\n",
			want: head + "func f() []T {\n\treturn append(a, b, c)\n}\n"},
		{name: "element of a variable", edit: element("f", "c()"), src: head + "func f() []T {\n\tlist := []T{\n\t\ta(),\n\t}\n\tlist = append(list, b())\n\treturn list\n}\n",
			want: head + "func f() []T {\n\tlist := []T{\n\t\ta(),\n\t\tc(),\n\t}\n\tlist = append(list, b())\n\treturn list\n}\n"},
		{name: "element of a var", edit: element("f", "c()"), src: head + "func f() []T {\n\tvar list = []T{\n\t\ta(),\n\t}\n\treturn list\n}\n",
			want: head + "func f() []T {\n\tvar list = []T{\n\t\ta(),\n\t\tc(),\n\t}\n\treturn list\n}\n"},
		{name: "element after a comment", edit: element("f", "c()"), src: head + "func f() []T {\n\treturn []T{\n\t\ta(), // one\n\t\t// last words\n\t}\n}\n",
			want: head + "func f() []T {\n\treturn []T{\n\t\ta(), // one\n\t\t// last words\n\t\tc(),\n\t}\n}\n"},
		{name: "element of the last return", edit: element("f", "c()"), src: head + "func f() ([]T, error) {\n\tif x {\n\t\treturn []T{\n\t\t\tz(),\n\t\t}, nil\n\t}\n\treturn []T{\n\t\ta(),\n\t}, nil\n}\n",
			want: head + "func f() ([]T, error) {\n\tif x {\n\t\treturn []T{\n\t\t\tz(),\n\t\t}, nil\n\t}\n\treturn []T{\n\t\ta(),\n\t\tc(),\n\t}, nil\n}\n"},
		{name: "element of the function, not of the method", edit: element("f", "c()"), src: head + "func (t T) f() []T {\n\treturn []T{}\n}\n\nfunc f() []T {\n\treturn []T{a()}\n}\n",
			want: head + "func (t T) f() []T {\n\treturn []T{}\n}\n\nfunc f() []T {\n\treturn []T{a(), c()}\n}\n"},

		{name: "statement before the return", edit: statement("modules", "queue := jobs.New(gdb, log)"), src: modules,
			want: strings.Replace(modules, "\treturn", "\tqueue := jobs.New(gdb, log)\n\treturn", 1)},
		{name: "statement after others", edit: statement("f", "b := 2"), src: head + "func f() []T {\n\ta := 1 // one\n\n\t// the list\n\treturn []T{a}\n}\n",
			want: head + "func f() []T {\n\ta := 1 // one\n\tb := 2\n\n\t// the list\n\treturn []T{a}\n}\n"},
		{name: "statement before the list", edit: statement("f", "b := 2"), src: head + "func f() []T {\n\ta := 1\n\tlist := []T{a}\n\treturn list\n}\n",
			want: head + "func f() []T {\n\ta := 1\n\tb := 2\n\tlist := []T{a}\n\treturn list\n}\n"},
		{name: "statement above a comment", edit: statement("f", "b := 2"), src: head + "func f() []T {\n\t// the list\n\treturn nil\n}\n",
			want: head + "func f() []T {\n\tb := 2\n\t// the list\n\treturn nil\n}\n"},
		{name: "statement in one line", edit: statement("f", "b()"), src: head + "func f() int { return 1 }\n",
			want: head + "func f() int { b(); return 1 }\n"},
		{name: "statement in nothing", edit: statement("f", "b()"), src: head + "func f() {}\n",
			want: head + "func f() {\n\tb()\n}\n", back: head + "func f() {\n}\n"},

		{name: "field", edit: field("Config", "Mail mail.Config"), src: config,
			want: strings.Replace(config, "is\n", "is\n\tMail        mail.Config\n", 1)},
		{name: "embedded field", edit: field("Config", "jobs.Settings"), src: config,
			want: strings.Replace(config, "is\n", "is\n\tjobs.Settings\n", 1)},
		{name: "first field", edit: field("handler", "db *gorm.DB"), src: head + "type handler struct{}\n",
			want: head + "type handler struct {\n\tdb *gorm.DB\n}\n"},
		{name: "field in one line", edit: field("handler", "log *slog.Logger"), src: head + "type handler struct{ db *gorm.DB }\n",
			want: head + "type handler struct {\n\tdb  *gorm.DB\n\tlog *slog.Logger\n}\n",
			back: head + "type handler struct {\n\tdb *gorm.DB\n}\n"},

		{name: "import of the standard library", edit: imports("context", ""), src: modules,
			want: strings.Replace(modules, "\t\"log/slog\"", "\t\"context\"\n\t\"log/slog\"", 1)},
		{name: "import of another module", edit: imports("github.com/gin-gonic/gin", ""), src: modules,
			want: strings.Replace(modules, "\t\"gorm.io", "\t\"github.com/gin-gonic/gin\"\n\t\"gorm.io", 1)},
		{name: "import of its own, before", edit: imports("example.com/blog/internal/posts", ""), src: modules,
			want: strings.Replace(modules, "\t\"github.com/nexios", "\t\"example.com/blog/internal/posts\"\n\t\"github.com/nexios", 1)},
		{name: "import of its own, after", edit: imports("github.com/nexios-go/nexios/runtime/ws", ""), src: modules,
			want: strings.Replace(modules, "runtime/web\"\n", "runtime/web\"\n\t\"github.com/nexios-go/nexios/runtime/ws\"\n", 1)},
		{name: "named import", edit: imports("example.com/blog/internal/auth", "rooms"), src: modules,
			want: strings.Replace(modules, "\t\"github.com/nexios", "\trooms \"example.com/blog/internal/auth\"\n\t\"github.com/nexios", 1)},
		{name: "import of a kind between", edit: imports("gorm.io/gorm", ""), src: migrations,
			want: strings.Replace(migrations, "\"slices\"\n", "\"slices\"\n\n\t\"gorm.io/gorm\"\n", 1)},
		{name: "import of the first kind", edit: imports("fmt", ""), src: head + "import (\n\t\"gorm.io/gorm\"\n)\n",
			want: head + "import (\n\t\"fmt\"\n\n\t\"gorm.io/gorm\"\n)\n"},
		{name: "import of the last kind", edit: imports("example.com/blog/x", ""), src: head + "import (\n\t\"fmt\"\n)\n",
			want: head + "import (\n\t\"fmt\"\n\n\t\"example.com/blog/x\"\n)\n"},
		{name: "first import", edit: imports("fmt", ""), src: head + "var x = 1\n",
			want: head + "import \"fmt\"\n\nvar x = 1\n"},
		{name: "second import", edit: imports("example.com/blog/internal/mail", ""), src: config,
			back: strings.Replace(config, "import \"github.com/nexios-go/nexios/runtime/web\"", "import (\n\t\"github.com/nexios-go/nexios/runtime/web\"\n)", 1),
			want: strings.Replace(config, "import \"github.com/nexios-go/nexios/runtime/web\"", "import (\n\t\"example.com/blog/internal/mail\"\n\t\"github.com/nexios-go/nexios/runtime/web\"\n)", 1)},
		{name: "second import, of an earlier kind", edit: imports("fmt", ""), src: config,
			back: strings.Replace(config, "import \"github.com/nexios-go/nexios/runtime/web\"", "import (\n\t\"github.com/nexios-go/nexios/runtime/web\"\n)", 1),
			want: strings.Replace(config, "import \"github.com/nexios-go/nexios/runtime/web\"", "import (\n\t\"fmt\"\n\n\t\"github.com/nexios-go/nexios/runtime/web\"\n)", 1)},
		{name: "second import, of a later kind", edit: imports("gorm.io/gorm", ""), src: head + "import \"fmt\" // for Sprint\n\nvar x = fmt.Sprint()\n",
			back: head + "import (\n\t\"fmt\" // for Sprint\n)\n\nvar x = fmt.Sprint()\n",
			want: head + "import (\n\t\"fmt\" // for Sprint\n\n\t\"gorm.io/gorm\"\n)\n\nvar x = fmt.Sprint()\n"},
		{name: "import beside cgo", edit: imports("fmt", ""), src: head + "/*\nint x;\n*/\nimport \"C\"\n\nvar x = C.x\n",
			want: head + "import \"fmt\"\n\n/*\nint x;\n*/\nimport \"C\"\n\nvar x = C.x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, end := range []string{"\n", "\r\n"} {
				src, want := strings.ReplaceAll(c.src, "\n", end), strings.ReplaceAll(c.want, "\n", end)
				got, err := c.edit.Apply([]byte(src))
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != want {
					t.Fatalf("got:\n%s\nwant:\n%s", got, want)
				}
				if end == "\n" {
					if formatted, err := format.Source(got); err != nil || !bytes.Equal(formatted, got) {
						t.Errorf("not formatted by gofmt: %v\n%s", err, formatted)
					}
				}
				if again, err := c.edit.Apply(got); err != nil || !bytes.Equal(again, got) {
					t.Errorf("applied twice: %v\n%s", err, again)
				}
				back, err := c.edit.Revert(got)
				if err != nil {
					t.Fatal(err)
				}
				before := src
				if c.back != "" {
					before = strings.ReplaceAll(c.back, "\n", end)
				}
				if string(back) != before {
					t.Errorf("reverted:\n%s", back)
				}
				if again, err := c.edit.Revert(back); err != nil || !bytes.Equal(again, back) {
					t.Errorf("reverted twice: %v\n%s", err, again)
				}
			}
		})
	}
}

// An addition that the developer wrote in another form counts as present.
func TestAlreadyPresent(t *testing.T) {
	const head = "package p\n\n"
	for _, c := range []struct {
		name string
		edit Edit
		src  string
	}{
		{"broken over lines", element("f", "posts.Module(gdb, 1).Under(api)"),
			head + "func f() []T {\n\treturn []T{\n\t\tposts.Module(\n\t\t\tgdb, // the database\n\t\t\t1,\n\t\t).\n\t\t\tUnder(api),\n\t}\n}\n"},
		{"squeezed", element("f", "a(1, 2)"), head + "func f() []T { return []T{a(1,2)} }"},
		{"in an append", element("f", "b()"), head + "func f() []T { return append([]T{a()}, b()) }\n"},
		{"in an append later on", element("f", "b()"), head + "func f() []T {\n\tl := []T{a()}\n\tl = append(l, b())\n\treturn l\n}\n"},
		{"argument in the list", argument("f", "b()"), head + "func f() []T { return append([]T{b()}, c()) }\n"},
		{"statement with a comment", statement("f", "queue := jobs.New(gdb, log)"),
			head + "func f() {\n\tif x {\n\t}\n\tqueue := jobs.New( // mine\n\t\tgdb, log,\n\t)\n}\n"},
		{"variable made in another way", statement("f", "queue := jobs.New(gdb, log)"), head + "func f() {\n\tqueue := mine()\n}\n"},
		{"field of another type", field("C", "Mail mail.Config"), head + "type C struct {\n\tA, Mail *mine\n}\n"},
		{"embedded field", field("C", "mail.Config"), head + "type C struct {\n\t*mail.Config `env:\"X\"`\n}\n"},
		{"import under its own name", imports("example.com/blog/posts", ""), head + "import posts \"example.com/blog/posts\"\n"},
		{"import of a version", imports("example.com/otter/v2", "otter"), head + "import \"example.com/otter/v2\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := c.edit.Apply([]byte(c.src)); err != nil || string(got) != c.src {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	const head = "package p\n\n"
	for _, c := range []struct {
		name   string
		edit   Edit
		src    string
		revert bool
		want   string
	}{
		{"no function", element("modules", "posts.Module(gdb)"), head, false,
			"no function modules returning a list found; add this by hand:\n\n\tposts.Module(gdb),"},
		{"no list", element("modules", "posts.Module(gdb)"), head + "func modules() []T { return build() }\n", false,
			"no function modules returning a list found; add this by hand:\n\n\tposts.Module(gdb),"},
		{"a struct is no list", element("f", "x"), head + "func f() T { return T{1} }\n", false,
			"no function f returning a list found; add this by hand:\n\n\tx,"},
		{"no concat", argument("All", "auth.Migrations()"), head + "func All() []T { return all(x) }\n", false,
			"no function All returning slices.Concat or append found; add this by hand:\n\n\tauth.Migrations(),"},
		{"not go", element("f", "x"), "package p\n\nfunc f( {", false,
			"this file is not valid Go; add this by hand:\n\n\tx,"},
		{"no body", statement("f", "x()"), head + "func f()\n", false,
			"function f not found; add this by hand:\n\n\tx()"},
		{"no struct", field("Config", "Mail mail.Config"), head + "type Config map[string]string\n", false,
			"struct Config not found; add this by hand:\n\n\tMail mail.Config"},
		{"no room for an import", imports("fmt", ""), "package p; var x = 1\n", false,
			"no safe place to insert this; add this by hand:\n\n\timport \"fmt\""},
		{"no room behind an ellipsis", argument("f", "c"), head + "func f() []T { return append(a, b...) }\n", false,
			"no function f returning slices.Concat or append found; add this by hand:\n\n\tc,"},
		{"another call", element("f", "posts.Module(gdb)"), head + "func f() []T { return []T{posts.Module(gdb, cache)} }\n", true,
			"function f has this line in a different form; remove this by hand:\n\n\tposts.Module(gdb),"},
		{"another statement", statement("f", "q := jobs.New(gdb)"), head + "func f() {\n\tq := jobs.New(gdb, 5)\n}\n", true,
			"function f has this statement in a different form; remove this by hand:\n\n\tq := jobs.New(gdb)"},
		{"another field", field("C", "Mail mail.Config"), head + "type C struct {\n\tMail mail.Mine\n}\n", true,
			"struct C has this field with a different definition; remove this by hand:\n\n\tMail mail.Config"},
	} {
		t.Run(c.name, func(t *testing.T) {
			do := c.edit.Apply
			if c.revert {
				do = c.edit.Revert
			}
			_, err := do([]byte(c.src))
			var missing *Missing
			if !errors.As(err, &missing) || err.Error() != c.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, c.want)
			}
		})
	}
}

// Reverting does nothing if the addition is absent or still used.
func TestRevertNothing(t *testing.T) {
	const head = "package p\n\n"
	for _, c := range []struct {
		edit Edit
		src  string
	}{
		{element("f", "posts.Module(gdb)"), head},
		{element("f", "posts.Module(gdb)"), head + "func f() []T { return []T{users.Module(gdb)} }\n"},
		{statement("f", "x()"), head},
		{field("C", "X int"), head + "type C struct{ Y int }\n"},
		{imports("fmt", ""), head + "import \"fmt\"\n\nvar x = fmt.Sprint()\n"},
		{imports("fmt", ""), head + "import f \"fmt\"\n"},
	} {
		if got, err := c.edit.Revert([]byte(c.src)); err != nil || string(got) != c.src {
			t.Errorf("%+v: %v\n%s", c.edit, err, got)
		}
	}
}

// The edits of a feature, applied one after the other and reverted in reverse order.
func TestFeature(t *testing.T) {
	edits := []Edit{
		imports("example.com/blog/internal/mail", ""),
		imports("github.com/nexios-go/nexios/runtime/jobs", ""),
		statement("modules", "queue := jobs.New(gdb, log)"),
		element("modules", "jobs.Module(queue)"),
		element("modules", "mail.Module(cfg.Mail, queue)"),
	}
	src := []byte(modules)
	for _, e := range edits {
		var err error
		if src, err = e.Apply(src); err != nil {
			t.Fatal(err)
		}
	}
	want := `package app

import (
	"log/slog"

	"gorm.io/gorm"

	"example.com/blog/internal/mail"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/web"
)

// api is where the JSON API is mounted.
const api = "/api/v1"

// modules is the map of the application.
func modules(cfg Config, gdb *gorm.DB, log *slog.Logger) []web.Module {
	queue := jobs.New(gdb, log)
	return []web.Module{
		jobs.Module(queue),
		mail.Module(cfg.Mail, queue),
	}
}
`
	if string(src) != want {
		t.Fatalf("got:\n%s", src)
	}
	for i := range edits {
		var err error
		if src, err = edits[len(edits)-1-i].Revert(src); err != nil {
			t.Fatal(err)
		}
	}
	if string(src) != modules {
		t.Errorf("reverted:\n%s", src)
	}
}

func TestMoveImports(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"sorted anew",
			"package p\n\nimport (\n\t\"fmt\"\n\n\t\"a.b/shop/internal/model\"\n\t\"github.com/x\"\n)\n",
			"package p\n\nimport (\n\t\"fmt\"\n\n\t\"github.com/x\"\n\t\"zoo/internal/model\"\n)\n"},
		{"named, and the module itself",
			"package p\n\nimport m \"a.b/shop\"\n\nvar x = m.X\n",
			"package p\n\nimport m \"zoo\"\n\nvar x = m.X\n"},
		{"not formatted, nor sorted",
			"package p\r\nimport (\r\n  \"a.b/shop/b\"\r\n  \"a\"\r\n)\r\n",
			"package p\r\nimport (\r\n  \"zoo/b\"\r\n  \"a\"\r\n)\r\n"},
		{"others, and other strings",
			"package p\n\nimport (\n\t\"a.b/shop-api\"\n\t\"a.b/shops\"\n)\n\nvar x = \"a.b/shop\"\n", ""},
	} {
		if c.want == "" {
			c.want = c.src
		}
		got, err := MoveImports([]byte(c.src), "a.b/shop", "zoo")
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s", c.name, err, got)
		}
	}
	if _, err := MoveImports([]byte("package p\nimport \"a"), "a", "b"); err == nil {
		t.Error("no error for invalid Go")
	}
}
