package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/templates"
)

// features returns the arguments of `nexios add` for all features, including a WebSocket
// room of each kind.
func features() []string {
	words := []string{"websocket ping --kind echo", "websocket team --kind organisation"}
	for _, f := range templates.Features() {
		if f.Repeats {
			words = append(words, f.Example) // with a name
		} else {
			words = append(words, f.Name)
		}
	}
	return words
}

// TestFeaturesInAnyOrder adds every pair of features in both orders, checks the project,
// and removes both.
func TestFeaturesInAnyOrder(t *testing.T) {
	t.Parallel()
	for i, one := range features() {
		t.Run(strings.ReplaceAll(one, " ", "_"), func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "shop")
			empty := p.tree()
			p.nexios(append([]string{"add"}, strings.Fields(one)...)...)
			between := p.tree()
			for j, other := range features() {
				if i == j {
					continue
				}
				out := p.nexios(append([]string{"add"}, strings.Fields(other)...)...)
				if j == i+1 { // additions do not depend on each other: a few are compiled
					p.run("go", "vet", "./...")
				}
				if !strings.Contains(out, "nothing to do") {
					p.nexios("undo")
				}
				sameTree(t, between, p.tree())
				if t.Failed() {
					t.Fatalf("after %s", other)
				}
			}
			p.nexios("undo")
			sameTree(t, empty, p.tree())
		})
	}
}

// TestAddAuthToResources adds auth to a project that has resources: they do not change
// unless guards are requested. More login methods are added later.
func TestAddAuthToResources(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.nexios("add", "resource", "tag", "name:string:unique")
	before := p.tree()
	p.nexios("add", "auth", "--with", "totp,apikeys")
	p.nexios("add", "resource", "note", "body:text", "open:bool:default=false", "--owner", "--public", "open")
	if text := p.read("internal/tags/tags.go"); text != before["internal/tags/tags.go"] {
		t.Errorf("unrequested guards on tags:\n%s", text)
	}
	if text := p.read("internal/notes/notes.go"); !strings.Contains(text, ".Guard(auth.User())") {
		t.Errorf("no guards on notes, which belong to users:\n%s", text)
	}
	p.clean()
	p.test("notes", "tags", "app")
	few := p.tree()
	p.nexios("add", "auth", "--with", "passkeys,oidc")
	p.test("passkeys", "oidc", "login", "app")
	p.nexios("undo")
	sameTree(t, few, p.tree())
	p.nexios("undo")
	p.nexios("undo")
	sameTree(t, before, p.tree())
}

// TestResourcesOfOrganisations adds resources whose rows belong to organisations, with
// every kind of relation. Their generated tests cover all relations, and fail if the rule
// is removed.
func TestResourcesOfOrganisations(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	if out, code := p.try(tool, "add", "resource", "team", "name:string", "--organisation"); code != 2 || !strings.Contains(out, "try:   nexios add organisations") {
		t.Errorf("exit %d without organisations\n%s", code, out)
	}
	p.nexios("add", "organisations")
	trees := []map[string]string{p.tree()}
	for _, words := range []string{
		"resource label name:string:unique:filter --organisation",
		"resource project name:string:unique=nocase:search lead:ref=users:optional labels:many=labels parent:ref=projects:optional:filter --organisation",
		"resource task title:string:sort slug:slug:unique:optional project:ref=projects:filter --organisation --guard admin --soft-delete --uuid",
		"field task label:ref=labels:optional code:string:unique:optional labels:many=labels blocks:ref=tasks:optional",
		"field project tasks:has=tasks",
		"model place name:string --organisation",
		"resource visit at:time place:ref=places:ondelete=cascade --organisation",
	} {
		p.nexios(append([]string{"add"}, strings.Fields(words)...)...)
		trees = append(trees, p.tree())
	}
	for _, refused := range []string{
		"note project:ref=projects",
		"note labels:many=labels",
		"note text:string --organisation --owner",
		"note text:string --organisation --guard user",
		"note text:string:private --organisation",
		"note project:ref=projects:optional:ondelete=null --organisation",
		"note organisation:string --organisation",
	} {
		if out, code := p.try(tool, append([]string{"add", "resource"}, strings.Fields(refused)...)...); code != 2 {
			t.Errorf("%s: exit %d\n%s", refused, code, out)
		}
	}
	if out, code := p.try(tool, "remove", "organisations"); code != 2 {
		t.Errorf("organisations removed though resources need them: exit %d\n%s", code, out)
	}
	p.clean()
	p.test("labels", "projects", "tasks", "visits", "app")
	// Without the rule, and without the guard.
	for file, without := range map[string]*strings.Replacer{
		"internal/model/label.go": strings.NewReplacer(
			"organisations.Within(tx, organisations.RoleMember)", "tx",
			"\t\"github.com/nexios-go/nexios/runtime/organisations\"\n", ""),
		"internal/labels/labels.go": strings.NewReplacer(
			"organisations.Member(gdb)", "auth.User()",
			"runtime/organisations", "runtime/auth"),
	} {
		text := p.read(file)
		p.write(file, without.Replace(text))
		p.run("go", "vet", "./internal/labels")
		if out, code := p.try("go", "test", "./internal/labels"); code == 0 {
			t.Errorf("the tests pass without the rule in %s\n%s", file, out)
		}
		p.write(file, text)
	}
	for i := len(trees) - 2; i >= 0; i-- {
		p.nexios("undo")
		sameTree(t, trees[i], p.tree())
	}
}

// TestResourcesAttachUploads adds resources with fields for uploads, whose columns are
// registered as references to uploads, and removes them.
func TestResourcesAttachUploads(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	if out, code := p.try(tool, "add", "resource", "profile", "avatar:file"); code != 2 || !strings.Contains(out, "try:   nexios add uploads") {
		t.Errorf("exit %d without uploads\n%s", code, out)
	}
	p.nexios("add", "uploads")
	without := p.tree()
	p.nexios("add", "resource", "profile", "avatar:file", "cover:file:optional", "--owner")
	one := p.tree()
	p.nexios("add", "model", "scan", "page:file", "--table", "paper")
	two := p.tree()
	p.nexios("add", "organisations")
	p.nexios("add", "resource", "contract", "text:file", "--organisation")
	const both = "\t\t{Table: \"profiles\", Name: \"avatar\", Rows: model.Profile{}},\n\t\t{Table: \"profiles\", Name: \"cover\", Rows: model.Profile{}},\n" +
		"\t\t{Table: \"paper\", Name: \"page\"},\n\t\t{Table: \"contracts\", Name: \"text\", Rows: model.Contract{}},\n"
	if text := p.read("internal/uploads/uploads.go"); !strings.Contains(text, both) {
		t.Errorf("unregistered columns:\n%s", text)
	}
	p.clean()
	p.write("internal/uploads/unused_test.go", unusedTest)
	p.test("profiles", "contracts", "uploads", "app")
	if err := os.Remove(filepath.Join(p.dir, "internal/uploads/unused_test.go")); err != nil {
		t.Fatal(err)
	}
	p.nexios("undo")
	p.nexios("undo")
	sameTree(t, two, p.tree())
	p.nexios("undo")
	sameTree(t, one, p.tree())
	p.nexios("undo")
	sameTree(t, without, p.tree())
}

const unusedTest = `package uploads

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/files"
	"github.com/nexios-go/nexios/runtime/webtest"
	"shop/internal/model"
)

func TestUnusedUploadsAreDeleted(t *testing.T) {
	w := newWorld(t, files.Config{})
	send := func(query string) string {
		return upload(w.ada, "/api/v1/files/upload"+query, part{"a.txt", "a"}).Expect(201).JSON()["url"].(string)
	}
	used, unused, kept := send(""), send(""), send("?keep=true")
	if err := w.db.Create(&model.Profile{UserID: 1, Avatar: files.Name(strings.TrimPrefix(used, "/api/v1/files/"))}).Error; err != nil {
		t.Fatal(err)
	}
	w.ada.Delete(used).Expect(409)
	library, err := files.New(files.Config{URL: "file:" + w.dir}, w.db, references()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 0} {
		if got, err := library.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil || got != n {
			t.Errorf("swept %d, %v; want %d", got, err, n)
		}
	}
	w.ada.Get(used).Expect(200)
	w.ada.Get(unused).Expect(404)
	w.ada.Get(kept).Expect(200)
}

// An upload is readable by those who may read the row that it is attached to: a user's
// own, or the organisation's for its members.
func TestUploadAccessFollowsRow(t *testing.T) {
	w := newWorld(t, files.Config{})
	send := func() (url string, name files.Name) {
		url = upload(w.ada, path, part{"a.txt", "a"}).Expect(201).JSON()["url"].(string)
		return url, files.Name(strings.TrimPrefix(url, "/api/v1/files/"))
	}
	reads := func(url string, clients ...*webtest.Client) {
		t.Helper()
		for _, client := range []*webtest.Client{w.anybody, w.ada, w.bob, w.root} {
			want := 404
			if slices.Contains(clients, client) {
				want = 200
			}
			client.Get(url).Expect(want)
		}
	}
	store := func(row any) {
		t.Helper()
		if err := w.db.Create(row).Error; err != nil {
			t.Fatal(err)
		}
	}
	url, _ := send()
	reads(url, w.ada, w.root) // not attached yet
	url, name := send()
	bobs := authtest.UserID(t, w.db, "bob")
	store(&model.Profile{UserID: bobs, Avatar: name})
	reads(url, w.bob, w.root)

	url, name = send()
	store(&model.Organisation{ID: 1})
	store(&model.Contract{OrganisationID: 1, Text: name})
	reads(url, w.root)
	member := model.Membership{OrganisationID: 1, UserID: bobs, Role: "member"}
	store(&member)
	reads(url, w.bob, w.root)
	link := w.root.Post(url+"/link", nil).Expect(200).JSON()["url"].(string)
	reads(link, w.anybody, w.ada, w.bob, w.root)
	if err := w.db.Delete(&member).Error; err != nil {
		t.Fatal(err)
	}
	reads(url, w.root)
	w.ada.Delete(url).Expect(404)
	w.ada.Post(url+"/link", nil).Expect(404)
}
`

// TestAuthGuardsSelectedResources adds guards to one of two resources, which the developer
// has edited, and removes them again.
func TestAuthGuardsSelectedResources(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.nexios("add", "resource", "tag", "name:string:unique")
	p.nexios("add", "resource", "post", "title:string")
	p.append("internal/posts/posts.go", "\n// the owner's line\n")
	before := p.tree()
	out := p.nexios("add", "auth", "--with", "none", "--guard", "posts", "--diff")
	if !strings.Contains(out, ".Guard(auth.User())") {
		t.Errorf("no guard in the diff:\n%s", out)
	}
	if text := p.read("internal/posts/posts.go"); !strings.Contains(text, ".Guard(auth.User())") || !strings.Contains(text, "// the owner's line") {
		t.Errorf("no guards, or lost the developer's line:\n%s", text)
	}
	if text := p.read("internal/tags/tags.go"); text != before["internal/tags/tags.go"] {
		t.Errorf("unrequested guards on tags:\n%s", text)
	}
	p.clean()
	p.test("posts", "tags", "app")
	p.nexios("undo")
	sameTree(t, before, p.tree())
}

// TestManyResources checks that a large project builds, and that its list of modules has
// one line per resource.
func TestManyResources(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a hundred packages")
	}
	t.Parallel()
	p := newProject(t, "large")
	for n := range 100 {
		p.nexios("add", "resource", fmt.Sprintf("thing%dx", n), "name:string:unique:search", "price:decimal=10.2:min=0", "kind:enum=a/b:default=a:filter", "note:text:optional")
	}
	p.run("go", "build", "./...")
	p.test("app", "thing0xes", "thing50xes", "thing99xes")
	text := p.read("internal/app/modules.go")
	if rooms := strings.Count(text, "Module(gdb).Under(api),\n"); rooms != 100 {
		t.Errorf("the list has %d modules:\n%s", rooms, text)
	}
}
