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

// replicas returns two chats that share rooms through the Redis at address,
// apart from every other test.
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
	ann.hears("+bob")
	zoe := a.join("r", "zoe")
	ann.hears("+zoe")
	bob.hearsAtLast("+zoe") // perhaps after "+ann", which travelled while he joined
	other := b.join("elsewhere", "tim")
	var want []string
	for n := range 100 {
		text := fmt.Sprintf("%d ü", n)
		ann.say(text)
		want = append(want, text)
	}
	bob.hears(want...)
	zoe.hears(want...)
	bob.say("hi")
	ann.hears("hi") // and not what she said herself
	zoe.hears("hi")

	// The program itself tells a room, where it has members and where it has none, and
	// so does one that does not serve; nobody is in some rooms.
	require.NoError(t, a.hub.Broadcast("r", map[string]int{"n": 1}))
	require.NoError(t, b.hub.Broadcast("nowhere", "x"))
	worker := New(a.hub.name, Config{RedisURL: address}, slog.New(slog.DiscardHandler))
	for _, c := range []client{ann, bob, zoe} {
		c.hears(`{"n":1}`)
	}
	require.NoError(t, worker.Announce("r", "from a job"))
	for _, c := range []client{ann, bob, zoe} {
		c.hears("from a job")
	}
	require.Error(t, a.hub.Broadcast("r", func() {}))
	for _, c := range []*chat{a, b} {
		require.Equal(t, []string{"ann", "bob", "zoe"}, c.hub.Members(ctx, "r"))
	}
	_ = zoe.Close()
	bob.hears("-zoe")
	require.Equal(t, []string{"ann", "bob"}, b.hub.Members(ctx, "r"))

	// A room that ends and begins again is joined again at once.
	_ = other.Close()
	eventually(t, "freed", func() bool { return b.rooms() == 1 })
	for range 5 {
		start := time.Now()
		tim := b.join("elsewhere", "tim")
		require.Less(t, time.Since(start), linkWait)
		eva := a.join("elsewhere", "eva")
		tim.hearsAtLast("+eva")
		_, _ = tim.Close(), eva.Close()
		eventually(t, "freed", func() bool { return a.rooms() == 1 && b.rooms() == 1 })
	}

	// The history holds what other replicas said.
	late := b.join("r", "late")
	late.hears("97 ü", "98 ü", "99 ü", "hi", `{"n":1}`)
}

// To say again who is here leaves room for what 10,000 members say.
func TestRefreshOfManyMembers(t *testing.T) {
	h := New("many", Config{RedisURL: "redis://127.0.0.1:1/0"}, quiet)
	require.NoError(t, h.Err)
	for n := range 10_000 {
		m := &Member{hub: h, options: Options{Name: fmt.Sprint("member ", n)}}
		require.NoError(t, h.enter(m, fmt.Sprint("room ", n%10)))
		<-h.redis.out // it has entered
	}
	h.redis.refresh()
	require.Zero(t, h.redis.lost.Load())
	require.Less(t, len(h.redis.out), outbox/10)
}

// A replica that stops says goodbye for its members.
func TestTheMembersOfAStoppedReplicaHaveLeft(t *testing.T) {
	t.Parallel()
	a, b := replicas(t, services.Redis(t))
	ann := a.join("r", "ann")
	for n := range 20 {
		_ = b.join("r", fmt.Sprint(n))
		ann.hears(fmt.Sprintf("+%d", n))
	}
	b.stop()
	left := map[string]bool{}
	require.NoError(t, ann.SetReadDeadline(time.Now().Add(patience)))
	for len(left) < 20 {
		_, text, err := ann.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, byte('-'), text[0])
		left[string(text)] = true
	}
	require.Equal(t, []string{"ann"}, a.hub.Members(context.Background(), "r"))
}

func TestMembersOfADeadReplicaAreForgotten(t *testing.T) {
	a, _ := replicas(t, services.Redis(t))
	_ = a.join("r", "ann")
	ctx := context.Background()
	eventually(t, "in redis", func() bool {
		n, err := a.hub.redis.client.ZCard(ctx, a.hub.redis.set("r")).Result()
		return err == nil && n == 1
	})
	for name, until := range map[string]time.Time{"living": time.Now().Add(presence), "dead": time.Now().Add(-time.Second)} {
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

// hearsAtLast waits for a text, whatever comes before it.
func (c client) hearsAtLast(want string) {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	for {
		_, text, err := c.ReadMessage()
		require.NoError(c.t, err)
		if string(text) == want {
			return
		}
	}
}

// Without Redis each replica goes on alone, and together when it is back.
func TestRedisGoesAndComesBack(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(services.Redis(t))
	require.NoError(t, err)
	middle := newProxy(t, u.Host)
	u.Host = middle.Addr().String()
	a, b := replicas(t, u.String())
	ann, bob := a.join("r", "ann"), b.join("r", "bob")
	ann.hears("+bob")
	zoe := a.join("r", "zoe")
	ann.hears("+zoe")
	bob.hearsAtLast("+zoe") // perhaps after "+ann", which travelled while he joined

	middle.set(true)
	ann.say("only here")
	zoe.hears("only here")
	tim := a.join("new", "tim") // waits for Redis in vain, and comes in
	require.Equal(t, []string{"ann", "zoe"}, a.hub.Members(context.Background(), "r"))

	middle.set(false)
	// What is said while a subscription is not back is lost: it is said until
	// it comes through.
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
		pair[1].hearsAtLast("again together")
		close(done)
	}
}

// A Redis that is there and does not answer is waited for once.
func TestRedisIsPaused(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a server of its own")
	}
	server, err := services.StartRedis()
	require.NoError(t, err)
	address := server.URL
	a, b := replicas(t, address)
	ann, bob := a.join("r", "ann"), b.join("r", "bob")
	ann.hears("+bob")
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
		require.Less(t, time.Since(begun), linkWait/2)
	}
	// It is back: both are one again.
	eventually(t, "together again", func() bool {
		ann.say("again")
		return len(a.hub.Members(ctx, "r")) == 2
	})
	bob.hearsAtLast("again")
}
