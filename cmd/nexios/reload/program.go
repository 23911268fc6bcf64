package reload

import (
	"context"
	"encoding/json"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// commandLimit is how long one of the program's own commands may take.
const commandLimit = time.Minute

// route is an element of the output of `routes --json`.
type route struct {
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	Summary string   `json:"summary"`
	Guards  []string `json:"guards"`
	Open    bool     `json:"open"` // changes data without a guard
}

// routesCache holds the routes of the version that was queried last.
type routesCache struct {
	mu   sync.Mutex
	of   *process.App
	list []route
	why  string
}

// get returns the routes of the version that serves, or why there are none. It queries
// each version once.
func (c *routesCache) get(s *server) ([]route, string) {
	a := s.proxy.Running()
	if a == nil {
		return nil, "the program is not running"
	}
	if !s.nexios {
		return nil, "the program has no routes command"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == a {
		return c.list, c.why
	}
	list, err := s.listRoutes(context.Background(), a.Binary)
	c.of, c.list, c.why = a, list, ""
	if err != nil {
		c.why = "the program did not list its routes: " + err.Error()
	}
	return c.list, c.why
}

// runCommand runs one of the program's own commands and returns its output.
func (s *server) runCommand(ctx context.Context, binary string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = s.dir
	cmd.Env = s.environ()
	return s.spawn.Output(cmd)
}

// listRoutes returns the routes of binary.
func (s *server) listRoutes(ctx context.Context, binary string) ([]route, error) {
	var out strings.Builder
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "routes", "--json")
	cmd.Dir = s.dir
	cmd.Env = s.environ()
	cmd.Stdout = &out
	if _, err := s.spawn.Output(cmd); err != nil {
		return nil, err
	}
	var list []route
	return list, json.Unmarshal([]byte(out.String()), &list)
}

// migrations returns how many migrations of binary are pending, and which applied ones
// it does not have. Both are zero if it has no such command or cannot reach its
// database.
func (s *server) migrations(ctx context.Context, binary string) (pending int, unknown []string) {
	out, err := s.runCommand(ctx, binary, "migrate", "status")
	if err != nil {
		return 0, nil
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case fields[0] == "pending":
			pending++
		case fields[0] == "unknown":
			unknown = append(unknown, fields[len(fields)-1])
		}
	}
	return pending, unknown
}

// openBrowser opens url in a browser, or calls onError if that fails.
func openBrowser(url string, onError func()) {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		onError()
		return
	}
	go func() { // some commands run as long as the browser
		if cmd.Wait() != nil {
			onError()
		}
	}()
}
