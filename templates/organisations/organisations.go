// Package organisations holds the files of organisations: members with roles,
// and invitations by mail.
package organisations

import (
	"embed"
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// The user and the list of migrations are stand-ins for a project's.
//
//go:embed files/internal/organisations
//go:embed files/internal/model/organisation.go files/internal/model/membership.go files/internal/model/invitation.go
//go:embed files/internal/migrations/20260101000400_create_organisations.go
var files embed.FS

// Feature returns how organisations are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "organisations",
		Summary:  "Organisations with roles, and invitations by mail",
		Example:  "organisations",
		Packages: []string{"organisations", "memberships", "invitations"},
		Tables:   []string{"organisations", "memberships", "invitations"},
		Requires: []string{"auth"},
		Files:    hook.Files(files),
		Edits:    edits,
		Check:    check,
		Next: func(spec.Project, spec.Feature) []string {
			return []string{"write the page of APP_URL that invitations link to: /accept-invitation"}
		},
	}
}

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Module(p.Module+"/internal/organisations", "organisations.Module(cfg.Auth.URL, cfg.Mail, gdb, queue).Under(api)"),
		hook.Migration("createOrganisations()"),
	)
}

// check refuses a project that has models or tables of these names.
func check(p spec.Project, _ spec.Feature) error {
	for _, r := range p.Resources {
		for _, name := range []string{r.TableName(), r.Plural} {
			switch name {
			case "organisations", "memberships", "invitations":
				return &problem.Error{
					What: "the project already has " + name, Label: "resource", Where: r.Name,
					Try: "nexios rename resource " + r.Name + " " + r.Name + "_item",
				}
			}
		}
	}
	return nil
}
