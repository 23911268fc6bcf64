package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

func TestAllowScript(t *testing.T) {
	const script, live = "http://localhost:1/__nexios/reload.js", "ws://localhost:1/__nexios/live"
	for _, test := range []struct{ policy, want, nonce string }{
		{"frame-ancestors 'none'", "frame-ancestors 'none'", ""},
		{"default-src 'self'", "default-src 'self'; script-src 'self' " + script + "; connect-src 'self' " + live, ""},
		{"default-src 'none'; script-src 'self'", "default-src 'none'; script-src 'self' " + script + "; connect-src " + live, ""},
		{"Script-Src 'none'; connect-src https://x", "script-src " + script + "; connect-src https://x " + live, ""},
		{"script-src 'strict-dynamic' 'nonce-a1_='", "script-src 'strict-dynamic' 'nonce-a1_=' " + script, ` nonce="a1_="`},
		{"script-src-elem 'self'; script-src 'none'", "script-src-elem 'self' " + script + "; script-src " + script, ""},
		{"default-src 'self', script-src 'none'", "default-src 'self'; script-src 'self' " + script + "; connect-src 'self' " + live + ",script-src " + script, ""},
	} {
		h := http.Header{"Content-Security-Policy": {test.policy}}
		nonce := allowScript(h, "localhost:1")
		if got := h.Get("Content-Security-Policy"); got != test.want || nonce != test.nonce {
			t.Errorf("%s\n got %s (%s)\nwant %s (%s)", test.policy, got, nonce, test.want, test.nonce)
		}
	}
}

// Our close frame is only sent between frames, however the bytes are split.
func TestFrames(t *testing.T) {
	var stream []byte
	ends := map[int]bool{0: true}
	for _, size := range []int{0, 1, 125, 126, 300, 70000} {
		head := []byte{0x81, byte(size)}
		switch {
		case size > 65535:
			head = []byte{0x81, 127, 0, 0, 0, 0, 0, byte(size >> 16), byte(size >> 8), byte(size)}
		case size > 125:
			head = []byte{0x81, 126, byte(size >> 8), byte(size)}
		}
		stream = append(append(stream, head...), make([]byte, size)...)
		ends[len(stream)] = true
	}
	for cut := 0; cut <= len(stream); cut++ {
		if cut > 1000 && cut < len(stream)-20 {
			continue
		}
		var f frames
		f.track(stream[:cut/2])
		f.track(stream[cut/2 : cut])
		if got := f.closeFrame() != nil; got != ends[cut] {
			t.Errorf("after %d bytes: %v", cut, got)
		}
		if f.closeFrame() != nil {
			t.Errorf("after %d bytes: twice", cut)
		}
	}
	var f frames
	f.track([]byte{0x88, 2, 3, 0xe8})
	if f.closeFrame() != nil {
		t.Error("sent after the program's own close frame")
	}
}

// The data kept of a request is limited, however much the program logs.
func TestTraceIsBounded(t *testing.T) {
	ts := traces{open: map[string]*trace{}}
	long := strings.Repeat("long ü", 1000)
	trace := ts.begin("one")
	other := ts.begin("one") // a client sent the same id
	for i := range 1000 {
		ts.note(process.Line{Request: "one", Level: process.LevelAll, SQL: &event.Statement{Query: fmt.Sprint(i, long), Count: 1}})
		ts.note(process.Line{Request: "one", Text: long})
		ts.note(process.Line{Request: "never begun", Text: long})
	}
	if !ts.note(process.Line{Request: "one", Message: process.MessageRequest}) || ts.note(process.Line{Request: "one", Text: "too late"}) {
		t.Error("note did not recognise the last record of the request")
	}
	<-trace.ended
	var r event.Request
	ts.end(other, &r)
	ts.end(trace, &r)
	if r.SQL != 1000 || len(r.Statements) != statementsKept || len(r.Logs) != logsKept || len(ts.open) != 0 {
		t.Errorf("%d statements, %d kept, %d lines, %d open", r.SQL, len(r.Statements), len(r.Logs), len(ts.open))
	}
	if text := r.Statements[0].Query; len(text) > TextKept+3 || !utf8.ValidString(text) || !strings.HasSuffix(text, "…") {
		t.Errorf("%d bytes: %q", len(text), text[len(text)-20:])
	}
	ts.note(process.Line{Request: "one", Text: "after the end"})
}
