package scaffold_test

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// folder is a project in memory.
type folder struct {
	t       testing.TB
	catalog scaffold.Catalog
	spec    spec.Project
	disk    fstest.MapFS
}

func newFolder(t testing.TB) *folder {
	t.Helper()
	catalog, err := templates.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	f := &folder{t: t, catalog: catalog, disk: fstest.MapFS{}}
	p, err := spec.New(spec.Project{Nexios: catalog.Version, Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	f.to(p)
	return f
}

// to changes the project and records it, as apply would.
func (f *folder) to(now spec.Project, again ...string) plan.Plan {
	f.t.Helper()
	p, err := f.catalog.Change(f.spec, now, f.disk, again...)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, op := range p.Of(plan.Create, plan.Update, plan.Delete) {
		if op.After == nil {
			delete(f.disk, op.Path)
			delete(f.disk, ".nexios/base/"+op.Path)
			continue
		}
		f.disk[op.Path] = &fstest.MapFile{Data: op.After}
		if op.Base != nil {
			f.disk[".nexios/base/"+op.Path] = &fstest.MapFile{Data: op.Base}
		}
	}
	f.spec = now
	return p
}

func (f *folder) with(name string, fields ...string) spec.Project {
	f.t.Helper()
	p, _, err := f.spec.Add(spec.Resource{Name: name, Fields: fields, Migration: fmt.Sprintf("202611211200%02d", len(f.spec.Resources))})
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// edit replaces text in a file, as a developer would.
func (f *folder) edit(path, old, new string) {
	f.t.Helper()
	text := string(f.disk[path].Data)
	if !strings.Contains(text, old) {
		f.t.Fatalf("%s has no %q:\n%s", path, old, text)
	}
	data := []byte(strings.Replace(text, old, new, 1))
	if strings.HasSuffix(path, ".go") { // as editors do
		var err error
		if data, err = format.Source(data); err != nil {
			f.t.Fatal(err)
		}
	}
	f.disk[path] = &fstest.MapFile{Data: data}
}

func paths(p plan.Plan, kinds ...plan.Kind) string {
	var names []string
	for _, op := range p.Of(kinds...) {
		names = append(names, op.Path)
	}
	return strings.Join(names, " ")
}

const modules = "internal/app/modules.go"

func TestAddResourceTouchesFewFiles(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := f.to(f.with("tag", "name:string"))
	if got, want := paths(p, plan.Update), "go.mod internal/app/modules.go internal/migrations/migrations.go nexios.json"; got != want && got != strings.Replace(want, "go.mod ", "", 1) {
		t.Errorf("updates %s, not %s", got, want)
	}
	if got, want := paths(p, plan.Create), "internal/migrations/20261121120000_create_tags.go internal/model/tag.go internal/tags/input.go internal/tags/tags.go internal/tags/tags_test.go"; got != want {
		t.Errorf("creates %s, not %s", got, want)
	}
}

func TestChangeIsIdempotent(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	now := f.with("tag", "name:string")
	f.to(now)
	p := f.to(now, scaffold.ResourceKey(now.Resources[0]))
	if len(p.Changes()) > 0 || len(p.Of(plan.Identical)) < 5 {
		t.Errorf("adding it twice changes %s", paths(p, plan.Create, plan.Update, plan.Delete))
	}
}

func TestRemoveRestoresFiles(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.to(f.with("post", "title:string"))
	before := contents(f.disk)
	was := f.spec
	f.to(f.with("tag", "name:string"))
	f.to(was)
	for name, text := range contents(f.disk) {
		if name == "go.mod" || name == "go.sum" || strings.HasSuffix(name, "/go.mod") || strings.HasSuffix(name, "/go.sum") {
			continue // requirements stay: the go command knows what else needs them
		}
		if before[name] != text {
			t.Errorf("%s changed:\n%s", name, text)
		}
		delete(before, name)
	}
	for name := range before {
		if !strings.Contains(name, "go.") {
			t.Errorf("%s was removed", name)
		}
	}
}

// Two parts removed at once are each dropped at their own time.
func TestRemoveSeveralParts(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.to(f.with("post", "title:string"))
	f.to(f.with("tag", "name:string"))
	now := f.spec
	for name, migration := range map[string]string{"post": "20261122000000", "tag": "20261123000000"} {
		var err error
		if now, _, err = now.Remove(name, migration); err != nil {
			t.Fatal(err)
		}
	}
	p := f.to(now)
	if got, want := paths(p, plan.Create), "internal/migrations/20261122000000_drop_posts.go internal/migrations/20261123000000_drop_tags.go"; got != want {
		t.Errorf("creates %s, not %s", got, want)
	}
	for _, op := range p.Of(plan.Create) {
		if own := strings.Contains(op.Path, "posts"); own != bytes.Contains(op.After, []byte("createPosts()")) || own == bytes.Contains(op.After, []byte("createTags()")) {
			t.Errorf("%s reverts migrations of another part:\n%s", op.Path, op.After)
		}
	}
}

func TestRemovedLineIsNotRestored(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.to(f.with("post", "title:string"))
	f.edit(modules, "\t\tposts.Module(gdb).Under(api),\n", "")
	f.edit(modules, "\t\"shop/internal/posts\"\n", "")
	f.to(f.with("tag", "name:string"))
	if text := string(f.disk[modules].Data); strings.Contains(text, "posts") || !strings.Contains(text, "tags.Module(gdb)") {
		t.Errorf("the developer's deletion was undone:\n%s", text)
	}
}

func TestMissingFunctionIsNoted(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.edit(modules, "func modules(", "func allModules(")
	p := f.to(f.with("tag", "name:string"))
	notes := p.Of(plan.Note)
	if len(notes) != 1 || notes[0].Path != modules || !strings.Contains(notes[0].Note, "tags.Module(gdb).Under(api)") {
		t.Errorf("no note with the line to paste: %+v", notes)
	}
}

func TestExistingFileIsAConflict(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.disk["internal/tags/tags.go"] = &fstest.MapFile{Data: []byte("package tags\n")}
	p, err := f.catalog.Change(f.spec, f.with("tag", "name:string"), f.disk)
	if err != nil || !p.HasConflicts() {
		t.Errorf("%v, conflicts: %v", err, p.HasConflicts())
	}
}

// The cost of a command must not grow with the project.
func TestUnchangedPartsAreNotRead(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.to(f.with("post", "title:string"))
	opened := watched{f.disk, &[]string{}}
	if _, err := f.catalog.Change(f.spec, f.with("tag", "name:string"), opened); err != nil {
		t.Fatal(err)
	}
	for _, name := range *opened.names {
		if strings.Contains(name, "posts") || strings.Contains(name, "post.go") {
			t.Errorf("%s was read", name)
		}
	}
}

type watched struct {
	fs.FS
	names *[]string
}

func (w watched) Open(name string) (fs.File, error) {
	*w.names = append(*w.names, name)
	return w.FS.Open(name)
}

func contents(disk fstest.MapFS) map[string]string {
	files := map[string]string{}
	for name, file := range disk {
		files[name] = string(bytes.Clone(file.Data))
	}
	return files
}

// TestCRLF changes a project whose files git checked out with CRLF (core.autocrlf) along
// with one with LF: each step has the same effect on both, and no file changes its line
// endings.
func TestCRLF(t *testing.T) {
	t.Parallel()
	unix, dos := newFolder(t), newFolder(t)
	checkOut := func() {
		for _, file := range dos.disk {
			file.Data = bytes.ReplaceAll(bytes.ReplaceAll(file.Data, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		}
	}
	compare := func(what string, here, there plan.Plan) {
		t.Helper()
		for _, kind := range []plan.Kind{plan.Create, plan.Update, plan.Delete, plan.Conflict, plan.Note} {
			if got, want := paths(there, kind), paths(here, kind); got != want {
				t.Errorf("%s: %s of %s, with LF of %s", what, kind, got, want)
			}
		}
		created := map[string]bool{}
		for _, op := range there.Of(plan.Create) {
			created[op.Path], created[".nexios/base/"+op.Path] = true, true
		}
		for name, file := range dos.disk {
			text := string(file.Data)
			if strings.Count(text, "\n") != strings.Count(text, "\r\n") && !created[name] {
				t.Errorf("%s: %s has CRLF and LF lines", what, name)
			}
			if strings.ReplaceAll(text, "\r\n", "\n") != string(unix.disk[name].Data) {
				t.Errorf("%s: %s differs from the LF version", what, name)
			}
		}
		if len(dos.disk) != len(unix.disk) {
			t.Errorf("%s: %d files, with LF %d", what, len(dos.disk), len(unix.disk))
		}
	}
	both := func(what string, to func(*folder) spec.Project) {
		t.Helper()
		checkOut()
		compare(what, unix.to(to(unix)), dos.to(to(dos)))
	}
	both("a resource", func(f *folder) spec.Project { return f.with("tag", "name:string") })
	both("another", func(f *folder) spec.Project { return f.with("post", "title:string", "price:decimal") })
	both("fields", func(f *folder) spec.Project {
		return f.withFields("post", "subtitle:string:optional", "tags:many=tags")
	})
	both("a feature", func(f *folder) spec.Project {
		p, err := f.catalog.Add(f.spec, spec.Feature{Name: "tour"})
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
	checkOut()
	if p := dos.to(dos.spec, scaffold.ResourceKey(dos.spec.Resources[1])); len(p.Changes()) > 0 || len(p.Of(plan.Identical)) < 5 {
		t.Errorf("changing nothing changes %s", paths(p, plan.Create, plan.Update, plan.Delete))
	}
	p, err := dos.catalog.Upgrade(dos.spec, dos.disk, nil)
	if err != nil || len(p.Changes()) > 0 {
		t.Errorf("an upgrade to the same version changes %s, %v", paths(p, plan.Create, plan.Update, plan.Delete), err)
	}
	both("a removal", func(f *folder) spec.Project {
		p, _, err := f.spec.Remove("post", "20261123120000")
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}

func (f *folder) withFields(name string, words ...string) spec.Project {
	f.t.Helper()
	p, _, err := f.spec.AddFields(name, words, "", "20261122120000")
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func TestAddFields(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.to(f.with("tag", "name:string"))
	f.to(f.with("post", "title:string"))
	before := contents(f.disk)
	was := f.spec
	f.edit("internal/model/post.go", "\tCreatedAt", "\t// Hits is not stored.\n\tHits      int       `json:\"-\" gorm:\"-\"`\n\tCreatedAt")
	f.edit("internal/posts/posts.go", "Doc(\"List posts\")", "Doc(\"List all posts\")")
	f.disk["internal/posts/posts.go"].Data = append(f.disk["internal/posts/posts.go"].Data, "\nfunc mine() {}\n"...)
	p := f.to(f.withFields("posts", "subtitle:string:optional", "tags:many=tags", "title:string"))
	if p.HasConflicts() {
		t.Fatalf("conflicts in %s", paths(p, plan.Conflict))
	}
	if got, want := paths(p, plan.Create), "internal/migrations/20261122120000_add_subtitle_and_tags_to_posts.go"; got != want {
		t.Errorf("creates %s, not %s", got, want)
	}
	for name, lines := range map[string][]string{
		"internal/model/post.go":                                               {"// Hits is not stored.", "Hits ", "Subtitle "},
		"internal/posts/posts.go":                                              {"List all posts", "func mine() {}", "db.Refs[model.Tag]("},
		"internal/posts/input.go":                                              {"Subtitle "},
		"internal/migrations/migrations.go":                                    {"createPosts(),\n\t\t\taddSubtitleAndTagsToPosts(),"},
		"internal/migrations/20261121120001_create_posts.go":                   {"Title "},
		"internal/migrations/20261122120000_add_subtitle_and_tags_to_posts.go": {"db.AddColumns(tx, &posts{})", "Online: true", "db.CreateTables(tx, &postTags{})"},
	} {
		for _, line := range lines {
			if text := string(f.disk[name].Data); !strings.Contains(text, line) {
				t.Errorf("%s has no %q:\n%s", name, line, text)
			}
		}
	}
	if string(f.disk["internal/migrations/20261121120001_create_posts.go"].Data) != before["internal/migrations/20261121120001_create_posts.go"] {
		t.Error("an existing migration changed")
	}
	now := f.spec
	f.to(was)
	f.to(now)
	if p := f.to(now, scaffold.ResourceKey(now.Resources[1])); len(p.Changes()) > 0 {
		t.Errorf("changing nothing changes %s", paths(p, plan.Create, plan.Update, plan.Delete))
	}
}

// TestFeatureNamesAreReserved adds resources that clash with packages of features, and the
// reverse.
func TestFeatureNamesAreReserved(t *testing.T) {
	for _, c := range []struct {
		feature  spec.Feature
		resource string
	}{
		{spec.Feature{Name: "metrics"}, "metric"},
		{spec.Feature{Name: "auth"}, "session"},
		{spec.Feature{Name: "auth"}, "auth_totp"},
		{spec.Feature{Name: "tour"}, "tour_user"},
		{spec.Feature{Name: "websocket", Options: map[string]string{"name": "meetings"}}, "meeting"},
	} {
		f := newFolder(t)
		r := spec.Resource{Name: c.resource, Fields: []string{"name:string"}}
		if c.resource == "auth_totp" {
			r.Table = "auth_totp"
		}
		with, err := f.catalog.Add(f.spec, c.feature)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := with.Add(r); err == nil {
			t.Errorf("added %s along with %s", c.resource, c.feature.Name)
		}
		has, _, err := f.spec.Add(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.catalog.Add(has, c.feature); err == nil {
			t.Errorf("added %s along with %s", c.feature.Name, c.resource)
		}
	}
}
