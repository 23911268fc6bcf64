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

// askLimit is how long one of the program's own commands may take.
const askLimit = time.Minute

// route is one line of what the program's `routes --json` writes.
type route struct {
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	Summary string   `json:"summary"`
	Guards  []string `json:"guards"`
	Open    bool     `json:"open"` // changes data and has no guard
}

// routesCache is what the newest version that was asked serves.
type routesCache struct {
	mu   sync.Mutex
	of   *process.App
	list []route
	why  string
}

// get asks the version that answers, once. It returns why there are none.
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
	list, err := s.askRoutes(context.Background(), a.Binary)
	c.of, c.list, c.why = a, list, ""
	if err != nil {
		c.why = "the program did not list its routes: " + err.Error()
	}
	return c.list, c.why
}

// ask runs one of the program's own commands and returns what it wrote.
func (s *server) ask(ctx context.Context, binary string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = s.dir
	cmd.Env = s.environ()
	return s.spawn.Output(cmd)
}

// askRoutes asks binary what it serves.
func (s *server) askRoutes(ctx context.Context, binary string) ([]route, error) {
	var out strings.Builder
	ctx, cancel := context.WithTimeout(ctx, askLimit)
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

// migrations asks binary how many of its migrations the database lacks, and
// which ones of the database it has not. A program without that command, or
// whose database does not answer, says neither.
func (s *server) migrations(ctx context.Context, binary string) (pending int, unknown []string) {
	out, err := s.ask(ctx, binary, "migrate", "status")
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

// openBrowser shows url to the person, or calls none when there is no way.
func openBrowser(url string, none func()) {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		none()
		return
	}
	go func() { // some stay as long as the browser does
		if cmd.Wait() != nil {
			none()
		}
	}()
}
