// Package deploy holds the files by which a project runs on Kubernetes, under
// systemd or on Fly.io. They follow its database and features.
package deploy

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

// places are the platforms, each with the directory of its files.
var places = []struct{ name, below string }{
	{"kubernetes", "deploy/kubernetes/"}, {"systemd", "deploy/systemd/"}, {"fly", "fly.toml"},
}

// Feature returns how a deployment is added to a project.
func Feature() scaffold.Feature {
	var names []string
	for _, p := range places {
		names = append(names, p.name)
	}
	return scaffold.Feature{
		Name:    "deploy",
		Summary: "Files for Kubernetes, systemd or Fly.io",
		Example: "deploy --to kubernetes/systemd",
		Options: []scaffold.Option{{Name: "to", Help: "where it runs", Default: names[0], Choices: names, Many: true,
			About: map[string]string{"kubernetes": "manifests for kubectl apply -k", "systemd": "a unit for one machine", "fly": "fly.toml for Fly.io"}}},
		Grows: true,
		Files: hook.Files(files),
		Data:  func(p spec.Project, _ spec.Feature) any { return viewOf(p) },
		Keep:  keep,
		Check: check,
		Next:  next,
	}
}

// deployment is the data of the templates.
type deployment struct {
	view.Deployment
	Server  bool   // the database is one of its own
	Example string // of DATABASE_URL
}

func viewOf(p spec.Project) deployment {
	d := deployment{Deployment: view.DeploymentOf(p, "")}
	d.Server = d.Postgres || d.MySQL
	d.Example = d.DatabaseURL
	if scheme, _, ok := strings.Cut(d.DatabaseURL, "://"); ok {
		d.Example = scheme + "://" + p.Name + ":PASSWORD@database.example.com/" + p.Name
	}
	return d
}

func keep(f spec.Feature, path string) bool {
	to := spec.List(f.Options["to"])
	for _, p := range places {
		if strings.HasPrefix(path, p.below) {
			return slices.Contains(to, p.name)
		}
	}
	return false
}

// next points to the files whose first lines say what to do.
func next(p spec.Project, f spec.Feature) []string {
	commands := map[string]string{
		"kubernetes": "kubectl apply -k deploy/kubernetes   # first create its secret",
		"systemd":    "sudo systemctl enable --now " + p.Name + "   # first see deploy/systemd/" + p.Name + ".service",
		"fly":        "fly launch --copy-config --no-deploy   # then the steps in fly.toml",
	}
	var steps []string
	for _, to := range spec.List(f.Options["to"]) {
		steps = append(steps, commands[to])
	}
	return steps
}

func check(p spec.Project, f spec.Feature) error {
	if p.Database == "sqlite" && slices.Contains(spec.List(f.Options["to"]), "fly") {
		return &problem.Error{
			What:  "SQLite does not work on Fly.io, where migrations run on a machine without the volume",
			Where: "database of " + p.Name, Try: "nexios add deploy --to kubernetes/systemd",
		}
	}
	return nil
}
