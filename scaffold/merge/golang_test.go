package merge_test

import (
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/merge"
)

func TestGo(t *testing.T) {
	const base = `package model

// Post is a row.
type Post struct {
	ID    int64  ` + "`json:\"id\"`" + `
	Title string ` + "`json:\"title\"`" + `
}

func (p Post) one() []int {
	return []int{
		1,
	}
}
`
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(base) }
	title := "\tTitle string `json:\"title\"`\n"
	for name, c := range map[string]struct{ yours, theirs, want string }{
		"a field on both sides, of other widths": {
			replace(title, title+"\tURL   string `json:\"url\"`\n"),
			replace("\tID    int64  `json:\"id\"`\n"+title, "\tID        int64     `json:\"id\"`\n\tTitle     string    `json:\"title\"`\n\tCreatedAt time.Time `json:\"created_at\"`\n"),
			replace("\tID    int64  `json:\"id\"`\n"+title, "\tID        int64     `json:\"id\"`\n\tTitle     string    `json:\"title\"`\n\tURL       string    `json:\"url\"`\n\tCreatedAt time.Time `json:\"created_at\"`\n"),
		},
		"a tag of mine, a wider column of theirs": {
			replace("`json:\"title\"`", "`json:\"headline\"`"),
			replace("\tID    int64  `json:\"id\"`\n"+title, "\tID        int64     `json:\"id\"`\n\tTitle     string    `json:\"title\"`\n\tCreatedAt time.Time `json:\"created_at\"`\n"),
			replace("\tID    int64  `json:\"id\"`\n"+title, "\tID        int64     `json:\"id\"`\n\tTitle     string    `json:\"headline\"`\n\tCreatedAt time.Time `json:\"created_at\"`\n"),
		},
		"functions at the end": {
			base + "\n// mine is mine.\nfunc mine() {}\n",
			base + "\nfunc theirs() {}\n",
			base + "\n// mine is mine.\nfunc mine() {}\n\nfunc theirs() {}\n",
		},
		"elements": {
			replace("\t\t1,\n", "\t\t1,\n\t\t2,\n"), replace("\t\t1,\n", "\t\t1,\n\t\t3,\n"), replace("\t\t1,\n", "\t\t1,\n\t\t2,\n\t\t3,\n"),
		},
		"windows": {
			strings.ReplaceAll(replace("\t\t1,\n", "\t\t1,\n\t\t2,\n"), "\n", "\r\n"), replace("\t\t1,\n", "\t\t1,\n\t\t3,\n"),
			strings.ReplaceAll(replace("\t\t1,\n", "\t\t1,\n\t\t2,\n\t\t3,\n"), "\n", "\r\n"),
		},
		"statements": {replace("\treturn", "\tprintln(1)\n\treturn"), replace("\treturn", "\tprintln(2)\n\treturn"), ""},
		"the same field in other words": {
			replace(title, title+"\tURL   string `json:\"url\"`\n"), replace("`json:\"title\"`", "`json:\"headline\"`"),
			replace(title, "\tTitle string `json:\"headline\"`\n\tURL   string `json:\"url\"`\n"),
		},
		"lines of a list that touch": {
			replace("\t\t1,\n", "\t\t1,\n\t\t5,\n\t\t7,\n"), replace("\t\t1,\n", "\t\t1,\n\t\t6,\n\t\t8,\n"),
			replace("\t\t1,\n", "\t\t1,\n\t\t5,\n\t\t7,\n\t\t6,\n\t\t8,\n"),
		},
		"one line in two ways":  {replace("`json:\"title\"`", "`json:\"mine\"`"), replace("`json:\"title\"`", "`json:\"theirs\"`"), ""},
		"what is not formatted": {replace("\t\t1,\n", "\t\t1,\n\t\t 2,\n"), replace("\t\t1,\n", "\t\t1,\n\t\t3,\n"), ""},
		"what is not Go":        {base + "\nfunc mine( {}\n", base + "\nfunc theirs() {}\n", ""},
		"strings with spaces": {
			base + "\nconst a  = `x   y`\n", base + "\nconst b = 2\n", "",
		},
		"formatted strings with spaces": {
			base + "\nconst a = `x   y`\n", base + "\nconst b = 2\n", base + "\nconst a = `x   y`\n\nconst b = 2\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, conflict := merge.Go([]byte(base), []byte(c.yours), []byte(c.theirs))
			if conflict != (c.want == "") {
				t.Fatalf("conflict %v:\n%s", conflict, got)
			}
			if !conflict && string(got) != c.want {
				t.Errorf("got:\n%s", got)
			}
			if conflict && !strings.Contains(string(got), merge.MarkYours) {
				t.Errorf("a conflict without marks:\n%s", got)
			}
		})
	}
}

// Lines of a list that touch are told apart where no line comes or goes.
func TestGoLineByLine(t *testing.T) {
	text := func(a, b, c string) []byte {
		return []byte("package p\n\nvar x = []string{\n\t" + a + ",\n\t" + b + ",\n\t" + c + ",\n}\n")
	}
	got, conflict := merge.Go(text("1", "2", "3"), text("9", "2", "3"), text("1", "8", "7"))
	if conflict || string(got) != string(text("9", "8", "7")) {
		t.Errorf("conflict %v:\n%s", conflict, got)
	}
	if got, conflict = merge.Go(text("1", "2", "3"), text("9", "2", "3"), text("4", "8", "7")); !conflict {
		t.Errorf("no conflict:\n%s", got)
	}
}
