package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// TestHelpCompiles applies the Go code in the help texts to the guide: a handwritten
// endpoint, a cached result and a test.
func TestHelpCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a project")
	}
	t.Parallel()
	p := newProject(t, "blog", "--preset", "guide")
	p.nexios("add", "cache")
	code := func(topic, pattern string) string {
		found := regexp.MustCompile(`(?ms)^  ` + pattern).FindString(p.nexios("help", topic))
		if found == "" {
			t.Fatalf("nexios help %s shows no %s", topic, pattern)
		}
		return found + "\n"
	}
	change := func(name string, pairs ...string) {
		text := p.read(name)
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("%s has no %q", name, pairs[i])
			}
			text = strings.Replace(text, pairs[i], pairs[i+1], 1)
		}
		p.write(name, text)
	}
	const function = `func .*?^  }$`
	imports := "import (\n\t\"context\"\n\t\"time\"\n\n\t\"github.com/nexios-go/nexios/runtime/cache\"\n"
	change("internal/posts/posts.go",
		"import (", imports,
		"type handler struct{ db *gorm.DB }", "type handler struct {\n\tdb *gorm.DB\n\tcached *cache.Store\n}\n\ntype summary struct{ Posts int64 }",
		"func Module(gdb *gorm.DB)", "func Module(gdb *gorm.DB, cached *cache.Store)",
		"handler{gdb}", "handler{gdb, cached}",
		"[]web.Route{", "[]web.Route{\n"+code("endpoints", `web\.Post\(.*?,$`)+"web.Get(\"/posts/summary\", h.summary).Doc(\"Count posts\").Guard(auth.User()),\n",
		"func (h handler) list(", code("endpoints", function)+code("cache", function)+"func (h handler) list(")
	change("internal/app/modules.go", "posts.Module(gdb)", "posts.Module(gdb, cached)")
	change("internal/posts/posts_test.go",
		"import (", "import (\n\t\"log/slog\"\n\n\t\"gorm.io/gorm\"\n\n\t\"github.com/nexios-go/nexios/runtime/cache\"\n"+
			"\t\"github.com/nexios-go/nexios/runtime/redis\"\n\t\"github.com/nexios-go/nexios/runtime/web\"\n",
		"Module:     posts.Module,", code("cache", `Module: func.*?^  },$`))
	p.write("internal/posts/posts_test.go", p.read("internal/posts/posts_test.go")+code("testing", function))
	p.run("go", "build", "./...")
	p.run("go", "test", "./internal/posts", "-run", "^TestPublish$")
}
