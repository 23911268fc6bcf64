//go:build !cgo_sqlite

package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"

	"modernc.org/sqlite"
)

// driverSettings are how this driver writes and reads times, in UTC.
const driverSettings = "&_time_format=sqlite&_timezone=UTC&_inttotime=1&_texttotime=1"

// connectSQLite makes a connection by the driver that needs no C compiler.
func connectSQLite(ctx context.Context, address string, pragmas []string) (driver.Conn, error) {
	connector, err := sqlite.NewConnector(address + driverSettings + "&" + url.Values{"_pragma": pragmas}.Encode())
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}

// sqliteError is the code and the text of SQLite's own error; false for another.
func sqliteError(err error) (code int, text string, ok bool) {
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return lite.Code(), lite.Error(), true
	}
	return 0, "", false
}

// asRows is what the driver's rows can do.
func asRows(rows driver.Rows) sqliteRows { return rows.(sqliteRows) }
