package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Replica is the read replica of a database, at the address in DATABASE_READ_URL: a
// PostgreSQL streaming standby. The middleware of package replica reports requests
// to it and documents which reads it serves.
type Replica struct{ plugin *replica }

// ReplicaOf returns the read replica of gdb; ok is false if there is none.
func ReplicaOf(gdb *gorm.DB) (Replica, bool) {
	r, ok := gdb.Plugins["replica"].(*replica)
	return Replica{r}, ok
}

// Reading returns a context whose reads may use the replica once it has caught up
// with the last writes of clients. A client is any string that identifies it.
func (r Replica) Reading(ctx context.Context, clients ...string) context.Context {
	return context.WithValue(ctx, replicaKey{}, r.plugin.lastWrite(clients))
}

// Writing notes that clients write until done is called: their reads use the
// primary until then, and until the replica has caught up.
func (r Replica) Writing(clients ...string) (done func()) {
	r.plugin.recordWrite(clients, time.Now().Add(time.Hour)) // the client may have the response before done is called
	return func() { r.plugin.recordWrite(clients, time.Now()) }
}

// ReplicaLag is the maximum lag of a read replica: one that lags more is not used
// until it recovers.
const ReplicaLag = 5 * time.Second

const (
	// probeInterval is how long the observed state of a replica is cached, and how long
	// a read waits for the replica before its state is checked again.
	probeInterval = 200 * time.Millisecond
	// probeTimeout is how long a replica may take to report its position.
	probeTimeout = time.Second
	// maxClients is the maximum number of clients whose last write is remembered.
	maxClients = 10_000
)

// errSilent ends the reads that wait for a replica that does not respond.
var errSilent = errors.New("the read replica does not respond")

// replica is the GORM plugin that reads from a replica.
type replica struct {
	*serverPool // the primary's
	standby     *serverPool
	log         *slog.Logger
	runtimePath string // import path of the runtime's packages
	began       time.Time

	// upTo is a time, in Unix nanoseconds: the replica has all that was written
	// before it. 0 means that the replica is not used.
	upTo     atomic.Int64
	probedAt atomic.Int64 // when upTo was last checked, in Unix nanoseconds
	probing  atomic.Bool
	healthy  atomic.Bool

	seed       maphash.Seed
	mu         sync.Mutex
	lastWrites map[uint64]time.Time // when each client last wrote
	all        time.Time            // when any other client may have written last

	aliveCtx    context.Context // cancelled when the replica does not respond
	cancelReads context.CancelFunc
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
	r := &replica{serverPool: primary, standby: standby, log: o.Log, runtimePath: strings.TrimSuffix(own, "db"), began: time.Now(), seed: maphash.MakeSeed(), lastWrites: map[uint64]time.Time{}}
	r.healthy.Store(true)
	r.aliveCtx, r.cancelReads = context.WithCancel(context.Background())
	return r, nil
}

// Name implements gorm.Plugin.
func (*replica) Name() string { return "replica" }

// Initialize implements gorm.Plugin.
func (r *replica) Initialize(gdb *gorm.DB) error {
	return errors.Join(
		gdb.Callback().Query().Before("gorm:query").Register("replica:before", r.before),
		gdb.Callback().Query().Replace("gorm:query", r.query(gdb.Callback().Query().Get("gorm:query"))),
		gdb.Callback().Query().After("gorm:after_query").Register("replica:after", r.after),
	)
}

func (r *replica) before(tx *gorm.DB) {
	s := tx.Statement
	if since, may := s.Context.Value(replicaKey{}).(time.Time); may && s.ConnPool == gorm.ConnPool(r.serverPool) && r.eligible(tx) && r.caughtUp(since) {
		s.ConnPool = r
	}
}

// query retries reads on the primary that lost their connection to the replica.
func (r *replica) query(read func(*gorm.DB)) func(*gorm.DB) {
	return func(tx *gorm.DB) {
		read(tx)
		s := tx.Statement
		if tx.Error == nil || s.ConnPool != gorm.ConnPool(r) || s.Context.Err() != nil || inspect(tx.Error).kind != unreachable {
			return
		}
		r.fail(tx.Error)
		tx.Error, s.ConnPool = nil, r.serverPool
		read(tx)
	}
}

func (r *replica) after(tx *gorm.DB) {
	if tx.Statement.ConnPool == gorm.ConnPool(r) {
		tx.Statement.ConnPool = r.serverPool
	}
}

// eligible reports whether a statement may use the replica.
func (r *replica) eligible(tx *gorm.DB) bool {
	s := tx.Statement
	if tx.Error != nil || tx.DryRun || s.SQL.Len() > 0 || s.Schema == nil || IsSystem(s.Context) {
		return false
	}
	_, locks := s.Clauses["FOR"].Expression.(clause.Locking)
	of := s.Schema.ModelType.PkgPath()
	return !locks && (!strings.HasPrefix(of, r.runtimePath) || strings.HasSuffix(of, "_test"))
}

// QueryContext queries the replica, and falls back to the primary if that fails: a
// migration may not have been replicated yet, and a replica may be silent.
func (r *replica) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	waiting, end := context.WithCancelCause(ctx)
	aliveCtx := r.alive()
	stop := context.AfterFunc(aliveCtx, func() { end(errSilent) })
	late := time.AfterFunc(probeInterval, r.probeOnce)
	rows, err := r.standby.QueryContext(waiting, query, args...)
	late.Stop()
	stop()
	if err == nil {
		return rows, nil // rows end with ctx
	}
	end(nil)
	switch kind := inspect(err).kind; {
	case ctx.Err() != nil:
		return nil, err
	case aliveCtx.Err() != nil:
	case kind == cancelled: // it exceeded its limit, as it would on the primary
		return nil, err
	case kind == unreachable:
		r.fail(err)
	}
	return r.serverPool.QueryContext(ctx, query, args...)
}

// caughtUp reports whether the replica has everything that was written before then, and
// its lag is small.
func (r *replica) caughtUp(then time.Time) bool {
	now := time.Now()
	if now.UnixNano()-r.probedAt.Load() > int64(probeInterval) && !r.probing.Load() {
		go r.probeOnce()
	}
	upTo := r.upTo.Load()
	return upTo > then.UnixNano() && now.UnixNano()-upTo < int64(ReplicaLag)
}

// probeOnce checks the replica unless another goroutine is doing so.
func (r *replica) probeOnce() {
	if r.probing.CompareAndSwap(false, true) {
		defer r.probing.Store(false)
		r.probe()
	}
}

// probe measures the lag of the replica.
func (r *replica) probe() {
	ctx, cancel := context.WithTimeout(context.Background(), ReplicaLag)
	defer cancel()
	now := time.Now()
	defer func() { r.probedAt.Store(time.Now().UnixNano()) }()
	var at string
	var there bool
	err := r.serverPool.DB.QueryRowContext(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&at)
	if err != nil {
		return // the primary failed, which says nothing about the replica
	}
	// At the end of a page the position of the next record is after a header of 24
	// bytes, which is less than the size of any commit.
	ctx, cancel = context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err = r.standby.DB.QueryRowContext(ctx, "SELECT NOT pg_is_in_recovery() OR pg_wal_lsn_diff(pg_last_wal_replay_lsn(), $1::pg_lsn) >= -24", at).Scan(&there)
	switch last := max(r.upTo.Load(), r.began.UnixNano()); {
	case err != nil:
		r.fail(err)
	case there:
		r.upTo.Store(now.UnixNano())
		if !r.healthy.Swap(true) {
			r.log.Info("the read replica is used again")
		}
	case now.UnixNano()-last > int64(ReplicaLag):
		r.disable(fmt.Errorf("it lags by more than %s", ReplicaLag))
	}
}

// disable stops using the replica and logs that once.
func (r *replica) disable(err error) {
	r.upTo.Store(0)
	if r.healthy.Swap(false) {
		r.log.Warn("the read replica is not used; reads are asked of the primary", "error", err)
	}
}

// alive returns a context that is cancelled when the replica does not respond.
func (r *replica) alive() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.aliveCtx
}

// fail stops using the replica and cancels the reads that wait for it.
func (r *replica) fail(err error) {
	r.disable(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelReads()
	r.aliveCtx, r.cancelReads = context.WithCancel(context.Background())
}

// replicaKey is the context key of requests that may read from the replica; the
// value is the time up to which the replica must have caught up.
type replicaKey struct{}

// lastWrite returns when any of clients last wrote.
func (r *replica) lastWrite(clients []string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.all
	for _, client := range clients {
		if at := r.lastWrites[maphash.String(r.seed, client)]; at.After(last) {
			last = at
		}
	}
	return last
}

// recordWrite records when clients wrote.
func (r *replica) recordWrite(clients []string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lastWrites) > maxClients {
		clear(r.lastWrites)
		r.all = time.Now()
	}
	for _, client := range clients {
		r.lastWrites[maphash.String(r.seed, client)] = at
	}
}
