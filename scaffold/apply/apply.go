// Package apply carries out a plan. It is the only package of the engine that writes, and
// it does so in one step: whenever it is killed, the project is as before or as after the
// step once Recover has run.
//
// A step is recorded before it begins, in .nexios/undo/, with the texts of all files
// before and after it. The name of its file is its state:
//
//	0007.open.json  in progress: Recover reverts it, or completes it if all is written
//	0007.json       done: Undo can revert it
//	0007.undo.json  being reverted: Recover completes that
//
// So undo, rollback and recovery are one procedure, revert. A step is only reverted by the
// user who recorded it, in the same folder: see signature.
package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// Where the tool stores its own files, relative to the project.
const (
	BaseDir = ".nexios/base" // texts as last generated, by path
	// TemplatesDir has the project's own templates, whose bases are the built-in ones.
	TemplatesDir = ".nexios/templates"
	UndoDir      = ".nexios/undo" // one file per step, and the lock; not for version control
)

// Keep is the number of steps that can be undone; older ones are deleted.
const Keep = 50

// Errors to test for with errors.Is. Nothing was written if one of them is returned.
var (
	ErrConflict = errors.New("conflicts")               // the plan has conflicts
	ErrChanged  = errors.New("changed in the meantime") // a file differs from the plan or the step
	ErrNothing  = errors.New("nothing to undo")         // no step is left
	ErrForeign  = errors.New("not written by you in this folder, so it is ignored")
)

// Options is recorded with a step.
type Options struct {
	Title string    // what was done, shown by undo: "add resource post"
	Time  time.Time // when it was done
	// Step, if set, is called before every single change of the disk, with a description.
	// Tests kill the process there.
	Step func(what string)
}

// Result is the result of Apply.
type Result struct {
	Seq     int      // the number of the step; 0 if there was nothing to write
	Written []string // the project's files that were created, updated or deleted
}

// Apply writes the plan to the project, or nothing of it.
//
// It returns an error for a plan with conflicts (ErrConflict), a file that differs from
// the plan or that changed since it was read from Files (ErrChanged), symbolic links, and
// paths rejected by [plan.CheckPath]. For every file outside of .nexios it records the
// operation's Base in BaseDir, in the same step. Directories that become empty are
// removed.
func (d *Project) Apply(p plan.Plan, o Options) (Result, error) {
	if d.lock == nil {
		return Result{}, errors.New("the project was opened for reading only")
	}
	if err := check(p); err != nil {
		return Result{}, err
	}
	if err := (files{&d.disk}).checkUnchanged(); err != nil {
		return Result{}, err
	}
	e := entry{Title: o.Title, Time: o.Time}
	for _, op := range p.Of(plan.Create, plan.Update, plan.Identical, plan.Delete) {
		if err := d.plan(&e, op); err != nil {
			return Result{}, err
		}
	}
	if len(e.Changes) == 0 {
		return Result{}, nil
	}
	if err := d.begin(&e); err != nil {
		return Result{}, err
	}
	if err := d.write(e); err != nil {
		kept, undone := d.revert(e, opened)
		switch {
		case undone != nil:
			return Result{}, problem.Failed(fmt.Errorf("%w, and the rollback failed: %w", err, undone), "any nexios command, which finishes it")
		case len(kept) > 0:
			return Result{}, fmt.Errorf("%w; everything was rolled back except %s: %w", err, strings.Join(kept, ", "), ErrChanged)
		}
		return Result{}, fmt.Errorf("%w; nothing was changed", err)
	}
	result := Result{Seq: e.Seq}
	for _, op := range p.Changes() {
		result.Written = append(result.Written, op.Path)
	}
	return result, nil
}

// check rejects plans that are invalid regardless of the disk.
func check(p plan.Plan) error {
	if conflicts := p.Of(plan.Conflict); len(conflicts) > 0 {
		var paths []string
		for _, op := range conflicts {
			paths = append(paths, op.Path)
		}
		return fmt.Errorf("%w in %s; nothing was written", ErrConflict, strings.Join(paths, ", "))
	}
	seen := map[string]bool{}
	for _, op := range p.Of(plan.Create, plan.Update, plan.Identical, plan.Delete) {
		switch name := op.Path; {
		case plan.CheckPath(name) != nil:
			return plan.CheckPath(name)
		case below(name, UndoDir) || below(name, BaseDir):
			return fmt.Errorf("%s is reserved for nexios", name)
		case seen[name]:
			return fmt.Errorf("%s is planned twice", name)
		}
		seen[op.Path] = true
	}
	for name := range seen {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if seen[dir] {
				return fmt.Errorf("%s is planned as a file and as a directory", dir)
			}
		}
	}
	return nil
}

// plan adds the changes of one operation, the file and its base, to the step.
func (d *disk) plan(e *entry, op plan.Op) error {
	if op.Kind != plan.Identical {
		now, mode, err := d.read(op.Path)
		if err != nil {
			return err
		}
		if !same(now, op.Before) {
			return problem.Failed(fmt.Errorf("%s: %w, nothing was written", op.Path, ErrChanged), "the same command again")
		}
		if now == nil {
			mode = op.Mode.Perm()
		}
		e.add(op.Path, now, op.After, mode)
	}
	if below(op.Path, path.Dir(BaseDir)) && !below(op.Path, TemplatesDir) || op.Base == nil && op.After != nil {
		return nil
	}
	name := path.Join(BaseDir, op.Path)
	now, mode, err := d.read(name)
	if err != nil {
		return err
	}
	e.add(name, now, op.Base, mode)
	return nil
}

// write applies the step to the project, and marks it as done.
func (d *disk) write(e entry) error {
	for _, dir := range e.Dirs {
		d.step("mkdir " + dir)
		if err := d.root.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for i, c := range e.Changes {
		if c.After == nil {
			continue
		}
		if err := d.writeTemp(e.temp(i), c.After, c.Mode, c.Before != nil); err != nil {
			return err
		}
	}
	for i, c := range e.Changes {
		var err error
		if c.After == nil {
			err = d.remove(c.Path)
		} else {
			err = d.rename(e.temp(i), c.Path)
		}
		if err != nil {
			return err
		}
	}
	return d.finish(e)
}

// finish ends a step whose files are all written.
func (d *disk) finish(e entry) error {
	dirs := map[string]bool{}
	for _, c := range e.Changes {
		dirs[path.Dir(c.Path)] = true
		if c.After == nil {
			d.removeEmpty(path.Dir(c.Path))
		}
	}
	for _, dir := range e.Dirs {
		dirs[path.Dir(dir)] = true
	}
	d.sync(dirs)
	if err := d.rename(e.file(opened), e.file(done)); err != nil {
		return err
	}
	d.forget(e.Seq - Keep)
	return nil
}

// revert restores the files of a step as they were before it, and then deletes the step.
// It can be repeated: a file that is as before is left unchanged. A file that is neither
// as before nor as after the step was edited: it is kept, and returned.
func (d *disk) revert(e entry, from state) (kept []string, err error) {
	dirs := map[string]bool{}
	for i, c := range e.Changes {
		now, mode, err := d.read(c.Path)
		if err != nil {
			return kept, err
		}
		if now == nil {
			mode = c.Mode
		}
		switch {
		case same(now, c.Before):
		case !same(now, c.After):
			kept = append(kept, c.Path)
		case c.Before == nil:
			if err := d.remove(c.Path); err != nil {
				return kept, err
			}
		default:
			if err := d.root.MkdirAll(path.Dir(c.Path), 0o777); err != nil {
				return kept, err
			}
			if err := d.writeTemp(e.temp(i), c.Before, mode, true); err != nil {
				return kept, err
			}
			if err := d.rename(e.temp(i), c.Path); err != nil {
				return kept, err
			}
		}
		if err := d.remove(e.temp(i)); err != nil {
			return kept, err
		}
		dirs[path.Dir(c.Path)] = true
	}
	for _, dir := range slices.Backward(e.Dirs) {
		d.step("rmdir " + dir)
		_ = d.root.Remove(dir) // stays if it is not empty
	}
	d.sync(dirs)
	return kept, d.remove(e.file(from))
}

// same compares texts, distinguishing an absent file, nil, from an empty one.
func same(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}

// below reports whether a path is dir or inside of it.
func below(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+"/")
}
