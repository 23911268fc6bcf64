package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Config holds the settings of a database server. A field that is 0 has its
// default; a negative one sets no limit.
type Config struct {
	ReadURL          string        `env:"DATABASE_READ_URL" doc:"a streaming standby of the PostgreSQL in DATABASE_URL, for the reads of GET requests"`
	Pool             int           `env:"DATABASE_POOL" envDefault:"20" doc:"connections to a database server, per process; a quarter of them for searches"`
	LockTimeout      time.Duration `env:"DATABASE_LOCK_TIMEOUT" envDefault:"2s" doc:"maximum wait for a lock or a connection; -1s for no limit"`
	StatementTimeout time.Duration `env:"DATABASE_STATEMENT_TIMEOUT" envDefault:"10s" doc:"maximum duration of a statement outside migrations; -1s for no limit"`
}

// The defaults of Config. Four processes stay below the default limits of 100
// connections of PostgreSQL and 151 of MySQL.
const (
	poolSize         = 20
	lockTimeout      = 2 * time.Second
	statementTimeout = 10 * time.Second
)

// maxPool is far beyond what a server can make use of.
const maxPool = 1000

// Validate reports what is wrong with the settings.
func (c Config) Validate() error {
	if c.Pool < 0 || c.Pool == 1 || c.Pool > maxPool {
		return fmt.Errorf("DATABASE_POOL is %d\n  expected: 2 to %d\n  try:   DATABASE_POOL=%d", c.Pool, maxPool, poolSize)
	}
	return nil
}

// withDefaults returns c with the defaults filled in and 0 for no limit.
func (c Config) withDefaults() Config {
	if c.Pool == 0 {
		c.Pool = poolSize
	}
	limit := func(d, fallback time.Duration) time.Duration {
		if d == 0 {
			return fallback
		}
		return max(d, 0)
	}
	c.LockTimeout = limit(c.LockTimeout, lockTimeout)
	c.StatementTimeout = limit(c.StatementTimeout, statementTimeout)
	return c
}

// Maximum ages of connections to a server, so that they notice a fail-over.
const (
	idleTime = 5 * time.Minute
	lifetime = time.Hour
)

// serverPool is the pool of connections to a database server. It keeps one slow
// query from blocking all others: statements wait for a connection no longer than
// for a lock, and a quarter of the connections is reserved for searches. Of the
// rest all transactions together use at most half, and the statements of one table
// outside of transactions three eighths.
type serverPool struct {
	*sql.DB
	searchers *sql.DB // nil if there are too few connections
	spare     *sql.DB // one connection for health checks
	// connector opens connections outside of the pool; see Listen.
	connector driver.Connector
	pooler    bool   // a pooler such as PgBouncer, which may switch connections between transactions
	limits    string // the statement that sets a connection's limits
	free      string // the statement that lifts them
	idle      int
	diskState

	wait      time.Duration // 0 for no limit
	timeout   time.Duration // with a silent server; 0 for no limit
	all       slots
	writing   slots
	searching slots
	share     int
	tables    sync.Map // of slots, by table
	known     atomic.Int32
}

// slots is a semaphore: each user of the resource holds a slot.
type slots chan struct{}

func newServerPool(connector driver.Connector, c Config, limits, free string) *serverPool {
	searching := c.Pool / 4
	rest := c.Pool - searching
	p := &serverPool{
		connector: connector, limits: limits, free: free, idle: max(rest/2, 2), wait: c.LockTimeout, timeout: c.StatementTimeout,
		share: max(rest*3/8, 1), all: make(slots, rest), writing: make(slots, rest/2), searching: make(slots, searching),
	}
	connections := func(most, idle int) *sql.DB {
		pool := sql.OpenDB(connector)
		pool.SetMaxOpenConns(most)
		pool.SetMaxIdleConns(idle)
		pool.SetConnMaxIdleTime(idleTime)
		pool.SetConnMaxLifetime(lifetime)
		return pool
	}
	p.DB, p.spare = connections(rest, p.idle), connections(1, 1)
	if searching > 0 {
		p.searchers = connections(searching, searching)
	}
	return p
}

// take waits for a slot.
func (p *serverPool) take(ctx context.Context, s slots) error { return s.take(ctx, p.wait) }

func (s slots) take(ctx context.Context, wait time.Duration) error {
	select {
	case s <- struct{}{}:
		return nil
	default:
	}
	var over <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-over:
		return &fault.Error{
			Status: http.StatusServiceUnavailable, Message: "The database is busy, try again", RetryAfter: time.Second,
			Cause: &violation{kind: busy, cause: fmt.Errorf("no connection within %s: all %d available for this are in use", wait, cap(s))},
		}
	}
}

func (s slots) free() { <-s }

// maxTables is the maximum number of tables with slots of their own; the rest, such
// as temporary tables with generated names, share one set.
const maxTables = 1000

// tableSlots returns the slots of the first table that a statement names.
func (p *serverPool) tableSlots(query string) slots {
	name := tableOf(query)
	if s, ok := p.tables.Load(name); ok {
		return s.(slots)
	}
	if p.known.Add(1) > maxTables {
		name = ""
	}
	s, _ := p.tables.LoadOrStore(strings.Clone(name), make(slots, p.share))
	return s.(slots)
}

// tableOf returns the first table that a statement names, as it is written; empty
// if there is none.
func tableOf(query string) string {
	var rest string
	switch {
	case len(query) > 7 && strings.EqualFold(query[:7], "UPDATE "):
		rest = query[7:]
	case len(query) > 12 && strings.EqualFold(query[:12], "INSERT INTO "):
		rest = query[12:]
	default:
		var found bool
		if _, rest, found = strings.Cut(query, " FROM "); !found {
			return ""
		}
	}
	if i := strings.IndexAny(rest, " (,;\n"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// do runs one statement outside of a transaction.
func (p *serverPool) do(ctx context.Context, query string, run func() error) error {
	table := p.tableSlots(query)
	if err := p.take(ctx, table); err != nil {
		return err
	}
	defer table.free()
	if err := p.take(ctx, p.all); err != nil {
		return err
	}
	defer p.all.free()
	return run()
}

// ExecContext implements gorm.ConnPool.
func (p *serverPool) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	err = p.do(ctx, query, func() error {
		result, err = p.DB.ExecContext(ctx, query, args...)
		return err
	})
	return result, p.recordResult(err)
}

// QueryContext implements gorm.ConnPool. It retries reads: once after a broken
// connection, since all break when the server restarts, and when a migration
// changed the columns of a prepared statement.
func (p *serverPool) QueryContext(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	args = p.planned(query, args)
	read := func(pool *sql.DB, idle int) error {
		rows, err = pool.QueryContext(ctx, query, args...)
		if err != nil && reads(query) && ctx.Err() == nil && inspect(err).kind == unreachable {
			pool.SetMaxIdleConns(0) // the other idle connections are broken too
			pool.SetMaxIdleConns(idle)
			rows, err = pool.QueryContext(ctx, query, args...)
		}
		for tries := 0; tries < idle && err != nil && reads(query) && outdated(err); tries++ { // once for each connection, which may have it prepared
			rows, err = pool.QueryContext(ctx, query, args...)
		}
		return err
	}
	if p.searchers != nil && searches(query) {
		if err := p.take(ctx, p.searching); err != nil {
			return nil, err
		}
		defer p.searching.free()
		return rows, read(p.searchers, cap(p.searching))
	}
	err = p.do(ctx, query, func() error { return read(p.DB, p.idle) })
	if !reads(query) {
		err = p.recordResult(err)
	}
	return rows, err
}

// QueryRowContext implements gorm.ConnPool.
func (p *serverPool) QueryRowContext(ctx context.Context, query string, args ...any) (row *sql.Row) {
	if err := p.do(ctx, query, func() error { row = p.DB.QueryRowContext(ctx, query, args...); return nil }); err != nil {
		over, cancel := context.WithCancelCause(ctx) // a Row can return an error only through its context
		cancel(err)
		return p.DB.QueryRowContext(over, query, args...)
	}
	return row
}

// withFreshPlan makes PostgreSQL plan a search for its pattern. The cached plan of a
// prepared statement is for any pattern, and would read the table in order where an
// index finds the few rows that match.
func withFreshPlan(query string, args []any) []any {
	if !strings.Contains(query, " LIKE lower(") {
		return args
	}
	return append([]any{pgx.QueryExecModeDescribeExec}, args...)
}

// planned calls withFreshPlan for a statement outside of transactions, except behind
// a pooler: describing and executing the statement are two round trips, between which
// a pooler may switch connections.
func (p *serverPool) planned(query string, args []any) []any {
	if p.pooler {
		return args // no plan is cached in this mode
	}
	return withFreshPlan(query, args)
}

// searches reports whether a statement searches text and so may read every row.
func searches(query string) bool {
	return reads(query) && (strings.Contains(query, " LIKE ") || strings.Contains(query, " GLOB ") || strings.Contains(query, " @@ "))
}

func reads(query string) bool { return len(query) > 6 && strings.EqualFold(query[:6], "SELECT") }

// BeginTx implements gorm.ConnPoolBeginner.
func (p *serverPool) BeginTx(ctx context.Context, o *sql.TxOptions) (gorm.ConnPool, error) {
	if err := p.take(ctx, p.writing); err != nil {
		return nil, err
	}
	if err := p.take(ctx, p.all); err != nil {
		p.writing.free()
		return nil, err
	}
	release := func() { p.all.free(); p.writing.free() }
	return begin(ctx, p.DB, o, p.timeout, release, p.recordResult)
}

// GetDBConn implements gorm.GetDBConnector.
func (p *serverPool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// Close closes every connection.
func (p *serverPool) Close() error {
	err := errors.Join(p.spare.Close(), p.DB.Close())
	if p.searchers != nil {
		err = errors.Join(err, p.searchers.Close())
	}
	return err
}
