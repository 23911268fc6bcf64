package resource_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
	"github.com/nexios-go/nexios/templates/resource"
)

// TestUploadsFollowRulesOfTheirRows checks that the uploads module knows the model of
// every row that refers to files and is not readable by everyone.
func TestUploadsFollowRulesOfTheirRows(t *testing.T) {
	for words, ruled := range map[string]bool{
		"photo scan:file --guard none":                    false,
		"photo scan:file --read all":                      false,
		"photo scan:file --guard admin":                   true,
		"photo scan:file --guard user":                    true,
		"photo scan:file --read user":                     true,
		"photo scan:file --owner":                         true,
		"photo scan:file open:bool --owner --public open": true,
		"photo scan:file --organisation":                  true,
		"photo scan:file --organisation --guard admin":    true,
		"photo scan:file --organisation --model":          true,
	} {
		p := project()
		p.Features = append(p.Features, spec.Feature{Name: "organisations"})
		p = parse(t, p, words)
		r, _ := p.Resource("photo")
		v, err := view.Of(p, r)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range resource.Resource().Edits(v) {
			if e.Path == "internal/uploads/uploads.go" && e.Op == edit.AddElement {
				got = append(got, e.Text)
			}
		}
		if len(got) != 1 || strings.Contains(got[0], "Rows: model.Photo{}") != ruled {
			t.Errorf("%s: %q; want a row rule: %t", words, got, ruled)
		}
		if has := strings.Contains(fmt.Sprint(v.Model.Rules), "Readable"); has != ruled {
			t.Errorf("%s: rules of the model: %v", words, v.Model.Rules)
		}
	}
}
