package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"gorm.io/gorm"
)

// Options configures Open. The zero value is ready to use.
type Options struct {
	Log   *slog.Logger // receives slow statements, and every statement at LevelStatement; nil discards them
	Debug bool         // log every statement with its values
	Config
}

// Open returns the database at url:
//
//	sqlite:data/blog.db                    a file; its directory is created
//	sqlite::memory:                        private to this call, gone at Close; kept
//	                                       in a temporary directory, so that it
//	                                       behaves like a file under load
//	postgres://user:password@host/name     accepts every parameter of pgx
//	mysql://user:password@host:3306/name   MySQL or MariaDB
//
// Behind PgBouncer, which may use another connection for every transaction, end the
// URL with ?default_query_exec_mode=exec, and set ignore_startup_parameters =
// timezone in pgbouncer.ini.
//
// A password is taken literally, except that % and two hexadecimal digits stand for
// a character.
//
// Open does not connect: the first statement does, so a database that is down shows
// there or in Ping. Times are written and read in UTC with microseconds. Every
// statement returns errors that the client caused, or can do something about, as
// *fault.Error; see Translate.
func Open(url string, o Options) (*gorm.DB, error) {
	open, err := dialect(url)
	if err != nil {
		return nil, err
	}
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	dialector, err := open(o.Config.withDefaults())
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	gdb, err := gorm.Open(dialector, &gorm.Config{
		SkipDefaultTransaction: true,
		// Statements are prepared below GORM: by pgx, and by the pools of SQLite.
		TranslateError:       true,
		DisableAutomaticPing: true,
		NowFunc:              now,
		Logger:               newLogger(o.Log, o.Debug),
	})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := errors.Join(gdb.Use(wholeKey{}), gdb.Use(conflicts{}), gdb.Use(new(exact)), gdb.Use(new(rules)), gdb.Use(new(reservations)), gdb.Use(new(deleting)), gdb.Use(versionCheck{}), gdb.Use(new(pointRead)), gdb.Use(new(insertOne)), gdb.Use(new(folding))); err != nil {
		return nil, err
	}
	if o.ReadURL != "" {
		r, err := newReplica(gdb, o.ReadURL, o)
		if err == nil {
			err = gdb.Use(r)
		}
		if err != nil {
			return nil, err
		}
	}
	return gdb, nil
}

// now returns the time for created_at and updated_at: in UTC and the precision that
// every database keeps, so that a created row reads back equal.
func now() time.Time { return instant(time.Now()) }

// Close waits for running statements and closes every connection.
func Close(gdb *gorm.DB) error {
	if r, ok := gdb.Plugins["replica"].(*replica); ok {
		return errors.Join(r.standby.Close(), r.serverPool.Close())
	}
	if c, ok := gdb.ConnPool.(io.Closer); ok {
		return c.Close()
	}
	pool, err := gdb.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Ping returns an error unless the database responds within ctx and 5 seconds.
func Ping(ctx context.Context, gdb *gorm.DB) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var one int
	if err := gdb.WithContext(ctx).Raw("SELECT 1").Scan(&one).Error; err != nil {
		if hint := pgBouncerHint(err); hint != nil {
			return hint
		}
		if refused(err) {
			return fmt.Errorf("the database rejected the user name or password: %w\n  where: DATABASE_URL\n  try:   another password; it may be percent-encoded, and a %% in it must be: %%25", err)
		}
		return fmt.Errorf("the database does not answer: %w\n  where: DATABASE_URL\n  try:   start the database, or set DATABASE_URL=sqlite:data/app.db", err)
	}
	return nil
}
