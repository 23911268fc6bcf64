package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libtnb/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDialector is the dialector of github.com/libtnb/sqlite over our pool. It
// inserts without RETURNING: such a statement, read for one row, is never stepped
// to its end, so outside a transaction SQLite never runs its checkpoint and the
// write-ahead log grows without bound.
type sqliteDialector struct{ sqlite.Dialector }

// Initialize implements gorm.Dialector.
func (d sqliteDialector) Initialize(gdb *gorm.DB) error {
	gdb.ConnPool = d.Conn
	callbacks.RegisterDefaultCallbacks(gdb, &callbacks.Config{
		UpdateClauses:        []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses:        []string{"DELETE", "FROM", "WHERE", "RETURNING"},
		LastInsertIDReversed: true,
	})
	for name, builder := range d.ClauseBuilders() {
		gdb.ClauseBuilders[name] = builder
	}
	return nil
}

// Translate implements gorm.ErrorTranslator.
func (sqliteDialector) Translate(err error) error { return Translate(err) }

// openSQLite opens the pools of the file at path: one connection that writes, in
// transactions that take the lock when they begin, and several read-only ones, some
// of them reserved for searches, for half of the processors. So nothing in this
// process waits in SQLite's busy loop; it waits 5 seconds for other processes.
func openSQLite(path string, c Config) (gorm.Dialector, error) {
	temporary := ""
	if path == ":memory:" {
		dir, err := os.MkdirTemp("", "sqlite-")
		if err != nil {
			return nil, err
		}
		temporary, path = dir, filepath.Join(dir, rand.Text()+".db")
	}
	p := &sqlitePool{
		log:       path + "-wal",
		writer:    openPool(path, 1, "_txlock=immediate", c.StatementTimeout),
		readers:   openPool(path, max(4, runtime.NumCPU()), "_query_only=1", c.StatementTimeout),
		searchers: openPool(path, max(1, runtime.GOMAXPROCS(0)/2), "_query_only=1", c.StatementTimeout),
		temporary: temporary,
		writeSlot: make(slots, 1),
	}
	if c.LockTimeout > 0 {
		p.wait = max(c.LockTimeout, sqliteTimeout)
	}
	return sqliteDialector{sqlite.Dialector{Conn: p}}, nil
}

// openPool returns a pool of at most n connections to path, which stay open.
func openPool(path string, n int, parameters string, limit time.Duration) *sql.DB {
	address := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + parameters
	pool := sql.OpenDB(sqliteConnector{address: address, path: path, limit: limit})
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	pool.SetConnMaxLifetime(optimizeEvery) // a new connection reads the statistics that optimize has gathered
	return pool
}

// sqliteConnector creates the directory and the file of a database before opening
// it, readable by its user only; SQLite gives its other files the same mode.
type sqliteConnector struct {
	address, path string
	limit         time.Duration // of one statement
}

// Connect implements driver.Connector.
func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o750); err != nil {
		return nil, fmt.Errorf("cannot create the directory of the database: %w", err)
	}
	file, err := os.OpenFile(c.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot create the database: %w", err)
	}
	// When several processes open a new file at once, the switch to a write-ahead
	// log fails in all but one of them; the busy timeout does not apply to it.
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	pragmas := []string{
		"busy_timeout(5000)", // first: the others may have to wait for a lock
		"journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
		"cache_size(-16000)", "mmap_size(268435456)", "temp_store(MEMORY)",
		"journal_size_limit(8388608)",
	}
	for {
		conn, err := connectSQLite(ctx, c.address, pragmas)
		if code, _, ok := sqliteError(err); !ok || code&0xff != sqlite3.SQLITE_BUSY {
			return cacheStatements(conn, err, c.limit)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// sqliteTimeout is how long SQLite waits for other processes that write, and the
// minimum wait for other writers of this process.
const sqliteTimeout = 5 * time.Second

// openTimeout is how long a connection waits for another process to create the
// file.
const openTimeout = 5 * time.Second

// Driver implements driver.Connector.
func (c sqliteConnector) Driver() driver.Driver { return fixedDriver{c} }

// fixedDriver is a driver.Driver for one database.
type fixedDriver struct{ sqliteConnector }

// Open implements driver.Driver.
func (c fixedDriver) Open(string) (driver.Conn, error) { return c.Connect(context.Background()) }

// sqlitePool sends reads to the readers and everything else to the writer.
type sqlitePool struct {
	writer, readers, searchers *sql.DB
	log                        string        // the file of the write-ahead log
	writes                     atomic.Uint64 // statements and transactions so far
	optimized                  atomic.Int64  // when optimize last ran, in Unix nanoseconds
	temporary                  string        // a directory to remove at Close
	counts                     sync.Map      // of tableCount, by table
	writeSlot                  slots         // held by the one that writes
	wait                       time.Duration // for writeSlot; 0 for no limit
	diskState
}

// logChecked is the number of writes between checks of the write-ahead log's size;
// logLimit is the size in bytes from which it is checkpointed.
const (
	logChecked = 256
	logLimit   = 16 << 20
)

// optimizeEvery is how long SQLite plans with the same statistics. Without
// statistics it takes every index for a good one.
const optimizeEvery = time.Hour

// optimize has SQLite analyze the tables that have changed much: every hour, and
// whenever the number of writes of this process reaches a power of two.
func (p *sqlitePool) optimize(ctx context.Context) {
	n, now, last := p.writes.Load(), time.Now().UnixNano(), p.optimized.Load()
	if due := n >= logChecked && n&(n-1) == 0 || now-last >= int64(optimizeEvery); !due || !p.optimized.CompareAndSwap(last, now) {
		return
	}
	// All tables are checked, since the queries run on other connections. If this
	// fails, it is tried again later.
	_, _ = p.writer.ExecContext(context.WithoutCancel(ctx), "PRAGMA optimize=0x10002")
}

// checkpoint checkpoints the write-ahead log when it has grown: SQLite does so
// itself only while nothing reads, which never happens under a steady load. It
// waits for current readers (not for new ones) a tenth of a second, and longer for
// a larger log, so that a handler that writes while reading its own rows is not
// blocked for long.
func (p *sqlitePool) checkpoint(ctx context.Context) {
	writes := p.writes.Add(1)
	p.optimize(ctx)
	if writes%logChecked != 0 {
		return
	}
	info, err := os.Stat(p.log)
	if err != nil || info.Size() < logLimit {
		return
	}
	timeout := min(100*info.Size()/logLimit, 5000)
	// If this fails, it is tried again later, and the next statement reports the
	// cause if it concerns that too. Cancelling it would leave the short timeout
	// set.
	_, _ = p.writer.ExecContext(context.WithoutCancel(ctx),
		fmt.Sprintf("PRAGMA busy_timeout = %d; PRAGMA wal_checkpoint(RESTART); PRAGMA busy_timeout = 5000", timeout))
}

func (p *sqlitePool) route(query string) *sql.DB {
	switch {
	case searches(query):
		return p.searchers
	case reads(query):
		return p.readers
	}
	return p.writer
}

func (p *sqlitePool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return p.route(query).PrepareContext(ctx, query)
}

func (p *sqlitePool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.writeSlot.take(ctx, p.wait); err != nil {
		return nil, err
	}
	defer p.writeSlot.free()
	p.checkpoint(ctx)
	result, err := p.writer.ExecContext(ctx, query, args...)
	return result, p.recordResult(err)
}

func (p *sqlitePool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if reads(query) {
		return p.route(query).QueryContext(ctx, query, args...)
	}
	if err := p.writeSlot.take(ctx, p.wait); err != nil {
		return nil, err
	}
	defer p.writeSlot.free()
	rows, err := p.writer.QueryContext(ctx, query, args...)
	return rows, p.recordResult(err)
}

func (p *sqlitePool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.route(query).QueryRowContext(ctx, query, args...)
}

// BeginTx implements gorm.ConnPoolBeginner. A read-only transaction does not use
// the writer.
func (p *sqlitePool) BeginTx(ctx context.Context, o *sql.TxOptions) (gorm.ConnPool, error) {
	if o != nil && o.ReadOnly {
		return begin(ctx, p.readers, o, 0, func() {}, p.recordResult)
	}
	if err := p.writeSlot.take(ctx, p.wait); err != nil {
		return nil, err
	}
	p.checkpoint(ctx)
	return begin(ctx, p.writer, o, 0, p.writeSlot.free, p.recordResult)
}

// GetDBConn implements gorm.GetDBConnector.
func (p *sqlitePool) GetDBConn() (*sql.DB, error) { return p.writer, nil }

// Close closes all pools.
func (p *sqlitePool) Close() error {
	if p.writes.Load() > 0 && p.temporary == "" { // gathers statistics for the next process
		_, _ = p.writer.Exec("PRAGMA busy_timeout = 100; PRAGMA optimize=0x10002")
	}
	err := errors.Join(p.searchers.Close(), p.readers.Close(), p.writer.Close())
	if p.temporary != "" {
		err = errors.Join(err, os.RemoveAll(p.temporary))
	}
	return err
}
