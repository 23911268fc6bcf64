package ws

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"
)

const (
	outboxSize   = 8192                   // queued commands; more are dropped
	maxPipelined = 256                    // commands per round trip
	presenceTTL  = 15 * time.Second       // until the members of a silent replica expire
	refresh      = 5 * time.Second        // of this replica's members
	refreshBatch = 256                    // members per command, so that they do not fill the outbox
	healthcheck  = 2 * time.Second        // of the subscription
	flushTimeout = time.Second            // for one round trip, and for flushing at shutdown
	queryTimeout = 250 * time.Millisecond // for listing the members of a room
)

// fanout connects the rooms of this replica with those of others. All methods may be
// called on nil, where they do nothing, and never wait for Redis unless they take a
// context or the program does not serve.
//
// A room is a channel, on which replicas publish the messages of their members,
// prefixed with the replica's id, and a sorted set of members, scored by expiry time.
// The names of both contain the hub and the room.
type fanout struct {
	hub     *Hub
	client  *redis.Client
	id      string // of this replica
	serial  atomic.Int64
	out     chan command  // in order: joins, messages, leaves
	rooms   chan struct{} // signals that the rooms of this replica have changed
	dropped atomic.Int64  // commands dropped since the last report
	running atomic.Bool   // the outbox has a sender
	down    atomic.Bool   // the last command failed; write, which sends a command at least every refresh, notices the recovery
}

type command func(context.Context, redis.Pipeliner)

func newFanout(h *Hub, options *redis.Options) *fanout {
	options.ContextTimeoutEnabled = true // otherwise the timeouts do not apply to an unresponsive Redis
	return &fanout{
		hub: h, client: redis.NewClient(options), id: rand.Text(),
		out: make(chan command, outboxSize), rooms: make(chan struct{}, 1),
	}
}

func (f *fanout) channel(room string) string {
	// Channels are shared by all numbered databases of a server.
	return fmt.Sprintf("ws:%d:%s:room:%s", f.client.Options().DB, f.hub.name, room)
}

func (f *fanout) set(room string) string { return "ws:" + f.hub.name + ":members:" + room }

// entry returns the member's entry in the set of its room.
func (f *fanout) entry(m *Member) string {
	return f.id + ":" + strconv.FormatInt(m.serial, 10) + ":" + m.Name()
}

func (f *fanout) send(c command) {
	select {
	case f.out <- c:
	default:
		f.dropped.Add(1)
	}
}

// entered and left are called with the hub locked.
func (f *fanout) entered(m *Member) {
	if f == nil {
		return
	}
	m.serial = f.serial.Add(1)
	f.changed()
	set, entry := f.set(m.Room()), f.entry(m)
	f.send(func(ctx context.Context, p redis.Pipeliner) { addEntries(ctx, p, set, entry) })
}

func (f *fanout) left(m *Member) {
	if f == nil {
		return
	}
	f.changed()
	set, entry := f.set(m.Room()), f.entry(m)
	f.send(func(ctx context.Context, p redis.Pipeliner) { p.ZRem(ctx, set, entry) })
}

func (f *fanout) changed() {
	select {
	case f.rooms <- struct{}{}:
	default:
	}
}

// addEntries adds entries or extends their expiry.
func addEntries(ctx context.Context, p redis.Pipeliner, set string, entries ...string) {
	until := float64(time.Now().Add(presenceTTL).UnixMilli())
	members := make([]redis.Z, len(entries))
	for i, entry := range entries {
		members[i] = redis.Z{Score: until, Member: entry}
	}
	p.ZAdd(ctx, set, members...)
	p.Expire(ctx, set, 4*presenceTTL)
}

// publish sends the payload to the room's members on other replicas.
func (f *fanout) publish(room string, payload []byte, keep bool) {
	if f == nil {
		return
	}
	flag := "-"
	if keep {
		flag = "+"
	}
	message := f.id + flag + string(payload)
	publish := func(ctx context.Context, p redis.Pipeliner) { p.Publish(ctx, f.channel(room), message) }
	if !f.running.Load() { // the program does not serve
		f.flush(publish)
		return
	}
	f.send(publish)
}

// names returns the names of the room's members on all replicas.
func (f *fanout) names(ctx context.Context, room string) ([]string, error) {
	if f.down.Load() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	set := f.set(room)
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	entries, err := f.client.ZRangeArgs(ctx, redis.ZRangeArgs{Key: set, Start: now, Stop: "+inf", ByScore: true}).Result()
	if err != nil {
		return nil, f.noteResult(err)
	}
	var names []string
	for _, entry := range entries {
		if parts := strings.SplitN(entry, ":", 3); len(parts) == 3 {
			names = append(names, parts[2])
		}
	}
	return names, nil
}

// run sends commands and receives messages until ctx is cancelled.
func (f *fanout) run(ctx context.Context) {
	f.running.Store(true)
	defer f.client.Close()
	var group sync.WaitGroup
	group.Go(func() { f.listen(ctx) })
	group.Go(func() { f.write(ctx) })
	every := time.NewTicker(refresh)
	defer every.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-every.C:
			f.refresh()
		}
	}
	group.Wait()
}

// write sends the commands in the outbox, and at shutdown those that remain.
func (f *fanout) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for end := time.Now().Add(flushTimeout); len(f.out) > 0 && time.Now().Before(end); {
				f.flush(<-f.out)
			}
			return
		case first := <-f.out:
			f.flush(first)
		}
	}
}

// flush sends first and the commands queued after it. It does not use the context of
// the hub, since members leave after that is cancelled.
func (f *fanout) flush(first command) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	pipeline := f.client.Pipeline()
	first(ctx, pipeline)
	for n := min(len(f.out), maxPipelined); n > 0; n-- {
		(<-f.out)(ctx, pipeline)
	}
	commands := pipeline.Len()
	_, err := pipeline.Exec(ctx)
	if f.noteResult(err) != nil {
		f.hub.log.Warn("websocket messages not sent to other replicas", "error", err, "commands", commands)
	}
	if dropped := f.dropped.Swap(0); dropped > 0 {
		f.hub.log.Error("websocket messages lost: redis is slower than the rooms", "count", dropped)
	}
}

// noteResult records whether Redis responds and logs changes. It returns err only if that
// was already known.
func (f *fanout) noteResult(err error) error {
	switch down := err != nil; {
	case !f.down.CompareAndSwap(!down, down):
		return err
	case down:
		f.hub.log.Error("websocket rooms are not shared: redis does not answer", "error", err)
	default:
		f.hub.log.Info("websocket rooms are shared again")
	}
	return nil
}

// refresh renews the entries of this replica's members, which also restores lost ones,
// and deletes those of replicas that died.
func (f *fanout) refresh() {
	if f.down.Load() { // this replica may have no members and send nothing else
		f.send(func(ctx context.Context, p redis.Pipeliner) { p.Ping(ctx) })
	}
	past := strconv.FormatInt(time.Now().UnixMilli(), 10)
	here := map[string][]string{}
	for _, m := range f.hub.allMembers() {
		if m.Room() != "" {
			set := f.set(m.Room())
			here[set] = append(here[set], f.entry(m))
		}
	}
	for set, entries := range here {
		f.send(func(ctx context.Context, p redis.Pipeliner) { p.ZRemRangeByScore(ctx, set, "-inf", "("+past) })
		for some := range slices.Chunk(entries, refreshBatch) {
			f.send(func(ctx context.Context, p redis.Pipeliner) { addEntries(ctx, p, set, some...) })
		}
	}
}

// listen subscribes to the rooms that have members on this replica and delivers
// messages. The client reconnects on its own, with all subscriptions.
func (f *fanout) listen(ctx context.Context) {
	s := subscriptions{fanout: f, pubsub: f.client.Subscribe(ctx), requested: map[string]bool{}, confirmed: map[string]bool{}}
	defer s.pubsub.Close()
	arrivals := s.pubsub.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(healthcheck), redis.WithChannelSize(1024))
	again := time.NewTicker(refresh)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.rooms:
			s.follow(ctx)
		case <-again.C:
			s.follow(ctx)
		case arrival, ok := <-arrivals:
			if !ok {
				return
			}
			switch arrival := arrival.(type) {
			case *redis.Subscription:
				if arrival.Kind == "subscribe" {
					s.confirmed[arrival.Channel] = true
					s.link(strings.TrimPrefix(arrival.Channel, f.channel("")))
				}
			case *redis.Message:
				f.deliver(arrival)
			}
		}
	}
}

// subscriptions tracks the subscribed channels of the hub's rooms.
type subscriptions struct {
	*fanout
	pubsub               *redis.PubSub
	requested, confirmed map[string]bool
}

// follow subscribes to new rooms and unsubscribes from empty ones.
func (s *subscriptions) follow(ctx context.Context) {
	here := map[string]bool{}
	var more, fewer []string
	s.hub.mu.Lock()
	for name := range s.hub.rooms {
		channel := s.channel(name)
		here[channel] = true
		if !s.requested[channel] {
			more = append(more, channel)
		}
	}
	s.hub.mu.Unlock()
	for channel := range s.requested {
		if !here[channel] {
			fewer = append(fewer, channel)
		}
	}
	if len(more) > 0 {
		// The client remembers a failed subscription and retries it when it reconnects.
		if err := s.pubsub.Subscribe(ctx, more...); err != nil && ctx.Err() == nil {
			s.hub.log.Error("websocket rooms not joined with other replicas", "error", err)
		}
	}
	if len(fewer) > 0 {
		_ = s.pubsub.Unsubscribe(ctx, fewer...)
	}
	for _, channel := range more {
		s.requested[channel] = true
	}
	for _, channel := range fewer {
		delete(s.requested, channel)
		delete(s.confirmed, channel)
	}
	for channel := range here {
		if s.confirmed[channel] { // a room that became empty and was recreated meanwhile
			s.link(strings.TrimPrefix(channel, s.channel("")))
		}
	}
}

// link releases the members that wait for Redis to confirm their room.
func (s *subscriptions) link(room string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if r := s.hub.rooms[room]; r != nil && !r.isLinked {
		r.isLinked = true
		close(r.linked)
	}
}

// deliver sends a message from another replica to the members of this one.
func (f *fanout) deliver(message *redis.Message) {
	name, ours := strings.CutPrefix(message.Channel, f.channel(""))
	from, rest := cut(message.Payload, len(f.id))
	flag, payload := cut(rest, 1)
	r := f.hub.find(name)
	if !ours || from == f.id || r == nil || flag == "" {
		return
	}
	keep := 0
	if flag == "+" {
		keep = f.hub.history
	}
	r.deliver(encode(websocket.TextMessage, []byte(payload)), nil, keep)
}

func cut(text string, n int) (head, tail string) {
	n = min(n, len(text))
	return text[:n], text[n:]
}
