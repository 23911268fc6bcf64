package reload

import (
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept of one request.
const (
	statementsKept = 50   // different ones; the others are only counted
	logsKept       = 50   // lines
	textKept       = 2000 // bytes of each
)

// recordsLimit is how long after its answer the last record of a request may
// come.
const recordsLimit = 300 * time.Millisecond

const (
	requestIDHeader = "X-Request-Id"
	// ownRequest is the id of requests that are ours: nobody asks about them.
	ownRequest = "nexios-dev"
)

// Statement is an SQL statement of a request, with ? for its values, however
// often it ran.
type Statement struct {
	Query  string  `json:"query"`
	Count  int     `json:"count"`
	Took   float64 `json:"took_ms"` // of all times it ran
	Rows   int64   `json:"rows"`    // likewise
	Failed bool    `json:"failed,omitempty"`
}

// Many says whether the statement looks like one query a row.
func (s Statement) Many() bool { return s.Count > manyRepeats }

// traces collect what the program tells of the requests under way.
type traces struct {
	mu   sync.Mutex
	open map[string]*trace // by request id
}

// trace is what the program told of one request.
type trace struct {
	id         string
	count      int // statements
	statements []Statement
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
func (ts *traces) end(t *trace, r *Request) {
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
func (ts *traces) note(l line) bool {
	if l.request == ownRequest {
		return l.level < slog.LevelWarn
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.open[l.request]
	switch {
	case t == nil || t.over:
		return false
	case l.sql != nil:
		t.add(*l.sql)
		return false
	case l.message == messageRequest:
		t.over = true
		close(t.ended)
		return true
	case len(t.logs) < logsKept:
		t.logs = append(t.logs, cut(l.text, textKept))
	}
	return false
}

func (t *trace) add(s Statement) {
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
		s.Query = cut(s.Query, textKept)
		t.statements = append(t.statements, s)
	}
}

// ownAffair says whether l only tells where a version listens behind the proxy,
// or that one ends which was told to.
func (s *server) ownAffair(l line) bool {
	return l.record && l.level == slog.LevelInfo &&
		(l.message == messageListens && strings.Contains(l.text, s.state) || l.message == messageEnds)
}

// heard shows a line of the program from the level least on, unless it is only
// of use to a request. It returns whether a person sees it.
func (s *server) heard(l line, least slog.Level) bool {
	if s.proxy.traces.note(l) || l.record && l.level < least || s.door != nil && l.text == dlvEnded || s.ownAffair(l) {
		return false
	}
	e := Event{Kind: KindLog, Text: l.text, RequestID: l.request}
	if l.record {
		e.Level = l.level.String()
	}
	s.emit(e)
	return true
}
