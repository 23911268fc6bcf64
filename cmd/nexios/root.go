package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/runtime"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/templates"
)

// run executes the command line args and returns the exit code. It takes everything
// outside the program as arguments.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	called, err := root.ExecuteContextC(ctx)
	return report(err, wantsJSON(called) || slices.Contains(args, "--json"), stdout, stderr)
}

// wantsJSON reports whether cmd was called with --json.
func wantsJSON(cmd *cobra.Command) bool {
	asJSON, err := cmd.Flags().GetBool("json")
	return err == nil && asJSON
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "nexios",
		Short: "Create and extend JSON APIs built on Gin and GORM",
		Long: `nexios creates and extends JSON APIs built on Gin and GORM. It writes plain Go
for you to edit; later commands keep your edits.

Run it without a command on a terminal and it asks what you want.`,
		Example: `  nexios new shop
  cd shop
  nexios add resource product name:string:unique price:decimal=10.2:min=0
  nexios dev`,
		Version:       runtime.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          runWizard,
	}
	root.SetVersionTemplate("nexios {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &problem.Error{What: err.Error(), Try: cmd.CommandPath() + " --help"}
	})
	root.PersistentFlags().Bool("json", false, "print the result or error as JSON")
	dev := devCommand()
	dev.PreRun = askBackground
	root.AddCommand(
		newCommand(),
		addCommand(),
		changeCommand(),
		renameCommand(),
		adoptCommand(),
		removeCommand(),
		apiCommand(),
		mergeCommand(),
		upgradeCommand(),
		diffCommand(),
		templatesCommand(),
		undoCommand(),
		dev,
		listCommand(),
		routesCommand(),
		dbCommand(),
		openAPICommand(),
		clientCommand(),
		mcpCommand(),
		doctorCommand(),
		versionCommand(),
		jsonTopic(),
		fieldsTopic(),
		policiesTopic(),
		endpointsTopic(),
		errorsTopic(),
		authTopic(),
		deployTopic(),
		cacheTopic(),
		configTopic(),
		testingTopic(),
	)
	root.SetHelpCommand(helpCommand())
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			group(cmd)
			for _, shell := range cmd.Commands() { // Cobra's help for bash is one column too wide
				shell.Long = strings.Replace(shell.Long, "you can install it via your OS's", "install it via your OS's", 1)
			}
			cmd.Example = "  source <(nexios completion bash)\n  nexios completion fish | source\n  nexios completion zsh --help"
		}
	}
	// Wrap help at 80 columns, like all other output, and list topics the way they are
	// typed.
	root.SetUsageTemplate(strings.NewReplacer(
		".FlagUsages ", ".FlagUsagesWrapped 80 ",
		"{{if .IsAdditionalHelpTopicCommand}}\n  {{rpad .CommandPath .CommandPathPadding}} ",
		"{{if .IsAdditionalHelpTopicCommand}}\n  nexios help {{rpad .Name .NamePadding}} ",
	).Replace(root.UsageTemplate()))
	return root
}

// group completes a command that only holds subcommands.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(commands...)
	return cmd
}

// reference prints where to read the package documentation of a feature that has a
// runtime package of the same name.
func reference(w io.Writer, feature string) error {
	catalog, err := templates.Catalog()
	if err != nil || catalog.Runtime[feature+"/doc.go"] == nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nReference, in a project:\n  go doc github.com/nexios-go/nexios/runtime/%s\n", feature)
	return err
}

// noTopic adds the list of topics to the error for an unknown command or topic.
func noTopic(root *cobra.Command, err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	var topics []string
	for _, sub := range root.Commands() {
		if sub.IsAdditionalHelpTopicCommand() {
			topics = append(topics, sub.Name())
		}
	}
	for _, f := range templates.Features() {
		if !slices.Contains(topics, f.Name) {
			topics = append(topics, f.Name)
		}
	}
	with := *e
	with.What, with.Label, with.Where = strings.Replace(e.What, "unknown command", "unknown command or topic", 1), "topics", strings.Join(topics, " ")
	return &with
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND or TOPIC]",
		Short:   "Explain a command or a topic",
		Example: "  nexios help add resource\n  nexios help fields",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err == nil && target == cmd.Root() && len(rest) > 0 { // a feature: the command that adds it
				if adds, _, err := cmd.Root().Find([]string{"add", rest[0]}); err == nil && adds.Name() == rest[0] {
					adds.InitDefaultHelpFlag()
					return errors.Join(adds.Help(), reference(cmd.OutOrStdout(), rest[0]))
				}
				return noTopic(target, noArgs(target, rest))
			}
			if err != nil || target.HasSubCommands() && len(rest) > 0 {
				return noArgs(target, rest)
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var words []string
			if target, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, sub := range target.Commands() {
					words = append(words, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
