// Package auth holds the files of auth: users, logins and other credentials.
package auth

import (
	"embed"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// The list of migrations beside the modules is a stand-in for a project's.
//
//go:embed files/internal/auth files/internal/users files/internal/sessions files/internal/oidc files/internal/passkeys files/internal/login files/internal/model
//go:embed files/internal/migrations/20260101000000_create_users.go
var files embed.FS

// The parts that --with chooses from.
const (
	totp     = "totp"
	apikeys  = "apikeys"
	sessions = "sessions"
	reset    = "reset"
	confirm  = "confirm"
	oidc     = "oidc"
	passkeys = "passkeys"
	none     = "none"
)

// parts are all that can be chosen; usual are the defaults, which require no external
// service.
var (
	usual = []string{totp, apikeys, sessions, reset, confirm}
	parts = append(slices.Clone(usual), oidc, passkeys)
)

// Feature returns how auth is added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "auth",
		Summary:  "User accounts, login and permissions",
		Example:  "auth --with totp/apikeys",
		Packages: []string{"auth", "users", "sessions", "oidc", "passkeys", "login"},
		Tables: []string{
			"users", "auth_sessions", "auth_refresh_tokens", "auth_failures", "auth_one_time_tokens",
			"auth_totp", "auth_recovery_codes", "auth_api_keys", "auth_former_emails", "auth_left_emails", "auth_identities", "auth_passkeys", "auth_impersonations",
		},
		Requires: []string{"mail"},
		Grows:    true,
		Next: func(_ spec.Project, f spec.Feature) []string {
			next := []string{"go run . user create --username ada --email ada@example.com --admin"}
			var pages []string
			for _, part := range spec.List(f.Options["with"]) {
				if page := map[string]string{reset: "/reset-password", confirm: "/confirm-email"}[part]; page != "" {
					pages = append(pages, page)
				}
			}
			if len(pages) > 0 {
				next = append(next, "write the pages of APP_URL that mails link to: "+strings.Join(pages, " "))
			}
			return next
		},
		Options: []scaffold.Option{{
			Name: "with", Help: "parts besides login",
			Default: strings.Join(usual, ","), Choices: append(slices.Clone(parts), none), Many: true, None: none,
			About: map[string]string{
				totp: "a second factor from an authenticator app, with recovery codes", apikeys: "keys for programs, with scopes and expiry",
				sessions: "login by cookie, for pages", reset: "a new password by mail", confirm: "e-mail addresses confirmed by mail",
				oidc: "login with an OpenID Connect provider", passkeys: "login with a passkey or security key",
				none: "login alone",
			},
		}, {
			Name: "guard", Help: "existing resources to protect, e.g. posts/comments",
		}},
		Files: hook.Files(files),
		Data:  func(_ spec.Project, f spec.Feature) any { return viewOf(f) },
		Keep:  func(f spec.Feature, path string) bool { return viewOf(f).keep(path) },
		Edits: edits,
		Check: check,
		Also:  guard,
	}
}

// guard adds guards to the resources that the option names.
func guard(p spec.Project, f spec.Feature) (spec.Project, error) {
	for _, name := range spec.List(f.Options["guard"]) {
		r, ok := p.Resource(name)
		if !ok {
			return p, &problem.Error{What: "no resource " + strconv.Quote(name) + " to protect", Where: "--guard " + f.Options["guard"], Try: "nexios list"}
		}
		r.Guard = "user"
		var err error
		if p, err = p.Replace(r); err != nil {
			return p, err
		}
	}
	return p, nil
}

// view is the data of the templates.
type view struct {
	TOTP, APIKeys, Sessions, Reset, Confirm, OIDC, Passkeys bool
}

func viewOf(f spec.Feature) view {
	with := strings.Split(f.Options["with"], ",")
	has := func(part string) bool { return slices.Contains(with, part) }
	return view{
		TOTP: has(totp), APIKeys: has(apikeys), Sessions: has(sessions), Reset: has(reset), Confirm: has(confirm), OIDC: has(oidc), Passkeys: has(passkeys),
	}
}

// keep reports whether a file belongs to the chosen parts.
func (v view) keep(name string) bool {
	dir, base := path.Split(name)
	switch dir {
	case "internal/sessions/":
		return v.Sessions
	case "internal/oidc/":
		return v.OIDC
	case "internal/passkeys/":
		return v.Passkeys
	case "internal/login/":
		return v.OIDC || v.Passkeys
	case "internal/auth/mails/":
		switch name, _, _ := strings.Cut(base, "."); name {
		case "reset", "undo":
			return v.Reset
		case "confirm":
			return v.Confirm
		}
	case "internal/auth/":
		switch strings.TrimSuffix(strings.TrimSuffix(base, ".go"), "_test") {
		case "totp":
			return v.TOTP
		case "keys":
			return v.APIKeys
		case "reset":
			return v.Reset
		case "confirm":
			return v.Confirm
		case "letter":
			return v.Reset || v.Confirm
		}
	}
	return true
}

func edits(p spec.Project, f spec.Feature) []edit.Edit {
	v := viewOf(f)
	list := slices.Concat(
		hook.Module(p.Module+"/internal/auth", "auth.Module(cfg.Auth, cfg.Mail, gdb, queue, log).Under(api)"),
		hook.Module(p.Module+"/internal/users", "users.Module(gdb).Under(api)"),
		hook.Config(hook.Runtime+"auth", "Auth auth.Config"),
		hook.Migration("createUsers()"),
		hook.Migrations(hook.Runtime+"auth", "auth.Migrations()"),
		hook.Example("# 32 random bytes, such as `openssl rand -hex 32` gives; required in production", "APP_SECRET="),
		hook.Local("APP_SECRET={secret}"),
	)
	if v.Sessions {
		list = append(list, hook.Module(p.Module+"/internal/sessions", "sessions.Module()")...)
	}
	if v.Passkeys {
		list = append(list, hook.Module(p.Module+"/internal/passkeys", "passkeys.Module(cfg.Auth).Under(api)")...)
	}
	if v.Passkeys || v.OIDC {
		list = append(list, hook.Module(p.Module+"/internal/login", "login.Module()")...)
	}
	if v.OIDC {
		list = slices.Concat(list,
			hook.Module(p.Module+"/internal/oidc", "oidc.Module(cfg.OIDC).Under(api)"),
			hook.Config(hook.Runtime+"auth/oidc", "OIDC oidc.Config"),
			hook.Example("OIDC_ISSUER=", "OIDC_CLIENT_ID=", "OIDC_CLIENT_SECRET="),
		)
	}
	if v.TOTP {
		list = slices.Concat(list, hook.Example("AUTH_ISSUER="+p.Name), hook.Local("AUTH_ISSUER="+p.Name))
	}
	return list
}

func check(p spec.Project, f spec.Feature) error {
	with := strings.Split(f.Options["with"], ",")
	if len(with) > 1 && slices.Contains(with, none) {
		return &problem.Error{What: "--with none cannot be combined", Label: "parts", Where: strings.Join(parts, " "), Try: "nexios add auth --with none"}
	}
	for _, r := range p.Resources {
		if r.TableName() == "users" {
			return &problem.Error{What: "the project already has a table users", Label: "resource", Where: r.Name, Try: "nexios rename resource " + r.Name + " member"}
		}
	}
	return nil
}
