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

// fallbackPoll is how often files are checked in case file system events do not arrive.
// It takes two checks to tell.
const fallbackPoll = 5 * time.Second

// UsualPoll is how often files are checked if events do not arrive, LeastPoll the
// minimum of --poll.
const (
	UsualPoll = time.Second
	LeastPoll = 50 * time.Millisecond
)

// stamp identifies a version of a file.
type stamp struct {
	modified time.Time
	size     int64
	mode     fs.FileMode
}

// snapshot is the state of the files at one time.
type snapshot struct {
	files  map[string]stamp
	dirs   map[string]bool
	needed map[string]bool // directories that the program was known to be built from
}

// scan takes a snapshot of all relevant files.
func (w *watcher) scan() (snapshot, error) {
	w.mu.Lock()
	now := snapshot{map[string]stamp{}, map[string]bool{}, maps.Clone(w.needed)}
	w.mu.Unlock()
	found := func(path string) {
		if info, err := os.Lstat(path); err == nil { // otherwise it was removed meanwhile
			now.files[path] = stamp{info.ModTime(), info.Size(), info.Mode()}
		}
	}
	err := w.tree(w.root, found, func(dir string) error {
		now.dirs[dir] = true
		return nil
	})
	for dir := range now.needed {
		if now.dirs[dir] {
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // removed; the build reports it
		}
		now.dirs[dir] = true
		for _, entry := range entries {
			if path := filepath.Join(dir, entry.Name()); !entry.IsDir() && w.relevant(path) {
				found(path)
			}
		}
	}
	return now, err
}

// poll scans the files repeatedly and reports changes without an event. If every is 0,
// events are trusted until the first such change.
func (w *watcher) poll(was snapshot, every time.Duration) {
	var suspects []string // changed at the last scan, with no event so far
	for {
		pause := every
		if pause == 0 {
			pause = w.fallbackPoll
		}
		select {
		case <-w.stop:
			return
		case <-time.After(pause):
		}
		reported, all := w.takeReported() // before the scan: events from here on belong to the next one
		known := func(path string) bool { return !all || reported[path] }
		now, err := w.scan()
		if err != nil {
			continue // perhaps a mount that comes back
		}
		fresh := slices.DeleteFunc(w.changed(was, now, every > 0), known)
		was = now
		if every == 0 {
			suspects = slices.DeleteFunc(suspects, known)
			if len(suspects) == 0 {
				suspects = fresh
				continue
			}
			every = UsualPoll
			w.silent <- suspects[0] // the buffer holds one, and it is sent once
			fresh = append(suspects, fresh...)
		}
		for _, path := range fresh {
			if path == filepath.Join(w.root, ".gitignore") {
				w.readIgnore()
			}
			w.report(path)
		}
	}
}

// changed returns the files that differ between two snapshots. Removed files are
// included only if gone is set: there are no events for files that move away with their
// directory.
func (w *watcher) changed(was, now snapshot, gone bool) (paths []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, at := range now.files {
		before, existed := was.files[path]
		if dir := filepath.Dir(path); !existed && w.needed[dir] && !was.needed[dir] &&
			(!was.dirs[dir] || w.ignore.match(build.Relative(w.root, path), false)) {
			continue // not new, only needed since
		}
		if !existed || before != at {
			paths = append(paths, path)
		}
	}
	for path := range was.files {
		if _, existed := now.files[path]; !existed && gone {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// takeReported returns and resets the files with events. all is false if events were
// lost.
func (w *watcher) takeReported() (reported map[string]bool, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	reported, w.reported = w.reported, map[string]bool{}
	return reported, reported != nil
}
