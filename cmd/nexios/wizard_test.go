package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/cmd/nexios/form"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// The wizard offers the option organisation only if the project has organisations, for
// resources and for models.
func TestWizardOffersOrganisations(t *testing.T) {
	for feature, want := range map[string]bool{"organisations": true, "uploads": false} {
		p := spec.Project{Features: []spec.Feature{{Name: "auth"}, {Name: feature}}}
		for _, q := range tableQuestions(p) {
			if q.Key == "special" && slices.Contains(q.Choices, "organisation") != want {
				t.Errorf("with %s: choices %q", feature, q.Choices)
			}
		}
	}
	if r := tableOf(form.Answers{"what": {"resource"}, "special": {"organisation"}}); !r.Organisation {
		t.Errorf("option organisation is not set: %+v", r)
	}
}

// Fields are asked for before options. Options that a field needs are not required at
// that point, but once the options are answered.
func TestWizardChecksFieldsWithOptions(t *testing.T) {
	p := spec.Project{Name: "shop", Module: "shop", Database: "sqlite", Features: []spec.Feature{{Name: "auth"}, {Name: "mail"}, {Name: "jobs"}, {Name: "organisations"}}}
	p, _, err := p.Add(spec.Resource{Name: "project", Fields: []string{"name:string"}, Organisation: true, Migration: "20261121101500"})
	if err != nil {
		t.Fatal(err)
	}
	questions := tableQuestions(p)
	check := func(key string, given form.Answers) string {
		for _, q := range questions {
			if q.Key == key && (q.When == nil || q.When(given)) {
				if err := q.Check(given); err != nil {
					return err.Error()
				}
				return ""
			}
		}
		t.Fatalf("%s was not asked", key)
		return ""
	}
	if questions[0].Key != "name" || questions[1].Key != "fields" {
		t.Errorf("first questions are %s, %s", questions[0].Key, questions[1].Key)
	}
	for _, c := range []struct {
		key, fields string
		special     []string
		want        string // "" if valid
	}{
		{"fields", "title:string", nil, ""},
		{"fields", "title:strin", nil, "types: string text"},
		{"fields", "project:ref=projects", nil, ""},
		{"special", "project:ref=projects", nil, "refers to rows of organisations"},
		{"special", "project:ref=projects", []string{"organisation"}, ""},
		{"special", "title:string", []string{"organisation", "owner"}, "organisation"},
		{"special", "title:string", []string{"public"}, ""},
	} {
		given := form.Answers{"what": {"resource"}, "name": {"task"}, "fields": {c.fields}, "special": c.special}
		if got := check(c.key, given); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s of %q with %q: %q, want %q", c.key, c.fields, c.special, got, c.want)
		}
	}
}
