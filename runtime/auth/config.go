package auth

import (
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config holds the settings of this package, as read by runtime/config. The zero value
// of a field means its default.
type Config struct {
	Env     string   `env:"APP_ENV" envDefault:"development" doc:"development, test or production"`
	URL     string   `env:"APP_URL" envDefault:"http://localhost:8000" doc:"public URL of the application, used for links in e-mails"`
	Origins []string `env:"CORS_ORIGINS" doc:"origins allowed to call the API, comma-separated: https://app.example.com"`

	Secret     string        `env:"APP_SECRET" doc:"at least 32 random bytes as text; all signing keys are derived from it; required in production"`
	Previous   string        `env:"APP_SECRET_PREVIOUS" doc:"the previous secret: its signatures stay valid until they expire"`
	Refresh    string        `env:"AUTH_REFRESH" envDefault:"cookie" doc:"how the refresh token is sent: cookie, or body for native clients"`
	AccessTTL  time.Duration `env:"AUTH_ACCESS_TTL" envDefault:"30m" doc:"lifetime of an access token, 1m to 24h"`
	RefreshTTL time.Duration `env:"AUTH_REFRESH_TTL" envDefault:"168h" doc:"lifetime of an unused refresh token"`
	SessionTTL time.Duration `env:"AUTH_SESSION_TTL" envDefault:"720h" doc:"maximum lifetime of a session, however often it is refreshed"`
	PageTTL    time.Duration `env:"AUTH_PAGE_TTL" envDefault:"24h" doc:"lifetime of an unused page session"`
	FreshFor   time.Duration `env:"AUTH_FRESH" envDefault:"15m" doc:"how long sensitive operations are allowed after a password check"`
	Lockout    time.Duration `env:"AUTH_LOCKOUT" envDefault:"15m" doc:"how long an account or address is locked after too many wrong passwords"`
	Factor     []string      `env:"AUTH_REQUIRE_FACTOR" doc:"roles whose users must have a second factor, comma-separated: admin"`
	Issuer     string        `env:"AUTH_ISSUER" envDefault:"app" doc:"name shown in authenticator apps"`
}

// minSecret is the minimum size of an HS256 key in bytes (RFC 7518, 3.2).
const minSecret = 32

// Validate rejects unsafe settings: in production a missing, short or well-known
// secret, in every environment durations out of range and unknown modes.
func (c Config) Validate() error {
	return errors.Join(
		c.checkSecret("APP_SECRET", c.Secret, true),
		c.checkSecret("APP_SECRET_PREVIOUS", c.Previous, false),
		c.checkURL(),
		c.checkMode(),
		checkDuration("AUTH_ACCESS_TTL", c.AccessTTL, time.Minute, 24*time.Hour),
		checkDuration("AUTH_REFRESH_TTL", c.RefreshTTL, time.Minute, 365*24*time.Hour),
		checkDuration("AUTH_SESSION_TTL", c.SessionTTL, time.Minute, 365*24*time.Hour),
		checkDuration("AUTH_PAGE_TTL", c.PageTTL, time.Minute, 365*24*time.Hour),
		checkDuration("AUTH_FRESH", c.FreshFor, time.Second, 24*time.Hour),
		checkDuration("AUTH_LOCKOUT", c.Lockout, time.Second, 24*time.Hour),
	)
}

func (c Config) checkSecret(name, value string, required bool) error {
	if c.Env != "production" || value == "" && !required {
		return nil
	}
	wrong := ""
	switch {
	case value == "":
		wrong = "is missing"
	case len(value) < minSecret:
		wrong = fmt.Sprintf("has %d bytes, at least %d are needed", len(value), minSecret)
	case guessable(value):
		wrong = "is a well-known or repetitive value"
	default:
		return nil
	}
	return fmt.Errorf("%s %s\n  where: the environment of this production process\n  try:   export %s=$(openssl rand -hex 32)", name, wrong, name)
}

// withDefaults fills in the fields left empty by a Config that was not read from the
// environment.
func (c Config) withDefaults() Config {
	c.URL = cmp.Or(c.URL, "http://localhost:8000")
	c.Refresh = cmp.Or(c.Refresh, "cookie")
	c.AccessTTL = cmp.Or(c.AccessTTL, 30*time.Minute)
	c.RefreshTTL = cmp.Or(c.RefreshTTL, 7*24*time.Hour)
	c.SessionTTL = cmp.Or(c.SessionTTL, 30*24*time.Hour)
	c.PageTTL = cmp.Or(c.PageTTL, 24*time.Hour)
	c.FreshFor = cmp.Or(c.FreshFor, 15*time.Minute)
	c.Lockout = cmp.Or(c.Lockout, 15*time.Minute)
	c.Issuer = cmp.Or(c.Issuer, "app")
	return c
}

func (c Config) checkMode() error {
	if c.Refresh == "" || c.Refresh == "cookie" || c.Refresh == "body" {
		return nil
	}
	return fmt.Errorf("unknown value %q for AUTH_REFRESH\n  where: the environment or .env\n  try:   AUTH_REFRESH=cookie (browsers) or AUTH_REFRESH=body (native clients)", c.Refresh)
}

// loopback reports whether host is the local machine.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (c Config) checkURL() error {
	u, err := url.Parse(c.URL)
	if c.URL == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" {
		if c.Env != "production" || u.Scheme != "http" || c.URL == "" || loopback(u.Hostname()) {
			return nil
		}
		return fmt.Errorf("APP_URL is http in production: %q\n  where: links in e-mails hold tokens, which could be read in transit\n  try:   APP_URL=https://%s", c.URL, u.Host)
	}
	return fmt.Errorf("APP_URL is not a URL: %q\n  where: the environment or .env\n  try:   APP_URL=https://app.example.com", c.URL)
}

func checkDuration(name string, value, low, high time.Duration) error {
	if value == 0 || value >= low && value <= high {
		return nil
	}
	return fmt.Errorf("%s is %s, outside %s to %s\n  where: the environment or .env\n  try:   %s=%s", name, value, low, high, name, low)
}

// guessable reports whether secret contains a placeholder or is too repetitive to be
// random: 32 random hex digits have fewer than 8 distinct ones about once in 10
// million.
func guessable(secret string) bool {
	lower := strings.ToLower(secret)
	for _, word := range []string{
		"secret", "changeme", "change-me", "change_me", "change this", "changethis", "change-this", "change_this", "replace",
		"password", "example", "placeholder", "insecure", "default", "development", "0123456789", "1234567890", "abcdefghij", "qwerty", "your-", "your_",
	} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	seen := map[byte]bool{}
	for i := range len(lower) {
		seen[lower[i]] = true
	}
	if len(seen) < 8 {
		return true
	}
	for size := 1; size <= len(secret)/2; size++ { // "abcabcabc..."
		if strings.HasPrefix(strings.Repeat(secret[:size], len(secret)/size+1), secret) {
			return true
		}
	}
	return false
}

func randomSecret() string {
	raw := make([]byte, minSecret)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return hex.EncodeToString(raw)
}

// key holds everything derived from one secret. The kid identifies it in token headers
// and in front of sealed values, and reveals nothing about it.
type key struct {
	kid     string
	access  []byte // signs access tokens
	refresh []byte // derives the successor of a refresh token
	seal    []byte // encrypts second-factor secrets at rest
	csrf    []byte // derives the form token of a page session
	carry   []byte // encrypts login state stored in the browser
}

// keys derives one key per secret, the current secret first. Each purpose has a key of
// its own (RFC 5869), so a value made for one purpose is never valid for another.
func (c Config) keys() ([]key, error) {
	secrets := []string{c.Secret}
	if c.Previous != "" {
		secrets = append(secrets, c.Previous)
	}
	var list []key
	for _, secret := range secrets {
		k := key{}
		for purpose, to := range map[string]*[]byte{"access": &k.access, "refresh": &k.refresh, "seal": &k.seal, "csrf": &k.csrf, "carry": &k.carry} {
			derived, err := hkdf.Key(sha256.New, []byte(secret), nil, "nexios auth v1 "+purpose, 32)
			if err != nil {
				return nil, err
			}
			*to = derived
		}
		name, err := hkdf.Key(sha256.New, []byte(secret), nil, "nexios auth v1 kid", 6)
		if err != nil {
			return nil, err
		}
		k.kid = hex.EncodeToString(name)
		list = append(list, k)
	}
	return list, nil
}
