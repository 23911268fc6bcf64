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

// rooms are the packages whose tests have not passed since they changed.
type rooms map[string]bool // directories, as "./internal/posts"

// changed notes that a Go file below root did.
func (r rooms) changed(root, path string) {
	if strings.HasSuffix(path, ".go") && build.Inside(root, path) {
		if dir := filepath.ToSlash(filepath.Dir(build.Relative(root, path))); dir == "." {
			r["."] = true
		} else {
			r["./"+dir] = true
		}
	}
}

func (r rooms) list() []string { return slices.Sorted(maps.Keys(r)) }

// testRooms runs the tests of packages in root. An error means that they could
// not be run, or were cancelled.
func testRooms(ctx context.Context, s *process.Spawner, root string, packages []string) (event.Test, error) {
	start := time.Now()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test"}, packages...)...)
	cmd.Dir = root
	// The tests' own temporary files lie there as well, and their paths must be
	// short enough for sockets.
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
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return t, err
	}
	return t, nil
}
