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
	"time"
)

// local is a directory: objects in one of 1,024 sub-directories named by the
// first two letters, unfinished ones in tmp. os.Root keeps every path inside.
type local struct{ root *os.Root }

const unfinished = "tmp"

func openLocal(dir string) (Store, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("FILES_URL: %w\n  try:   FILES_URL=file:DIR with a directory that can be written", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("FILES_URL: %w\n  try:   FILES_URL=file:DIR with a directory that can be read", err)
	}
	return local{root}, nil
}

func place(name string) string { return path.Join(name[:2], name) }

func (s local) Put(_ context.Context, name string, r io.Reader) (err error) {
	if !ValidName(name) {
		return fmt.Errorf("store %q: %w", name, fs.ErrInvalid)
	}
	if err := s.root.MkdirAll(unfinished, 0o750); err != nil {
		return err
	}
	temp := path.Join(unfinished, name)
	file, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.root.Remove(temp))
		}
	}()
	_, err = io.Copy(file, r)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := s.root.MkdirAll(name[:2], 0o750); err != nil {
		return err
	}
	if err := s.root.Rename(temp, place(name)); err != nil {
		return err
	}
	return syncDir(s.root, name[:2])
}

func (s local) Open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	if !ValidName(name) {
		return nil, fs.ErrNotExist
	}
	return s.root.Open(place(name))
}

func (s local) Delete(_ context.Context, name string) error {
	if !ValidName(name) {
		return nil
	}
	err := s.root.Remove(place(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s local) Each(ctx context.Context, before time.Time, visit func(name string) error) error {
	return s.walk(ctx, ".", before, func(file string) error {
		if name := path.Base(file); ValidName(name) && file == place(name) {
			return visit(name)
		}
		return nil
	})
}

func (s local) Clean(ctx context.Context, before time.Time) error {
	err := s.walk(ctx, unfinished, before, s.root.Remove)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// walk calls visit for every file below dir that was last written before the
// given time.
func (s local) walk(ctx context.Context, dir string, before time.Time, visit func(file string) error) error {
	return fs.WalkDir(s.root.FS(), dir, func(file string, entry fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if entry.IsDir() {
			if dir == "." && file == unfinished {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted since it was listed
		}
		if err != nil || !info.ModTime().Before(before) {
			return err
		}
		return visit(file)
	})
}

func (s local) Ready(context.Context) error {
	_, err := s.root.Stat(".")
	return err
}

func (s local) Close() error { return s.root.Close() }

// syncDir makes a rename in dir last through a power cut. Systems that cannot
// sync a directory (Windows) refuse to, and lose nothing that they promised.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if err != nil && (runtime.GOOS == "windows" || errors.Is(err, errors.ErrUnsupported)) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
