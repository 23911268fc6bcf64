package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config holds the settings of the server, each read from an environment variable.
// The zero value is fit for tests: no rate limit, no CORS.
type Config struct {
	Env            string        `env:"APP_ENV" envDefault:"development" doc:"development, test or production"`
	Addr           string        `env:"ADDR" envDefault:"127.0.0.1:8000" doc:"where to listen: host:port, or unix:/path.sock"`
	TLSCert        string        `env:"TLS_CERT" doc:"file of a certificate chain in PEM, to serve HTTPS; read again when it is renewed"`
	TLSKey         string        `env:"TLS_KEY" doc:"file of the certificate's private key in PEM"`
	AutocertHosts  []string      `env:"TLS_AUTOCERT_HOSTS" doc:"host names to serve over HTTPS, comma-separated, with certificates from Let's Encrypt, which must reach ADDR on port 443; setting it accepts its terms"`
	AutocertDir    string        `env:"TLS_AUTOCERT_DIR" envDefault:"data/tls" doc:"folder for these certificates and their keys"`
	AutocertURL    string        `env:"TLS_AUTOCERT_URL" envDefault:"https://acme-v02.api.letsencrypt.org/directory" doc:"ACME directory URL of the certificate authority"`
	CORSOrigins    []string      `env:"CORS_ORIGINS" doc:"origins allowed to call the API, comma-separated: https://app.example.com"`
	TrustedProxies []string      `env:"TRUSTED_PROXIES" doc:"proxies whose X-Forwarded-* headers are trusted, comma-separated addresses or networks"`
	ClientIPHeader string        `env:"CLIENT_IP_HEADER" envDefault:"X-Forwarded-For" doc:"header in which trusted proxies name the client: Fly-Client-IP, CF-Connecting-IP, ..."`
	RateLimit      Rate          `env:"RATE_LIMIT" envDefault:"100/60s" doc:"API requests, other writes and WebSocket handshakes per client, or off; other reads may be ten times as many"`
	MetricsAddr    string        `env:"METRICS_ADDR" doc:"separate address for /metrics and /debug/pprof; off when empty"`
	MetricsPublic  bool          `env:"METRICS_PUBLIC" doc:"allow METRICS_ADDR in production on an address that is neither this machine's nor private"`
	DocsPassword   string        `env:"DOCS_PASSWORD" doc:"password for /docs and /openapi.json, by HTTP Basic with any name; open when empty"`
	LogLevel       slog.Level    `env:"LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error; debug-4 also logs every SQL statement"`
	LogFormat      string        `env:"LOG_FORMAT" doc:"text or json; by default text in development and json elsewhere"`
	ShutdownDelay  time.Duration `env:"SHUTDOWN_DELAY" envDefault:"0s" doc:"keep serving for this long after SIGTERM, with /readyz at 503; up to 5s"`
	Debug          bool          `env:"DEBUG" doc:"include the cause in 500 responses; not allowed in production"`
}

// maxShutdownDelay leaves enough of the ten-second shutdown for requests.
const maxShutdownDelay = 5 * time.Second

// The values of APP_ENV.
const (
	Development = "development"
	Test        = "test"
	Production  = "production"
)

// Production reports whether APP_ENV is production.
func (c Config) Production() bool { return c.Env == Production }

// Validate returns every problem with the settings, joined.
func (c Config) Validate() error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !slices.Contains([]string{Development, Test, Production}, c.Env) {
		wrong("unknown APP_ENV %q\n  known: development test production\n  try:   APP_ENV=development", c.Env)
	}
	if !slices.Contains([]string{"", "text", "json"}, c.LogFormat) {
		wrong("unknown LOG_FORMAT %q\n  known: text json\n  try:   LOG_FORMAT=json", c.LogFormat)
	}
	if _, _, err := network(c.Addr); c.Addr != "" && err != nil {
		wrong("ADDR is not an address: %q\n  expected: host:port or unix:/path.sock\n  try:   ADDR=127.0.0.1:8000", c.Addr)
	}
	if kind, _, err := network(c.MetricsAddr); c.MetricsAddr != "" && (err != nil || kind != "tcp") {
		wrong("METRICS_ADDR is not an address: %q\n  expected: host:port\n  try:   METRICS_ADDR=127.0.0.1:9100", c.MetricsAddr)
	}
	if c.Production() && c.MetricsAddr != "" && !c.MetricsPublic && !isPrivate(c.MetricsAddr) {
		wrong("METRICS_ADDR is public: %q\n  where: profiles reveal what is in memory and are expensive to serve\n  try:   METRICS_ADDR=127.0.0.1:9100, or METRICS_PUBLIC=true behind a firewall", c.MetricsAddr)
	}
	if n := len(c.DocsPassword); n > 0 && n < minDocsPassword && c.Production() {
		wrong("DOCS_PASSWORD has %d characters\n  expected: at least %d\n  try:   DOCS_PASSWORD=$(openssl rand -hex 16)", n, minDocsPassword)
	}
	for _, text := range c.CORSOrigins {
		if !origin(text) {
			wrong("CORS_ORIGINS holds %q, which is not an origin\n  expected: scheme://host or scheme://host:port in lower case, without the default port; * is not allowed\n  try:   CORS_ORIGINS=https://app.example.com", text)
		}
	}
	proxies, err := prefixes(c.TrustedProxies)
	if err != nil {
		wrong("TRUSTED_PROXIES: %w\n  expected: addresses and networks\n  try:   TRUSTED_PROXIES=10.0.0.0/8", err)
	}
	for _, p := range proxies {
		if c.Production() && p.Bits() < 8 { // two /1 networks cover every address
			wrong("TRUSTED_PROXIES holds %s, so any client can claim any address\n  where: rate limits, lockouts and the log rely on it\n  try:   TRUSTED_PROXIES=10.0.0.0/8", p)
		}
	}
	if c.ClientIPHeader != "" && !headerName.MatchString(c.ClientIPHeader) {
		wrong("CLIENT_IP_HEADER is not the name of a header: %q\n  expected: one that the proxy overwrites or appends to\n  try:   CLIENT_IP_HEADER=X-Forwarded-For", c.ClientIPHeader)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		wrong("TLS_CERT and TLS_KEY go together, and one is missing\n  try:   TLS_CERT=/etc/ssl/app.crt TLS_KEY=/etc/ssl/app.key")
	}
	if c.TLSCert != "" && len(c.AutocertHosts) > 0 {
		wrong("TLS_CERT and TLS_AUTOCERT_HOSTS exclude each other\n  where: both set the certificate\n  try:   TLS_AUTOCERT_HOSTS alone")
	}
	for _, host := range c.AutocertHosts {
		if !isDomain(host) {
			wrong("TLS_AUTOCERT_HOSTS holds %q, which is not a public name\n  expected: names without scheme, port or *\n  try:   TLS_AUTOCERT_HOSTS=api.example.com", host)
		}
	}
	if c.ShutdownDelay < 0 || c.ShutdownDelay > maxShutdownDelay {
		wrong("SHUTDOWN_DELAY is %s\n  expected: 0s to %s\n  try:   SHUTDOWN_DELAY=3s", c.ShutdownDelay, maxShutdownDelay)
	}
	if c.Debug && c.Production() {
		wrong("DEBUG is on in production\n  where: responses would reveal internals\n  try:   DEBUG=false, or APP_ENV=development")
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}

const minDocsPassword = 12

// isPrivate reports whether address, a host:port, is reachable only from this machine or
// a private network.
func isPrivate(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return true // an invalid address is reported by the caller
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast())
}

// Rate is a number of requests per window of time. The zero value sets no limit.
type Rate struct {
	Limit  int
	Window time.Duration
}

// UnmarshalText parses "100/60s" or "off".
func (r *Rate) UnmarshalText(text []byte) error {
	if *r = (Rate{}); string(text) == "off" {
		return nil
	}
	count, window, _ := strings.Cut(string(text), "/")
	limit, err := strconv.Atoi(count)
	length, err2 := time.ParseDuration(window)
	if err != nil || err2 != nil || limit < 1 || length < time.Second {
		return fmt.Errorf("%q is not a rate; try 100/60s, or off", text)
	}
	*r = Rate{limit, length}
	return nil
}

// MarshalText returns the form that UnmarshalText parses.
func (r Rate) MarshalText() ([]byte, error) {
	if r.Limit == 0 {
		return []byte("off"), nil
	}
	return fmt.Appendf(nil, "%d/%gs", r.Limit, r.Window.Seconds()), nil
}

// network splits an address into the arguments of net.Listen.
func network(addr string) (kind, address string, err error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if path == "" {
			return "", "", errors.New("the socket has no path")
		}
		return "unix", path, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if _, err2 := strconv.ParseUint(port, 10, 16); err != nil || err2 != nil || host != "" && !isHost(host) {
		return "", "", fmt.Errorf("%q is not host:port", addr)
	}
	return "tcp", addr, nil
}

// isHost reports whether text is an IP address or a valid host name.
func isHost(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil || hostName.MatchString(text)
}

// hostName matches the names that RFC 1123 allows, and the underscores seen in
// practice.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// origin reports whether text is a valid Origin header of a browser (RFC 6454).
func origin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || !isHost(u.Hostname()) || u.Scheme+"://"+u.Host != text || strings.ToLower(text) != text || strings.HasSuffix(text, ":") {
		return false
	}
	return u.Port() == "" || u.Port() != map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

func prefixes(list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range list {
		if addr, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not an address or a network", text)
		}
		all = append(all, p)
	}
	return all, nil
}
