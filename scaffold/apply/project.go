package apply

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// Project is the folder of a project during one command.
type Project struct{ disk }

// Open locks the folder for a command that writes; other writers wait until Close. It
// waits for the command that currently holds the lock, and recovers an interrupted step
// first.
func Open(dir string, o Options) (*Project, Recovery, error) {
	if err := removeStale(dir); err != nil {
		return nil, Recovery{}, err
	}
	d, err := open(dir, o.Step)
	if err != nil {
		return nil, Recovery{}, err
	}
	r, err := d.recover()
	if err != nil {
		d.close()
		return nil, Recovery{}, err
	}
	return &Project{*d}, r, nil
}

// Look opens the folder for a command that only reads. It writes nothing, not even to
// recover an interrupted step: see [Project.Interrupted].
func Look(dir string) (*Project, error) {
	d, err := at(dir)
	if err != nil {
		return nil, err
	}
	return &Project{*d}, nil
}

// Close unlocks the folder.
func (p *Project) Close() { p.close() }

// Interrupted reports whether a command was killed here, so that the next Open recovers
// its step.
func (p *Project) Interrupted() bool { return interrupted(p.dir) }

// Files returns the folder for reading. It caches each text: a file that changes during
// the command is read as before, and Apply refuses to write then. Links out of the folder
// and irregular files are errors.
func (p *Project) Files() fs.FS { return files{&p.disk} }

// files is the file system of a disk.
type files struct{ *disk }

func (f files) Open(name string) (fs.File, error) {
	info, err := f.root.Stat(name)
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("is not a file")}
	}
	if err != nil {
		return nil, err
	}
	return f.root.FS().Open(name)
}

// Lstat implements fs.ReadLinkFS.
func (f files) Lstat(name string) (fs.FileInfo, error) { return f.root.Lstat(name) }

// ReadLink implements fs.ReadLinkFS.
func (f files) ReadLink(name string) (string, error) { return f.root.Readlink(name) }

// ReadFile reads all texts.
func (f files) ReadFile(name string) ([]byte, error) {
	if text, ok := f.texts[name]; ok {
		if text == nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return slices.Clone(text), nil
	}
	text, err := f.text(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		f.texts[name] = text
	}
	return slices.Clone(text), err
}

// text reads a file; nil if it is absent.
func (f files) text(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err == nil && text == nil {
		text = []byte{}
	}
	return text, err
}

// checkUnchanged returns an error if a file has changed since it was read.
func (f files) checkUnchanged() error {
	for _, name := range slices.Sorted(maps.Keys(f.texts)) {
		now, err := f.text(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !same(now, f.texts[name]) {
			return problem.Failed(fmt.Errorf("%s: %w, nothing was written", name, ErrChanged), "the same command again")
		}
	}
	return nil
}

// at opens a folder without locking it.
func at(dir string) (*disk, error) {
	real, err := filepath.Abs(dir)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, err
	}
	return &disk{root: root, dir: real, texts: map[string][]byte{}}, nil
}

// Apply writes the plan to the project in dir, or nothing of it.
func Apply(dir string, p plan.Plan, o Options) (Result, error) {
	if err := check(p); err != nil {
		return Result{}, err
	}
	project, _, err := Open(dir, o)
	if err != nil {
		return Result{}, err
	}
	defer project.Close()
	return project.Apply(p, o)
}

// Recover completes or reverts the interrupted step of the project in dir. It writes
// nothing if there is none.
func Recover(dir string) (Recovery, error) { return recoverDir(dir, nil) }
