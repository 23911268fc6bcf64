package process

import (
	"fmt"
	"log/slog"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
)

// The reaper kills the groups that were added and not removed.
func TestReap(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows ends children by job objects")
	}
	spawn, err := NewSpawner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer spawn.Close()
	var started [2]*exec.Cmd
	for i := range started {
		started[i] = exec.Command("sleep", "600")
		if _, err := spawn.start(started[i]); err != nil {
			t.Fatal(err)
		}
	}
	Reap(strings.NewReader(fmt.Sprintf("+%d\n+%d\nrubbish\n-%d\n", started[0].Process.Pid, started[1].Process.Pid, started[1].Process.Pid)))
	if err := started[0].Wait(); err == nil {
		t.Error("the first was not killed")
	}
	if !Alive(started[1].Process.Pid) {
		t.Error("the second was killed")
	}
	_ = started[1].Process.Kill()
	_ = started[1].Wait()
}

func TestReadLine(t *testing.T) {
	for _, test := range []struct {
		text string
		want Line
	}{
		{"plain", Line{Text: "plain"}},
		{`{"a":1}`, Line{Text: `{"a":1}`}},
		{`{"level":"INFO","msg":"cut`, Line{Text: `{"level":"INFO","msg":"cut`}},
		{`[1]`, Line{Text: `[1]`}},
		{
			`{"time":"2026-11-21T13:40:47.5Z","level":"WARN","msg":"slow query","query":"SELECT 1","took":1500000,"n":{"x":[1,2]},"none":null,"empty":"","request_id":"abc"}`,
			Line{Text: `WARN  slow query  query="SELECT 1"  took=1.5 ms  n={"x":[1,2]}  none=null  empty=""`, Record: true, Level: slog.LevelWarn, Message: "slow query", Request: "abc"},
		},
		{
			`{"level":"ERROR","msg":"panic\u001b[2J","error":"oh\u001b","stack":"main\n\tx.go:7\n","on":true}`,
			Line{Text: "ERROR panic�[2J  error=\"oh\\x1b\"  on=true\n    stack:\n      main\n      \tx.go:7", Record: true, Level: slog.LevelError, Message: "panic\x1b[2J"},
		},
		{
			`{"level":"DEBUG-4","msg":"statement","query":"SELECT 1","rows":2,"took":1500000,"failed":true,"request_id":"abc"}`,
			Line{
				Text: `DEBUG-4 statement  query="SELECT 1"  rows=2  took=1.5 ms  failed=true`, Record: true, Level: LevelAll, Message: "statement", Request: "abc",
				SQL: &event.Statement{Query: "SELECT 1", Count: 1, Took: 1.5, Rows: 2, Failed: true},
			},
		},
	} {
		if got := readLine(test.text); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s\n got %+v\nwant %+v", test.text, got, test.want)
		}
	}
}

func TestLines(t *testing.T) {
	var got []string
	l := lineWriter(func(text string) { got = append(got, text) })
	for _, part := range []string{"one\ntw", "o\r\n", "\n", strings.Repeat("x", lineLimit), "more", "\nend"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	l.flush()
	if want := []string{"one", "two", "", strings.Repeat("x", lineLimit), "end"}; !slices.Equal(got, want) {
		t.Errorf("got %d lines: %.50q", len(got), got)
	}
}

func TestUnusableAddress(t *testing.T) {
	for _, host := range []string{"198.51.100.7", "no such host"} {
		l, _, err := Listen(host, 8000)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "cannot listen on ") || strings.Count(err.Error(), "\n  ") != 2 {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// flow is a stream that records that it was ended.
type flow struct {
	of    *Streams
	ended atomic.Bool
}

func (f *flow) End() {
	f.ended.Store(true)
	f.of.Remove(f)
}

// Streams are closed after the requests in progress, but do not wait long for them.
func TestDrainStreams(t *testing.T) {
	for name, c := range map[string]struct {
		takes   time.Duration // duration of a request in progress
		streams time.Duration // when streams are closed
		drained time.Duration
	}{
		"a short response":    {time.Second, time.Second, time.Second},
		"a long response":     {40 * time.Second, 10 * time.Second, 40 * time.Second},
		"an endless response": {time.Hour, 10 * time.Second, 60 * time.Second},
		"no request":          {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &App{Exited: make(chan struct{})}
				f := &flow{of: &a.Streams}
				a.Streams.Add(f)
				a.Requests.Go(func() { time.Sleep(c.takes) })
				start := time.Now()
				var drained atomic.Int64
				go func() {
					a.drain(DrainLimit)
					drained.Store(int64(time.Since(start)))
				}()
				time.Sleep(c.streams - time.Millisecond)
				synctest.Wait()
				if f.ended.Load() && c.streams > 0 {
					t.Errorf("streams ended before %v", c.streams)
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if !f.ended.Load() {
					t.Errorf("streams were open after %v", c.streams)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if took := time.Duration(drained.Load()); took.Round(time.Second) != c.drained {
					t.Errorf("drained after %v, want %v", took, c.drained)
				}
			})
		})
	}
}
