package spec_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// TestUniqueWithin checks the scope of unique: the rows of one owner if users cannot read
// the rows of others.
func TestUniqueWithin(t *testing.T) {
	for _, c := range []struct {
		r      spec.Resource
		within string
	}{
		{spec.Resource{Owner: true}, "user_id"},
		{spec.Resource{Read: "owner"}, "user_id"},
		{spec.Resource{Write: "owner"}, "user_id"},
		{spec.Resource{Owner: true, Public: "live"}, "user_id"},
		{spec.Resource{Owner: true, ModelOnly: true}, "user_id"},
		{spec.Resource{Write: "admin"}, ""}, // writers can read all rows
		{spec.Resource{Owner: true, Public: "live", Write: "admin"}, ""},
		{spec.Resource{Read: "all"}, ""},
		{spec.Resource{Read: "user"}, ""},
		{spec.Resource{Guard: "user"}, ""},
		{spec.Resource{Guard: "none"}, ""},
		{spec.Resource{Organisation: true}, "organisation_id"},
	} {
		p := spec.Project{Nexios: "0.1.0", Name: "shop", Module: "shop", Database: "sqlite", Features: []spec.Feature{{Name: "auth"}, {Name: "organisations"}}}
		c.r.Name, c.r.Fields, c.r.Migration = "note", []string{"title:string:unique", "live:bool:default=false"}, "20261121000001"
		now, r, err := p.Add(c.r)
		if err != nil {
			t.Errorf("%s: %v", c.r.Command(), err)
			continue
		}
		if r.Within() != c.within || len(r.Revealing()) > 0 {
			t.Errorf("%s: within %q, not %q; %q revealed", r.Command(), r.Within(), c.within, r.Revealing())
		}
		text, err := now.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if recorded := strings.Contains(string(text), `"unique_within": "owner"`); recorded != (c.within == "user_id") {
			t.Errorf("%s: %s", r.Command(), text)
		}
		if again, _, err := now.Add(c.r); err != nil || len(again.Resources) != 1 {
			t.Errorf("%s, again: %v", r.Command(), err)
		}

		// A resource of an older version of nexios keeps the scope that its migrations
		// created.
		old := now
		old.Resources = slices.Clone(now.Resources)
		old.Resources[0].UniqueWithin = ""
		if text, err = old.JSON(); err != nil {
			t.Fatal(err)
		}
		if old, err = spec.Parse(text); err != nil {
			t.Fatal(err)
		}
		for what, change := range map[string]func() (spec.Project, spec.Resource, error){
			"the same": func() (spec.Project, spec.Resource, error) { return old.Add(c.r) },
			"add field": func() (spec.Project, spec.Resource, error) {
				return old.AddFields("note", []string{"code:string:unique:optional"}, "", "20261121000002")
			},
			"change field": func() (spec.Project, spec.Resource, error) {
				return old.ChangeField("note", []string{"title", "unique=nocase"}, "", "20261121000002")
			},
			"add index": func() (spec.Project, spec.Resource, error) {
				return old.AddIndex("note", "title,live", true, "20261121000002")
			},
		} {
			_, r, err := change()
			if err != nil || r.UniqueWithin != "" {
				t.Errorf("%s, %s: within %q, %v", c.r.Command(), what, r.UniqueWithin, err)
			}
			if reveals := len(r.Revealing()) > 0; reveals != (c.within == "user_id" && !r.ModelOnly) {
				t.Errorf("%s, %s: %q revealed", c.r.Command(), what, r.Revealing())
			}
		}
	}
	for _, bad := range []string{
		`{"name":"note","plural":"notes","fields":["title:string"],"owner":true,"unique_within":"city"}`,
		`{"name":"note","plural":"notes","fields":["title:string"],"unique_within":"owner"}`,
	} {
		var r spec.Resource
		if err := json.Unmarshal([]byte(bad), &r); err != nil {
			t.Fatal(err)
		}
		if _, err := spec.ParseResource(r); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// TestPrivateUnique checks that a private field cannot be unique among rows that other
// users create too, however it is added.
func TestPrivateUnique(t *testing.T) {
	const private = "email:email:unique:private"
	for _, c := range []struct {
		r       spec.Resource
		refused bool
	}{
		{spec.Resource{Read: "all"}, true},
		{spec.Resource{Read: "user"}, true},
		{spec.Resource{Read: "user", Write: "user"}, true},
		{spec.Resource{Guard: "user"}, true},
		{spec.Resource{Guard: "none"}, true},
		{spec.Resource{Guard: "user", Only: []string{"create"}}, true},
		{spec.Resource{Owner: true}, false}, // unique per owner
		{spec.Resource{Read: "all", Write: "admin"}, false},
		{spec.Resource{Guard: "admin"}, false},
		{spec.Resource{Guard: "user", Only: []string{"list", "show"}}, false},
		{spec.Resource{ModelOnly: true}, false},
	} {
		p := spec.Project{Name: "shop", Module: "shop", Database: "sqlite", Features: []spec.Feature{{Name: "auth"}}}
		c.r.Name, c.r.Migration = "customer", "20261121000001"
		with := c.r
		with.Fields = []string{"name:string", private}
		without := c.r
		without.Fields = []string{"name:string", "email:email:private"}
		indexed := without
		indexed.Indexes = []string{"name,email:unique"}
		one := c.r
		one.Fields = []string{"name:string"}
		there := func(r spec.Resource) spec.Project {
			t.Helper()
			now, _, err := p.Add(r)
			if err != nil {
				t.Fatalf("%s: %v", r.Command(), err)
			}
			return now
		}
		plain, bare := there(without), there(one)
		for what, add := range map[string]func() (spec.Project, spec.Resource, error){
			"add resource":          func() (spec.Project, spec.Resource, error) { return p.Add(with) },
			"add resource --unique": func() (spec.Project, spec.Resource, error) { return p.Add(indexed) },
			"add field": func() (spec.Project, spec.Resource, error) {
				return bare.AddFields("customer", []string{private + ":optional"}, "", "20261121000002")
			},
			"change field": func() (spec.Project, spec.Resource, error) {
				return plain.ChangeField("customer", []string{"email", "unique"}, "", "20261121000002")
			},
			"add index": func() (spec.Project, spec.Resource, error) {
				return plain.AddIndex("customer", "name,email", true, "20261121000002")
			},
		} {
			_, _, err := add()
			if refused := err != nil && strings.Contains(err.Error(), "private and unique"); refused != c.refused || err != nil && !refused {
				t.Errorf("%s, %s: %v", c.r.Command(), what, err)
			}
		}
		// Such a field of an older version of nexios stays, and other fields can be
		// changed.
		if now, r, err := plain.RenameField("customer", "email", "mail", "20261121000002"); err != nil || !slices.Contains(r.Fields, "mail:email:private") {
			t.Errorf("%s: %v %v", c.r.Command(), now, err)
		}
	}
	old := spec.Project{Name: "shop", Module: "shop", Database: "sqlite", Features: []spec.Feature{{Name: "auth"}}, Resources: []spec.Resource{{
		Name: "customer", Plural: "customers", Fields: []string{"name:string", private}, Owner: true, Read: "all", Migration: "20261121000001",
	}}}
	if _, _, err := old.ChangeField("customer", []string{"name", "unique"}, "", "20261121000002"); err != nil {
		t.Error(err)
	}
	if _, _, err := old.RenameField("customer", "email", "mail", "20261121000002"); err != nil {
		t.Error(err)
	}
}

// An index over several fields compares characters, so a unique one must not include
// case-insensitive fields, however it is added.
func TestUniqueIndexRejectsCaseInsensitiveFields(t *testing.T) {
	one := spec.Resource{Name: "part", Fields: []string{"name:string:nocase", "shop:string", "code:string:unique=nocase"}, Migration: "20261121000001"}
	base, r, err := spec.Project{Name: "shop", Module: "shop", Database: "sqlite"}.Add(one)
	if err != nil {
		t.Fatal(err)
	}
	made := one
	made.Indexes = []string{"shop,name:unique"}
	plain := one
	plain.Fields, plain.Indexes = []string{"name:string", "shop:string"}, made.Indexes
	old, _, err := spec.Project{Name: "shop", Module: "shop", Database: "sqlite"}.Add(plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() (spec.Project, spec.Resource, error){
		"add resource": func() (spec.Project, spec.Resource, error) {
			return spec.Project{Name: "shop", Module: "shop", Database: "sqlite"}.Add(made)
		},
		"add index": func() (spec.Project, spec.Resource, error) {
			return base.AddIndex("part", "shop,name", true, "20261121000002")
		},
		"add index, unique field": func() (spec.Project, spec.Resource, error) {
			return base.AddIndex("part", "code,shop", true, "20261121000002")
		},
		"change field": func() (spec.Project, spec.Resource, error) {
			return old.ChangeField("part", []string{"name", "nocase"}, "", "20261121000002")
		},
	} {
		if _, _, err := try(); err == nil || !strings.Contains(err.Error(), "ignores case") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := base.AddIndex(r.Name, "shop,name", false, "20261121000002"); err != nil {
		t.Errorf("non-unique index: %v", err)
	}
}
