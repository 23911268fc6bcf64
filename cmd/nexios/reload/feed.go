package reload

import (
	"fmt"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
)

// feed carries events to what shows them, in order, without making requests
// wait for a slow terminal: when it is far behind, requests are left out.
type feed struct {
	events chan event.Event
	done   chan struct{}

	mu     sync.Mutex
	closed bool
	left   int // requests left out since the last that was not
}

func newFeed(show ...func(event.Event)) *feed {
	f := &feed{events: make(chan event.Event, 4096), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for e := range f.events {
			for _, one := range show {
				one(e)
			}
		}
	}()
	return f
}

func (f *feed) emit(e event.Event) {
	e.Time = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if e.Kind == event.KindRequest && len(f.events) > cap(f.events)/2 {
		f.left++
		return
	}
	if f.left > 0 {
		f.events <- event.Event{Time: e.Time, Kind: event.KindNote, Text: fmt.Sprintf("%d requests are not shown", f.left)}
		f.left = 0
	}
	f.events <- e
}

// close returns when everything is shown.
func (f *feed) close() {
	f.mu.Lock()
	closed := f.closed
	f.closed = true
	f.mu.Unlock()
	if !closed {
		close(f.events)
	}
	<-f.done
}
