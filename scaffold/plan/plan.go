// Package plan describes what a command is about to do to a project, as plain data.
//
// Everything before the plan is pure; package apply carries it out, and lists, diffs and
// JSON are made of the same data.
package plan

import (
	"bytes"
	"cmp"
	"io/fs"
	"slices"

	"github.com/nexios-go/nexios/scaffold/merge"
)

// Kind is the kind of an operation.
type Kind string

// The kinds. Only Create, Update and Delete write files of the project.
const (
	Create    Kind = "create"    // the file does not exist yet
	Update    Kind = "update"    // the file is changed
	Identical Kind = "identical" // the file is up to date
	Conflict  Kind = "conflict"  // the file cannot be merged with the developer's edits
	Delete    Kind = "delete"    // the file is deleted
	Note      Kind = "note"      // something for the user to do or to know
	Then      Kind = "then"      // a command to run afterwards
)

// Between returns the kind of the change from one text of a file to another; nil is no
// file.
func Between(before, after []byte) Kind {
	switch {
	case (before == nil) == (after == nil) && bytes.Equal(before, after):
		return Identical
	case before == nil:
		return Create
	case after == nil:
		return Delete
	}
	return Update
}

// Both is the note of a conflict between the developer's edits and the new text.
const Both = "your edits and this command change the same lines"

// Op is one operation.
type Op struct {
	Kind Kind
	// Path is the file, relative to the project, with slashes. It is optional for a Note
	// and empty for a Then.
	Path string
	// Before is the file as it was read, nil if it was absent. The plan is rejected if the
	// file has changed by the time it is applied.
	Before []byte
	// After is the file as it will be, nil if it will be absent. For a Conflict it is only
	// displayed: the merge with its markers, or nil if a deletion would remove edits.
	After []byte
	// Mode is the permissions of a created file; zero is 0644. An existing file keeps its
	// own.
	Mode fs.FileMode
	// Base is the generated text, without the developer's edits. It is recorded when the
	// plan is applied and is the base of the next merge. Nil leaves the record unchanged,
	// unless After is nil too: then it is deleted.
	Base []byte
	// Note is the reason for a Conflict, the text of a Note (which ends with the exact
	// line to paste, if any) or the command of a Then.
	Note string
}

// Plan is a list of operations, in the order in which they are shown: files by path, then
// notes by path, then commands in the order in which to run them.
type Plan struct {
	Ops []Op
}

// New returns a plan of the operations, sorted.
func New(ops ...Op) Plan {
	rank := func(op Op) int { return slices.Index([]Kind{Note, Then}, op.Kind) }
	path := func(op Op) string {
		if op.Kind == Then {
			return ""
		}
		return op.Path
	}
	ops = slices.Clone(ops)
	for i := range ops {
		if op := &ops[i]; op.Kind == Create && op.Mode == 0 && op.Path == ".env" {
			op.Mode = 0o600 // contains secrets
		}
	}
	slices.SortStableFunc(ops, func(a, b Op) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(path(a), path(b)))
	})
	return Plan{ops}
}

// Of returns the operations of the given kinds.
func (p Plan) Of(kinds ...Kind) []Op {
	var ops []Op
	for _, op := range p.Ops {
		if slices.Contains(kinds, op.Kind) {
			ops = append(ops, op)
		}
	}
	return ops
}

// HasConflicts reports whether the plan has conflicts, so that it cannot be applied.
func (p Plan) HasConflicts() bool { return len(p.Of(Conflict)) > 0 }

// Marked returns the plan with merge conflicts written into their files, both texts
// between markers.
func (p Plan) Marked() Plan {
	return p.resolved(Update, func(op Op) bool { return op.Note == Both })
}

// Forced returns the plan with edited files deleted.
func (p Plan) Forced() Plan {
	return p.resolved(Delete, func(op Op) bool { return op.After == nil })
}

// resolved returns the plan with some of its conflicts turned into operations of kind.
func (p Plan) resolved(kind Kind, which func(Op) bool) Plan {
	ops := slices.Clone(p.Ops)
	for i, op := range ops {
		if op.Kind == Conflict && which(op) {
			ops[i].Kind, ops[i].Note = kind, ""
		}
	}
	return Plan{ops}
}

// Changes returns the operations that write files of the project.
func (p Plan) Changes() []Op { return p.Of(Create, Update, Delete) }

// File plans one file from three texts, each nil if there is none: the one on disk, the
// base that was written last, and the one that the generator wants now (nil for no file).
// CRLF is treated as LF and is kept, on disk and in the base.
//
// The developer's edits win: they are merged with the new text, a file that was deleted
// stays deleted, and a file that was edited is not deleted.
func File(path string, disk, base, now []byte) Op {
	op := Op{Kind: Identical, Path: path, Before: disk, After: disk, Base: merge.Like(now, base)}
	switch {
	case now == nil:
		return remove(op, base)
	case disk == nil && base == nil:
		op.Kind, op.After = Create, now
	case disk == nil && merge.Same(base, now):
		// The developer deleted it, and there is nothing new to report.
	case disk == nil:
		op.Kind, op.Base = Note, nil
		op.Note = "you deleted this file; its newer version was not written"
	case merge.Same(disk, now):
	default:
		text, conflict := merge.File(path, base, disk, now)
		op.After = text
		switch {
		case conflict:
			op.Kind, op.Note = Conflict, Both
			if base == nil {
				op.Note = "this file already exists with other content"
			}
		case !merge.Same(disk, text):
			op.Kind = Update
		}
	}
	return op
}

func remove(op Op, base []byte) Op {
	op.After = nil
	switch {
	case op.Before == nil:
	case base != nil && merge.Same(op.Before, base):
		op.Kind = Delete
	default:
		op.Kind, op.Note = Conflict, "you edited this file, so it is not deleted"
	}
	return op
}
