package ws

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/nexios-go/nexios/runtime/redis"
	"github.com/nexios-go/nexios/runtime/web"
)

// Config is what a person may set.
type Config struct {
	// Origins are the other sites whose pages may connect, as in
	// "https://example.com"; the application's own always may.
	Origins []string `env:"CORS_ORIGINS" doc:"other origins allowed to connect: https://example.com,..."`
	// RedisURL joins the rooms of all replicas: redis://host:6379/0. Empty
	// means that there is one replica.
	RedisURL string `env:"REDIS_URL" doc:"redis://host:6379/0: shares chat rooms and rate limits between replicas"`
	// RateLimit bounds how many connections to a hub stay open: a user's are as many
	// as an address may make requests, and an address's ten times as many. The zero
	// value sets no limit.
	RateLimit web.Rate `env:"RATE_LIMIT" envDefault:"100/60s" doc:"API requests, other writes and WebSocket handshakes per client, or off; other reads may be ten times as many"`
	// History is how many of the last messages a new member is sent, up to 50;
	// 0 means none. Each replica keeps its own, while it has members in the
	// room.
	History int `env:"WS_HISTORY" envDefault:"0" doc:"past messages sent to a new room member, 0 to 50"`
}

// maxHistory bounds Config.History.
const maxHistory = 50

// addressFactor is how many more connections an address may have than a user: an
// office or a phone network has one for many people.
const addressFactor = 10

// Validate reports the settings that cannot work.
func (c Config) Validate() error {
	err := redis.Config{URL: c.RedisURL}.Validate()
	if c.History < 0 || c.History > maxHistory {
		err = errors.Join(err, fmt.Errorf("WS_HISTORY is %d\n  expected: a number from 0 (none) to %d\n  try:   WS_HISTORY=0", c.History, maxHistory))
	}
	return err
}

// Limits bound what connections may cost. New sets the values given here;
// change them before the first connection.
type Limits struct {
	Message int64      // bytes of one message: 64 KiB; more closes with 1009
	Queue   int        // bytes that wait for one member: 1 MiB; more drops it
	Rooms   int        // 10,000; one more is refused with 503
	Members int        // of one room: 10,000; one more is refused with 503
	User    int        // connections of one Options.Name: see Config.RateLimit; one more is refused with 429, and 0 is no limit
	Address int        // connections of one address, in the same way
	Rate    rate.Limit // messages a second from one member: 100, where 4 KiB count as one; what comes faster is read later
	Burst   int        // messages that may come at once: 200
	Ping    time.Duration
	// Silence is after how long a member that answers no ping is dropped: 60
	// seconds, with a ping every 25.
	Silence time.Duration
}

func defaults() Limits {
	return Limits{
		Message: 64 << 10, Queue: 1 << 20, Rooms: 10_000, Members: 10_000, Rate: 100, Burst: 200,
		Ping: 25 * time.Second, Silence: 60 * time.Second,
	}
}

// Hub is a set of rooms. Make it with New, give Run to the module, and serve
// connections with Join or Serve.
type Hub struct {
	Limits Limits
	Err    error // what was wrong with the settings, for web.Module.Err

	name    string
	origins map[string]bool
	history int
	log     *slog.Logger
	redis   *fanout // nil without REDIS_URL

	mu      sync.Mutex
	rooms   map[string]*room
	members map[*Member]struct{}
	users   map[string]int     // how many connections each has, by Options.Name
	clients map[netip.Addr]int // and each address
	closing bool
	active  sync.WaitGroup // one for every member
}

// New returns a hub. name tells its rooms from those of other hubs on the same
// Redis. Mistakes in cfg are left in Err.
func New(name string, cfg Config, log *slog.Logger) *Hub {
	h := &Hub{
		Limits: defaults(), name: name, origins: map[string]bool{}, history: cfg.History, log: log,
		rooms: map[string]*room{}, members: map[*Member]struct{}{},
		users: map[string]int{}, clients: map[netip.Addr]int{},
	}
	h.Limits.User = min(cfg.RateLimit.Limit, math.MaxInt32/addressFactor)
	h.Limits.Address = h.Limits.User * addressFactor
	for _, origin := range cfg.Origins {
		h.origins[origin] = true
	}
	options, _ := redis.Config{URL: cfg.RedisURL}.Options() // Validate says what is wrong with it
	if h.Err = cfg.Validate(); h.Err == nil && options != nil {
		h.redis = newFanout(h, options)
	}
	return h
}
