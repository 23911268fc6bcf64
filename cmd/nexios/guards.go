package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/form"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/scaffold/problem"
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

// mayOpen asks for consent, by --open or on a terminal, to remove auth from a project
// whose resources anybody may call afterwards.
func mayOpen(cmd *cobra.Command, f changeFlags, resources []string) error {
	if len(resources) == 0 || canAsk(cmd) && !f.yes {
		return nil
	}
	return &problem.Error{
		Kind: problem.Failure, What: "without auth, anybody may call the routes of resources that now require a login",
		Label: "resources", Where: strings.Join(resources, " "), Try: "nexios remove auth --open",
	}
}

// callable says which resources anybody may call, now or then; "" for none.
func callable(when string, resources []string) string {
	if len(resources) == 0 {
		return ""
	}
	return "Anybody may " + when + " call the routes of " + strings.Join(resources, ", ") + " without a login."
}

// checkUnique looks for fields of which a conflict tells what other users have, as
// those of an older version did.
func checkUnique(open opened) finding {
	var told []string
	remedy := ""
	for _, r := range open.spec.Resources {
		for _, word := range r.Told() {
			x := spec.ParseIndex(word)
			name, _, _ := strings.Cut(word, ":")
			x.Fields[0], _, _ = strings.Cut(x.Fields[0], ":")
			told = append(told, r.Plural+"."+strings.Join(x.Fields, "+"))
			if remedy != "" {
				continue
			}
			remedy = "nexios change field " + r.Name + " " + name + " no-unique"
			if len(x.Fields) > 1 {
				remedy = "nexios remove index " + r.Name + " " + name
			}
			f, err := spec.ParseField(word)
			switch {
			case r.Read != "" || !r.Owner:
			case err == nil && f.Mods["unique"] == "nocase":
				remedy += fmt.Sprintf(` && nexios add migration unique-%s-%s   # db.UniqueNoCase(tx, %q, %q, "user_id")`, strings.ReplaceAll(r.TableName(), "_", "-"), strings.ReplaceAll(f.Column(), "_", "-"), r.TableName(), f.Column())
			default:
				remedy += " && nexios add index " + r.Name + " user_id," + name + " --unique"
			}
		}
	}
	if len(told) == 0 {
		return finding{"unique", well, "conflicts reveal nothing about rows that users may not read", ""}
	}
	slices.Sort(told)
	return finding{"unique", warn, "conflicts reveal values of rows that users may not read: " + strings.Join(told, ", "), remedy}
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

// heldUp says of new references by which users keep rows of others from being
// deleted, what happens and which modifier changes it. was is the resource before;
// zero for a new one.
func heldUp(p spec.Project, was, now spec.Resource) string {
	var lines []string
	for _, f := range p.Crossing(now) {
		if slices.Contains(was.Fields, f.String()) {
			continue
		}
		what := spec.Table(f.Arg)
		if what == "users" {
			what = "accounts"
		}
		lines = append(lines, command.Wrap(fmt.Sprintf("While other users' %s refer to them, %s cannot be deleted. With %s:ref=%s:ondelete=cascade those %s are deleted too; "+
			"with :optional:ondelete=null they lose the reference.", now.Plural, what, f.Name, f.Arg, now.Plural), 80)...)
	}
	return strings.Join(lines, "\n")
}
