package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

func addCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "add",
		Short: "Add a resource, a model, fields or a feature to the project",
		Example: `  nexios add resource post title:string:min=3 published:bool:default=false
  nexios add field post subtitle:string:optional
  nexios add model tag name:string:unique
  nexios add auth`,
	}, addResourceCommand(), addModelCommand(), addFieldCommand(), addIndexCommand(), addMigrationCommand())
	for _, feature := range templates.Features() {
		cmd.AddCommand(addFeatureCommand(feature))
	}
	return cmd
}

// fieldHelp explains the syntax of a field, from the tables that the parser uses.
func fieldHelp() string {
	var types, modifiers []string
	for _, t := range spec.Types() {
		word := t.Name
		if t.Arg == "must" {
			word += "=" + t.Form
		}
		types = append(types, word)
	}
	for _, m := range spec.Modifiers() {
		modifiers = append(modifiers, strings.TrimSuffix(m[0]+"="+m[1], "="))
	}
	list := func(label string, words []string) string {
		return fmt.Sprintf("%-11s", label) + strings.Join(command.Wrap(strings.Join(words, " "), 80-11), "\n           ") + "\n"
	}
	return "A field is name:type[:modifier...]; no shell quoting needed.\n\n" +
		list("types", types) + list("modifiers", modifiers) + `
Fields are required unless they are optional or have a default. id, created_at
and updated_at are added automatically.`
}

func addResourceCommand() *cobra.Command {
	var r spec.Resource
	cmd := changer(&cobra.Command{
		Use:   "resource NAME FIELD...",
		Short: "Add a table with CRUD routes, inputs and tests",
		Long:  "Add a table with its model, migration, routes, inputs and tests.\n\n" + fieldHelp(),
		Example: `  nexios add resource category name:string:unique
  nexios add resource product name:string:min=2 price:decimal=10.2:min=0 \
      status:enum=draft/live:default=draft:filter category:ref=categories
  nexios add resource note body:text --owner        # each user's own
  nexios add resource article title:string --read all  # authors write
  nexios add resource tag name:string --guard admin --read all
  nexios add resource person name:string --only list/show`,
		Args:              needsName("nexios add resource post title:string"),
		ValidArgsFunction: completeField,
	}, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
		r.Name, r.Fields, r.Migration = args[0], args[1:], at
		return addResource(cmd, f, open, r, "")
	})
	addTableFlags(cmd, &r)
	cmd.Flags().BoolVar(&r.Owner, "owner", false, "rows belong to the user who created them (needs auth)")
	cmd.Flags().StringVar(&r.Read, "read", "", "rows have an owner, unless there is a --guard, and are readable by: all (no login), user, owner")
	cmd.Flags().StringVar(&r.Write, "write", "", "rows have an owner and are writable by: owner, user, admin")
	cmd.Flags().StringVar(&r.Public, "public", "", "with --owner: a bool field that makes a row readable by all users")
	cmd.Flags().StringVar(&r.Guard, "guard", "", "rows have no owner; who may change them: none (anybody), user (default with auth), admin; reading requires a login unless none or --read all")
	cmd.Flags().BoolVar(&r.Lock, "lock", false, "updates and deletes require the row's ETag in If-Match, so that no change by others is overwritten")
	cmd.Flags().StringSliceVar(&r.Only, "only", nil, "serve only these actions: "+strings.Join(spec.Actions(), "/"))
	completeFlag(cmd, "guard", described([]string{"none", "user", "admin"}, aboutWho()))
	completeFlag(cmd, "read", described([]string{"all", "user", "owner"}, aboutWho()))
	completeFlag(cmd, "write", described([]string{"owner", "user", "admin"}, aboutWho()))
	completeFlag(cmd, "only", described(spec.Actions(), aboutActions()))
	return cmd
}

func addModelCommand() *cobra.Command {
	r := spec.Resource{ModelOnly: true}
	cmd := changer(&cobra.Command{
		Use:               "model NAME FIELD...",
		Short:             "Add a table with its model and migration, without routes",
		Long:              "Add a table with its model and migration, without routes.\n\n" + fieldHelp(),
		Example:           "  nexios add model tag name:string:unique",
		Args:              needsName("nexios add model tag name:string"),
		ValidArgsFunction: completeField,
	}, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
		r.Name, r.Fields, r.Migration = args[0], args[1:], at
		return addResource(cmd, f, open, r, "")
	})
	addTableFlags(cmd, &r)
	return cmd
}

func addFieldCommand() *cobra.Command {
	var fill string
	cmd := changer(&cobra.Command{
		Use:   "field RESOURCE FIELD...",
		Short: "Add fields to an existing resource or model",
		Long: `Add fields to an existing resource or model: a migration adds the columns, and
the model, inputs and tests are merged with your edits.

The table may have rows, so a field must be optional, have a default, or get a
value for those rows with --backfill.

` + fieldHelp(),
		Example: `  nexios add field post subtitle:string:optional
  nexios add field post views:int:default=0:filter editor:ref=users:optional
  nexios add field post rating:int:min=1 --backfill 3
  nexios add field post readers:many=users
  nexios add field post comments:has=comments       # the other side of a ref`,
		Args:              needsName("nexios add field post subtitle:string:optional"),
		ValidArgsFunction: completeNewField,
	}, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
		return addFields(cmd, f, open, at, args[0], args[1:], fill, "")
	})
	cmd.Flags().StringVar(&fill, "backfill", "", "value of required fields in existing rows")
	return cmd
}

func addMigrationCommand() *cobra.Command {
	return changer(&cobra.Command{
		Use:   "migration NAME",
		Short: "Add an empty migration, to be filled in",
		Long: `Add an empty migration to the list: fill in what it does and how it is rolled
back. It cannot be applied before, and should not be edited once it is applied.`,
		Example: "  nexios add migration fill-slugs",
		Args:    needsOneName("nexios add migration fill-slugs"),
	}, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
		p, err := open.catalog.AddMigration(open.spec, open.Files(), args[0], at)
		if err != nil {
			return err
		}
		return carryOver(cmd, f, open, p, changing{
			title: "add migration " + args[0],
			next:  []string{"write what it changes in the new file in internal/migrations", "go run . migrate up"},
		})
	})
}

// addFields runs `nexios add field` once all its arguments are known. If question is
// not empty, it is asked before anything is written.
func addFields(cmd *cobra.Command, f changeFlags, open opened, at, name string, fields []string, fill, question string) error {
	project, r, err := open.spec.AddFields(name, fields, fill, at)
	if err != nil {
		return err
	}
	was, _ := open.spec.Resource(name)
	return change(cmd, f, open, project, changing{
		key: scaffold.ResourceKey(r), title: "add field " + r.Name + " " + strings.Join(fields, " "), ask: question,
		done: notices(deletionNotice(project, was, r), uniqueNotice(was, r)),
	})
}

func addTableFlags(cmd *cobra.Command, r *spec.Resource) {
	cmd.Flags().BoolVar(&r.SoftDelete, "soft-delete", false, "mark rows as deleted instead of deleting them; a row that others refer to still cannot be deleted (409)")
	cmd.Flags().BoolVar(&r.UUID, "uuid", false, "use UUIDs (version 7) as ids")
	cmd.Flags().BoolVar(&r.Organisation, "organisation", false, "rows belong to an organisation, whose members use them (needs organisations)")
	cmd.Flags().StringVar(&r.Table, "table", "", "table name (default: the plural)")
	cmd.Flags().StringVar(&r.Plural, "plural", "", "plural, if the guess is wrong")
	cmd.Flags().Func("unique", "fields whose combination is unique: `a,b` (repeatable)", func(fields string) error {
		r.Indexes = append(r.Indexes, spec.Index{Fields: spec.List(fields), Unique: true}.String())
		return nil
	})
}

// projectHelp explains --dir.
const projectHelp = "project folder (default: the current folder or a parent)"

// addResource runs `nexios add resource` once all its arguments are known. If question
// is not empty, it is asked before anything is written.
func addResource(cmd *cobra.Command, f changeFlags, open opened, r spec.Resource, question string) error {
	project, added, err := open.spec.Add(r)
	if err != nil {
		return err
	}
	title := "add resource " + added.Name
	if added.ModelOnly {
		title = "add model " + added.Name
	}
	return change(cmd, f, open, project, changing{key: scaffold.ResourceKey(added), title: title, ask: question, done: notices(deletionNotice(project, spec.Resource{}, added), uniqueNotice(spec.Resource{}, added))})
}

func addFeatureCommand(feature scaffold.Feature) *cobra.Command {
	values := map[string]*string{}
	use, name := feature.Name, ""
	if feature.Repeats {
		use += " [NAME]"
	}
	cmd := changer(&cobra.Command{
		Use:     use,
		Short:   feature.Summary,
		Long:    featureHelp(feature),
		Example: "  nexios add " + feature.Example,
		Args:    optionalName(feature),
	}, func(cmd *cobra.Command, f changeFlags, open opened, _ string, args []string) error {
		options := map[string]string{}
		for name, value := range values {
			if cmd.Flags().Changed(name) {
				options[name] = *value
			}
		}
		if feature.Repeats {
			options["name"] = name
			if len(args) > 0 {
				options["name"] = args[0]
			}
		}
		return addFeature(cmd, f, open, spec.Feature{Name: feature.Name, Options: options}, "")
	})
	for _, option := range feature.Options {
		if isNameOption(feature, option) {
			name = option.Default
			continue
		}
		help := option.Help
		if len(option.Choices) > 0 {
			help += ": " + strings.Join(option.Choices, ", ")
		}
		values[option.Name] = cmd.Flags().String(option.Name, option.Default, help)
		if len(option.Choices) > 0 {
			completeFlag(cmd, option.Name, described(option.Choices, option.About))
		}
	}
	return cmd
}

// featureHelp returns the long help of a feature: its summary and the choices of its
// options.
func featureHelp(feature scaffold.Feature) string {
	var b strings.Builder
	b.WriteString(feature.Summary + ".")
	for _, option := range feature.Options {
		if len(option.About) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n\n--%s (%s):\n", option.Name, option.Help)
		for _, choice := range option.Choices {
			fmt.Fprintf(&b, "\n  %-13s %s", choice, option.About[choice])
		}
	}
	return b.String()
}

// optionalName accepts an optional name for a feature that can be added more than once,
// and no other arguments.
func optionalName(feature scaffold.Feature) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if feature.Repeats && len(args) > 0 {
			args = args[1:]
		}
		return noArgs(cmd, args)
	}
}

// isNameOption reports whether the option is given as the argument after the feature's
// name.
func isNameOption(f scaffold.Feature, o scaffold.Option) bool { return f.Repeats && o.Name == "name" }

// addFeature runs `nexios add FEATURE` once all its arguments are known. If question is
// not empty, it is asked before anything is written.
func addFeature(cmd *cobra.Command, f changeFlags, open opened, chosen spec.Feature, question string) error {
	chosen, err := chooseGuard(cmd, open.spec, chosen)
	if err != nil {
		return err
	}
	project, err := open.catalog.Add(open.spec, chosen)
	if err != nil {
		return err
	}
	for _, feature := range project.Features {
		if open.spec.HasFeature(feature.Name) || !project.Gone(feature.Name) {
			continue
		}
		at, err := migrationTime(project)
		if err != nil {
			return err
		}
		project = project.Restore(feature.Name, at)
	}
	key := scaffold.FeatureKey(chosen)
	var next []string
	if feature, ok := open.catalog.Feature(chosen.Name); ok && feature.Next != nil {
		next = feature.Next(project, chosen)
	}
	return change(cmd, f, open, project, changing{
		key: key, title: "add " + strings.TrimSpace(strings.TrimPrefix(key, "feature ")), ask: question,
		done: openNotice(open.spec, project), next: next,
	})
}

// changing describes a change of a project.
type changing struct {
	key   string // the part that was requested, which is checked even if it exists
	title string // title in the undo history
	ask   string // question to ask before writing; "" asks nothing
	force bool   // delete files that were edited
	about string // message about the changes; may be empty
	done  string // message after writing; may be empty
	next  []string
}

func change(cmd *cobra.Command, f changeFlags, open opened, project spec.Project, how changing) error {
	p, err := open.catalog.Change(open.spec, project, open.Files(), how.key)
	if err != nil {
		return err
	}
	how.next = append(nextSteps(p), how.next...)
	return carryOver(cmd, f, open, p, how)
}

// nextSteps returns the commands to run after the plan is written: apply a new
// migration; test and serve new code.
func nextSteps(p plan.Plan) []string {
	var next []string
	changed := func(is func(plan.Op) bool) bool { return slices.ContainsFunc(p.Changes(), is) }
	if changed(func(op plan.Op) bool { return strings.HasPrefix(op.Path, "internal/migrations/") }) {
		next = append(next, "go run . migrate up")
	}
	if changed(func(op plan.Op) bool { return path.Ext(op.Path) == ".go" }) {
		next = append(next, "go test ./...", "nexios dev")
	}
	return next
}

// staleClients returns the commands that update the project's clients after a plan that
// changes code serving the API.
func staleClients(p spec.Project, changes plan.Plan) []string {
	serves := func(op plan.Op) bool {
		return path.Ext(op.Path) == ".go" && !strings.HasSuffix(op.Path, "_test.go") &&
			strings.HasPrefix(op.Path, "internal/") && !strings.HasPrefix(op.Path, "internal/migrations/")
	}
	var next []string
	if slices.ContainsFunc(changes.Changes(), serves) {
		for _, c := range p.Clients {
			next = append(next, "nexios client "+c.Language)
		}
	}
	return next
}

// carryOver shows a plan for the project and writes it.
func carryOver(cmd *cobra.Command, f changeFlags, open opened, p plan.Plan, how changing) error {
	now, err := clock()
	if err != nil {
		return err
	}
	onConflict := conflictHelp(cmd, p)
	if how.force {
		p = p.Forced()
	}
	if vendored(open.dir) && slices.ContainsFunc(p.Changes(), changesGo) {
		how.next = append([]string{"go mod vendor"}, how.next...)
	}
	how.next = append(how.next, staleClients(open.spec, p)...)
	if f.markers {
		for _, op := range p.Of(plan.Conflict) {
			if op.Note == plan.Both {
				how.next = append([]string{"resolve " + op.Path + ", between <<<<<<< and >>>>>>>"}, how.next...)
			}
		}
		p = p.Marked()
	}
	return f.carryOut(cmd, step{
		dir:  open.dir,
		plan: p,
		ask:  how.ask,
		write: func() error {
			_, err := open.Apply(p, apply.Options{Title: how.title, Time: now})
			return err
		},
		checked:    true,
		onConflict: onConflict,
		about:      how.about,
		done:       how.done,
		next:       append(cdCommand(open.dir), how.next...),
	})
}

// needsName rejects a command line without a name; example is a valid one.
func needsName(example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return &problem.Error{What: fmt.Sprintf("%s needs a name", cmd.CommandPath()), Try: example}
	}
}

// needsOneName is needsName for a command without further arguments.
func needsOneName(example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := needsName(example)(cmd, args); err != nil {
			return err
		}
		return noArgs(cmd, args[1:])
	}
}
