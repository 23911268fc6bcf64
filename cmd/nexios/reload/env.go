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

// setting is one value of the program's environment, as the page shows it.
type setting struct {
	Name, Value, From string
}

// settings are the values that rule the program in dir: those of its .env
// files, and those of our environment whose names its examples mention.
// Secrets are masked.
func settings(dir string, environ []string) []setting {
	file, _ := godotenv.Read(filepath.Join(dir, ".env"))            // without one, it is empty
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
	delete(found, "ADDR") // the proxy's business
	return slices.SortedFunc(maps.Values(found), func(a, b setting) int { return strings.Compare(a.Name, b.Name) })
}

const masked = "••••••"

var (
	secretName = regexp.MustCompile(`(?i)SECRET|PASS|PWD|TOKEN|KEY|CREDENTIAL|HEADERS|PRIVATE|SALT|SEED|DSN|COOKIE|SIGNATURE|WEBHOOK|AUTHORIZATION|AUTH$|(^|_)(PAT|PIN)$`)
	// secretPart is a secret among the words of a value: "host=db password=x".
	secretPart = regexp.MustCompile(`(?i)(SECRET|PASS|PASSWORD|PWD|TOKEN|KEY)\s*=`)
	// userPart is the user of an address without a scheme: "me:x@tcp(db:3306)/blog".
	userPart = regexp.MustCompile(`^[^\s@/]*:[^@]*@`)
)

// mask hides a value whose name says that it is secret, and of another value
// whatever could be: the user and password of an address, or of each of several,
// and its query.
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
	// A password may hold any character, so the host begins behind the last @.
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

// readSetting is a value as the program would see it: from our environment,
// else from its .env.
func readSetting(dir string, environ []string, name string) string {
	for _, pair := range slices.Backward(environ) {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value
		}
	}
	file, err := godotenv.Read(filepath.Join(dir, ".env"))
	if err != nil && !os.IsNotExist(err) {
		return "" // the program will say what is wrong with it
	}
	return file[name]
}

// logSettings is what makes the program in dir write records of everything, for
// the page at /dev, and the level from which on a person wants to see them. A
// setting that the program would refuse stays as it is, for it to say so.
func logSettings(dir string, environ []string) (add []string, least slog.Level) {
	level, format := readSetting(dir, environ, "LOG_LEVEL"), readSetting(dir, environ, "LOG_FORMAT")
	if level != "" && least.UnmarshalText([]byte(level)) != nil || !slices.Contains([]string{"", "text", "json"}, format) ||
		readSetting(dir, environ, "APP_ENV") == "production" {
		return nil, least
	}
	return []string{"LOG_FORMAT=json", "LOG_LEVEL=" + process.Everything.String()}, least
}
