package view

import (
	"go/version"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// ProjectView is the data of a project's templates.
type ProjectView struct {
	Name        string
	Module      string
	Go          string // version for the go directive
	GoMinor     string // its first two numbers, so that CI uses the latest patch
	DatabaseURL string // DATABASE_URL in development
}

// Project returns the view of a project itself, without its resources and features.
// goVersion is the oldest Go version that builds the runtime.
func Project(p spec.Project, goVersion string) ProjectView {
	v := ProjectView{
		Name:        p.Name,
		Module:      p.Module,
		Go:          goVersion,
		GoMinor:     minor(goVersion),
		DatabaseURL: "sqlite:data/" + p.Name + ".db",
	}
	switch p.Database {
	case "postgres":
		v.DatabaseURL = "postgres://postgres:postgres@127.0.0.1:5432/" + p.Name
	case "mysql":
		v.DatabaseURL = "mysql://root:root@127.0.0.1:3306/" + p.Name
	}
	return v
}

// minor returns the first two numbers of a version: 1.26 for 1.26.3.
func minor(goVersion string) string { return strings.TrimPrefix(version.Lang("go"+goVersion), "go") }
