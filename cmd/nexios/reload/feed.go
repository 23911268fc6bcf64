package reload

import (
	"fmt"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
)

// feed passes events in order to the functions that show them. A slow terminal does not
// block requests: if the feed falls far behind, request events are dropped.
type feed struct {
	events chan event.Event
	done   chan struct{}

	mu      sync.Mutex
	closed  bool
	dropped int // requests dropped since the last one shown
}

func newFeed(show ...func(event.Event)) *feed {
	f := &feed{events: make(chan event.Event, 4096), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for e := range f.events {
			for _, handle := range show {
				handle(e)
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
		f.dropped++
		return
	}
	if f.dropped > 0 {
		f.events <- event.Event{Time: e.Time, Kind: event.KindNote, Text: fmt.Sprintf("%d requests are not shown", f.dropped)}
		f.dropped = 0
	}
	f.events <- e
}

// close returns when everything has been shown.
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
