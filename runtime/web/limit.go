package web

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// limited paths are those below it.
const limitedPrefix = "/api/"

const (
	limiterShards = 64
	// maxClients is how many clients one shard remembers; beyond it the
	// memory of some is lost rather than the process's.
	maxClients = 4096
)

// Limits of counting in common with other replicas.
const (
	commonLimit = 250 * time.Millisecond // what one request waits for it at most
	commonPause = time.Second            // between tries while it fails; the others do not wait
)

// limiter counts the requests of each client in windows that begin with the
// client's first request. A client is an IPv4 address or an IPv6 /64 network,
// which is what one subscriber has.
type limiter struct {
	rate   Rate
	log    *slog.Logger
	common func(context.Context, netip.Addr, Rate) (int, time.Duration, error) // nil when this replica counts by itself
	again  atomic.Int64                                                        // when common is tried next, in Unix nanoseconds; 0 while it works
	seed   maphash.Seed
	policy []string
	limit  []string
	shards [limiterShards]shard
}

type shard struct {
	sync.Mutex
	clients map[netip.Addr]window
}

type window struct {
	ends  time.Time
	count int
}

func newLimiter(r Rate, log *slog.Logger) *limiter {
	seconds := strconv.Itoa(int(r.Window.Seconds()))
	limit := strconv.Itoa(r.Limit)
	l := &limiter{rate: r, log: log, seed: maphash.MakeSeed(), limit: []string{limit}, policy: []string{limit + ";w=" + seconds}}
	for i := range l.shards {
		l.shards[i].clients = make(map[netip.Addr]window)
	}
	return l
}

// count counts one request, in common with other replicas where that is
// possible, and returns what take does. While it is not, nobody waits for it. That it became impossible, or possible
// again, is logged once.
func (l *limiter) count(ctx context.Context, client netip.Addr) (left int, reset time.Duration) {
	now := time.Now()
	next := now.Add(commonPause).UnixNano()
	again := l.again.Load()
	if l.common == nil {
		return l.take(client, now)
	}
	if again != 0 {
		if now.UnixNano() >= again && l.again.CompareAndSwap(again, next) {
			go l.probe(context.WithoutCancel(ctx), client)
		}
		return l.take(client, now)
	}
	// A client that leaves says nothing about the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commonLimit)
	defer cancel()
	n, reset, err := l.common(ctx, client, l.rate)
	if err != nil {
		if l.again.CompareAndSwap(0, next) {
			l.log.WarnContext(ctx, "the rate limit is not shared: each replica counts separately", "error", err)
		}
		return l.take(client, now)
	}
	return max(l.rate.Limit-n, -1), reset
}

// probe tries to count in common again. No request waits for it.
func (l *limiter) probe(ctx context.Context, client netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, commonLimit)
	defer cancel()
	if _, _, err := l.common(ctx, client, l.rate); err == nil && l.again.Swap(0) != 0 {
		l.log.InfoContext(ctx, "the rate limit is shared again")
	}
}

// take counts one request in this process, and returns how many of the window
// are left, less than 0 when it is one too many, and how long the window lasts
// yet.
func (l *limiter) take(client netip.Addr, now time.Time) (left int, reset time.Duration) {
	s := &l.shards[maphash.Comparable(l.seed, client)%limiterShards]
	s.Lock()
	defer s.Unlock()
	w, known := s.clients[client]
	if !known && len(s.clients) >= maxClients {
		s.sweep(now)
	}
	if !now.Before(w.ends) {
		w = window{ends: now.Add(l.rate.Window)}
	}
	if w.count <= l.rate.Limit {
		w.count++
		s.clients[client] = w
	}
	return l.rate.Limit - w.count, w.ends.Sub(now)
}

// sweep makes room: it forgets the windows that have ended, and when there are
// none an eighth of the others.
func (s *shard) sweep(now time.Time) {
	for client, w := range s.clients {
		if !now.Before(w.ends) {
			delete(s.clients, client)
		}
	}
	for client := range s.clients {
		if len(s.clients) <= maxClients*7/8 {
			return
		}
		delete(s.clients, client)
	}
}

// handle is the middleware: the headers are those of the IETF's RateLimit
// draft, version 3 to 7, which clients know.
func (l *limiter) handle(c *gin.Context) {
	if !strings.HasPrefix(c.Request.URL.Path, limitedPrefix) {
		return
	}
	left, reset := l.count(c.Request.Context(), clientOf(c.ClientIP()))
	h := c.Writer.Header()
	h["Ratelimit-Policy"] = l.policy
	h["Ratelimit-Limit"] = l.limit
	h["Ratelimit-Remaining"] = []string{strconv.Itoa(max(left, 0))}
	h["Ratelimit-Reset"] = []string{strconv.Itoa(int(math.Ceil(reset.Seconds())))}
	if left < 0 {
		Fail(c, fault.TooMany("Too many requests", reset))
	}
}

func clientOf(ip string) netip.Addr {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Addr{}
	}
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}
