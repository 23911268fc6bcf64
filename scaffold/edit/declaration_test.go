package edit

import "testing"

func TestFixImports(t *testing.T) {
	const other = `package p

import (
	"time"

	"example.com/app/runtime/web"
)

var _ = web.Page{At: time.Now()}
`
	for _, c := range []struct{ name, before, after, want string }{
		{
			"what is used now comes", "package p\n\nvar x = 1\n", "package p\n\nvar x = web.Page{}\n",
			"package p\n\nimport \"example.com/app/runtime/web\"\n\nvar x = web.Page{}\n",
		},
		{
			"what is not used any more goes", "package p\n\nimport \"strings\"\n\nvar x = strings.ToUpper(\"x\")\n", "package p\n\nimport \"strings\"\n\nvar x = 1\n",
			"package p\n\nvar x = 1\n",
		},
		{
			"a variable of that name is no package", "package p\n\nfunc f(web T) { web.Do() }\n", "package p\n\nfunc f(web T) { web.Do(1) }\n",
			"package p\n\nfunc f(web T) { web.Do(1) }\n",
		},
		{
			"another package of that name is the owner's", "package p\n\nimport web \"net/http\"\n\nvar _ = web.Get\n", "package p\n\nimport web \"net/http\"\n\nvar _ = web.Post\n",
			"package p\n\nimport web \"net/http\"\n\nvar _ = web.Post\n",
		},
		{
			"an import whose name cannot be guessed stays", "package p\n\nimport \"gopkg.in/yaml.v3\"\n\nvar _ = yaml.Marshal\n", "package p\n\nimport \"gopkg.in/yaml.v3\"\n\nvar _ = yaml.Unmarshal\n",
			"package p\n\nimport \"gopkg.in/yaml.v3\"\n\nvar _ = yaml.Unmarshal\n",
		},
	} {
		if got := FixImports([]byte(c.before), []byte(c.after), []byte(other), "example.com/app"); string(got) != c.want {
			t.Errorf("%s: got\n%s", c.name, got)
		}
	}
}

func TestDeclarations(t *testing.T) {
	const src = `package p

// T is a type.
type T struct{ A int }

type (
	U int
	V int
)

// Do does.
func (t *T) Do() {}

func Do() {}
`
	got := Declarations([]byte(src))
	for name, want := range map[string]string{"T": "// T is a type.\ntype T struct{ A int }", "T.Do": "// Do does.\nfunc (t *T) Do() {}", "Do": "func Do() {}"} {
		if got[name] != want {
			t.Errorf("%s: got %q", name, got[name])
		}
	}
	if len(got) != 3 {
		t.Errorf("got %q", got)
	}
	if text := ReplaceDeclaration([]byte("package p\n\nfunc a() {}\n\nfunc b() {}\n"), "a", "func a() int { return 1 }"); string(text) != "package p\n\nfunc a() int { return 1 }\n\nfunc b() {}\n" {
		t.Errorf("got %s", text)
	}
}
