// Package event defines the data that the parts of the development server exchange, and
// that the screen, the page at /dev and --json show.
package event

import (
	"strconv"
	"strings"
	"time"
)

// Kinds of Event.
const (
	KindListening = "listening" // the port is open: URL
	KindDebugger  = "debugger"  // with Delve: editors attach at Address
	KindChange    = "change"    // files changed: Files
	KindBuilding  = "building"  // the go command is building: Text describes the progress
	KindBuilt     = "built"     // a new version serves: Build
	KindFailed    = "failed"    // the change does not run: Build says why
	KindUnchanged = "unchanged" // the change does not affect the program
	KindAssets    = "assets"    // pages were reloaded: Files
	KindRequest   = "request"   // a response was sent: Request
	KindLog       = "log"       // the program wrote a line: Text
	KindExit      = "exit"      // the program exited: Text
	KindTest      = "test"      // tests of changed packages finished: Test
	KindNote      = "note"      // anything else: Text
)

// Event is something that happened. With --json each is one line.
type Event struct {
	Time  time.Time `json:"time"`
	Kind  string    `json:"event"`
	Text  string    `json:"text,omitempty"`
	Level string    `json:"level,omitempty"` // of a log record: "DEBUG", "INFO", "WARN", "ERROR"
	// RequestID is the ID of the request that a log record belongs to.
	RequestID string   `json:"request_id,omitempty"`
	URL       string   `json:"url,omitempty"`
	Address   string   `json:"address,omitempty"`
	Files     []string `json:"files,omitempty"` // relative to the project
	Build     *Build   `json:"build,omitempty"`
	Request   *Request `json:"request,omitempty"`
	Test      *Test    `json:"test,omitempty"`
}

// Build is an attempt to run the current source. Times are in milliseconds; those not
// measured are 0.
type Build struct {
	ID       int          `json:"id"`
	Mode     string       `json:"mode"`               // "compile and link", "go build", "restart"
	Packages []string     `json:"packages,omitempty"` // compiled packages, unless by go build
	Why      string       `json:"why,omitempty"`      // why go build was used
	Watch    float64      `json:"watch_ms"`           // from the save to the start of the build, including earlier builds that newer changes cancelled
	Compile  float64      `json:"compile_ms"`
	Link     float64      `json:"link_ms"`  // 0 for go build, which does both in Compile
	Start    float64      `json:"start_ms"` // from the start of the process to its first response
	Total    float64      `json:"total_ms"` // from the save to the swap
	Stage    string       `json:"stage,omitempty"`
	Errors   []Diagnostic `json:"errors,omitempty"`
	Output   string       `json:"output,omitempty"` // output that could not be parsed as Errors
}

// Request is a request and its response. SQL and logs are known for programs that write
// JSON records with a request_id, as generated ones do.
type Request struct {
	ID     string    `json:"id"` // its X-Request-Id
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Status int       `json:"status"`
	Bytes  int64     `json:"bytes"`
	Took   float64   `json:"took_ms"`           // without Waited
	Waited float64   `json:"waited_ms"`         // waiting for a swap
	Build  int       `json:"build"`             // the version that responded; 0 is the proxy itself
	Stale  bool      `json:"stale,omitempty"`   // served by the last good version because the newest change failed
	SQL    int       `json:"sql,omitempty"`     // statements
	Repeat int       `json:"repeats,omitempty"` // how often its most frequent statement ran

	Statements []Statement `json:"statements,omitempty"` // the first 50 distinct ones
	Logs       []string    `json:"logs,omitempty"`       // the first 50 records
}

// Test is a run of the tests of some packages.
type Test struct {
	Packages []string `json:"packages"`
	OK       bool     `json:"ok"`
	Took     float64  `json:"took_ms"`
	Output   string   `json:"output,omitempty"`
}

// Parts returns the measured parts of a build as text.
func (b Build) Parts() string {
	var s []string
	add := func(name string, ms float64) {
		if ms > 0 {
			s = append(s, name+" "+Duration(ms))
		}
	}
	add("watch", b.Watch)
	if b.Mode == ModeFull {
		add("build", b.Compile) // compiles and links
	} else {
		add("compile", b.Compile)
	}
	add("link", b.Link)
	add("start", b.Start)
	return strings.Join(s, ", ")
}

// Diagnostic is an error at a position in the project.
type Diagnostic struct {
	File    string `json:"file"` // relative to the project if inside it
	Line    int    `json:"line"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Source  string `json:"source,omitempty"` // the line of source
}

// Place returns file:line:column.
func (d Diagnostic) Place() string {
	s := d.File + ":" + strconv.Itoa(d.Line)
	if d.Column > 0 {
		s += ":" + strconv.Itoa(d.Column)
	}
	return s
}

// Statement is an SQL statement of a request, with ? for its values, and how often it
// ran.
type Statement struct {
	Query  string  `json:"query"`
	Count  int     `json:"count"`
	Took   float64 `json:"took_ms"` // total of all executions
	Rows   int64   `json:"rows"`    // total of all executions
	Failed bool    `json:"failed,omitempty"`
}

// Many reports whether the statement looks like an N+1 query.
func (s Statement) Many() bool { return s.Count > ManyRepeats }

// ManyRepeats is how often one statement may run in a request before it counts as an
// N+1 query.
const ManyRepeats = 4

// Modes of a Build.
const (
	ModeFast    = "compile and link"
	ModeFull    = "go build"
	ModeRestart = "restart"
)

// Stages at which a Build can fail.
const (
	StageBuild = "build"
	StageStart = "start"
)
