package web

import (
	"hash/maphash"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"sync"
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

// limiter counts the requests of each client in windows that begin with the
// client's first request. A client is an IPv4 address or an IPv6 /64 network,
// which is what one subscriber has.
type limiter struct {
	rate   Rate
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

func newLimiter(r Rate) *limiter {
	seconds := strconv.Itoa(int(r.Window.Seconds()))
	limit := strconv.Itoa(r.Limit)
	l := &limiter{rate: r, seed: maphash.MakeSeed(), limit: []string{limit}, policy: []string{limit + ";w=" + seconds}}
	for i := range l.shards {
		l.shards[i].clients = make(map[netip.Addr]window)
	}
	return l
}

// take counts one request, and returns how many of the window are left, less
// than 0 when it is one too many, and how long the window lasts yet.
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
	left, reset := l.take(clientOf(c.ClientIP()), time.Now())
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
