package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

func addCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add a resource, a model or a feature to the project",
		Example: `  nexios add resource post title:string:min=3 published:bool:default=false
  nexios add model tag name:string:unique
  nexios add auth`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(addResourceCommand(), addModelCommand())
	for _, feature := range templates.Features() {
		cmd.AddCommand(addFeatureCommand(feature))
	}
	return cmd
}

const fieldHelp = `A field is name:type[:modifier...], without a character that a shell touches.

types      string text int bigint float decimal bool date time datetime
           duration uuid email url slug json bytes enum ref file
           and, for relations, many=TABLE and has=TABLE
modifiers  optional unique index search sort filter secret immutable array
           default=X min=N max=N len=N pattern=P
           ondelete=cascade|restrict|null

Fields are required unless they are optional or have a default. id, created_at
and updated_at come by themselves.`

func addResourceCommand() *cobra.Command {
	var (
		f changeFlags
		r spec.Resource
	)
	cmd := &cobra.Command{
		Use:   "resource NAME FIELD...",
		Short: "Add a table with its routes, inputs and tests",
		Long:  "Add a table with its model, migration, routes, inputs and tests.\n\n" + fieldHelp,
		Example: `  nexios add resource category name:string:unique
  nexios add resource product name:string:min=2 price:decimal=10.2:min=0 \
      status:enum=draft/live:default=draft:filter category:ref=categories
  nexios add resource note body:text --owner        # rows belong to users
  nexios add resource person name:string --only list,show`,
		Args: needsName("nexios add resource post title:string"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name, r.Fields = args[0], args[1:]
			return addResource(cmd, f, r)
		},
	}
	f.add(cmd, "the project (default: the current folder or one above it)")
	addTableFlags(cmd, &r)
	cmd.Flags().BoolVar(&r.Owner, "owner", false, "rows belong to the user who made them (needs auth)")
	cmd.Flags().StringVar(&r.Public, "public", "", "with --owner: the bool field that lets every user read a row")
	cmd.Flags().StringVar(&r.Guard, "guard", "", "who may use the routes: user, admin (needs auth)")
	cmd.Flags().StringSliceVar(&r.Only, "only", nil, "serve only these: "+strings.Join(spec.Actions(), ","))
	return cmd
}

func addModelCommand() *cobra.Command {
	var f changeFlags
	r := spec.Resource{ModelOnly: true}
	cmd := &cobra.Command{
		Use:     "model NAME FIELD...",
		Short:   "Add a table with its model and migration, without routes",
		Long:    "Add a table with its model and migration, without routes.\n\n" + fieldHelp,
		Example: "  nexios add model tag name:string:unique",
		Args:    needsName("nexios add model tag name:string"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name, r.Fields = args[0], args[1:]
			return addResource(cmd, f, r)
		},
	}
	f.add(cmd, "the project (default: the current folder or one above it)")
	addTableFlags(cmd, &r)
	return cmd
}

func addTableFlags(cmd *cobra.Command, r *spec.Resource) {
	cmd.Flags().BoolVar(&r.SoftDelete, "soft-delete", false, "mark rows as deleted instead of deleting them")
	cmd.Flags().BoolVar(&r.UUID, "uuid", false, "number rows with UUIDs (version 7)")
	cmd.Flags().StringVar(&r.Table, "table", "", "the table's name (default: the plural)")
	cmd.Flags().StringVar(&r.Plural, "plural", "", "the plural, where the guess is wrong")
}

func addResource(cmd *cobra.Command, f changeFlags, r spec.Resource) error {
	open, err := openProject(cmd, f.dir)
	if err != nil {
		return err
	}
	r.Migration = migrationTime(open.spec)
	project, added, err := open.spec.Add(r)
	if err != nil {
		return err
	}
	return change(cmd, f, open, project, scaffold.ResourceKey(added), []string{"go run . migrate up", "go test ./..."})
}

func addFeatureCommand(feature scaffold.Feature) *cobra.Command {
	var f changeFlags
	values := map[string]*string{}
	use := feature.Name
	if feature.Repeats {
		use += " NAME"
	}
	cmd := &cobra.Command{
		Use:     use,
		Short:   feature.Summary,
		Example: "  nexios add " + feature.Example,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			options := map[string]string{}
			for name, value := range values {
				options[name] = *value
			}
			if feature.Repeats && len(args) > 0 {
				options["name"], args = args[0], args[1:]
			}
			if err := noArgs(cmd, args); err != nil {
				return err
			}
			return addFeature(cmd, f, spec.Feature{Name: feature.Name, Options: options})
		},
	}
	f.add(cmd, "the project (default: the current folder or one above it)")
	for _, option := range feature.Options {
		if feature.Repeats && option.Name == "name" {
			value := option.Default
			values[option.Name] = &value
			continue
		}
		help := option.Help
		if len(option.Choices) > 0 {
			help += ": " + strings.Join(option.Choices, ", ")
		}
		values[option.Name] = cmd.Flags().String(option.Name, option.Default, help)
	}
	return cmd
}

func addFeature(cmd *cobra.Command, f changeFlags, chosen spec.Feature) error {
	open, err := openProject(cmd, f.dir)
	if err != nil {
		return err
	}
	project, err := open.catalog.Add(open.spec, chosen)
	if err != nil {
		return err
	}
	return change(cmd, f, open, project, scaffold.FeatureKey(chosen), []string{"go run . migrate up", "go test ./..."})
}

// change carries the project over to what is asked for now.
func change(cmd *cobra.Command, f changeFlags, open opened, project spec.Project, key string, next []string) error {
	p, err := open.catalog.Change(open.spec, project, os.DirFS(open.dir), key)
	if err != nil {
		return err
	}
	return carryOut(cmd, f, open.dir, "add "+strings.TrimSpace(key), p, next)
}

// needsName refuses a command line without a name, and shows one with it.
func needsName(example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return &spec.Error{What: fmt.Sprintf("%s needs a name", cmd.CommandPath()), Try: example}
	}
}
