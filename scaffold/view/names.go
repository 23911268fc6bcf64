package view

import (
	"slices"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// initialisms are words that Go writes in upper case. All are in GORM's list too, so that
// GORM finds the column of a field.
var initialisms = []string{
	"api", "cpu", "css", "dns", "guid", "html", "http", "id", "ip", "json", "ram", "rpc", "smtp", "ssh", "tls", "ttl",
	"uid", "ui", "uuid", "uri", "url", "vm", "xml",
}

// exported returns the exported Go name of a snake_case name: AuthorID for "author_id".
func exported(snake string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		switch {
		case word == "": // in an existing table: "_a__b"
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

// unexported returns the Go name of a variable: blogPost for "blog_post", url for "url".
func unexported(snake string) string {
	first, rest, more := strings.Cut(snake, "_")
	if !more {
		return first
	}
	return first + exported(rest)
}

// variable is unexported, or "row" if that name has another meaning in a generated file.
func variable(snake string, pkg ...string) string {
	name := unexported(snake)
	if spec.Predeclared(name) || slices.Contains(strings.Fields(inScope), name) || slices.Contains(pkg, name) {
		return "row"
	}
	return name
}

// inScope lists the names that the files of a package use themselves: their imports and
// declarations.
const inScope = `auth db decimal fault files gin gorm model time uuid web
	handler createInput createBody updateInput updateBody showInput listInput bulkInput bulkOutput own at
	h c in b i n tx err who body ids before changed message conflict`

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// words returns a snake_case name as prose: "blog post".
func words(snake string) string { return strings.ReplaceAll(snake, "_", " ") }

// article puts a or an before a noun.
func article(noun string) string {
	if strings.ContainsRune("aeio", rune(noun[0])) || strings.HasPrefix(noun, "un") && !strings.HasPrefix(noun, "uni") {
		return "an " + noun
	}
	return "a " + noun
}

// Guessable reports whether GORM infers the column of GoName correctly. GORM splits
// acronyms by a list of its own, so names with digits, single letters, or an acronym
// followed by a longer one need an explicit column.
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

// guessedTable returns the table that GORM infers for a type of this name.
func guessedTable(snake string) string {
	if !Guessable(snake) {
		return ""
	}
	return inflection.Plural(snake)
}

// imports returns an import declaration in three groups: the standard library, third
// parties, and nexios with the project itself. A path may end in " as NAME".
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

// tag returns a struct tag.
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
