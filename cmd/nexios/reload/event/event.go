// Package event is what the development server tells of: the data that its parts
// hand to each other, and that a person, a page and --json get to see.
package event

import (
	"strconv"
	"strings"
	"time"
)

// The kinds of Event.
const (
	KindListening = "listening" // the port is open: URL
	KindDebugger  = "debugger"  // with a debugger: editors reach it at Address
	KindChange    = "change"    // an edit was seen: Files
	KindBuilding  = "building"  // a build by the go command goes on: Text says how far it is
	KindBuilt     = "built"     // a new version answers: Build
	KindFailed    = "failed"    // the edit is not running: Build says why
	KindUnchanged = "unchanged" // the edit does not change the program
	KindAssets    = "assets"    // pages were told to load again: Files
	KindRequest   = "request"   // an answer was sent: Request
	KindLog       = "log"       // the program wrote a line: Text
	KindExit      = "exit"      // the program exited: Text
	KindTest      = "test"      // tests of changed rooms ended: Test
	KindNote      = "note"      // anything else: Text
)

// Event is one thing that happened. With --json each is one line.
type Event struct {
	Time  time.Time `json:"time"`
	Kind  string    `json:"event"`
	Text  string    `json:"text,omitempty"`
	Level string    `json:"level,omitempty"` // of a log record: "DEBUG", "INFO", "WARN", "ERROR"
	// RequestID is that of the request which a log record belongs to.
	RequestID string   `json:"request_id,omitempty"`
	URL       string   `json:"url,omitempty"`
	Address   string   `json:"address,omitempty"`
	Files     []string `json:"files,omitempty"` // relative to the project
	Build     *Build   `json:"build,omitempty"`
	Request   *Request `json:"request,omitempty"`
	Test      *Test    `json:"test,omitempty"`
}

// Build is one attempt to get an edit running. Times are in milliseconds; one
// that was not measured is 0.
type Build struct {
	ID       int          `json:"id"`
	Mode     string       `json:"mode"`               // "compile and link", "go build", "restart"
	Packages []string     `json:"packages,omitempty"` // what was compiled, when not by go build
	Why      string       `json:"why,omitempty"`      // why go build was used
	Watch    float64      `json:"watch_ms"`           // from the save to the start of the build, with what builds took that a newer save made stale
	Compile  float64      `json:"compile_ms"`
	Link     float64      `json:"link_ms"`  // 0 for go build, which does both in Compile
	Start    float64      `json:"start_ms"` // from the start of the process to its first answer
	Total    float64      `json:"total_ms"` // from the save to the swap
	Stage    string       `json:"stage,omitempty"`
	Errors   []Diagnostic `json:"errors,omitempty"`
	Output   string       `json:"output,omitempty"` // what could not be read as Errors
}

// Request is one answered request. What ran in it is known of programs that
// write JSON records with a request_id, as generated ones do.
type Request struct {
	ID     string    `json:"id"` // its X-Request-Id
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Status int       `json:"status"`
	Bytes  int64     `json:"bytes"`
	Took   float64   `json:"took_ms"`           // without Waited
	Waited float64   `json:"waited_ms"`         // for a swap
	Build  int       `json:"build"`             // which version answered; 0 is the proxy itself
	Stale  bool      `json:"stale,omitempty"`   // answered by the last good version while the newest edit failed
	SQL    int       `json:"sql,omitempty"`     // statements
	Repeat int       `json:"repeats,omitempty"` // how often its most repeated statement ran

	Statements []Statement `json:"statements,omitempty"` // the first 50 different ones
	Logs       []string    `json:"logs,omitempty"`       // the first 50 records
}

// Test is one run of the tests of some packages.
type Test struct {
	Packages []string `json:"packages"`
	OK       bool     `json:"ok"`
	Took     float64  `json:"took_ms"`
	Output   string   `json:"output,omitempty"`
}

// Parts names the measured parts of a build, for a person.
func (b Build) Parts() string {
	var s []string
	add := func(name string, ms float64) {
		if ms > 0 {
			s = append(s, name+" "+Duration(ms))
		}
	}
	add("watch", b.Watch)
	if b.Mode == ModeFull {
		add("build", b.Compile) // compiled and linked
	} else {
		add("compile", b.Compile)
	}
	add("link", b.Link)
	add("start", b.Start)
	return strings.Join(s, ", ")
}

// Diagnostic is one error in one place of the project.
type Diagnostic struct {
	File    string `json:"file"` // relative to the project when inside it
	Line    int    `json:"line"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Source  string `json:"source,omitempty"` // the line itself
}

// Place is file:line:column.
func (d Diagnostic) Place() string {
	s := d.File + ":" + strconv.Itoa(d.Line)
	if d.Column > 0 {
		s += ":" + strconv.Itoa(d.Column)
	}
	return s
}

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
func (s Statement) Many() bool { return s.Count > ManyRepeats }

// ManyRepeats is how often one statement may run for one request before it
// looks like one query a row.
const ManyRepeats = 4

// The modes of a Build.
const (
	ModeFast    = "compile and link"
	ModeFull    = "go build"
	ModeRestart = "restart"
)

// The stages at which a Build can fail.
const (
	StageBuild = "build"
	StageStart = "start"
)
