// Package edit adds single lines to files that the developer edits, and removes them
// again: a module in a list, a setting in a struct, an import, a requirement.
//
// It finds places in Go files by syntax tree and splices by byte offset: nothing else
// moves, comments stay, and a gofmt-formatted file stays formatted. Text that is present
// already, in whatever layout, is not added again. Files with CRLF line endings keep them.
package edit

import (
	"fmt"
	"strings"
)

// Op is the kind of addition of an [Edit].
type Op string

// The operations, most with the function that implements them.
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
	Path string // relative to the project, with slashes
	Op   Op
	In   string // function or struct
	Text string // the addition, without indentation or trailing comma
	Name string // name of an import, if any
	// Own are the module prefixes whose imports form the last group: those of the runtime
	// and of the project itself.
	Own []string
}

// Apply returns src with the addition, or src itself if it is present already. The error
// is a *Missing.
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

// Revert returns src without the addition, or src itself if it is absent. An import that
// the file still uses stays. The error is a *Missing if the developer has rewritten the
// addition. Revert several edits of a file in reverse order, so that imports come after
// their uses.
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

// Missing is the error of an edit that found no place, so that the developer has to make
// it by hand.
type Missing struct {
	What   string // what was not found
	Line   string // the exact line to paste or remove
	Remove bool
}

// Error returns what is missing, and ends with the line, indented.
func (m *Missing) Error() string {
	do := "add this by hand"
	if m.Remove {
		do = "remove this by hand"
	}
	return fmt.Sprintf("%s; %s:\n\n\t%s", m.What, do, strings.ReplaceAll(m.Line, "\n", "\n\t"))
}
