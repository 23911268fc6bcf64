package view

import (
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Reversal is the file of a migration that reverts others.
type Reversal struct {
	Imports string
	File    string // its name, without .go
	ID      string // "20261121101500_drop_posts"
	Func    string // "dropPosts"
	List    string // a Go expression of the migrations that it reverts
}

// Drop returns the migration that reverts those of a dropped part: elements are Go
// expressions of one migration each, lists of several. paths are their imports.
func Drop(p spec.Project, d spec.Dropped, elements, lists, paths []string) Reversal {
	return reversal(p, "drop", d, d.Migration, elements, lists, paths)
}

// Restore returns the migration that reverts the one of Drop.
func Restore(p spec.Project, d spec.Dropped) Reversal {
	dropped := reversal(p, "drop", d, d.Migration, nil, nil, nil)
	return reversal(p, "restore", d, d.Restored, []string{dropped.Func + "()"}, nil, nil)
}

func reversal(p spec.Project, verb string, d spec.Dropped, time string, elements, lists, paths []string) Reversal {
	words := spec.Snake(d.What)
	v := Reversal{ID: time + "_" + verb + "_" + words, Func: verb + exported(words)}
	v.File = fileName(v.ID)
	if p.Before(d.What, d.Migration) {
		v.Func += time
	}
	paths = append([]string{dbImport}, paths...)
	if len(elements) > 0 {
		lists = append([]string{"[]db.Migration{" + strings.Join(elements, ", ") + "}"}, lists...)
	}
	if v.List = strings.Join(lists, ", "); len(lists) > 1 {
		v.List = "slices.Concat(" + v.List + ")"
		paths = append(paths, "slices")
	}
	v.Imports = imports(p.Module, paths...)
	return v
}
