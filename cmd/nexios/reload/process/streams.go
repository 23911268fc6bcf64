package process

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Streams are the connections of one version that never end by themselves:
// WebSockets and event streams. When a newer version has taken over they are
// ended in the way their protocol asks for, and clients connect again.
type Streams struct {
	mu     sync.Mutex
	open   map[Stream]bool
	closed bool
	none   chan struct{} // closed when the last is gone, once closed is set
}

// Stream is a body that can be ended from outside: End makes Read come to a
// proper end.
type Stream interface{ End() }

// Add keeps a stream until it is removed; after Close it is ended at once.
func (s *Streams) Add(one Stream) {
	s.mu.Lock()
	closed := s.closed
	if s.open == nil {
		s.open = map[Stream]bool{}
	}
	s.open[one] = true
	s.mu.Unlock()
	if closed {
		one.End()
	}
}

// Remove forgets a stream that has ended.
func (s *Streams) Remove(one Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open[one] {
		return
	}
	delete(s.open, one)
	if s.none != nil && len(s.open) == 0 {
		close(s.none)
		s.none = nil
	}
}

// Close ends all streams and gives their clients half a second to hear it.
func (s *Streams) Close() {
	s.mu.Lock()
	s.closed = true
	if len(s.open) == 0 {
		s.mu.Unlock()
		return
	}
	none := make(chan struct{})
	s.none = none
	list := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, one := range list {
		one.End()
	}
	select {
	case <-none:
	case <-time.After(500 * time.Millisecond):
	}
}
