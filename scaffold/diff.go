package scaffold

import (
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Diff returns the developer's edits, as a plan from the generated text to theirs. The
// generated text is .nexios/base or, for missing files, rendered from the record. disk is
// only read.
func (c Catalog) Diff(p spec.Project, disk fs.FS) (plan.Plan, error) {
	parts, err := c.parts(p)
	if err != nil {
		return plan.Plan{}, err
	}
	d := draft{disk: disk, files: map[string]*text{}, module: p.Module}
	written, err := d.written(parts)
	if err != nil {
		return plan.Plan{}, err
	}
	err = below(disk, strings.TrimSuffix(baseDir, "/"), func(name string, _ fs.DirEntry) error {
		written[strings.TrimPrefix(name, baseDir)] = d.read(name)
		return d.err
	})
	if err != nil {
		return plan.Plan{}, err
	}
	var ops []plan.Op
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if unmanaged(name) || name == SpecFile {
			continue
		}
		was, is := written[name], d.read(name)
		switch {
		case is == nil:
			ops = append(ops, plan.Op{Kind: plan.Delete, Path: name, Before: was})
		case !merge.Same(was, is):
			ops = append(ops, plan.Op{Kind: plan.Update, Path: name, Before: merge.Like(was, is), After: is})
		}
	}
	return plan.New(ops...), d.err
}
