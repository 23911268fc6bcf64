package view

import (
	"slices"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// initialisms are words that Go writes in capitals. All are in GORM's own
// list, so that it finds the column of a field by itself.
var initialisms = []string{
	"api", "cpu", "css", "dns", "guid", "html", "http", "id", "ip", "json", "ram", "rpc", "smtp", "ssh", "tls", "ttl",
	"uid", "ui", "uuid", "uri", "url", "vm", "xml",
}

// exported is the Go name of a snake_case name: "author_id" is AuthorID.
func exported(snake string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		switch {
		case word == "": // of a table that was there before: "_a__b"
		case slices.Contains(initialisms, word):
			b.WriteString(strings.ToUpper(word))
		case strings.HasSuffix(word, "s") && slices.Contains(initialisms, word[:len(word)-1]):
			b.WriteString(strings.ToUpper(word[:len(word)-1]) + "s")
		default:
			b.WriteString(title(word))
		}
	}
	return b.String()
}

// unexported is the Go name of a variable: "blog_post" is blogPost, "url" is
// url.
func unexported(snake string) string {
	first, rest, more := strings.Cut(snake, "_")
	if !more {
		return first
	}
	return first + exported(rest)
}

// variable is unexported, or "row" where that name means something else in a
// generated file.
func variable(snake string, pkg ...string) string {
	name := unexported(snake)
	if spec.Predeclared(name) || slices.Contains(strings.Fields(inScope), name) || slices.Contains(pkg, name) {
		return "row"
	}
	return name
}

// inScope are the names that the files of a room use themselves: what they
// import and what they call their own things.
const inScope = `auth db decimal fault files gin gorm model time uuid web
	handler createInput createBody updateInput updateBody showInput listInput bulkInput bulkOutput own at
	h c in b i n tx err who body ids before changed message conflict`

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// words is a snake_case name as a person writes it: "blog post".
func words(snake string) string { return strings.ReplaceAll(snake, "_", " ") }

// article puts a or an before a noun.
func article(noun string) string {
	if strings.ContainsRune("aeio", rune(noun[0])) || strings.HasPrefix(noun, "un") && !strings.HasPrefix(noun, "uni") {
		return "an " + noun
	}
	return "a " + noun
}

// Guessable reports whether GORM finds the column of GoName by itself. It
// takes acronyms apart by a list of its own, so a name with digits, single
// letters, or an acronym that runs into a longer one is told to it.
func Guessable(snake string) bool {
	list := strings.Split(snake, "_")
	for i, word := range list {
		acronym := slices.Contains(initialisms, word)
		if len(word) < 2 || strings.ContainsAny(word, "0123456789") || word != strings.ToLower(word) || !acronym && exported(word) != title(word) {
			return false
		}
		if next := i + 1; next < len(list) && (word == "http" && list[next][0] == 's' || word == "ui" && list[next][0] == 'd') {
			return false
		}
	}
	return true
}

// guessedTable is the table that GORM takes for a type of this name.
func guessedTable(snake string) string {
	if !Guessable(snake) {
		return ""
	}
	return inflection.Plural(snake)
}

// imports writes an import declaration: what is of Go, of others and of nexios
// and the project itself, in three groups. A path may end in " as NAME".
func imports(module string, paths ...string) string {
	groups := make([][]string, 3)
	for _, path := range slices.Compact(slices.Sorted(slices.Values(paths))) {
		first, _, _ := strings.Cut(path, "/")
		group := 0
		switch {
		case strings.HasPrefix(path, "github.com/nexios-go/nexios/") || strings.HasPrefix(path, module+"/"):
			group = 2
		case strings.Contains(first, "."):
			group = 1
		}
		path, name, renamed := strings.Cut(path, " as ")
		if renamed {
			name += " "
		}
		groups[group] = append(groups[group], "\t"+name+"\""+path+"\"\n")
	}
	var parts []string
	lines := 0
	for _, g := range groups {
		if len(g) > 0 {
			parts = append(parts, strings.Join(g, ""))
			lines += len(g)
		}
	}
	switch lines {
	case 0:
		return ""
	case 1:
		return "import " + strings.TrimSpace(parts[0])
	}
	return "import (\n" + strings.Join(parts, "\n") + ")"
}

// tag writes a struct tag.
func tag(pairs ...string) string {
	var parts []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			parts = append(parts, pairs[i]+":"+quoted(pairs[i+1]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	text := strings.Join(parts, " ")
	if strings.Contains(text, "`") {
		return quoted(text)
	}
	return "`" + text + "`"
}
