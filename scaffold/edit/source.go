package edit

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/merge"
)

// source is a parsed Go file.
type source struct {
	src  []byte
	tree *ast.File
	file *token.File
}

func parse(src []byte) (*source, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, "", src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{src, tree, set.File(tree.FileStart)}, nil
}

// splice replaces the bytes from one offset to another.
type splice struct {
	from, to int
	text     string
}

// change applies the splices of find to a Go file; no splices mean that nothing has to
// change. The result parses, and find returns no splices for it.
func change(src []byte, missing *Missing, find func(*source) ([]splice, error)) ([]byte, error) {
	text := src
	if n := bytes.Count(src, []byte("\n")); n > 0 && n == bytes.Count(src, []byte("\r\n")) {
		text = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	}
	s, err := parse(text)
	if err != nil {
		missing.What = "this file is not valid Go"
		return nil, missing
	}
	splices, err := find(s)
	if err != nil {
		return nil, err
	}
	if len(splices) == 0 {
		return src, nil
	}
	out := bytes.Clone(text)
	slices.SortFunc(splices, func(a, b splice) int { return b.from - a.from })
	for _, p := range splices {
		out = slices.Concat(out[:p.from], []byte(p.text), out[p.to:])
	}
	if formatted, err := format.Source(text); err == nil && bytes.Equal(formatted, text) {
		if formatted, err := format.Source(out); err == nil {
			out = formatted
		}
	}
	if s, err = parse(out); err == nil {
		splices, err = find(s)
	}
	if err != nil || len(splices) > 0 {
		missing.What = "no safe place to insert this"
		return nil, missing
	}
	return merge.Like(out, src), nil
}

// at returns the byte offset of a position.
func (s *source) at(pos token.Pos) int { return s.file.Offset(pos) }

func (s *source) text(node ast.Node) string { return string(s.src[s.at(node.Pos()):s.at(node.End())]) }

// lineStart returns the beginning of the line that contains an offset, lineEnd the offset
// of its newline, or the end of the file.
func (s *source) lineStart(at int) int { return bytes.LastIndexByte(s.src[:at], '\n') + 1 }

func (s *source) lineEnd(at int) int {
	if i := bytes.IndexByte(s.src[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(s.src)
}

// indent returns the leading white space of the line that contains an offset.
func (s *source) indent(at int) string {
	line := s.src[s.lineStart(at):at]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// blank reports whether there is only white space between two offsets.
func (s *source) blank(from, to int) bool { return len(bytes.TrimSpace(s.src[from:to])) == 0 }

// lines extends a node to its complete lines, including its comma and trailing comment;
// alone reports whether they contain nothing else.
func (s *source) lines(node ast.Node) (from, to int, alone bool) {
	start, end := s.at(node.Pos()), s.at(node.End())
	from, to = s.lineStart(start), s.lineEnd(end)
	rest := strings.TrimLeft(strings.TrimPrefix(string(s.src[end:to]), ","), " \t")
	alone = s.blank(from, start) && to < len(s.src) && (rest == "" || strings.HasPrefix(rest, "//"))
	return from, to + 1, alone
}

// function returns the function of the package with that name, excluding methods.
func (s *source) function(name string) *ast.FuncDecl {
	for _, decl := range s.tree.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == name && f.Body != nil {
			return f
		}
	}
	return nil
}

// tokens returns the tokens of a piece of Go, regardless of layout and comments.
func tokens(text string) []string {
	var words []string
	src := []byte(text)
	var scan scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(src))
	scan.Init(file, src, func(token.Position, string) {}, 0)
	for {
		_, tok, literal := scan.Scan()
		last := len(words) - 1
		switch tok {
		case token.EOF:
			return trimEnd(words)
		case token.SEMICOLON:
			literal = ";"
		case token.RPAREN, token.RBRACK, token.RBRACE:
			if last >= 0 && (words[last] == ";" || words[last] == ",") {
				words = words[:last]
			}
			literal = tok.String()
		default:
			if literal == "" {
				literal = tok.String()
			}
		}
		words = append(words, literal)
	}
}

func trimEnd(words []string) []string {
	for len(words) > 0 && (words[len(words)-1] == ";" || words[len(words)-1] == ",") {
		words = words[:len(words)-1]
	}
	return words
}

// sameTokens compares two pieces of Go by their tokens.
func sameTokens(a, b string) bool { return slices.Equal(tokens(a), tokens(b)) }

// sameCall reports whether two pieces of Go have the same tokens up to their first
// parenthesis: the same call with other arguments.
func sameCall(a, b string) bool {
	head := func(text string) []string {
		words := tokens(text)
		if i := slices.Index(words, "("); i >= 0 {
			return words[:i]
		}
		return words
	}
	return slices.Equal(head(a), head(b))
}
