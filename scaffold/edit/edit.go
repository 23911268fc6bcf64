// Package edit adds single lines to files that their owner edits, and takes
// them back: a module to a list, a setting to a struct, an import, a
// requirement.
//
// Go files are found their way around in by syntax tree and spliced by byte
// offset: nothing else moves, comments stay, and a file that gofmt would leave
// alone is still so afterwards. What is there already, written however, is not
// added again. Files in CRLF stay in CRLF.
package edit

import (
	"fmt"
	"strings"
)

// Op says what an Edit adds.
type Op string

// The operations, most with the function that does it.
const (
	AddElement   Op = "element"   // Text to the list that function In returns
	AddArgument  Op = "argument"  // Text to the slices.Concat or append that function In returns
	AddStatement Op = "statement" // StatementIn: Text at the top of function In
	AddImport    Op = "import"    // Import: package Text, under Name if that is not empty
	AddField     Op = "field"     // FieldIn: Text to struct In
	AddLine      Op = "line"      // Line: Text at the end of a file that is not Go
)

// Edit is one addition to one file, as plain data.
type Edit struct {
	Path string // the file, relative to the project, with slashes
	Op   Op
	In   string // the function or struct
	Text string // what is added, without indentation and without a last comma
	Name string // of an import, if it has one
	// Own are the module prefixes whose imports stand in the last group: the
	// toolkit's runtime and the project itself.
	Own []string
}

// Apply returns src with the addition, or src itself when that is there. The
// error is a *Missing.
func (e Edit) Apply(src []byte) ([]byte, error) {
	switch e.Op {
	case AddElement:
		return listAdd(src, e.In, e.Text, literal)
	case AddArgument:
		return listAdd(src, e.In, e.Text, concat)
	case AddStatement:
		return StatementIn(src, e.In, e.Text)
	case AddImport:
		return Import(src, e.Text, e.Name, e.Own...)
	case AddField:
		return FieldIn(src, e.In, e.Text)
	case AddLine:
		return Line(src, e.Text), nil
	}
	return nil, fmt.Errorf("unknown edit %q of %s", e.Op, e.Path)
}

// Revert returns src without the addition, or src itself when that is not
// there. An import that the file still uses stays. The error is a *Missing: the
// owner has rewritten what was added. Take several edits of a file back in
// reverse order, so that imports come after what uses them.
func (e Edit) Revert(src []byte) ([]byte, error) {
	switch e.Op {
	case AddElement:
		return listRemove(src, e.In, e.Text, literal)
	case AddArgument:
		return listRemove(src, e.In, e.Text, concat)
	case AddStatement:
		return RemoveStatement(src, e.In, e.Text)
	case AddImport:
		return RemoveImport(src, e.Text, e.Name)
	case AddField:
		return RemoveField(src, e.In, e.Text)
	case AddLine:
		return RemoveLine(src, e.Text), nil
	}
	return nil, fmt.Errorf("unknown edit %q of %s", e.Op, e.Path)
}

// Missing is the error of an edit that found no place: the owner has to make
// it by hand.
type Missing struct {
	What   string // what was looked for and not found
	Line   string // the exact line to paste, or to remove
	Remove bool
}

// Error says what is missing and ends with the line, indented.
func (m *Missing) Error() string {
	do := "add this by hand"
	if m.Remove {
		do = "remove this by hand"
	}
	return fmt.Sprintf("%s; %s:\n\n\t%s", m.What, do, strings.ReplaceAll(m.Line, "\n", "\n\t"))
}
