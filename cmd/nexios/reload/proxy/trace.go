package proxy

import (
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// Limits of what is kept of a request.
const (
	statementsKept = 50   // distinct ones; others are only counted
	logsKept       = 50   // lines
	TextKept       = 2000 // bytes of each
)

// recordsLimit is how long after the response to wait for the last record of a request.
const recordsLimit = 300 * time.Millisecond

// traces collect the log records of requests in progress.
type traces struct {
	mu   sync.Mutex
	open map[string]*trace // by request id
}

// trace is what the log contains about a request.
type trace struct {
	id         string
	count      int // statements
	statements []event.Statement
	places     map[string]int // index in statements by query
	logs       []string
	done       bool
	ended      chan struct{} // closed at the request's last record
}

// begin collects for a request until end. If two requests have the same ID from their
// clients, the first one gets all records.
func (ts *traces) begin(id string) *trace {
	t := &trace{id: id, places: map[string]int{}, ended: make(chan struct{})}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.open[id] == nil {
		ts.open[id] = t
	}
	return t
}

// end adds what was collected to r.
func (ts *traces) end(t *trace, r *event.Request) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.open[t.id] == t {
		delete(ts.open, t.id)
	}
	r.SQL, r.Statements, r.Logs = t.count, t.statements, t.logs
	for _, s := range t.statements {
		r.Repeat = max(r.Repeat, s.Count)
	}
}

// note records a log line of a request in progress. It reports whether the line needs
// no further display: requests are shown anyway.
func (ts *traces) note(l process.Line) bool {
	if l.Request == process.OwnRequest {
		return l.Level < slog.LevelWarn
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.open[l.Request]
	switch {
	case t == nil || t.done:
		return false
	case l.SQL != nil:
		t.add(*l.SQL)
		return false
	case l.Message == process.MessageRequest:
		t.done = true
		close(t.ended)
		return true
	case len(t.logs) < logsKept:
		t.logs = append(t.logs, event.Cut(l.Text, TextKept))
	}
	return false
}

func (t *trace) add(s event.Statement) {
	t.count++
	if i, known := t.places[s.Query]; known {
		old := &t.statements[i]
		old.Count++
		old.Took = math.Round(100*(old.Took+s.Took)) / 100
		old.Rows += s.Rows
		old.Failed = old.Failed || s.Failed
		return
	}
	if len(t.statements) < statementsKept {
		t.places[s.Query] = len(t.statements)
		s.Query = event.Cut(s.Query, TextKept)
		t.statements = append(t.statements, s)
	}
}
