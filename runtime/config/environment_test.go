package config_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/config"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/files"
	mails "github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

// environment has every setting that a program can have.
type environment struct {
	web.Config
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite:data/blog.db"`
	Mail        mails.Config
	Auth        auth.Config
	Files       files.Config
	Chat        ws.Config
}

func (e environment) Validate() error { return db.Check(e.DatabaseURL) }

// mistakes lists invalid values, with the parts that the error must have besides the
// setting's name: the value, unless it may hold a secret, and the alternatives.
var mistakes = []struct{ setting, value, says string }{
	{"APP_ENV", "prod", `"prod" development test production`},
	{"ADDR", "nowhere", `"nowhere" host:port unix:/path.sock`},
	{"ADDR", "127.0.0.1:99999", `"127.0.0.1:99999" host:port`},
	{"ADDR", "a_b c:80", `"a_b c:80" host:port`},
	{"METRICS_ADDR", "9100", `"9100" host:port`},
	{"METRICS_ADDR", "unix:/run/metrics.sock", `"unix:/run/metrics.sock" host:port`},
	{"LOG_LEVEL", "loud", `"loud" debug info warn error`},
	{"LOG_FORMAT", "xml", `"xml" text json`},
	{"DEBUG", "maybe", `"maybe" true false`},
	{"RATE_LIMIT", "many", `"many" 100/60s off`},
	{"RATE_LIMIT", "0/60s", `"0/60s" 100/60s off`},
	{"CORS_ORIGINS", "*", `"*" scheme://host`},
	{"CORS_ORIGINS", "example.com", `"example.com" scheme://host`},
	{"CORS_ORIGINS", "https://a.example/", `"https://a.example/" scheme://host`},
	{"CORS_ORIGINS", "https://A.example", `"https://A.example" lower case`},
	{"CORS_ORIGINS", "https://a.example:443", `"https://a.example:443" default port`},
	{"CORS_ORIGINS", "https://a.example:", `"https://a.example:" default port`},
	{"CORS_ORIGINS", "https://*.a.example", `"https://*.a.example" scheme://host`},
	{"TRUSTED_PROXIES", "10.0.0.0/8,proxy", `"proxy" addresses networks`},
	{"TRUSTED_PROXIES", "10.0.0.0/99", `"10.0.0.0/99" addresses networks`},
	{"DATABASE_URL", "oracle://me:hunter2@x", `"oracle" sqlite: postgres:// mysql://`},
	{"DATABASE_URL", "postgres://me:hunter2@%zz", `sqlite: postgres:// mysql://`},
	{"DATABASE_URL", "mysql://me:hunter2@host", `sqlite: postgres:// mysql://`},
	{"DATABASE_URL", "mysql://me:hunter2@host/name?tls=perhaps", `sqlite: postgres:// mysql://`},
	{"DATABASE_URL", "data/blog.db", `sqlite: postgres:// mysql://`},
	{"SMTP_URL", "gopher://me:hunter2@x", `"gopher" smtp:// smtps:// file:DIR`},
	{"SMTP_URL", "file:", `"file:" SMTP_URL=file:tmp/mail`},
	{"MAIL_FROM", "nobody", `"nobody" <blog@example.com>`},
	{"FILES_URL", "ftp://me:hunter2@x", `ftp:// file:DIR s3://`},
	{"FILES_URL", "s3://me:hunter2@", `no host file:DIR s3://`},
	{"FILES_MAX", "huge", `"huge" 10MiB 500KB`},
	{"FILES_TYPES", "image,everything", `"everything" pdf text/csv`},
	{"REDIS_URL", "http://me:hunter2@x", `redis:// rediss:// unix://`},
	{"WS_HISTORY", "51", `51 50`},
	{"WS_HISTORY", "some", `"some" whole number`},
	{"AUTH_REFRESH", "header", `"header" cookie body`},
	{"AUTH_ACCESS_TTL", "soon", `"soon" 30s`},
	{"AUTH_ACCESS_TTL", "1s", `1s 1m0s 24h0m0s`},
	{"APP_URL", "here", `"here" https://app.example.com`},
}

// words are terms of the parsers, meaningless to the person who sets a setting.
var words = regexp.MustCompile(`(?i)strconv|parsing|parse|invalid|slog:|time:|env:|syntax|unmarshal|lookup|first path segment`)

var example = regexp.MustCompile(`(?m)^  try:   ([A-Z_]+)=("[^"]+"|[^ ,]+)`)

// TestEveryMistake checks each error, and that its example is valid.
func TestEveryMistake(t *testing.T) {
	for _, m := range mistakes {
		text := loadError(t, map[string]string{m.setting: m.value})
		if strings.Count(text, "try:") != 1 || !strings.Contains(text, m.setting) {
			t.Errorf("%s=%s: want one error with the setting's name:\n%s", m.setting, m.value, text)
		}
		for says := range strings.FieldsSeq(m.says) {
			if !strings.Contains(text, says) {
				t.Errorf("%s=%s: %s is missing:\n%s", m.setting, m.value, says, text)
			}
		}
		if strings.Contains(text, "hunter2") || words.MatchString(text) {
			t.Errorf("%s=%s: error has a secret or a parser's term:\n%s", m.setting, m.value, text)
		}
		try := example.FindStringSubmatch(text)
		if try == nil || try[1] != m.setting {
			t.Errorf("%s=%s: no example:\n%s", m.setting, m.value, text)
			continue
		}
		if _, err := readAll(map[string]string{try[1]: strings.Trim(try[2], `"`)}); err != nil {
			t.Errorf("%s=%s: the example %s is invalid:\n%v", m.setting, m.value, try[0], err)
		}
	}
}

// TestAllMistakesAtOnce uses the first mistake of every setting.
func TestAllMistakesAtOnce(t *testing.T) {
	all := map[string]string{}
	for _, m := range mistakes {
		if all[m.setting] == "" {
			all[m.setting] = m.value
		}
	}
	text := loadError(t, all)
	for name := range all {
		if !strings.Contains(text, name) {
			t.Errorf("%s is missing", name)
		}
	}
	if n := strings.Count(text, "try:"); n != len(all) {
		t.Errorf("%d errors for %d settings:\n%s", n, len(all), text)
	}
}

func loadError(t *testing.T, set map[string]string) string {
	t.Helper()
	_, err := readAll(set)
	if err == nil {
		t.Fatalf("%v: no error", set)
	}
	return err.Error()
}

func readAll(set map[string]string) (environment, error) {
	return config.Load[environment](func(name string) string { return set[name] })
}
