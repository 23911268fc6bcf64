package reload

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/build"
)

// glance is how often files are looked at where the system tells of changes, in case
// it does not: it takes two of them to know.
const glance = 5 * time.Second

// UsualPoll is how often they are looked at where it does not, and LeastPoll how often
// at most.
const (
	UsualPoll = time.Second
	LeastPoll = 50 * time.Millisecond
)

// stamp tells one version of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	mode     fs.FileMode
}

// seen is what is there at a time.
type seen struct {
	files  map[string]stamp
	dirs   map[string]bool
	needed map[string]bool // the directories that the program was known to be made from
}

// look looks at all files that matter.
func (w *watcher) look() (seen, error) {
	w.mu.Lock()
	is := seen{map[string]stamp{}, map[string]bool{}, maps.Clone(w.needed)}
	w.mu.Unlock()
	found := func(path string) {
		if info, err := os.Lstat(path); err == nil { // else it is gone again
			is.files[path] = stamp{info.ModTime(), info.Size(), info.Mode()}
		}
	}
	err := w.tree(w.root, found, func(dir string) error {
		is.dirs[dir] = true
		return nil
	})
	for dir := range is.needed {
		if is.dirs[dir] {
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // gone, which the build says
		}
		is.dirs[dir] = true
		for _, entry := range entries {
			if path := filepath.Join(dir, entry.Name()); !entry.IsDir() && w.wanted(path) {
				found(path)
			}
		}
	}
	return is, err
}

// poll looks at the files again and again, and reports those that changed without a
// word of the system. If every is 0 the system is trusted until that happens once.
func (w *watcher) poll(was seen, every time.Duration) {
	var doubted []string // changed when they were looked at last, and nobody has told yet
	for {
		pause := every
		if pause == 0 {
			pause = w.glance
		}
		select {
		case <-w.stop:
			return
		case <-time.After(pause):
		}
		told, all := w.takeTold() // first: what changes from here on is told of next time
		known := func(path string) bool { return !all || told[path] }
		is, err := w.look()
		if err != nil {
			continue // a mount that comes back, maybe
		}
		fresh := slices.DeleteFunc(w.changed(was, is, every > 0), known)
		was = is
		if every == 0 {
			doubted = slices.DeleteFunc(doubted, known)
			if len(doubted) == 0 {
				doubted = fresh
				continue
			}
			every = UsualPoll
			w.silent <- doubted[0] // there is room for the one
			fresh = append(doubted, fresh...)
		}
		for _, path := range fresh {
			if path == filepath.Join(w.root, ".gitignore") {
				w.readIgnore()
			}
			w.report(path)
		}
	}
}

// changed are the files that differ between two looks; those that are gone only if
// gone says so, since the system is silent on what moves away with its directory.
func (w *watcher) changed(was, is seen, gone bool) (paths []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, at := range is.files {
		before, there := was.files[path]
		if dir := filepath.Dir(path); !there && w.needed[dir] && !was.needed[dir] &&
			(!was.dirs[dir] || w.ignore.match(build.Relative(w.root, path), false)) {
			continue // it is not new, only needed since
		}
		if !there || before != at {
			paths = append(paths, path)
		}
	}
	for path := range was.files {
		if _, there := is.files[path]; !there && gone {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// takeTold is what the system told of since the last time; all is false where it
// lost some of it.
func (w *watcher) takeTold() (told map[string]bool, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	told, w.told = w.told, map[string]bool{}
	return told, told != nil
}
