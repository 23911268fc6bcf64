package view_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

func project(t testing.TB, features string, resources ...string) spec.Project {
	t.Helper()
	p := spec.Project{Name: "shop", Module: "example.com/shop", Database: "sqlite"}
	for name := range strings.FieldsSeq(features) {
		var err error
		if p, err = p.AddFeature(spec.Feature{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for i, words := range resources {
		list := strings.Fields(words)
		r := spec.Resource{Name: list[0], Fields: list[1:], Migration: fmt.Sprintf("20261121%06d", i+1)}
		if last := r.Fields[len(r.Fields)-1]; strings.HasPrefix(last, "--") {
			r.Fields = r.Fields[:len(r.Fields)-1]
			r.UUID, r.SoftDelete, r.Owner = last == "--uuid", last == "--soft-delete", last == "--owner"
		}
		var err error
		if p, _, err = p.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// last returns the view of the last resource.
func last(t testing.TB, p spec.Project) view.Resource {
	t.Helper()
	v, err := view.Of(p, p.Resources[len(p.Resources)-1])
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNames(t *testing.T) {
	for words, want := range map[string][6]string{
		"post a:int":      {"posts", "/posts", "posts", "Post", "post", "a post"},
		"blog_post a:int": {"blogposts", "/blog-posts", "blog_posts", "BlogPost", "blogPost", "a blog post"},
		"APIKey a:int":    {"apikeys", "/api-keys", "api_keys", "APIKey", "apiKey", "an api key"},
		"person a:int":    {"people", "/people", "people", "Person", "person", "a person"},
		"type a:int":      {"types", "/types", "types", "Type", "row", "a type"},
		"error a:int":     {"errors", "/errors", "errors", "Error", "row", "an error"},
		"model a:int":     {"models", "/models", "models", "Model", "row", "a model"},
		"user a:int":      {"users", "/users", "users", "User", "user", "a user"},
		"news a:int":      {"news", "/news", "news", "News", "row", "a news"},
		"url a:int":       {"urls", "/urls", "urls", "URL", "url", "a url"},
	} {
		v := last(t, project(t, "", words))
		if got := [6]string{v.Package, v.Path, v.Table, v.Type, v.Var, v.AOne}; got != want {
			t.Errorf("%s: %q, not %q", words, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for words, want := range map[string]map[string]string{
		"blog_post a:int":  {"model": "blogpost", "package": "blogposts", "migration": "20261121000001_create_blog_posts"},
		"window a:int":     {"model": "window", "package": "windows", "migration": "20261121000001_create_windows_table"},
		"unit_test a:int":  {"model": "unittest", "package": "unittests", "migration": "20261121000001_create_unit_tests"},
		"blog_linux a:int": {"model": "bloglinux", "package": "bloglinuxes", "migration": "20261121000001_create_blog_linuxes"},
	} {
		v := last(t, project(t, "", words))
		got := maps.Clone(v.Words)
		got["migration"] = v.Migrations[0].File
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, not %v", words, got, want)
		}
	}
}

// line returns the field of that name.
func line(lines []view.Line, name string) view.Line {
	for _, l := range lines {
		if l.Name == name {
			return l
		}
	}
	return view.Line{}
}

func TestLines(t *testing.T) {
	for word, want := range map[string]struct{ name, model, create, update, column string }{
		"a_title:string:min=3": {"ATitle", "string `json:\"a_title\" gorm:\"column:a_title\"`",
			"string `json:\"a_title\" binding:\"required,min=3,max=255\"`",
			"*string `json:\"a_title\" binding:\"omitempty,min=3,max=255\"`",
			"string `gorm:\"column:a_title;size:255;not null\"`"},
		"title:string": {"Title", "string `json:\"title\"`",
			"string `json:\"title\" binding:\"required,max=255\"`",
			"*string `json:\"title\" binding:\"omitempty,min=1,max=255\"`",
			"string `gorm:\"size:255;not null\"`"},
		"title:string:optional:unique": {"Title", "*string `json:\"title\"`",
			"*string `json:\"title\" binding:\"omitempty,max=255\"`",
			"web.Null[string] `json:\"title\" binding:\"omitempty,max=255\"`",
			"*string `gorm:\"size:255;uniqueIndex\"`"},
		"token:string:secret": {"Token", "string `json:\"-\"`",
			"string `json:\"token\" binding:\"required,max=255\"`",
			"*string `json:\"token\" binding:\"omitempty,min=1,max=255\"`",
			"string `gorm:\"size:255;not null\"`"},
		"done:bool": {"Done", "bool `json:\"done\"`",
			"*bool `json:\"done\" binding:\"required\"`", "*bool `json:\"done\"`", "bool `gorm:\"not null\"`"},
		"done:bool:default=true": {"Done", "bool `json:\"done\"`",
			"*bool `json:\"done\"`", "*bool `json:\"done\"`", "bool `gorm:\"not null;default:true\"`"},
		"name:string:immutable:default=O'Brien": {"Name", "string `json:\"name\"`",
			"*string `json:\"name\" binding:\"omitempty,min=1,max=255\"`", "", "string `gorm:\"size:255;not null;default:O'Brien\"`"},
		"url:url": {"URL", "string `json:\"url\" schema:\"http_url\"`",
			"string `json:\"url\" binding:\"required,http_url,max=2048\"`",
			"*string `json:\"url\" binding:\"omitempty,http_url,min=1,max=2048\"`", "string `gorm:\"not null\"`"},
		"state:enum=draft/live:optional": {"State", "*string `json:\"state\" schema:\"oneof=draft live\"`",
			"*string `json:\"state\" binding:\"omitempty,oneof=draft live\"`",
			"web.Null[string] `json:\"state\" binding:\"omitempty,oneof=draft live\"`",
			"*string `gorm:\"size:64;check:state IN ('draft','live')\"`"},
		"mails:email:array": {"Mails", "db.Array[string] `json:\"mails\" schema:\"dive,email\"`",
			"[]string `json:\"mails\" binding:\"required,max=100,dive,email,min=1,max=254\"`",
			"*[]string `json:\"mails\" binding:\"omitempty,max=100,dive,email,min=1,max=254\"`", "db.Array[string] `gorm:\"not null\"`"},
		"mail:email:private": {"Mail", "string `json:\"mail\"`", // others read ""
			"string `json:\"mail\" binding:\"required,email,max=254\"`",
			"*string `json:\"mail\" binding:\"omitempty,email,min=1,max=254\"`", "string `gorm:\"size:254;not null\"`"},
		"sizes:int:array:min=1": {"Sizes", "db.Array[int] `json:\"sizes\"`",
			"[]int `json:\"sizes\" binding:\"required,max=100,dive,min=1\"`",
			"*[]int `json:\"sizes\" binding:\"omitempty,max=100,dive,min=1\"`", "db.Array[int] `gorm:\"not null\"`"},
		"price:decimal=10.2:min=0": {"Price", "decimal.Decimal `json:\"price\" gorm:\"scale:2\"`",
			"*decimal.Decimal `json:\"price\" binding:\"required,decimal=10.2,min=0\"`",
			"*decimal.Decimal `json:\"price\" binding:\"omitempty,decimal=10.2,min=0\"`", "string `gorm:\"type:decimal(10,2);not null\"`"},
		"author:ref=users:ondelete=cascade": {"AuthorID", "int64 `json:\"author_id\"`",
			"int64 `json:\"author_id\" binding:\"required,min=1\"`",
			"*int64 `json:\"author_id\" binding:\"omitempty,min=1\"`", "int64 `gorm:\"not null;index\"`"},
		"author:ref=users:filter": {"AuthorID", "int64 `json:\"author_id\"`",
			"int64 `json:\"author_id\" binding:\"required,min=1\"`",
			"*int64 `json:\"author_id\" binding:\"omitempty,min=1\"`", "int64 `gorm:\"not null;index:idx_things_author_id_list,priority:1\"`"},
		"on:bool:filter:sort": {"On", "bool `json:\"on\"`",
			"*bool `json:\"on\" binding:\"required\"`",
			"*bool `json:\"on\"`", "bool `gorm:\"not null;index;index:idx_things_on_list,priority:1\"`"},
		"meta:json:optional": {"Meta", "db.JSON `json:\"meta\"`",
			"db.JSON `json:\"meta\" binding:\"omitempty,max=65536\"`", "web.Null[db.JSON] `json:\"meta\" binding:\"omitempty,max=65536\"`", "db.JSON "},
	} {
		v := last(t, project(t, "auth", "thing "+word))
		text := func(l view.Line) string {
			if l.Name == "" {
				return ""
			}
			return l.Type + " " + l.Tag
		}
		for what, pair := range map[string][2]string{
			"model":     {text(line(v.Model.Fields, want.name)), want.model},
			"create":    {text(line(v.Input.Create, want.name)), want.create},
			"update":    {text(line(v.Input.Update, want.name)), want.update},
			"migration": {text(line(own(v).Fields, want.name)), want.column},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s has\n%s, not\n%s", word, what, pair[0], pair[1])
			}
		}
	}
}

func TestImports(t *testing.T) {
	v := last(t, project(t, "", "thing price:decimal day:date id2:uuid:optional"))
	want := `import (
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/nexios-go/nexios/runtime/db"
)`
	if v.Model.Imports != want {
		t.Errorf("%s\nis not\n%s", v.Model.Imports, want)
	}
	if v := last(t, project(t, "", "thing a:int")); v.Model.Imports != `import "time"` {
		t.Error(v.Model.Imports)
	}
}

// Equal declarations give equal views, so unchanged parts are not rewritten.
func TestEqual(t *testing.T) {
	lines := []string{"category name:string:unique parent:ref=categories:optional", "tag name:string --uuid",
		"product name:string:sort price:decimal:min=0:filter status:enum=a/b:default=a category:ref=categories tags:many=tags --soft-delete"}
	if a, b := last(t, project(t, "", lines...)), last(t, project(t, "", lines...)); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// The values of a sorted field must not be in the order of the rows, or a test of sorting
// would prove nothing.
func TestSamplesAreNotSorted(t *testing.T) {
	v := last(t, project(t, "", "thing s:string:sort n:int:sort p:decimal:sort d:date:sort at:datetime:sort t:time:sort l:duration:sort f:float:sort e:enum=a/b/c:sort u:uuid:sort"))
	for _, f := range v.Test.Fields {
		values := strings.Split(strings.TrimSuffix(strings.TrimPrefix(f[1], "Values: []any{"), "}"), ", ")
		if slices.IsSorted(values) {
			t.Errorf("samples of %s are sorted already: %s", f[0], values)
		}
	}
}

// Unique fields and indexes document a 409.
func TestConflicts(t *testing.T) {
	for index, want := range map[string]string{"": "", "n,s": "", "n,s:unique": ".Fails(409)"} {
		p := project(t, "", "plan n:int s:string")
		if index != "" {
			p.Resources[0].Indexes = []string{index}
		}
		if got := last(t, p).Handlers.Conflict; got != want {
			t.Errorf("index %q: routes have %q, not %q", index, got, want)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	p := project(b, "auth", "category name:string:unique", "tag name:string:unique",
		"product name:string:min=2:search:sort price:decimal=10.2:min=0:sort:filter status:enum=draft/live:default=draft:filter sku:string:unique released:date:optional category:ref=categories:filter tags:many=tags")
	for b.Loop() {
		if _, err := view.Of(p, p.Resources[2]); err != nil {
			b.Fatal(err)
		}
	}
}

// own returns the resource's table as created by its migration.
func own(v view.Resource) view.Table {
	types := v.Migrations[0].Types
	return types[slices.IndexFunc(types, func(t view.Table) bool { return t.Table == v.Table })]
}

// A relation to the users of auth shows only their public fields, one to a resource named
// user all fields.
func TestRelationsToUsers(t *testing.T) {
	for want, v := range map[string]view.Resource{
		"*PublicUser": last(t, project(t, "auth", "post title:string user:ref=users")),
		"*User":       last(t, project(t, "", "user name:string", "post title:string user:ref=users")),
	} {
		if got := line(v.Model.Relations, "User").Type; got != want {
			t.Errorf("the user of a post is %s, not %s", got, want)
		}
	}
}

// The description of a case-insensitive filter says so.
func TestCaseInsensitiveFilters(t *testing.T) {
	for word, want := range map[string]string{
		"name:string:filter":               "`form:\"name\"`",
		"name:string:filter:nocase":        "`form:\"name\" doc:\"In upper or lower case.\"`",
		"name:string:filter:unique=nocase": "`form:\"name\" doc:\"In upper or lower case.\"`",
	} {
		if got := line(last(t, project(t, "", "thing "+word)).Input.Filters, "Name").Tag; got != want {
			t.Errorf("%s: %s, not %s", word, got, want)
		}
	}
}
