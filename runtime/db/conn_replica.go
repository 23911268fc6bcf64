package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ReadReplica returns middleware for the Use of a module. If DATABASE_READ_URL names
// a read replica, a PostgreSQL streaming standby, GORM's reads of the program's own
// models in GET and HEAD requests go to the replica. Everything else goes to the
// primary: transactions and locking reads, raw SQL, statements of [System], jobs and
// WebSockets, the runtime's own tables, including sessions, and the reads of a client
// until the replica has caught up with the client's writes. A client is identified by
// its address, Authorization, API key and a cookie set on writes, which works across
// processes.
//
// Reads, and changes of permissions, may lag by up to 5 seconds. A replica that lags
// more or does not respond is not used until it recovers; that is logged once.
// Without DATABASE_READ_URL, ReadReplica returns nil.
func ReadReplica(gdb *gorm.DB) []gin.HandlerFunc {
	if r, ok := gdb.Plugins["replica"].(*replica); ok {
		return []gin.HandlerFunc{r.handle}
	}
	return nil
}

const (
	// behind is the maximum replica lag.
	behind = 5 * time.Second
	// lookedAt is how long the observed state of a replica is cached.
	lookedAt = 200 * time.Millisecond
	// writers is the maximum number of clients whose last write is remembered.
	writers = 10_000
	// wroteCookie marks a client that has written within the last behind.
	wroteCookie = "wrote"
)

// replica is the GORM plugin that reads from a replica.
type replica struct {
	*serverPool // the primary's
	standby     *serverPool
	log         *slog.Logger
	ours        string // where the runtime's packages are
	began       time.Time

	// upTo is a time, in Unix nanoseconds: the replica has all that was written
	// before it. 0 is none.
	upTo    atomic.Int64
	asked   atomic.Int64 // when that was last looked at
	looking atomic.Bool
	well    atomic.Bool

	seed    maphash.Seed
	mu      sync.Mutex
	written map[uint64]time.Time // when clients wrote last
	all     time.Time            // when all others may have
}

// newReplica opens the replica of gdb at url.
func newReplica(gdb *gorm.DB, url string, o Options) (*replica, error) {
	primary, ok := gdb.ConnPool.(*serverPool)
	if !ok || gdb.Name() != "postgres" {
		return nil, errors.New("DATABASE_READ_URL requires a PostgreSQL database in DATABASE_URL\n  kinds: postgres://USER:PASSWORD@HOST/NAME\n  try:   leave DATABASE_READ_URL empty")
	}
	open, err := dialect(url)
	if err != nil {
		return nil, errors.New("DATABASE_READ" + strings.TrimPrefix(err.Error(), "DATABASE"))
	}
	dialector, err := open(o.Config.withDefaults())
	if err != nil {
		return nil, err
	}
	other, ok := dialector.(postgresDialector)
	if !ok {
		return nil, errors.New("DATABASE_READ_URL is not a PostgreSQL URL, but DATABASE_URL is\n  kinds: postgres://USER:PASSWORD@HOST/NAME\n  try:   leave DATABASE_READ_URL empty")
	}
	standby, _ := other.Conn.(*serverPool)
	own := reflect.TypeFor[Config]().PkgPath()
	r := &replica{serverPool: primary, standby: standby, log: o.Log, ours: strings.TrimSuffix(own, "db"), began: time.Now(), seed: maphash.MakeSeed(), written: map[uint64]time.Time{}}
	r.well.Store(true)
	return r, nil
}

// Name implements gorm.Plugin.
func (*replica) Name() string { return "replica" }

// Initialize implements gorm.Plugin.
func (r *replica) Initialize(gdb *gorm.DB) error {
	return errors.Join(
		gdb.Callback().Query().Before("gorm:query").Register("replica:before", r.before),
		gdb.Callback().Query().After("gorm:after_query").Register("replica:after", r.after),
	)
}

func (r *replica) before(tx *gorm.DB) {
	s := tx.Statement
	if since, may := s.Context.Value(replicaKey{}).(time.Time); may && s.ConnPool == gorm.ConnPool(r.serverPool) && r.asks(tx) && r.has(since) {
		s.ConnPool = r
	}
}

func (r *replica) after(tx *gorm.DB) {
	if tx.Statement.ConnPool == gorm.ConnPool(r) {
		tx.Statement.ConnPool = r.serverPool
	}
}

// asks reports whether a statement may go to the replica.
func (r *replica) asks(tx *gorm.DB) bool {
	s := tx.Statement
	if tx.Error != nil || tx.DryRun || s.SQL.Len() > 0 || s.Schema == nil || IsSystem(s.Context) {
		return false
	}
	_, locks := s.Clauses["FOR"].Expression.(clause.Locking)
	of := s.Schema.ModelType.PkgPath()
	return !locks && (!strings.HasPrefix(of, r.ours) || strings.HasSuffix(of, "_test"))
}

// QueryContext queries the replica, and falls back to the primary if that fails: a
// migration may not have been replicated yet.
func (r *replica) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := r.standby.QueryContext(ctx, query, args...)
	if err == nil || ctx.Err() != nil {
		return rows, err
	}
	switch inspect(err).kind {
	case cancelled: // it took too long, as it would again
		return nil, err
	case unreachable:
		r.tell(err)
	}
	return r.serverPool.QueryContext(ctx, query, args...)
}

// has reports whether the replica has everything written until then, and its lag is
// small.
func (r *replica) has(then time.Time) bool {
	now := time.Now()
	if asked := r.asked.Load(); now.UnixNano()-asked > int64(lookedAt) && r.looking.CompareAndSwap(false, true) {
		go func() {
			defer r.looking.Store(false)
			r.look()
		}()
	}
	upTo := r.upTo.Load()
	return upTo > then.UnixNano() && now.UnixNano()-upTo < int64(behind)
}

// look measures the replica lag.
func (r *replica) look() {
	ctx, cancel := context.WithTimeout(context.Background(), behind)
	defer cancel()
	now := time.Now()
	defer func() { r.asked.Store(time.Now().UnixNano()) }()
	var at string
	var there bool
	err := r.serverPool.DB.QueryRowContext(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&at)
	if err != nil {
		return // the primary is not the replica's matter
	}
	// At the end of a page the place for the next record is behind a header of 24
	// bytes, which is less than any commit has.
	err = r.standby.DB.QueryRowContext(ctx, "SELECT NOT pg_is_in_recovery() OR pg_wal_lsn_diff(pg_last_wal_replay_lsn(), $1::pg_lsn) >= -24", at).Scan(&there)
	switch last := max(r.upTo.Load(), r.began.UnixNano()); {
	case err != nil:
		r.tell(err)
	case there:
		r.upTo.Store(now.UnixNano())
		if !r.well.Swap(true) {
			r.log.Info("the read replica is used again")
		}
	case now.UnixNano()-last > int64(behind):
		r.tell(fmt.Errorf("it lags by more than %s", behind))
	}
}

// tell stops using the replica, and logs that once.
func (r *replica) tell(err error) {
	r.upTo.Store(0)
	if r.well.Swap(false) {
		r.log.Warn("the read replica is not used; reads are asked of the primary", "error", err)
	}
}

// replicaKey is the context key of requests that may read from the replica; the
// value is the time up to which the replica must have caught up.
type replicaKey struct{}

func (r *replica) handle(c *gin.Context) {
	clients := r.clients(c)
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead:
		if _, err := c.Cookie(wroteCookie); err == nil {
			return
		}
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), replicaKey{}, r.wrote(clients)))
	case http.MethodOptions:
	default:
		http.SetCookie(c.Writer, &http.Cookie{Name: wroteCookie, Value: "1", Path: "/", MaxAge: int(behind / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.Request.TLS != nil})
		r.note(clients, time.Now().Add(time.Hour)) // the answer may be there before its end
		defer func() { r.note(clients, time.Now()) }()
		c.Next()
	}
}

// clients returns the identities of the client of a request.
func (r *replica) clients(c *gin.Context) []uint64 {
	clients := []uint64{maphash.String(r.seed, c.ClientIP())}
	for _, name := range []string{"Authorization", "X-API-Key"} {
		if value := c.GetHeader(name); value != "" {
			clients = append(clients, maphash.String(r.seed, name+value))
		}
	}
	return clients
}

// wrote returns when the client last wrote.
func (r *replica) wrote(clients []uint64) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.all
	for _, client := range clients {
		if at := r.written[client]; at.After(last) {
			last = at
		}
	}
	return last
}

// note records when the client wrote.
func (r *replica) note(clients []uint64, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.written) > writers {
		clear(r.written)
		r.all = time.Now()
	}
	for _, client := range clients {
		r.written[client] = at
	}
}
