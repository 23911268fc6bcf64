// Package address reads what DATABASE_URL says, as it is written.
package address

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
)

// Escape is an address with a user and a password that a URL can hold: they are
// read as they are written, so that a password needs no thought. Only % and two
// hexadecimal digits stand for something else, as in every URL.
func Escape(address string) string {
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

// MySQL reads a URL that Escape has seen, which the driver does not know. Times are
// in UTC.
func MySQL(address string) (*mysqldriver.Config, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || len(u.Path) < 2 {
		return nil, errors.New("no host or no name")
	}
	// The driver's own parameters (tls, timeout, ...) are read by the driver.
	cfg, err := mysqldriver.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return nil, err
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
		return nil, err
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+00:00'"
	return cfg, nil
}
