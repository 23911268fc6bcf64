package resource_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// owned are resources with rows owned by users, with every kind of relation between
// them.
const owned = `
tag name:string:unique --owner
note title:string:search:sort published:bool:default=false:filter --owner --public published
comment body:text code:string:unique=nocase:max=40 note:ref=notes --owner
remark body:text place:int:unique note:ref=notes tags:many=tags photo:file:optional --owner
article title:string:filter views:int:private:default=1 --read all
board title:string --read all --write admin
wiki title:string:search rank:int:private:default=3 code:string:private:optional --read user --write user
page title:string wiki:ref=wikis article:ref=articles --guard user
poster title:string note:ref=notes tags:many=tags picture:file --guard none
`

// organised are resources with rows owned by organisations, and resources with rows of
// everybody and of users related to them.
const organised = `
topic name:string:unique --guard none
memo text:string scan:file:optional --owner
shelf name:string --owner
office name:string --guard none
label name:string:unique:filter --organisation
crew name:string:unique=nocase:search lead:ref=users:optional labels:many=labels parent:ref=crews:optional:filter --organisation
task title:string:sort:search state:enum=open/done:filter slug:slug:unique:optional crew:ref=crews:filter labels:many=labels topic:ref=topics --organisation --soft-delete --uuid
plan title:string price:decimal=10.2:filter:sort task:ref=tasks:ondelete=cascade topics:many=topics photo:file --organisation --guard admin
answer text:string memo:ref=memos memos:many=memos photo:file:optional --organisation
book title:string shelf:ref=shelves crew:ref=crews --organisation
desk number:int:unique office:ref=offices task:ref=tasks:optional --organisation
`

// accessible returns a project with the resources of both.
func accessible(t *testing.T) spec.Project {
	t.Helper()
	p := project()
	p.Features = append(p.Features, spec.Feature{Name: "organisations"})
	p = parse(t, p, owned+organised)
	for name, has := range map[string]string{"note": "comments", "crew": "tasks", "shelf": "books", "office": "desks"} {
		r, _ := p.Resource(name)
		r.Fields = append(r.Fields, has+":has="+has)
		var err error
		if p, err = p.Replace(r); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestAccess generates resources with rows of everybody, of users and of organisations,
// with every kind of relation between them: a reference, many, has, an upload. It then
// disables each row rule of the models and checks that exactly the expected generated
// tests fail: those of the rows themselves, and those of rows from which they can be
// reached.
func TestAccess(t *testing.T) {
	t.Parallel()
	dir := generate(t, accessible(t))
	lint(t, dir)
	if testing.Short() {
		return
	}
	models := filepath.Join(dir, "internal", "model")
	rules := instrumentRules(t, models)
	rules["Tag.unique"] = true
	makeTagsGloballyUnique(t, filepath.Join(dir, "internal", "migrations"))
	write := filepath.Join(models, "without.go")
	if err := os.WriteFile(write, []byte("package model\n\nimport \"os\"\n\nfunc without(rule string) bool { return os.Getenv(\"WITHOUT\") == rule }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := test(t, dir)

	const (
		rows   = "keeps_rows_from_other_users"
		refs   = "refuses_references_to_rows_of_others"
		beside = "hides_related_rows_of_other_users"
		across = "keeps_rows_from_other_organisations"
		probe  = "holds_in_your_own_handlers"
		shares = "lets_others_use_what_is_taken"
	)
	wants := map[string][]string{ // by rule, the tests that fail without it
		"Tag.Readable":      {"TestTags/" + rows, "TestTags/" + probe, "TestRemarks/" + refs, "TestRemarks/" + beside, "TestPosters/" + refs, "TestPosters/" + beside},
		"Note.Readable":     {"TestNotes/" + rows, "TestNotes/" + probe, "TestRemarks/" + refs, "TestRemarks/" + beside, "TestComments/" + refs, "TestComments/" + beside, "TestPosters/" + refs, "TestPosters/" + beside},
		"Tag.unique":        {"TestTags/" + shares},
		"Note.Writable":     {"TestNotes/" + rows, "TestNotes/" + probe},
		"Comment.Readable":  {"TestComments/" + rows, "TestComments/" + probe, "TestNotes/" + beside},
		"Remark.Readable":   {"TestRemarks/" + rows, "TestRemarks/" + probe},
		"Article.Writable":  {"TestArticles/" + rows, "TestArticles/" + probe},
		"Article.AfterFind": {"TestArticles/" + rows},
		"Board.Writable":    {"TestBoards/" + probe},
		"Wiki.Readable":     {"TestWikis/" + probe},
		"Wiki.AfterFind":    {"TestWikis/" + rows},
		"Wiki.BeforeUpdate": {"TestWikis/" + rows},
		"Page.Readable":     {"TestPages/" + probe},
		// A row's own organisation, and the rows that refer to it or list it.
		"Label.Readable":  {"TestLabels/" + across, "TestLabels/" + probe, "TestCrews/" + refs, "TestTasks/" + refs},
		"Crew.Readable":   {"TestCrews/" + across, "TestCrews/" + probe, "TestTasks/" + refs, "TestBooks/" + refs},
		"Task.Readable":   {"TestTasks/" + across, "TestTasks/" + probe, "TestPlans/" + refs, "TestDesks/" + refs},
		"Plan.Readable":   {"TestPlans/" + across, "TestPlans/" + probe},
		"Plan.Writable":   {"TestPlans/" + probe},
		"Answer.Readable": {"TestAnswers/" + across, "TestAnswers/" + probe},
		"Book.Readable":   {"TestBooks/" + across, "TestBooks/" + probe, "TestShelves/" + beside},
		"Desk.Readable":   {"TestDesks/" + across, "TestDesks/" + probe, "TestOffices/" + beside},
		"Memo.Readable":   {"TestMemos/" + rows, "TestMemos/" + probe, "TestAnswers/" + refs, "TestAnswers/" + beside},
		"Shelf.Readable":  {"TestShelves/" + rows, "TestShelves/" + probe, "TestBooks/" + refs, "TestBooks/" + beside},
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if _, ok := wants[rule]; !ok {
			t.Errorf("no failures are listed for %s", rule)
		}
	}
	for rule, want := range wants {
		if !rules[rule] {
			t.Errorf("no model has the rule %s", rule)
		}
		t.Run("without "+rule, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			cmd := exec.Command(tests, "-test.run", "/("+strings.Join([]string{rows, refs, beside, across, probe, shares}, "|")+")")
			cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
			cmd.Env = append(os.Environ(), "WITHOUT="+rule, "TEST_DATABASE_URL=")
			_ = cmd.Run() // failures are in its output
			failed := regexp.MustCompile(`--- FAIL: (Test\w+/[\w']+) `).FindAllStringSubmatch(out.String(), -1)
			var got []string
			for _, f := range failed {
				got = append(got, f[1])
			}
			slices.Sort(want)
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%q fail, want %q\n%s", got, want, out.String())
			}
		})
	}
}

// makeTagsGloballyUnique makes the names of tags unique across all users if the rule Tag.unique is
// disabled.
func makeTagsGloballyUnique(t *testing.T, migrations string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(migrations, "*_create_tags.go"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d migrations of tags: %v", len(files), err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	const last = "return tx.Migrator().CreateTable(&tags{})"
	changed := strings.Replace(string(text), last, `if err := tx.Migrator().CreateTable(&tags{}); err != nil || os.Getenv("WITHOUT") != "Tag.unique" {
				return err
			}
			return tx.Exec("CREATE UNIQUE INDEX idx_tags_name ON tags (name)").Error`, 1)
	changed = strings.Replace(changed, "import (", "import (\n\t\"os\"\n", 1)
	if !strings.Contains(changed, "idx_tags_name") {
		t.Fatalf("%s is not in\n%s", last, text)
	}
	if err := os.WriteFile(files[0], []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
}

// instrumentRules makes it possible to disable each rule of the models, and returns the
// rules.
func instrumentRules(t *testing.T, models string) map[string]bool {
	t.Helper()
	rules := map[string]bool{}
	head := regexp.MustCompile(`func \((?:\w+ )?\*?(\w+)\) (Readable|Writable|AfterFind|BeforeUpdate)\(tx \*gorm\.DB\) (\*gorm\.DB|error) \{\n`)
	files, err := filepath.Glob(filepath.Join(models, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if slices.Contains([]string{"organisation.go", "membership.go", "invitation.go"}, filepath.Base(file)) {
			continue // their tests are not generated
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := head.ReplaceAllStringFunc(string(text), func(line string) string {
			m := head.FindStringSubmatch(line)
			rules[m[1]+"."+m[2]] = true
			back := "tx"
			if m[3] == "error" {
				back = "nil"
			}
			return line + "\tif without(\"" + m[1] + "." + m[2] + "\") {\n\t\treturn " + back + "\n\t}\n"
		})
		if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return rules
}
