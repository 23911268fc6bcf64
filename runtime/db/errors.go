package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/nexios-go/nexios/runtime/fault"
)

// kind is the class of an error of a database.
type kind int

const (
	other       kind = iota
	unique           // duplicate value
	foreignKey       // a referenced row is missing, or a row to delete is still referenced
	check            // a check constraint
	notNull          // missing value
	value            // a value that the column cannot store
	busy             // a lock, a deadlock or an overloaded server: retrying may help
	cancelled        // the context ended, or the server cancelled the statement
	unreachable      // no connection, or a broken one
	full             // the disk of the database is full
)

// violation is the error of a driver in a form common to all of them.
type violation struct {
	kind       kind
	table      string   // if known; for a foreign key, the table that references
	constraint string   // name of the index or constraint
	columns    []string // if known
	deleting   bool     // foreign key: the referenced row was to be deleted
	missing    bool     // foreign key: the client referenced a row that does not exist
	index      *int     // in bulk input: the position of the row, from 0; nil if unknown
	resolved   bool     // explain has completed it
	cause      error
}

func (v *violation) Error() string { return v.cause.Error() }
func (v *violation) Unwrap() error { return v.cause }

// Translate converts an error of a driver to a *fault.Error if the client caused it
// or can do something about it, and returns every other error as it is. Open
// installs it; call it for errors of statements that do not run through GORM.
//
//	unique, foreign key, check or not null violated  409 with details
//	value too long, out of range, invalid text       422
//	lock, deadlock, no connection, deadline          503
//	disk of the database full                        507
func Translate(err error) error {
	if f := (*fault.Error)(nil); err == nil || errors.As(err, &f) {
		return err
	}
	v := inspect(err)
	if v.kind == other {
		if hint := pgBouncerHint(err); hint != nil {
			return hint
		}
		return err
	}
	return v.fault(nil)
}

// outdated reports whether a table of PostgreSQL has changed since the statement
// was prepared; it is prepared again next time.
func outdated(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "0A000" && strings.Contains(pg.Message, "cached plan")
}

// inspect classifies err.
func inspect(err error) *violation {
	v := &violation{cause: err}
	if errors.As(err, &v) {
		return v
	}
	var (
		pg   *pgconn.PgError
		my   *mysql.MySQLError
		conn *pgconn.ConnectError
		dial *net.OpError
	)
	code, text, lite := sqliteError(err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		v.kind = cancelled
	case lite:
		v.sqlite(code, text)
	case errors.As(err, &pg):
		v.postgres(pg)
	case errors.As(err, &my):
		v.mysql(my)
	case errors.As(err, &conn), errors.As(err, &dial), errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, sql.ErrConnDone), errors.Is(err, net.ErrClosed),
		pgconn.SafeToRetry(err): // pgx sent nothing: "conn closed"
		v.kind = unreachable
	case strings.Contains(err.Error(), "failed to encode args["), // pgx cannot encode the type
		strings.Contains(err.Error(), "sql: converting argument "): // database/sql cannot either
		v.kind = value
	}
	return v
}

// sqlite parses "constraint failed: UNIQUE constraint failed: t.a, t.b (2067)".
func (v *violation) sqlite(code int, text string) {
	_, subject, _ := strings.Cut(text, " constraint failed: ")
	if i := strings.LastIndex(subject, " ("); i >= 0 {
		subject = subject[:i]
	}
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		v.kind = unique
		if name, ok := strings.CutPrefix(subject, "index '"); ok {
			v.constraint = strings.TrimSuffix(name, "'")
			return
		}
		v.tableColumns(subject)
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		v.kind = notNull
		v.tableColumns(subject)
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		v.kind, v.constraint = check, subject
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		v.kind = foreignKey
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER: // SQLite implements ON DELETE RESTRICT as a trigger; see also addKeyTriggers
		if strings.Contains(text, "FOREIGN KEY") {
			v.kind = foreignKey
			v.tableColumns(subject)
		}
	case sqlite3.SQLITE_CONSTRAINT_DATATYPE, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		v.kind = value
	default:
		switch code & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			v.kind = busy
		case sqlite3.SQLITE_INTERRUPT:
			v.kind = cancelled
		case sqlite3.SQLITE_FULL:
			v.kind = full
		case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
			v.kind = unreachable
		}
	}
}

// tableColumns parses "t.a, t.b".
func (v *violation) tableColumns(list string) {
	for _, name := range strings.Split(list, ", ") {
		table, column, ok := strings.Cut(name, ".")
		if ok {
			v.table, v.columns = table, append(v.columns, column)
		}
	}
}

// postgresKey matches the columns in "Key (a, lower(b::text))=(1, x) already
// exists."; the text around the parentheses depends on the server's language.
var postgresKey = regexp.MustCompile(`\((.+?)\)=\(`)

// postgresColumn matches the column in one part of a key.
var postgresColumn = regexp.MustCompile(`^(?:lower\()*"?(\w+)`)

func (v *violation) postgres(err *pgconn.PgError) {
	v.table, v.constraint = err.TableName, err.ConstraintName
	switch err.Code {
	case "23505":
		v.kind = unique
	case "23503", "23001":
		v.kind = foreignKey
		v.deleting = strings.Contains(err.Detail, "still referenced") || err.Code == "23001"
	case "23514":
		v.kind = check
		return
	case "23502":
		v.kind, v.columns = notNull, []string{err.ColumnName}
		return
	case "22001", "22003", "22007", "22008", "22021", "22023", "22P02", "22P03", "22P05":
		v.kind = value
		return
	case "40001", "40P01", "55P03", "53300":
		v.kind = busy
		return
	case "0A000":
		if outdated(err) {
			v.kind = busy
		}
		return
	case "57014":
		v.kind = cancelled
		return
	case "57P01", "57P02", "57P03", "57P05", "08000", "08003", "08006", "25P03", "53200", "58030":
		v.kind = unreachable
		return
	case "53100":
		v.kind = full
		return
	default:
		return
	}
	if key := postgresKey.FindStringSubmatch(err.Detail); key != nil {
		for _, part := range strings.Split(key[1], ", ") {
			if name := postgresColumn.FindStringSubmatch(part); name != nil {
				v.columns = append(v.columns, name[1])
			}
		}
	}
}

var (
	mysqlForeignKey = regexp.MustCompile("`([^`]+)`, CONSTRAINT `([^`]+)` FOREIGN KEY \\(([^)]+)\\)")
	mysqlCheck      = regexp.MustCompile("(?:CONSTRAINT `|Check constraint ')([^`']+)[`']")
	mysqlColumn     = regexp.MustCompile("[cC]olumn [^'`]*['`](?:[^']*`\\.`)?([^'`.]+)['`]")
)

func (v *violation) mysql(err *mysql.MySQLError) {
	switch err.Number {
	case 1062, 1586:
		v.kind = unique
		// "Duplicate entry 'x' for key 'posts.idx_posts_slug'", from the end, since
		// the client chooses the entry.
		_, name, _ := cutLast(strings.TrimSuffix(err.Message, "'"), "'")
		if table, index, ok := cutLast(name, "."); ok {
			v.table, name = table, index
		}
		v.constraint = name
	case 1216, 1217, 1451, 1452:
		v.kind, v.deleting = foreignKey, err.Number == 1451 || err.Number == 1217
		if m := mysqlForeignKey.FindStringSubmatch(err.Message); m != nil {
			v.table, v.constraint = m[1], m[2]
			v.columns = strings.Split(strings.ReplaceAll(m[3], "`", ""), ", ")
		}
	case 1296: // InnoDB follows at most 15 levels of cascading deletes
		if strings.Contains(err.Message, "error 193") {
			v.kind, v.deleting = foreignKey, true
			if m := mysqlForeignKey.FindStringSubmatch(err.Message); m != nil {
				v.table = m[1]
			}
		}
	case 3819, 4025:
		v.kind = check
		if m := mysqlCheck.FindStringSubmatch(err.Message); m != nil {
			v.constraint = m[1]
		}
	case 1048, 1364:
		v.kind = notNull
		v.mysqlColumn(err.Message)
		if _, after, ok := strings.Cut(err.Message, "Field '"); ok {
			name, _, _ := strings.Cut(after, "'")
			v.columns = []string{name}
		}
	case 1264, 1265, 1292, 1366, 1367, 1406, 1411, 1690, 3140, 3988:
		v.kind = value
		v.mysqlColumn(err.Message)
	case 1020, 1040, 1203, 1205, 1213, 3572:
		v.kind = busy
	case 1317, 1969, 3024:
		v.kind = cancelled
	case 1037, 1041, 1053, 1152, 1158, 1159, 1160, 1161, 1927:
		v.kind = unreachable
	case 1021, 1114:
		v.kind = full
	}
}

func (v *violation) mysqlColumn(message string) {
	if m := mysqlColumn.FindStringSubmatch(message); m != nil {
		v.columns = []string{m[1]}
	}
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// fault returns the error to show to the client. name returns the JSON key of a
// column; if it is nil, the column is used.
func (v *violation) fault(name func(column string) string) *fault.Error {
	names := make([]string, len(v.columns))
	for i, column := range v.columns {
		names[i] = Humanize(column)
		if i > 0 {
			names[i] = strings.ToLower(names[i])
		}
	}
	subject := strings.Join(names, " and ")
	message := func(known, unknown string) string {
		if subject == "" {
			return unknown
		}
		return subject + known
	}
	f := &fault.Error{Status: http.StatusConflict, Cause: v}
	rule := ""
	switch v.kind {
	case unique:
		f.Message, rule = message(" taken", "Already taken"), "unique"
	case foreignKey:
		f.Message, rule = message(" not found", "Refers to something that does not exist"), "exists"
		if v.missing {
			f.Status, f.Message = http.StatusUnprocessableEntity, "Validation error"
		}
		if v.deleting { // may be referenced by rows that the client must not know of
			f.Message, rule = "Still used by other rows", ""
		}
	case check:
		f.Message, rule = message(" is not allowed", "A value is not allowed"), "check"
	case notNull:
		f.Message, rule = message(" is required", "A required value is missing"), "required"
	case value:
		f.Status = http.StatusUnprocessableEntity
		f.Message, rule = "Validation error", "value"
	case busy:
		f.Status, f.Message, f.RetryAfter = http.StatusServiceUnavailable, "The database is busy, try again", time.Second
	case cancelled:
		f.Status, f.Message = http.StatusServiceUnavailable, "The request took too long"
	case unreachable:
		f.Status, f.Message, f.RetryAfter = http.StatusServiceUnavailable, "The database is not available", 5*time.Second
	case full:
		f = fault.NoSpace(v)
	}
	if rule == "" {
		return f
	}
	for _, column := range v.columns {
		d := fault.Detail{Field: column, Rule: rule, Message: f.Message, Index: v.index}
		if v.missing {
			d.Message = Humanize(column) + " not found"
		}
		if v.kind == value {
			d.Message = Humanize(column) + " is too long, out of range or not valid"
		}
		if name != nil {
			d.Field = name(column)
		}
		f.Details = append(f.Details, d)
	}
	return f
}
