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

// pageFactor is how many times the API's limit a client may read outside the API,
// since pages load images and scripts.
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

// OfAPI reports whether the path of the request belongs to the application's API; see
// Roots.
func OfAPI(c *gin.Context) bool {
	r, ok := c.Request.Context().Value(requestKey{}).(*requestContext)
	return ok && underAny(r.app.roots, c.Request.URL.Path)
}

func underAny(roots []string, path string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return strings.HasPrefix(path, root) })
}

// Limited reports whether a request counts towards the API's rate limit: those below
// one of the API's roots and, on any path, writes and WebSocket handshakes. Other
// reads have a separate limit.
func Limited(roots []string, method, path string, upgrades bool) bool {
	return upgrades || method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions || underAny(roots, path)
}

const (
	limiterShards = 64
	// maxClients is how many clients a shard remembers. Beyond that it forgets some,
	// to bound its memory.
	maxClients = 4096
)

// Limits of the count shared with other replicas.
const (
	sharedTimeout = 250 * time.Millisecond // timeout of one call
	slowAfter     = 25 * time.Millisecond  // above which a call is slow
	maxSlow       = 8                      // maximum number of consecutive slow calls
	probeInterval = time.Second            // between probes while it fails; requests do not wait for them
)

// errSlow is the failure of a shared count that works, but delays every request.
var errSlow = fmt.Errorf("%d answers in a row took longer than %s", maxSlow, slowAfter)

// limiter counts the requests of each client in windows that begin with the client's
// first request. A client is an IPv4 address or an IPv6 /64 network, the usual size
// for one subscriber.
type limiter struct {
	rate    Rate
	roots   []string
	pages   *limiter // for reads outside the API
	log     *slog.Logger
	shared  func(context.Context, netip.Addr, Rate) (int, time.Duration, error) // nil if each replica counts on its own
	probeAt atomic.Int64                                                        // time of the next probe of shared, in Unix nanoseconds; 0 while it works
	slow    atomic.Int32                                                        // consecutive slow calls of shared
	seed    maphash.Seed
	once    sync.Once // for LimitBy, which learns the application from its first request
	policy  []string
	limit   []string
	shards  [limiterShards]shard
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

// count counts one request, with the shared count if it works, and returns the same
// as take. While the shared count fails or is slow, requests do not wait for it. Each
// failure and recovery is logged once.
func (l *limiter) count(ctx context.Context, client netip.Addr) (left int, reset time.Duration) {
	now := time.Now()
	next := now.Add(probeInterval).UnixNano()
	probeAt := l.probeAt.Load()
	if l.shared == nil {
		return l.take(client, now)
	}
	if probeAt != 0 {
		if now.UnixNano() >= probeAt && l.probeAt.CompareAndSwap(probeAt, next) {
			go l.probe(context.WithoutCancel(ctx), client)
		}
		return l.take(client, now)
	}
	// A client that disconnects must not make the shared count fail.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTimeout)
	defer cancel()
	n, reset, err := l.shared(ctx, client, l.rate)
	switch {
	case time.Since(now) < slowAfter:
		l.slow.Store(0)
	case err == nil && l.slow.Add(1) >= maxSlow:
		err = errSlow
	}
	if err != nil {
		if l.probeAt.CompareAndSwap(0, next) {
			l.log.WarnContext(ctx, "the rate limit is not shared: each replica counts separately", "error", err)
		}
		return l.take(client, now)
	}
	return max(l.rate.Limit-n, -1), reset
}

// probe tries the shared count again. Requests do not wait for it.
func (l *limiter) probe(ctx context.Context, client netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	begin := time.Now()
	_, _, err := l.shared(ctx, client, l.rate)
	if err == nil && time.Since(begin) > slowAfter { // the first call may have opened a connection
		begin = time.Now()
		_, _, err = l.shared(ctx, client, l.rate)
	}
	if err == nil && time.Since(begin) < slowAfter && l.probeAt.Swap(0) != 0 {
		l.slow.Store(0)
		l.log.InfoContext(ctx, "the rate limit is shared again")
	}
}

// take counts one request in this process. It returns how many requests are left in
// the window, negative if this one exceeds the limit, and the time until the window
// ends.
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

// sweep makes room: it drops the windows that have ended and, if too few have, others
// up to an eighth.
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

// handle is the middleware. Its headers follow versions 3 to 7 of the IETF's
// RateLimit draft, which clients support.
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
		l.once.Do(func() { l.log, l.shared = own.app.Log, own.app.count })
		l.admit(c, hashed(name))
	}
}

// hashed maps a key to an address that cannot be a client's, since the last half of a
// client's /64 network is zero.
func hashed(key string) netip.Addr {
	sum := sha256.Sum256([]byte(key))
	return netip.AddrFrom16([16]byte(sum[:16]))
}

// admit counts one request and sets the headers, unless another limit with less
// remaining has set them.
func (l *limiter) admit(c *gin.Context, client netip.Addr) {
	left, reset := l.count(c.Request.Context(), client)
	h := c.Writer.Header()
	if shown := h["Ratelimit-Remaining"]; len(shown) == 1 {
		if least, err := strconv.Atoi(shown[0]); err == nil && left >= least {
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
// or the /64 network of an IPv6 address, the usual size for one subscriber.
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
