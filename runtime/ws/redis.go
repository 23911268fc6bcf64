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
	outbox      = 8192                   // commands that wait for Redis; more are lost
	pipelined   = 256                    // commands in one round trip
	presence    = 15 * time.Second       // after which a silent replica's members are gone
	refresh     = 5 * time.Second        // of this replica's members
	refreshed   = 256                    // members in one command, or the outbox would be full of them
	healthcheck = 2 * time.Second        // of the subscription
	flushLimit  = time.Second            // for one round trip, and for those at the end
	askLimit    = 250 * time.Millisecond // for who is in a room
)

// fanout joins the rooms of this replica with those of others. All its methods
// may be called on nil, do nothing then, and never wait for Redis unless they
// take a context or the program does not serve.
//
// A room is a channel, on which a replica publishes what its members say,
// behind its own id, and a sorted set of who is where, scored by the time until
// which that is believed. Both are named by the hub and the room.
type fanout struct {
	hub    *Hub
	client *redis.Client
	id     string // of this replica
	serial atomic.Int64
	out    chan command  // in order: who enters, what is said, who leaves
	rooms  chan struct{} // the rooms here have changed
	lost   atomic.Int64  // commands dropped since the last report
	runs   atomic.Bool   // somebody sends what is in the outbox
	away   atomic.Bool   // Redis has not answered last; write, which never rests, sees when it does again
}

type command func(context.Context, redis.Pipeliner)

func newFanout(h *Hub, options *redis.Options) *fanout {
	options.ContextTimeoutEnabled = true // or a Redis that is silent would be waited for longer
	return &fanout{
		hub: h, client: redis.NewClient(options), id: rand.Text(),
		out: make(chan command, outbox), rooms: make(chan struct{}, 1),
	}
}

func (f *fanout) channel(room string) string {
	// Channels are common to all numbered databases of a server.
	return fmt.Sprintf("ws:%d:%s:room:%s", f.client.Options().DB, f.hub.name, room)
}

func (f *fanout) set(room string) string { return "ws:" + f.hub.name + ":members:" + room }

// entry is a member in the set of its room.
func (f *fanout) entry(m *Member) string {
	return f.id + ":" + strconv.FormatInt(m.serial, 10) + ":" + m.Name()
}

func (f *fanout) send(c command) {
	select {
	case f.out <- c:
	default:
		f.lost.Add(1)
	}
}

// entered and left are called while the hub is locked.
func (f *fanout) entered(m *Member) {
	if f == nil {
		return
	}
	m.serial = f.serial.Add(1)
	f.changed()
	set, entry := f.set(m.Room()), f.entry(m)
	f.send(func(ctx context.Context, p redis.Pipeliner) { believe(ctx, p, set, entry) })
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

// believe keeps entries for a while.
func believe(ctx context.Context, p redis.Pipeliner, set string, entries ...string) {
	until := float64(time.Now().Add(presence).UnixMilli())
	members := make([]redis.Z, len(entries))
	for i, entry := range entries {
		members[i] = redis.Z{Score: until, Member: entry}
	}
	p.ZAdd(ctx, set, members...)
	p.Expire(ctx, set, 4*presence)
}

// publish says the payload to the room's members on other replicas.
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
	if !f.runs.Load() { // a program that does not serve
		f.flush(publish)
		return
	}
	f.send(publish)
}

// names returns who is in the room on any replica.
func (f *fanout) names(ctx context.Context, room string) ([]string, error) {
	if f.away.Load() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	set := f.set(room)
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	entries, err := f.client.ZRangeArgs(ctx, redis.ZRangeArgs{Key: set, Start: now, Stop: "+inf", ByScore: true}).Result()
	if err != nil {
		return nil, f.answered(err)
	}
	var names []string
	for _, entry := range entries {
		if parts := strings.SplitN(entry, ":", 3); len(parts) == 3 {
			names = append(names, parts[2])
		}
	}
	return names, nil
}

// run carries commands and messages until ctx ends.
func (f *fanout) run(ctx context.Context) {
	f.runs.Store(true)
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

// write sends what is in the outbox, and at the end what is left in it.
func (f *fanout) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for end := time.Now().Add(flushLimit); len(f.out) > 0 && time.Now().Before(end); {
				f.flush(<-f.out)
			}
			return
		case first := <-f.out:
			f.flush(first)
		}
	}
}

// flush sends first and what waits behind it. It does not end with the hub,
// whose last words are the goodbyes of its members.
func (f *fanout) flush(first command) {
	ctx, cancel := context.WithTimeout(context.Background(), flushLimit)
	defer cancel()
	pipeline := f.client.Pipeline()
	first(ctx, pipeline)
	for n := min(len(f.out), pipelined); n > 0; n-- {
		(<-f.out)(ctx, pipeline)
	}
	commands := pipeline.Len()
	_, err := pipeline.Exec(ctx)
	if f.answered(err) != nil {
		f.hub.log.Warn("websocket messages not sent to other replicas", "error", err, "commands", commands)
	}
	if lost := f.lost.Swap(0); lost > 0 {
		f.hub.log.Error("websocket messages lost: redis is slower than the rooms", "count", lost)
	}
}

// answered keeps in mind whether Redis answers, and says so when that changes.
// It returns err where that was known already.
func (f *fanout) answered(err error) error {
	switch away := err != nil; {
	case !f.away.CompareAndSwap(!away, away):
		return err
	case away:
		f.hub.log.Error("websocket rooms are not shared: redis does not answer", "error", err)
	default:
		f.hub.log.Info("websocket rooms are shared again")
	}
	return nil
}

// refresh says again who is here, which also mends what was lost, and forgets
// whom a replica that died has left behind.
func (f *fanout) refresh() {
	if f.away.Load() { // there may be nobody here to say anything else
		f.send(func(ctx context.Context, p redis.Pipeliner) { p.Ping(ctx) })
	}
	past := strconv.FormatInt(time.Now().UnixMilli(), 10)
	here := map[string][]string{}
	for _, m := range f.hub.everyone() {
		if m.Room() != "" {
			set := f.set(m.Room())
			here[set] = append(here[set], f.entry(m))
		}
	}
	for set, entries := range here {
		f.send(func(ctx context.Context, p redis.Pipeliner) { p.ZRemRangeByScore(ctx, set, "-inf", "("+past) })
		for some := range slices.Chunk(entries, refreshed) {
			f.send(func(ctx context.Context, p redis.Pipeliner) { believe(ctx, p, set, some...) })
		}
	}
}

// listen subscribes to the rooms that have members here and hands on what
// arrives. The client connects again by itself, with all subscriptions.
func (f *fanout) listen(ctx context.Context) {
	s := subscriptions{fanout: f, pubsub: f.client.Subscribe(ctx), asked: map[string]bool{}, confirmed: map[string]bool{}}
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

// subscriptions follow the rooms of the hub, by channel.
type subscriptions struct {
	*fanout
	pubsub           *redis.PubSub
	asked, confirmed map[string]bool
}

// follow subscribes to new rooms and leaves those that are gone.
func (s *subscriptions) follow(ctx context.Context) {
	here := map[string]bool{}
	var more, fewer []string
	s.hub.mu.Lock()
	for name := range s.hub.rooms {
		channel := s.channel(name)
		here[channel] = true
		if !s.asked[channel] {
			more = append(more, channel)
		}
	}
	s.hub.mu.Unlock()
	for channel := range s.asked {
		if !here[channel] {
			fewer = append(fewer, channel)
		}
	}
	if len(more) > 0 {
		// What fails is remembered by the client and asked for when it
		// connects again.
		if err := s.pubsub.Subscribe(ctx, more...); err != nil && ctx.Err() == nil {
			s.hub.log.Error("websocket rooms not joined with other replicas", "error", err)
		}
	}
	if len(fewer) > 0 {
		_ = s.pubsub.Unsubscribe(ctx, fewer...)
	}
	for _, channel := range more {
		s.asked[channel] = true
	}
	for _, channel := range fewer {
		delete(s.asked, channel)
		delete(s.confirmed, channel)
	}
	for channel := range here {
		if s.confirmed[channel] { // a room that ended and began again in between
			s.link(strings.TrimPrefix(channel, s.channel("")))
		}
	}
}

// link lets those in who wait for Redis to confirm their room.
func (s *subscriptions) link(room string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if r := s.hub.rooms[room]; r != nil && !r.isLinked {
		r.isLinked = true
		close(r.linked)
	}
}

// deliver hands a message of another replica to the members here.
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
