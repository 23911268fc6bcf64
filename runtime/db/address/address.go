// Package address parses DATABASE_URL, with user and password as they are written.
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

// Escape returns address with its user and password escaped for use in a URL. They
// are taken literally, so passwords need no escaping; only % and two hexadecimal
// digits stand for a character, as in any URL.
func Escape(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	at := strings.LastIndex(rest, "@")
	if parameters := parameter.FindStringIndex(rest); at >= 0 && parameters != nil && parameters[0] < at && !strings.Contains(rest[at:], "/") {
		at = strings.LastIndex(rest[:parameters[0]], "@") // this @ is in a parameter's value
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

// parameter matches the beginning of the parameters of a URL.
var parameter = regexp.MustCompile(`\?[A-Za-z_-]+=`)

// written unescapes part of a URL, or returns it unchanged if it is not valid.
func written(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

// MySQL parses a URL that Escape has returned, a form that the driver does not
// accept. Times are in UTC.
func MySQL(address string) (*mysqldriver.Config, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || len(u.Path) < 2 {
		return nil, errors.New("no host or no name")
	}
	// The driver parses its own parameters (tls, timeout, ...).
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
	cfg.ClientFoundRows = true   // so that an update that changes nothing still counts its row
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
