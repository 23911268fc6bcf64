package reload

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// alwaysIgnored is never watched, whatever .gitignore says.
var alwaysIgnored = []string{".git", ".hg", ".svn", "node_modules", ".idea", ".vscode", "/tmp", "/.nexios/base", "/.nexios/undo", "/nexios.json"}

// No library: go-git's matcher is part of go-git, and sabhiram/go-gitignore, the most
// popular one, has no release and no change since 2021. Watching a file too many is
// harmless.

// ignore is the .gitignore of the project's top directory, preceded by alwaysIgnored.
// Nested .gitignore files are not read: at worst one directory too many is watched, and
// its changes count only if the program uses them.
type ignore struct{ rules []rule }

type rule struct {
	pattern *regexp.Regexp
	keep    bool // the pattern starts with "!"
	dirs    bool // the pattern ends with "/"
}

func newIgnore(root string) ignore {
	var ig ignore
	for _, line := range alwaysIgnored {
		ig.add(line)
	}
	text, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		return ig
	}
	for line := range strings.Lines(string(text)) {
		ig.add(line)
	}
	return ig
}

func (ig *ignore) add(line string) {
	line = strings.TrimRight(line, " \t\r\n")
	if line == "" || strings.HasPrefix(line, "#") {
		return
	}
	var r rule
	line, r.keep = strings.CutPrefix(line, "!")
	line, r.dirs = strings.CutSuffix(line, "/")
	anchored := strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	expr := globExpr(line)
	if !anchored {
		expr = "(?:.*/)?" + expr
	}
	pattern, err := regexp.Compile("^" + expr + "$")
	if err != nil {
		return // git ignores invalid patterns, too
	}
	r.pattern = pattern
	ig.rules = append(ig.rules, r)
}

// globExpr converts a pattern of gitignore(5) to a regular expression.
func globExpr(glob string) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case strings.HasPrefix(glob[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(glob[i:], "/**") && i+3 == len(glob):
			b.WriteString("/.*")
			i += 2
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[':
			end := strings.IndexByte(glob[i:], ']')
			if end < 2 {
				b.WriteString(`\[`)
				break
			}
			class := glob[i+1 : i+end]
			if class[0] == '!' {
				class = "^" + class[1:]
			}
			b.WriteString("[" + class + "]")
			i += end
		case c == '\\' && i+1 < len(glob):
			i++
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String()
}

// match reports whether rel, a slash-separated path below the project, or one of its
// parents is ignored.
func (ig ignore) match(rel string, dir bool) bool {
	if rel == "." || rel == "" {
		return false
	}
	if above := path.Dir(rel); above != "." && ig.match(above, true) {
		return true
	}
	ignored := false
	for _, r := range ig.rules {
		if (!r.dirs || dir) && r.pattern.MatchString(rel) {
			ignored = !r.keep
		}
	}
	return ignored
}
