package resource_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/render"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
	"github.com/nexios-go/nexios/templates/resource"
)

// resources are command lines after `nexios add resource`, in order. Together
// they hold every type with every modifier that makes sense for it.
const resources = `
category name:string:unique description:text:optional parent:ref=categories:optional children:has=categories
tag name:string:unique --uuid
product name:string:min=2:search:sort price:decimal=10.2:min=0:sort:filter status:enum=draft/live:default=draft:filter sku:string:unique released:date:optional:filter category:ref=categories:filter tags:many=tags --soft-delete
post title:string:min=3:search:sort body:text:search published:bool:default=false:filter author:ref=users:filter
`

// parse reads the lines of resources.
func parse(t *testing.T, p spec.Project, lines string) spec.Project {
	t.Helper()
	n := 0
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		n++
		r := spec.Resource{Name: words[0], Migration: fmt.Sprintf("20261121%06d", n)}
		for i := 1; i < len(words); i++ {
			next := func() string { i++; return words[i] }
			switch words[i] {
			case "--uuid":
				r.UUID = true
			case "--soft-delete":
				r.SoftDelete = true
			case "--owner":
				r.Owner = true
			case "--model":
				r.ModelOnly = true
			case "--public":
				r.Public = next()
			case "--guard":
				r.Guard = next()
			case "--table":
				r.Table = next()
			case "--plural":
				r.Plural = next()
			case "--only":
				r.Only = strings.Split(next(), ",")
			default:
				r.Fields = append(r.Fields, words[i])
			}
		}
		var err error
		if p, _, err = p.Add(r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return p
}

// generate writes a project that has nothing but p's resources and the users
// table that auth would bring.
func generate(t *testing.T, p spec.Project) string {
	t.Helper()
	dir := t.TempDir()
	if keep := os.Getenv("NEXIOS_KEEP"); keep != "" {
		if err := os.RemoveAll(keep); err != nil {
			t.Fatal(err)
		}
		dir = keep
	}
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..")
	write := func(name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write("go.mod", strings.Replace(string(mod), "module github.com/nexios-go/nexios", "module "+p.Module, 1)+
		"\nrequire github.com/nexios-go/nexios v0.0.0\n\nreplace github.com/nexios-go/nexios => "+filepath.ToSlash(root)+"\n")
	write("go.sum", string(sum))
	made := []string{}
	if p.HasFeature("auth") {
		write("internal/model/user.go", users)
		write("internal/migrations/users.go", usersMigration)
		made = append(made, "createUsers()")
	}
	for _, r := range p.Resources {
		v, err := view.Of(p, r)
		if err != nil {
			t.Fatal(err)
		}
		how := resource.Resource()
		files, err := render.Tree(how.Files, render.Input{
			Module: p.Module, Words: how.Words(v), Data: v, Keep: func(path string) bool { return how.Keep(v, path) },
		})
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		for _, f := range files {
			write(f.Path, string(f.Data))
		}
		made = append(made, v.Migration.Func+"()")
	}
	write("internal/migrations/migrations.go", "package migrations\n\nimport (\n\t\"slices\"\n\n\t\"github.com/nexios-go/nexios/runtime/auth\"\n\t\"github.com/nexios-go/nexios/runtime/db\"\n)\n\n"+
		"func All() []db.Migration {\n\treturn slices.Concat([]db.Migration{"+strings.Join(made, ", ")+"}, auth.Migrations())\n}\n")
	return dir
}

const users = `package model

import "time"

type User struct {
	ID           int64     ` + "`json:\"id\"`" + `
	Username     string    ` + "`json:\"username\"`" + `
	Email        string    ` + "`json:\"email\"`" + `
	PasswordHash string    ` + "`json:\"-\"`" + `
	Role         string    ` + "`json:\"role\"`" + `
	IsActive     bool      ` + "`json:\"is_active\"`" + `
	CreatedAt    time.Time ` + "`json:\"created_at\"`" + `
	UpdatedAt    time.Time ` + "`json:\"updated_at\"`" + `
}
`

const usersMigration = `package migrations

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

func createUsers() db.Migration {
	type users struct {
		ID               int64
		Username         string ` + "`gorm:\"size:50;not null;uniqueIndex\"`" + `
		Email            string ` + "`gorm:\"size:254;not null;uniqueIndex\"`" + `
		PasswordHash     string ` + "`gorm:\"size:255;not null\"`" + `
		Role             string ` + "`gorm:\"size:20;not null\"`" + `
		IsActive         bool   ` + "`gorm:\"not null\"`" + `
		EmailConfirmedAt *time.Time
		CreatedAt        time.Time
		UpdatedAt        time.Time
	}
	return db.Migration{
		ID:   "20261121000000_create_users",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&users{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable("users") },
	}
}
`

// run runs a command in the project and fails on an error or, where silence is
// asked for, on output.
func run(t *testing.T, dir string, silent bool, words ...string) {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil || silent && len(out) > 0 {
		t.Errorf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

func TestGenerated(t *testing.T) {
	lines := resources
	if more := os.Getenv("NEXIOS_RESOURCES"); more != "" {
		text, err := os.ReadFile(more)
		if err != nil {
			t.Fatal(err)
		}
		lines = string(text)
	}
	p := parse(t, spec.Project{Name: "shop", Module: "example.com/shop", Database: "sqlite", Features: []spec.Feature{{Name: "auth"}, {Name: "uploads"}}}, lines)
	dir := generate(t, p)
	run(t, dir, true, "gofmt", "-l", ".")
	run(t, dir, true, "go", "vet", "./...")
	run(t, dir, false, "go", "test", "./...")
}
