package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/runtime/config"
)

type settings struct {
	Server
	Mail        mail   `envPrefix:"MAIL_"`
	DatabaseURL string `env:"DATABASE_URL,required" doc:"where the data is"`
	Workers     int    `env:"WORKERS" envDefault:"4" doc:"how many"`
}

// Server is embedded, so that its Validate is promoted to the outer struct.
type Server struct {
	Addr    string        `env:"ADDR" envDefault:"127.0.0.1:8000" doc:"where to listen"`
	Debug   bool          `env:"DEBUG" doc:"say more"`
	Timeout time.Duration `env:"TIMEOUT" envDefault:"30s"`
	Origins []string      `env:"CORS_ORIGINS"`
	Level   level         `env:"LEVEL" envDefault:"low"`
	Log     slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	Secret  uint          `env:"APP_SECRET"`
}

func (s Server) Validate() error {
	if s.Addr == "bad" {
		return errors.Join(errors.New("ADDR is bad\n  where: here\n  try:   good"), errors.New("and worse"))
	}
	return nil
}

type mail struct {
	From    string        `env:"FROM" envDefault:"me@x"`
	Timeout time.Duration `env:"TIMEOUT" envDefault:"5s"`
}

func (m *mail) Validate() error {
	var problems []error
	if m.From == "nobody" {
		problems = append(problems, errors.New("MAIL_FROM is nobody"))
	}
	if m.Timeout == 0 {
		problems = append(problems, errors.New("MAIL_TIMEOUT must be more than 0\n  try:   MAIL_TIMEOUT=5s"))
	}
	return errors.Join(problems...)
}

func (s settings) Validate() error {
	if s.Workers == 0 {
		return errors.New("WORKERS must be more than 0")
	}
	return nil
}

type level int

func (l *level) UnmarshalText(text []byte) error {
	for i, name := range []string{"low", "high"} {
		if name == string(text) {
			*l = level(i)
			return nil
		}
	}
	return fmt.Errorf("unknown level %q; known are low and high", text)
}

func load(t *testing.T, file string, environment ...string) (settings, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), ".env")
	if file != "" {
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	getenv := func(key string) string {
		for _, e := range environment {
			if value, ok := strings.CutPrefix(e, key+"="); ok {
				return value
			}
		}
		return ""
	}
	c, err := config.Load[settings](getenv, name)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), name, ".env"))
	}
	return c, err
}

func TestLoad(t *testing.T) {
	c, err := load(t, "# a comment\nADDR=from-file\nexport WORKERS='8'\nMAIL_TIMEOUT=1m\nDEBUG=\n",
		"DATABASE_URL=sqlite:x", "ADDR=from-env", "CORS_ORIGINS=a,b", "LEVEL=high", "LOG_LEVEL=warn", "HOME=/root", "WORKERS=")
	if err != nil {
		t.Fatal(err)
	}
	want := settings{DatabaseURL: "sqlite:x", Workers: 8, Mail: mail{"me@x", time.Minute}}
	want.Server = Server{Addr: "from-env", Timeout: 30 * time.Second, Origins: []string{"a", "b"}, Level: 1, Log: slog.LevelWarn}
	if fmt.Sprint(c) != fmt.Sprint(want) {
		t.Errorf("loaded %+v\nwant   %+v", c, want)
	}
	for env, workers := range map[string]int{"development": 8, "production": 4, "test": 4} {
		if c, err = load(t, "WORKERS=8\n", "DATABASE_URL=x", "APP_ENV="+env); err != nil || c.Workers != workers {
			t.Errorf("in %s: %d workers, %v", env, c.Workers, err)
		}
	}
	if c, err = load(t, "\ufeffWORKERS=8\r\nADDR=x\r\n", "DATABASE_URL=x"); err != nil || c.Workers != 8 || c.Addr != "x" {
		t.Errorf("a file written on Windows: %+v, %v", c, err)
	}
	if c, err = load(t, "", "DATABASE_URL=x"); err != nil || c.Workers != 4 || c.Addr != "127.0.0.1:8000" {
		t.Errorf("without a file: %+v, %v", c, err)
	}
}

// All errors are returned at once, each in three parts.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		file        string
		environment []string
		want        string
	}{
		"missing": {"", nil, "DATABASE_URL is missing: where the data is\n  where: the environment, or .env\n  try:   DATABASE_URL=value"},
		"several malformed": {"DEBUG=maybe\nTIMEOUT=5\n", []string{"DATABASE_URL=x", "WORKERS=many", "MAIL_TIMEOUT=long", "LEVEL=middle", "LOG_LEVEL=loud"},
			"DEBUG is not true or false: \"maybe\"\n  where: .env\n  try:   DEBUG=false\n" +
				"TIMEOUT is not a duration such as 30s or 1h30m: \"5\"\n  where: .env\n  try:   TIMEOUT=30s\n" +
				"LEVEL: unknown level \"middle\"; known are low and high\n  where: the environment\n  try:   LEVEL=low\n" +
				"LOG_LEVEL is not debug, info, warn or error: \"loud\"\n  where: the environment\n  try:   LOG_LEVEL=info\n" +
				"MAIL_TIMEOUT is not a duration such as 30s or 1h30m: \"long\"\n  where: the environment\n  try:   MAIL_TIMEOUT=5s\n" +
				"WORKERS is not a whole number: \"many\"\n  where: the environment\n  try:   WORKERS=4"},
		"secret": {"", []string{"DATABASE_URL=x", "APP_SECRET=hunter2"},
			"APP_SECRET is not a whole number, 0 or more\n  where: the environment\n  try:   APP_SECRET=10"},
		"unknown": {"DATABASE_ULR=x\nWORKER=3\naddr=y\nCOMPLETELY_DIFFERENT=1\n", []string{"DATABASE_URL=x"},
			"unknown setting COMPLETELY_DIFFERENT\n  where: .env\n  try:   remove the line; --help lists every setting\n" +
				"unknown setting DATABASE_ULR\n  where: .env\n  try:   DATABASE_URL, or remove the line\n" +
				"unknown setting WORKER\n  where: .env\n  try:   WORKERS, or remove the line\n" +
				"unknown setting addr\n  where: .env\n  try:   ADDR, or remove the line"},
		"not lines": {"ADDR=x\nthe password is hunter2\n", []string{"DATABASE_URL=x"},
			"settings must be lines of NAME=value\n  where: .env line 2\n  try:   NAME=value, with quotes around a value that has spaces or #"},
		"validated once, inner first": {"", []string{"DATABASE_URL=x", "ADDR=bad", "MAIL_FROM=nobody"},
			"ADDR is bad\n  where: here\n  try:   good\nand worse\nMAIL_FROM is nobody"},
		"several kinds": {"WORKER=3", []string{"DEBUG=x", "ADDR=bad", "MAIL_FROM=nobody"},
			"unknown setting WORKER\n  where: .env\n  try:   WORKERS, or remove the line\n" +
				"DATABASE_URL is missing: where the data is\n  where: the environment, or .env\n  try:   DATABASE_URL=value\n" +
				"DEBUG is not true or false: \"x\"\n  where: the environment\n  try:   DEBUG=false\n" +
				"ADDR is bad\n  where: here\n  try:   good\nand worse\nMAIL_FROM is nobody"},
		"malformed values are not validated": {"", []string{"DATABASE_URL=x", "MAIL_TIMEOUT=long", "MAIL_FROM=nobody", "WORKERS=0"},
			"MAIL_TIMEOUT is not a duration such as 30s or 1h30m: \"long\"\n  where: the environment\n  try:   MAIL_TIMEOUT=5s\n" +
				"MAIL_FROM is nobody\nWORKERS must be more than 0"},
	} {
		got, err := load(t, c.file, c.environment...)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n%v\nwant\n%s", name, err, c.want)
		}
		if fmt.Sprint(got) != fmt.Sprint(settings{}) {
			t.Errorf("%s: settings came with the error: %+v", name, got)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	_, err := config.Load[settings](func(string) string { return "" }, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "cannot read settings") || !strings.Contains(err.Error(), "try:") {
		t.Errorf("a directory for a file: %v", err)
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	config.Help[struct {
		Addr   string `env:"ADDR" envDefault:"127.0.0.1:8000" doc:"where to listen: host:port, or unix:/path.sock for a socket of the file system"`
		Secret string `env:"APP_SECRET" doc:"at least 32 bytes"`
		Again  struct {
			Addr string `env:"ADDR"`
			From string `env:"MAIL_FROM" envDefault:"me@x"`
		}
	}](&out)
	want := `
  ADDR        where to listen: host:port, or unix:/path.sock for a socket of the
              file system [127.0.0.1:8000]
  APP_SECRET  at least 32 bytes
  MAIL_FROM   [me@x]
`
	if out.String() != want[1:] {
		t.Error(out.String())
	}
}

// Dollar signs in a file are literal.
func TestFilesAreReadAsWritten(t *testing.T) {
	type settings struct {
		A string `env:"A"`
		B string `env:"B"`
		C string `env:"C"`
		D string `env:"D"`
		E string `env:"E"`
	}
	file := filepath.Join(t.TempDir(), ".env")
	text := "A=pa$$w0rd$HOME\nB=\"${A}$(id)\"\nC='$A'\nD=$\nE=\"a\\$b\" # a comment\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load[settings](func(string) string { return "" }, file)
	if want := (settings{"pa$$w0rd$HOME", "${A}$(id)", "$A", "$", "a$b"}); err != nil || got != want {
		t.Errorf("%+v, %v; not %+v", got, err, want)
	}
}
