package web

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// pageFactor is how many times the API's limit a client may read outside the API:
// pages load images and scripts.
const pageFactor = 10

// Roots returns the path prefixes of the API, such as "/api/": the first segment of
// each prefix under which modules are mounted, or "/api/" if there is none.
func Roots(modules []Module) []string {
	var roots []string
	for _, m := range modules {
		if first, _, _ := strings.Cut(strings.TrimPrefix(m.Prefix, "/"), "/"); first != "" && !slices.Contains(roots, "/"+first+"/") {
			roots = append(roots, "/"+first+"/")
		}
	}
	if roots == nil {
		return []string{"/api/"}
	}
	return roots
}

// OfAPI reports whether the path of the request belongs to the application's API;
// see Roots.
func OfAPI(c *gin.Context) bool {
	r, ok := c.Request.Context().Value(requestKey{}).(*requestContext)
	return ok && below(r.app.roots, c.Request.URL.Path)
}

func below(roots []string, path string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return strings.HasPrefix(path, root) })
}

// Limited reports whether requests count towards the limit of the API, whose
// paths begin with one of roots: those below it and, wherever they go, those that
// write or ask for a WebSocket. Other reads have a limit of their own.
func Limited(roots []string, method, path string, upgrades bool) bool {
	return upgrades || method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions || below(roots, path)
}

const (
	limiterShards = 64
	// maxClients is how many clients one shard remembers; beyond it the
	// memory of some is lost rather than the process's.
	maxClients = 4096
)

// Limits of counting in common with other replicas.
const (
	commonLimit = 250 * time.Millisecond // what one request waits for it at most
	commonSlow  = 25 * time.Millisecond  // from when on an answer is slow
	commonSlows = 8                      // slow answers in a row that are too many
	commonPause = time.Second            // between tries while it fails; the others do not wait
)

// errSlow is that of a common count that answers, and holds up every request.
var errSlow = fmt.Errorf("%d answers in a row took longer than %s", commonSlows, commonSlow)

// limiter counts the requests of each client in windows that begin with the
// client's first request. A client is an IPv4 address or an IPv6 /64 network,
// which is what one subscriber has.
type limiter struct {
	rate   Rate
	roots  []string
	pages  *limiter // of reads outside the API
	log    *slog.Logger
	common func(context.Context, netip.Addr, Rate) (int, time.Duration, error) // nil when this replica counts by itself
	again  atomic.Int64                                                        // when common is tried next, in Unix nanoseconds; 0 while it works
	slow   atomic.Int32                                                        // answers of common in a row that were slow
	seed   maphash.Seed
	once   sync.Once // of LimitBy, which learns at its first request who counts
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
// possible, and returns what take does. While it is not, or takes long, nobody
// waits for it. That it became so, or is over, is logged once.
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
	switch {
	case time.Since(now) < commonSlow:
		l.slow.Store(0)
	case err == nil && l.slow.Add(1) >= commonSlows:
		err = errSlow
	}
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
	begin := time.Now()
	_, _, err := l.common(ctx, client, l.rate)
	if err == nil && time.Since(begin) > commonSlow { // the connection may have been made anew
		begin = time.Now()
		_, _, err = l.common(ctx, client, l.rate)
	}
	if err == nil && time.Since(begin) < commonSlow && l.again.Swap(0) != 0 {
		l.slow.Store(0)
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
	_, upgrades := c.Request.Header["Upgrade"]
	switch path := c.Request.URL.Path; {
	case path == healthPath, path == readyPath:
		return
	case !Limited(l.roots, c.Request.Method, path, upgrades):
		if left, reset := l.pages.take(Client(c), time.Now()); left < 0 {
			Fail(c, fault.TooMany("Too many requests", reset))
		}
		return
	}
	l.admit(c, Client(c))
}

// LimitBy returns middleware that limits requests by a rate limit key, in addition
// to RATE_LIMIT, which is per IP address. Requests with the same key share a limit
// across all routes that use the middleware; an empty key is not limited. Use With
// to add it to all routes of a module: guards run first, so the key may rely on them:
//
//	perUser := web.LimitBy(web.Rate{Limit: 1000, Window: time.Hour}, auth.PerUser)
//	posts.Module(gdb).With(perUser).Under(api),
//
// If a module shares rate limits between replicas, it shares these as well.
func LimitBy(r Rate, key func(*gin.Context) string) gin.HandlerFunc {
	l := newLimiter(r, slog.Default())
	return func(c *gin.Context) {
		name := key(c)
		own, ok := c.Request.Context().Value(requestKey{}).(*requestContext)
		if name == "" || !ok || own.app == nil || r.Limit <= 0 {
			return
		}
		l.once.Do(func() { l.log, l.common = own.app.Log, own.app.count })
		l.admit(c, hashed(name))
	}
}

// hashed maps a key to an address that no client has, since in the /64 networks of
// clients the last half is zero.
func hashed(key string) netip.Addr {
	sum := sha256.Sum256([]byte(key))
	return netip.AddrFrom16([16]byte(sum[:16]))
}

// admit counts one request and says so in the headers, where no other limit that has
// less left does already.
func (l *limiter) admit(c *gin.Context, client netip.Addr) {
	left, reset := l.count(c.Request.Context(), client)
	h := c.Writer.Header()
	if told := h["Ratelimit-Remaining"]; len(told) == 1 {
		if least, err := strconv.Atoi(told[0]); err == nil && left >= least {
			return
		}
	}
	h["Ratelimit-Policy"] = l.policy
	h["Ratelimit-Limit"] = l.limit
	h["Ratelimit-Remaining"] = []string{strconv.Itoa(max(left, 0))}
	h["Ratelimit-Reset"] = []string{strconv.Itoa(int(math.Ceil(reset.Seconds())))}
	if left < 0 {
		Fail(c, fault.TooMany("Too many requests", reset))
	}
}

// Client returns the address that counts as one client for limits: an IPv4 address,
// or the /64 network of an IPv6 address, which is what one subscriber has.
func Client(c *gin.Context) netip.Addr { return clientOf(ClientIP(c)) }

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
