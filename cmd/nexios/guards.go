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

// openResources returns the resources, by plural, that anybody may change.
func openResources(p spec.Project) []string {
	var open []string
	for _, r := range p.Resources {
		if r.Open() {
			open = append(open, r.Plural)
		}
	}
	return open
}

// chooseGuard asks which open resources to guard when auth is added to a project without
// a choice on the command line. It asks only on a terminal.
func chooseGuard(cmd *cobra.Command, p spec.Project, chosen spec.Feature) (spec.Feature, error) {
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

// openNotice returns a notice about the resources that remain open after auth was added.
func openNotice(old, now spec.Project) string {
	open := openResources(now)
	if old.HasFeature("auth") || !now.HasFeature("auth") || len(open) == 0 {
		return ""
	}
	return "Anybody may still change " + strings.Join(open, ", ") + " without a login. To require one:\n" +
		"  nexios add auth --guard " + strings.Join(open, "/")
}

// confirmOpen requires consent, by --open or on a terminal, before auth is removed from a
// project whose resources anybody could call afterwards.
func confirmOpen(cmd *cobra.Command, f changeFlags, resources []string) error {
	if len(resources) == 0 || canAsk(cmd) && !f.yes {
		return nil
	}
	return &problem.Error{
		Kind: problem.Failure, What: "without auth, anybody may call the routes of resources that now require a login",
		Label: "resources", Where: strings.Join(resources, " "), Try: "nexios remove auth --open",
	}
}

// callableNotice returns a notice about resources that anybody may call, or "" if there
// are none. when is "now" or "then".
func callableNotice(when string, resources []string) string {
	if len(resources) == 0 {
		return ""
	}
	return "Anybody may " + when + " call the routes of " + strings.Join(resources, ", ") + " without a login."
}

// checkUnique looks for unique fields whose conflicts reveal values of other users, as
// fields of older versions did.
func checkUnique(open opened) finding {
	var leaks []string
	remedy := ""
	for _, r := range open.spec.Resources {
		for _, word := range r.Revealing() {
			x := spec.ParseIndex(word)
			name, _, _ := strings.Cut(word, ":")
			x.Fields[0], _, _ = strings.Cut(x.Fields[0], ":")
			leaks = append(leaks, r.Plural+"."+strings.Join(x.Fields, "+"))
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
	if len(leaks) == 0 {
		return finding{"unique", statusOK, "conflicts reveal nothing about rows that users may not read", ""}
	}
	slices.Sort(leaks)
	return finding{"unique", statusWarn, "conflicts reveal values of rows that users may not read: " + strings.Join(leaks, ", "), remedy}
}

// checkGuards looks for resources that anybody may change in a project with auth.
func checkGuards(open opened) finding {
	if !open.spec.HasFeature("auth") {
		return finding{"guards", statusOK, "no logins in this project", ""}
	}
	if exposed := openResources(open.spec); len(exposed) > 0 {
		slices.Sort(exposed)
		return finding{"guards", statusWarn, "anybody may change " + strings.Join(exposed, ", ") + " without a login",
			"nexios add auth --guard " + strings.Join(exposed, "/") + "   # unless that is intended"}
	}
	return finding{"guards", statusOK, "resources that change data require a login", ""}
}

// deletionNotice returns a notice about new references by which users keep rows of
// others from being deleted, and the modifiers that change this. before is the previous
// resource, or zero for a new one.
func deletionNotice(p spec.Project, before, now spec.Resource) string {
	var lines []string
	for _, f := range p.BlockingRefs(now) {
		if slices.Contains(before.Fields, f.String()) {
			continue
		}
		referred := spec.Table(f.Arg)
		if referred == "users" {
			referred = "accounts"
		}
		lines = append(lines, command.Wrap(fmt.Sprintf("While other users' %s refer to them, %s cannot be deleted. With %s:ref=%s:ondelete=cascade those %s are deleted too; "+
			"with :optional:ondelete=null they lose the reference.", now.Plural, referred, f.Name, f.Arg, now.Plural), 80)...)
	}
	return strings.Join(lines, "\n")
}

// uniqueNotice returns a notice about new unique fields and indexes that apply to the rows
// of each owner, as rows that only their owners read have them. before is the previous
// resource, or zero for a new one.
func uniqueNotice(before, now spec.Resource) string {
	if now.Within() != "user_id" {
		return ""
	}
	uniqueIn := func(r spec.Resource) (names []string) {
		for _, word := range r.Fields {
			if f, err := spec.ParseField(word); err == nil && f.Is("unique") {
				names = append(names, f.Name)
			}
		}
		for _, word := range r.Indexes {
			if x := spec.ParseIndex(word); x.Unique {
				names = append(names, strings.Join(x.Fields, "+"))
			}
		}
		return names
	}
	was := uniqueIn(before)
	unique := slices.DeleteFunc(uniqueIn(now), func(name string) bool { return slices.Contains(was, name) })
	if len(unique) == 0 {
		return ""
	}
	return strings.Join(command.Wrap("unique applies per owner, since not everyone may read all "+now.Plural+": rows of two users may have the same "+
		strings.Join(unique, ", ")+". With --read user it applies to all rows.", 80), "\n")
}

// notices joins those that are not empty.
func notices(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(text string) bool { return text == "" }), "\n\n")
}
