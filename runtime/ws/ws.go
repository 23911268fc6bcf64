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

// Config holds the settings of a hub.
type Config struct {
	// Origins are the other sites whose pages may connect, such as
	// "https://example.com"; the application's own is always allowed.
	Origins []string `env:"CORS_ORIGINS" doc:"other origins allowed to connect: https://example.com,..."`
	// RedisURL connects the rooms of all replicas: redis://host:6379/0. Empty means
	// that there is only one replica.
	RedisURL string `env:"REDIS_URL" doc:"redis://host:6379/0: shares chat rooms and rate limits between replicas"`
	// RateLimit bounds the open connections to a hub: per user as many as the requests
	// allowed per address, per address ten times as many. The zero value means no
	// limit.
	RateLimit web.Rate `env:"RATE_LIMIT" envDefault:"100/60s" doc:"API requests, other writes and WebSocket handshakes per client, or off; other reads may be ten times as many"`
	// History is the number of recent messages sent to a new member, 0 (none) to 50.
	// Each replica keeps its own history while it has members in the room.
	History int `env:"WS_HISTORY" envDefault:"0" doc:"past messages sent to a new room member, 0 to 50"`
}

// maxHistory bounds Config.History.
const maxHistory = 50

// addressFactor is how many times as many connections as a user an address may have:
// offices and mobile networks share one.
const addressFactor = 10

// Validate rejects invalid settings.
func (c Config) Validate() error {
	err := redis.Config{URL: c.RedisURL}.Validate()
	if c.History < 0 || c.History > maxHistory {
		err = errors.Join(err, fmt.Errorf("WS_HISTORY is %d\n  expected: a number from 0 (none) to %d\n  try:   WS_HISTORY=0", c.History, maxHistory))
	}
	return err
}

// Limits bound the cost of connections. New sets the values given here; change them
// before the first connection.
type Limits struct {
	Message int64      // bytes per message: 64 KiB; a larger one closes the connection with 1009
	Queue   int        // queued bytes per member: 1 MiB; a member exceeding it is dropped
	Rooms   int        // 10,000; beyond that 503
	Members int        // per room: 10,000; beyond that 503
	User    int        // connections per Options.Name: see Config.RateLimit; beyond that 429; 0 means no limit
	Address int        // connections per address, likewise
	Rate    rate.Limit // messages per second and member: 100, where 4 KiB count as one; reading slows down to it
	Burst   int        // messages read without delay: 200
	Ping    time.Duration
	// Silence is the time after which a member that does not answer pings is dropped:
	// 60 seconds, with a ping every 25.
	Silence time.Duration
}

func defaults() Limits {
	return Limits{
		Message: 64 << 10, Queue: 1 << 20, Rooms: 10_000, Members: 10_000, Rate: 100, Burst: 200,
		Ping: 25 * time.Second, Silence: 60 * time.Second,
	}
}

// Hub is a set of rooms. Create it with New, set Run in the module, and serve
// connections with Join or Serve.
type Hub struct {
	Limits Limits
	Err    error // error in the settings, for web.Module.Err

	name    string
	origins map[string]bool
	history int
	log     *slog.Logger
	redis   *fanout // nil without REDIS_URL

	mu      sync.Mutex
	rooms   map[string]*room
	members map[*Member]struct{}
	users   map[string]int     // open connections by Options.Name
	clients map[netip.Addr]int // open connections by address
	closing bool
	active  sync.WaitGroup // counts members
}

// New returns a hub. name distinguishes its rooms from those of other hubs on the same
// Redis. An error in cfg is stored in Err.
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
	options, _ := redis.Config{URL: cfg.RedisURL}.Options() // the error is reported by Validate
	if h.Err = cfg.Validate(); h.Err == nil && options != nil {
		h.redis = newFanout(h, options)
	}
	return h
}
