package ws

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/nexios-go/nexios/e2e/services"
)

// replicas returns two chats that share rooms of their own through the Redis at
// address.
func replicas(t *testing.T, address string) (a, b *chat) {
	name := "test-" + rand.Text()[:8]
	named := func(h *Hub) { h.name = name }
	return newChat(t, Config{RedisURL: address, History: 5}, named), newChat(t, Config{RedisURL: address, History: 5}, named)
}

func TestReplicasShareRooms(t *testing.T) {
	t.Parallel()
	address := services.Redis(t)
	a, b := replicas(t, address)
	ctx := context.Background()
	ann := a.join("r", "ann")
	bob := b.join("r", "bob")
	ann.expect("+bob")
	zoe := a.join("r", "zoe")
	ann.expect("+zoe")
	bob.expectEventually("+zoe") // perhaps after "+ann", which was in transit while he joined
	other := b.join("elsewhere", "tim")
	var want []string
	for n := range 100 {
		text := fmt.Sprintf("%d ü", n)
		ann.broadcast(text)
		want = append(want, text)
	}
	bob.expect(want...)
	zoe.expect(want...)
	bob.broadcast("hi")
	ann.expect("hi") // and not her own messages
	zoe.expect("hi")

	// The program itself can send to a room, from a replica with or without members in
	// it and from one that does not serve; some rooms are empty.
	require.NoError(t, a.hub.Broadcast("r", map[string]int{"n": 1}))
	require.NoError(t, b.hub.Broadcast("nowhere", "x"))
	worker := New(a.hub.name, Config{RedisURL: address}, slog.New(slog.DiscardHandler))
	for _, c := range []client{ann, bob, zoe} {
		c.expect(`{"n":1}`)
	}
	require.NoError(t, worker.Announce("r", "from a job"))
	for _, c := range []client{ann, bob, zoe} {
		c.expect("from a job")
	}
	require.Error(t, a.hub.Broadcast("r", func() {}))
	for _, c := range []*chat{a, b} {
		require.Equal(t, []string{"ann", "bob", "zoe"}, c.hub.Members(ctx, "r"))
	}
	_ = zoe.Close()
	bob.expect("-zoe")
	require.Equal(t, []string{"ann", "bob"}, b.hub.Members(ctx, "r"))

	// A room that becomes empty and is recreated is subscribed to again without delay.
	_ = other.Close()
	eventually(t, "freed", func() bool { return b.rooms() == 1 })
	for range 5 {
		start := time.Now()
		tim := b.join("elsewhere", "tim")
		require.Less(t, time.Since(start), linkTimeout)
		eva := a.join("elsewhere", "eva")
		tim.expectEventually("+eva")
		_, _ = tim.Close(), eva.Close()
		eventually(t, "freed", func() bool { return a.rooms() == 1 && b.rooms() == 1 })
	}

	// The history includes messages of other replicas.
	late := b.join("r", "late")
	late.expect("97 ü", "98 ü", "99 ü", "hi", `{"n":1}`)
}

// Refreshing entries leaves room in the outbox for the messages of 10,000 members.
func TestRefreshOfManyMembers(t *testing.T) {
	h := New("many", Config{RedisURL: "redis://127.0.0.1:1/0"}, quiet)
	require.NoError(t, h.Err)
	for n := range 10_000 {
		m := &Member{hub: h, options: Options{Name: fmt.Sprint("member ", n)}}
		require.NoError(t, h.enter(m, fmt.Sprint("room ", n%10)))
		<-h.redis.out // the join
	}
	h.redis.refresh()
	require.Zero(t, h.redis.dropped.Load())
	require.Less(t, len(h.redis.out), outboxSize/10)
}

// A replica that stops announces that its members have left.
func TestStoppedReplicaAnnouncesLeaves(t *testing.T) {
	t.Parallel()
	a, b := replicas(t, services.Redis(t))
	ann := a.join("r", "ann")
	for n := range 20 {
		_ = b.join("r", fmt.Sprint(n))
		ann.expect(fmt.Sprintf("+%d", n))
	}
	b.stop()
	left := map[string]bool{}
	require.NoError(t, ann.SetReadDeadline(time.Now().Add(testTimeout)))
	for len(left) < 20 {
		_, text, err := ann.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, byte('-'), text[0])
		left[string(text)] = true
	}
	require.Equal(t, []string{"ann"}, a.hub.Members(context.Background(), "r"))
}

func TestMembersOfDeadReplicaExpire(t *testing.T) {
	a, _ := replicas(t, services.Redis(t))
	_ = a.join("r", "ann")
	ctx := context.Background()
	eventually(t, "in redis", func() bool {
		n, err := a.hub.redis.client.ZCard(ctx, a.hub.redis.set("r")).Result()
		return err == nil && n == 1
	})
	for name, until := range map[string]time.Time{"living": time.Now().Add(presenceTTL), "dead": time.Now().Add(-time.Second)} {
		entry := redis.Z{Score: float64(until.UnixMilli()), Member: "replica:1:" + name}
		require.NoError(t, a.hub.redis.client.ZAdd(ctx, a.hub.redis.set("r"), entry).Err())
	}
	require.Equal(t, []string{"ann", "living"}, a.hub.Members(ctx, "r"))
	a.hub.redis.refresh()
	eventually(t, "room in redis without the dead", func() bool {
		n, err := a.hub.redis.client.ZCard(ctx, a.hub.redis.set("r")).Result()
		return err == nil && n == 2
	})
}

// expectEventually waits for a text, ignoring others.
func (c client) expectEventually(want string) {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(testTimeout)))
	for {
		_, text, err := c.ReadMessage()
		require.NoError(c.t, err)
		if string(text) == want {
			return
		}
	}
}

// Without Redis each replica keeps working on its own; when it returns, they are
// connected again.
func TestRedisOutage(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(services.Redis(t))
	require.NoError(t, err)
	forwarder := newProxy(t, u.Host)
	u.Host = forwarder.Addr().String()
	a, b := replicas(t, u.String())
	ann, bob := a.join("r", "ann"), b.join("r", "bob")
	ann.expect("+bob")
	zoe := a.join("r", "zoe")
	ann.expect("+zoe")
	bob.expectEventually("+zoe") // perhaps after "+ann", which was in transit while he joined

	forwarder.set(true)
	ann.broadcast("only here")
	zoe.expect("only here")
	tim := a.join("new", "tim") // times out waiting for Redis, then joins
	require.Equal(t, []string{"ann", "zoe"}, a.hub.Members(context.Background(), "r"))

	forwarder.set(false)
	// Messages are lost until the subscription is restored, so repeat one until it
	// arrives.
	for _, pair := range [][2]client{{ann, bob}, {b.join("new", "eva"), tim}} {
		done := make(chan struct{})
		go func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(100 * time.Millisecond):
					_ = pair[0].WriteMessage(websocket.TextMessage, []byte("again together"))
				}
			}
		}()
		pair[1].expectEventually("again together")
		close(done)
	}
}

// An unresponsive Redis delays only the first call.
func TestUnresponsiveRedis(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs its own Redis server")
	}
	server, err := services.StartRedis()
	require.NoError(t, err)
	address := server.URL
	a, b := replicas(t, address)
	ann, bob := a.join("r", "ann"), b.join("r", "bob")
	ann.expect("+bob")
	ctx := context.Background()
	options, err := redis.ParseURL(address)
	require.NoError(t, err)
	person := redis.NewClient(options)
	defer person.Close()
	require.NoError(t, person.Do(ctx, "CLIENT", "PAUSE", "4000", "ALL").Err())

	begun := time.Now()
	require.Equal(t, []string{"ann"}, a.hub.Members(ctx, "r"))
	require.Less(t, time.Since(begun), time.Second)
	for n := range 5 {
		begun := time.Now()
		require.Equal(t, []string{"ann"}, a.hub.Members(ctx, "r"))
		_ = a.join(fmt.Sprint(n), "tim")
		require.Less(t, time.Since(begun), linkTimeout/2)
	}
	// Redis responds again: the replicas are connected.
	eventually(t, "together again", func() bool {
		ann.broadcast("again")
		return len(a.hub.Members(ctx, "r")) == 2
	})
	bob.expectEventually("again")
}
