package reload

import (
	"slices"
	"sync"
)

// requestsKept is how many requests the page at /dev shows.
const requestsKept = 100

// board remembers what the page at /dev shows.
type board struct {
	mu       sync.Mutex
	requests []Request
	build    *Build
	failed   bool
	logs     []Event
	test     *Test
}

func (b *board) note(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case KindRequest:
		b.requests = keep(append(b.requests, *e.Request), requestsKept)
	case KindBuilt, KindFailed:
		b.build, b.failed = e.Build, e.Kind == KindFailed
	case KindUnchanged:
		b.failed = false
	case KindLog:
		e.Text = cut(plainText(e.Text), textKept)
		b.logs = keep(append(b.logs, e), requestsKept)
	case KindTest:
		b.test = e.Test
	}
}

// keep is the end of list.
func keep[T any](list []T, n int) []T {
	if len(list) < 2*n { // cut seldom, not with every element
		return list
	}
	return slices.Clone(list[len(list)-n:])
}

// newest is a copy of the last n of list, the newest first.
func newest[T any](list []T, n int) []T {
	list = slices.Clone(list[max(0, len(list)-n):])
	slices.Reverse(list)
	return list
}
