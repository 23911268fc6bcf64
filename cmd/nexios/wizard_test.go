package main

import (
	"slices"
	"testing"

	"github.com/nexios-go/nexios/cmd/nexios/form"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// The wizard offers an organisation where there are some, for resources and for
// models, and takes the answer.
func TestWizardOffersOrganisations(t *testing.T) {
	for feature, want := range map[string]bool{"organisations": true, "uploads": false} {
		p := spec.Project{Features: []spec.Feature{{Name: "auth"}, {Name: feature}}}
		for _, q := range tableQuestions(p) {
			if q.Key == "special" && slices.Contains(q.Choices, "organisation") != want {
				t.Errorf("with %s it offers %q", feature, q.Choices)
			}
		}
	}
	if r := tableOf(form.Answers{"what": {"resource"}, "special": {"organisation"}}); !r.Organisation {
		t.Errorf("the answer is lost: %+v", r)
	}
}
