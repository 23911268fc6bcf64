package spec_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func resource(words string) spec.Resource {
	list := strings.Fields(words)
	return spec.Resource{Name: list[0], Fields: list[1:], Migration: "20261121101500"}
}

func project(t *testing.T, resources ...string) spec.Project {
	t.Helper()
	p := spec.Project{Nexios: "0.1.0", Name: "shop", Module: "shop", Database: "sqlite"}
	for _, words := range resources {
		var err error
		if p, _, err = p.Add(resource(words)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestAdd(t *testing.T) {
	p := project(t, "category name:string:unique")
	again, settled, err := p.Add(spec.Resource{Name: "Categories", Fields: []string{"Name:string:unique"}, Migration: "20300101000000"})
	if err != nil || !reflect.DeepEqual(p, again) || settled.Migration != "20261121101500" {
		t.Errorf("adding it twice makes %+v, %v", again, err)
	}
	for _, words := range []string{"category name:string", "category name:string:unique slug:slug", "Category title:string"} {
		_, _, err := p.Add(resource(words))
		wantHelpfulError(t, words, err)
	}
	if more := project(t, "category name:string:unique", "product category:ref=Category"); more.Resources[1].Fields[0] != "category:ref=categories" {
		t.Errorf("normalized to %v", more.Resources[1].Fields)
	}
}

func TestAddErrors(t *testing.T) {
	p := project(t, "post title:string", "tag name:string", "post_tag n:int")
	for _, words := range []string{
		"../../x a:int", `x";drop a:int`, "имя a:int", "post", "thing",
		"thing id:int", "thing ID:int", "thing created_at:datetime", "thing updatedAt:datetime", "thing deleted_at:datetime",
		"thing table_name:string", "thing a:int a:string", "thing a_b:int aB:int", "thing ab:int a_b:int",
		"thing x:ref=nothing", "thing x:many=nothing", "thing x:has=nothing", "thing x:has=posts",
		"thing user:ref=users", "thing a:ref=posts a_id:int", "thing parent:ref=things", "thing f:file",
		"thing order:int:filter", "thing search:string:filter", "thing a:int:filter a_min:int",
		"app2 title:strin", "go a:int",
	} {
		if words == "go a:int" {
			continue // allowed
		}
		_, _, err := p.Add(resource(words))
		wantHelpfulError(t, words, err)
	}
	for name, r := range map[string]spec.Resource{
		"keyword":        {Name: "thing", Plural: "type", Fields: []string{"a:int"}},
		"predeclared":    {Name: "thing", Plural: "error", Fields: []string{"a:int"}},
		"folder":         {Name: "thing", Plural: "model", Fields: []string{"a:int"}},
		"device":         {Name: "aux", Fields: []string{"a:int"}},
		"device model":   {Name: "n_ul", ModelOnly: true, Fields: []string{"a:int"}},
		"device room":    {Name: "thing", Plural: "lpt_1", Fields: []string{"a:int"}},
		"file":           {Name: "thing", Plural: "input", Fields: []string{"a:int"}},
		"package":        {Name: "po_st", Fields: []string{"a:int"}},
		"table":          {Name: "thing", Table: "posts", Fields: []string{"a:int"}},
		"own table":      {Name: "schema_migration", Fields: []string{"a:int"}},
		"join table":     {Name: "thing", Table: "post_tags", Fields: []string{"a:int"}},
		"bad table":      {Name: "thing", Table: "a b", Fields: []string{"a:int"}},
		"bad plural":     {Name: "thing", Plural: "../x", Fields: []string{"a:int"}},
		"owner":          {Name: "thing", Owner: true, Fields: []string{"a:int"}},
		"guard":          {Name: "thing", Guard: "user", Fields: []string{"a:int"}},
		"unknown guard":  {Name: "thing", Guard: "god", Fields: []string{"a:int"}},
		"unknown action": {Name: "thing", Only: []string{"lst"}, Fields: []string{"a:int"}},
		"public":         {Name: "thing", Public: "a", Fields: []string{"a:bool"}},
		"wide":           {Name: "thing", Fields: wide()},
		"filters":        {Name: "thing", Fields: filters()},
		"table, by case": {Name: "thing", Table: "Posts", Fields: []string{"a:int"}},
	} {
		_, _, err := p.Add(r)
		wantHelpfulError(t, name, err)
	}
}

func wide() []string {
	var fields []string
	for i := range 90 {
		fields = append(fields, "f"+strings.Repeat("x", i)[:min(i, 40)]+string(rune('a'+i%26))+string(rune('a'+i/26))+":string")
	}
	return fields
}

// Names with a meaning in Go, SQL or a project that are allowed.
func TestAddAccepts(t *testing.T) {
	for _, words := range []string{
		"type a:int", "func a:int", "select a:int", "error a:int", "model a:int", "test a:int", "main a:int", "app a:int",
		"user a:int", "order a:int", "group a:int", "go a:int", "window a:int", "auxiliary a:int", "com10 a:int",
		"thing type:string", "thing order:int", "thing a:string:default=O'Brien", "thing select:bool", "thing TYPE:string",
	} {
		if _, _, err := project(t).Add(resource(words)); err != nil {
			t.Errorf("%s: %v", words, err)
		}
	}
}

// A relation finds a table by its exact name, whatever its plural would be.
func TestTargetsByExactName(t *testing.T) {
	for _, r := range []spec.Resource{{Name: "gu", Plural: "gus"}, {Name: "thing", Plural: "stuff_bus"}, {Name: "person", Plural: "persons"}, {Name: "entry", Plural: "logs"}} {
		r.Fields = []string{"name:string"}
		p, _, err := spec.Project{}.Add(spec.Resource{Name: r.Name, Plural: r.Plural, Fields: r.Fields})
		if err != nil {
			t.Fatal(err)
		}
		p, _, err = p.Add(spec.Resource{Name: "parent", Fields: []string{"a:ref=" + r.Plural, "b:ref=" + r.Name + ":optional", "c:many=" + r.Plural}})
		if err != nil {
			t.Errorf("%s: %v", r.Plural, err)
			continue
		}
		parent, _ := p.Resource("parent")
		fields, _ := parent.Parsed()
		for _, f := range fields {
			if got, ok := p.Target(f); !ok || got.Plural != r.Plural {
				t.Errorf("%s refers to %q", f, got.Plural)
			}
		}
		if back, ok := spec.BackRef(r, parent, spec.Field{}); !ok || back.Name != "a" {
			t.Errorf("the back reference to %s: %v", r.Plural, back)
		}
	}
}

func TestFeatures(t *testing.T) {
	p := project(t, "job title:string")
	if _, err := p.AddFeature(spec.Feature{Name: "jobs", Packages: []string{"jobs"}}); err == nil {
		t.Error("jobs was added despite a resource job")
	}
	p, err := project(t).AddFeature(spec.Feature{Name: "auth", Tables: []string{"users"}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.AddFeature(spec.Feature{Name: "auth"})
	if err != nil || !reflect.DeepEqual(p, again) {
		t.Errorf("auth again: %v", err)
	}
	_, _, err = p.Add(resource("user name:string"))
	wantHelpfulError(t, "user", err)
	if p, _, err = p.Add(spec.Resource{Name: "note", Owner: true, Fields: []string{"a:int", "author:ref=users"}}); err != nil {
		t.Error(err)
	}
	if without, err := p.RemoveFeature(spec.Feature{Name: "auth"}); err == nil {
		t.Errorf("auth was removed although notes belong to users: %+v", without)
	}
}

func TestRemove(t *testing.T) {
	p := project(t, "category name:string", "product category:ref=categories parent:ref=products:optional")
	p, _, err := p.AddFields("category", []string{"products:has=products"}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = p.Remove("category", "20261122000000")
	wantHelpfulError(t, "category", err)
	_, _, err = p.Remove("nothing", "20261122000000")
	wantHelpfulError(t, "nothing", err)
	p, r, err := p.Remove("Products", "20261122000000")
	if err != nil || len(p.Resources) != 1 || r.Name != "product" || len(p.Resources[0].Fields) != 1 || !p.Gone("products") {
		t.Errorf("%+v, %v", p, err)
	}
	if p.Latest() != "20261122000000" || !p.Before("products", "20261123000000") || p.Before("products", "20261122000000") {
		t.Errorf("dropped: %+v", p.Dropped)
	}
	if p, _, err = p.Remove("category", ""); err != nil || len(p.Resources) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	_, _, err = p.Remove("category", "")
	wantHelpfulError(t, "category again", err)
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := spec.Parse(text); err != nil || !reflect.DeepEqual(read.Dropped, p.Dropped) {
		t.Errorf("read back as %+v, %v", read, err)
	}
	again := p.Restore("products", "20261124000000")
	if again.Gone("products") || !p.Gone("products") || again.Latest() != "20261124000000" {
		t.Errorf("restored: %+v", again.Dropped)
	}
}

func TestReplace(t *testing.T) {
	p := project(t, "post title:string", "comment post:ref=posts")
	r := resource("post title:string comments:has=comments")
	p, err := p.Replace(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Replace(resource("comment body:text")); err == nil {
		t.Error("removed a ref that a has field needs")
	}
}

func TestJSON(t *testing.T) {
	p := project(t, "category name:string:unique", "product a:string:default=<b> category:ref=categories")
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := spec.Parse(text)
	if err != nil || !reflect.DeepEqual(p, back) {
		t.Errorf("%+v came back as %+v, %v", p, back, err)
	}
	if again, _ := back.JSON(); !bytes.Equal(again, text) {
		t.Errorf("%s and %s", text, again)
	}
	if back, err := spec.Parse(append([]byte("\ufeff"), bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))...)); err != nil || !reflect.DeepEqual(p, back) {
		t.Errorf("with a byte order mark it came back as %+v, %v", back, err)
	}
	good := string(text)
	for name, bad := range map[string]string{
		"not JSON": "{", "empty": "", "trailing": good + "{}", "array": "[]",
		"format":       strings.Replace(good, `"format": 1`, `"format": 2`, 1),
		"no format":    strings.Replace(good, `"format": 1,`, "", 1),
		"unknown key":  strings.Replace(good, `"name": "shop"`, `"name": "shop", "color": "red"`, 1),
		"unknown type": strings.Replace(good, "name:string", "name:strin", 1),
		"bad name":     strings.Replace(good, `"shop"`, `"../shop"`, 1),
		"no target":    strings.Replace(good, "ref=categories", "ref=nothing", 1),
		"twice":        strings.Replace(good, `"name": "product"`, `"name": "category"`, 1),
	} {
		_, err := spec.Parse([]byte(bad))
		wantHelpfulError(t, name, err)
	}
}

func BenchmarkParse(b *testing.B) {
	p := spec.Project{Nexios: "0.1.0", Name: "shop", Module: "shop", Database: "sqlite"}
	for i := range 100 {
		name := "thing_" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "x"
		var err error
		p, _, err = p.Add(resource(name + " title:string:min=3:unique body:text price:decimal=10.2:min=0 status:enum=a/b:default=a sku:string:unique n:int:min=1:max=9"))
		if err != nil {
			b.Fatal(err)
		}
	}
	text, _ := p.JSON()
	for b.Loop() {
		if _, err := spec.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAddFields(t *testing.T) {
	p := project(t, "tag name:string", "post title:string body:text")
	now, r, err := p.AddFields("Posts", []string{"subtitle:string:optional", "title:string", "views:int:default=0:filter", "tags:many=tags"}, "", "20261122000000")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Fields, " "); got != "title:string body:text subtitle:string:optional views:int:filter:default=0 tags:many=tags" {
		t.Errorf("fields %s", got)
	}
	if want := []spec.Addition{{Migration: "20261122000000", Fields: []string{"subtitle", "views", "tags"}}}; !reflect.DeepEqual(r.Added, want) || now.Latest() != "20261122000000" {
		t.Errorf("added %v", r.Added)
	}
	again, _, err := now.AddFields("post", []string{"subtitle:string:optional", "tags:many=tag"}, "", "20270101000000")
	if err != nil || !reflect.DeepEqual(again, now) {
		t.Errorf("adding the field twice makes %+v, %v", again, err)
	}
	text, err := now.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := spec.Parse(text); err != nil || !reflect.DeepEqual(read, now) {
		t.Errorf("read back as %+v, %v", read, err)
	}
	if again, _, err := now.Add(spec.Resource{Name: "post", Fields: r.Fields}); err != nil || !reflect.DeepEqual(again, now) {
		t.Errorf("adding the complete resource again makes %+v, %v", again, err)
	}
	if other, r, err := now.AddFields("tag", []string{"posts:has=posts"}, "", "20270101000000"); err == nil {
		t.Errorf("accepted a has field without a ref: %+v, %v", other, r)
	}
	for _, words := range []string{
		"post", "nothing a:int:optional", "users a:int:optional", "post a:strin", "post title:string:optional",
		"post a:int", "post a:text:default=x", "post a:string:default=x:unique", "post a:ref=tags", "post a:string:default=",
		"post id:int:optional", "post a:ref=nothing:optional", "post a:file:optional", "post a:int:optional a:int:optional",
	} {
		list := strings.Fields(words)
		_, _, err := p.AddFields(list[0], list[1:], "", "20261122000000")
		wantHelpfulError(t, words, err)
	}
}

// filters returns more filters than a list can have.
func filters() []string {
	var words []string
	for i := range 20 {
		words = append(words, fmt.Sprintf("n%d:int:filter", i))
	}
	return words
}

// A suggested command must leave the rows accessible to the same users as the rejected
// one.
func TestSuggestedCommandsKeepFlags(t *testing.T) {
	t.Parallel()
	resource := func(r spec.Resource, fields ...string) spec.Resource {
		r.Fields, r.Migration = fields, "20261121101500"
		return r
	}
	tag, task := spec.Resource{Name: "tag", Owner: true}, spec.Resource{Name: "task", Organisation: true, Guard: "admin"}
	for _, tc := range []struct {
		resource spec.Resource
		try      string
	}{
		{resource(tag, "word:string:private:sort"), "nexios add resource tag word:string:private --owner"},
		{resource(tag, "word:string:secret:filter"), "nexios add resource tag word:string:secret --owner"},
		{resource(tag, "word:strin"), "nexios add resource tag word:string --owner"},
		{resource(tag, "word:string", "user:string"), "nexios add resource tag word:string --owner"},
		{resource(tag), "nexios add resource tag title:string --owner"},
		{resource(spec.Resource{Name: "tag", Plural: "select", Read: "user"}, "word:string"), "nexios add resource tag word:string --plural tag_items --read user"},
		{resource(task, "word:string:private"), "nexios add resource task word:string --organisation --guard admin"},
		{resource(spec.Resource{Name: "tag", Owner: true}, "project:ref=projects"), "nexios add resource tag project:ref=projects --organisation"},
		{resource(task, "project:ref=projects:optional:ondelete=null"), "nexios add resource task project:ref=projects:optional --organisation --guard admin"},
		{resource(tag, "tag:ref=tags"), "nexios add resource tag tag:ref=tags:optional --owner"},
		{resource(tag, "notes:has=notes"), "nexios add resource note title:string:private tag:ref=tags --owner"},
	} {
		p := project(t)
		p.Features = []spec.Feature{{Name: "auth"}, {Name: "organisations"}}
		for _, there := range []spec.Resource{
			resource(spec.Resource{Name: "project", Organisation: true}, "name:string"),
			resource(spec.Resource{Name: "note", Owner: true}, "title:string:private"),
		} {
			var err error
			if p, _, err = p.Add(there); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := p.Add(tc.resource)
		if refused := (*problem.Error)(nil); !errors.As(err, &refused) || refused.Try != tc.try {
			t.Errorf("%v: %v\nwant %s", tc.resource, err, tc.try)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		r    spec.Resource
		open bool
	}{
		{spec.Resource{}, true},
		{spec.Resource{Guard: "none"}, true},
		{spec.Resource{Only: []string{"list"}}, false},
		{spec.Resource{Guard: "user"}, false},
		{spec.Resource{Owner: true}, false},
		{spec.Resource{Organisation: true}, false},
	} {
		if tc.r.Open() != tc.open {
			t.Errorf("%+v: open = %t", tc.r, !tc.open)
		}
	}
}

// A field that is not a relation has no target, whatever its argument: looking for one
// inflects the names of all tables.
func TestOnlyRelationsHaveTargets(t *testing.T) {
	p := spec.Project{Resources: []spec.Resource{{Name: "note", Plural: "notes"}}}
	for typ, want := range map[string]bool{"ref": true, "many": true, "has": true, "string": false, "enum": false, "decimal": false} {
		if _, ok := p.Target(spec.Field{Name: "x", Type: typ, Arg: "notes"}); ok != want {
			t.Errorf("target of a field of type %s: %v", typ, ok)
		}
	}
}

// TestSuggestedCommands: a suggestion corrects everything it can, and removes nothing
// else.
func TestSuggestedCommands(t *testing.T) {
	t.Parallel()
	const at = "20261121101500"
	p := project(t)
	p.Features = []spec.Feature{{Name: "auth"}, {Name: "organisations"}, {Name: "uploads"}}
	for _, r := range []spec.Resource{
		{Name: "patient", Fields: []string{"name:string", "scan:file:optional", "photo:file:optional"}},
		{Name: "picture", Fields: []string{"image:file"}},
		{Name: "appointment", Fields: []string{"title:string", "patient:ref=patients"}},
	} {
		r.Migration = at
		var err error
		if p, _, err = p.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	add := func(r spec.Resource) func() error {
		return func() error { r.Migration = at; _, _, err := p.Add(r); return err }
	}
	remove := func(name string) func() error {
		return func() error { _, _, err := p.Remove(name, at); return err }
	}
	removeField := func(name string, fields ...string) func() error {
		return func() error { _, _, err := p.RemoveFields(name, fields, at); return err }
	}
	addField := func(words ...string) func() error {
		return func() error { _, _, err := p.AddFields("appointment", words, "", at); return err }
	}
	for try, of := range map[string]func() error{
		"nexios remove field patient scan photo":  func() error { _, err := p.RemoveFeature(spec.Feature{Name: "uploads"}); return err },
		"nexios remove field appointment patient": remove("patient"),
		"nexios list":                              remove("appointmentsv2"),
		"nexios remove resource appointment":       remove("apointment"),
		"nexios list ":                             removeField("appointment", "nope"),
		"nexios remove field appointment title":    removeField("appointment", "titel"),
		"nexios remove field appointment title ":   removeField("apointments", "title"),
		"nexios remove field --help":               removeField("appointment"),
		"nexios remove resource patient --dry-run": removeField("patient", "name", "scan", "photo"),
		"nexios add field appointment a:decimal=10.2:optional b:decimal=10.2:default=0 c:string:optional": addField("a:decimal=20.2", "b:decimal=38.10:default=0", "c:string"),
		"nexios add resource room name:string --organisation":                                             add(spec.Resource{Name: "bed", Fields: []string{"room:ref=rooms"}, Organisation: true}),
		"nexios add resource bed size:decimal=10.2 note:string --organisation":                            add(spec.Resource{Name: "bed", Fields: []string{"size:decimal=20.2", "note:strin"}, Organisation: true}),
		"nexios add resource bed note:string:unique phone:string --organisation":                          add(spec.Resource{Name: "bed", Fields: []string{"note:string:unique:private", "phone:string:private"}, Organisation: true}),
		"nexios add resource bed note:string --only list":                                                 add(spec.Resource{Name: "bed", Fields: []string{"note:string"}, Only: []string{"lst"}}),
		"nexios add resource bed note:string --read user --write user":                                    add(spec.Resource{Name: "bed", Fields: []string{"note:string"}, Write: "user"}),
	} {
		refused := (*problem.Error)(nil)
		if err := of(); !errors.As(err, &refused) || refused.Try != strings.TrimSpace(try) {
			t.Errorf("%v\nwant %s", err, try)
		}
	}
}

// TestGuardsWithoutOwners: a guard can be combined with --read, but not with an owner.
func TestGuardsWithoutOwners(t *testing.T) {
	for _, c := range []struct {
		r   spec.Resource
		try string // the flags of what to type next; "" for none
	}{
		{spec.Resource{Guard: "admin", Read: "all"}, ""},
		{spec.Resource{Guard: "user", Read: "all"}, ""},
		{spec.Resource{Guard: "admin", Read: "user"}, ""},
		{spec.Resource{Guard: "none", Read: "all"}, "--guard user --read all"},
		{spec.Resource{Guard: "admin", Read: "owner"}, "--owner"},
		{spec.Resource{Guard: "admin", Owner: true}, "--owner"},
		{spec.Resource{Guard: "admin", Owner: true, Read: "all"}, "--read all"},
		{spec.Resource{Guard: "user", Write: "admin"}, "--write admin"},
		{spec.Resource{Guard: "admin", Owner: true, Public: "live", SoftDelete: true}, "--soft-delete --owner --public live"},
		{spec.Resource{Guard: "admin", Read: "all", Organisation: true}, "--organisation"},
	} {
		c.r.Name, c.r.Fields, c.r.Migration = "brand", []string{"live:bool"}, "20261121000001"
		p := spec.Project{Nexios: "0.1.0", Name: "shop", Module: "shop", Database: "sqlite", Features: []spec.Feature{{Name: "auth"}, {Name: "organisations"}}}
		now, r, err := p.Add(c.r)
		if c.try != "" {
			e, ok := errors.AsType[*problem.Error](err)
			if want := "nexios add resource brand live:bool " + c.try; !ok || e.Try != want {
				t.Errorf("%+v: %v, to type next: not %s", c.r, err, want)
			}
			continue
		}
		if err != nil || r.Owner {
			t.Errorf("%s: owner %v, %v", c.r.Command(), r.Owner, err)
			continue
		}
		text, err := now.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Parse(text); err != nil {
			t.Errorf("%s: %v", r.Command(), err)
		}
		if opened, _ := now.Opened(); opened.Resources[0].Read != "" {
			t.Errorf("%s: without auth %s", r.Command(), opened.Resources[0].Command())
		}
	}
	text := `{"format": 1, "nexios": "0.1.0", "name": "shop", "module": "shop", "database": "sqlite", "features": [{"name": "auth"}],
		"resources": [{"name": "brand", "plural": "brands", "fields": ["name:string"], "owner": true, "read": "all", "guard": "admin", "migration": "20261121000001"}]}`
	if _, err := spec.Parse([]byte(text)); err != nil {
		t.Errorf("the record of an older version is rejected: %v", err)
	}
}
