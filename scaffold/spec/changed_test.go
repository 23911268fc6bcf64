package spec_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// changeable returns a project with posts to change.
func changeable(t *testing.T) spec.Project {
	t.Helper()
	p := spec.Project{Nexios: "0.1.0", Name: "blog", Module: "blog", Database: "sqlite"}
	for _, r := range []spec.Resource{
		{Name: "tag", Fields: []string{"name:string"}, Migration: "20261121000000"},
		{
			Name: "post", Fields: []string{"title:string", "status:enum=draft/live", "tag:ref=tags", "views:int:default=0", "tags:many=tags"},
			Indexes: []string{"tag,title:unique"}, Migration: "20261121000001",
		},
	} {
		var err error
		if p, _, err = p.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestChangeField(t *testing.T) {
	for _, test := range []struct{ change, want string }{
		{"title max=100 unique", "title:string:unique:max=100"},
		{"title:text", ""}, // MySQL could not index it
		{"title email", "title:email"},
		{"status enum=draft/live/old default=draft", "status:enum=draft/live/old:default=draft"},
		{"views no-default bigint", "views:bigint"},
		{"views string", "views:string:default=0"},
		{"views type=string", "views:string:default=0"},
		{"tag_id optional ondelete=null", "tag:ref=tags:optional:ondelete=null"},
		{"tag ref=posts", ""},
		{"views bool", ""},
		{"views array", ""},
		{"title min=5 max=3", ""},
		{"title no-such", ""},
		{"title", ""},
		{"tags text", ""},
	} {
		p := changeable(t)
		words := strings.Fields(test.change)
		now, r, err := p.ChangeField("Posts", words, "", "20261122000000")
		if test.want == "" {
			refused(t, test.change, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.change, err)
			continue
		}
		if !slices.Contains(r.Fields, test.want) {
			t.Errorf("%s: %v", test.change, r.Fields)
		}
		text, err := now.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Parse(text); err != nil {
			t.Errorf("%s: nexios.json is rejected: %v", test.change, err)
		}
		before, steps, err := r.History()
		if err != nil || len(steps) != 1 || !slices.Equal(before.Fields, mustResource(p, "post").Fields) {
			t.Errorf("%s: first fields %v: %v", test.change, before.Fields, err)
		}
	}
}

// A change of type must not drop modifiers silently: the error suggests a command that
// removes them explicitly, and that command works.
func TestChangeTypeLosesNothing(t *testing.T) {
	for word, changes := range map[string]string{
		"x:string:unique:search:sort:filter": "text",
		"x:string:nocase:min=2":              "type=text",
		"x:string:unique=nocase":             "text min=3",
		"x:string:len=5":                     "email",
		"x:string:pattern=^[a-z]+$":          "slug",
		"x:int:unique:default=1":             "text",
		"x:email:unique":                     "enum=a/b",
	} {
		p, _, err := spec.Project{Nexios: "0.1.0", Name: "blog", Module: "blog", Database: "sqlite"}.Add(spec.Resource{Name: "bar", Fields: []string{word, "n:int"}, Migration: "20261121000000"})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = p.ChangeField("bar", append([]string{"x"}, strings.Fields(changes)...), "", "20261122000000")
		e, ok := errors.AsType[*problem.Error](err)
		if !ok || e.What == "" || e.Where != word {
			t.Errorf("%s %s: %v", word, changes, err)
			continue
		}
		again, ok := strings.CutPrefix(e.Try, "nexios change field bar ")
		if !ok || !strings.HasPrefix(again, "x "+changes+" no-") {
			t.Errorf("%s %s: try %s", word, changes, e.Try)
			continue
		}
		if _, _, err := p.ChangeField("bar", strings.Fields(again), "", "20261122000000"); err != nil {
			t.Errorf("%s %s: %s: %v", word, changes, again, err)
		}
	}
}

// Making a field required needs a value for the rows where it is null. If it was
// forgotten, the second attempt suggests how to repeat the change.
func TestChangeFieldSuggestsBackfill(t *testing.T) {
	p := changeable(t)
	p, _, err := p.AddFields("post", []string{"sku:string:optional"}, "", "20261122000000")
	if err == nil {
		p, _, err = p.ChangeField("post", []string{"sku", "required"}, "", "20261122000001")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = p.ChangeField("post", []string{"sku", "required"}, "none", "20261122000002")
	if e, ok := errors.AsType[*problem.Error](err); !ok || e.Try != "nexios undo && nexios change field post sku required --backfill none   # if nothing was changed since" {
		t.Errorf("%v", err)
	}
	_, _, err = p.ChangeField("post", []string{"title", "required"}, "none", "20261122000002")
	refused(t, "a field that was required from the first", err)
}

// refused checks that err suggests a command.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if e, ok := errors.AsType[*problem.Error](err); !ok || e.Try == "" {
		t.Errorf("%s: %v", what, err)
	}
}

func mustResource(p spec.Project, name string) spec.Resource {
	r, _ := p.Resource(name)
	return r
}

// The history of a resource starts from its first definition, whatever was changed since.
func TestHistory(t *testing.T) {
	p := changeable(t)
	first := mustResource(p, "post")
	for i, change := range []func(at string) (spec.Project, spec.Resource, error){
		func(at string) (spec.Project, spec.Resource, error) {
			return p.RenameField("post", "title", "headline", at)
		},
		func(at string) (spec.Project, spec.Resource, error) {
			return p.RenameField("post", "tag_id", "label", at)
		},
		func(at string) (spec.Project, spec.Resource, error) {
			return p.AddFields("post", []string{"stars:int"}, "3", at)
		},
		func(at string) (spec.Project, spec.Resource, error) {
			return p.ChangeField("post", []string{"stars", "optional"}, "", at)
		},
		func(at string) (spec.Project, spec.Resource, error) {
			return p.RenameField("post", "stars", "rating", at)
		},
		func(at string) (spec.Project, spec.Resource, error) {
			return p.AddIndex("post", "created_at,status", false, at)
		},
		func(at string) (spec.Project, spec.Resource, error) {
			return p.RemoveFields("post", []string{"rating", "label", "tags"}, at)
		},
		func(at string) (spec.Project, spec.Resource, error) {
			return p.RemoveIndex("post", "created_at,status", at)
		},
	} {
		var (
			r   spec.Resource
			err error
		)
		if p, r, err = change("2026112200000" + string(rune('0'+i))); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		was, steps, err := r.History()
		if err != nil || len(steps) != i+1 {
			t.Fatalf("%d: %d steps, %v", i, len(steps), err)
		}
		slices.Sort(was.Fields)
		want := slices.Sorted(slices.Values(first.Fields))
		if !slices.Equal(was.Fields, want) || !slices.Equal(was.Indexes, first.Indexes) {
			t.Errorf("%d: first fields %v, indexes %v", i, was.Fields, was.Indexes)
		}
		text, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := spec.Parse(text); err != nil || again.Latest() != steps[i].Migration {
			t.Errorf("%d: the latest migration read back is %v: %v", i, again.Latest(), err)
		}
	}
	if r := mustResource(p, "post"); !slices.Equal(r.Fields, []string{"headline:string", "status:enum=draft/live", "views:int:default=0"}) || r.Indexes != nil {
		t.Errorf("final fields %v, indexes %v", r.Fields, r.Indexes)
	}
}
