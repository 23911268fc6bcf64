package merge_test

import (
	"bytes"
	"fmt"
	"go/format"
	"math/rand/v2"
	"slices"
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

// No line of yours is lost: what is not in the merge was in the base, and theirs
// dropped it. What is merged without a conflict is formatted Go.
func TestGoLosesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	kinds := []func(n int) string{
		func(n int) string { return fmt.Sprintf("\tField%d string `json:\"f%d\"`\n", n, n) },
		func(n int) string {
			return fmt.Sprintf("\t// About%d is a longer name.\n\tAbout%d map[string]int\n", n, n)
		},
	}
	functions := func(n int) string { return fmt.Sprintf("\nfunc f%d() int {\n\tx := %d\n\treturn x\n}\n", n, n) }
	type source struct{ fields, functions []string }
	text := func(s source) []byte {
		out, err := format.Source([]byte("package p\n\ntype T struct {\n" + strings.Join(s.fields, "") + "}\n" + strings.Join(s.functions, "")))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	next := 0
	add := func(list []string, one func(int) string) []string {
		next++
		return slices.Insert(slices.Clone(list), random.IntN(len(list)+1), one(next))
	}
	change := func(s source) source {
		for range 1 + random.IntN(3) {
			switch random.IntN(5) {
			case 0, 1:
				s.fields = add(s.fields, kinds[random.IntN(2)])
			case 2:
				s.functions = add(s.functions, functions)
			case 3:
				if n := len(s.fields); n > 0 {
					i := random.IntN(n)
					s.fields = slices.Delete(slices.Clone(s.fields), i, i+1)
				}
			case 4:
				if n := len(s.functions); n > 0 {
					i := random.IntN(n)
					s.functions = slices.Clone(s.functions)
					s.functions[i] = strings.Replace(s.functions[i], "return x", fmt.Sprintf("return x + %d", random.IntN(9)), 1)
				}
			}
		}
		return s
	}
	words := func(line string) string { return strings.Join(strings.Fields(line), " ") }
	merged := 0
	for range 3000 {
		var s source
		for range 3 {
			s = change(s)
		}
		base, yours, theirs := text(s), text(change(s)), text(change(s))
		got, conflict := merge.Go(base, yours, theirs)
		if conflict { // a line that both sides have stands there once
			continue
		}
		merged++
		lines := func(src []byte) map[string]int {
			counts := map[string]int{}
			for line := range strings.Lines(string(src)) {
				counts[words(line)]++
			}
			return counts
		}
		in, was, new := lines(got), lines(base), lines(theirs)
		for line, n := range lines(yours) {
			if dropped := max(0, was[line]-new[line]); in[line] < n-dropped {
				t.Fatalf("%q is lost\nbase:\n%s\nyours:\n%s\ntheirs:\n%s\nmerged:\n%s", line, base, yours, theirs, got)
			}
		}
		if formatted, err := format.Source(got); err != nil || !bytes.Equal(formatted, got) {
			t.Fatalf("%v\nbase:\n%s\nyours:\n%s\ntheirs:\n%s\nmerged:\n%s", err, base, yours, theirs, got)
		}
	}
	if merged < 1000 {
		t.Errorf("only %d were merged", merged)
	}
	t.Logf("%d of 3000 merged", merged)
}
