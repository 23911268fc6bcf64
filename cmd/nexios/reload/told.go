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

// Told is what a development server has to tell of its project now.
type Told struct {
	URL    string       `json:"url"`
	Build  *event.Build `json:"build,omitempty"`  // the last one
	Failed bool         `json:"failed,omitempty"` // it is not running: an older version answers
	Test   *event.Test  `json:"test,omitempty"`
	// The newest come first.
	Requests []event.Request `json:"requests,omitempty"`
	Logs     []event.Event   `json:"logs,omitempty"`
}

// told is the same data as the page at /dev, for programs.
func (v devView) told() Told {
	return Told{URL: v.Address, Build: v.Build, Failed: v.Failed, Test: v.Test, Requests: v.Requests, Logs: v.Logs}
}

// at is what a server leaves in its directory of state, to be found by.
type at struct {
	Dir string `json:"dir"` // of the program
	URL string `json:"url"`
}

const atFile = "at.json"

// sign says where the server is.
func (s *server) sign() error {
	text, err := json.Marshal(at{s.dir, s.url})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.state, atFile), text, 0o600)
}

// Ask returns what the development server of the program in dir tells, or nil
// where none runs.
func Ask(ctx context.Context, dir string) (*Told, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(statesDir(), "*", atFile))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		name, _, _ := strings.Cut(filepath.Base(filepath.Dir(file)), "-")
		pid, err := strconv.Atoi(name)
		if err != nil || !process.Alive(pid) {
			continue
		}
		text, err := os.ReadFile(file) // #nosec G304 -- a server's own
		if err != nil {
			continue // it has just ended
		}
		var found at
		if json.Unmarshal(text, &found) == nil && found.Dir == dir {
			return ask(ctx, found.URL)
		}
	}
	return nil, nil
}

func ask(ctx context.Context, url string) (*Told, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/dev", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s/dev answers %s", url, answer.Status)
	}
	var told Told
	return &told, json.NewDecoder(io.LimitReader(answer.Body, 64<<20)).Decode(&told)
}
