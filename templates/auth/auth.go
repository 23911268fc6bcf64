// Package auth holds the files of auth: users, logins, and what else proves who
// somebody is.
package auth

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// The list of migrations beside the modules only stands in for a project's.
//
//go:embed files/internal/auth files/internal/users files/internal/sessions files/internal/model
//go:embed files/internal/migrations/20260101000000_create_users.go
var files embed.FS

// Files returns the tree of files, which mirrors a project.
func Files() fs.FS {
	tree, err := fs.Sub(files, "files")
	if err != nil {
		panic(err) // the path is valid
	}
	return tree
}

// The parts that --with chooses from.
const (
	totp     = "totp"
	apikeys  = "apikeys"
	sessions = "sessions"
	reset    = "reset"
	confirm  = "confirm"
	none     = "none"
)

var parts = []string{totp, apikeys, sessions, reset, confirm}

// Feature returns how auth is added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "auth",
		Summary:  "User accounts, login and permissions",
		Example:  "auth --with totp/apikeys",
		Requires: []string{"mail"},
		Options: []scaffold.Option{{
			Name: "with", Help: "extras besides login: two-factor, API keys, page sessions, password reset, e-mail confirmation, or none",
			Default: strings.Join(parts, ","), Choices: append(slices.Clone(parts), none), Many: true,
		}, {
			Name: "guard", Help: "existing resources to protect, e.g. posts/comments",
		}},
		Files: Files(),
		Data:  func(_ spec.Project, f spec.Feature) any { return viewOf(f) },
		Keep:  func(f spec.Feature, path string) bool { return viewOf(f).keep(path) },
		Edits: edits,
		Check: check,
		Also:  guard,
	}
}

// guard puts guards on the resources that the option names.
func guard(p spec.Project, f spec.Feature) (spec.Project, error) {
	for _, name := range spec.List(f.Options["guard"]) {
		r, ok := p.Resource(name)
		if !ok {
			return p, &spec.Error{What: "no resource " + strconv.Quote(name) + " to protect", Where: "--guard " + f.Options["guard"], Try: "nexios routes, which lists them"}
		}
		r.Guard = "user"
		var err error
		if p, err = p.Replace(r); err != nil {
			return p, err
		}
	}
	return p, nil
}

// view is what the templates read.
type view struct {
	TOTP, APIKeys, Sessions, Reset, Confirm bool
	Mail                                    bool // the module sends e-mails of its own
}

func viewOf(f spec.Feature) view {
	with := strings.Split(f.Options["with"], ",")
	has := func(part string) bool { return slices.Contains(with, part) }
	return view{
		TOTP: has(totp), APIKeys: has(apikeys), Sessions: has(sessions), Reset: has(reset), Confirm: has(confirm),
		Mail: has(reset) || has(confirm),
	}
}

// keep says which files the chosen parts are made of. A file that has a
// template beside it is what the template makes with every part: it is here to
// be compiled and tested.
func (v view) keep(name string) bool {
	dir, base := path.Split(name)
	switch dir {
	case "internal/sessions/":
		return v.Sessions
	case "internal/auth/mails/":
		return v.Mail && (base == "layout.html" || v.Reset && strings.HasPrefix(base, "reset.") || v.Confirm && strings.HasPrefix(base, "confirm."))
	case "internal/auth/":
		switch strings.TrimSuffix(strings.TrimSuffix(base, ".go"), "_test") {
		case "auth":
			return base != "auth.go"
		case "start":
			return false
		case "totp":
			return v.TOTP
		case "keys":
			return v.APIKeys
		case "reset":
			return v.Reset
		case "confirm":
			return v.Confirm
		case "outbox":
			return v.Mail
		}
	}
	return true
}

const (
	modules    = "internal/app/modules.go"
	config     = "internal/app/config.go"
	migrations = "internal/migrations/migrations.go"
	runtime    = "github.com/nexios-go/nexios"
)

func edits(p spec.Project, f spec.Feature) []edit.Edit {
	v := viewOf(f)
	module := "auth.Module(cfg.Auth, gdb, log).Under(api)"
	if v.Mail {
		module = "auth.Module(cfg.Auth, cfg.Mail, gdb, queue, log).Under(api)"
	}
	list := []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: p.Module + "/internal/auth"},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: module},
		{Path: modules, Op: edit.AddImport, Text: p.Module + "/internal/users"},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: "users.Module(gdb).Under(api)"},
		{Path: config, Op: edit.AddImport, Text: runtime + "/runtime/auth"},
		{Path: config, Op: edit.AddField, In: "Config", Text: "Auth auth.Config"},
		{Path: migrations, Op: edit.AddElement, In: "All", Text: "createUsers()"},
		{Path: migrations, Op: edit.AddImport, Text: runtime + "/runtime/auth"},
		{Path: migrations, Op: edit.AddArgument, In: "All", Text: "auth.Migrations()"},
		{Path: ".env.example", Op: edit.AddLine, Text: "# 32 random bytes, such as `openssl rand -hex 32` gives; required in production"},
		{Path: ".env.example", Op: edit.AddLine, Text: "APP_SECRET="},
		{Path: ".env", Op: edit.AddLine, Text: "APP_SECRET={secret}"},
	}
	if v.Sessions {
		list = append(list,
			edit.Edit{Path: modules, Op: edit.AddImport, Text: p.Module + "/internal/sessions"},
			edit.Edit{Path: modules, Op: edit.AddElement, In: "modules", Text: "sessions.Module()"},
		)
	}
	if v.TOTP {
		for _, path := range []string{".env.example", ".env"} {
			list = append(list, edit.Edit{Path: path, Op: edit.AddLine, Text: "AUTH_ISSUER=" + p.Name})
		}
	}
	return list
}

func check(p spec.Project, f spec.Feature) error {
	with := strings.Split(f.Options["with"], ",")
	if len(with) > 1 && slices.Contains(with, none) {
		return &spec.Error{What: "--with none cannot be combined", Label: "parts", Where: strings.Join(parts, " "), Try: "nexios add auth --with none"}
	}
	for _, r := range p.Resources {
		if r.TableName() == "users" {
			return &spec.Error{What: "the project already has a table users", Label: "resource", Where: r.Name, Try: "nexios undo, if it was the last command; otherwise rename it"}
		}
	}
	return nil
}
