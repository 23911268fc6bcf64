package reload

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// Limits of what the program may add to the page.
const (
	panelLimit = time.Second // for all responses
	panelBytes = 1 << 20
	panelRows  = 50
	panelCell  = 300 // bytes
)

// panel is a table that the program adds to the page; see web.Panel of the runtime.
type panel struct {
	Path  string `json:"-"`
	Why   string `json:"-"` // why there is nothing to show
	Title string
	Text  string
	Head  []string
	Rows  []struct {
		Cells []string
		Link  string
		Alarm bool
	}
}

// panels queries the development routes of a, the version that serves.
func panels(a *process.App, routes []route) []panel {
	ctx, cancel := context.WithTimeout(context.Background(), panelLimit)
	defer cancel()
	var all []panel
	for _, r := range routes {
		if r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/dev/") && !strings.Contains(r.Path, ":") {
			all = append(all, panel{Path: r.Path, Title: r.Path})
		}
	}
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			if err := all[i].fetch(ctx, a); err != nil {
				all[i].Why = err.Error()
			}
		})
	}
	wg.Wait()
	return all
}

func (p *panel) fetch(ctx context.Context, a *process.App) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+p.Path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set(process.RequestIDHeader, process.OwnRequest)
	response, err := a.Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, panelBytes)).Decode(p); err != nil {
		return fmt.Errorf("it answers no panel: %w", err)
	}
	p.Rows = p.Rows[:min(len(p.Rows), panelRows)]
	for _, row := range p.Rows {
		for i := range row.Cells {
			row.Cells[i] = event.Cut(row.Cells[i], panelCell)
		}
	}
	return nil
}
