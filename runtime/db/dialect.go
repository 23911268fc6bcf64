package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Sizes and ages of a pool to a database server. One process stays well below
// the 100 connections that PostgreSQL and the 151 that MySQL allow by default,
// and connections are renewed so that a fail-over is noticed.
const (
	poolSize     = 25
	poolIdle     = 10
	poolIdleTime = 5 * time.Minute
	poolLifetime = time.Hour
)

// Check says what is wrong with a URL that Open would refuse, in three parts,
// without opening anything.
func Check(url string) error {
	_, err := dialect(url)
	return err
}

// dialect chooses GORM's dialector and its pool by the scheme of url. Nothing
// is made before open is called.
func dialect(address string) (open func() (gorm.Dialector, error), err error) {
	scheme, rest, ok := strings.Cut(address, ":")
	if ok {
		switch scheme {
		case "sqlite":
			path := strings.TrimPrefix(rest, "//")
			if path == "" {
				return nil, unusable("has no file after sqlite:")
			}
			return func() (gorm.Dialector, error) { return openSQLite(path) }, nil
		case "postgres", "postgresql":
			cfg, err := pgx.ParseConfig(address)
			if err != nil {
				return nil, unusable("cannot be read as a PostgreSQL URL")
			}
			return func() (gorm.Dialector, error) { return openPostgres(*cfg), nil }, nil
		case "mysql", "mariadb":
			connector, cfg, err := mysqlConfig(address)
			if err != nil {
				return nil, unusable("cannot be read as a MySQL URL")
			}
			return func() (gorm.Dialector, error) { return openMySQL(connector, cfg), nil }, nil
		}
	}
	// The address may hold a password: only its scheme is repeated.
	if !ok {
		scheme = ""
	}
	return nil, unusable(fmt.Sprintf("has an unknown scheme %q", scheme))
}

// unusable is the error of a URL that cannot be opened.
func unusable(what string) error {
	return fmt.Errorf("DATABASE_URL %s\n  kinds: sqlite:FILE  postgres://USER:PASSWORD@HOST/NAME  mysql://USER:PASSWORD@HOST/NAME\n  try:   DATABASE_URL=sqlite:data/app.db", what)
}

func pool(p *sql.DB) *sql.DB {
	p.SetMaxOpenConns(poolSize)
	p.SetMaxIdleConns(poolIdle)
	p.SetConnMaxIdleTime(poolIdleTime)
	p.SetConnMaxLifetime(poolLifetime)
	return p
}

type postgresDialector struct{ postgres.Dialector }

func openPostgres(cfg pgx.ConnConfig) gorm.Dialector {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	utc := stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
		c.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		c.TypeMap().RegisterType(&pgtype.Type{Name: "timestamp", OID: pgtype.TimestampOID, Codec: &pgtype.TimestampCodec{ScanLocation: time.UTC}})
		return nil
	})
	d := postgres.New(postgres.Config{Conn: pool(stdlib.OpenDB(cfg, utc))})
	return postgresDialector{*d.(*postgres.Dialector)}
}

// Translate implements gorm.ErrorTranslator.
func (postgresDialector) Translate(err error) error { return Translate(err) }

type mysqlDialector struct{ mysql.Dialector }

// mysqlConfig reads a URL, which the driver does not know.
func mysqlConfig(address string) (driver.Connector, *mysqldriver.Config, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	if u.Host == "" || len(u.Path) < 2 {
		return nil, nil, errors.New("no host or no name")
	}
	// The driver's own parameters (tls, timeout, ...) are read by the driver.
	cfg, err := mysqldriver.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return nil, nil, err
	}
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.DBName = strings.TrimPrefix(u.Path, "/")
	cfg.Net, cfg.Addr = "tcp", u.Host
	if u.Port() == "" {
		cfg.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	cfg.ParseTime = true
	cfg.Loc = time.UTC
	cfg.InterpolateParams = true // one round trip instead of three
	cfg.ClientFoundRows = true   // an update that changes nothing has still found its row
	cfg.Collation = ""
	if err := cfg.Apply(mysqldriver.Charset("utf8mb4", "")); err != nil {
		return nil, nil, err
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+00:00'"
	connector, err := mysqldriver.NewConnector(cfg)
	return connector, cfg, err
}

func openMySQL(connector driver.Connector, cfg *mysqldriver.Config) gorm.Dialector {
	micro := 6
	d := mysql.New(mysql.Config{
		Conn:                     pool(sql.OpenDB(connector)),
		DSNConfig:                cfg,
		DefaultDatetimePrecision: &micro,
		// Asking the server for its version would connect here. What follows
		// is what MariaDB and every supported MySQL understand.
		SkipInitializeWithVersion:     true,
		DontSupportForShareClause:     true,
		DontSupportNullAsDefaultValue: true,
	})
	return mysqlDialector{*d.(*mysql.Dialector)}
}

// Translate implements gorm.ErrorTranslator.
func (mysqlDialector) Translate(err error) error { return Translate(err) }

// Migrator implements gorm.Dialector.
func (d mysqlDialector) Migrator(gdb *gorm.DB) gorm.Migrator {
	return mysqlMigrator{d.Dialector.Migrator(gdb).(mysql.Migrator)}
}

// mysqlMigrator makes tables whose text is Unicode and minds no case, whatever
// the server's default, and drops tables on the connection of a migration. GORM's takes
// another one, which waits for ever for what the migration has locked.
type mysqlMigrator struct{ mysql.Migrator }

// CreateTable implements gorm.Migrator.
func (m mysqlMigrator) CreateTable(values ...any) error {
	if _, ok := m.DB.Get("gorm:table_options"); !ok {
		m.DB = m.DB.Set("gorm:table_options", "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci")
	}
	return m.Migrator.CreateTable(values...)
}

// DropTable implements gorm.Migrator.
func (m mysqlMigrator) DropTable(values ...any) error {
	tables := m.ReorderModels(values, false)
	if _, err := m.DB.DB(); err == nil {
		return m.Migrator.DropTable(values...)
	}
	if err := m.DB.Exec("SET FOREIGN_KEY_CHECKS = 0").Error; err != nil {
		return err
	}
	defer m.DB.Exec("SET FOREIGN_KEY_CHECKS = 1")
	for _, table := range slices.Backward(tables) {
		err := m.RunWithValue(table, func(stmt *gorm.Statement) error {
			return m.DB.Exec("DROP TABLE IF EXISTS ?", clause.Table{Name: stmt.Table}).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}
