package reload

import (
	"slices"
	"sync"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"
)

// requestsKept is how many requests the page at /dev shows.
const requestsKept = 100

// board holds what the page at /dev shows.
type board struct {
	mu       sync.Mutex
	requests []event.Request
	build    *event.Build
	failed   bool
	logs     []event.Event
	test     *event.Test
}

func (b *board) note(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case event.KindRequest:
		b.requests = keep(append(b.requests, *e.Request), requestsKept)
	case event.KindBuilt, event.KindFailed:
		b.build, b.failed = e.Build, e.Kind == event.KindFailed
	case event.KindUnchanged:
		b.failed = false
	case event.KindLog:
		e.Text = event.Cut(plainText(e.Text), proxy.TextKept)
		b.logs = keep(append(b.logs, e), requestsKept)
	case event.KindTest:
		b.test = e.Test
	}
}

// keep drops old elements of list, keeping at least the last n.
func keep[T any](list []T, n int) []T {
	if len(list) < 2*n { // trim rarely, not for every element
		return list
	}
	return slices.Clone(list[len(list)-n:])
}

// newest returns a copy of the last n elements of list, newest first.
func newest[T any](list []T, n int) []T {
	list = slices.Clone(list[max(0, len(list)-n):])
	slices.Reverse(list)
	return list
}
