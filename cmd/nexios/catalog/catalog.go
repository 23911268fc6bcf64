// Package catalog reads what a database holds, for `nexios adopt`. It reads in
// one transaction that cannot write; only Mark writes, one row.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nexios-go/nexios/scaffold/adopt"
)

// Read returns the catalog of a schema; "" is the one in which tables are looked
// up first. without are tables that migrations of the project make.
func Read(ctx context.Context, address, schema string, without []string) (_ adopt.Catalog, err error) {
	conn, err := connect(ctx, address)
	if err != nil {
		return adopt.Catalog{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return adopt.Catalog{}, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	r := postgres{ctx: ctx, tx: tx, schema: schema, without: append([]string{"schema_migrations"}, without...)}
	return r.read()
}

// Mark records that a migration is applied, in the table that the project's own
// programs keep. It makes that table where it is not there yet.
func Mark(ctx context.Context, address, schema, migration string) error {
	conn, err := connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if schema != "" {
			if _, err := tx.Exec(ctx, "SET LOCAL search_path TO "+pgx.Identifier{schema}.Sanitize()); err != nil {
				return err
			}
		}
		// As the runtime's migrations make it.
		_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (id varchar(191), applied_at timestamptz NOT NULL, PRIMARY KEY (id))`)
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO schema_migrations (id, applied_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, migration, time.Now().UTC().Truncate(time.Millisecond))
		}
		return err
	})
}

// Unreachable is an error of an address from which nothing can be read. It tells
// nothing of a password in it.
type Unreachable struct{ What, Where, Try string }

func (u *Unreachable) Error() string { return u.What }

func connect(ctx context.Context, address string) (*pgx.Conn, error) {
	scheme, _, _ := strings.Cut(address, ":")
	if scheme != "postgres" && scheme != "postgresql" {
		return nil, &Unreachable{
			What:  fmt.Sprintf("adopt reads PostgreSQL only, and DATABASE_URL is of %q", scheme),
			Where: "the environment, or .env", Try: "DATABASE_URL=postgres://USER:PASSWORD@HOST/NAME nexios adopt --all",
		}
	}
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, &Unreachable{
			What:  "DATABASE_URL cannot be read as a PostgreSQL URL",
			Where: "the environment, or .env", Try: "percent-encode its password: / is %2F, @ is %40, # is %23",
		}
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err == nil {
		return conn, nil
	}
	u := &Unreachable{What: "the database does not answer", Where: fmt.Sprintf("%s:%d", cfg.Host, cfg.Port), Try: "check that it runs, and the host and port of DATABASE_URL"}
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) {
		u.What, u.Try = "the database refuses: "+refused.Message, "check the user, the password and the name in DATABASE_URL"
	}
	return nil, u
}
