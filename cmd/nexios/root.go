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

// run is the whole program with the outside world as arguments; it returns the
// exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	called, err := root.ExecuteContextC(ctx)
	return report(err, wantsJSON(called) || slices.Contains(args, "--json"), stdout, stderr)
}

// wantsJSON says whether a program reads the output.
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
			for _, shell := range cmd.Commands() { // Cobra's text of bash is a column too wide
				shell.Long = strings.Replace(shell.Long, "you can install it via your OS's", "install it via your OS's", 1)
			}
			cmd.Example = "  source <(nexios completion bash)\n  nexios completion fish | source\n  nexios completion zsh --help"
		}
	}
	// Help fits 80 columns, like everything else, and shows topics as they are typed.
	root.SetUsageTemplate(strings.NewReplacer(
		".FlagUsages ", ".FlagUsagesWrapped 80 ",
		"{{if .IsAdditionalHelpTopicCommand}}\n  {{rpad .CommandPath .CommandPathPadding}} ",
		"{{if .IsAdditionalHelpTopicCommand}}\n  nexios help {{rpad .Name .NamePadding}} ",
	).Replace(root.UsageTemplate()))
	return root
}

// group completes a command that does nothing but hold others.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(commands...)
	return cmd
}

// reference names the package of the runtime that a feature is made of, if it is called
// like it.
func reference(w io.Writer, feature string) error {
	catalog, err := templates.Catalog()
	if err != nil || catalog.Runtime[feature+"/doc.go"] == nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nReference, in a project:\n  go doc github.com/nexios-go/nexios/runtime/%s\n", feature)
	return err
}

// noTopic names the topics beside the error of a word that is none.
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
			about, rest, err := cmd.Root().Find(args)
			if err == nil && about == cmd.Root() && len(rest) > 0 { // a feature: the command that adds it
				if adds, _, err := cmd.Root().Find([]string{"add", rest[0]}); err == nil && adds.Name() == rest[0] {
					adds.InitDefaultHelpFlag()
					return errors.Join(adds.Help(), reference(cmd.OutOrStdout(), rest[0]))
				}
				return noTopic(about, noArgs(about, rest))
			}
			if err != nil || about.HasSubCommands() && len(rest) > 0 {
				return noArgs(about, rest)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var words []string
			if about, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, sub := range about.Commands() {
					words = append(words, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
