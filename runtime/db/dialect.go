package db

import (
	"context"
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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// Check says what is wrong with a URL that Open would refuse, in three parts,
// without opening anything.
func Check(url string) error {
	_, err := dialect(url)
	return err
}

// dialect chooses GORM's dialector and its pool by the scheme of url. Nothing
// is made before open is called.
func dialect(address string) (open func(Config) (gorm.Dialector, error), err error) {
	scheme, rest, ok := strings.Cut(address, ":")
	if ok {
		address = escaped(address)
		switch scheme {
		case "sqlite":
			path := strings.TrimPrefix(rest, "//")
			if path == "" {
				return nil, unusable("has no file after sqlite:")
			}
			return func(c Config) (gorm.Dialector, error) { return openSQLite(path, c) }, nil
		case "postgres", "postgresql":
			cfg, err := pgx.ParseConfig(address)
			if err != nil {
				return nil, unusable("cannot be read as a PostgreSQL URL")
			}
			return func(c Config) (gorm.Dialector, error) { return openPostgres(*cfg, c), nil }, nil
		case "mysql", "mariadb":
			connector, cfg, err := mysqlConfig(address)
			if err != nil {
				return nil, unusable("cannot be read as a MySQL URL")
			}
			return func(c Config) (gorm.Dialector, error) { return openMySQL(connector, cfg, c), nil }, nil
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

type postgresDialector struct{ postgres.Dialector }

func openPostgres(cfg pgx.ConnConfig, c Config) gorm.Dialector {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	// A client that hangs up must not break the connection that its statement
	// runs on: the statement ends by itself, and by its own limit.
	cfg.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return patientWatcher{conn.Conn(), c.StatementTimeout}
	}
	limits, free := postgresLimits(cfg.RuntimeParams, c)
	prepare := stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamp", OID: pgtype.TimestampOID, Codec: &pgtype.TimestampCodec{ScanLocation: time.UTC}})
		// By a statement: poolers such as PgBouncer refuse unknown parameters at the start.
		return conn.PgConn().Exec(ctx, limits).Close()
	})
	pool := newServerPool(stdlib.GetConnector(cfg, prepare), c, limits, free)
	pool.pooler = cfg.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
	d := postgres.New(postgres.Config{Conn: pool})
	return postgresDialector{*d.(*postgres.Dialector)}
}

// postgresLimits are the statements that set and lift the limits of a
// connection, except for those that its URL sets.
func postgresLimits(parameters map[string]string, c Config) (limits, free string) {
	for name, limit := range map[string]time.Duration{"lock_timeout": c.LockTimeout, "statement_timeout": c.StatementTimeout} {
		if _, own := parameters[name]; !own {
			limits += fmt.Sprintf("SET %s = %d;", name, limit.Milliseconds())
		}
		free += "SET " + name + " = 0;"
	}
	return limits, free
}

// patientWatcher ends what a connection does at the deadline of its context,
// and gives a statement whose context was cancelled time to end.
type patientWatcher struct {
	conn     net.Conn
	patience time.Duration // 0 for ever
}

// networkPatience is how much longer than its statement an answer may take.
const networkPatience = time.Second

// HandleCancel implements ctxwatch.Handler.
func (w patientWatcher) HandleCancel(ctx context.Context) {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		_ = w.conn.SetDeadline(time.Now())
	case w.patience > 0:
		_ = w.conn.SetDeadline(time.Now().Add(w.patience + networkPatience))
	}
}

// HandleUnwatchAfterCancel implements ctxwatch.Handler.
func (w patientWatcher) HandleUnwatchAfterCancel() { _ = w.conn.SetDeadline(time.Time{}) }

// postgresMigrator ends every plain index with the key: lists are in the order
// of both, and of a column with few values an index alone gives a sort of nearly
// all rows. SQLite's and MySQL's have the key in them.
type postgresMigrator struct{ postgres.Migrator }

// CreateIndex implements gorm.Migrator.
func (m postgresMigrator) CreateIndex(value any, name string) error {
	return m.RunWithValue(value, func(stmt *gorm.Statement) error {
		index, key := stmt.Schema.LookIndex(name), stmt.Schema.PrioritizedPrimaryField
		if index == nil || key == nil || index.Class+index.Type+index.Where+index.Option != "" {
			return m.Migrator.CreateIndex(value, name)
		}
		vars := []any{clause.Column{Name: index.Name}, m.CurrentTable(stmt)}
		for _, of := range index.Fields {
			if of.Field == nil || of.Field == key || of.Expression+of.Sort+of.Collate != "" {
				return m.Migrator.CreateIndex(value, name)
			}
			vars = append(vars, clause.Column{Name: of.DBName})
		}
		vars = append(vars, clause.Column{Name: key.DBName})
		return m.DB.Exec("CREATE INDEX IF NOT EXISTS ? ON ? ("+strings.Repeat("?, ", len(index.Fields))+"?)", vars...).Error
	})
}

// Translate implements gorm.ErrorTranslator.
func (postgresDialector) Translate(err error) error { return Translate(err) }

// DataTypeOf implements gorm.Dialector. Texts are compared by their characters,
// whatever the database's locale, as SQLite does.
func (d postgresDialector) DataTypeOf(field *schema.Field) string {
	kind := d.Dialector.DataTypeOf(field)
	if plainText(field) {
		kind += ` COLLATE "C"`
	}
	return kind
}

// Migrator implements gorm.Dialector.
func (d postgresDialector) Migrator(gdb *gorm.DB) gorm.Migrator {
	m := d.Dialector.Migrator(gdb).(postgres.Migrator)
	m.Dialector = d
	return postgresMigrator{m}
}

// plainText tells whether a column holds text and is no key: on MySQL a key and
// what refers to it must have one collation, and there are keys that are older
// than the choice of one.
func plainText(field *schema.Field) bool {
	if field.DataType != schema.String || field.PrimaryKey {
		return false
	}
	for _, relation := range field.Schema.Relationships.Relations {
		for _, r := range relation.References {
			if r.ForeignKey == field {
				return false
			}
		}
	}
	return true
}

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

func openMySQL(connector driver.Connector, cfg *mysqldriver.Config, c Config) gorm.Dialector {
	micro := 6
	limits := mysqlLimits(c)
	d := mysql.New(mysql.Config{
		Conn:                     newServerPool(limited{connector, limits}, c, limits, mysqlLimits(Config{})),
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

// mysqlLimits is the statement that sets the limits of a connection. What
// stands in the comments is for MariaDB alone and for MySQL alone, which limits
// only what reads.
func mysqlLimits(c Config) string {
	seconds, ever := int(max(c.LockTimeout.Round(time.Second).Seconds(), 1)), int((24 * time.Hour).Seconds())
	if c.LockTimeout == 0 {
		seconds = ever
	}
	return fmt.Sprintf("SET innodb_lock_wait_timeout = %d, lock_wait_timeout = %d /*M! , max_statement_time = %g */ /*!50708 , max_execution_time = %d */",
		seconds, seconds, c.StatementTimeout.Seconds(), c.StatementTimeout.Milliseconds())
}

// limited sets the limits of every connection that it makes.
type limited struct {
	driver.Connector
	limits string
}

// Connect implements driver.Connector.
func (l limited) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := l.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, l.limits, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Translate implements gorm.ErrorTranslator.
func (mysqlDialector) Translate(err error) error { return Translate(err) }

// Migrator implements gorm.Dialector.
func (d mysqlDialector) Migrator(gdb *gorm.DB) gorm.Migrator {
	m := d.Dialector.Migrator(gdb).(mysql.Migrator)
	binary, _, err := collations(gdb)
	m.Migrator.Dialector = mysqlTexts{d, binary}
	if err != nil {
		_ = m.DB.AddError(err)
	}
	return mysqlMigrator{m}
}

// collations are those of MariaDB or MySQL that compare texts by their
// characters, and by all but their case. Neither ignores spaces at the end.
func collations(gdb *gorm.DB) (binary, nocase string, err error) {
	var version string
	err = gdb.Session(&gorm.Session{NewDB: true}).Raw("SELECT version()").Scan(&version).Error
	if strings.Contains(version, "MariaDB") {
		return "utf8mb4_nopad_bin", "utf8mb4_uca1400_nopad_as_ci", err
	}
	return "utf8mb4_0900_bin", "utf8mb4_0900_as_ci", err
}

// mysqlTexts makes columns of text that compare it by its characters.
type mysqlTexts struct {
	gorm.Dialector
	collation string
}

// DataTypeOf implements gorm.Dialector.
func (d mysqlTexts) DataTypeOf(field *schema.Field) string {
	kind := d.Dialector.DataTypeOf(field)
	if plainText(field) {
		kind += " CHARACTER SET utf8mb4 COLLATE " + d.collation
	}
	return kind
}

// mysqlMigrator makes tables whose text is Unicode, whatever the server's
// default, and drops tables on the connection of a migration. GORM's takes
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
