package adopt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/adopt"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// table returns a table with an identity column as key, and the given columns.
func table(name string, columns ...adopt.Column) adopt.Table {
	id := adopt.Column{Name: name + "_id", Type: "integer", Identity: true}
	return adopt.Table{Name: name, Columns: append([]adopt.Column{id}, columns...), Key: []string{id.Name}}
}

func text(name string) adopt.Column { return adopt.Column{Name: name, Type: "text", Null: true} }

// to returns a column that refers to a table's key, and its foreign key.
func to(name, other string, more ...func(*adopt.Ref)) (adopt.Column, adopt.Ref) {
	ref := adopt.Ref{Columns: []string{name}, Table: other, Targets: []string{other + "_id"}}
	for _, change := range more {
		change(&ref)
	}
	return adopt.Column{Name: name, Type: "integer"}, ref
}

// pairs returns a pure join table.
func pairs(name, one, other string) adopt.Table {
	a, toOne := to(one+"_id", one)
	b, toOther := to(other+"_id", other)
	return adopt.Table{Name: name, Columns: []adopt.Column{a, b}, Key: []string{a.Name, b.Name}, Refs: []adopt.Ref{toOne, toOther}}
}

func project() spec.Project {
	return spec.Project{Name: "shop", Module: "shop", Database: "postgres"}
}

// of adopts tables, and returns the definition of each resource, "films: title:text", and
// the report, "film whole".
func of(t *testing.T, p spec.Project, o adopt.Options, tables ...adopt.Table) (_ spec.Project, made, report []string) {
	t.Helper()
	if o.Guard == "" {
		o.Guard = "none"
	}
	p, lines, err := adopt.Of(p, adopt.Catalog{Tables: tables}, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Resources {
		made = append(made, r.Plural+": "+strings.Join(r.Fields, " "))
	}
	for _, l := range lines {
		report = append(report, strings.Join(append([]string{l.Table, l.Outcome}, slices.Concat(l.Why, l.Notes)...), "; "))
	}
	return p, made, report
}

// Definitions of fields.
func TestColumns(t *testing.T) {
	for name, tc := range map[string]struct {
		column adopt.Column
		checks []string
		want   string
	}{
		"text":           {text("a"), nil, "a:text:optional"},
		"varchar":        {adopt.Column{Name: "a", Type: "character varying", Size: 45}, nil, "a:string:max=45"},
		"char":           {adopt.Column{Name: "a", Type: "character", Size: 2}, nil, "a:char:max=2"},
		"a number":       {adopt.Column{Name: "a", Type: "smallint", Default: "3"}, nil, "a:int:default=3:min=-32768:max=32767"},
		"a money":        {adopt.Column{Name: "a", Type: "numeric", Size: 5, Scale: 2, Default: "19.99"}, nil, "a:decimal=5.2:default=19.99"},
		"a wide number":  {adopt.Column{Name: "a", Type: "numeric", Size: 30, Scale: 10}, nil, "a:native=numeric:auto:readonly"},
		"any number":     {adopt.Column{Name: "a", Type: "numeric"}, nil, "a:native=numeric"},
		"an enum":        {adopt.Column{Name: "a", Type: "rating", Enum: []string{"G", "PG-13"}, Default: "'G'::rating"}, nil, "a:enum=G/PG-13:filter:default=G"},
		"an odd enum":    {adopt.Column{Name: "a", Type: "state", Enum: []string{"no show"}, Null: true}, nil, "a:native=enum:auto:optional:readonly"},
		"an array":       {adopt.Column{Name: "a", Type: "integer", Array: true, Null: true}, nil, "a:int:optional:min=-2147483648:max=2147483647:array"},
		"a time":         {adopt.Column{Name: "a", Type: "timestamp with time zone", Default: "now()"}, nil, "a:datetime:auto"},
		"generated":      {adopt.Column{Name: "a", Type: "text", Always: true, Null: true}, nil, "a:text:auto:optional:readonly"},
		"a secret":       {adopt.Column{Name: "api_token", Type: "text", Null: true}, nil, "api_token:text:optional:secret"},
		"a capital":      {adopt.Column{Name: "CustName", Type: "text"}, nil, "cust_name:text:column=CustName"},
		"a range":        {adopt.Column{Name: "a", Type: "integer"}, []string{"((a >= 1) AND (a < 10))"}, "a:int:min=1:max=9"},
		"MariaDB's list": {adopt.Column{Name: "a", Type: "text"}, []string{`("a" in ('x','y'))`}, "a:enum=x/y"},
		"between":        {adopt.Column{Name: "a", Type: "bigint"}, []string{"(a between 1 and 9)"}, "a:bigint:min=1:max=9"},
		"SQLite's list":  {adopt.Column{Name: "a", Type: "text"}, []string{"(a IN('x', 'y'))"}, "a:enum=x/y"},
		"no blanks":      {adopt.Column{Name: "a", Type: "bigint"}, []string{"(a>0)"}, "a:bigint:min=1"},
		"its length":     {adopt.Column{Name: "a", Type: "text", Size: 5}, []string{"(LENGTH( a )>=2)"}, "a:string:min=2:max=5"},
		"a list":         {adopt.Column{Name: "a", Type: "text"}, []string{"(a = ANY (ARRAY['x'::text, 'y'::text]))"}, "a:enum=x/y"},
		"a pattern":      {adopt.Column{Name: "a", Type: "text"}, []string{"(a ~ '^[A-Z]{3}$'::text)"}, "a:text:pattern=^[A-Z]{3}$"},
		"not nothing":    {adopt.Column{Name: "a", Type: "text"}, []string{"(length(a) > 0)"}, "a:text:min=1"},
		"a domain": {adopt.Column{Name: "a", Type: "integer", Domain: "year", Checks: []string{"((VALUE >= 1901) AND (VALUE <= 2155))"}, Null: true}, nil,
			"a:int:optional:min=1901:max=2155"},
	} {
		t.Run(name, func(t *testing.T) {
			it := table("thing", tc.column)
			it.Checks = tc.checks
			if _, made, _ := of(t, project(), adopt.Options{}, it); made[0] != "things: "+tc.want {
				t.Errorf("got  %s\nwant things: %s", made[0], tc.want)
			}
		})
	}
}

// Tables that refer to each other.
func TestRelations(t *testing.T) {
	cascade := func(r *adopt.Ref) { r.OnDelete = "cascade" }
	owner, toOwner := to("owner_id", "person", cascade)
	boss, toBoss := to("reports_to", "person")
	boss.Null = true
	lost, toLost := to("ghost_id", "ghost")
	pet := table("pet", owner, lost)
	pet.Refs = []adopt.Ref{toOwner, toLost}
	person := table("person", text("name"), boss)
	person.Refs = []adopt.Ref{toBoss}
	friends := pairs("friend", "person", "person")
	friends.Columns[1].Name, friends.Key[1], friends.Refs[1].Columns = "friend_id", "friend_id", []string{"friend_id"}
	like := pairs("likes", "person", "pet")
	dated := pairs("walk", "person", "pet")
	dated.Columns = append(dated.Columns, text("note"))

	p, made, report := of(t, project(), adopt.Options{}, pet, person, friends, like, dated)
	want := []string{
		"people: name:text:optional reports_to_person:ref=people:column=reports_to:optional:filter friends:many=people pets:many=pets",
		"pets: owner:ref=people:filter:ondelete=cascade ghost_id:int:min=-2147483648:max=2147483647",
		"walks: person:ref=people:filter:immutable pet:ref=pets:filter:immutable note:text:optional",
	}
	if !slices.Equal(made, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(made, "\n"), strings.Join(want, "\n"))
	}
	want = []string{
		"friend; whole; as friends of people", "likes; whole; as pets of people", "person; whole",
		"pet; partly; ghost_id is not a relation: ghost is not adopted", "walk; whole",
	}
	if !slices.Equal(report, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(report, "\n"), strings.Join(want, "\n"))
	}
	person2, ok := p.Resource("person")
	if j := person2.Existing.Joins["pets"]; !ok || j != (spec.Join{Table: "likes", Mine: "person_id", Other: "pet_id"}) {
		t.Errorf("joined by %v", j)
	}
	// If one of its sides is left out, a join table is adopted like any other table.
	if _, made, _ := of(t, project(), adopt.Options{Except: []string{"pet"}}, person, pet, like); !strings.HasPrefix(made[0], "likes: person:ref=people:filter:immutable pet_id:int") {
		t.Errorf("got %v", made)
	}
}

// Adopting a table again keeps the options of the first time, and the fields that other
// commands have added.
func TestAdoptAgain(t *testing.T) {
	film, category := table("film", text("title")), table("category", text("name"))
	list := adopt.Table{Name: "film_list", View: true, Columns: []adopt.Column{{Name: "fid", Type: "integer", Null: true}, text("title")}}
	tables := []adopt.Table{film, category, pairs("film_category", "film", "category"), list}
	p, _, _ := of(t, project(), adopt.Options{Guard: "none", Only: []string{"list", "show", "create"}, Rename: map[string]string{"film": "movie"}}, tables...)
	p, _, err := adopt.Of(p, adopt.Catalog{Tables: tables}, adopt.Options{Tables: []string{"film_list"}, Key: []string{"fid"}})
	if err != nil {
		t.Fatal(err)
	}
	again := func(p spec.Project, names ...string) (spec.Project, []string) {
		t.Helper()
		p, lines, err := adopt.Of(p, adopt.Catalog{Tables: tables}, adopt.Options{Tables: names})
		if err != nil {
			t.Fatal(err)
		}
		var drift []string
		for _, l := range lines {
			drift = append(drift, l.Drift...)
		}
		return p, drift
	}
	for _, names := range [][]string{nil, {"film"}, {"film_list"}, {"category", "film_category"}} {
		if now, _ := again(p, names...); !same(now, p) {
			t.Errorf("%v: got  %+v\nwant %+v", names, now.Resources, p.Resources)
		}
	}

	p, movie, err := p.AddFields("movie", []string{"colour:string:optional", "extras:many=categories"}, "", "20261128100000")
	if err != nil {
		t.Fatal(err)
	}
	tables[0].Columns = append(tables[0].Columns, adopt.Column{Name: "colour", Type: "character varying", Size: 255, Null: true}, text("mood"))
	now, _ := again(p, "film")
	is, _ := now.Resource("movie")
	if want := []string{"title:text:optional", "mood:text:optional", "categories:many=categories", "colour:string:optional", "extras:many=categories"}; !slices.Equal(is.Fields, want) {
		t.Errorf("got  %v\nwant %v", is.Fields, want)
	}
	if len(is.Added) != 1 || is.Name != movie.Name || !slices.Equal(is.Only, movie.Only) {
		t.Errorf("%+v differs from %+v", is, movie)
	}

	// A table that migrations have changed stays as it is.
	p, _, err = p.ChangeField("movie", []string{"colour:string:optional:max=90"}, "", "20261128100001")
	if err != nil {
		t.Fatal(err)
	}
	now, drift := again(p, "film")
	if !same(now, p) || !slices.Equal(drift, []string{"has mood:text:optional"}) {
		t.Errorf("got %+v, drift %v", now.Resources, drift)
	}
}

func same(a, b spec.Project) bool {
	return slices.EqualFunc(a.Resources, b.Resources, func(x, y spec.Resource) bool {
		return x.Command() == y.Command() && slices.Equal(x.Fields, y.Fields) && slices.Equal(x.Existing.Key, y.Existing.Key) && len(x.Existing.Joins) == len(y.Existing.Joins)
	})
}

// A key that only the user declares does not allow changing rows.
func TestDeclaredKey(t *testing.T) {
	log := adopt.Table{Name: "log", Columns: []adopt.Column{{Name: "at", Type: "bigint"}, text("what")}}
	sure := log
	sure.Uniques = [][]string{{"at"}}
	for want, it := range map[string]adopt.Table{"list/show": log, "": sure} {
		p, _, _ := of(t, project(), adopt.Options{Key: []string{"at"}}, it)
		if only := strings.Join(p.Resources[0].Only, "/"); only != want {
			t.Errorf("actions %q, want %q", only, want)
		}
	}
}

// Options that do not suit any table are errors, not reasons to skip tables.
func TestOptions(t *testing.T) {
	tables := []adopt.Table{table("film", text("title")), {Name: "log", Columns: []adopt.Column{text("what")}}}
	for name, tc := range map[string]struct {
		o    adopt.Options
		want string
	}{
		"an action":          {adopt.Options{Only: []string{"list/foo"}}, `unknown action "foo"`},
		"a guard":            {adopt.Options{Guard: "bar"}, `unknown value "bar"`},
		"a guard, no auth":   {adopt.Options{Guard: "user"}, "requires authentication"},
		"writes, no guard":   {adopt.Options{Only: []string{"list", "create"}}, "--only create without --guard"},
		"a table":            {adopt.Options{Tables: []string{"flim"}}, `no table "flim"`},
		"a table to leave":   {adopt.Options{Except: []string{"flim"}}, `no table "flim"`},
		"a table to rename":  {adopt.Options{Rename: map[string]string{"flim": "movie"}}, `no table "flim"`},
		"nothing left":       {adopt.Options{Except: []string{"film", "log"}}, "no table is left"},
		"a key":              {adopt.Options{Key: []string{"who"}}, "no table without a key has these columns"},
		"a key where one is": {adopt.Options{Tables: []string{"film"}, Key: []string{"title"}}, "each of the tables has a key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := adopt.Of(project(), adopt.Catalog{Tables: tables}, tc.o)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
