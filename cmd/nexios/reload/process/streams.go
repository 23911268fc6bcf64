package process

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Streams are the connections of a version that do not end on their own: WebSockets and
// event streams. After a swap they are closed as their protocol requires, and clients
// reconnect.
type Streams struct {
	mu      sync.Mutex
	open    map[Stream]bool
	closed  bool
	drained chan struct{} // closed when the last stream is removed after Close
}

// Stream is a body that can be ended from outside: End makes Read return a proper end
// of the stream.
type Stream interface{ End() }

// Add adds a stream; after Close it is ended immediately.
func (s *Streams) Add(stream Stream) {
	s.mu.Lock()
	closed := s.closed
	if s.open == nil {
		s.open = map[Stream]bool{}
	}
	s.open[stream] = true
	s.mu.Unlock()
	if closed {
		stream.End()
	}
}

// Remove removes a stream that has ended.
func (s *Streams) Remove(stream Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open[stream] {
		return
	}
	delete(s.open, stream)
	if s.drained != nil && len(s.open) == 0 {
		close(s.drained)
		s.drained = nil
	}
}

// Close ends all streams and waits for up to half a second until they are removed.
func (s *Streams) Close() {
	s.mu.Lock()
	s.closed = true
	if len(s.open) == 0 {
		s.mu.Unlock()
		return
	}
	drained := make(chan struct{})
	s.drained = drained
	list := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, stream := range list {
		stream.End()
	}
	select {
	case <-drained:
	case <-time.After(500 * time.Millisecond):
	}
}
