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

// Config is the configuration of Redis.
type Config struct {
	// URL is redis://user:password@host:6379/0, rediss:// with TLS or
	// unix:///path.sock. Empty means a single replica. Give each application its own
	// database number.
	URL string `env:"REDIS_URL" doc:"redis://host:6379/0: shares chat rooms and rate limits between replicas"`
}

// Validate reports whether the URL is valid, without connecting.
func (c Config) Validate() error {
	_, err := c.Options()
	return err
}

// Options parses the URL. It returns nil if there is none.
func (c Config) Options() (*redis.Options, error) {
	if c.URL == "" {
		return nil, nil
	}
	options, err := redis.ParseURL(c.URL)
	if err != nil { // the original error may contain the password
		return nil, errors.New("REDIS_URL is not the address of a Redis\n  kinds: redis://USER:PASSWORD@HOST:PORT/DATABASE  rediss:// with TLS  unix://PATH\n  try:   REDIS_URL=redis://127.0.0.1:6379/0")
	}
	return options, nil
}

// Client returns a client for use during requests: it does not retry, and obeys the
// deadline of the context. It returns nil without a URL.
func (c Config) Client() (*redis.Client, error) {
	options, err := c.Options()
	if err != nil || options == nil {
		return nil, err
	}
	options.ContextTimeoutEnabled = true // otherwise the deadline of the context is ignored
	options.MaxRetries, options.DialerRetries = -1, 1
	options.DialTimeout = dialTimeout
	return redis.NewClient(options), nil
}

// dialTimeout limits opening a connection. It may exceed the deadline of the request
// that opens it; the connection is then ready for the next.
const dialTimeout = time.Second

// Module shares the counts of RATE_LIMIT between all replicas on the same Redis.
// While Redis is unavailable, each replica counts on its own, which is logged once.
// Without a URL it does nothing.
func Module(c Config) web.Module {
	m := web.Module{Name: "redis"}
	client, err := c.Client()
	if err != nil || client == nil {
		m.Err = err
		return m
	}
	m.Count = func(ctx context.Context, addr netip.Addr, r web.Rate) (int, time.Duration, error) {
		key := fmt.Sprintf("ratelimit:%d/%s:%s", r.Limit, r.Window, addr)
		result, err := count.Run(ctx, client, []string{key}, r.Window.Milliseconds()).Int64Slice()
		if err != nil {
			return 0, 0, err
		}
		return int(result[0]), time.Duration(result[1]) * time.Millisecond, nil
	}
	return m
}

// count counts a request in the client's window, which begins with its first request.
// It returns the number of requests and the milliseconds left. A counter without
// expiry, which only manual changes can leave, gets one.
var count = redis.NewScript(`
local n, left = redis.call("INCR", KEYS[1]), redis.call("PTTL", KEYS[1])
if left < 0 then
	redis.call("PEXPIRE", KEYS[1], ARGV[1])
	left = tonumber(ARGV[1])
end
return {n, left}
`)
