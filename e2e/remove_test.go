package e2e

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// isHistory reports whether removing a feature leaves the file changed: migrations, the record,
// and go.mod.
func isHistory(name string) bool {
	return strings.Contains(name, "internal/migrations/") || strings.HasSuffix(name, "nexios.json") || strings.HasSuffix(name, "go.mod") || strings.HasSuffix(name, "go.sum")
}

// sameExceptHistory fails unless two trees differ only in such files.
func sameExceptHistory(t *testing.T, want, got map[string]string) {
	t.Helper()
	for _, tree := range []*map[string]string{&want, &got} {
		*tree = maps.Clone(*tree)
		maps.DeleteFunc(*tree, func(name, _ string) bool { return isHistory(name) })
	}
	sameTree(t, want, got)
}

// requiredBy returns the features that must exist before adding the one in words.
func requiredBy(words []string) []string {
	chosen := spec.Feature{Name: words[0], Options: map[string]string{}}
	for i, word := range words {
		if name, ok := strings.CutPrefix(word, "--"); ok {
			chosen.Options[name] = words[i+1]
		}
	}
	var names []string
	for _, f := range templates.Features() {
		if f.Name == chosen.Name {
			names = append(names, f.Requires...)
			if f.Needs != nil {
				names = append(names, f.Needs(chosen)...)
			}
		}
	}
	return names
}

// TestRemoveFeatures adds every feature to a project with its requirements and removes it:
// only its migrations are left, which run in both directions. Adding it again restores its
// tables.
func TestFeaturesGo(t *testing.T) {
	t.Parallel()
	for _, feature := range features() {
		words := strings.Fields(feature)
		t.Run(strings.ReplaceAll(feature, " ", "_"), func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "shop")
			for _, first := range requiredBy(words) {
				p.nexios("add", first)
			}
			before := p.tree()
			p.nexios(append([]string{"add"}, words...)...)
			name := words[:min(2, len(words))]
			p.nexios(append([]string{"remove"}, name...)...)
			removed := p.tree()
			sameExceptHistory(t, before, p.tree())
			tables := strings.Contains(removed["nexios.json"], `"dropped"`)
			migrate := func(ways ...string) {
				if !tables {
					return
				}
				exe := filepath.Join(t.TempDir(), "shop.exe")
				p.run("go", "build", "-ldflags=-s -w", "-o", exe, ".")
				for _, way := range ways {
					p.run(exe, "migrate", way)
				}
			}
			migrate("up", "redo")
			p.nexios(append([]string{"add"}, words...)...)
			migrate("up")
			if tables {
				p.test("app")
			}
			p.nexios(append([]string{"remove"}, name...)...)
			migrate("up")
			p.nexios("undo")
			p.nexios("undo")
			sameTree(t, removed, p.tree())
			p.nexios("undo")
			p.nexios("undo")
			sameTree(t, before, p.tree())
		})
	}
}
