package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/form"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// applyQuestion is the question below the plan of a wizard.
const applyQuestion = "Apply these changes?"

// runWizard asks what to create: a project or, inside of one, what to add to it. It
// does the same as the command with flags, and prints that command.
func runWizard(cmd *cobra.Command, _ []string) error {
	if !canAsk(cmd) {
		return cmd.Help()
	}
	if _, err := findProject(""); err == nil {
		return addWizard(cmd)
	}
	return newWizard(cmd, newFlags{database: spec.Databases()[0], preset: templates.Presets()[0]})
}

// newWizard asks for the settings of `nexios new`; f has those already given.
func newWizard(cmd *cobra.Command, f newFlags) error {
	git := "yes"
	if f.noGit {
		git = "no"
	}
	answers, err := ask(cmd,
		form.Question{Key: "name", Title: "Project name", Help: "letters, digits, - and _", Default: []string{f.name},
			Check: func(given form.Answers) error { return firstLine(spec.CheckName(given.One("name"))) }},
		form.Question{Key: "dir", Title: "Folder", Help: "leave empty for a new folder with that name", Default: []string{f.dir},
			Check: func(given form.Answers) error {
				return firstLine(refuseOccupied(newFlags{name: given.One("name"), changeFlags: changeFlags{dir: given.One("dir")}}.folder()))
			}},
		form.Question{Key: "module", Title: "Go module path", Help: "e.g. example.com/me/shop; leave empty to use the name", Default: []string{f.module},
			Check: func(given form.Answers) error {
				_, err := spec.New(spec.Project{Name: given.One("name"), Module: given.One("module")})
				return firstLine(err)
			}},
		form.Question{Key: "db", Title: "Database", Help: "the default; DATABASE_URL overrides it at any time",
			Kind: form.Choice, Choices: spec.Databases(), About: aboutDatabases(), Default: []string{f.database}},
		form.Question{Key: "preset", Title: "Start from", Kind: form.Choice, Choices: templates.Presets(), About: aboutPresets(), Default: []string{f.preset}},
		form.Question{Key: "git", Title: "Create a git repository?", Kind: form.Confirm, Default: []string{git}},
	)
	if err != nil {
		return err
	}
	f.name, f.dir, f.module = answers.One("name"), answers.One("dir"), answers.One("module")
	f.database, f.preset, f.noGit = answers.One("db"), answers.One("preset"), answers.One("git") == "no"
	if err := createProject(cmd, f, applyQuestion); err != nil {
		return err
	}
	return printCommand(cmd, f.words())
}

// addWizard asks for what `nexios add` adds, for changes of whole resources, or for
// templates to eject.
func addWizard(cmd *cobra.Command) error {
	open, err := openToChange(cmd, changeFlags{dryRun: true}) // hold no lock while the user thinks
	if err != nil {
		return err
	}
	defer open.Close()
	features := addable(open.spec)
	at, err := migrationTime(open.spec)
	if err != nil {
		return err
	}
	today, err := clock()
	if err != nil {
		return err
	}
	folders, err := templateFolders(open)
	if err != nil {
		return err
	}
	about := map[string]string{
		"resource": "A table with routes, inputs and tests", "model": "A table without routes", "field": "More fields for an existing resource or model",
		"index":  "An index on several fields of a resource or model",
		"rename": "Another name for a resource or model", "version": "The next version of routes, beside the current one",
		"templates": "Your own templates for generated files",
	}
	for _, f := range features {
		about[f.Name] = f.Summary
	}
	questions := append([]form.Question{{Key: "what", Title: "What do you want to add or change?", Kind: form.Choice, Choices: offered(open.spec), About: about}},
		tableQuestions(open.spec)...)
	questions = append(questions, fieldQuestions(open.spec)...)
	questions = append(questions, changeQuestions(open.spec, folders, at, today.Format(time.DateOnly))...)
	for _, f := range features {
		for _, o := range f.Options {
			q := optionQuestion(f, o)
			q.Check = func(given form.Answers) error {
				chosen, _ := featureOf(f, given)
				_, err := open.catalog.Add(open.spec, chosen)
				return firstLine(err)
			}
			questions = append(questions, q)
		}
	}
	answers, err := ask(cmd, questions...)
	if err != nil {
		return err
	}
	write := func(words []string, do func(opened, string) error) error {
		if err := inProject(cmd, changeFlags{}, do); err != nil {
			return err
		}
		return printCommand(cmd, words)
	}
	if isTable(answers) {
		r, err := spec.ParseResource(tableOf(answers))
		if err != nil {
			return err
		}
		return write([]string{r.Command()}, func(open opened, at string) error {
			r.Migration = at
			return addResource(cmd, changeFlags{}, open, r, applyQuestion)
		})
	}
	if answers.One("what") == "field" {
		name, words := answers.One("of"), strings.Fields(answers.One("more"))
		return write(append([]string{"nexios add field", name}, words...), func(open opened, at string) error {
			return addFields(cmd, changeFlags{}, open, at, name, words, "", applyQuestion)
		})
	}
	if words, change := changeOf(cmd, answers); change != nil {
		return write(words, change)
	}
	i := slices.IndexFunc(features, func(f scaffold.Feature) bool { return f.Name == answers.One("what") })
	chosen, words := featureOf(features[i], answers)
	return write(words, func(open opened, _ string) error { return addFeature(cmd, changeFlags{}, open, chosen, applyQuestion) })
}

// addable returns the features that can still be added to the project.
func addable(p spec.Project) []scaffold.Feature {
	return slices.DeleteFunc(templates.Features(), func(f scaffold.Feature) bool { return p.HasFeature(f.Name) && !f.Repeats })
}

// offered returns the choices of the first question inside a project, in order.
func offered(p spec.Project) []string {
	words := []string{"resource", "model"}
	if len(p.Resources) > 0 {
		words = append(words, "field", "index")
	}
	for _, f := range addable(p) {
		words = append(words, f.Name)
	}
	if len(p.Resources) > 0 {
		words = append(words, "rename")
	}
	if slices.ContainsFunc(p.Resources, func(r spec.Resource) bool { return !r.ModelOnly }) {
		words = append(words, "version")
	}
	return append(words, "templates")
}

func isTable(given form.Answers) bool {
	return given.One("what") == "resource" || given.One("what") == "model"
}

// tableQuestions ask for a resource or a model: first its fields, then options, each
// validated together with all earlier answers.
func tableQuestions(p spec.Project) []form.Question {
	special := func(word string) func(form.Answers) bool {
		return func(given form.Answers) bool { return slices.Contains(given["special"], word) }
	}
	words := []string{"soft-delete", "uuid", "table", "plural"}
	if p.HasFeature("organisations") {
		words = append(words, "organisation")
	}
	routed := append(slices.Clone(words), "lock", "only")
	if p.HasFeature("auth") {
		routed = append(routed, "owner", "public", "read", "write", "guard")
	}
	what := func(name string) func(form.Answers) bool {
		return func(given form.Answers) bool { return given.One("what") == name }
	}
	options := map[string]string{
		"soft-delete": "deleted rows stay in the table", "uuid": "UUIDs for keys", "table": "another name for the table",
		"plural": "another plural", "only": "some of the routes", "owner": "rows belong to the user who created them",
		"public": "owners may let all users read a row", "read": "who may read rows", "write": "who may change rows",
		"guard": "who may call the routes", "lock": "writes need the row's ETag", "organisation": "rows belong to an organisation",
	}
	check := func(given form.Answers) error {
		_, _, err := p.Add(tableOf(given))
		return withChoices(err)
	}
	const title, help = "Options", "optional; press enter to continue"
	return []form.Question{
		{Key: "name", Title: "Name, singular", Help: "e.g. post, blog-post, category", When: isTable,
			Check: func(given form.Answers) error {
				_, err := spec.ParseResource(spec.Resource{Name: given.One("name"), Fields: []string{"x:int"}})
				return firstLine(err)
			}},
		{Key: "fields", Title: "Fields, separated by spaces", Help: fieldsHint("title:string:min=3 price:decimal=10.2"), When: isTable,
			Check: func(given form.Answers) error {
				checkErr := check(given)
				for _, option := range []string{"owner", "organisation"} { // options that fields may need, and that are asked later
					given["special"] = []string{option}
					if checkErr != nil && slices.Contains(routed, option) && check(given) == nil {
						return nil
					}
				}
				return checkErr
			}},
		{Key: "special", Title: title, Help: help, Kind: form.Many, Choices: words, About: options, When: what("model"), Check: check},
		{Key: "special", Title: title, Help: help, Kind: form.Many, Choices: routed, About: options, When: what("resource"), Check: check},
		{Key: "table", Title: "Table name", When: special("table"), Check: check},
		{Key: "plural", Title: "Plural", When: special("plural"), Check: check},
		{Key: "only", Title: "Actions to serve", Kind: form.Many, Choices: spec.Actions(), About: aboutActions(), When: special("only"), Check: check},
		{Key: "public", Title: "Bool field that makes a row readable by all users", When: special("public"), Check: check},
		{Key: "read", Title: "Who may read rows?", Kind: form.Choice, Choices: []string{"all", "user", "owner"}, About: aboutWho(), When: special("read"), Check: check},
		{Key: "write", Title: "Who may change rows?", Kind: form.Choice, Choices: []string{"owner", "user", "admin"}, About: aboutWho(), When: special("write"), Check: check},
		{Key: "guard", Title: "Who may call it?", Kind: form.Choice, Choices: []string{"none", "user", "admin"}, About: aboutWho(), When: special("guard"), Check: check},
	}
}

// fieldsHint returns an example and the list of types.
func fieldsHint(example string) string {
	var types []string
	for _, t := range spec.Types() {
		types = append(types, t.Name)
	}
	return "e.g. " + example + "\n" + strings.Join(command.Wrap("types: "+strings.Join(types, " "), 74), "\n") + "\nmodifiers, such as unique, optional, search: nexios help fields"
}

// Descriptions of the choices of questions and flags.

func aboutWho() map[string]string {
	return map[string]string{
		"all": "everybody, without a login", "none": "everybody, without a login", "user": "logged-in users",
		"owner": "only their owner", "admin": "administrators",
	}
}

func aboutDatabases() map[string]string {
	return map[string]string{
		"sqlite": "a file; needs no server", "postgres": "a PostgreSQL server", "mysql": "a MySQL or MariaDB server",
	}
}

func aboutPresets() map[string]string {
	return map[string]string{"minimal": "an empty API", "guide": "a blog with every feature"}
}

func aboutActions() map[string]string {
	return map[string]string{
		"list": "a page of rows", "create": "add a row", "bulk": "several rows at once",
		"show": "one row", "update": "change a row", "delete": "delete a row",
	}
}

// fieldQuestions ask for more fields of an existing resource or model.
func fieldQuestions(p spec.Project) []form.Question {
	var names []string
	for _, r := range p.Resources {
		names = append(names, r.Name)
	}
	field := func(given form.Answers) bool { return given.One("what") == "field" }
	hasResource := func(given form.Answers) bool {
		return slices.Contains([]string{"field", "index", "rename"}, given.One("what"))
	}
	return []form.Question{
		{Key: "of", Title: "Resource", Kind: form.Choice, Choices: names, When: hasResource},
		{Key: "more", Title: "Fields, separated by spaces", Help: fieldsHint("subtitle:string:optional views:int:default=0"), When: field,
			Check: func(given form.Answers) error {
				_, _, err := p.AddFields(given.One("of"), strings.Fields(given.One("more")), "", "")
				return withChoices(err)
			}},
	}
}

// changeQuestions ask for changes of a resource or of the project. at is the timestamp
// of the next migration, today the current date.
func changeQuestions(p spec.Project, folders []string, at, today string) []form.Question {
	what := func(name string) func(form.Answers) bool {
		return func(given form.Answers) bool { return given.One("what") == name }
	}
	next := 2
	var routed []string
	for _, r := range p.Resources {
		if r.ModelOnly {
			continue
		}
		routed = append(routed, r.Name)
		if n, err := strconv.Atoi(strings.TrimPrefix(r.Version, "v")); err == nil {
			next = max(next, n+1)
		}
	}
	version := func(given form.Answers) error {
		_, _, err := p.AddVersion(given.One("version"), given["versioned"], today, given.One("sunset"))
		return firstLine(err)
	}
	return []form.Question{
		{Key: "columns", Title: "Fields, separated by commas", Help: "e.g. status,created_at", When: what("index"), Check: func(given form.Answers) error {
			_, _, err := p.AddIndex(given.One("of"), columnsOf(given), false, at)
			return withChoices(err)
		}},
		{Key: "unique", Title: "Must the combination be unique?", Kind: form.Confirm, When: what("index")},
		{Key: "now", Title: "New name, singular", When: what("rename"), Check: func(given form.Answers) error {
			_, _, err := p.RenameResource(given.One("of"), given.One("now"), "", false, at)
			return firstLine(err)
		}},
		{Key: "tables", Title: "Rename the table as well?", Kind: form.Confirm, Default: []string{"yes"}, When: what("rename")},
		{Key: "version", Title: "Version", Default: []string{fmt.Sprint("v", next)}, When: what("version"), Check: version},
		{Key: "versioned", Title: "Resources", Help: "all of them if you choose none", Kind: form.Many, Choices: routed, When: what("version"), Check: version},
		{Key: "sunset", Title: "Sunset date of the older version", Help: "e.g. 2027-05-28; leave empty if undecided", When: what("version"), Check: version},
		{Key: "templates", Title: "Templates of", Kind: form.Choice, Choices: folders, When: what("templates")},
	}
}

// columnsOf returns the fields of an index.
func columnsOf(given form.Answers) string { return strings.ReplaceAll(given.One("columns"), " ", "") }

// templateFolders returns the directories whose templates can be ejected.
func templateFolders(open opened) ([]string, error) {
	list, err := open.catalog.Templates(open.Files())
	var folders []string
	for _, t := range list {
		folder, _, _ := strings.Cut(t.Name, "/")
		folders = append(folders, folder)
	}
	return slices.Compact(folders), err // sorted already
}

// changeOf returns the command line for the answers to changeQuestions and the function
// that runs it, or nil if other questions were asked.
func changeOf(cmd *cobra.Command, given form.Answers) (words []string, change func(opened, string) error) {
	switch of := given.One("of"); given.One("what") {
	case "index":
		columns, unique := columnsOf(given), given.One("unique") == "yes"
		words = []string{"nexios add index", of, columns}
		if unique {
			words = append(words, "--unique")
		}
		return words, func(open opened, at string) error {
			return addIndex(cmd, changeFlags{}, open, at, of, columns, unique, applyQuestion)
		}
	case "rename":
		now, keep := given.One("now"), given.One("tables") == "no"
		words = []string{"nexios rename resource", of, now}
		if keep {
			words = append(words, "--keep-table")
		}
		return words, func(open opened, at string) error {
			return renameResource(cmd, changeFlags{}, open, at, of, now, "", keep, applyQuestion)
		}
	case "version":
		version, names, sunset := given.One("version"), given["versioned"], given.One("sunset")
		words = append([]string{"nexios api version", version}, names...)
		if sunset != "" {
			words = append(words, "--sunset", sunset)
		}
		return words, func(open opened, _ string) error {
			return addVersion(cmd, changeFlags{}, open, version, names, sunset, applyQuestion)
		}
	case "templates":
		names := []string{given.One("templates")}
		return append([]string{"nexios templates eject"}, names...), func(open opened, _ string) error {
			return ejectTemplates(cmd, changeFlags{}, open, names, applyQuestion)
		}
	}
	return nil, nil
}

// tableOf returns the resource or model that the answers describe.
func tableOf(given form.Answers) spec.Resource {
	is := func(word string) bool { return slices.Contains(given["special"], word) }
	return spec.Resource{
		Name: given.One("name"), Plural: given.One("plural"), Table: given.One("table"),
		Fields:     strings.Fields(given.One("fields")),
		SoftDelete: is("soft-delete"), UUID: is("uuid"), Lock: is("lock"), Owner: is("owner") || is("public"), Organisation: is("organisation"),
		Public: given.One("public"), Read: given.One("read"), Write: given.One("write"),
		Only: given["only"], Guard: given.One("guard"),
		ModelOnly: given.One("what") == "model",
	}
}

func optionQuestion(f scaffold.Feature, o scaffold.Option) form.Question {
	q := form.Question{
		Key: f.Name + " " + o.Name, Title: strings.ToUpper(o.Help[:1]) + o.Help[1:], Choices: o.Choices, About: o.About,
		When: func(given form.Answers) bool { return given.One("what") == f.Name },
	}
	if o.Default != "" {
		q.Default = []string{o.Default}
	}
	switch {
	case o.Many:
		q.Kind, q.Default = form.Many, strings.FieldsFunc(o.Default, func(r rune) bool { return r == ',' })
	case len(o.Choices) > 0:
		q.Kind = form.Choice
	}
	return q
}

// featureOf returns the feature that the answers describe, and its command line.
func featureOf(f scaffold.Feature, given form.Answers) (spec.Feature, []string) {
	chosen := spec.Feature{Name: f.Name, Options: map[string]string{}}
	for _, o := range f.Options {
		answer, ok := given[f.Name+" "+o.Name]
		if !ok { // not asked yet: defaults apply
			continue
		}
		value := strings.Join(answer, ",")
		if o.Many && value == "" && slices.Contains(o.Choices, "none") {
			value = "none"
		}
		chosen.Options[o.Name] = value
	}
	return chosen, addWords(f, chosen.Options)
}

func printCommand(cmd *cobra.Command, words []string) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "\nEquivalent command:\n  %s\n", strings.Join(words, " "))
	return err
}

// withChoices returns an error for a form: its first line and, below it, the possible
// values, such as the types of fields.
func withChoices(err error) error {
	var cause *problem.Error
	if !errors.As(err, &cause) || cause.Label == "" {
		return firstLine(err)
	}
	return errors.New(strings.Join(append([]string{cause.Message()}, command.Wrap(cause.Label+": "+cause.Where, 74)...), "\n   "))
}

// firstLine reduces an error to its message, for a form.
func firstLine(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(parts(err).What)
}
