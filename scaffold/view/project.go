package view

import "github.com/nexios-go/nexios/scaffold/spec"

// ProjectView is what the templates of a project read.
type ProjectView struct {
	Name        string
	Module      string
	Go          string // version for the go directive and for images
	DatabaseURL string // what DATABASE_URL is in development
	ComposeURL  string // what it is between containers
	Postgres    bool
	MySQL       bool
}

// Project returns the view of a project itself, without its resources and
// features. goVersion is the oldest Go that builds the runtime.
func Project(p spec.Project, goVersion string) ProjectView {
	v := ProjectView{
		Name:        p.Name,
		Module:      p.Module,
		Go:          goVersion,
		DatabaseURL: "sqlite:data/" + p.Name + ".db",
		ComposeURL:  "sqlite:data/" + p.Name + ".db",
		Postgres:    p.Database == "postgres",
		MySQL:       p.Database == "mysql",
	}
	at := p.Name + ":${DATABASE_PASSWORD}@database/" + p.Name
	switch {
	case v.Postgres:
		v.DatabaseURL = "postgres://postgres:postgres@127.0.0.1:5432/" + p.Name
		v.ComposeURL = "postgres://" + at
	case v.MySQL:
		v.DatabaseURL = "mysql://root:root@127.0.0.1:3306/" + p.Name
		v.ComposeURL = "mysql://" + at
	}
	return v
}
