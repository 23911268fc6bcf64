package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/rewrite"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func changeCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "change",
		Short:   "Change a field of a resource or model",
		Example: "  nexios change field post title max=100 unique",
	}, changeFieldCommand())
}

func changeFieldCommand() *cobra.Command {
	var fill string
	cmd := tableCommand(&cobra.Command{
		Use:   "field RESOURCE FIELD CHANGE...",
		Short: "Change the modifiers, values or type of a field",
		Long: `Change the modifiers, values or type of a field: a migration changes the table,
whose rows stay, and the model, inputs, filters and tests are merged with your
edits.

A change is a modifier (max=100), a modifier to remove (no-max), required, or a
type (text, bigint, enum=draft/live/archived). A whole field replaces it all.

The migration fails if existing rows do not fit: fix them first in your own
migration, or use --backfill for rows that have no value.

` + fieldHelp(),
		Example: `  nexios change field post title max=100 unique
  nexios change field post category required --backfill none
  nexios change field post published no-index no-default
  nexios change field post category enum=news/howto/other
  nexios change field post title:text:search`,
		Args: needsName("nexios change field post title max=100"),
	}, false, func(p spec.Project, args []string, at string) (spec.Project, spec.Resource, error) {
		return p.ChangeField(args[0], args[1:], fill, at)
	})
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) < 2 {
			return completeFieldName(cmd, args, word)
		}
		words := []string{"required"}
		for _, m := range spec.Modifiers() {
			words = append(words, m[0]+equals(m[1] != ""), "no-"+m[0])
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	cmd.Flags().StringVar(&fill, "backfill", "", "value for rows that have none")
	return cmd
}

func renameCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "rename",
		Short:   "Rename a resource, a field, or the project",
		Example: "  nexios rename resource post article\n  nexios rename field post title headline\n  nexios rename project example.com/acme/store",
	}, renameResourceCommand(), renameFieldCommand(), renameProjectCommand())
}

func renameFieldCommand() *cobra.Command {
	return changer(&cobra.Command{
		Use:   "field RESOURCE OLD NEW",
		Short: "Rename a field and its column",
		Long: `Rename a field and its column: a migration renames the column with its indexes
and references, and the model, inputs, filters and tests are merged with your
edits. Your own Go code gets the new name too; SQL, page templates and comments
do not, but strings of Go code with the old name are listed. Clients see the new
name from then on, so a field that an older version of the API uses cannot be
renamed while that version is served.

If anything would no longer compile, it is listed and nothing is written.`,
		Example:           "  nexios rename field post title headline",
		Args:              needsWords(3, "nexios rename field post title headline"),
		ValidArgsFunction: completeFieldName,
	}, renameField)
}

// renameField runs `nexios rename field`.
func renameField(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
	project, r, err := open.spec.RenameField(args[0], args[1], args[2], at)
	if err != nil {
		return err
	}
	if project, err = scaffold.DropNoopChange(open.spec, project, r); err != nil {
		return err
	}
	if err := scaffold.UsedByOlder("rename", open.spec, project, r, open.Files()); err != nil {
		return err
	}
	before, _ := open.spec.Resource(r.Name)
	var uses map[string][]rewrite.Use
	if f.checks() {
		rules, err := scaffold.FieldNames(open.spec, project, before, r)
		if err != nil {
			return err
		}
		// The user fixes what does not compile.
		if uses, err = usesOf(cmd, open, open.spec.Module+"/internal", rules); err != nil && !errors.Is(err, errUncertain) {
			return err
		}
	}
	p, err := open.catalog.RenameField(open.spec, project, r, uses, open.Files())
	if err != nil {
		return err
	}
	return carryOver(cmd, f, open, p, changing{title: "rename field " + strings.Join(args, " "), next: nextSteps(p)})
}

func renameResourceCommand() *cobra.Command {
	var plural string
	var keepTable bool
	cmd := changer(&cobra.Command{
		Use:   "resource OLD NEW",
		Short: "Rename a resource or model",
		Long: `Rename a resource or model: its package, model, routes and tests get the new
name, and so do the relations of other resources that are named after it, unless
an older version of their routes has them. A migration renames the table, its
indexes and constraints, join tables and columns, and can be rolled back; rows
stay.

Your own code is updated where it names the package or the model's type. If
anything else would no longer compile, it is listed and nothing is written.

With --keep-table the database keeps its names, and so do the fields of other
resources; rename field changes those one by one. Without it, a program built
before the rename no longer finds the table.

Stored data stays as it is: API keys with the scope posts:read need a new scope,
and earlier entries of the audit log name the old table.`,
		Example:           "  nexios rename resource post article\n  nexios rename resource post article --keep-table\n  nexios rename resource post person --plural people",
		Args:              needsWords(2, "nexios rename resource post article"),
		ValidArgsFunction: completeResource,
	}, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
		return renameResource(cmd, f, open, at, args[0], args[1], plural, keepTable, "")
	})
	cmd.Flags().StringVar(&plural, "plural", "", "the new plural, if the guess is wrong")
	cmd.Flags().BoolVar(&keepTable, "keep-table", false, "keep the names of tables and columns")
	return cmd
}

// renameResource runs `nexios rename resource` once all its arguments are known. If
// question is not empty, it is asked before anything is written.
func renameResource(cmd *cobra.Command, f changeFlags, open opened, at, old, name, plural string, keepTable bool, question string) error {
	now, r, err := open.spec.RenameResource(old, name, plural, keepTable, at)
	if err != nil {
		return err
	}
	before, _ := open.spec.Resource(old)
	p, err := open.catalog.RenameResource(open.spec, now, before, r, open.Files())
	if err != nil {
		return err
	}
	return carryOver(cmd, f, open, p, changing{title: "rename resource " + before.Name + " " + r.Name, ask: question, next: nextSteps(p)})
}

func renameProjectCommand() *cobra.Command {
	var name string
	cmd := changer(&cobra.Command{
		Use:   "project MODULE",
		Short: "Change the module path and name of the project",
		Long: `Change the module path of the project, and its name to the last element of the
path: in go.mod, in the imports of all packages, yours included, in README.md,
and in the files that build, deploy and describe it. Your edits are kept; other
files that contain the old path are listed.

The folder keeps its name, and so does the local database, through .env; other
databases are set by DATABASE_URL.`,
		Example: "  nexios rename project example.com/acme/store\n  nexios rename project example.com/acme/api --name store",
		Args:    needsWords(1, "nexios rename project example.com/acme/store"),
	}, func(cmd *cobra.Command, f changeFlags, open opened, _ string, args []string) error {
		now, err := open.spec.Rename(args[0], name)
		if err != nil {
			return err
		}
		p, err := open.catalog.RenameProject(open.spec, now, open.Files())
		if err != nil {
			return err
		}
		return carryOver(cmd, f, open, p, changing{title: "rename project " + args[0], next: []string{"go test ./..."}})
	})
	cmd.Flags().StringVar(&name, "name", "", "the new name, if it is not the last element of MODULE")
	return cmd
}

func removeFieldCommand() *cobra.Command {
	return tableCommand(&cobra.Command{
		Use:   "field RESOURCE FIELD...",
		Short: "Remove fields from a resource or model, and drop their columns",
		Long: `Remove fields from a resource or model: a migration drops the columns and
their data, and recreates them (empty) if rolled back. The model, inputs and
tests are merged with your edits.`,
		Example: "  nexios remove field post subtitle\n  nexios remove field post subtitle --dry-run --diff",
		Args:    needsName("nexios remove field post subtitle"),
	}, true, func(p spec.Project, args []string, at string) (spec.Project, spec.Resource, error) {
		return p.RemoveFields(args[0], args[1:], at)
	})
}

func addIndexCommand() *cobra.Command {
	var unique bool
	cmd := changer(&cobra.Command{
		Use:   "index RESOURCE FIELD,FIELD...",
		Short: "Add an index on several fields",
		Long: `Add an index on several fields to the table of a resource or model, by a
migration. With --unique, no two rows may have the same values in all of them;
rows where one is null and soft-deleted rows do not count. Rows that only their
owners read are unique per owner.

An index on one field is a modifier: nexios change field post slug unique`,
		Example:           "  nexios add index post category,title --unique\n  nexios add index post published,created_at",
		Args:              needsWords(2, "nexios add index post category,title"),
		ValidArgsFunction: completeFieldName,
	}, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
		return addIndex(cmd, f, open, at, args[0], args[1], unique, "")
	})
	cmd.Flags().BoolVar(&unique, "unique", false, "no two rows have the same values")
	return cmd
}

// addIndex runs `nexios add index` once all its arguments are known. If question is not
// empty, it is asked before anything is written.
func addIndex(cmd *cobra.Command, f changeFlags, open opened, at, name, fields string, unique bool, question string) error {
	project, r, err := open.spec.AddIndex(name, fields, unique, at)
	if err != nil {
		return err
	}
	if project, err = scaffold.DropNoopChange(open.spec, project, r); err != nil {
		return err
	}
	before, _ := open.spec.Resource(r.Name)
	return change(cmd, f, open, project, changing{key: scaffold.ResourceKey(r), title: "add index " + name + " " + fields, ask: question, done: uniqueNotice(before, r)})
}

func removeIndexCommand() *cobra.Command {
	return tableCommand(&cobra.Command{
		Use:     "index RESOURCE FIELD,FIELD...",
		Short:   "Remove an index on several fields",
		Long:    "Remove an index on several fields from the table of a resource or model, by a\nmigration.",
		Example: "  nexios remove index post category,title",
		Args:    needsWords(2, "nexios remove index post category,title"),
	}, false, func(p spec.Project, args []string, at string) (spec.Project, spec.Resource, error) {
		return p.RemoveIndex(args[0], args[1], at)
	})
}

// tableCommand completes a command that changes the table of the resource named by its
// first argument. how gets all arguments. drops is set if data of existing rows is
// lost.
func tableCommand(cmd *cobra.Command, drops bool, how func(p spec.Project, args []string, at string) (spec.Project, spec.Resource, error)) *cobra.Command {
	cmd.ValidArgsFunction = completeFieldName
	return changer(cmd, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
		project, r, err := how(open.spec, args, at)
		if err != nil {
			return err
		}
		if project, err = scaffold.DropNoopChange(open.spec, project, r); err != nil {
			return err
		}
		command := strings.Fields(cmd.CommandPath())[1:]
		if err := scaffold.UsedByOlder(command[0], open.spec, project, r, open.Files()); err != nil {
			return err
		}
		c := changing{key: scaffold.ResourceKey(r), title: strings.Join(append(command, args...), " ")}
		before, _ := open.spec.Resource(r.Name)
		if command[0] == "change" {
			c.done = uniqueNotice(before, r)
		}
		if name := uncheckedEnum(before, r); name != "" {
			c.done = "the database does not check the values of " + name + ", a reserved word in SQL:\nrows with other values keep them"
		}
		if drops {
			c.done = "the new migration drops columns of " + r.TableName() + " and their data"
			if canAsk(cmd) && !f.yes && !f.dryRun {
				c.ask = strings.ToUpper(c.title[:1]) + c.title[1:] + "?"
			}
		}
		return change(cmd, f, open, project, c)
	})
}

// uncheckedEnum returns the column of a field of is that became an enum, or has other values than
// in was, and whose name is reserved in SQL: it gets no check, so the migration finds no rows that
// do not fit.
func uncheckedEnum(was, is spec.Resource) string {
	before, _ := was.Parsed()
	after, _ := is.Parsed()
	for i := range min(len(before), len(after)) {
		f := after[i]
		if f.Type == "enum" && spec.Reserved(f.Column()) && (before[i].Type != "enum" || before[i].Arg != f.Arg) {
			return f.Column()
		}
	}
	return ""
}

// needsWords rejects a command line with fewer than n arguments; example is a valid
// one.
func needsWords(n int, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return &problem.Error{What: cmd.CommandPath() + " needs " + cmd.Use[strings.IndexByte(cmd.Use, ' ')+1:], Try: example}
		}
		return noArgs(cmd, args[n:])
	}
}
