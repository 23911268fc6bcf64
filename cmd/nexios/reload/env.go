package reload

import (
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/cmd/nexios/reload/process"

	"github.com/joho/godotenv"
)

// setting is a variable of the program's environment, as the page shows it.
type setting struct {
	Name, Value, From string
}

// settings returns the variables that configure the program in dir: those of .env, and
// those of our environment that are well known or named in .env or .env.example.
// Secrets are masked.
func settings(dir string, environ []string) []setting {
	file, _ := godotenv.Read(filepath.Join(dir, ".env"))            // empty without one
	example, _ := godotenv.Read(filepath.Join(dir, ".env.example")) // likewise
	known := map[string]bool{
		"APP_ENV": true, "APP_SECRET": true, "DATABASE_URL": true, "REDIS_URL": true, "FILES_URL": true, "SMTP_URL": true,
		"MAIL_FROM": true, "CORS_ORIGINS": true, "TRUSTED_PROXIES": true, "RATE_LIMIT": true, "METRICS_ADDR": true,
		"LOG_LEVEL": true, "LOG_FORMAT": true, "DEBUG": true,
	}
	for name := range example {
		known[name] = true
	}
	found := map[string]setting{}
	for name, value := range file {
		found[name] = setting{name, mask(name, value), ".env"}
	}
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); known[name] || file[name] != "" {
			found[name] = setting{name, mask(name, value), "environment"}
		}
	}
	delete(found, "ADDR") // set by the proxy
	return slices.SortedFunc(maps.Values(found), func(a, b setting) int { return strings.Compare(a.Name, b.Name) })
}

const masked = "••••••"

var (
	secretName = regexp.MustCompile(`(?i)SECRET|PASS|PWD|TOKEN|KEY|CREDENTIAL|HEADERS|PRIVATE|SALT|SEED|DSN|COOKIE|SIGNATURE|WEBHOOK|AUTHORIZATION|AUTH$|(^|_)(PAT|PIN)$`)
	// secretPart matches a secret among the parts of a value: "host=db password=x".
	secretPart = regexp.MustCompile(`(?i)(SECRET|PASS|PASSWORD|PWD|TOKEN|KEY)\s*=`)
	// userPart matches the user of an address without a scheme:
	// "me:x@tcp(db:3306)/blog".
	userPart = regexp.MustCompile(`^[^\s@/]*:[^@]*@`)
)

// mask hides values whose name indicates a secret. In other values it hides everything
// that could be one: user and password of an address, or of several, and its query.
func mask(name, value string) string {
	if value == "" {
		return ""
	}
	if secretName.MatchString(name) || strings.Contains(value, "\n") {
		return masked
	}
	scheme, rest, address := strings.Cut(value, "://")
	switch {
	case address:
		if _, err := url.Parse(value); err != nil {
			return masked
		}
		scheme += "://"
	case userPart.MatchString(value):
		scheme, rest = "", value
	default:
		scheme, rest = value, ""
	}
	// A password may contain any character, so the host starts after the last @.
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		rest = masked + rest[at:]
	}
	shown := scheme + rest
	if query := strings.IndexAny(shown, "?#"); query >= 0 && (address || strings.Contains(shown[query:], "=")) {
		shown = shown[:query+1] + masked
	}
	if secretPart.MatchString(shown) {
		return masked
	}
	return shown
}

// readSetting returns a variable as the program would see it: from our environment, or
// from its .env.
func readSetting(dir string, environ []string, name string) string {
	for _, pair := range slices.Backward(environ) {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value
		}
	}
	file, err := godotenv.Read(filepath.Join(dir, ".env"))
	if err != nil && !os.IsNotExist(err) {
		return "" // the program reports the error
	}
	return file[name]
}

// logSettings returns the variables that make the program in dir log everything as
// JSON, for the page at /dev, and the level at which lines are shown. Settings that the
// program would reject are left alone, so that it reports them.
func logSettings(dir string, environ []string) (add []string, least slog.Level) {
	level, format := readSetting(dir, environ, "LOG_LEVEL"), readSetting(dir, environ, "LOG_FORMAT")
	if level != "" && least.UnmarshalText([]byte(level)) != nil || !slices.Contains([]string{"", "text", "json"}, format) ||
		readSetting(dir, environ, "APP_ENV") == "production" {
		return nil, least
	}
	return []string{"LOG_FORMAT=json", "LOG_LEVEL=" + process.LevelAll.String()}, least
}
