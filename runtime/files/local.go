package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"syscall"
	"time"

	"github.com/nexios-go/nexios/runtime/fault"
)

// local is a directory: objects in one of 1,024 subdirectories named by their first two
// characters, unfinished ones in tmp. os.Root confines every path to it. The first Put
// creates the directory, so that commands which store nothing do not.
type local struct{ dir string }

const tempDir = "tmp"

func openLocal(dir string) (Store, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("FILES_URL: %s is not a directory\n  kinds: %s\n  try:   FILES_URL=file:data/files", dir, kinds)
	}
	return local{dir}, nil
}

func objectPath(name string) string { return path.Join(name[:2], name) }

func (s local) Put(_ context.Context, name string, r io.Reader) (err error) {
	if !ValidName(name) {
		return fmt.Errorf("store %q: %w", name, fs.ErrInvalid)
	}
	defer func() {
		if noSpace(err) {
			err = fault.NoSpace(err)
		}
	}()
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(tempDir, 0o750); err != nil {
		return err
	}
	temp := path.Join(tempDir, name)
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreNotExist(root.Remove(temp)))
		}
	}()
	_, err = io.Copy(file, r)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := root.MkdirAll(name[:2], 0o750); err != nil {
		return err
	}
	if err := root.Rename(temp, objectPath(name)); err != nil {
		return err
	}
	return syncDir(root, name[:2])
}

func (s local) Open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	if !ValidName(name) {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(objectPath(name))
}

func (s local) Delete(_ context.Context, name string) error {
	if !ValidName(name) {
		return nil
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return ignoreNotExist(err)
	}
	defer root.Close()
	return ignoreNotExist(root.Remove(objectPath(name)))
}

func (s local) Each(ctx context.Context, before time.Time, visit func(name string) error) error {
	return s.walk(ctx, ".", before, func(_ *os.Root, file string) error {
		if name := path.Base(file); ValidName(name) && file == objectPath(name) {
			return visit(name)
		}
		return nil
	})
}

func (s local) Clean(ctx context.Context, before time.Time) error {
	return s.walk(ctx, tempDir, before, (*os.Root).Remove)
}

// walk calls visit for every file below dir last modified before the given time. A
// missing directory is treated as empty.
func (s local) walk(ctx context.Context, dir string, before time.Time, visit func(root *os.Root, file string) error) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return ignoreNotExist(err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), dir, func(file string, entry fs.DirEntry, err error) error {
		if err := errors.Join(ignoreNotExist(err), ctx.Err()); err != nil || entry == nil {
			return err
		}
		if entry.IsDir() {
			if dir == "." && file == tempDir {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil || !info.ModTime().Before(before) {
			return ignoreNotExist(err)
		}
		return ignoreNotExist(visit(root, file))
	})
}

func (s local) Ready(context.Context) error {
	_, err := os.Stat(s.dir)
	return ignoreNotExist(err)
}

// ignoreNotExist returns err unless it is fs.ErrNotExist.
func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// noSpace reports whether err means that the disk or quota is full: ENOSPC and EDQUOT,
// or 39 and 112 on Windows.
func noSpace(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	if runtime.GOOS == "windows" {
		return ok && (number == 39 || number == 112)
	}
	return ok && (number == syscall.ENOSPC || number == syscall.EDQUOT)
}

// syncDir makes a rename in dir survive a power failure. Systems without directory sync
// return an error, which is ignored.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if runtime.GOOS == "windows" || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
