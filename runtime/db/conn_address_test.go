package db

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nexios-go/nexios/runtime/db/address"
)

// The user and the password are read literally, or as a URL escapes them, and no
// error repeats them.
func TestPasswordsAreReadLiterally(t *testing.T) {
	for _, password := range []string{
		"secret", "p@ss", "p:ss", "p/ss", "p?ss", "p#ss", "p ss", "p$ss", "p%ss", "100%", "%zz", "p&a=b", `p"'\ss`, "p[ss]", "pä🙂", "@", "/", "?", "#", "p@ss/w#rd?x", "12#3", "p+ss", "<>^{}|`",
	} {
		for _, tail := range []string{"@db.example:5433/name", "@db.example:5433/name?application_name=a@b", "@db.example:5433/name?connect_timeout=3"} {
			cfg, err := pgx.ParseConfig(address.Escape("postgres://ann:" + password + tail))
			if err != nil {
				t.Errorf("%s%s: %v", password, tail, err)
				continue
			}
			if cfg.User != "ann" || cfg.Password != password || cfg.Host != "db.example" || cfg.Port != 5433 || cfg.Database != "name" {
				t.Errorf("%s%s was parsed as %s, %s, %s:%d, %s", password, tail, cfg.User, cfg.Password, cfg.Host, cfg.Port, cfg.Database)
			}
		}
		my, err := address.MySQL(address.Escape("mysql://ann:" + password + "@db.example/name?readTimeout=3s"))
		if err != nil || my.User != "ann" || my.Passwd != password || my.Addr != "db.example:3306" || my.DBName != "name" {
			t.Errorf("%s was parsed as %+v: %v", password, my, err)
		}
	}
	for written, want := range map[string]string{
		"postgres://ann:p%40ss%25@h/n": "p@ss%", "postgres://h/n": "", "postgres://h/n?user=a@b": "", "postgres://ann@h/n": "",
		"postgres://h/n?user=ann&password=p%40ss": "p@ss",
	} {
		if cfg, err := pgx.ParseConfig(address.Escape(written)); err != nil || cfg.Password != want || cfg.Host != "h" || cfg.Database != "n" {
			t.Errorf("%s: %v, %v", written, cfg, err)
		}
	}
	for _, bad := range []string{"postgres://ann:geheim@h:port/n", "mysql://ann:geheim@/", "mysql://ann:geheim@h", "oracle://ann:geheim@h/n", "ann:geheim@h/n", "postgres://ann:geheim@h/n?sslmode=maybe"} {
		if err := Check(bad); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// Errors that PgBouncer causes come with advice.
func TestPgBouncerErrorsHaveAdvice(t *testing.T) {
	for code, message := range map[string]string{"42P05": "prepared statement exists", "26000": "no such statement", "08P01": "unsupported startup parameter: timezone"} {
		err := Translate(fmt.Errorf("failed: %w", &pgconn.PgError{Code: code, Message: message}))
		if !strings.Contains(err.Error(), "PgBouncer") || !strings.Contains(err.Error(), "try: ") || !errors.As(err, new(*pgconn.PgError)) {
			t.Errorf("%s: %v", code, err)
		}
	}
}
