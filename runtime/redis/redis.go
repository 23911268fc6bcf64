package redis

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nexios-go/nexios/runtime/web"
)

// Config says where the Redis is.
type Config struct {
	// URL is redis://user:password@host:6379/0, rediss:// with TLS or
	// unix:///path.sock. Empty means that there is one replica. An application
	// has a numbered database of its own.
	URL string `env:"REDIS_URL" doc:"redis://host:6379/0: shares chat rooms and rate limits between replicas"`
}

// Validate says whether the URL can be read; nothing is connected.
func (c Config) Validate() error {
	_, err := c.Options()
	return err
}

// Options reads the URL; nil without one.
func (c Config) Options() (*redis.Options, error) {
	if c.URL == "" {
		return nil, nil
	}
	options, err := redis.ParseURL(c.URL)
	if err != nil { // whose own error may hold the password
		return nil, errors.New("REDIS_URL is not the address of a Redis\n  kinds: redis://USER:PASSWORD@HOST:PORT/DATABASE  rediss:// with TLS  unix://PATH\n  try:   REDIS_URL=redis://127.0.0.1:6379/0")
	}
	return options, nil
}

// Client returns a client for what a request waits for: it tries once, and heeds the
// limit of a context. nil without a URL.
func (c Config) Client() (*redis.Client, error) {
	options, err := c.Options()
	if err != nil || options == nil {
		return nil, err
	}
	options.ContextTimeoutEnabled = true // or a request would wait longer than it may
	options.MaxRetries, options.DialerRetries = -1, 1
	options.DialTimeout = dialLimit
	return redis.NewClient(options), nil
}

// dialLimit is how long a connection may take to be made: a request waits for
// it only within its own limit, and the next finds it.
const dialLimit = time.Second

// Module counts the requests of RATE_LIMIT in common with all other replicas
// on the same Redis. While that does not answer each counts by itself, which a
// warning says once. Without a URL it does nothing.
func Module(c Config) web.Module {
	m := web.Module{Name: "redis"}
	client, err := c.Client()
	if err != nil || client == nil {
		m.Err = err
		return m
	}
	m.Count = func(ctx context.Context, who netip.Addr, r web.Rate) (int, time.Duration, error) {
		key := fmt.Sprintf("ratelimit:%d/%s:%s", r.Limit, r.Window, who)
		answer, err := count.Run(ctx, client, []string{key}, r.Window.Milliseconds()).Int64Slice()
		if err != nil {
			return 0, 0, err
		}
		return int(answer[0]), time.Duration(answer[1]) * time.Millisecond, nil
	}
	return m
}

// count counts one request in the window of a client, which begins with its
// first: how many there were, and how many milliseconds are left. A counter
// without an end, which nobody makes but a person, gets one.
var count = redis.NewScript(`
local n, left = redis.call("INCR", KEYS[1]), redis.call("PTTL", KEYS[1])
if left < 0 then
	redis.call("PEXPIRE", KEYS[1], ARGV[1])
	left = tonumber(ARGV[1])
end
return {n, left}
`)
