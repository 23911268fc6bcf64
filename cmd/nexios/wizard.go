package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/form"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// runWizard asks what to make: a project or, inside of one, what to add to it.
// It ends where the flags would have led, and says which they are.
func runWizard(cmd *cobra.Command, args []string) error {
	if !isTerminal(cmd.InOrStdin()) || !isTerminal(cmd.OutOrStdout()) {
		return cmd.Help()
	}
	if cmd.Name() == "new" {
		return newWizard(cmd)
	}
	if _, err := findProject(""); err == nil {
		return addWizard(cmd)
	}
	return newWizard(cmd)
}

func newWizard(cmd *cobra.Command) error {
	answers, err := ask(cmd, []form.Question{
		{Key: "name", Title: "What is the project called?", Help: "a folder of this name is made", Check: func(name string) error {
			if _, err := spec.New(spec.Project{Name: name, Database: "sqlite"}); err != nil {
				return firstLine(err)
			}
			return refuseOccupied(name)
		}},
		{Key: "module", Title: "Its Go module path?", Help: "empty: the name"},
		{Key: "db", Title: "Which database?", Help: "sqlite needs no server; DATABASE_URL changes it any time", Kind: form.Choice, Choices: []string{"sqlite", "postgres", "mysql"}},
		{Key: "preset", Title: "What does it start with?", Help: "minimal: the bare API; guide: users, posts and every part there is", Kind: form.Choice, Choices: templates.Presets()},
		{Key: "git", Title: "Make a git repository?", Kind: form.Confirm, Default: []string{"yes"}},
	})
	if err != nil {
		return err
	}
	f := newFlags{name: answers.One("name"), module: answers.One("module"), database: answers.One("db"), preset: answers.One("preset"), noGit: answers.One("git") == "no"}
	words := []string{"nexios new", f.name}
	if f.module != "" {
		words = append(words, "--module", f.module)
	}
	if f.database != "sqlite" {
		words = append(words, "--db", f.database)
	}
	if f.preset != "minimal" {
		words = append(words, "--preset", f.preset)
	}
	if f.noGit {
		words = append(words, "--no-git")
	}
	if err := confirmed(cmd, func() error {
		preview := f
		preview.dryRun = true
		return createProject(cmd, preview)
	}); err != nil {
		return err
	}
	f.quiet = true
	if err := createProject(cmd, f); err != nil {
		return err
	}
	return sayCommand(cmd, words)
}

func addWizard(cmd *cobra.Command) error {
	features := templates.Features()
	things := []string{"resource", "model"}
	for _, f := range features {
		things = append(things, f.Name)
	}
	is := func(names ...string) func(form.Answers) bool {
		return func(a form.Answers) bool {
			return strings.Contains(" "+strings.Join(names, " ")+" ", " "+a.One("what")+" ")
		}
	}
	table := is("resource", "model")
	questions := []form.Question{
		{Key: "what", Title: "What do you want to add?", Kind: form.Choice, Choices: things},
		{Key: "name", Title: "What is one row called?", Help: "post, blog-post, category", When: table, Check: func(s string) error {
			if spec.Snake(s) == "" {
				return errors.New("letters, digits, _ and -, beginning with a letter")
			}
			return nil
		}},
		{Key: "fields", Title: "Which fields?", Help: "name:type[:modifier...], with spaces between: title:string:min=3 price:decimal=10.2", When: table, Check: func(s string) error {
			for _, word := range strings.Fields(s) {
				if _, err := spec.ParseField(word); err != nil {
					return firstLine(err)
				}
			}
			return nil
		}},
		{Key: "flags", Title: "Anything special about its rows?", Kind: form.Many, Choices: []string{"soft-delete", "uuid"}, When: table},
	}
	for _, f := range features {
		for _, o := range f.Options {
			questions = append(questions, featureQuestion(f, o, is(f.Name)))
		}
	}
	answers, err := ask(cmd, questions)
	if err != nil {
		return err
	}
	words := []string{"add", answers.One("what")}
	if table(answers) {
		words = append(words, answers.One("name"))
		words = append(words, strings.Fields(answers.One("fields"))...)
		for _, flag := range answers["flags"] {
			words = append(words, "--"+flag)
		}
	} else {
		for _, f := range features {
			for _, o := range f.Options {
				if given := strings.Join(answers[f.Name+" "+o.Name], ","); given != "" && given != o.Default {
					words = append(words, "--"+o.Name, given)
				}
			}
		}
	}
	again := func(more ...string) error {
		root := rootCommand()
		root.SetArgs(append(words, more...))
		root.SetIn(cmd.InOrStdin())
		root.SetOut(cmd.OutOrStdout())
		root.SetErr(cmd.ErrOrStderr())
		return root.ExecuteContext(cmd.Context())
	}
	if err := confirmed(cmd, func() error { return again("--dry-run") }); err != nil {
		return err
	}
	if err := again("--yes"); err != nil {
		return err
	}
	return sayCommand(cmd, append([]string{"nexios"}, words...))
}

func featureQuestion(f scaffold.Feature, o scaffold.Option, when func(form.Answers) bool) form.Question {
	q := form.Question{Key: f.Name + " " + o.Name, Title: o.Help, Choices: o.Choices, When: when}
	if o.Default != "" {
		q.Default = strings.Split(o.Default, ",")
	}
	switch {
	case o.Many:
		q.Kind = form.Many
	case len(o.Choices) > 0:
		q.Kind = form.Choice
	}
	return q
}

func ask(cmd *cobra.Command, questions []form.Question) (form.Answers, error) {
	answers, err := form.Ask(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), os.Getenv("ACCESSIBLE") != "", questions)
	if errors.Is(err, form.ErrCancelled) {
		return nil, errCancelled
	}
	return answers, err
}

// confirmed shows a preview and asks whether to go on.
func confirmed(cmd *cobra.Command, preview func() error) error {
	if err := preview(); err != nil {
		return err
	}
	answers, err := ask(cmd, []form.Question{{Key: "go", Title: "Write this?", Kind: form.Confirm, Default: []string{"yes"}}})
	if err != nil {
		return err
	}
	if answers.One("go") != "yes" {
		return errCancelled
	}
	return nil
}

func sayCommand(cmd *cobra.Command, words []string) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "\nthe same again:\n  %s\n", strings.Join(words, " "))
	return err
}

// firstLine keeps a form's message to one line.
func firstLine(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(line)
}
