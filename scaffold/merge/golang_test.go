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
		"elements that both added": {
			replace("\t\t1,\n", "\t\t1,\n\t\t5,\n\t\t7,\n"), replace("\t\t1,\n", "\t\t1,\n\t\t6,\n\t\t7,\n\t\t8,\n"),
			replace("\t\t1,\n", "\t\t1,\n\t\t5,\n\t\t6,\n\t\t7,\n\t\t8,\n"),
		},
		"imports that both added": {
			replace("model\n", "model\n\nimport (\n\t\"fmt\"\n\t\"time\"\n)\n"),
			replace("model\n", "model\n\nimport (\n\t\"slices\"\n\t\"time\"\n)\n"),
			replace("model\n", "model\n\nimport (\n\t\"fmt\"\n\t\"slices\"\n\t\"time\"\n)\n"),
		},
		"a field beside one that goes": {
			replace(title, title+"\tURL   string `json:\"url\"`\n"), replace(title, "", "\tID    int64  `", "\tID int64 `"),
			replace(title, "\tURL string `json:\"url\"`\n", "\tID    int64  `", "\tID  int64  `"),
		},
		"a field before one that goes": {
			replace(title, "", "\tID    int64  `", "\tID int64 `"), replace(title, "\tNew   bool   `json:\"new\"`\n"+title),
			replace(title, "\tNew bool  `json:\"new\"`\n", "\tID    int64  `", "\tID  int64 `"),
		},
		"a comment on a line that changes": {
			replace("\treturn []int{", "\t// Mine.\n\treturn []int{"), replace("\treturn []int{", "\treturn []int64{"),
			replace("\treturn []int{", "\t// Mine.\n\treturn []int64{"),
		},
		"a comment on a line that goes": {replace("\t\t1,\n", "\t\t// Mine.\n\t\t1,\n"), replace("\t\t1,\n", ""), ""},
		"one line in two ways":          {replace("`json:\"title\"`", "`json:\"mine\"`"), replace("`json:\"title\"`", "`json:\"theirs\"`"), ""},
		"what is not formatted":         {replace("\t\t1,\n", "\t\t1,\n\t\t 2,\n"), replace("\t\t1,\n", "\t\t1,\n\t\t3,\n"), replace("\t\t1,\n", "\t\t1,\n\t\t2,\n\t\t3,\n")},
		"what is not Go":                {base + "\nfunc mine( {}\n", base + "\nfunc theirs() {}\n", ""},
		"strings with spaces": {
			base + "\nconst a  = `x   y`\n", base + "\nconst b = 2\n", base + "\nconst a = `x   y`\n\nconst b = 2\n",
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
				t.Errorf("a conflict without markers:\n%s", got)
			}
		})
	}
}

// Adjacent lines of a list are merged line by line if neither side adds or removes one.
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

// A line elsewhere that gofmt would format is not a conflict; files that merge line by
// line are not formatted.
func TestGoUnformatted(t *testing.T) {
	text := func(imports, end string) []byte {
		return []byte("package p\n\nimport (\n\t\"testing\"\n\n" + imports + "\t\"example.com/model\"\n)\n\nvar _ model.Item\n" + end)
	}
	base := text("", "")
	got, conflict := merge.Go(base, text("\t\"gorm.io/gorm\"\n\n", "var   _ gorm.DB\n"), text("\t\"github.com/shopspring/decimal\"\n\n", ""))
	if want := text("\t\"gorm.io/gorm\"\n\n\t\"github.com/shopspring/decimal\"\n\n", "var _ gorm.DB\n"); conflict || !bytes.Equal(got, want) {
		t.Errorf("conflict %v:\n%s", conflict, got)
	}
	got, conflict = merge.Go(base, text("", "var   _ int\n"), text("\t\"github.com/shopspring/decimal\"\n\n", ""))
	if want := text("\t\"github.com/shopspring/decimal\"\n\n", "var   _ int\n"); conflict || !bytes.Equal(got, want) {
		t.Errorf("conflict %v:\n%s", conflict, got)
	}
}

// No line of yours is lost: a line that is missing from the merge was in the base, and
// theirs dropped it. A merge without conflict is formatted Go.
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
		if conflict { // a line of both sides occurs once
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
				t.Fatalf("lost %q\nbase:\n%s\nyours:\n%s\ntheirs:\n%s\nmerged:\n%s", line, base, yours, theirs, got)
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

// Typical edits of a developer in a package of a resource, and a command run afterwards.
func TestGoResourcePackage(t *testing.T) {
	const base = `package posts

import (
	"github.com/gin-gonic/gin"

	"example.com/app/runtime/db"
)

func Module() web.Module {
	return web.Module{Routes: []web.Route{
		web.Get("/posts", h.list).Doc("List posts"),
		web.Post("/posts", h.create).Doc("Create a post"),
		web.Put("/posts/:id", h.update).Doc("Update a post"),
		web.Patch("/posts/:id", h.update).Doc("Update a post in part"),
		web.Delete("/posts/:id", h.remove).Doc("Delete a post"),
	}}
}

func (h handler) list(c *gin.Context, in listInput) (db.Page[model.Post], error) {
	tx := h.db.WithContext(c.Request.Context())
	return db.List[model.Post](tx, in.Query, in.Sort)
}

func (h handler) update(c *gin.Context, in updateInput) (model.Post, error) {
	tx := h.db.WithContext(c.Request.Context())
	post, err := db.FindWritable[model.Post](tx, in.ID)
	if err != nil {
		return post, err
	}
	if changed := in.Body.apply(&post); len(changed) > 0 {
		err = tx.Select(changed).Updates(&post).Error
	}
	return post, err
}
`
	publish := "\t\tweb.Post(\"/posts/:id/publish\", h.publish).Doc(\"Publish a post\"),\n"
	handler := `
func (h handler) publish(c *gin.Context, in showInput) (model.Post, error) {
	tx := h.db.WithContext(c.Request.Context())
	post, err := db.FindWritable[model.Post](tx, in.ID)
	if err != nil {
		return post, err
	}
	return post, tx.Model(&post).Update("published", true).Error
}
`
	replace := func(text string, pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("no %q", pairs[i])
			}
		}
		return strings.NewReplacer(pairs...).Replace(text)
	}
	patch := "\t\tweb.Patch("
	update := "\nfunc (h handler) update("
	many := func(text string) string {
		return replace(text,
			`"Create a post"),`, `"Create a post").Fails(409),`, `"Update a post"),`, `"Update a post").Fails(409),`, `"Update a post in part"),`, `"Update a post in part").Fails(409),`,
			`	if changed := in.Body.apply(&post); len(changed) > 0 {
		err = tx.Select(changed).Updates(&post).Error
	}
`, `	err = tx.Transaction(func(tx *gorm.DB) error {
		if changed := in.Body.apply(&post); len(changed) > 0 {
			if err := tx.Select(changed).Updates(&post).Error; err != nil {
				return err
			}
		}
		return nil
	})
`)
	}
	filter := func(text string) string {
		return replace(text, "\treturn db.List[", "\ttx = db.Where(tx, \"views\", in.Views)\n\ttx = db.AtLeast(tx, \"views\", in.ViewsMin)\n\treturn db.List[")
	}
	mine := "\tif in.Mine {\n\t\ttx = tx.Where(\"user_id\", 1)\n\t}\n"
	add := func(text string) string { return replace(text, patch, publish+patch, update, handler+update) }
	statement := replace(base, "\treturn db.List[", mine+"\treturn db.List[")
	for name, c := range map[string]struct{ yours, theirs, want string }{
		"a handler and its route, a many field": {add(base), many(base), add(many(base))},
		"the other way round":                   {many(base), add(base), add(many(base))},
		"a handler at the end":                  {base + handler, many(base), many(base) + handler},
		"a statement before the list, a filter": {statement, filter(base), replace(filter(base), "\treturn db.List[", mine+"\treturn db.List[")},
		"the same filter by hand":               {filter(base), filter(base), filter(base)},
		"a filter by hand with another value":   {replace(filter(base), "in.ViewsMin", "7"), filter(base), ""},
		"a handler of the same name":            {add(base), replace(add(base), "true", "false"), ""},
		"a handler that is changed and dropped": {strings.Replace(base, "in.Sort", "in.Order", 1), base[:strings.Index(base, "func (h handler) list")] + base[strings.Index(base, update)+1:], ""},
	} {
		got, conflict := merge.Go([]byte(base), []byte(c.yours), []byte(c.theirs))
		if conflict != (c.want == "") {
			t.Errorf("%s: conflict %v:\n%s", name, conflict, got)
		} else if !conflict && string(got) != c.want {
			t.Errorf("%s: got:\n%s", name, got)
		}
	}
}
