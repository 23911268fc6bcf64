// Package render turns a feature's tree of files into the files of a project.
//
// The tree mirrors the output. Paths may contain {words}, which are replaced. A file that
// ends in .tmpl is a text/template; all others are copied, renamed if there are Renames.
// Next to a.go.tmpl there may be an a.go, the template's output for compiling and testing
// it in this repository: it is not copied. Go files are formatted, and their imports are
// moved from this repository to the project's module. The result depends on the input
// only: neither on the clock nor on map order.
package render

import (
	"bytes"
	"fmt"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"strconv"
	"strings"
	"text/template"
)

// File is one rendered file: a slash path relative to the project's root, and its
// contents.
type File struct {
	Path string
	Data []byte
}

// Input is the input of a tree.
type Input struct {
	Module string            // the project's module path; imports are moved below it
	Words  map[string]string // values of {word}, in paths and in Go string literals
	Data   any               // data of .tmpl files
	// Renames lists words of copied files and their paths, each followed by its
	// replacement; nil for none. An example that is compiled under one name is copied
	// under another this way.
	Renames []string
	// Keep reports whether a file is wanted, by its path in the tree; nil keeps all.
	Keep func(path string) bool
}

// Tree renders every file of tree, in path order. It fails on a template that does not
// execute, on invalid Go and on an unknown {word} in a path: all mistakes in the tree,
// never in the project.
func Tree(tree fs.FS, in Input) ([]File, error) {
	var files []File
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || in.Keep != nil && !in.Keep(name) {
			return err
		}
		if _, err := fs.Stat(tree, name+".tmpl"); err == nil {
			return nil // a sample of the template's output
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		var file File
		if own, ok := tree.(Ejected); ok && own.Has(name) {
			file, err = own.one(name, src, in)
		} else {
			file, err = one(name, src, in)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, file)
		return nil
	})
	return files, err
}

func one(name string, src []byte, in Input) (File, error) {
	path, isTemplate := strings.CutSuffix(name, ".tmpl")
	if isTemplate {
		t, err := template.New(name).Option("missingkey=error").Parse(string(src))
		if err != nil {
			return File{}, err
		}
		var out bytes.Buffer
		if err := t.Execute(&bounded{largest, &out}, in.Data); err != nil {
			return File{}, err
		}
		src = out.Bytes()
	}
	if !isTemplate && len(in.Renames) > 0 {
		renames := strings.NewReplacer(in.Renames...)
		path, src = renames.Replace(path), []byte(renames.Replace(string(src)))
	}
	path = fill(path, in.Words)
	if strings.ContainsAny(path, "{}") {
		return File{}, fmt.Errorf("no value for a placeholder in the path %s", path)
	}
	if strings.HasSuffix(path, ".go") {
		moved, err := moveGo(src, in)
		if err != nil {
			return File{}, err
		}
		src = moved
	}
	return File{Path: path, Data: src}, nil
}

// moveGo rewrites the import paths and replaces the words of a Go file token by token, so
// that nothing else can change, and formats it.
func moveGo(src []byte, in Input) ([]byte, error) {
	set := token.NewFileSet()
	if _, err := parser.ParseFile(set, "", src, parser.SkipObjectResolution); err != nil {
		return nil, err
	}
	var (
		out  bytes.Buffer
		last int
		scan scanner.Scanner
		file = set.AddFile("", -1, len(src))
	)
	scan.Init(file, src, nil, 0)
	for {
		pos, tok, literal := scan.Scan()
		if tok == token.EOF {
			break
		}
		if tok != token.STRING {
			continue
		}
		moved := fill(moveImport(literal, in.Module), in.Words)
		if moved == literal {
			continue
		}
		start := file.Offset(pos)
		out.Write(src[last:start])
		out.WriteString(moved)
		last = start + len(literal)
	}
	out.Write(src[last:])
	return format.Source(out.Bytes())
}

// home is where this repository compiles the files that it copies, in one folder per
// feature: the import path of a file's package is home + feature + "/files/" + its path in
// the project.
const home = "github.com/nexios-go/nexios/templates/"

// moveImport maps a quoted import path of a feature's file to the project's.
func moveImport(literal, module string) string {
	path, err := strconv.Unquote(literal)
	if err != nil {
		return literal
	}
	below, ok := strings.CutPrefix(path, home)
	if !ok {
		return literal
	}
	_, inside, ok := strings.Cut(below, "/files/")
	if !ok {
		return literal
	}
	return strconv.Quote(module + "/" + inside)
}

func fill(s string, words map[string]string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	for word, value := range words {
		s = strings.ReplaceAll(s, "{"+word+"}", value)
	}
	return s
}
