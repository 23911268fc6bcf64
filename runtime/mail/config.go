package mail

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// Config is the configuration of outgoing mail.
type Config struct {
	// Env is the application's environment. Only development shows written mail at
	// /dev/mail, and only production requires the other settings.
	Env string `env:"APP_ENV" envDefault:"development" doc:"development, test or production"`
	// URL is the destination of mail:
	//
	//	smtp://user:password@host:587    STARTTLS if the server offers it; required if
	//	                                 there is a password and host is not local
	//	smtp://host:25?tls=required      STARTTLS required
	//	smtp://host:25?tls=off           never encrypted
	//	smtps://user:password@host:465   TLS from the start (RFC 8314)
	//	file:DIR                         one .eml file per message in DIR
	//
	// Reserved characters in user and password must be percent-encoded.
	URL string `env:"SMTP_URL" doc:"smtp://user:password@host:587, smtps://... or file:DIR; file:tmp/mail in development"`
	// From is the sender of every message, with or without a name.
	From string `env:"MAIL_FROM" doc:"sender: Blog <blog@example.com>"`
}

const (
	developmentURL  = "file:tmp/mail"
	developmentFrom = "Development <dev@localhost>"
)

// Validate returns the problems with the settings, worded for the person who set
// them.
func (c Config) Validate() error {
	_, err := c.parse()
	return err
}

// target is a parsed Config.
type target struct {
	from     *mail.Address
	dir      string // for file:DIR; otherwise the server below is used
	host     string
	port     int
	implicit bool // TLS from the start
	startTLS string
	user     string
	password string
}

const (
	tlsOffered  = "offered"
	tlsRequired = "required"
	tlsOff      = "off"
)

func (c Config) parse() (target, error) {
	if c.Env != "production" {
		if c.URL == "" {
			c.URL = developmentURL
		}
		if c.From == "" {
			c.From = developmentFrom
		}
	}
	var t target
	err := errors.Join(t.parseURL(c.URL), t.parseFrom(c.From))
	return t, err
}

// parseFrom parses MAIL_FROM.
func (t *target) parseFrom(from string) (err error) {
	const try = "\n  try:   MAIL_FROM=\"Blog <blog@example.com>\""
	if from == "" {
		return errors.New("MAIL_FROM is required in production" + try)
	}
	if t.from, err = mail.ParseAddress(from); err != nil || hasControl(from) {
		return fmt.Errorf("MAIL_FROM is not an address: %q"+try, from)
	}
	return nil
}

// parseURL parses SMTP_URL.
func (t *target) parseURL(address string) error {
	if address == "" {
		return errors.New("SMTP_URL is required in production\n  try:   SMTP_URL=smtp://user:password@mail.example.com:587")
	}
	if dir, ok := strings.CutPrefix(address, "file:"); ok {
		if dir = strings.TrimPrefix(dir, "//"); dir == "" {
			return fmt.Errorf("SMTP_URL has no directory: %q\n  try:   SMTP_URL=file:tmp/mail", address)
		}
		t.dir = filepath.FromSlash(dir)
		return nil
	}
	u, err := url.Parse(address)
	if err != nil {
		// The parser's error would print the password.
		return errors.New("SMTP_URL cannot be read as a URL\n  try:   SMTP_URL=smtp://user:password@mail.example.com:587 (percent-encode reserved characters)")
	}
	return t.parseServer(u)
}

// parseServer parses smtp:// and smtps:// URLs.
func (t *target) parseServer(u *url.URL) error {
	switch u.Scheme {
	case "smtp":
		t.port = 587
	case "smtps":
		t.port, t.implicit = 465, true
	default:
		return fmt.Errorf("SMTP_URL has the unknown scheme %q\n  known: smtp:// smtps:// file:DIR\n  try:   SMTP_URL=smtp://user:password@mail.example.com:587", u.Scheme)
	}
	if t.host = u.Hostname(); t.host == "" {
		return fmt.Errorf("SMTP_URL has no server\n  try:   SMTP_URL=%s://user:password@mail.example.com:%d", u.Scheme, t.port)
	}
	if text := u.Port(); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil || port < 1 || port > 65535 {
			return fmt.Errorf("SMTP_URL has the port %q\n  try:   a number from 1 to 65535", text)
		}
		t.port = port
	}
	t.user = u.User.Username()
	t.password, _ = u.User.Password()
	t.startTLS = tlsOffered
	if t.password != "" && !isLocal(t.host) {
		t.startTLS = tlsRequired // otherwise an attacker in the middle could get the password by hiding the offer
	}
	for name, values := range u.Query() {
		choice := values[0]
		if name != "tls" || (choice != tlsOffered && choice != tlsRequired && choice != tlsOff) {
			return fmt.Errorf("SMTP_URL has the unknown option %q\n  try:   ?tls=required, ?tls=offered or ?tls=off", name+"="+choice)
		}
		t.startTLS = choice
	}
	return nil
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
