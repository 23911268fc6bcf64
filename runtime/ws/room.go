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

// room holds the members on this replica. It exists while it has any.
type room struct {
	name string
	// linked is closed once messages of other replicas are received; nil without Redis.
	linked   chan struct{}
	isLinked bool // under hub.mu

	mu      sync.Mutex
	members []*Member
	history [][]byte
}

// retryAfter is sent to rejected clients.
const retryAfter = 5 * time.Second

// full returns the error for a reached limit.
func full(message string) error { return fault.Unavailable(message, retryAfter) }

// enter adds m to the hub and, unless name is "", to the room.
func (h *Hub) enter(m *Member, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return full("The server is restarting")
	}
	user := m.Name()
	if atLimit(h.users[user], h.Limits.User) && user != "" || atLimit(h.clients[m.client], h.Limits.Address) {
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

// atLimit reports whether count has reached limit; 0 means no limit.
func atLimit(count, limit int) bool { return limit > 0 && count >= limit }

// release decrements the count of key and deletes it at zero.
func release[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

// leave removes m from the hub, and its room if that is empty.
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

// Members returns the distinct names of the members of a room, sorted; with Redis
// including those on other replicas, unless it does not respond.
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

// Broadcast sends v to every member of a room, on all replicas, and, if there is a
// history, to members who join later. Use it in handlers and jobs. Strings and bytes
// are sent as text, anything else as JSON; a value that cannot be encoded is an error,
// a room without members is not. A program that does not serve, such as a job worker,
// reaches members only through Redis.
func (h *Hub) Broadcast(room string, v any) error {
	return h.broadcast(h.find(room), room, v, nil, h.history)
}

// Announce is [Hub.Broadcast] for messages that only matter now: they are not kept in
// the history.
func (h *Hub) Announce(room string, v any) error { return h.broadcast(h.find(room), room, v, nil, 0) }

// broadcast delivers v to the members on this replica, which r holds unless it is nil,
// except for except, and publishes it to other replicas.
func (h *Hub) broadcast(r *room, name string, v any, except *Member, keep int) error {
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

// find returns the room, or nil if it has no members on this replica.
func (h *Hub) find(name string) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[name]
}

// allMembers returns a snapshot of the hub's members.
func (h *Hub) allMembers() []*Member {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.members))
}

// add adds m and queues the history for it.
func (r *room) add(m *Member, limit int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) >= limit {
		return full("The room is full")
	}
	m.index = len(r.members)
	r.members = append(r.members, m)
	// The newest messages that fit into half of the queue.
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

// remove removes m and returns the number of remaining members.
func (r *room) remove(m *Member) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.members) - 1
	r.members[m.index] = r.members[last]
	r.members[m.index].index = m.index
	r.members[last] = nil
	r.members = r.members[:last]
	return last
}

// deliver queues the frame for every member except except. keep is the size of the
// history.
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

// names returns the distinct names of the members, sorted.
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
