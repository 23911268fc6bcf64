package resource_test

import (
	"errors"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/e2e/testprogram"
	"github.com/nexios-go/nexios/runtime"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
	"github.com/nexios-go/nexios/templates/auth"
	"github.com/nexios-go/nexios/templates/organisations"
	"github.com/nexios-go/nexios/templates/resource"
	"github.com/nexios-go/nexios/templates/uploads"
)

// resources are command lines after `nexios add resource`, in order: every kind of
// relation and every flag, names with a meaning in Go or SQL, and resources that serve
// only some operations.
const resources = `
category name:string:unique=nocase parent:ref=categories:optional:ondelete=null children:has=categories --uuid
tag name:string:unique
product name:string:min=2:search:sort price:decimal=10.2:min=0:sort:filter status:enum=draft/live:default=draft:filter sku:string:unique=nocase released:date:optional:filter category:ref=categories:filter tags:many=tags --soft-delete
post title:string:min=3:search:sort body:text:search published:bool:default=false:filter author:ref=users:ondelete=cascade:filter
comment body:text post:ref=posts:ondelete=cascade --guard none
article title:string:search body:text secret_note:text:private:optional views:int:readonly:default=0:sort --read all
wiki title:string rank:int:private:default=3 state:enum=new/old:readonly:default=new:filter --read user --write user
board title:string --read all --write admin
rumour text:string seen:datetime:readonly:optional --write admin
note title:string published:bool:default=false:filter tags:many=tags --owner --public published
memo body:text:search number:string:unique:readonly:optional --owner --soft-delete
sheet note:ref=notes article:ref=articles wikis:many=wikis people:many=users --read all --write user
secret_thing token:string:secret name:string:immutable --guard user
menu name:string --guard admin
badge code:string:len=4:unique --table tbl_badge --uuid --lock
staff name:string:unique badge:ref=badges
coupon code:string:unique tags:many=tags staff:ref=staff:optional --table Legacy_Coupons --soft-delete
voucher code:string:unique=nocase coupon:ref=coupons:ondelete=cascade --table Voucher --uuid
type type:string order:int:sort select:bool:default=false:filter func:string:search range:int key:string:index
error len:int string:string group:enum=a/b:default=a user:string default:bool map:json package:string var:string:optional
news title:string:search
window name:string:default=O'Brien:nocase:filter:sort:search
api_key url:url ui_data:string a_b:string f1:string x2_y:int
blog_post title:string category:ref=categories:ondelete=cascade tags:many=tags labels:many=tags related:many=blog_posts
view_only name:string --only list,show
write_only name:string:unique --only create
bulk_only name:string --only bulk
frozen name:string:immutable
log action:string --model
badge_photo photo:file thumb:file:optional photo_file:string --owner
avatar image:file:optional title:string tags:many=tags --owner --soft-delete --uuid --lock
scan file:file file_name:string:optional --guard admin --read all --only create,list
receipt scan:file:immutable note:string number:string:unique:readonly:optional --guard user --read all
page_shot shot:file --only update,show --guard user
frame photo:ref=badge_photos name:string
string name:string:max=30
resource name:string --plural resource
entry log:ref=logs n:int:unique:min=1:max=3 code:string:pattern=^[A-Z]{2}-[0-9]{1,3}$:unique
`

// parse adds the resources on the given lines.
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
			case "--lock":
				r.Lock = true
			case "--owner":
				r.Owner = true
			case "--organisation":
				r.Organisation = true
			case "--model":
				r.ModelOnly = true
			case "--public":
				r.Public = next()
			case "--read":
				r.Read = next()
			case "--write":
				r.Write = next()
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

// generate writes a project with only p's resources and the users table of auth.
func generate(t *testing.T, p spec.Project) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
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
		"\nrequire github.com/nexios-go/nexios v"+runtime.Version+"\n\nreplace github.com/nexios-go/nexios => "+filepath.ToSlash(root)+"\n")
	write("go.sum", string(sum))
	made := []string{}
	if p.HasFeature("auth") {
		write("internal/model/user.go", users)
		write("internal/migrations/users.go", usersMigration)
		made = append(made, "createUsers()")
	}
	if p.HasFeature("organisations") {
		for _, name := range []string{"model/organisation.go", "model/membership.go", "model/invitation.go", "migrations/20260101000400_create_organisations.go"} {
			text, err := fs.ReadFile(organisations.Feature().Files, "internal/"+name)
			if err != nil {
				t.Fatal(err)
			}
			write("internal/"+name, string(text))
		}
		made = append(made, "createOrganisations()")
	}
	for _, r := range p.Resources {
		v, err := view.Of(p, r)
		if err != nil {
			t.Fatal(err)
		}
		files, err := resource.Resource().Render(v)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		for _, f := range files {
			write(f.Path, string(f.Data))
		}
		for _, m := range v.Migrations {
			made = append(made, m.Func+"()")
		}
	}
	write("internal/migrations/migrations.go", "package migrations\n\nimport (\n\t\"slices\"\n\n\t\"github.com/nexios-go/nexios/runtime/auth\"\n\t\"github.com/nexios-go/nexios/runtime/db\"\n\t\"github.com/nexios-go/nexios/runtime/files\"\n)\n\n"+
		"func All() []db.Migration {\n\treturn slices.Concat([]db.Migration{"+strings.Join(made, ", ")+"}, auth.Migrations(), files.Migrations())\n}\n")
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

type PublicUser struct {
	ID       int64  ` + "`json:\"id\"`" + `
	Username string ` + "`json:\"username\"`" + `
}

func (PublicUser) TableName() string { return "users" }
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
		ID:   "20260101000000_create_users",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&users{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable("users") },
	}
}
`

// run runs a command in the project and reports an error or, if silent, any output.
func run(t *testing.T, dir string, silent bool, words ...string) {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err != nil || silent && len(out) > 0 {
		t.Errorf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

// environment returns the environment for commands in a project. Their build results do
// not depend on its directory and are reused by the next run.
func environment() []string {
	return append(os.Environ(), "GOFLAGS=-mod=mod -trimpath -ldflags=-s", "GOWORK=off",
		// Set explicitly, so that test results of another server are not reused.
		"TEST_DATABASE_URL="+os.Getenv("TEST_DATABASE_URL"))
}

func project() spec.Project {
	p := spec.Project{Name: "shop", Module: "example.com/shop", Database: "sqlite"}
	for _, f := range []scaffold.Feature{auth.Feature(), uploads.Feature()} {
		p.Features = append(p.Features, spec.Feature{Name: f.Name, Packages: f.Packages, Tables: f.Tables})
	}
	return p
}

// build generates the project, lints it and, unless -short, runs its tests on every
// database.
func build(t *testing.T, p spec.Project) {
	t.Helper()
	dir := generate(t, p)
	lint(t, dir)
	if testing.Short() {
		return
	}
	test(t, dir)
}

// lint checks formatting, vet and staticcheck.
func lint(t *testing.T, dir string) {
	t.Helper()
	run(t, dir, true, "gofmt", "-l", ".")
	run(t, dir, true, "go", "vet", "./...")
	run(t, dir, true, "go", "run", "honnef.co/go/tools/cmd/staticcheck@v0.8.2", "./...")
}

// test runs the tests of the project on every database, and returns the path of their
// binary.
func test(t *testing.T, dir string) string {
	t.Helper()
	tests := filepath.Join(t.TempDir(), "all.test")
	if joined, err := testprogram.Build(dir, tests, environment()); err != nil || len(joined) == 0 {
		t.Fatalf("%s: %v", joined, err)
	}
	for name, url := range map[string]string{"sqlite": "", "postgres": services.Postgres(t), "mysql": services.MySQL(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(tests)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "TEST_DATABASE_URL="+url)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	return tests
}

func TestResources(t *testing.T) {
	t.Parallel()
	p := parse(t, project(), resources)
	post, _ := p.Resource("post")
	post.Fields = append(post.Fields, "comments:has=comments")
	p, err := p.Replace(post)
	if err != nil {
		t.Fatal(err)
	}
	build(t, p)
}

// TestAddedFields adds fields of every type to existing resources, in two steps: their
// tests then pass on the altered tables.
func TestAddedFields(t *testing.T) {
	t.Parallel()
	build(t, added(t))
}

func added(t *testing.T) spec.Project {
	t.Helper()
	p := parse(t, project(), "category name:string:unique --uuid\ntag name:string\nthing title:string\nsoft_thing title:string --soft-delete --owner\nthing_2 title:string --table tbl_2 --uuid")
	for i, name := range []string{"thing", "soft_thing", "thing_2"} {
		first := strings.Fields("label:string:optional:unique code:slug:optional:unique tags:many=tags category:ref=categories:optional:filter photo:file:optional parent:ref=" + name + ":optional:ondelete=null")
		second := strings.Fields("alias:string:optional:unique names:string:array")
		if name != "soft_thing" {
			second = append(second, "nick:string:optional:unique=nocase")
		}
		for _, row := range spec.Types() {
			switch {
			case row.Name == "ref" || row.Name == "many" || row.Name == "has" || row.Upload:
				continue
			case row.Name == "enum":
				first = append(first, "a_enum:enum=draft/live:default=live:filter", "b_enum:enum=draft/live:optional")
				continue
			}
			if value := values[row.Name]["default"]; value != "" {
				word := "a_" + row.Name + ":" + row.Name + ":default=" + value
				if f, err := spec.ParseField(word); err != nil {
					t.Fatal(err)
				} else if v, _ := f.Default(); v.Cell != "" { // otherwise it must be optional
					first = append(first, word)
				}
			}
			first = append(first, "b_"+row.Name+":"+row.Name+":optional")
		}
		for j, words := range [][]string{first, second} {
			var err error
			if p, _, err = p.AddFields(name, words, "", fmt.Sprintf("202612010000%d%d", i, j)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var err error
	if p, _, err = p.AddFields("category", []string{"things:has=things"}, "", "20261202000000"); err != nil {
		t.Fatal(err)
	}
	return p
}

// values holds the values of modifiers by type; for other types the first sample is
// used.
var values = map[string]map[string]string{
	"string":   {"default": "O'Brien", "min": "2", "max": "20", "pattern": "upper", "len": "5"},
	"text":     {"default": "hello", "min": "2", "max": "500", "pattern": "alpha"},
	"int":      {"default": "7", "min": "-3", "max": "1000"},
	"bigint":   {"default": "7", "min": "3", "max": "9000000000"},
	"float":    {"default": "1.5", "min": "0.5", "max": "99.5"},
	"decimal":  {"default": "9.5", "min": "0", "max": "99.99"},
	"time":     {"default": "09:30"},
	"duration": {"default": "90s", "min": "1s", "max": "24h"},
	"email":    {"default": "a@b.co", "max": "100"},
	"url":      {"default": "https://example.com/x", "max": "500"},
	"slug":     {"default": "a-b", "min": "2", "max": "60", "len": "8"},
	"bytes":    {"min": "2", "max": "100", "len": "4"},
	"json":     {"max": "500"},
	"ref":      {"ondelete": "cascade"},
}

func valueOf(row spec.Type, typed, modifier string) string {
	known, ok := values[row.Name]
	if f, err := spec.ParseField("x:" + typed); !ok && err == nil && slices.Contains([]string{"default", "min", "max"}, modifier) {
		return f.Samples(1)[0].Text
	}
	return known[modifier]
}

// matrix returns fields of the type, one for every valid modifier, alone, for an
// optional field and for an array.
func matrix(row spec.Type) (fields []string) {
	typed := row.Name
	switch row.Name {
	case "decimal", "enum":
		typed += "=" + row.Form
	case "ref":
		typed += "=categories"
	}
	add := func(modifiers ...string) {
		name, word := row.Name, typed
		for _, m := range modifiers {
			name += "_" + m
			switch value := valueOf(row, typed, m); {
			case m == "ondelete" && modifiers[0] == "optional":
				word += ":ondelete=null"
			case value != "":
				word += ":" + m + "=" + value
			default:
				word += ":" + m
			}
			// URLs are too long for an index without a maximum length.
			if row.Name == "url" && (m == "unique" || m == "nocase" || m == "index" || m == "sort" || m == "filter") {
				word += ":max=500"
			}
		}
		fields = append(fields, name+":"+word)
	}
	add()
	for _, m := range spec.Modifiers() {
		if !row.Allows(m[0]) {
			continue
		}
		switch m[0] {
		case "private", "readonly":
			if row.Name != "url" && row.Name != "slug" { // otherwise the row exceeds MySQL's limit
				add("optional", m[0])
			}
			continue
		}
		add(m[0])
		if m[0] != "optional" {
			add("optional", m[0])
		}
		if limit := m[0] == "min" || m[0] == "max" || m[0] == "len" || m[0] == "pattern"; limit && row.Allows("array") {
			add("array", m[0])
		}
	}
	return fields
}

// TestNamesOfImports adds resources named, in singular or plural, like the packages
// that generated code imports.
func TestNamesOfImports(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles a hundred packages")
	}
	p, names := project(), map[string]bool{}
	err := filepath.WalkDir("../../e2e/testdata/golden", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".go" {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			names[path.Base(strings.Trim(i.Path.Value, `"`))] = true
		}
		return nil
	})
	if err != nil || !names["strings"] || !names["web"] {
		t.Fatal(names, err)
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(names)) {
		for _, r := range []spec.Resource{{Name: name}, {Name: spec.Singular(name)}, {Name: name + "_row", Plural: name}} {
			r.Fields = []string{"name:string:unique:search", "price:decimal=10.2:filter", "day:date:optional", "kind:enum=a/b", "data:json:optional"}
			n++
			r.Migration = fmt.Sprintf("20261121%06d", n)
			// Invalid names are rejected with a reason.
			if next, _, err := p.Add(r); err == nil {
				p = next
			} else if refused, ok := errors.AsType[*problem.Error](err); !ok || refused.Try == "" {
				t.Errorf("%s, plural %q: %v", r.Name, r.Plural, err)
			}
		}
	}
	if len(p.Resources) < 50 {
		t.Errorf("only %d of %d names are valid", len(p.Resources), n)
	}
	run(t, generate(t, p), true, "go", "vet", "./...")
}

var only = flag.String("type", "", "test only this type in TestEveryType")

// TestEveryType generates resources with fields of a few types each, since linking and
// migrating takes as long for each of them. While working on one type, -type NAME skips
// the others.
func TestEveryType(t *testing.T) {
	t.Parallel()
	build(t, every(t))
}

func every(t *testing.T) spec.Project {
	t.Helper()
	p := parse(t, project(), "category name:string:unique")
	types := slices.DeleteFunc(slices.Clone(spec.Types()), func(row spec.Type) bool {
		return row.Name == "many" || row.Name == "has" || // have no valid modifiers
			*only != "" && row.Name != *only
	})
	if len(types) == 0 {
		t.Fatalf("unknown type %q", *only)
	}
	n := 0
	for rows := range slices.Chunk(types, 2) { // more exceed MySQL's row size
		n++
		r := spec.Resource{Name: fmt.Sprintf("thing_%d", n), Migration: fmt.Sprintf("20261122%06d", n)}
		for _, row := range rows {
			r.Fields = append(r.Fields, matrix(row)...)
		}
		var err error
		if p, _, err = p.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return p
}
