//go:build !cgo_sqlite

package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"

	"modernc.org/sqlite"
)

// driverSettings make this driver write and read times in UTC.
const driverSettings = "&_time_format=sqlite&_timezone=UTC&_inttotime=1&_texttotime=1"

// connectSQLite opens a connection with the pure Go driver.
func connectSQLite(ctx context.Context, address string, pragmas []string) (driver.Conn, error) {
	connector, err := sqlite.NewConnector(address + driverSettings + "&" + url.Values{"_pragma": pragmas}.Encode())
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}

// sqliteError returns the code and the text of an error of SQLite; ok is false for
// others.
func sqliteError(err error) (code int, text string, ok bool) {
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return lite.Code(), lite.Error(), true
	}
	return 0, "", false
}

// asRows returns rows with the optional interfaces of the driver's rows.
func asRows(rows driver.Rows) sqliteRows { return rows.(sqliteRows) }
