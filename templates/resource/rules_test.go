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
)

// owned are resources whose rows are somebody's, with every way from one to
// another.
const owned = `
tag name:string:unique --owner
note title:string:search:sort published:bool:default=false:filter --owner --public published
comment body:text note:ref=notes --owner
remark body:text note:ref=notes tags:many=tags photo:file:optional --owner
article title:string:filter views:int:private:default=1 --read all
board title:string --read all --write admin
wiki title:string:search --read user --write user
page title:string wiki:ref=wikis article:ref=articles --guard user
`

// TestRulesAreNeeded takes each rule out of its model and sees the generated
// tests fail that should: those of the rows themselves, and those of the rows
// from which there is a way to them.
func TestRulesAreNeeded(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles a project")
	}
	p := parse(t, project(), owned)
	note, _ := p.Resource("note")
	note.Fields = append(note.Fields, "comments:has=comments")
	p, err := p.Replace(note)
	if err != nil {
		t.Fatal(err)
	}
	dir := generate(t, p)
	models := filepath.Join(dir, "internal", "model")
	rules := withoutEach(t, models)
	write := filepath.Join(models, "without.go")
	if err := os.WriteFile(write, []byte("package model\n\nimport \"os\"\n\nfunc without(rule string) bool { return os.Getenv(\"WITHOUT\") == rule }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := filepath.Join(dir, "tests") + string(filepath.Separator)
	run(t, dir, false, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", tests, "./...")
	if t.Failed() {
		return
	}

	const (
		rows   = "keeps_rows_from_other_users"
		refs   = "refuses_references_to_rows_of_others"
		beside = "hides_related_rows_of_other_users"
		probe  = "holds_in_a_handler_of_one's_own"
	)
	wants := map[string][]string{ // by rule, what fails without it
		"":                  nil,
		"Tag.Readable":      {"TestTags/" + rows, "TestTags/" + probe, "TestRemarks/" + refs, "TestRemarks/" + beside},
		"Note.Readable":     {"TestNotes/" + rows, "TestNotes/" + probe, "TestRemarks/" + refs, "TestRemarks/" + beside, "TestComments/" + refs, "TestComments/" + beside},
		"Note.Writable":     {"TestNotes/" + rows, "TestNotes/" + probe},
		"Comment.Readable":  {"TestComments/" + rows, "TestComments/" + probe, "TestNotes/" + beside},
		"Remark.Readable":   {"TestRemarks/" + rows, "TestRemarks/" + probe},
		"Article.Writable":  {"TestArticles/" + rows, "TestArticles/" + probe},
		"Article.AfterFind": {"TestArticles/" + rows},
		"Board.Writable":    {"TestBoards/" + probe},
		"Wiki.Readable":     {"TestWikis/" + probe},
		"Page.Readable":     {"TestPages/" + probe},
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if _, ok := wants[rule]; !ok {
			t.Errorf("nothing is expected to fail without %s", rule)
		}
	}
	for rule, want := range wants {
		if rule != "" && !rules[rule] {
			t.Errorf("no model has %s", rule)
		}
		t.Run("without "+rule, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			binaries, err := filepath.Glob(tests + "*")
			if err != nil || len(binaries) < len(p.Resources) {
				t.Fatalf("%d tests: %v", len(binaries), err)
			}
			for _, binary := range binaries {
				cmd := exec.Command(binary, "-test.run", "/("+strings.Join([]string{rows, refs, beside, probe}, "|")+")")
				cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
				cmd.Env = append(os.Environ(), "WITHOUT="+rule, "TEST_DATABASE_URL=")
				_ = cmd.Run() // what fails is in its output
			}
			failed := regexp.MustCompile(`--- FAIL: (Test\w+/[\w']+) `).FindAllStringSubmatch(out.String(), -1)
			var got []string
			for _, f := range failed {
				got = append(got, f[1])
			}
			slices.Sort(want)
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%q fail, not %q\n%s", got, want, out.String())
			}
		})
	}
}

// withoutEach makes every rule of the models one that can be taken out.
func withoutEach(t *testing.T, models string) map[string]bool {
	t.Helper()
	rules := map[string]bool{}
	head := regexp.MustCompile(`func \((?:\w+ )?\*?(\w+)\) (Readable|Writable|AfterFind)\(tx \*gorm\.DB\) (\*gorm\.DB|error) \{\n`)
	files, err := filepath.Glob(filepath.Join(models, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
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
