package reload

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/build"

	"github.com/fsnotify/fsnotify"
)

// watcher reports every file of a project that is written, created, renamed or removed.
// It watches directories, which catches editors that write a new file and rename it
// over the old one. Where the system reports nothing, as in containers and on network
// mounts, it polls; see poll.go.
type watcher struct {
	root         string
	paths        chan string       // absolute
	lost         chan struct{}     // the system dropped events: any file may have changed
	silent       chan string       // a file that changed without an event
	fs           *fsnotify.Watcher // nil if only polling
	fallbackPoll time.Duration     // interval of polling in addition to events
	stop         chan struct{}
	running      sync.WaitGroup

	mu       sync.Mutex
	ignore   ignore
	needed   map[string]bool // directories that the program is built from: watched even if ignored
	reported map[string]bool // files with events since the last scan
}

// newWatcher watches root and everything below it that is not ignored. If poll is not 0
// it checks the files at that interval; otherwise it uses file system events, and
// checks the files every fallbackPoll in case events do not arrive.
func newWatcher(root string, poll, fallbackPoll time.Duration) (*watcher, error) {
	w := &watcher{
		root:         root,
		paths:        make(chan string, 1024),
		lost:         make(chan struct{}, 1),
		silent:       make(chan string, 1),
		fallbackPoll: fallbackPoll,
		stop:         make(chan struct{}),
		ignore:       newIgnore(root),
		needed:       map[string]bool{},
		reported:     map[string]bool{},
	}
	if poll == 0 {
		var err error
		if w.fs, err = fsnotify.NewWatcher(); err != nil {
			return nil, err
		}
		if err := w.addTree(root, nil); err != nil {
			w.fs.Close()
			return nil, err
		}
		w.running.Go(w.run)
	}
	first, err := w.scan()
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.running.Go(func() { w.poll(first, poll) })
	go func() {
		w.running.Wait()
		close(w.paths)
	}()
	return w, nil
}

func (w *watcher) close() error {
	close(w.stop)
	if w.fs != nil {
		return w.fs.Close()
	}
	return nil
}

// dirs returns the watched directories.
func (w *watcher) dirs() []string {
	if w.fs != nil {
		return w.fs.WatchList()
	}
	var dirs []string
	if snapshot, err := w.scan(); err == nil {
		dirs = slices.Sorted(maps.Keys(snapshot.dirs))
	}
	return dirs
}

// report sends a changed file to the loop, unless the watcher is closed.
func (w *watcher) report(path string) {
	select {
	case w.paths <- path:
	case <-w.stop:
	}
}

// need watches dirs, wherever they are.
func (w *watcher) need(dirs []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, dir := range dirs {
		if w.needed[dir] {
			continue
		}
		if w.fs != nil {
			if err := w.fs.Add(dir); err != nil {
				return err
			}
		}
		w.needed[dir] = true
	}
	return nil
}

// run handles events until the watcher is closed.
func (w *watcher) run() {
	for {
		select {
		case e, ok := <-w.fs.Events:
			if !ok {
				return
			}
			w.event(e)
		case err, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				w.mu.Lock()
				w.reported = nil // unknown
				w.mu.Unlock()
				select {
				case w.lost <- struct{}{}:
				default:
				}
			}
		}
	}
}

func (w *watcher) event(e fsnotify.Event) {
	if e.Op == fsnotify.Chmod {
		return
	}
	w.note(e.Name)
	if e.Has(fsnotify.Create) {
		if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
			// The walk reports files created before the watch. On error, the directory
			// was removed again.
			_ = w.addTree(e.Name, func(path string) {
				w.note(path)
				w.report(path)
			})
			return
		}
	}
	if e.Name == filepath.Join(w.root, ".gitignore") {
		w.readIgnore()
		_ = w.addTree(w.root, nil)
		return
	}
	if w.relevant(e.Name) {
		w.report(e.Name)
	}
}

func (w *watcher) readIgnore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ignore = newIgnore(w.root)
}

// note records an event for a file.
func (w *watcher) note(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reported != nil {
		w.reported[path] = true
	}
}

// relevant reports whether a change of the file at path can matter. That includes .env
// files, although git usually ignores them.
func (w *watcher) relevant(path string) bool {
	if isTempFile(filepath.Base(path)) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.needed[filepath.Dir(path)] {
		return true
	}
	if !build.Inside(w.root, path) {
		return false
	}
	if filepath.Dir(path) == w.root && strings.HasPrefix(filepath.Base(path), ".env") {
		return true
	}
	return !w.ignore.match(build.Relative(w.root, path), false)
}

// isTempFile reports whether name is that of a temporary file of an editor.
func isTempFile(name string) bool {
	return strings.HasSuffix(name, "~") || strings.HasPrefix(name, ".#") || strings.HasPrefix(name, "#") ||
		strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swx") || strings.HasPrefix(name, ".nexios-") || name == "4913" || name == ".DS_Store"
}

// addTree watches dir and everything below it, and calls found, if not nil, for every
// file.
func (w *watcher) addTree(dir string, found func(path string)) error {
	return w.tree(dir, found, func(path string) error {
		if err := w.fs.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// tree calls found, if not nil, for every relevant file in dir and below it, and enter
// for every directory.
func (w *watcher) tree(dir string, found func(path string), enter func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if path == w.root {
				return err
			}
			return nil // removed during the walk
		}
		if !entry.IsDir() {
			if found != nil && w.relevant(path) {
				found(path)
			}
			return nil
		}
		if build.Inside(w.root, path) {
			w.mu.Lock()
			skip := w.ignore.match(build.Relative(w.root, path), true) && !w.needed[path]
			w.mu.Unlock()
			if skip {
				return filepath.SkipDir
			}
		}
		return enter(path)
	})
}

// savedAgo returns how long ago the newest of the files was written, if that is
// plausible: the part of a reload that passed before the watcher noticed.
func savedAgo(paths []string, now time.Time) time.Duration {
	var newest time.Time
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if ago := now.Sub(newest); ago >= 0 && ago < 2*time.Second {
		return ago
	}
	return 0
}
