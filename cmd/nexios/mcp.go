package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/reload"
	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/runtime"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func mcpCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve the project to coding agents (Model Context Protocol)",
		Long: `Serve the project to coding agents over standard input and output, using the
Model Context Protocol. They can read its schema, routes, OpenAPI document and
documentation, run its tests, and change it in two steps: a plan shows what
would be written, and applying it writes exactly that.

In a folder without a project the tools report that, until there is one.`,
		Example: "  nexios mcp\n  claude mcp add nexios -- nexios mcp",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if isTerminal(cmd.InOrStdin()) {
				if _, err := findProject(dir); err != nil {
					return err
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "serving coding agents on standard input and output; ctrl-c stops it")
			}
			a := &agent{flagDir: dir, root: cmd.Root(), plans: map[string]planned{}, packages: sync.OnceValues(packageDocs)}
			err := a.server().Run(cmd.Context(), &mcp.IOTransport{Reader: io.NopCloser(cmd.InOrStdin()), Writer: keepOpen{cmd.OutOrStdout()}})
			if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
				return nil // the agent has disconnected
			}
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", projectHelp)
	return cmd
}

// keepOpen is a writer whose Close does nothing: the server must not close stdout.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// agent runs nexios for a coding agent.
type agent struct {
	flagDir string // from --dir
	dir     string // "" until find has found it
	root    *cobra.Command

	mu    sync.Mutex // allows one change at a time
	plans map[string]planned
	count int // number of plans so far

	packages func() ([]string, error) // go doc of the runtime
}

// find looks for the project until there is one: an agent may start in an empty
// directory and create the project there.
func (a *agent) find() (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dir == "" {
		a.dir, err = findProject(a.flagDir)
	}
	return err
}

// planned is a command that was shown and not applied yet.
type planned struct {
	words []string
	epoch string // SOURCE_DATE_EPOCH in seconds, so that migrations get the same names
	shown string
}

const instructions = `This is a project that nexios generates and extends: a JSON API on Gin and GORM.
Read AGENTS.md and the output of the tool schema first. To add, change, rename or
remove resources, fields and features, to adopt tables, to write a client or to undo,
call plan with the words of the command, look at what it would write, then call apply
with the plan's id. Run the tests afterwards. Edit anything else by hand; later plans
keep your edits. The tool docs also searches the packages that the code imports.`

// Inputs of the tools.
type (
	planInput struct {
		Words []string `json:"words" jsonschema:"the command, one word each: add resource post title:string:min=3; or add field, add auth, change field, rename resource, remove, adopt TABLE, api version, client ts, templates eject, upgrade, undo"`
		Diff  bool     `json:"diff,omitempty" jsonschema:"show the text of each change, not only the files"`
	}
	applyInput struct {
		Plan string `json:"plan" jsonschema:"the id that plan or undo returned"`
	}
	openAPIInput struct {
		Path string `json:"path,omitempty" jsonschema:"a path of the document, such as /api/v1/posts; without it all operations are listed"`
	}
	testInput struct {
		Packages string `json:"packages,omitempty" jsonschema:"./... (default) or a package such as ./internal/posts"`
	}
	docsInput struct {
		Query string `json:"query" jsonschema:"words to look for, such as: paging cursor"`
	}
	noInput struct{}
)

func (a *agent) server() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "nexios", Version: runtime.Version}, &mcp.ServerOptions{Instructions: instructions})
	reads := &mcp.ToolAnnotations{ReadOnlyHint: true}
	tool(s, a, "plan", "Show what a nexios command would write to the project, without writing. Returns the plan's id for apply.", reads, a.plan)
	tool(s, a, "apply", "Write what a plan showed. Refused if the project has changed since, so that nothing else would be written.", nil, a.apply)
	tool(s, a, "undo", "Plan to undo the last nexios command. Returns the plan's id for apply.", reads, func(ctx context.Context, _ noInput) (string, error) {
		return a.plan(ctx, planInput{Words: []string{"undo"}})
	})
	tool(s, a, "schema", "The project's resources, fields and features, and the language that fields are written in.", reads, a.schema)
	tool(s, a, "routes", "The routes that the project serves, with their guards; openapi has summaries.", reads, func(ctx context.Context, _ noInput) (string, error) {
		text, _, err := a.nexios(ctx, nil, "routes")
		return text, err
	})
	tool(s, a, "openapi", "The project's OpenAPI document: a list of its operations, or one path in full.", reads, a.openAPI)
	tool(s, a, "dev", "What the running nexios dev reports: whether the last edit builds, its errors, and the last requests, failed ones first, with their SQL and log lines.", reads, a.dev)
	tool(s, a, "test", "Run the project's tests.", reads, a.test)
	tool(s, a, "docs", "Search the documentation of nexios, of the project and of the runtime's packages: a word such as paging, or a name such as db.FindWritable.", reads, a.docs)
	return s
}

// tool adds a tool that returns text.
func tool[In any](s *mcp.Server, a *agent, name, operation string, hints *mcp.ToolAnnotations, do func(context.Context, In) (string, error)) {
	mcp.AddTool(s, &mcp.Tool{Name: name, Description: operation, Annotations: hints}, func(ctx context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
		if err := a.find(); err != nil {
			return nil, nil, err
		}
		text, err := do(ctx, in)
		if err != nil {
			return nil, nil, err // the SDK passes it to the agent as the tool's result
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	})
}

// nexios runs a command of this program in the project. It returns its stdout and
// stderr; if the command fails, err holds both.
func (a *agent) nexios(ctx context.Context, env []string, words ...string) (text, notes string, err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, exe, words...)
	cmd.Args[0] = os.Args[0]
	return output(cmd, a.dir, env)
}

// output runs a command and returns its stdout and stderr. If the command fails, err
// holds both.
func output(cmd *exec.Cmd, dir string, env []string) (text, notes string, err error) {
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), &stdout, &stderr
	err = cmd.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", "", errors.New(strings.TrimSpace(stdout.String() + "\n" + stderr.String()))
	}
	return stdout.String(), stderr.String(), err
}

func (a *agent) plan(ctx context.Context, in planInput) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	words := in.Words
	if len(words) == 1 { // a whole command line
		words = strings.Fields(words[0])
	}
	if len(words) > 0 && words[0] == "nexios" {
		words = words[1:]
	}
	if verbs := []string{"add", "adopt", "api", "change", "client", "rename", "remove", "templates", "upgrade", "undo"}; len(words) == 0 || !slices.Contains(verbs, words[0]) {
		return "", &problem.Error{What: "a plan begins with one of: " + strings.Join(verbs, " "), Try: "add resource post title:string"}
	}
	for _, word := range words {
		if name, _, _ := strings.Cut(word, "="); slices.Contains([]string{"--check", "--dir", "--dry-run", "--diff", "--json", "--yes", "-y", "--help", "-h", "--"}, name) {
			return "", fmt.Errorf("leave out %s: plans are shown as they are, and applied in this project", word)
		}
	}
	now, err := clock()
	if err != nil {
		return "", err
	}
	p := planned{words: slices.Clone(words), epoch: strconv.FormatInt(now.Unix(), 10)}
	if p.shown, err = a.show(ctx, p, true); err != nil {
		return "", err
	}
	shown := p.shown
	if !in.Diff {
		if shown, err = a.show(ctx, p, false); err != nil {
			return "", err
		}
	}
	a.count++
	id := fmt.Sprintf("plan-%d", a.count)
	a.plans[id] = p
	return fmt.Sprintf("%s\nplan: %s\nTo write this, call apply with the plan's id.\n", shown, id), nil
}

// show returns the output of a dry run.
func (a *agent) show(ctx context.Context, p planned, diff bool) (string, error) {
	words := append(slices.Clone(p.words), "--dry-run")
	if diff {
		words = append(words, "--diff")
	}
	text, _, err := a.nexios(ctx, []string{"SOURCE_DATE_EPOCH=" + p.epoch}, words...)
	return text, err
}

func (a *agent) apply(ctx context.Context, in applyInput) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, known := a.plans[in.Plan]
	if !known {
		return "", &problem.Error{What: fmt.Sprintf("there is no plan %q, or it was applied", in.Plan), Try: "plan"}
	}
	now, err := a.show(ctx, p, true)
	if err != nil {
		return "", err
	}
	if now != p.shown {
		delete(a.plans, in.Plan)
		return "", &problem.Error{Kind: problem.Conflict, What: "the project has changed since the plan was shown, and it would write something else now", Try: "plan again"}
	}
	text, notes, err := a.nexios(ctx, []string{"SOURCE_DATE_EPOCH=" + p.epoch}, append(slices.Clone(p.words), "--yes")...)
	if err == nil {
		delete(a.plans, in.Plan)
	}
	return text + notes, err
}

func (a *agent) schema(context.Context, noInput) (string, error) {
	text, err := os.ReadFile(filepath.Join(a.dir, scaffold.SpecFile))
	if err != nil {
		return "", err
	}
	p, err := spec.Parse(text)
	if err != nil {
		return "", err
	}
	record, err := p.JSON()
	return scaffold.SpecFile + ":\n" + string(record) + "\n" + fieldHelp(), err
}

func (a *agent) openAPI(ctx context.Context, in openAPIInput) (string, error) {
	text, _, err := a.nexios(ctx, nil, "openapi")
	if err != nil {
		return "", err
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		return "", err
	}
	if in.Path != "" {
		item, ok := document.Paths[in.Path]
		if !ok {
			return "", &problem.Error{What: fmt.Sprintf("the document has no path %q", in.Path), Try: "openapi without a path, which lists them"}
		}
		pathItem, err := json.MarshalIndent(item, "", "  ")
		return string(pathItem), err
	}
	var lines []string
	for path, item := range document.Paths {
		for method, op := range item {
			var operation struct {
				ID      string `json:"operationId"`
				Summary string `json:"summary"`
			}
			if err := json.Unmarshal(op, &operation); err != nil {
				return "", err
			}
			lines = append(lines, fmt.Sprintf("%s %s  %s: %s", path, strings.ToUpper(method), operation.ID, operation.Summary))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

// dev returns the state of a running nexios dev, cut down to what an agent reads.
func (a *agent) dev(ctx context.Context, _ noInput) (string, error) {
	state, err := reload.GetStatus(ctx, a.dir)
	if err != nil {
		return "", err
	}
	if state == nil {
		return "", &problem.Error{Kind: problem.Failure, What: "nexios dev is not running in this project", Try: "nexios dev"}
	}
	slices.SortStableFunc(state.Requests, func(a, b event.Request) int { return cmp.Compare(b.Status/500, a.Status/500) })
	state.Requests = state.Requests[:min(20, len(state.Requests))]
	state.Logs = state.Logs[:min(20, len(state.Logs))]
	text, err := json.MarshalIndent(state, "", "  ")
	return string(text), err
}

func (a *agent) test(ctx context.Context, in testInput) (string, error) {
	packages := cmp.Or(in.Packages, "./...")
	if !strings.HasPrefix(packages, "./") {
		return "", &problem.Error{What: fmt.Sprintf("%q is not a package of this project", packages), Try: "./... or ./internal/app"}
	}
	text, _, err := output(exec.CommandContext(ctx, "go", "test", packages), a.dir, nil)
	return text, err
}

// docs searches the help of all commands, the project's documents and the documentation
// of the runtime.
func (a *agent) docs(_ context.Context, in docsInput) (string, error) {
	packages, err := a.packages()
	if err != nil {
		return "", err
	}
	found := slices.Concat(best(in.Query, a.guides(), 3), best(in.Query, packages, 5))
	if len(found) == 0 {
		return "", &problem.Error{What: fmt.Sprintf("no documentation found for %q", in.Query), Try: "one word, such as paging, auth or migration"}
	}
	return strings.Join(found, "\n\n"), nil
}

// guides returns the help of all commands and the sections of the project's documents.
func (a *agent) guides() []string {
	var sections []string
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && !cmd.IsAdditionalHelpTopicCommand() && cmd != a.root {
			return
		}
		sections = append(sections, strings.TrimSpace("# nexios help "+strings.TrimPrefix(cmd.CommandPath(), "nexios ")+"\n"+cmp.Or(cmd.Long, cmd.Short)+"\n\n"+cmd.UsageString()))
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(a.root)
	for _, name := range []string{"README.md", "AGENTS.md", "SECURITY.md"} {
		text, err := os.ReadFile(filepath.Join(a.dir, name))
		if err != nil {
			continue // the file was removed
		}
		for _, section := range strings.Split(string(text), "\n## ") {
			sections = append(sections, "# "+name+": "+section)
		}
	}
	return sections
}

// best returns at most limit sections, the best matches for a query first.
func best(query string, sections []string, limit int) []string {
	words := strings.Fields(strings.ToLower(query))
	frequency := map[string]int{} // in how many sections each word occurs: frequent words weigh less
	for _, section := range sections {
		for _, word := range words {
			frequency[word] += min(1, strings.Count(strings.ToLower(section), word))
		}
	}
	score := func(section string) (n float64) {
		section = strings.ToLower(section)
		head, _, _ := strings.Cut(section, "\n")
		for _, word := range words {
			if found := strings.Count(section, word); found > 0 {
				n += float64(5+min(3, found)+5*strings.Count(head, word)) / float64(frequency[word])
			}
		}
		return n
	}
	type scored struct {
		text  string
		score float64
	}
	var found []scored
	for _, section := range sections {
		if n := score(section); n > 0 {
			found = append(found, scored{section, n})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	var texts []string
	for _, s := range found[:min(limit, len(found))] {
		texts = append(texts, s.text)
	}
	return texts
}
