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

// watcher reports every file of a project that is written, made, renamed or
// removed. It watches directories, so editors that write a new file and rename
// it over the old one are seen as well. Where the system tells nothing, as in
// containers and on network mounts, it looks at the files itself; see poll.go.
type watcher struct {
	root   string
	paths  chan string       // absolute
	lost   chan struct{}     // the system dropped events: anything may have changed
	silent chan string       // a file that changed without a word of the system
	fs     *fsnotify.Watcher // nil where only files are looked at
	glance time.Duration     // between two looks where the system tells of changes
	stop   chan struct{}
	ended  sync.WaitGroup

	mu     sync.Mutex
	ignore ignore
	needed map[string]bool // directories the program is made from: watched whatever .gitignore says
	told   map[string]bool // files that the system told of since they were looked at
}

// newWatcher watches root and everything below it that is not ignored, by looking
// at the files that often if poll is not 0, and otherwise as often as glance in case
// that the system is silent.
func newWatcher(root string, poll, glance time.Duration) (*watcher, error) {
	w := &watcher{
		root:   root,
		paths:  make(chan string, 1024),
		lost:   make(chan struct{}, 1),
		silent: make(chan string, 1),
		glance: glance,
		stop:   make(chan struct{}),
		ignore: newIgnore(root),
		needed: map[string]bool{},
		told:   map[string]bool{},
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
		w.ended.Go(w.run)
	}
	first, err := w.look()
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.ended.Go(func() { w.poll(first, poll) })
	go func() {
		w.ended.Wait()
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

// dirs are the directories that are watched.
func (w *watcher) dirs() []string {
	if w.fs != nil {
		return w.fs.WatchList()
	}
	var dirs []string
	if seen, err := w.look(); err == nil {
		dirs = slices.Sorted(maps.Keys(seen.dirs))
	}
	return dirs
}

// report hands a changed file to the loop, unless it has ended.
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

// run ends when the watcher is closed.
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
				w.told = nil // nobody knows
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
			// Files made before the watch began are reported by the walk. An
			// error here is a directory that is gone again.
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
	if w.wanted(e.Name) {
		w.report(e.Name)
	}
}

func (w *watcher) readIgnore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ignore = newIgnore(w.root)
}

// note remembers that the system told of a file.
func (w *watcher) note(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told != nil {
		w.told[path] = true
	}
}

// wanted says whether a change of the file at path may matter. Settings files
// matter though they are rarely in git.
func (w *watcher) wanted(path string) bool {
	if scratch(filepath.Base(path)) {
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

// scratch says whether editors make and remove files of that name beside the
// one they save.
func scratch(name string) bool {
	return strings.HasSuffix(name, "~") || strings.HasPrefix(name, ".#") || strings.HasPrefix(name, "#") ||
		strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swx") || strings.HasPrefix(name, ".nexios-") || name == "4913" || name == ".DS_Store"
}

// addTree watches dir and what is below it, and tells found about every file
// there.
func (w *watcher) addTree(dir string, found func(path string)) error {
	return w.tree(dir, found, func(path string) error {
		if err := w.fs.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// tree tells found about every file in dir and below it that matters, nil for
// nobody, and enter about every directory.
func (w *watcher) tree(dir string, found func(path string), enter func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if path == w.root {
				return err
			}
			return nil // removed while we look
		}
		if !entry.IsDir() {
			if found != nil && w.wanted(path) {
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

// savedAgo is how long ago the newest of the files was written, when that is
// believable: the part of a reload that passed before the watcher knew.
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
