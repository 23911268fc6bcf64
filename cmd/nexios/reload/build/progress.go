package build

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// Progress is how far a build by the go command is.
type Progress struct {
	Took     time.Duration
	Packages int    // that are compiled
	Newest   string // the last of them, or the module that is downloaded
}

// goOutput takes what `go build -v` writes: the names of packages as they are
// compiled, and everything else, which is kept.
type goOutput struct {
	mu   sync.Mutex
	line []byte // that has not ended
	kept bytes.Buffer
	far  Progress
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
		o.take(string(o.line))
		o.line = o.line[:0]
	}
	return len(p), nil
}

func (o *goOutput) take(line string) {
	text := strings.TrimSpace(line)
	module, downloads := strings.CutPrefix(text, "go: downloading ")
	switch {
	case downloads:
		o.far.Newest = module
	case text != "" && !strings.ContainsAny(text, " \t:#"):
		o.far.Packages++
		o.far.Newest = text
	default:
		o.kept.WriteString(line)
	}
}

// String is what there is to tell of a build that failed.
func (o *goOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.String() + string(o.line)
}

// watch tells how far the build is, every interval until the end of the work that
// it returns.
func (o *goOutput) watch(interval time.Duration, tell func(Progress)) (end func()) {
	if tell == nil {
		return func() {}
	}
	started, over, told := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for {
			select {
			case <-over:
				return
			case <-ticks.C:
				o.mu.Lock()
				far := o.far
				o.mu.Unlock()
				far.Took = time.Since(started)
				tell(far)
			}
		}
	}()
	return func() {
		close(over)
		<-told
	}
}
