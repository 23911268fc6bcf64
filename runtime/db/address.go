package db

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// escaped is address with a user and a password that a URL can hold: they are
// read as they are written, so that a password needs no thought. Only % and two
// hexadecimal digits stand for something else, as in every URL.
func escaped(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	at := strings.LastIndex(rest, "@")
	if parameters := parameter.FindStringIndex(rest); at >= 0 && parameters != nil && parameters[0] < at && !strings.Contains(rest[at:], "/") {
		at = strings.LastIndex(rest[:parameters[0]], "@") // that one is in a parameter's value
	}
	if at < 0 {
		return address
	}
	user, password, secret := strings.Cut(rest[:at], ":")
	who := url.User(written(user))
	if secret {
		who = url.UserPassword(written(user), written(password))
	}
	return scheme + "://" + who.String() + "@" + rest[at+1:]
}

// parameter is where the parameters of a URL begin.
var parameter = regexp.MustCompile(`\?[A-Za-z_-]+=`)

// written is what a part of a URL stands for: itself, where it is no part of a
// URL.
func written(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

// refused tells whether the database answered that it does not know the user or
// another password of his.
func refused(err error) bool {
	var pg *pgconn.PgError
	var my *mysqldriver.MySQLError
	return errors.As(err, &pg) && (pg.Code == "28P01" || pg.Code == "28000") || errors.As(err, &my) && (my.Number == 1045 || my.Number == 1698)
}

// bouncer is err with what to do about it, where it is of a PgBouncer in whose
// way this program gets, and nil where it is not.
func bouncer(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return nil
	}
	switch {
	case pg.Code == "42P05", pg.Code == "26000": // a prepared statement that another client made, or nobody
		return fmt.Errorf("the database mixes up prepared statements, as PgBouncer does: %w\n  where: DATABASE_URL\n  try:   ?default_query_exec_mode=exec at its end", err)
	case pg.Code == "08P01" && strings.Contains(pg.Message, "startup parameter"):
		return fmt.Errorf("the database takes no settings of a connection, as PgBouncer does: %w\n  where: pgbouncer.ini\n  try:   ignore_startup_parameters = timezone", err)
	}
	return nil
}
