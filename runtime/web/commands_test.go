package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/web"
)

func TestRoutesCommand(t *testing.T) {
	pass := func(*gin.Context) error { return nil }
	user, write := web.Guard{Name: "user", Check: pass}, web.Guard{Name: "scope:write", Check: pass}
	const deep = "/organisations/current/projects/current/notes/archived/drafts"
	app, err := web.New(web.Config{Env: web.Test}, discard(), web.Module{
		Name: "notes",
		Routes: []web.Route{
			web.Post("/notes", func(*gin.Context, web.None) (int, error) { return 0, nil }).Doc("Create a note"),
			web.Get("/notes", func(*gin.Context, web.None) (int, error) { return 0, nil }).Doc("List notes"),
			web.Delete("/notes/:id", func(*gin.Context, byID) (web.None, error) { return web.None{}, nil }).Doc("Delete a note").
				Guard(user, write),
			web.Delete(deep, func(*gin.Context, web.None) (web.None, error) { return web.None{}, nil }).Guard(user, write),
			web.Get(deep, func(*gin.Context, web.None) (int, error) { return 0, nil }),
		},
		Commands: []command.Command{{Name: "notes count"}},
	}.Under("/api"))
	if err != nil {
		t.Fatal(err)
	}
	commands := web.Commands(app)
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, ", "); got != "serve, health, routes, notes count" {
		t.Errorf("commands: %s", got)
	}
	columns := ""
	routes := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := commands[2].Run(t.Context(), command.IO{Args: args, Stdout: &out, Getenv: func(string) string { return columns }})
		return out.String(), err
	}
	text, err := routes()
	if lines := strings.Split(text, "\n"); err != nil || len(lines) != 7 || !strings.HasSuffix(lines[4], "/drafts  user scope:write") {
		t.Errorf("output to a pipe: %v\n%s", err, text)
	}
	columns = "80"
	text, err = routes()
	if err != nil {
		t.Fatal(err)
	}
	want := `METHOD  PATH                                                    GUARDS
POST    /api/notes                                              (open)
GET     /api/notes
DELETE  /api/notes/:id                                          user scope:write
DELETE  /api/organisations/current/projects/current/notes/archived/drafts
                                                                user scope:write
GET     /api/organisations/current/projects/current/notes/archived/drafts
`
	if text != want {
		t.Errorf("output:\n%s", text)
	}
	text, err = routes("--json")
	var list []map[string]any
	if err != nil || json.Unmarshal([]byte(text), &list) != nil || len(list) != 5 || list[2]["path"] != "/api/notes/:id" || list[0]["open"] != true || list[1]["open"] != nil {
		t.Errorf("output: %s, error %v", text, err)
	}
	if _, err := routes("--xml"); command.ExitCode(err) != command.Misused {
		t.Errorf("unknown argument: error %v", err)
	}
}

func TestCommandsThatStart(t *testing.T) {
	log := ""
	does := func(what string, err error) func(context.Context) error {
		return func(context.Context) error { log += what + " "; return err }
	}
	run := func(what string, err error) func(context.Context, command.IO) error {
		return func(ctx context.Context, _ command.IO) error { return does(what, err)(ctx) }
	}
	app, err := web.New(web.Config{Env: web.Test}, discard(),
		web.Module{Name: "data", Start: does("start", nil), Ready: does("ready", errors.New("2 migrations are pending\n  try: migrate up"))},
		web.Module{Name: "notes", Commands: []command.Command{
			{Name: "plain", Run: run("plain", nil)},
			{Name: "good", Starts: true, Run: run("good", nil)},
			{Name: "bad", Starts: true, Run: run("bad", errors.New("no such table"))},
			{Name: "misused", Starts: true, Run: run("misused", command.Usage("what"))},
		}})
	if err != nil {
		t.Fatal(err)
	}
	own := slices.IndexFunc(web.Commands(app), func(c command.Command) bool { return c.Name == "plain" })
	for i, c := range []struct{ log, err string }{
		{"plain ", ""}, {"start good ", ""}, {"start bad ready ", "no such table\n  where: data: 2 migrations are pending\n  try: migrate up"}, {"start misused ", "what"},
	} {
		log = ""
		err := web.Commands(app)[own+i].Run(t.Context(), command.IO{})
		if log != c.log || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("ran %s, error %v; want %s, %s", log, err, c.log, c.err)
		}
	}
}

// Development commands fail in production.
func TestDevelopmentCommands(t *testing.T) {
	for env, runs := range map[string]bool{web.Development: true, web.Test: true, web.Production: false} {
		ran := false
		app, err := web.New(web.Config{Env: env}, discard(), web.Module{Commands: []command.Command{{
			Name: "db reset", Development: true, Starts: true,
			Run: func(context.Context, command.IO) error { ran = true; return nil },
		}}})
		if err != nil {
			t.Fatal(err)
		}
		err = command.Run(t.Context(), command.IO{Args: []string{"db", "reset"}}, web.Commands(app), "")
		if ran != runs || (err == nil) != runs || !runs && !strings.Contains(err.Error(), "APP_ENV=production") {
			t.Errorf("%s: ran %t, %v", env, ran, err)
		}
	}
}
