package spec_test

import (
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// versioned returns a project of the given resources, with v1 and v2.
func versioned(t *testing.T, resources ...string) spec.Project {
	t.Helper()
	p := spec.Project{Nexios: "0.1.0", Name: "zoo", Module: "zoo", Database: "sqlite"}
	var err error
	for i, words := range resources {
		fields := strings.Fields(words)
		r := spec.Resource{Name: fields[0], Fields: fields[1:], Migration: spec.After("20261121101500", i)}
		if p, _, err = p.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if p, _, err = p.AddVersion("v2", nil, "2026-11-21", ""); err != nil {
		t.Fatal(err)
	}
	return p
}

// References of an older version follow a renamed table, by each kind of reference; the
// names that its clients use stay.
func TestOlderVersionsFollowRenamedResources(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"cat:ref=cats":                  "cat:ref=felines",
		"rival:ref=cats:optional":       "rival:ref=felines:optional",
		"cats:many=cats":                "cats:many=felines",
		"cat:ref=cats:ondelete=cascade": "cat:ref=felines:ondelete=cascade",
	} {
		p := versioned(t, "cat name:string", "dog name:string "+word)
		p.Resources[0].Version, p.Resources[0].Older = "", nil
		for _, keep := range []bool{false, true} {
			now, _, err := p.RenameResource("cat", "feline", "", keep, "20261121101600")
			if err != nil {
				t.Errorf("%s: %v", word, err)
				continue
			}
			dog, _ := now.Resource("dog")
			if dog.Older[0].Fields[1] != want || dog.Fields[1] != want {
				t.Errorf("%s: v1 has %q, v2 %q; want %q", word, dog.Older[0].Fields, dog.Fields, want)
			}
			checkRoundTrip(t, now)
			if _, _, err := now.Remove("feline", "20261121101700"); err == nil || !strings.Contains(err.Error(), "other resources refer to feline") {
				t.Errorf("%s: removed a table that v1 refers to: %v", word, err)
			}
		}
	}

	p := versioned(t, "dog name:string", "flea name:string dog:ref=dogs")
	dog, _ := p.Resource("dog")
	dog.Fields = append(dog.Fields, "fleas:has=fleas")
	dog.Older[0].Fields = dog.Fields
	flea, _ := p.Resource("flea")
	flea.Version, flea.Older = "", nil
	p.Resources = []spec.Resource{dog, flea}
	now, _, err := p.RenameResource("flea", "tick", "", false, "20261121101600")
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, now)
	if dog, _ = now.Resource("dog"); dog.Older[0].Fields[1] != "fleas:has=ticks" {
		t.Errorf("v1 has %q", dog.Older[0].Fields)
	}
	if now, _, err = now.Remove("tick", "20261121101700"); err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, now)
	if dog, _ = now.Resource("dog"); len(dog.Older[0].Fields) != 1 {
		t.Errorf("v1 has %q of a removed table", dog.Older[0].Fields)
	}
	_, _, err = p.RenameResource("dog", "hound", "", false, "20261121101600")
	if err == nil || !strings.Contains(err.Error(), "cannot rename dog: clients use its routes in v1 and v2") {
		t.Errorf("renamed dog: %v", err)
	}
}

// checkRoundTrip checks that the project can be read back from nexios.json.
func checkRoundTrip(t *testing.T, p spec.Project) {
	t.Helper()
	text, err := p.JSON()
	if err == nil {
		_, err = spec.Parse(text)
	}
	if err != nil {
		t.Error(err)
	}
}
