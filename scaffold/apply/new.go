package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/plan"
)

// newPrefix is the prefix of the directory in which a project is built, followed by the
// process id and the project's name.
const newPrefix = ".nexios-new-"

// New writes a plan that only creates files to dir. If dir does not exist, the project is
// built next to it and moved in one rename; this is not recorded as a step, since deleting
// the directory undoes it. For an existing directory, New calls Apply. If New is killed,
// dir does not exist or is complete, and the next New or Recover removes the rest. A power
// failure right afterwards may lose new files.
func New(dir string, p plan.Plan, o Options) (Result, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Result{}, err
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return Apply(dir, p, o)
	}
	if err := check(p); err != nil {
		return Result{}, err
	}
	parent := filepath.Dir(dir)
	if err := removeStale(parent); err != nil {
		return Result{}, err
	}
	site := filepath.Join(parent, newPrefix+strconv.Itoa(os.Getpid())+"-"+filepath.Base(dir))
	result, err := build(site, dir, p, o)
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("%w; nothing was changed", err), os.RemoveAll(site))
	}
	return result, nil
}

// build writes the project to site and moves it to dir.
func build(site, dir string, p plan.Plan, o Options) (Result, error) {
	d := disk{hook: o.Step, fresh: true}
	d.step("mkdir " + filepath.Base(site))
	if err := os.Mkdir(site, 0o777); err != nil {
		return Result{}, err
	}
	root, err := os.OpenRoot(site)
	if err != nil {
		return Result{}, err
	}
	defer root.Close()
	d.root = root

	var e entry
	var result Result
	for _, op := range p.Of(plan.Create, plan.Update, plan.Identical, plan.Delete) {
		if err := d.plan(&e, op); err != nil {
			return Result{}, err
		}
		result.Written = append(result.Written, op.Path)
	}
	if e.Dirs, err = d.missing(e.Changes); err != nil {
		return Result{}, err
	}
	for _, name := range e.Dirs {
		d.step("mkdir " + name)
		if err := root.Mkdir(name, 0o777); err != nil {
			return Result{}, err
		}
	}
	for _, c := range e.Changes {
		if err := d.writeTemp(c.Path, c.After, c.Mode, false); err != nil {
			return Result{}, err
		}
	}
	root.Close() // Windows does not move open directories
	d.step("rename " + filepath.Base(dir))
	if err := patiently(func() error { return os.Rename(site, dir) }); err != nil {
		return Result{}, err
	}
	return result, nil
}

// removeStale removes the build directories of processes that have ended. Each is renamed
// first, so that a process that is running after all finds its directory missing rather
// than half empty.
func removeStale(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		rest, ok := strings.CutPrefix(entry.Name(), newPrefix)
		number, name, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(number)
		if !ok || err != nil || !entry.IsDir() || pid != os.Getpid() && Alive(pid) {
			continue
		}
		old, gone := filepath.Join(parent, entry.Name()), filepath.Join(parent, newPrefix+"0-"+name)
		if old != gone {
			err := errors.Join(os.RemoveAll(gone), os.Rename(old, gone))
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // another command may have been faster
				return err
			}
		}
		if err := os.RemoveAll(gone); err != nil {
			return err
		}
	}
	return nil
}
