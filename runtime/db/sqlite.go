package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/libtnb/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	sqlitedriver "modernc.org/sqlite"
)

// sqliteDialector is the one of github.com/libtnb/sqlite over our pool, and
// inserts without RETURNING: a statement with RETURNING that is read for one
// row is never stepped to its end, outside a transaction SQLite then never
// runs its checkpoint, and the write-ahead log grows without end.
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

// cachedStatements bounds the prepared statements that each pool keeps.
const cachedStatements = 256

// openSQLite makes the pools of the file at path: one connection that writes,
// in transactions that take the lock at their begin, and several that only
// read. With that nobody ever waits in SQLite's own busy loop within this
// process; other processes are waited for 5 seconds.
func openSQLite(path string) (gorm.Dialector, error) {
	if path == "" {
		return nil, unusable("missing file name in sqlite:")
	}
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
		writer:    prepared(path, 1, "_txlock=immediate"),
		readers:   prepared(path, max(4, runtime.NumCPU()), "_query_only=1"),
		temporary: temporary,
	}
	return sqliteDialector{sqlite.Dialector{Conn: p}}, nil
}

// prepared is a pool of at most n connections to path that keeps its
// statements prepared.
func prepared(path string, n int, parameters string) *gorm.PreparedStmtDB {
	settings := url.Values{"_pragma": {
		"busy_timeout(5000)", // first: the others may have to wait
		"journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
		"cache_size(-16000)", "mmap_size(268435456)", "temp_store(MEMORY)",
		"journal_size_limit(8388608)",
	}, "_time_format": {"sqlite"}, "_timezone": {"UTC"}, "_inttotime": {"1"}, "_texttotime": {"1"}}
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + parameters + "&" + settings.Encode()
	pool := sql.OpenDB(sqliteConnector{dsn: dsn, dir: filepath.Dir(path)})
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return gorm.NewPreparedStmtDB(pool, cachedStatements, 0)
}

// sqliteConnector creates the directory of a database before it is opened.
type sqliteConnector struct{ dsn, dir string }

// Connect implements driver.Connector.
func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := os.MkdirAll(c.dir, 0o750); err != nil {
		return nil, fmt.Errorf("cannot create the directory of the database: %w", err)
	}
	connector, err := sqlitedriver.NewConnector(c.dsn)
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}

// Driver implements driver.Connector.
func (c sqliteConnector) Driver() driver.Driver { return &sqlitedriver.Driver{} }

// sqlitePool sends what only reads to the readers and all else to the writer.
type sqlitePool struct {
	writer, readers *gorm.PreparedStmtDB
	log             string        // the file of the write-ahead log
	writes          atomic.Uint64 // statements and transactions so far
	temporary       string        // a directory to remove at Close
}

// How often the size of the write-ahead log is looked at, in writes, and from
// how many bytes on it is folded back.
const (
	logChecked = 256
	logLimit   = 16 << 20
)

// checkpoint folds the write-ahead log back when it has grown: SQLite does so
// by itself only in a moment in which nobody reads, and under a steady load
// there is none. It waits for those that read now (new ones do not matter) a
// tenth of a second, and longer the larger the log; so a handler that writes
// while its own rows are open goes on.
func (p *sqlitePool) checkpoint(ctx context.Context) {
	if p.writes.Add(1)%logChecked != 0 {
		return
	}
	info, err := os.Stat(p.log)
	if err != nil || info.Size() < logLimit {
		return
	}
	patience := min(100*info.Size()/logLimit, 5000)
	// It may fail, and is tried again. The statement to come tells of what
	// would hinder it too. To cancel it would leave the short timeout.
	_, _ = p.writer.ConnPool.ExecContext(context.WithoutCancel(ctx),
		fmt.Sprintf("PRAGMA busy_timeout = %d; PRAGMA wal_checkpoint(RESTART); PRAGMA busy_timeout = 5000", patience))
}

func (p *sqlitePool) route(query string) *gorm.PreparedStmtDB {
	if len(query) > 6 && strings.EqualFold(query[:6], "SELECT") {
		return p.readers
	}
	return p.writer
}

func (p *sqlitePool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return p.route(query).ConnPool.PrepareContext(ctx, query)
}

func (p *sqlitePool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	p.checkpoint(ctx)
	return p.writer.ExecContext(ctx, query, args...)
}

func (p *sqlitePool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.route(query).QueryContext(ctx, query, args...)
}

func (p *sqlitePool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	// Unprepared: GORM hands out a row that panics when preparing fails.
	return p.route(query).ConnPool.QueryRowContext(ctx, query, args...)
}

// BeginTx implements gorm.ConnPoolBeginner: a transaction that only reads, as
// its options say, leaves the writer alone.
func (p *sqlitePool) BeginTx(ctx context.Context, o *sql.TxOptions) (gorm.ConnPool, error) {
	if o != nil && o.ReadOnly {
		return p.readers.BeginTx(ctx, o)
	}
	p.checkpoint(ctx)
	return p.writer.BeginTx(ctx, o)
}

// GetDBConn implements gorm.GetDBConnector.
func (p *sqlitePool) GetDBConn() (*sql.DB, error) { return p.writer.GetDBConn() }

// Close closes both pools.
func (p *sqlitePool) Close() error {
	var first error
	for _, side := range []*gorm.PreparedStmtDB{p.readers, p.writer} {
		side.Close()
		pool, err := side.GetDBConn()
		if err == nil {
			err = pool.Close()
		}
		if first == nil {
			first = err
		}
	}
	if p.temporary != "" {
		if err := os.RemoveAll(p.temporary); first == nil {
			first = err
		}
	}
	return first
}
