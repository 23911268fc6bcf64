package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nexios-go/nexios/runtime/command"
)

// Commands returns the commands of the application: serve, health, routes, and those
// of its modules.
func Commands(a *App) []command.Command {
	list := []command.Command{
		{Name: "serve", Summary: "serve the API until stopped", Run: func(ctx context.Context, io command.IO) error {
			if len(io.Args) > 0 {
				return command.Usage("serve takes no arguments\n  where to listen is a setting\n  try:   ADDR=127.0.0.1:8001")
			}
			return a.Serve(ctx)
		}},
		{Name: "health", Summary: "ask the running server whether it is ready", Run: a.healthCommand},
		{Name: "routes", Args: "[--json]", Summary: "list the routes with their guards", Run: a.routesCommand},
	}
	for _, m := range a.Modules {
		for _, c := range m.Commands {
			if c.Development && a.Config.Env == Production {
				c.Run, c.Starts = developmentOnly(c.Name), false
			}
			if c.Starts {
				c.Run = a.started(c.Run)
			}
			list = append(list, c)
		}
	}
	return list
}

// developmentOnly returns a command function that fails because the command is not
// available in production.
func developmentOnly(name string) func(context.Context, command.IO) error {
	return func(context.Context, command.IO) error {
		return fmt.Errorf("%s is for development only, and this is production\n  where: APP_ENV=%s\n  try:   run it on a development machine", name, Production)
	}
}

// started wraps a command function so that it runs after the modules have started. If
// it fails, modules that are not ready are added to its error.
func (a *App) started(run func(context.Context, command.IO) error) func(context.Context, command.IO) error {
	return func(ctx context.Context, io command.IO) error {
		if err := a.start(ctx); err != nil {
			return err
		}
		err := run(a.withAround(ctx), io)
		a.stop(ctx, time.Now().Add(lastTimeout))
		if command.ExitCode(err) != command.Failed {
			return err
		}
		readyCtx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		for _, m := range a.Modules {
			if m.Ready == nil {
				continue
			}
			if problem := m.Ready(readyCtx); problem != nil {
				err = fmt.Errorf("%w\n  where: %s: %w", err, m.Name, problem)
			}
		}
		return err
	}
}

// listedRoute is a route as printed by the routes command.
type listedRoute struct {
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	Module  string   `json:"module"`
	Guards  []string `json:"guards"`
	Open    bool     `json:"open,omitempty"` // changes data and has no guard
	Summary string   `json:"summary"`
}

func (a *App) routesCommand(_ context.Context, std command.IO) error {
	asJSON := len(std.Args) == 1 && std.Args[0] == "--json"
	if len(std.Args) > 0 && !asJSON {
		return command.Usage(fmt.Sprintf("unknown argument %q\n  it takes: --json\n  try:      routes --json", std.Args[0]))
	}
	routes := []listedRoute{}
	for _, m := range a.Modules {
		for _, r := range m.Routes {
			guards := []string{}
			for _, g := range r.Guards {
				guards = append(guards, g.Name)
			}
			open := len(guards) == 0 && r.Method != http.MethodGet && r.Method != http.MethodHead
			routes = append(routes, listedRoute{r.Method, r.fullPath(m.Prefix), m.Name, guards, open, r.Summary})
		}
	}
	if asJSON {
		encoder := json.NewEncoder(std.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(routes)
	}
	return listRoutes(std.Stdout, std.Columns(), routes)
}

// listRoutes writes a table at most width columns wide, 0 for any width. If a path is
// too long, its guards go on the next line. Summaries appear only with --json and in
// the API reference.
func listRoutes(w io.Writer, width int, routes []listedRoute) error {
	rows := [][3]string{{"METHOD", "PATH", "GUARDS"}}
	for _, r := range routes {
		guards := strings.Join(r.Guards, " ")
		if r.Open {
			guards = "(open)"
		}
		rows = append(rows, [3]string{r.Method, r.Path, guards})
	}
	var method, path, guards int // column widths
	for _, row := range rows {
		method, path, guards = max(method, len(row[0])), max(path, len(row[1])), max(guards, len(row[2]))
	}
	if width > 0 {
		path = min(path, max(len("PATH"), width-method-guards-4))
	}
	var out strings.Builder
	for _, row := range rows {
		if row[2] != "" && len(row[1]) > path {
			fmt.Fprintf(&out, "%-*s  %s\n", method, row[0], row[1])
			row[0], row[1] = "", ""
		}
		out.WriteString(strings.TrimRight(fmt.Sprintf("%-*s  %-*s  %s", method, row[0], path, row[1], row[2]), " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
