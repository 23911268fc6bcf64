package build

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// Progress is the progress of a build by the go command.
type Progress struct {
	Took     time.Duration
	Packages int    // compiled so far
	Newest   string // the package compiled or the module downloaded last
}

// goOutput is a writer for the output of `go build -v`: it counts the names of compiled
// packages and keeps everything else.
type goOutput struct {
	mu       sync.Mutex
	line     []byte // incomplete
	kept     bytes.Buffer
	progress Progress
}

// Write implements io.Writer.
func (o *goOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for line := range bytes.Lines(p) {
		o.line = append(o.line, line...)
		if !bytes.HasSuffix(o.line, []byte("\n")) {
			break
		}
		o.handleLine(string(o.line))
		o.line = o.line[:0]
	}
	return len(p), nil
}

func (o *goOutput) handleLine(line string) {
	text := strings.TrimSpace(line)
	module, downloads := strings.CutPrefix(text, "go: downloading ")
	switch {
	case downloads:
		o.progress.Newest = module
	case text != "" && !strings.ContainsAny(text, " \t:#"):
		o.progress.Packages++
		o.progress.Newest = text
	default:
		o.kept.WriteString(line)
	}
}

// String returns the output of a failed build, without progress.
func (o *goOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.String() + string(o.line)
}

// watch calls report at every interval until the returned function is called.
func (o *goOutput) watch(interval time.Duration, report func(Progress)) (end func()) {
	if report == nil {
		return func() {}
	}
	started, stop, stopped := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticks.C:
				o.mu.Lock()
				progress := o.progress
				o.mu.Unlock()
				progress.Took = time.Since(started)
				report(progress)
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}
