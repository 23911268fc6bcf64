package reload

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// Status is the current status of a development server.
type Status struct {
	URL    string       `json:"url"`
	Build  *event.Build `json:"build,omitempty"`  // the latest
	Failed bool         `json:"failed,omitempty"` // it does not run; an older version serves
	Test   *event.Test  `json:"test,omitempty"`
	// Newest first.
	Requests []event.Request `json:"requests,omitempty"`
	Logs     []event.Event   `json:"logs,omitempty"`
}

// status returns the data of the page at /dev for programs.
func (v devView) status() Status {
	return Status{URL: v.Address, Build: v.Build, Failed: v.Failed, Test: v.Test, Requests: v.Requests, Logs: v.Logs}
}

// location is written to a server's state directory for others to find it.
type location struct {
	Dir string `json:"dir"` // directory of the program
	URL string `json:"url"`
}

const locationFile = "at.json"

// writeLocation writes the server's location to its state directory.
func (s *server) writeLocation() error {
	text, err := json.Marshal(location{s.dir, s.url})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.state, locationFile), text, 0o600)
}

// GetStatus returns the status of the development server of the program in dir, or nil if
// none is running.
func GetStatus(ctx context.Context, dir string) (*Status, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(statesDir(), "*", locationFile))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		name, _, _ := strings.Cut(filepath.Base(filepath.Dir(file)), "-")
		pid, err := strconv.Atoi(name)
		if err != nil || !process.Alive(pid) {
			continue
		}
		text, err := os.ReadFile(file) // written by a server of this user
		if err != nil {
			continue // it has just exited
		}
		var found location
		if json.Unmarshal(text, &found) == nil && found.Dir == dir {
			return fetchStatus(ctx, found.URL)
		}
	}
	return nil, nil
}

func fetchStatus(ctx context.Context, url string) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/dev", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s/dev answers %s", url, response.Status)
	}
	var status Status
	return &status, json.NewDecoder(io.LimitReader(response.Body, 64<<20)).Decode(&status)
}
