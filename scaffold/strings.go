package scaffold

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// oldColumn returns notes of where the user's Go code names the column of a renamed field of was
// after the plan p.
func oldColumn(disk fs.FS, p plan.Plan, was, is spec.Resource) ([]plan.Op, error) {
	old, now := renamedColumn(was, is)
	if old == "" {
		return nil, nil
	}
	model := regexp.MustCompile(`\bmodel\.` + view.GoName(is.Name) + `\b`)
	near := func(name string, text []byte) bool {
		return path.Dir(name) == "internal/"+is.Package() || model.Match(text)
	}
	return oldStrings(disk, p, near, `\b`+old+`\b`, old+"; in SQL and JSON it is "+now+" now")
}

// oldTable returns notes of where the user's Go code names the table of a renamed resource, or
// columns that were renamed with it, after the plan p from old to now.
func oldTable(disk fs.FS, p plan.Plan, old, now spec.Project, was, is spec.Resource) ([]plan.Op, error) {
	if was.TableName() == is.TableName() {
		return nil, nil
	}
	table := regexp.QuoteMeta(was.TableName())
	pattern := `(?i)\b(?:from|join|into|update|table)\s+["\x60]?` + table + `\b|\b` + table + `\.\w+\s*(?:[=<>!,)]|\b(?:in|is|like|between|not)\b)`
	names := []string{was.TableName()}
	for i := range min(len(old.Resources), len(now.Resources)) {
		if column, _ := renamedColumn(old.Resources[i], now.Resources[i]); column != "" && !slices.Contains(names, column) {
			names = append(names, column)
			pattern += `|\b` + regexp.QuoteMeta(column) + `\b`
		}
	}
	all := func(string, []byte) bool { return true }
	return oldStrings(disk, p, all, pattern, strings.Join(names, " or ")+", which the database no longer has")
}

// oldStrings returns notes of files whose strings match after the plan p: no compiler knows
// the names in them. What nexios wrote is left out, and so are migrations.
func oldStrings(disk fs.FS, p plan.Plan, in func(name string, text []byte) bool, pattern, note string) ([]plan.Op, error) {
	matches := regexp.MustCompile(pattern)
	var notes []plan.Op
	look := func(name string, text, written []byte) {
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, vendored) || strings.HasPrefix(name, "internal/migrations/") || !in(name, text) {
			return
		}
		known := matching(matches, written)
		var lines []string
		for _, found := range matching(matches, text) {
			same := func(k literal) bool { return k.text == found.text }
			if line := strconv.Itoa(found.line); !slices.ContainsFunc(known, same) && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
		if len(lines) > 0 {
			notes = append(notes, plan.Op{Kind: plan.Note, Path: name, Note: "strings on line " + strings.Join(lines, ", ") + " name " + note})
		}
	}
	planned := map[string]bool{}
	for _, op := range p.Of(plan.Create, plan.Update, plan.Identical, plan.Delete) {
		if planned[op.Path] = true; op.After == nil {
			continue
		}
		written := op.Base
		if written == nil {
			written, _ = fs.ReadFile(disk, baseDir+op.Path)
		}
		look(op.Path, op.After, written)
	}
	err := eachText(disk, func(name string, text []byte) {
		if !planned[name] {
			written, _ := fs.ReadFile(disk, baseDir+name) // without one, all of it is the user's
			look(name, text, written)
		}
	})
	return notes, err
}

// renamedColumn returns the column that was has and is does not, and its new name.
func renamedColumn(was, is spec.Resource) (old, now string) {
	from, _ := was.Parsed()
	to, _ := is.Parsed()
	for i := range min(len(from), len(to)) {
		if from[i].Column() != to[i].Column() {
			return from[i].Column(), to[i].Column()
		}
	}
	return "", ""
}

// literal is a string of Go code and the line where it begins.
type literal struct {
	text string
	line int
}

// matching returns the strings of a Go file that match, without struct tags and imports; none
// of a file that does not parse.
func matching(matches *regexp.Regexp, text []byte) []literal {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	var found []literal
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			return n.Tag == nil
		case *ast.BasicLit:
			if n.Kind == token.STRING && matches.MatchString(n.Value) {
				found = append(found, literal{n.Value, fset.Position(n.Pos()).Line})
			}
		}
		return true
	})
	return found
}
