package reload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/build"

	"github.com/fsnotify/fsnotify"
)

// watcher reports every file of a project that is written, made, renamed or
// removed. It watches directories, so editors that write a new file and rename
// it over the old one are seen as well.
type watcher struct {
	root  string
	paths chan string   // absolute
	lost  chan struct{} // the system dropped events: anything may have changed
	fs    *fsnotify.Watcher

	mu     sync.Mutex
	ignore ignore
	needed map[string]bool // directories the program is made from: watched whatever .gitignore says
}

// newWatcher watches root and everything below it that is not ignored.
func newWatcher(root string) (*watcher, error) {
	fsw, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{
		root:   root,
		paths:  make(chan string, 1024),
		lost:   make(chan struct{}, 1),
		fs:     fsw,
		ignore: newIgnore(root),
		needed: map[string]bool{},
	}
	if err := w.addTree(root, nil); err != nil {
		fsw.Close()
		return nil, err
	}
	go w.run()
	return w, nil
}

func (w *watcher) close() { w.fs.Close() }

// need watches dirs, wherever they are.
func (w *watcher) need(dirs []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, dir := range dirs {
		if w.needed[dir] {
			continue
		}
		if err := w.fs.Add(dir); err != nil {
			return err
		}
		w.needed[dir] = true
	}
	return nil
}

// run ends when the watcher is closed.
func (w *watcher) run() {
	defer close(w.paths)
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
	if e.Has(fsnotify.Create) {
		if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
			// Files made before the watch began are reported by the walk. An
			// error here is a directory that is gone again.
			_ = w.addTree(e.Name, func(path string) { w.paths <- path })
			return
		}
	}
	if e.Name == filepath.Join(w.root, ".gitignore") {
		w.mu.Lock()
		w.ignore = newIgnore(w.root)
		w.mu.Unlock()
		_ = w.addTree(w.root, nil)
		return
	}
	if w.wanted(e.Name) {
		w.paths <- e.Name
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
		if err := w.fs.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
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
