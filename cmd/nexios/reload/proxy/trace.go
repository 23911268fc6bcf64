package proxy

import (
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// Bounds of what is kept of one request.
const (
	statementsKept = 50   // different ones; the others are only counted
	logsKept       = 50   // lines
	TextKept       = 2000 // bytes of each
)

// recordsLimit is how long after its answer the last record of a request may
// come.
const recordsLimit = 300 * time.Millisecond

// traces collect what the program tells of the requests under way.
type traces struct {
	mu   sync.Mutex
	open map[string]*trace // by request id
}

// trace is what the program told of one request.
type trace struct {
	id         string
	count      int // statements
	statements []event.Statement
	places     map[string]int // of queries in statements
	logs       []string
	over       bool
	ended      chan struct{} // closed by the request's last record
}

// begin collects for a request until end. Of two requests that a client gave
// the same id, what belongs to which cannot be told: the first one gets it.
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

// note keeps what l says of a request under way. It returns whether that is
// all that l is good for: the requests themselves are shown anyway.
func (ts *traces) note(l process.Line) bool {
	if l.Request == process.OwnRequest {
		return l.Level < slog.LevelWarn
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.open[l.Request]
	switch {
	case t == nil || t.over:
		return false
	case l.SQL != nil:
		t.add(*l.SQL)
		return false
	case l.Message == process.MessageRequest:
		t.over = true
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
