package plan

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hexops/gotextdiff"
	"github.com/hexops/gotextdiff/span"

	"github.com/nexios-go/nexios/scaffold/merge"
)

// width is the width of a list, in columns. Only paths exceed it, since they must stay in
// one piece to be copied.
const width = 80

// indent is the second column of a list.
const indent = 13

// Style colours a word or a line of a kind. Colour must not carry information of its own.
// A diff uses Create for added lines, Delete for removed lines and Note for hunk headers.
//
// Styled text is for a terminal, so control characters in it are made visible first.
type Style func(kind Kind, text string) string

// List writes one line per operation, with the number of lines added and removed;
// identical files are only counted. A nil style is plain text.
func (p Plan) List(w io.Writer, style Style) error {
	var b bytes.Buffer
	identical := 0
	for _, op := range p.Ops {
		lines := []string{Visible(op.Path)}
		switch op.Kind {
		case Identical:
			identical++
			continue
		case Update:
			added, removed := op.count()
			if counts := fmt.Sprintf("  +%d -%d", added, removed); indent+len(op.Path)+len(counts) <= width {
				lines[0] += counts
			}
		case Conflict, Note, Then:
			lines = append(lines, wrap(Visible(op.Note), width-indent)...)
			if op.Path == "" {
				lines = lines[1:]
			}
		}
		word := style.Or(op.Kind, fmt.Sprintf("%-9s", op.Kind))
		fmt.Fprintf(&b, "  %s  %s\n", word, lines[0])
		for _, line := range lines[1:] {
			b.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+line, " ") + "\n")
		}
	}
	if identical > 0 {
		files := "files"
		if identical == 1 {
			files = "file"
		}
		word := style.Or(Identical, fmt.Sprintf("%-9s", Identical))
		fmt.Fprintf(&b, "  %s  %d %s\n", word, identical, files)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Diff writes a unified diff of every file that changes, in the format of git and patch.
// Conflicts are shown with their markers. A nil style writes the exact text, for a file or
// a program.
func (p Plan) Diff(w io.Writer, style Style) error {
	var b bytes.Buffer
	for _, op := range p.Of(Create, Update, Delete, Conflict) {
		if op.Kind == Conflict && op.After == nil {
			continue // nothing to show: the file is unchanged
		}
		for line := range strings.Lines(op.diff()) {
			text, newline := strings.CutSuffix(line, "\n")
			if style != nil {
				text = Visible(strings.TrimSuffix(text, "\r"))
			}
			switch text[:min(1, len(text))] {
			case "+":
				text = style.Or(Create, text)
			case "-":
				text = style.Or(Delete, text)
			case "@", "B":
				text = style.Or(Note, text)
			}
			b.WriteString(text)
			if newline {
				b.WriteByte('\n')
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Or returns the text in the style of kind, or unchanged for a nil style.
func (s Style) Or(kind Kind, text string) string {
	if s == nil {
		return text
	}
	return s(kind, text)
}

// diff returns the unified diff of one operation.
func (op Op) diff() string {
	from, to := "a/"+op.Path, "b/"+op.Path
	if op.Before == nil {
		from = "/dev/null"
	}
	if op.After == nil {
		to = "/dev/null"
	}
	if bytes.IndexByte(op.Before, 0) >= 0 || bytes.IndexByte(op.After, 0) >= 0 {
		return fmt.Sprintf("Binary files %s and %s differ\n", from, to)
	}
	text := fmt.Sprint(gotextdiff.Unified{From: from, To: to, Hunks: op.hunks()})
	// The library writes an empty range as "0", which means one line, instead of "0,0".
	text = strings.Replace(text, "\n@@ -0 +", "\n@@ -0,0 +", 1)
	return strings.Replace(text, " +0 @@\n", " +0,0 @@\n", 1)
}

// hunks compares the two texts. If one is empty there is nothing to compare, and the hunk
// starts at line 0, as patch requires.
func (op Op) hunks() []*gotextdiff.Hunk {
	before, after := string(op.Before), string(op.After)
	if before != "" && after != "" {
		return gotextdiff.ToUnified("", "", before, edits(before, after)).Hunks
	}
	hunk := &gotextdiff.Hunk{FromLine: min(1, len(before)), ToLine: min(1, len(after))}
	for line := range strings.Lines(before) {
		hunk.Lines = append(hunk.Lines, gotextdiff.Line{Kind: gotextdiff.Delete, Content: line})
	}
	for line := range strings.Lines(after) {
		hunk.Lines = append(hunk.Lines, gotextdiff.Line{Kind: gotextdiff.Insert, Content: line})
	}
	if hunk.Lines == nil {
		return nil
	}
	return []*gotextdiff.Hunk{hunk}
}

// edits returns the differences between two texts, line by line. The library's own
// algorithm takes seconds and gigabytes on a large rewrite.
func edits(before, after string) []gotextdiff.TextEdit {
	a, b := slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after))
	var list []gotextdiff.TextEdit
	i, j := 0, 0
	until := func(nextI, nextJ int) {
		if i < nextI || j < nextJ {
			list = append(list, gotextdiff.TextEdit{
				Span:    span.New("", span.NewPoint(i+1, 1, 0), span.NewPoint(nextI+1, 1, 0)),
				NewText: strings.Join(b[j:nextJ], ""),
			})
		}
		i, j = nextI+1, nextJ+1
	}
	for k, same := range merge.Match(a, b) {
		if same >= 0 {
			until(k, same)
		}
	}
	until(len(a), len(b))
	return list
}

// count returns the number of lines added and removed.
func (op Op) count() (added, removed int) {
	for _, hunk := range op.hunks() {
		for _, line := range hunk.Lines {
			switch line.Kind {
			case gotextdiff.Insert:
				added++
			case gotextdiff.Delete:
				removed++
			}
		}
	}
	return added, removed
}

// wrap breaks lines at spaces to fit n columns; indented lines are code and are not
// wrapped.
func wrap(text string, n int) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.ContainsAny(line[:1], " \t") {
			lines = append(lines, strings.ReplaceAll(line, "\t", "    "))
			continue
		}
		current := ""
		for _, word := range strings.Fields(line) {
			if current != "" && len(current)+1+len(word) > n {
				lines = append(lines, current)
				current = ""
			}
			current = strings.TrimPrefix(current+" "+word, " ")
		}
		lines = append(lines, current)
	}
	return lines
}
