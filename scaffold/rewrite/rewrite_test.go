package rewrite_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"testing"

	"github.com/nexios-go/nexios/scaffold/rewrite"
)

const older = `package web

type Route[T any] struct{ Path string; Old T }

func (r *Route[T]) Guard(a int, more ...string) error { return nil }

type Guarded interface{ Guard(a int) error }

type Rate struct{ Burst int }

const Limit = 1

func Location(path string, id int) error { return nil }

func None() {}

func Make[T any](value T) *Route[T] { return &Route[T]{} }
`

// TestUses: identifiers of the runtime are rewritten, others of the same name are not.
func TestUses(t *testing.T) {
	rules := []rewrite.Rule{
		{Package: "web", Name: "Location", To: "Place"},
		{Package: "web", Name: "Location", Params: 2, Argument: "nil"},
		{Package: "web", Name: "None", Params: 0, Argument: "1"},
		{Package: "web", Name: "Make", Params: 1, Argument: "false"},
		{Package: "web", Name: "Limit", To: "Most"},
		{Package: "web", Name: "Rate", To: "Pace"},
		{Package: "web", Type: "Rate", Name: "Burst", To: "Peak"},
		{Package: "web", Type: "Route", Name: "Old", To: "New"},
		{Package: "web", Type: "Guarded", Name: "Guard", To: "Watch"},
	}
	for name, test := range map[string]struct{ in, want, base, like string }{
		"a function": {
			in:   "func f() error { return web.Location(\"/x\", 2) }",
			want: "func f() error { return web.Place(\"/x\", 2, nil) }",
		},
		"over lines": {
			in:   "func f() error {\n\treturn web.Location(\n\t\t\"/x\",\n\t\t2,\n\t)\n}",
			want: "func f() error {\n\treturn web.Place(\n\t\t\"/x\",\n\t\t2, nil,\n\t)\n}",
		},
		"a value": {in: "var f = web.Location", want: "var f = web.Place"},
		"of the same name": {
			in: "type own struct{ Limit, Burst int }\n\nfunc Location(string, int) error { return nil }\n\nvar x, y = Location(\"\", 1), own{Limit: 1, Burst: 2}",
		},
		"shadowed": {in: "var used = web.Limit\n\nfunc f(web own) int { return web.Limit }\n\ntype own struct{ Limit int }",
			want: "var used = web.Most\n\nfunc f(web own) int { return web.Limit }\n\ntype own struct{ Limit int }"},
		"no arguments": {in: "func f() { web.None() }", want: "func f() { web.None(1) }"},
		"generic":      {in: "var a, b = web.Make(1), web.Make[string](\"\").Old", want: "var a, b = web.Make(1, false), web.Make[string](\"\", false).New"},
		"a type and its field, aligned": {
			in:   "var r = struct {\n\ta web.Rate // one\n\tbc int     // two\n}{a: web.Rate{Burst: 1}}",
			want: "var r = struct {\n\ta web.Pace // one\n\tbc int     // two\n}{a: web.Pace{Peak: 1}}",
		},
		"a method of an interface alone": {
			in:   "func f(g web.Guarded, r *web.Route[int]) { g.Guard(1); r.Guard(1) }",
			want: "func f(g web.Guarded, r *web.Route[int]) { g.Watch(1); r.Guard(1) }",
		},
		"generated beside edited": {
			in:   "func f() error {\n\tprintln()\n\treturn web.Location(\"/x\", 2)\n}",
			want: "func f() error {\n\tprintln()\n\treturn web.Place(\"/x\", 2, nil)\n}",
			base: "func f() error {\n\treturn web.Location(\"/x\", 2)\n}\n\nfunc g() { myweb.Location(\"/x\", 2) }\n",
			like: "func f() error {\n\treturn web.Place(\"/x\", 2, nil)\n}\n\nfunc g() { myweb.Location(\"/x\", 2) }\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			const runtime = "toolkit/runtime"
			files := token.NewFileSet()
			check := func(path, text string, info *types.Info, imports types.Importer) (*types.Package, *ast.File) {
				file, err := parser.ParseFile(files, path+".go", text, parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				config := types.Config{Importer: imports, Error: func(err error) { t.Error(err) }}
				checked, _ := config.Check(path, files, []*ast.File{file}, info)
				return checked, file
			}
			web, _ := check(runtime+"/web", older, nil, importer.Default())
			head := "package p\n\nimport \"" + runtime + "/web\"\n\nvar _ web.Guarded\n\n"
			in := head + test.in + "\n"
			info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
			_, file := check("p", in, info, only{web})
			if test.want == "" {
				test.want = test.in
			}
			uses := rewrite.Uses(files, file, info, runtime, rules)
			if got, want := string(rewrite.Apply([]byte(in), uses)), head+test.want+"\n"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if got := string(rewrite.Alike([]byte(head+test.base), []byte(in), uses)); test.base != "" && got != head+test.like {
				t.Errorf("the generated text is\n%s", got)
			}
		})
	}
}

// only imports a single package.
type only struct{ *types.Package }

func (o only) Import(string) (*types.Package, error) { return o.Package, nil }
