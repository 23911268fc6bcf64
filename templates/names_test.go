package templates_test

import (
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// TestNames: a package that its owner names is in nobody's way, whether the other
// was there before or comes after.
func TestNames(t *testing.T) {
	catalog, err := templates.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	add := func(p spec.Project, word string) (spec.Project, error) {
		f := spec.Feature{Name: word}
		if name, ok := strings.CutPrefix(word, "websocket "); ok {
			f = spec.Feature{Name: "websocket", Options: map[string]string{"name": name}}
		}
		if name, ok := strings.CutPrefix(word, "resource "); ok {
			p, _, err := p.Add(spec.Resource{Name: name, Fields: []string{"title:string"}, Guard: "none"})
			return p, err
		}
		return catalog.Add(p, f)
	}
	for words, why := range map[string]string{
		"websocket chat, websocket support-desk, websocket echo": "",
		"websocket team-talk, websocket team-talk":               "",
		"websocket team-talk, websocket teamtalk":                "adds the package teamtalk",
		"websocket uploads, uploads":                             "uploads adds the package uploads",
		"uploads, websocket uploads":                             "websocket adds the package uploads",
		"websocket auth":                                         "websocket adds the package auth",
		"websocket queue":                                        "websocket adds the package queue",
		"websocket ws":                                           "every websocket uses it",
		"resource post, websocket posts":                         "which already exists as a resource",
		"websocket posts, resource post":                         "is already taken",
		"websocket ":                                             "is not a name",
		"websocket 9":                                            "is not a name",
		"websocket a b":                                          "is not a name",
		"websocket \u00fc":                                       "is not a name",
		"websocket func":                                         "is a Go keyword",
		"websocket len":                                          "is a Go keyword",
		"websocket app":                                          "every project already uses it",
		"websocket Com-1":                                        "reserved on Windows",
		"websocket con":                                          "reserved on Windows",
	} {
		p, err := spec.New(spec.Project{Name: "blog"})
		if err != nil {
			t.Fatal(err)
		}
		for word := range strings.SplitSeq(words, ", ") {
			if p, err = add(p, word); err != nil {
				break
			}
		}
		if (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v; want %q", words, err, why)
		}
	}
}
