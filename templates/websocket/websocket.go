// Package websocket holds the files of WebSocket rooms: chat, whose members exchange
// messages; team, the same for the members of an organisation; and echo.
//
// All are real packages, compiled and tested here under these names, and copied under
// the name that is chosen.
package websocket

import (
	"embed"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// The migrations beside the modules are stand-ins for a project's.
//
//go:embed files/internal/chat files/internal/team files/internal/echo
var files embed.FS

// The kinds of rooms, and the package that each is copied from.
const (
	rooms        = "rooms"
	organisation = "organisation"
	echo         = "echo"
)

var examples = map[string]string{rooms: "chat", organisation: "team", echo: "echo"}

// renames returns the replacements that name a copy.
func renames(f spec.Feature) []string {
	name, example := f.Package(), examples[f.Options["kind"]]
	if example != echo {
		return []string{example, name, title(example), title(name)}
	}
	path := "/ws"
	if name != echo {
		path += "/" + name
	}
	return []string{`"/ws"`, strconv.Quote(path), example, name} // "Echo: " is what it says, whatever its name
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

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
			{Name: "kind", Help: "what it serves", Default: rooms, Choices: []string{rooms, echo, organisation},
				About: map[string]string{rooms: "chat rooms with presence, and a page", echo: "an endpoint that echoes messages", organisation: "rooms for the members of an organisation"}},
		},
		Packages: []string{"ws"},
		Files:    hook.Files(files),
		Needs: func(f spec.Feature) []string {
			if f.Options["kind"] == organisation {
				return []string{"organisations"}
			}
			return nil
		},
		Renames: renames,
		Keep: func(f spec.Feature, path string) bool {
			return strings.HasPrefix(path, "internal/"+examples[f.Options["kind"]]+"/")
		},
		Edits: edits,
	}
}

func edits(p spec.Project, f spec.Feature) []edit.Edit {
	name, setting := f.Package(), title(f.Package())
	arguments := "cfg." + setting + ", log"
	if f.Options["kind"] == organisation {
		arguments = "cfg." + setting + ", gdb, log"
	}
	return slices.Concat(
		hook.Module(p.Module+"/internal/"+name, name+".Module("+arguments+")"),
		hook.Config(hook.Runtime+"ws", setting+" ws.Config"),
	)
}
