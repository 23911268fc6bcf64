package view

import "github.com/nexios-go/nexios/scaffold/spec"

// Deployment is read by the templates of deployment files: what a project needs there
// depends on its database and its features.
type Deployment struct {
	Name        string
	Go          string // version of the Go image that builds it, without the patch number, to get the latest
	Postgres    bool
	MySQL       bool
	Auth        bool // APP_SECRET and APP_URL
	Mail        bool
	Redis       bool
	Objects     bool // uploads in an object store
	Metrics     bool
	Traces      bool
	Files       bool   // something is stored in data/
	DatabaseURL string // between containers
	Has         []Has  // its features
}

// Has is a feature as listed in a project's README.
type Has struct{ Name, Summary string }

// DeploymentOf returns the view of a project's deployment. goVersion is the oldest Go
// version that builds the runtime.
func DeploymentOf(p spec.Project, goVersion string) Deployment {
	d := Deployment{
		Name:        p.Name,
		Go:          minor(goVersion),
		Postgres:    p.Database == "postgres",
		MySQL:       p.Database == "mysql",
		Auth:        p.HasFeature("auth"),
		Mail:        p.HasFeature("mail"),
		Redis:       p.HasFeature("redis"),
		Metrics:     p.HasFeature("metrics"),
		Traces:      p.HasFeature("traces"),
		DatabaseURL: "sqlite:data/" + p.Name + ".db",
	}
	for _, f := range p.Features {
		if f.Name == "uploads" {
			d.Objects = f.Options["store"] == "s3"
			d.Files = !d.Objects
		}
	}
	at := p.Name + ":${DATABASE_PASSWORD:?set DATABASE_PASSWORD}@database/" + p.Name
	switch {
	case d.Postgres:
		d.DatabaseURL = "postgres://" + at
	case d.MySQL:
		d.DatabaseURL = "mysql://" + at
	default:
		d.Files = true
	}
	return d
}
