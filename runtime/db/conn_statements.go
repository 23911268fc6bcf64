package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"time"
)

// cachedStatements is the maximum number of prepared statements of a connection.
const cachedStatements = 256

// cachingConn is a SQLite connection that caches its prepared statements.
//
// GORM's PrepareStmt does this above the pool, where it can deadlock: a goroutine
// that prepares a statement holds its entry and waits for the only writing
// connection, while the transaction on that connection waits for the entry. Here
// every connection has its own cache, and database/sql uses a connection from one
// goroutine at a time, so nothing waits.
type cachingConn struct {
	sqliteConn
	statements map[string]*statement
	clock      uint64        // counts uses of statements
	limit      time.Duration // of one statement; 0 for none
}

// sqliteConn is the interface of the driver's connections.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is the interface of the driver's statements.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// sqliteRows is the interface of the driver's rows.
type sqliteRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

type statement struct {
	sqliteStmt
	open  bool   // its rows are being read, so it cannot run again yet
	brief bool   // it inserts values without a SELECT, and so is short
	used  uint64 // when it was last used, by the connection's clock
}

// ExecContext implements driver.ExecerContext.
func (k *cachingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := k.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s != nil && s.brief {
		// The driver would watch ctx in a goroutine.
		return s.ExecContext(context.WithoutCancel(ctx), args)
	}
	ctx, cancel := k.withTimeout(ctx)
	defer cancel()
	if s == nil {
		return k.sqliteConn.ExecContext(ctx, query, args)
	}
	return s.ExecContext(ctx, args)
}

// withTimeout limits the duration of a statement.
func (k *cachingConn) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if k.limit == 0 || ctx.Done() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, k.limit)
}

// QueryContext implements driver.QueryerContext.
func (k *cachingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := k.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	ctx, cancel := k.withTimeout(ctx)
	var found driver.Rows
	if s == nil {
		found, err = k.sqliteConn.QueryContext(ctx, query, args)
	} else {
		found, err = s.QueryContext(ctx, args)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	if s != nil {
		s.open = true
	}
	return &openRows{asRows(found), s, cancel}, nil
}

// openRows releases its statement when it is closed.
type openRows struct {
	sqliteRows
	s      *statement // nil if it is not cached
	cancel context.CancelFunc
}

// Next implements driver.Rows. The driver reads an empty blob as a nil slice, which
// would be mistaken for NULL.
func (r *openRows) Next(values []driver.Value) error {
	if err := r.sqliteRows.Next(values); err != nil {
		return err
	}
	for i, value := range values {
		if blob, ok := value.([]byte); ok && blob == nil {
			values[i] = []byte{}
		}
	}
	return nil
}

// Close implements driver.Rows.
func (r *openRows) Close() error {
	err := r.sqliteRows.Close()
	if r.s != nil {
		r.s.open = false
	}
	r.cancel()
	return err
}

// statement returns the prepared form of query, or nil if it should run unprepared,
// because it is rare or already running.
func (k *cachingConn) statement(ctx context.Context, query string) (*statement, error) {
	k.clock++
	if s := k.statements[query]; s != nil {
		if s.used = k.clock; s.open {
			return nil, nil
		}
		return s, nil
	}
	verb, _, _ := strings.Cut(query, " ")
	switch strings.ToUpper(verb) {
	case "SELECT", "INSERT", "UPDATE", "DELETE":
	default:
		return nil, nil
	}
	if len(k.statements) >= cachedStatements && !k.forgetOldest() {
		return nil, nil
	}
	made, err := k.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	text := strings.ToUpper(query)
	s := &statement{sqliteStmt: made.(sqliteStmt), used: k.clock, brief: strings.HasPrefix(text, "INSERT") && !strings.Contains(text, "SELECT")}
	k.statements[query] = s
	return s, nil
}

// forgetOldest removes the least recently used statement; false if all are in use.
func (k *cachingConn) forgetOldest() bool {
	oldest := ""
	for query, s := range k.statements {
		if !s.open && (oldest == "" || s.used < k.statements[oldest].used) {
			oldest = query
		}
	}
	if oldest == "" {
		return false
	}
	_ = k.statements[oldest].Close() // repeats the error of its last run
	delete(k.statements, oldest)
	return true
}

// Close implements driver.Conn.
func (k *cachingConn) Close() error {
	for _, s := range k.statements {
		_ = s.Close()
	}
	clear(k.statements)
	return k.sqliteConn.Close()
}

// cacheStatements wraps a connection of the driver.
func cacheStatements(c driver.Conn, err error, limit time.Duration) (driver.Conn, error) {
	if err != nil {
		return nil, err
	}
	inner, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("the driver's connections have changed"), c.Close())
	}
	return &cachingConn{sqliteConn: inner, statements: map[string]*statement{}, limit: limit}, nil
}
