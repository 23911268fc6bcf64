// Package websocket holds the files of WebSocket rooms: chat, whose members
// talk to each other, team, the same for the members of an organisation, and
// echo.
//
// All are real packages, compiled and tested here under these names. Files makes
// templates of them, in which the name is a place.
package websocket

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// The migrations beside the rooms only stand in for a project's.
//
//go:embed files/internal/chat files/internal/team files/internal/echo
var files embed.FS

// The kinds of rooms, by the package that each is made of.
const (
	rooms        = "rooms"
	organisation = "organisation"
	echo         = "echo"
)

// Files returns the tree of files, of which internal/{rooms}/..., for example, is
// kept, as the option kind says.
func Files() fs.FS {
	tree := fstest.MapFS{}
	for kind, example := range map[string]string{rooms: "chat", organisation: "team", echo: "echo"} {
		dir := "files/internal/" + example
		entries, err := fs.ReadDir(files, dir)
		if err != nil {
			panic(err) // it is embedded
		}
		for _, entry := range entries {
			text, err := fs.ReadFile(files, dir+"/"+entry.Name())
			if err != nil {
				panic(err)
			}
			path := "internal/{" + kind + "}/" + strings.ReplaceAll(entry.Name(), example, "{"+kind+"}") + ".tmpl"
			tree[path] = &fstest.MapFile{Data: []byte(template(string(text), kind, example)), Mode: 0o644}
		}
	}
	return tree
}

// template puts places where text holds the name of the example.
func template(text, kind, example string) string {
	text = strings.ReplaceAll(text, "{{", `{{"{{"}}`)
	if kind == echo {
		text = strings.ReplaceAll(text, `"/ws"`, `"{{.Path}}"`)
		return strings.ReplaceAll(text, example, "{{.Name}}") // "Echo: " is what it says, whatever its name
	}
	text = strings.ReplaceAll(text, title(example), "{{.Title}}")
	return strings.ReplaceAll(text, example, "{{.Name}}")
}

// room is what the templates read.
type room struct {
	Name  string // of the package, and in paths
	Title string
	Path  string // of the echo
}

func roomOf(f spec.Feature) room {
	name := strings.Join(spec.Words(f.Options["name"]), "")
	r := room{Name: name, Title: title(name), Path: "/ws"}
	if name != echo {
		r.Path += "/" + name
	}
	return r
}

func title(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

// Feature returns how WebSocket rooms are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "websocket",
		Summary:  "WebSocket rooms with a demo chat page, or an echo endpoint",
		Example:  "websocket chat",
		Requires: []string{"auth", "redis"},
		Repeats:  true,
		Options: []scaffold.Option{
			{Name: "name", Help: "name of the package and its paths", Default: "chat"},
			{Name: "kind", Help: "rooms, a plain echo endpoint, or rooms of an organisation", Default: rooms, Choices: []string{rooms, echo, organisation},
				About: map[string]string{rooms: "chat rooms with presence, and a page", echo: "an endpoint that echoes messages", organisation: "rooms for the members of an organisation"}},
		},
		Files: Files(),
		Needs: func(f spec.Feature) []string {
			if f.Options["kind"] == organisation {
				return []string{"organisations"}
			}
			return nil
		},
		Words: func(f spec.Feature) map[string]string {
			name := roomOf(f).Name
			return map[string]string{rooms: name, organisation: name, echo: name}
		},
		Data: func(_ spec.Project, f spec.Feature) any { return roomOf(f) },
		Keep: func(f spec.Feature, path string) bool {
			return strings.HasPrefix(path, "internal/{"+f.Options["kind"]+"}/")
		},
		Edits: edits,
		Check: check,
	}
}

const (
	modules = "internal/app/modules.go"
	config  = "internal/app/config.go"
	runtime = "github.com/nexios-go/nexios"
)

func edits(p spec.Project, f spec.Feature) []edit.Edit {
	r := roomOf(f)
	arguments := "cfg." + r.Title + ", log"
	if f.Options["kind"] == organisation {
		arguments = "cfg." + r.Title + ", gdb, log"
	}
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: p.Module + "/internal/" + r.Name},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: r.Name + ".Module(" + arguments + ")"},
		{Path: config, Op: edit.AddImport, Text: runtime + "/runtime/ws"},
		{Path: config, Op: edit.AddField, In: "Config", Text: r.Title + " ws.Config"},
	}
}

// taken are the packages that internal/app may import besides the resources,
// and the names that it uses.
const taken = `api app auth cfg command config context db fault files gdb gorm jobs log mail main metrics migrations model
	modules openapi organisations pages queue redis seed sessions slog test testdata tour traces uploads users vendor web ws`

func check(p spec.Project, f spec.Feature) error {
	name := roomOf(f).Name
	wrong := func(why string) error {
		return &problem.Error{
			What:  fmt.Sprintf("%q cannot name a WebSocket package: %s", f.Options["name"], why),
			Label: "names", Where: "start with a letter; letters, digits and -",
			Try: "nexios add websocket chat",
		}
	}
	switch {
	case name == "":
		return wrong("it is not a name")
	case spec.Keyword(name) || spec.Predeclared(name):
		return wrong("it is a Go keyword")
	case slices.Contains(strings.Fields(taken), name):
		return wrong("another package has that name")
	}
	for _, r := range p.Resources {
		if r.Package() == name {
			return wrong("a resource has that name")
		}
	}
	for _, other := range p.Features {
		if other.Name == f.Name && other.Options["name"] != f.Options["name"] && roomOf(other).Name == name {
			return wrong("it clashes with " + other.Options["name"])
		}
	}
	return nil
}
