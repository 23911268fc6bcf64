package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
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

	"github.com/nexios-go/nexios/runtime/db/address"
)

// Check reports what is wrong with a URL that Open would reject, in three parts. It
// does not open anything.
func Check(url string) error {
	_, err := dialect(url)
	return err
}

// dialect chooses GORM's dialector and its pool by the scheme of url. Nothing is
// opened until open is called.
func dialect(url string) (open func(Config) (gorm.Dialector, error), err error) {
	scheme, rest, ok := strings.Cut(url, ":")
	if ok {
		url = address.Escape(url)
		switch scheme {
		case "sqlite":
			path := strings.TrimPrefix(rest, "//")
			if path == "" {
				return nil, invalidURL("has no file after sqlite:")
			}
			return func(c Config) (gorm.Dialector, error) { return openSQLite(path, c) }, nil
		case "postgres", "postgresql":
			cfg, err := pgx.ParseConfig(url)
			if err != nil {
				return nil, unparsableURL("PostgreSQL", "postgres")
			}
			return func(c Config) (gorm.Dialector, error) { return openPostgres(*cfg, c), nil }, nil
		case "mysql", "mariadb":
			cfg, err := address.MySQL(url)
			if err != nil {
				return nil, unparsableURL("MySQL", "mysql")
			}
			connector, err := mysqldriver.NewConnector(cfg)
			if err != nil {
				return nil, unparsableURL("MySQL", "mysql")
			}
			return func(c Config) (gorm.Dialector, error) { return openMySQL(connector, cfg, c), nil }, nil
		}
	}
	// The URL may contain a password: only its scheme is repeated.
	if !ok {
		scheme = ""
	}
	return nil, invalidURL(fmt.Sprintf("has an unknown scheme %q", scheme))
}

// unparsableURL returns the error for a URL that cannot be parsed, without repeating it.
func unparsableURL(kind, scheme string) error {
	return fmt.Errorf("DATABASE_URL cannot be read as a %s URL\n"+
		"  form:  percent-encode the password: / is %%2F, @ is %%40, # is %%23; in .env, put single quotes around a value with \" #\"\n"+
		"  kinds: sqlite:FILE  postgres://USER:PASSWORD@HOST/NAME  mysql://USER:PASSWORD@HOST/NAME\n"+
		"  try:   DATABASE_URL=%s://me:pass%%2Fword@localhost/app", kind, scheme)
}

// invalidURL returns the error for a URL that cannot be opened.
func invalidURL(what string) error {
	return fmt.Errorf("DATABASE_URL %s\n  kinds: sqlite:FILE  postgres://USER:PASSWORD@HOST/NAME  mysql://USER:PASSWORD@HOST/NAME\n  try:   DATABASE_URL=sqlite:data/app.db", what)
}

type postgresDialector struct{ postgres.Dialector }

func openPostgres(cfg pgx.ConnConfig, c Config) gorm.Dialector {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	// A client that hangs up must not break the connection that its statement runs
	// on: the statement runs to its end or to its own limit.
	cfg.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return timeoutWatcher{conn.Conn(), c.StatementTimeout}
	}
	limits, free := postgresLimits(cfg.RuntimeParams, c)
	prepare := stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamp", OID: pgtype.TimestampOID, Codec: &pgtype.TimestampCodec{ScanLocation: time.UTC}})
		// In a statement, since poolers such as PgBouncer reject unknown startup
		// parameters.
		return conn.PgConn().Exec(ctx, limits).Close()
	})
	pool := newServerPool(stdlib.GetConnector(cfg, prepare), c, limits, free)
	pool.pooler = cfg.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
	d := postgres.New(postgres.Config{Conn: pool})
	return postgresDialector{*d.(*postgres.Dialector)}
}

// postgresLimits returns the statements that set and lift the limits of a
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

// timeoutWatcher interrupts a connection at the deadline of its context or when its
// server is silent, and gives a statement whose context was cancelled time to end.
type timeoutWatcher struct {
	conn    net.Conn
	timeout time.Duration // 0 for no limit
}

// networkGrace is added to the limit of a statement for its response to arrive.
const networkGrace = time.Second

// HandleCancel implements ctxwatch.Handler.
func (w timeoutWatcher) HandleCancel(ctx context.Context) {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(context.Cause(ctx), errSilent):
		_ = w.conn.SetDeadline(time.Now())
	case w.timeout > 0:
		_ = w.conn.SetDeadline(time.Now().Add(w.timeout + networkGrace))
	}
}

// HandleUnwatchAfterCancel implements ctxwatch.Handler.
func (w timeoutWatcher) HandleUnwatchAfterCancel() { _ = w.conn.SetDeadline(time.Time{}) }

// postgresMigrator appends the primary key to every plain index: lists are ordered
// by both, and with an index on a column of few values alone PostgreSQL sorts
// nearly all rows. SQLite's and MySQL's indexes contain the key.
type postgresMigrator struct{ postgres.Migrator }

// CreateIndex implements gorm.Migrator.
func (m postgresMigrator) CreateIndex(value any, name string) error {
	return m.RunWithValue(value, func(stmt *gorm.Statement) error {
		index := stmt.Schema.LookIndex(name)
		if index == nil {
			return m.Migrator.CreateIndex(value, name)
		}
		columns, key := m.BuildIndexOptions(index.Fields, stmt), stmt.Schema.PrioritizedPrimaryField
		plain := key != nil && index.Class+index.Type+index.Where+index.Option == ""
		for _, of := range index.Fields {
			plain = plain && of.Field != nil && of.Field != key && of.Expression+of.Sort+of.Collate == ""
		}
		switch {
		case plain:
			columns = append(columns, clause.Column{Name: key.DBName})
		case !concurrent(m.DB):
			return m.Migrator.CreateIndex(value, name)
		}
		if there, err := hasIndex(m.DB, index.Name); err != nil || there {
			return err
		}
		how, rest := "", "ON ? ?"
		if index.Class != "" {
			how = index.Class + " "
		}
		if index.Type != "" {
			rest = "ON ? USING " + index.Type + " ?"
		}
		if index.Option != "CONCURRENTLY" {
			rest += " " + index.Option
		}
		if index.Where != "" {
			rest += " WHERE " + index.Where
		}
		return createIndex(m.DB, how, index.Name, rest, m.CurrentTable(stmt), columns)
	})
}

// HasIndex implements gorm.Migrator. A half-built index does not count.
func (m postgresMigrator) HasIndex(value any, name string) bool {
	if !m.Migrator.HasIndex(value, name) || !concurrent(m.DB) {
		return m.Migrator.HasIndex(value, name)
	}
	whole := false
	_ = m.RunWithValue(value, func(stmt *gorm.Statement) (err error) {
		if stmt.Schema != nil && stmt.Schema.LookIndex(name) != nil {
			name = stmt.Schema.LookIndex(name).Name
		}
		whole, err = hasIndex(m.DB, name)
		return err
	})
	return whole
}

// DropIndex implements gorm.Migrator.
func (m postgresMigrator) DropIndex(value any, name string) error {
	if !concurrent(m.DB) {
		return m.Migrator.DropIndex(value, name)
	}
	return m.RunWithValue(value, func(stmt *gorm.Statement) error {
		if stmt.Schema != nil && stmt.Schema.LookIndex(name) != nil {
			name = stmt.Schema.LookIndex(name).Name
		}
		return dropIndex(m.DB, name)
	})
}

// Translate implements gorm.ErrorTranslator.
func (postgresDialector) Translate(err error) error { return Translate(err) }

// DataTypeOf implements gorm.Dialector. Text is compared by its characters,
// whatever the database's locale, as in SQLite.
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

// plainText reports whether a column holds text and is neither a primary nor a
// foreign key: on MySQL a key and its references must have the same collation, and
// there are keys from before a collation was chosen.
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

func openMySQL(connector driver.Connector, cfg *mysqldriver.Config, c Config) gorm.Dialector {
	micro := 6
	limits := mysqlLimits(c)
	d := mysql.New(mysql.Config{
		Conn:                     newServerPool(limited{connector, limits}, c, limits, mysqlLimits(Config{})),
		DSNConfig:                cfg,
		DefaultDatetimePrecision: &micro,
		// Querying the server's version would connect here. These settings work on
		// MariaDB and every supported MySQL.
		SkipInitializeWithVersion:     true,
		DontSupportForShareClause:     true,
		DontSupportNullAsDefaultValue: true,
	})
	return mysqlDialector{*d.(*mysql.Dialector)}
}

// mysqlLimits returns the statement that sets the limits of a connection and its
// isolation level: as in PostgreSQL, a statement in a transaction sees what was
// committed before it, so that one that waited for a row does not read an older
// state. The text in the comments runs on MariaDB only and on MySQL only; MySQL
// limits only reads.
func mysqlLimits(c Config) string {
	seconds, ever := int(max(c.LockTimeout.Round(time.Second).Seconds(), 1)), int((24 * time.Hour).Seconds())
	if c.LockTimeout == 0 {
		seconds = ever
	}
	return fmt.Sprintf("SET innodb_lock_wait_timeout = %d, lock_wait_timeout = %d /*M! , max_statement_time = %g, tx_isolation = 'READ-COMMITTED' */ /*!50720 , max_execution_time = %d, transaction_isolation = 'READ-COMMITTED' */",
		seconds, seconds, c.StatementTimeout.Seconds(), c.StatementTimeout.Milliseconds())
}

// limited is a connector that sets the limits of every connection.
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

// collations returns the collations of MariaDB or MySQL that compare text by its
// characters, and by its characters except for case. Neither ignores trailing
// spaces.
func collations(gdb *gorm.DB) (binary, nocase string, err error) {
	var version string
	err = gdb.Session(&gorm.Session{NewDB: true}).Raw("SELECT version()").Scan(&version).Error
	if strings.Contains(version, "MariaDB") {
		return "utf8mb4_nopad_bin", "utf8mb4_uca1400_nopad_as_ci", err
	}
	return "utf8mb4_0900_bin", "utf8mb4_0900_as_ci", err
}

// mysqlTexts creates text columns that compare by their characters.
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

// mysqlMigrator creates tables whose text is Unicode, whatever the server's
// default, and drops tables on the connection of a migration. GORM's migrator uses
// another connection, which would wait forever for the locks of the migration. It
// skips tables that a failed run of the migration has already created.
type mysqlMigrator struct{ mysql.Migrator }

// CreateTable implements gorm.Migrator.
func (m mysqlMigrator) CreateTable(values ...any) error {
	if _, ok := m.DB.Get("gorm:table_options"); !ok {
		m.DB = m.DB.Set("gorm:table_options", "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci")
	}
	if _, migrating := m.DB.Statement.ConnPool.(*pinned); !migrating {
		return m.Migrator.CreateTable(values...)
	}
	for _, value := range m.ReorderModels(values, false) {
		there, err := m.made(value)
		if err == nil && !there {
			err = m.Migrator.CreateTable(value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// made reports whether a table exists with exactly the columns of its model; folded
// columns are ignored.
func (m mysqlMigrator) made(value any) (is bool, err error) {
	err = m.RunWithValue(value, func(stmt *gorm.Statement) error {
		var there, columns []string
		for _, name := range stmt.Schema.DBNames {
			if !stmt.Schema.FieldsByDBName[name].IgnoreMigration {
				columns = append(columns, name)
			}
		}
		query := "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = ?"
		err := m.DB.Session(&gorm.Session{NewDB: true}).Raw(query, stmt.Table).Scan(&there).Error
		for _, name := range columns {
			there = slices.DeleteFunc(there, func(other string) bool { return other == foldedColumn(name) && !slices.Contains(columns, other) })
		}
		slices.Sort(there)
		slices.Sort(columns)
		is = slices.Equal(there, columns)
		return err
	})
	return is, err
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
