package db

import (
	"errors"
	"fmt"
	"strings"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// refused reports whether the database rejected the user or the password.
func refused(err error) bool {
	var pg *pgconn.PgError
	var my *mysqldriver.MySQLError
	return errors.As(err, &pg) && (pg.Code == "28P01" || pg.Code == "28000") || errors.As(err, &my) && (my.Number == 1045 || my.Number == 1698)
}

// pgBouncerHint returns err with advice if PgBouncer causes it, and nil otherwise.
func pgBouncerHint(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return nil
	}
	switch {
	case pg.Code == "42P05", pg.Code == "26000": // a prepared statement of another client, or an unknown one
		return fmt.Errorf("the database mixes up prepared statements, as PgBouncer does: %w\n  where: DATABASE_URL\n  try:   ?default_query_exec_mode=exec at its end", err)
	case pg.Code == "08P01" && strings.Contains(pg.Message, "startup parameter"):
		return fmt.Errorf("the server refuses a startup parameter, as PgBouncer does: %w\n  where: pgbouncer.ini\n  try:   ignore_startup_parameters = timezone", err)
	}
	return nil
}
