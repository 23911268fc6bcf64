package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/form"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// openResources are the resources, by their plural, that anybody may change.
func openResources(p spec.Project) []string {
	var open []string
	for _, r := range p.Resources {
		if r.Open() {
			open = append(open, r.Plural)
		}
	}
	return open
}

// guardOpen offers, to a person, to guard what anybody may change, when auth
// is added to a project and its option does not say what to guard.
func guardOpen(cmd *cobra.Command, p spec.Project, chosen spec.Feature) (spec.Feature, error) {
	open := openResources(p)
	if chosen.Name != "auth" || p.HasFeature("auth") || len(open) == 0 || chosen.Options["guard"] != "" || !canAsk(cmd) {
		return chosen, nil
	}
	answers, err := ask(cmd, form.Question{
		Key: "guard", Title: "Anybody may change these. Require a login from now on?", Kind: form.Many, Choices: open, Default: open,
	})
	if err != nil {
		return chosen, err
	}
	chosen.Options = maps.Clone(chosen.Options)
	chosen.Options["guard"] = strings.Join(answers["guard"], "/")
	return chosen, nil
}

// stayOpen says, when auth was added, what anybody may go on changing.
func stayOpen(old, now spec.Project) string {
	open := openResources(now)
	if old.HasFeature("auth") || !now.HasFeature("auth") || len(open) == 0 {
		return ""
	}
	return "Anybody may still change " + strings.Join(open, ", ") + " without a login. To require one:\n" +
		"  nexios undo && nexios add auth --guard " + strings.Join(open, "/")
}

// checkGuards looks for resources that anybody may change, in a project whose
// users log in.
func checkGuards(open opened) finding {
	if !open.spec.HasFeature("auth") {
		return finding{"guards", well, "no logins in this project", ""}
	}
	if exposed := openResources(open.spec); len(exposed) > 0 {
		slices.Sort(exposed)
		return finding{"guards", warn, "anybody may change " + strings.Join(exposed, ", ") + " without a login",
			"add .Guard(auth.User()) to their routes, unless that is intended"}
	}
	return finding{"guards", well, "resources that change data require a login", ""}
}
