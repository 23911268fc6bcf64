package reload

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/build"
	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// untested are the packages whose tests have not passed since they changed.
type untested map[string]bool // directories, such as "./internal/posts"

// changed records a change of a Go file below root.
func (r untested) changed(root, path string) {
	if strings.HasSuffix(path, ".go") && build.Inside(root, path) {
		if dir := filepath.ToSlash(filepath.Dir(build.Relative(root, path))); dir == "." {
			r["."] = true
		} else {
			r["./"+dir] = true
		}
	}
}

func (r untested) list() []string { return slices.Sorted(maps.Keys(r)) }

// runTests runs the tests of packages in root. It returns an error if they could not
// run or were cancelled.
func runTests(ctx context.Context, s *process.Spawner, root string, packages []string) (event.Test, error) {
	start := time.Now()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test"}, packages...)...)
	cmd.Dir = root
	// The temporary files of the tests go there, too, and their paths must be short
	// enough for sockets.
	temp, err := os.MkdirTemp("", "nexios-")
	if err != nil {
		return event.Test{}, err
	}
	defer os.RemoveAll(temp)
	cmd.Env = append(cmd.Environ(), "GOTMPDIR="+temp)
	out, err := s.Output(cmd)
	t := event.Test{Packages: packages, OK: err == nil, Took: event.Milliseconds(time.Since(start)), Output: out}
	if ctx.Err() != nil {
		return t, ctx.Err()
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return t, err
	}
	return t, nil
}
