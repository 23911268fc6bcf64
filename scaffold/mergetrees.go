package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Trees has all files of the project in the commits of a merge.
type Trees struct{ Base, Ours, Theirs map[string][]byte }

// branch is one side of a merge in progress: a project and its files.
type branch struct {
	fstest.MapFS
	committed spec.Project
	now       spec.Project      // with the names that other branches gave to resources
	former    map[string]string // names of resources in committed, by name in now
}

// text returns nil for a missing file.
func (b branch) text(name string) []byte {
	if file, ok := b.MapFS[name]; ok {
		return file.Data
	}
	return nil
}

func (b branch) set(name string, text []byte) {
	if delete(b.MapFS, name); text != nil {
		b.MapFS[name] = &fstest.MapFile{Data: text, Mode: 0o644}
	}
}

func (c Catalog) branch(texts map[string][]byte) (branch, error) {
	b := branch{MapFS: files(texts), former: map[string]string{}}
	p, err := spec.Parse(b.text(SpecFile))
	if err == nil {
		p, err = c.Known(p)
	}
	b.committed, b.now = p, p
	return b, err
}

// MergeTrees is Merge for branches of which one renamed a resource: first the resource is
// renamed on the other branch, and in the common base, by RenameResource; then all files
// are merged, regardless of git's result. disk is the project's folder, which is only
// read.
func (c Catalog) MergeTrees(disk fs.FS, t Trees) (plan.Plan, spec.Project, error) {
	var all [3]branch
	for i, files := range []map[string][]byte{t.Base, t.Ours, t.Theirs} {
		var err error
		if all[i], err = c.branch(files); err != nil {
			return plan.Plan{}, all[i].now, err
		}
	}
	base, ours, theirs := &all[0], &all[1], &all[2]
	mine, other := spec.Renamings(base.committed, ours.committed), spec.Renamings(base.committed, theirs.committed)
	for _, r := range mine {
		if i := slices.IndexFunc(other, func(o spec.Renaming) bool { return o.Name == r.Name }); i >= 0 {
			return plan.Plan{}, ours.now, &problem.Error{
				What:  "both branches renamed " + r.Name,
				Label: "ours", Where: r.Now.Name + "\n  theirs: " + other[i].Now.Name,
				Try: "give up the merge with git merge --abort, and on one branch revert the commit that renamed it",
			}
		}
	}
	var notes []plan.Op
	for _, side := range []struct {
		from *branch
		list []spec.Renaming
		onto [2]*branch
	}{{ours, mine, [2]*branch{base, theirs}}, {theirs, other, [2]*branch{base, ours}}} {
		for _, r := range side.list {
			for _, b := range side.onto {
				more, err := c.follow(b, r, side.from.committed)
				if err != nil {
					return plan.Plan{}, b.now, err
				}
				if b != base {
					notes = append(notes, more...)
				}
			}
		}
	}
	merged := branch{MapFS: fstest.MapFS{}}
	torn := map[string]Sides{}
	texts := map[string][]byte{}
	for _, b := range []branch{{MapFS: files(t.Ours)}, {MapFS: files(t.Theirs)}, *ours, *theirs} {
		for name := range b.MapFS {
			texts[name] = nil
		}
	}
	same := func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
	for name := range texts {
		s := Sides{
			Base: base.text(name), Ours: ours.text(name), Theirs: theirs.text(name),
			OursWritten: ours.text(baseDir + name), TheirsWritten: theirs.text(baseDir + name),
		}
		switch {
		case same(s.Ours, s.Theirs), same(s.Base, s.Theirs):
			merged.set(name, s.Ours)
		case same(s.Base, s.Ours):
			merged.set(name, s.Theirs)
		default:
			merged.set(name, s.Ours)
			torn[name] = s
		}
	}
	made, p, err := c.merge(merged, torn, []branch{*ours, *theirs}, newer(base.committed, ours.committed, theirs.committed))
	if err != nil {
		return plan.Plan{}, p, err
	}
	for name := range texts {
		texts[name] = merged.text(name)
	}
	for _, op := range made.Ops {
		if _, ok := texts[op.Path]; !ok && op.Path != "" {
			texts[op.Path] = op.Before
		}
	}
	made = onto(disk, overlay{disk, texts}, made, nil)
	for i, op := range made.Ops {
		if op.Kind != plan.Conflict {
			continue
		}
		text, err := fs.ReadFile(disk, op.Path)
		if err == nil && !bytes.Contains(text, []byte("<<<<<<< ")) && !same(text, t.Ours[op.Path]) && !same(text, t.Theirs[op.Path]) { // resolved by the developer
			made.Ops[i] = plan.Op{Kind: plan.Identical, Path: op.Path, Before: text, After: text, Base: op.Base}
		}
	}
	ops := slices.DeleteFunc(made.Ops, func(op plan.Op) bool {
		return op.Kind == plan.Identical && op.Base == nil && op.After != nil
	})
	return plan.New(append(ops, notes...)...), p, nil
}

func files(texts map[string][]byte) fstest.MapFS {
	b := branch{MapFS: fstest.MapFS{}}
	for name, text := range texts {
		b.set(name, text)
	}
	return b.MapFS
}

// newer returns the timestamps of migrations that base does not have.
func newer(base spec.Project, branches ...spec.Project) []string {
	var stamps []string
	for _, b := range branches {
		for _, stamp := range b.Stamps() {
			if stamp != "" && !slices.Contains(base.Stamps(), stamp) {
				stamps = append(stamps, stamp)
			}
		}
	}
	return stamps
}

// follow renames a resource of b as the branch by did, and returns notes for the
// developer.
func (c Catalog) follow(b *branch, r spec.Renaming, by spec.Project) ([]plan.Op, error) {
	now, was, is, err := b.now.Follow(r, by)
	if err != nil || is.Name == "" {
		return nil, err
	}
	made, err := c.RenameResource(b.now, now, was, is, b.MapFS)
	if err != nil {
		return nil, err
	}
	if torn := made.Of(plan.Conflict); len(torn) > 0 {
		return nil, &problem.Error{
			Kind: problem.Conflict, What: "one branch renamed " + was.Name + " to " + is.Name + ", and the other's edits do not allow that",
			Where: torn[0].Path, Try: fmt.Sprintf("give up the merge with git merge --abort, and in the other branch run nexios rename resource %s %s", was.Name, is.Name),
		}
	}
	renamed := branch{MapFS: maps.Clone(b.MapFS)}
	for _, op := range made.Of(plan.Create, plan.Update, plan.Identical, plan.Delete) {
		if op.Kind != plan.Identical {
			renamed.set(op.Path, op.After)
		}
		if strings.HasPrefix(op.Path, vendored) && !strings.HasPrefix(op.Path, TemplatesDir) || op.Base == nil && op.After != nil {
			continue
		}
		renamed.set(baseDir+op.Path, op.Base)
	}
	b.MapFS, b.now = renamed.MapFS, now
	b.former[is.Name] = was.Name
	return made.Of(plan.Note), nil
}

// formerly returns the name of a resource in the branch's commit.
func (b branch) formerly(name string) string {
	for former, ok := b.former[name]; ok; former, ok = b.former[name] {
		name = former
	}
	return name
}

// followed returns the branches with renamed resources as if the results were committed.
func followed(branches []branch) []branch {
	var list []branch
	for _, b := range branches {
		if len(b.former) > 0 {
			list = append(list, branch{MapFS: b.MapFS, committed: b.now, now: b.now})
		}
	}
	return list
}
