package spec_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// run applies a command to the project, with a migration made at the given time.
func run(t *testing.T, p spec.Project, command, at string) spec.Project {
	t.Helper()
	words := strings.Fields(command)
	var err error
	switch verb := words[0] + " " + words[1]; verb {
	case "add resource":
		p, _, err = p.Add(spec.Resource{Name: words[2], Fields: words[3:], Migration: at})
	case "remove resource":
		p, _, err = p.Remove(words[2], at)
	case "add field":
		p, _, err = p.AddFields(words[2], words[3:], "", at)
	case "change field":
		p, _, err = p.ChangeField(words[2], words[3:], "", at)
	case "rename field":
		p, _, err = p.RenameField(words[2], words[3], words[4], at)
	case "remove field":
		p, _, err = p.RemoveFields(words[2], words[3:], at)
	case "add index":
		p, _, err = p.AddIndex(words[2], words[3], false, at)
	case "remove index":
		p, _, err = p.RemoveIndex(words[2], words[3], at)
	case "add feature":
		p, err = p.AddFeature(spec.Feature{Name: words[2]})
	default:
		t.Fatal(command)
	}
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return p
}

// commands returns changes that two branches may have made, each to its own project.
func commands() []string {
	return strings.Split(strings.TrimSpace(`
add resource note body:text
add resource reply body:text post:ref=posts
remove resource page
add field post subtitle:string:optional
add field post rank:int:default=1 mark:bool:default=true
add field tag note:text:optional
change field post title max=100
change field post title unique
change field post status enum=draft/live/old
change field post status enum=draft/live/hidden
change field post views min=0
change field post views bigint
change field post views string
rename field post title headline
rename field post title name
rename field post views seen
remove field post views
remove field post title
add index post views,created_at
remove index post tag,title
add feature jobs
`), "\n")
}

// TestMerge merges every pair of commands run on the same project. The record must contain
// both changes and lead from the first migration to the last, and must not depend on which
// branch is ours, except in the order of additions.
func TestMerge(t *testing.T) {
	base := changeable(t)
	base = run(t, base, "add resource page body:text", "20261121000002")
	conflicts := map[string]bool{} // pairs that users have to resolve
	for _, pair := range []string{
		"rename field post title headline + rename field post title name",
		"rename field post title headline + remove field post title",
		"rename field post title name + remove field post title",
		"rename field post views seen + remove field post views",
		"change field post title max=100 + remove field post title",
		"change field post title unique + remove field post title",
		"change field post views min=0 + remove field post views",
		"change field post views bigint + remove field post views",
		"change field post views string + remove field post views",
		"change field post views bigint + change field post views string",
		"remove field post views + add index post views,created_at",
	} {
		conflicts[pair] = true
	}
	for i, one := range commands() {
		for _, other := range commands()[i:] {
			if one == other {
				continue
			}
			for _, pair := range [][2]string{{one, other}, {other, one}} {
				name := pair[0] + " + " + pair[1]
				ours := run(t, base, pair[0], "20261122000000")
				theirs := run(t, base, pair[1], "20261122000001")
				merged, again, err := spec.Merge(base, ours, theirs)
				if conflicts[one+" + "+other] {
					refused(t, name, err)
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				text, err := merged.JSON()
				if err == nil {
					_, err = spec.Parse(text)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for _, side := range []spec.Project{ours, theirs} {
					for _, r := range side.Resources {
						m, ok := merged.Resource(r.Name)
						if gone := r.Name == "page" && strings.Contains(name, "remove resource"); ok == gone {
							t.Errorf("%s: %s exists: %v", name, r.Name, ok)
						}
						for _, word := range r.Fields {
							b, _ := base.Resource(r.Name)
							if slices.Contains(b.Fields, word) {
								continue
							}
							for i, part := range strings.Split(word, ":") { // its name and modifiers
								renamed := strings.Contains(name, "rename field") || strings.Contains(name, "remove field")
								if i != 1 && !(i == 0 && renamed) && !strings.Contains(strings.Join(m.Fields, " "), part) {
									t.Errorf("%s: %s has no %s of %s: %v", name, r.Name, part, word, m.Fields)
								}
							}
						}
					}
				}
				if post, _ := merged.Resource("post"); len(again) > 0 {
					_, steps, err := post.History()
					if err != nil || steps[len(steps)-1].Migration != again[0] {
						t.Errorf("%s: rewritten %v of %v, %v", name, again, steps, err)
					}
				}
			}
		}
	}
}

func TestMergeDefinitions(t *testing.T) {
	base := changeable(t)
	ours := run(t, base, "change field post title max=100", "20261122000000")
	ours = run(t, ours, "change field post status enum=draft/live/old", "20261122000001")
	theirs := run(t, base, "rename field post title headline", "20261122000002")
	theirs = run(t, theirs, "change field post headline unique", "20261122000003")
	theirs = run(t, theirs, "change field post status enum=draft/review/live", "20261122000004")
	merged, again, err := spec.Merge(base, ours, theirs)
	if err != nil {
		t.Fatal(err)
	}
	post, _ := merged.Resource("post")
	if want := []string{"headline:string:unique:max=100", "status:enum=draft/live/old/review"}; !slices.Equal(post.Fields[:2], want) {
		t.Errorf("merged fields: %v, want %v", post.Fields, want)
	}
	if want := []string{"20261122000002", "20261122000003", "20261122000004"}; !slices.Equal(again, want) {
		t.Errorf("rewritten: %v", again)
	}
	_, steps, err := post.History()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, s.Fields[0].From+" > "+s.Fields[0].To)
	}
	want := []string{
		"title:string > title:string:max=100",
		"status:enum=draft/live > status:enum=draft/live/old",
		"title:string:max=100 > headline:string:max=100",
		"headline:string:max=100 > headline:string:unique:max=100",
		"status:enum=draft/live/old > status:enum=draft/live/old/review",
	}
	if !slices.Equal(got, want) {
		t.Errorf("history:\n%s", strings.Join(got, "\n"))
	}
}
