package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// Step is a step that can be undone.
type Step struct {
	Seq   int
	Title string
	Time  time.Time
	// Plan is what undoing the step does, for display. A file that was edited since is a
	// Conflict, whose Base is what the step wrote.
	Plan plan.Plan
}

// UndoPlan returns the newest step without writing anything; ErrNothing if there is none.
func (d *Project) UndoPlan() (Step, error) {
	_, s, err := d.newest()
	return s, err
}

// Undo reverts the newest step, so that its files are byte for byte as before, and returns
// it; the next Undo reverts the one before. Other files may have been edited meanwhile. If
// a file of the step was, nothing is written and the error is ErrChanged, naming the file.
func (d *Project) Undo() (Step, error) {
	if d.lock == nil {
		return Step{}, errors.New("the project was opened for reading only")
	}
	e, s, err := d.newest()
	if err != nil {
		return s, err
	}
	if edits := s.Plan.Of(plan.Conflict); len(edits) > 0 {
		var paths []string
		for _, op := range edits {
			paths = append(paths, op.Path)
		}
		return s, problem.Failed(fmt.Errorf("%s: %w, since %q; nothing was written", strings.Join(paths, ", "), ErrChanged, e.Title),
			"stash your edits (git stash), then run the same command again")
	}
	if err := d.rename(e.file(done), e.file(reverting)); err != nil {
		return s, err
	}
	d.sync(map[string]bool{UndoDir: true})
	if _, err := d.revert(e, reverting); err != nil {
		return s, problem.Failed(err, "any nexios command, which finishes the undo")
	}
	return s, nil
}

// newest returns the last completed step and the plan that reverts it.
func (d *disk) newest() (entry, Step, error) {
	steps, err := d.steps()
	if err != nil {
		return entry{}, Step{}, err
	}
	for len(steps) > 0 && steps[len(steps)-1].state != done {
		steps = steps[:len(steps)-1]
	}
	if len(steps) == 0 {
		return entry{}, Step{}, ErrNothing
	}
	e, err := d.load(steps[len(steps)-1])
	if err != nil {
		return e, Step{}, err
	}
	var ops []plan.Op
	for _, c := range e.Changes {
		now, _, err := d.read(c.Path)
		if err != nil {
			return e, Step{}, err
		}
		op := plan.Op{Kind: plan.Between(now, c.Before), Path: c.Path, Before: now, After: c.Before, Mode: c.Mode}
		if op.Kind != plan.Identical && !same(now, c.After) {
			op.Kind, op.After, op.Note = plan.Conflict, nil, "you edited this file since"
			op.Base = c.After
		}
		if op.Kind == plan.Conflict || !below(c.Path, BaseDir) {
			ops = append(ops, op)
		}
	}
	return e, Step{e.Seq, e.Title, e.Time, plan.New(ops...)}, nil
}

// Outcome is the result of Recover.
type Outcome string

// The outcomes.
const (
	Nothing  Outcome = ""         // there was nothing to recover
	Finished Outcome = "finished" // the step was written completely, and is now done
	Reverted Outcome = "reverted" // nothing is left of the step
)

// Recovery is what Recover found and did.
type Recovery struct {
	Outcome Outcome
	Title   string   // of the interrupted step
	Kept    []string // files of a reverted step that were edited since, and left as they are
}

// String returns a sentence for the user, or "" if there is nothing to report.
func (r Recovery) String() string {
	switch {
	case r.Outcome == Nothing:
		return ""
	case r.Outcome == Finished:
		return fmt.Sprintf("%q was interrupted at the very end; it is complete now", r.Title)
	case len(r.Kept) > 0:
		return fmt.Sprintf("%q was interrupted and has been reverted, but you edited %s since: check that file", r.Title, strings.Join(r.Kept, ", "))
	}
	return fmt.Sprintf("%q was interrupted and has been reverted; run it again if you still want it", r.Title)
}

// recoverDir is Recover with a hook. It also removes what a killed New left in dir.
func recoverDir(dir string, hook func(string)) (Recovery, error) {
	if err := removeStale(dir); err != nil {
		return Recovery{}, err
	}
	if !interrupted(dir) {
		return Recovery{}, nil
	}
	d, err := open(dir, hook)
	if err != nil {
		return Recovery{}, err
	}
	defer d.close()
	return d.recover()
}

// interrupted reports whether UndoDir has something to recover, or is left over without
// any steps.
func interrupted(dir string) bool {
	files, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(UndoDir)))
	if err != nil {
		return false
	}
	idle := true
	for _, file := range files {
		name := file.Name()
		for _, end := range []string{string(opened), string(reverting), path.Ext(journalTemp)} {
			if strings.HasSuffix(name, end) {
				return true
			}
		}
		idle = idle && name == path.Base(lockFile)
	}
	others, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(path.Dir(UndoDir))))
	return err == nil && idle && len(others) == 1
}

// recover completes or reverts the one step that may be unfinished.
func (d *disk) recover() (Recovery, error) {
	if err := d.remove(journalTemp); err != nil {
		return Recovery{}, err
	}
	steps, err := d.steps()
	if err != nil {
		return Recovery{}, err
	}
	for _, s := range steps {
		if s.state == done {
			continue
		}
		e, err := d.load(s)
		if err != nil {
			return Recovery{}, err
		}
		r := Recovery{Outcome: Reverted, Title: e.Title}
		written, err := d.written(e)
		switch {
		case err != nil:
		case s.state == opened && written:
			r.Outcome, err = Finished, d.finish(e)
		default:
			r.Kept, err = d.revert(e, s.state)
		}
		switch {
		case errors.Is(err, fs.ErrPermission):
			return Recovery{}, problem.Failed(err, "make that file writable, then run the same command again")
		case err != nil:
			return Recovery{}, err
		}
		return r, nil
	}
	return Recovery{}, nil
}

// written reports whether all files are as they should be after the step.
func (d *disk) written(e entry) (bool, error) {
	for _, c := range e.Changes {
		if now, _, err := d.read(c.Path); err != nil || !same(now, c.After) {
			return false, err
		}
	}
	return true, nil
}
