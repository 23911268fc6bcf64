// Package extras holds small files that some projects want: for editors, dependency
// bots, dashboards and backups.
package extras

import (
	"embed"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
	"github.com/nexios-go/nexios/templates/hook"
)

//go:embed all:files
var files embed.FS

// extra is one of the files.
type extra struct{ name, about, file, next string }

var extras = []extra{
	{"makefile", "make dev, test, check, migrate and build", "Makefile", "make test"},
	{"vscode", "a VS Code setup to debug nexios dev --delve", ".vscode/launch.json", "nexios dev --delve"},
	{"devcontainer", "a container with Go for editors", ".devcontainer/devcontainer.json", ""},
	{"dependabot", "weekly updates of modules, actions and images", ".github/dependabot.yml", ""},
	{"grafana", "a dashboard for the metrics; adds metrics", "deploy/grafana/dashboard.json", "import deploy/grafana/dashboard.json into Grafana"},
	{"litestream", "replicates a SQLite database to S3 continuously", "deploy/litestream.yml", "litestream replicate -config deploy/litestream.yml"},
}

// Feature returns how extras are added to a project.
func Feature() scaffold.Feature {
	about := map[string]string{}
	var names []string
	for _, e := range extras {
		names, about[e.name] = append(names, e.name), e.about
	}
	return scaffold.Feature{
		Name:    "extras",
		Summary: "Files for editors, updates, dashboards and backups",
		Example: "extras --with vscode/dependabot",
		Options: []scaffold.Option{{Name: "with", Help: "which files", Default: names[0], Choices: names, About: about, Many: true}},
		Grows:   true,
		Files:   hook.Files(files),
		Needs: func(f spec.Feature) []string {
			if slices.Contains(spec.List(f.Options["with"]), "grafana") {
				return []string{"metrics"}
			}
			return nil
		},
		Data:  func(p spec.Project, _ spec.Feature) any { return view.DeploymentOf(p, "") },
		Keep:  keep,
		Check: check,
		Next:  next,
	}
}

func keep(f spec.Feature, path string) bool {
	at := slices.IndexFunc(extras, func(e extra) bool { return e.file == strings.TrimSuffix(path, ".tmpl") })
	return at >= 0 && slices.Contains(spec.List(f.Options["with"]), extras[at].name)
}

func next(_ spec.Project, f spec.Feature) []string {
	var steps []string
	for _, e := range extras {
		if e.next != "" && slices.Contains(spec.List(f.Options["with"]), e.name) {
			steps = append(steps, e.next)
		}
	}
	return steps
}

func check(p spec.Project, f spec.Feature) error {
	if p.Database != "sqlite" && slices.Contains(spec.List(f.Options["with"]), "litestream") {
		return &problem.Error{
			What:  "Litestream replicates SQLite only; this project uses " + p.Database,
			Where: "database of " + p.Name, Try: "pg_dump or mariadb-dump",
		}
	}
	return nil
}
