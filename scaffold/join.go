package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Sides has the versions of a file that git could not merge; nil for a missing one.
type Sides struct {
	Base, Ours, Theirs []byte
	// The bases of either side.
	OursWritten, TheirsWritten []byte
}

// MergeText merges a file of a project by its kind: the record semantically, go.mod and
// go.sum to the union of requirements, Go files by declarations. In a conflict the text
// contains both sides between markers. If the record was merged but migrations have to be
// generated again, conflict is true without markers.
func MergeText(name string, s Sides) (text []byte, conflict bool) {
	name = strings.TrimPrefix(name, baseDir)
	switch name {
	case SpecFile:
		p, again, err := s.project()
		if err == nil {
			text, err = p.JSON()
		}
		if err != nil { // regardless of its lines
			return fmt.Appendf(nil, "%s\n%s%s\n%s%s\n", merge.MarkOurs, s.Ours, merge.MarkMiddle, s.Theirs, merge.MarkSecond), true
		}
		return text, len(again) > 0
	case "go.sum":
		return edit.Sums(s.Ours, strings.Split(string(s.Theirs), "\n")), false
	}
	text, conflict = merge.File(name, s.Base, s.Ours, s.Theirs)
	if name == "go.mod" && conflict {
		if both, err := requireBoth(s); err == nil {
			return both, false
		}
	}
	return sided(text), conflict
}

// sided replaces the markers by those of a branch merge.
func sided(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte(merge.MarkYours+"\n"), []byte(merge.MarkOurs+"\n"))
	return bytes.ReplaceAll(text, []byte(merge.MarkTheirs+"\n"), []byte(merge.MarkSecond+"\n"))
}

// requireBoth returns our go.mod with the requirements of theirs, if they differ in
// nothing else.
func requireBoth(s Sides) ([]byte, error) {
	file, err := modfile.Parse("go.mod", s.Theirs, nil)
	if err != nil {
		return nil, err
	}
	var more []edit.Requirement
	for _, r := range file.Require {
		more = append(more, edit.Requirement{Path: r.Mod.Path, Version: r.Mod.Version, Indirect: r.Indirect})
	}
	return edit.Require(s.Ours, more)
}

// project returns the merged record of both sides.
func (s Sides) project() (p spec.Project, again []string, err error) {
	var three [3]spec.Project
	for i, text := range [][]byte{s.Base, s.Ours, s.Theirs} {
		if three[i], err = spec.Parse(text); err != nil {
			return p, nil, err
		}
	}
	return spec.Merge(three[0], three[1], three[2])
}

// overlay is a project's folder with some files replaced.
type overlay struct {
	fs.FS
	texts map[string][]byte // nil for a missing file
}

// ReadFile reads all texts.
func (r overlay) ReadFile(name string) ([]byte, error) {
	if text, ok := r.texts[name]; ok {
		if text == nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return slices.Clone(text), nil
	}
	return fs.ReadFile(r.FS, name)
}

// Merge plans the merge of a project whose files git could not merge, and returns the
// merged project. It merges the edits of each side into the files generated from the
// merged record, so only those edits can conflict. disk is the project's folder, which is
// only read.
func (c Catalog) Merge(disk fs.FS, torn map[string]Sides) (plan.Plan, spec.Project, error) {
	return c.merge(disk, torn, nil, nil)
}

// merge is Merge. branches are both sides before resources got the same names, and again
// the timestamps of migrations that have to be generated again for them; nil to take them
// from the record.
func (c Catalog) merge(disk fs.FS, torn map[string]Sides, branches []branch, again []string) (plan.Plan, spec.Project, error) {
	p, changed, err := c.joined(disk, torn)
	if err != nil {
		return plan.Plan{}, p, err
	}
	if branches == nil && len(changed) > 0 {
		again = changed
		for _, text := range [][]byte{torn[SpecFile].Ours, torn[SpecFile].Theirs} {
			b, err := c.branch(map[string][]byte{SpecFile: text})
			if err != nil {
				return plan.Plan{}, p, err
			}
			branches = append(branches, b)
		}
	}
	parts, err := c.parts(p)
	if err != nil {
		return plan.Plan{}, p, err
	}
	over := overlay{disk, map[string][]byte{}}
	d := draft{disk: over, files: map[string]*text{}, module: p.Module}
	d.restore(parts)
	written, err := d.written(parts)
	if err != nil {
		return plan.Plan{}, p, err
	}
	left := map[string]plan.Op{} // to be resolved by the developer
	for _, name := range slices.Sorted(maps.Keys(torn)) {
		s := torn[name]
		if base, ok := strings.CutPrefix(name, baseDir); ok {
			text, conflict := MergeText(name, s)
			if conflict || s.Ours == nil || s.Theirs == nil {
				if text = nil; s.Base == nil { // added by one side
					text = slices.Concat(s.Ours, s.Theirs)
				}
			}
			if over.texts[name] = text; text == nil && written[base] == nil && s.Ours != nil && s.Theirs != nil {
				over.texts[name] = s.Ours
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(torn)) {
		if strings.HasPrefix(name, baseDir) {
			continue
		}
		s := torn[name]
		switch {
		case name == SpecFile:
			if over.texts[name], err = p.JSON(); err != nil {
				return plan.Plan{}, p, err
			}
			continue
		case s.Ours == nil || s.Theirs == nil:
			edited, was := s.Ours, s.OursWritten
			if edited == nil {
				edited, was = s.Theirs, s.TheirsWritten
			}
			if was != nil && merge.Same(edited, was) || s.Base != nil && merge.Same(edited, s.Base) {
				over.texts[name] = nil
				continue
			}
			over.texts[name] = edited
			left[name] = plan.Op{Note: "one branch removed this file, the other edited it"}
			continue
		}
		text, conflict := MergeText(name, s)
		if is := d.at(name).base; conflict && is != nil && s.OursWritten != nil && s.TheirsWritten != nil {
			ours, one := merge.File(name, s.OursWritten, s.Ours, is)
			theirs, other := merge.File(name, s.TheirsWritten, s.Theirs, is)
			if !one && !other {
				text, conflict = merge.File(name, is, ours, theirs)
				text = sided(text)
			}
		}
		delete(d.files, name)
		over.texts[name] = text
		if conflict {
			left[name] = plan.Op{After: text, Note: plan.Both}
		}
	}
	if err := c.rewrite(&d, p, branches, again); err != nil {
		return plan.Plan{}, p, err
	}
	if t, ok := d.files[migrations]; ok {
		t.disk, over.texts[migrations] = t.yours, t.yours
	}
	made, err := c.renewAll(&d, p, parts)
	if err != nil {
		return plan.Plan{}, p, err
	}
	return onto(disk, over, made, left), p, nil
}

// joined returns the project of both sides, and the migrations to generate again.
func (c Catalog) joined(disk fs.FS, torn map[string]Sides) (p spec.Project, again []string, err error) {
	if s, ok := torn[SpecFile]; ok {
		p, again, err = s.project()
	} else {
		var text []byte
		if text, err = fs.ReadFile(disk, SpecFile); err == nil {
			p, err = spec.Parse(text)
		}
	}
	if err == nil {
		p, err = c.Known(p)
	}
	return p, again, err
}

// rewrite generates again the migrations that follow an earlier one of the other branch on
// the same field or table. Others do not change.
func (c Catalog) rewrite(d *draft, p spec.Project, branches []branch, again []string) error {
	of := func(name string) bool {
		return slices.ContainsFunc(again, func(stamp string) bool { return strings.HasPrefix(name, history+stamp+"_") })
	}
	keyed := func(p spec.Project) (map[string]part, error) {
		parts, err := c.parts(p)
		all := map[string]part{}
		for _, part := range parts {
			all[part.key] = part
		}
		return all, err
	}
	now, err := keyed(p)
	if err != nil || len(again) == 0 {
		return err
	}
	for _, b := range slices.Concat(branches, followed(branches)) {
		before, err := keyed(b.committed)
		if err != nil {
			return err
		}
		for _, r := range p.Resources {
			is, was := now[ResourceKey(r)], before[ResourceKey(spec.Resource{Name: b.formerly(r.Name)})]
			if was.render == nil {
				continue
			}
			files, err := is.render()
			if err != nil {
				return err
			}
			for _, file := range files {
				if of(file.Path) {
					d.at(file.Path).now = file.Data
				}
			}
			if files, err = was.render(); err != nil {
				return err
			}
			for _, file := range files {
				if t := d.at(file.Path); of(file.Path) && t.now == nil {
					t.gone = true
				}
			}
			list := func(edits []edit.Edit) []edit.Edit {
				return slices.DeleteFunc(slices.Clone(edits), func(e edit.Edit) bool { return e.Path != migrations })
			}
			d.edit(list(is.edits), list(was.edits))
		}
	}
	return nil
}

// onto turns a plan for the overlay into one for the files on disk. left are the files
// that are still in conflict.
func onto(disk fs.FS, over overlay, made plan.Plan, left map[string]plan.Op) plan.Plan {
	ops := made.Ops
	for _, name := range slices.Sorted(maps.Keys(over.texts)) {
		is := func(op plan.Op) bool { return op.Path == name && op.Kind != plan.Note && op.Kind != plan.Then }
		if !strings.HasPrefix(name, baseDir) && !slices.ContainsFunc(ops, is) {
			ops = append(ops, plan.Op{Kind: plan.Identical, Path: name, Before: over.texts[name], After: over.texts[name]})
		}
		for i, op := range ops {
			if !is(op) {
				continue
			}
			text, err := fs.ReadFile(disk, name)
			if err != nil {
				text = nil
			}
			op.Before = text
			if text != nil && op.After != nil {
				op.After = merge.Like(op.After, text)
			}
			switch l, open := left[name]; {
			case open:
				op.Kind, op.After, op.Note = plan.Conflict, l.After, l.Note
			case op.Kind == plan.Conflict:
			default:
				op.Kind = plan.Between(text, op.After)
			}
			ops[i] = op
		}
	}
	return plan.New(ops...)
}
