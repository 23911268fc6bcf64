//go:build cgo_sqlite

package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// connectSQLite opens a connection with the driver that wraps SQLite's C code. It
// needs a C compiler: go build -tags cgo_sqlite,sqlite_fts5.
func connectSQLite(_ context.Context, address string, pragmas []string) (driver.Conn, error) {
	opener := sqlite3.SQLiteDriver{ConnectHook: func(conn *sqlite3.SQLiteConn) error {
		_, err := conn.Exec("PRAGMA "+strings.Join(pragmas, "; PRAGMA "), nil)
		return err
	}}
	conn, err := opener.Open(address + "&_loc=UTC")
	if err != nil {
		return nil, err
	}
	return &cgoConn{SQLiteConn: conn.(*sqlite3.SQLiteConn)}, nil
}

// sqliteError returns the code and the text of an error of SQLite; ok is false for
// others.
func sqliteError(err error) (code int, text string, ok bool) {
	if lite := (sqlite3.Error{}); errors.As(err, &lite) {
		return int(max(sqlite3.ErrNoExtended(lite.Code), lite.ExtendedCode)), lite.Error(), true
	}
	return 0, "", false
}

// cgoConn is a connection that writes times in UTC, as the other driver does.
type cgoConn struct {
	*sqlite3.SQLiteConn
	version driver.StmtQueryContext // reads the version of the schema; nil before the first read
	known   int64                   // the version last seen
}

// IsValid implements driver.Validator.
func (*cgoConn) IsValid() bool { return true }

// ResetSession implements driver.SessionResetter.
func (*cgoConn) ResetSession(context.Context) error { return nil }

// PrepareContext implements driver.ConnPrepareContext.
func (c *cgoConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s := &cgoStmt{conn: c}
	if reads(query) && strings.Contains(query, "*") {
		s.query = query
	}
	return s, s.prepare(ctx, query)
}

// ExecContext implements driver.ExecerContext.
func (c *cgoConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.SQLiteConn.ExecContext(ctx, query, inUTC(args))
}

// QueryContext implements driver.QueryerContext.
func (c *cgoConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.SQLiteConn.QueryContext(ctx, query, inUTC(args))
}

// schema returns the version of the schema.
func (c *cgoConn) schema() (int64, error) {
	if c.version == nil {
		made, err := c.SQLiteConn.PrepareContext(context.Background(), "PRAGMA schema_version")
		if err != nil {
			return 0, err
		}
		c.version = made.(driver.StmtQueryContext)
	}
	rows, err := c.version.QueryContext(context.Background(), nil)
	if err != nil {
		return 0, err
	}
	var version [1]driver.Value
	err = errors.Join(rows.Next(version[:]), rows.Close())
	n, _ := version[0].(int64)
	if err == nil && n != c.known {
		// Statements are prepared against the schema that the connection has
		// cached, which only a statement that reads a table refreshes.
		c.known = n
		_, err = c.SQLiteConn.ExecContext(context.Background(), "SELECT 1 FROM sqlite_master LIMIT 1", nil)
	}
	return n, err
}

// Close implements driver.Conn.
func (c *cgoConn) Close() error {
	if c.version != nil {
		_ = c.version.(driver.Stmt).Close()
	}
	return c.SQLiteConn.Close()
}

// cgoStmt is a statement that is prepared again when a schema change may have
// changed its columns: the driver caches their number and names.
type cgoStmt struct {
	*sqlite3.SQLiteStmt
	conn   *cgoConn
	query  string // empty if its columns cannot change
	schema int64
}

func (s *cgoStmt) prepare(ctx context.Context, query string) error {
	var err error
	if s.query != "" {
		if s.schema, err = s.conn.schema(); err != nil {
			return err
		}
	}
	made, err := s.conn.SQLiteConn.PrepareContext(ctx, query)
	if err == nil {
		s.SQLiteStmt = made.(*sqlite3.SQLiteStmt)
	}
	return err
}

// ExecContext implements driver.StmtExecContext.
func (s *cgoStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.SQLiteStmt.ExecContext(ctx, inUTC(args))
}

// QueryContext implements driver.StmtQueryContext.
func (s *cgoStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.query != "" {
		is, err := s.conn.schema()
		if err == nil && is != s.schema {
			_ = s.SQLiteStmt.Close()
			err = s.prepare(ctx, s.query)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.SQLiteStmt.QueryContext(ctx, inUTC(args))
}

func inUTC(args []driver.NamedValue) []driver.NamedValue {
	for i, arg := range args {
		if at, ok := arg.Value.(time.Time); ok && at.Location() != time.UTC {
			args = slices.Clone(args)
			args[i].Value = at.UTC()
		}
	}
	return args
}

// cgoRows reports the same about columns as the rows of the other driver.
type cgoRows struct{ *sqlite3.SQLiteRows }

// ColumnTypeLength implements driver.RowsColumnTypeLength.
func (cgoRows) ColumnTypeLength(int) (int64, bool) { return 0, false }

// ColumnTypePrecisionScale implements driver.RowsColumnTypePrecisionScale.
func (cgoRows) ColumnTypePrecisionScale(int) (precision, scale int64, ok bool) { return 0, 0, false }

// asRows returns rows with the optional interfaces of the driver's rows.
func asRows(rows driver.Rows) sqliteRows { return cgoRows{rows.(*sqlite3.SQLiteRows)} }
