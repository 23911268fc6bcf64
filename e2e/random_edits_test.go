package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var (
	years = flag.Int("years", 3, "number of projects of TestRandomEdits")
	first = flag.Uint64("year", 0, "seed of the first project")
	vets  = flag.Bool("vets", false, "vet the project of TestRandomEdits after every command")
)

// changes returns the commands that are run on a project.
func changes() []string {
	return strings.Split(strings.TrimSpace(`
add resource tag name:string:unique
add resource post title:string:min=3:search body:text status:enum=draft/live:filter views:int:default=0:sort tags:many=tags
add resource note body:text due:date:optional --soft-delete
add model mark n:int
add resource comment body:text post:ref=posts
add field post subtitle:string:optional rank:int:default=1:filter
add field post comments:has=comments
add field note slug:slug:optional:unique
add field tag note:ref=notes:optional
add field comment mood:string --backfill fine
change field post title max=100
change field post title unique
change field post title no-unique
change field post status enum=draft/live/old
change field post views min=0 index
change field post views bigint
change field post subtitle required --backfill none
change field note body optional
change field note due no-optional --backfill 2026-01-01
change field comment body max=500 search
rename field post title headline
rename field post headline title
rename field note body text
rename field note text body
remove field post subtitle
remove field post views
remove field tag note
remove field comment mood
add index post status,created_at
add index post title,status --unique
remove index post status,created_at
rename resource tag label
rename resource label tag
rename resource post article --keep-table
rename resource article post
add migration count-words
add jobs
add tour
add pages
remove resource comment
remove resource note
remove model mark
remove tour
remove pages
upgrade
`), "\n")
}

// TestRandomEdits runs random commands with random edits in between. No command loses a
// line of the developer or leaves invalid Go; repeating it changes nothing, and undo
// reverts it byte for byte. A conflict writes nothing, and is rare. -years sets the number
// of projects, -year the first seed, and -vets vets every project.
func TestRandomEdits(t *testing.T) {
	t.Parallel()
	total, conflicts := 0, 0
	for seed := *first; seed < *first+uint64(*years); seed++ {
		random := rand.New(rand.NewPCG(seed, 12))
		p := newProject(t, "shop")
		if *vets {
			p.env = append(p.env, "NEXIOS_CHECK=on")
		}
		for _, command := range changes()[:5] {
			p.nexios(strings.Fields(command)...)
		}
		var edits, done []string
		for turn := range 20 {
			if random.IntN(3) > 0 {
				edits = append(edits, p.scribble(random, fmt.Sprintf("%d_%d", seed, turn)))
			}
			command := changes()[random.IntN(len(changes()))]
			before := p.tree()
			out, code := p.try(tool, append(strings.Fields(command), "--yes")...)
			after := p.tree()
			fail := func(what string) {
				t.Fatalf("seed %d, after\n%s\n%s: %s\n%s", seed, strings.Join(done, "\n"), command, what, out)
			}
			switch {
			case code == 2 || code == 0 && strings.Contains(out, "nothing to do"):
				sameTree(t, before, after)
				continue
			case code == 3:
				if total++; !strings.Contains(out, "you edited this file, so it is not deleted") {
					conflicts++
					shown, _ := p.try(tool, append(strings.Fields(command), "--yes", "--diff", "--dry-run")...)
					t.Logf("seed %d: %s:\n%s\n%s", seed, command, out, torn(shown))
				}
				sameTree(t, before, after)
				continue
			case code != 0:
				fail(fmt.Sprint("exit ", code))
			}
			total++
			for _, line := range edits {
				if count(before, line) != count(after, line) {
					fail("lost " + line)
				}
			}
			if bad := p.run("gofmt", "-l", "internal", "main.go"); bad != "" {
				fail("not formatted: " + bad)
			}
			if *vets {
				if out, code := p.try("go", "vet", "./..."); code != 0 {
					fail("does not vet: " + out)
				}
			}
			p.nexios("undo", "--yes")
			sameTree(t, before, p.tree())
			p.nexios(append(strings.Fields(command), "--yes")...)
			sameTree(t, after, p.tree())
			if t.Failed() {
				fail("undone and repeated")
			}
			done = append(done, command)
			if out := p.nexios("upgrade", "--yes"); !strings.Contains(out, "nothing to do") {
				fail("an upgrade changes something: " + out)
			}
		}
	}
	t.Logf("%d of %d commands had a conflict", conflicts, total)
	if conflicts*10 > total {
		t.Error("too many conflicts")
	}
}

// torn returns the lines of a diff between conflict markers.
func torn(diff string) string {
	var lines []string
	inside := false
	for line := range strings.Lines(diff) {
		inside = inside || strings.Contains(line, "<<<<<<<")
		if inside {
			lines = append(lines, line)
		}
		inside = inside && !strings.Contains(line, ">>>>>>>")
	}
	return strings.Join(lines, "")
}

// count counts a text in the files of a project, except those in .nexios.
func count(tree map[string]string, text string) int {
	n := 0
	for name, content := range tree {
		if !strings.HasPrefix(name, ".nexios/") {
			n += strings.Count(content, text)
		}
	}
	return n
}

// scribble edits a Go file of the project as a developer might, and returns the added
// text.
func (p project) scribble(random *rand.Rand, name string) string {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "internal", "*", "*.go"))
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(files)
	file := files[random.IntN(len(files))]
	text, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	at := func(fits func(line string) bool) int {
		for range 50 {
			if i := random.IntN(len(lines)); fits(lines[i]) {
				return i
			}
		}
		return -1
	}
	line := ""
	switch random.IntN(4) {
	case 0: // a function
		line = "func mine" + name + "() int { return 42 }"
		if i := at(func(line string) bool { return line == "}" }); i >= 0 {
			lines = slices.Insert(lines, i+1, "", "// mine"+name+" is theirs.", line)
		}
	case 1: // a statement at the end of a function
		line = "println(\"mine" + name + "\")"
		if i := at(func(line string) bool { return strings.HasPrefix(line, "\treturn ") }); i >= 0 {
			lines = slices.Insert(lines, i, "\t"+line)
		}
	case 2: // a comment on a line
		line = "// mine" + name
		if i := at(func(line string) bool {
			return strings.HasPrefix(line, "\t") && strings.HasSuffix(line, ")") && !strings.Contains(line, "`")
		}); i >= 0 {
			lines = slices.Insert(lines, i, line)
		}
	case 3: // a field of a struct
		line = "Mine" + name
		if i := at(func(line string) bool { return strings.Contains(line, "`json:") }); i >= 0 {
			lines = slices.Insert(lines, i+1, "\t"+line+" string `json:\"mine"+name+"\" gorm:\"-\"`")
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		p.t.Fatal(err)
	}
	p.run("gofmt", "-w", file)
	return line
}
