package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/rogpeppe/go-internal/lockedfile"
	"github.com/rogpeppe/go-internal/robustio"
)

// lockFile is locked while a step is applied or reverted.
const lockFile = UndoDir + "/lock"

// wait is how long a command waits for another. Commands take far less unless they are
// waiting for an answer of the user.
const wait = time.Minute

// disk is a project's directory, locked.
type disk struct {
	root  *os.Root
	dir   string            // its path, without links
	texts map[string][]byte // as read from Files, nil for an absent file
	lock  *lockedfile.File  // nil for a command that only reads
	key   []byte            // see signature
	hook  func(what string)
	// fresh is set if a power failure would lose only what is being created. Files are not
	// synced then, which would take as long as everything else.
	fresh bool
}

// open locks dir.
func open(dir string, hook func(string)) (*disk, error) {
	d, err := at(dir)
	if err != nil {
		return nil, err
	}
	d.hook = hook
	if d.lock, err = d.acquire(filepath.Join(d.dir, filepath.FromSlash(lockFile))); err != nil {
		d.root.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return d, nil
}

// acquire waits for the lock. The operating system releases it when its holder dies.
func (d *disk) acquire(name string) (*lockedfile.File, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	begun := time.Now()
	// The last holder may remove the directory concurrently: then it is created again.
	vanished := func(err error) bool {
		return (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)) && time.Since(begun) < patience
	}
	for {
		if _, err := d.stat(lockFile); err != nil {
			return nil, err
		}
		if err := d.root.MkdirAll(UndoDir, 0o777); vanished(err) {
			continue
		} else if err != nil {
			return nil, err
		}
		type result struct {
			file *lockedfile.File
			err  error
		}
		locked := make(chan result, 1)
		go func() {
			file, err := lockedfile.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
			locked <- result{file, err}
		}()
		select {
		case got := <-locked:
			if vanished(got.err) {
				continue
			}
			if got.err != nil {
				return nil, got.err
			}
			// The last holder may have removed the file: then the lock is on a file that
			// no other command opens.
			opened, err := got.file.Stat()
			if now, gone := os.Lstat(name); err == nil && gone == nil && os.SameFile(opened, now) {
				return got.file, nil
			}
			got.file.Close()
		case <-deadline.C:
			go func() {
				if late := <-locked; late.err == nil {
					late.file.Close()
				}
			}()
			return nil, &problem.Error{Kind: problem.Failure, What: "another nexios command is running here", Try: "wait for it to finish, then run the same command again"}
		}
	}
}

// close releases the lock, and removes its files from a directory that is not a project.
func (d *disk) close() {
	defer d.root.Close()
	if d.lock == nil {
		return
	}
	defer d.lock.Close()
	if !d.only(path.Dir(UndoDir), path.Base(UndoDir)) || !d.only(UndoDir, path.Base(lockFile)) {
		return
	}
	if runtime.GOOS == "windows" {
		// Windows does not remove open files: neither ours before it is closed nor,
		// afterwards, one that another command has opened.
		d.lock.Close()
	}
	for _, name := range []string{lockFile, UndoDir, path.Dir(UndoDir)} {
		if d.root.Remove(name) != nil {
			return
		}
	}
}

// only reports whether dir contains nothing but name.
func (d *disk) only(dir, name string) bool {
	entries, err := fs.ReadDir(d.root.FS(), dir)
	return err == nil && len(entries) == 1 && entries[0].Name() == name
}

func (d *disk) step(what string) {
	if d.hook != nil {
		d.hook(what)
	}
}

// read returns a file's text and permissions; nil if it is absent.
func (d *disk) read(name string) ([]byte, fs.FileMode, error) {
	info, err := d.stat(name)
	if info == nil || err != nil {
		return nil, 0, err
	}
	data, err := d.root.ReadFile(name)
	if data == nil {
		data = []byte{}
	}
	return data, info.Mode().Perm(), err
}

// stat returns information about a file, nil if it is absent. It returns an error for
// symbolic links, also in the path, and for irregular files.
func (d *disk) stat(name string) (fs.FileInfo, error) {
	for i := 0; ; i++ {
		last := i == len(name)
		if !last && name[i] != '/' {
			continue
		}
		info, err := d.root.Lstat(name[:i])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		case err != nil:
			return nil, err
		case info.Mode()&fs.ModeSymlink != 0:
			return nil, fmt.Errorf("%s is a symbolic link, which nexios does not follow", name[:i])
		case !last && !info.IsDir():
			return nil, fmt.Errorf("%s is not a directory", name[:i])
		case last && !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s is not a file", name)
		case last:
			return info, nil
		}
	}
}

// writeTemp writes a complete file, and syncs it unless the disk is fresh. The mode is
// exact for a file that existed before, and subject to the umask for a new one; 0 is 0644.
func (d *disk) writeTemp(name string, data []byte, mode fs.FileMode, exact bool) (err error) {
	if mode == 0 && !exact {
		mode = 0o644
	}
	_ = d.root.Remove(name) // left by a killed command
	d.step("create " + name)
	file, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	d.step("fill " + name)
	if _, err := file.Write(data); err != nil {
		return err
	}
	d.step("sync " + name)
	if exact {
		if err := file.Chmod(mode); err != nil {
			return err
		}
	}
	if d.fresh {
		return nil
	}
	return file.Sync()
}

func (d *disk) rename(from, to string) error {
	d.step("rename " + to)
	return patiently(func() error { return d.root.Rename(from, to) })
}

// remove deletes a file; it may be absent.
func (d *disk) remove(name string) error {
	d.step("remove " + name)
	err := patiently(func() error { return d.root.Remove(name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// patience is how long to wait for a file that another program has open.
const patience = 2 * time.Second

// patiently retries an operation that Windows rejects while another program has a file
// open: an editor or a virus scanner for a moment, or `nexios dev`, which reads files as
// they change.
func patiently(do func() error) error {
	for begun, pause := time.Now(), time.Millisecond; ; pause *= 2 {
		err := do()
		if !robustio.IsEphemeralError(err) || errors.Is(err, fs.ErrNotExist) || time.Since(begun) > patience {
			return err
		}
		time.Sleep(pause)
	}
}

// removeEmpty removes a directory and its parents while they are empty.
func (d *disk) removeEmpty(dir string) {
	for ; dir != "." && !strings.HasPrefix(dir, "/"); dir = path.Dir(dir) {
		d.step("rmdir " + dir)
		if err := d.root.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
}

// sync makes renames in the directories durable. Where directories cannot be synced
// (Windows), that is left to the file system.
func (d *disk) sync(dirs map[string]bool) {
	for dir := range dirs {
		if file, err := d.root.Open(dir); err == nil {
			_ = file.Sync()
			file.Close()
		}
	}
}
