package ws

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/nexios-go/nexios/runtime/fault"
)

// room is the members here that hear each other. It exists while it has any.
type room struct {
	name string
	// linked is closed when messages of other replicas arrive; nil without
	// Redis.
	linked   chan struct{}
	isLinked bool // under hub.mu

	mu      sync.Mutex
	members []*Member
	history [][]byte
}

// retryAfter is when who is refused may come back.
const retryAfter = 5 * time.Second

// full refuses a connection for now.
func full(message string) error { return fault.Unavailable(message, retryAfter) }

// enter makes m a member of the hub and, unless name is "", of the room.
func (h *Hub) enter(m *Member, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return full("The server is restarting")
	}
	user := m.Name()
	if reached(h.users[user], h.Limits.User) && user != "" || reached(h.clients[m.client], h.Limits.Address) {
		return fault.TooMany("Too many connections", retryAfter)
	}
	if name != "" {
		r := h.rooms[name]
		if r == nil {
			if len(h.rooms) >= h.Limits.Rooms {
				return full("Too many rooms")
			}
			r = &room{name: name}
			if h.redis != nil {
				r.linked = make(chan struct{})
			}
		}
		if err := r.add(m, h.Limits.Members); err != nil {
			return err
		}
		h.rooms[name], m.room = r, r
		h.redis.entered(m)
	}
	h.members[m] = struct{}{}
	h.users[user]++
	h.clients[m.client]++
	h.active.Add(1)
	return nil
}

// reached reports whether there are as many as limit allows; 0 allows any number.
func reached(count, limit int) bool { return limit > 0 && count >= limit }

// release takes one from the count of key, and forgets what has none.
func release[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

// leave takes m out of the hub; an empty room is gone.
func (h *Hub) leave(m *Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.members, m)
	release(h.users, m.Name())
	release(h.clients, m.client)
	if r := m.room; r != nil {
		if r.remove(m) == 0 {
			delete(h.rooms, r.name)
		}
		h.redis.left(m)
	}
}

// Members returns the names of the members of a room, each once, in order; with
// Redis those on other replicas as well, or, while it does not answer, those
// here.
func (h *Hub) Members(ctx context.Context, room string) []string {
	names := h.find(room).names()
	if h.redis == nil {
		return names
	}
	elsewhere, err := h.redis.names(ctx, room)
	if err != nil {
		h.log.Error("websocket members of other replicas", "error", err)
	}
	return distinct(append(names, elsewhere...))
}

// Broadcast says v to every member of a room, on all replicas, and to those who join
// later when there is a history: what a handler or a job has to tell. Strings and bytes
// go as text, anything else as JSON; what cannot be encoded is an error, and a room
// without members is not. A program that does not serve, as one that only works on
// jobs, reaches members by Redis alone.
func (h *Hub) Broadcast(room string, v any) error {
	return h.say(h.find(room), room, v, nil, h.history)
}

// Announce is Broadcast for what only matters now: no history keeps it.
func (h *Hub) Announce(room string, v any) error { return h.say(h.find(room), room, v, nil, 0) }

// say delivers v to the members here, which r has if it is not nil, but to except, and
// to those on other replicas.
func (h *Hub) say(r *room, name string, v any, except *Member, keep int) error {
	payload, err := text(v)
	if err != nil {
		return err
	}
	if r != nil {
		r.deliver(encode(websocket.TextMessage, payload), except, keep)
	}
	h.redis.publish(name, payload, keep > 0)
	return nil
}

// find returns the room, or nil when it has no members here.
func (h *Hub) find(name string) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[name]
}

// everyone returns the members of the hub as they are now.
func (h *Hub) everyone() []*Member {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.members))
}

// add lets m in, behind what it has missed.
func (r *room) add(m *Member, limit int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) >= limit {
		return full("The room is full")
	}
	m.place = len(r.members)
	r.members = append(r.members, m)
	// The newest that fit into half of the queue.
	first, size := len(r.history), 0
	for first > 0 && size+len(r.history[first-1]) <= m.hub.Limits.Queue/2 {
		first--
		size += len(r.history[first])
	}
	for _, frame := range r.history[first:] {
		m.push(frame)
	}
	return nil
}

// remove takes m out and returns how many are left.
func (r *room) remove(m *Member) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.members) - 1
	r.members[m.place] = r.members[last]
	r.members[m.place].place = m.place
	r.members[last] = nil
	r.members = r.members[:last]
	return last
}

// deliver puts the frame into every queue but that of except. keep is how many
// such frames new members are to be sent.
func (r *room) deliver(frame []byte, except *Member, keep int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m != except {
			m.push(frame)
		}
	}
	if keep > 0 {
		if len(r.history) >= keep {
			r.history = slices.Delete(r.history, 0, len(r.history)-keep+1)
		}
		r.history = append(r.history, frame)
	}
}

func (r *room) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.members)
}

// names returns the names of the members, each once, in order.
func (r *room) names() []string {
	names := []string{}
	if r == nil {
		return names
	}
	r.mu.Lock()
	for _, m := range r.members {
		names = append(names, m.Name())
	}
	r.mu.Unlock()
	return distinct(names)
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
