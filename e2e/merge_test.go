package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var pairs = flag.Bool("pairs", false, "build every pair of merged branches")

// branches returns the changes of developers, each on its own branch.
func branches() []string {
	return strings.Split(strings.TrimSpace(`
add resource note body:text
add resource reply body:text post:ref=posts
add model mark n:int
remove resource page
add field post subtitle:string:optional
add field post rank:int:default=1 due:date:optional:filter
add field tag note:text:optional
change field post title max=100
change field post title unique
change field post status enum=draft/live/old
change field post status enum=draft/live/hidden
rename field post title headline
rename field post views seen
rename resource post article
api version v2 post
templates eject resource
remove field post views
add index post views,created_at
add jobs
add auth --with none
add tour
add migration count-words
edit internal/posts/posts.go
`), "\n")
}

// repository returns a project in a git repository, on the branch main.
func repository(t *testing.T) project {
	t.Helper()
	p := newProject(t, "shop")
	p.env = append(p.env,
		"PATH="+filepath.Dir(tool)+string(os.PathListSeparator)+os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	p.nexios("add", "resource", "tag", "name:string:unique")
	p.nexios("add", "resource", "post", "title:string:min=3:search", "status:enum=draft/live:filter", "views:int:default=0:sort", "tag:ref=tags:optional")
	p.nexios("add", "resource", "page", "body:text")
	p.run("git", "init", "--quiet", "--initial-branch=main")
	p.commit("start")
	return p
}

// team returns a repository with a branch for each of branches.
func team(t *testing.T) project {
	t.Helper()
	p := repository(t)
	for i, command := range branches() {
		p.run("git", "checkout", "--quiet", "-b", fmt.Sprint("b", i), "main")
		on := p
		on.env = append(on.env, fmt.Sprint("SOURCE_DATE_EPOCH=", 1795260000+60*i))
		on.say(command)
		on.commit(command)
	}
	return p
}

func (p project) commit(message string) {
	p.t.Helper()
	p.run("git", "add", "--all")
	p.run("git", "commit", "--quiet", "--no-gpg-sign", "--message="+message)
}

// say runs a command, or edits a file.
func (p project) say(command string) {
	p.t.Helper()
	words := strings.Fields(command)
	if words[0] != "edit" {
		p.nexios(append(words, "--yes")...)
		if files, _ := filepath.Glob(filepath.Join(p.dir, "internal", "migrations", "*_count_words.go")); len(files) == 1 {
			name := "internal/migrations/" + filepath.Base(files[0])
			p.write(name, strings.Replace(p.read(name), "db.ErrUnwritten // what it changes, in place of this", "nil", 1))
		}
		return
	}
	name := filepath.Join(p.dir, words[1])
	text, err := os.ReadFile(name)
	if err != nil {
		p.t.Fatal(err)
	}
	edited := strings.NewReplacer(
		"\nfunc (h handler) list", "\n// least is the fewest views that count.\nconst least = 0\n\nfunc (h handler) list",
		"\treturn db.List", "\ttx = tx.Where(\"id > ?\", least)\n\treturn db.List",
	).Replace(string(text))
	if edited == string(text) {
		p.t.Fatalf("cannot edit\n%s", text)
	}
	if err := os.WriteFile(name, []byte(edited), 0o644); err != nil {
		p.t.Fatal(err)
	}
	p.write("internal/posts/most.go", "package posts\n\nimport \"shop/internal/model\"\n\n// most is the most views of a post.\nfunc (h handler) most(post model.Post) int64 { return int64(post.ID) }\n")
}

// conflicting reports whether two branches have a conflict that a person has to resolve.
func conflicting(one, other string) bool {
	for _, pair := range [][2]string{
		{"rename field post views seen", "remove field post views"},
		{"remove field post views", "add index post views,created_at"},
		{"rename resource post article", "api version v2 post"},
	} {
		if pair == [2]string{one, other} || pair == [2]string{other, one} {
			return true
		}
	}
	return false
}

// dangling reports whether an older version of the API uses what the other branch removes,
// so that the developer has to edit it.
func dangling(one, other string) bool {
	versioned := "api version v2 post"
	for _, taken := range []string{"rename field post title headline", "rename field post views seen", "remove field post views"} {
		if one == versioned && other == taken || one == taken && other == versioned {
			return true
		}
	}
	return false
}

// TestMergeBranches merges every pair of branches, with and without nexios as git's merge
// driver: the result is a consistent project, in which an upgrade changes nothing. All of
// them together make a project that builds, with a database.
func TestMergeBranches(t *testing.T) {
	t.Parallel()
	p := team(t)
	clean, all := 0, 0
	for _, driver := range []bool{true, false} {
		if driver {
			p.nexios("merge", "--install")
		} else {
			p.run("git", "config", "--remove-section", "merge.nexios")
		}
		for i, one := range branches() {
			for j, other := range branches() {
				if i == j || !*pairs && (i > j || (i+j)%7 > 0 && !conflicting(one, other)) {
					continue
				}
				name := one + " + " + other
				p.run("git", "checkout", "--quiet", "-B", "merged", fmt.Sprint("b", i))
				out, code := p.try("git", "merge", "--quiet", "--no-edit", fmt.Sprint("b", j))
				if driver {
					if all++; code == 0 {
						clean++
					}
				}
				merged, refused := p.try(tool, "merge", "--yes")
				if conflicting(one, other) {
					if refused != 2 {
						t.Errorf("%s: exit %d\n%s", name, refused, merged)
					}
					p.run("git", "reset", "--quiet", "--hard")
					continue
				}
				if refused != 0 {
					t.Errorf("%s (driver %v): exit %d\n%s\n%s", name, driver, refused, out, merged)
					p.run("git", "reset", "--quiet", "--hard")
					p.run("git", "clean", "--quiet", "-fd")
					continue
				}
				p.commitMerge(name, j)
				if dangling(one, other) {
					continue
				}
				if *pairs && driver && i < j {
					if out, code := p.try("go", "vet", "./..."); code != 0 {
						t.Errorf("%s: %s", name, out)
					}
				}
			}
		}
	}
	t.Logf("%d of %d merges were clean", clean, all)
	if clean < all*3/4 {
		t.Error("too few clean merges")
	}

	p.nexios("merge", "--install")
	p.run("git", "checkout", "--quiet", "-B", "merged", "b0")
	merged := []string{branches()[0]}
	for i, command := range branches() {
		if i == 0 || command == "remove field post views" || command == "api version v2 post" {
			continue
		}
		merged = append(merged, command)
		p.try("git", "merge", "--quiet", "--no-edit", fmt.Sprint("b", i))
		if out, code := p.try(tool, "merge", "--yes"); code != 0 {
			t.Fatalf("%s: exit %d\n%s", strings.Join(merged, "\n"), code, out)
		}
		p.commitMerge(strings.Join(merged, "\n"), i)
	}
	p.run("go", "vet", "./...")
	p.run("go", "run", ".", "migrate", "up")
	p.run("go", "run", ".", "migrate", "down", "99")
	p.run("go", "run", ".", "migrate", "up")
	p.test()
}

// commitMerge commits a merge, and checks that nothing is left to do.
func (p project) commitMerge(name string, branch int) {
	p.t.Helper()
	p.run("git", "add", "--all")
	p.try("git", "commit", "--quiet", "--no-gpg-sign", "--message=merged")
	p.run("git", "merge-base", "--is-ancestor", fmt.Sprint("b", branch), "HEAD")
	if left, code := p.try("git", "grep", "-n", "-E", "^(<<<<<<<|>>>>>>>) "); code == 0 {
		p.t.Errorf("%s: conflict markers\n%s", name, left)
	}
	if out := p.nexios("upgrade", "--yes"); !strings.Contains(out, "nothing to do") {
		p.t.Errorf("%s: an upgrade changes something\n%s", name, out)
	}
	if out := p.run("gofmt", "-l", "internal"); out != "" {
		p.t.Errorf("%s: not formatted: %s", name, out)
	}
}
