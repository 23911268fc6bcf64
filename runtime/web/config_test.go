package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/runtime/config"
	"github.com/nexios-go/nexios/runtime/web"
)

func TestConfig(t *testing.T) {
	load := func(settings string) (web.Config, error) {
		env := make(map[string]string)
		for line := range strings.FieldsSeq(settings) {
			name, value, _ := strings.Cut(line, "=")
			env[name] = value
		}
		return config.Load[web.Config](func(name string) string { return env[name] })
	}
	usual, err := load("")
	if err != nil {
		t.Fatal(err)
	}
	if usual.Env != web.Development || usual.Addr != "127.0.0.1:8000" || usual.RateLimit != (web.Rate{Limit: 100, Window: time.Minute}) || usual.Debug {
		t.Errorf("the defaults are %+v", usual)
	}
	for _, good := range []string{
		"APP_ENV=production LOG_FORMAT=text LOG_LEVEL=debug", "ADDR=:80", "ADDR=[::1]:8000", "ADDR=unix:/tmp/a.sock", "RATE_LIMIT=off", "RATE_LIMIT=5/1m30s",
		"CORS_ORIGINS=https://a.example.com,http://localhost:3000", "TRUSTED_PROXIES=10.0.0.0/8,::1", "DEBUG=true", "METRICS_ADDR=127.0.0.1:9100",
	} {
		if _, err := load(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"APP_ENV=staging", "LOG_FORMAT=xml", "LOG_LEVEL=loud", "ADDR=8000", "ADDR=localhost:http", "ADDR=1.2.3.4:99999", "ADDR=unix:", "METRICS_ADDR=x",
		"RATE_LIMIT=100", "RATE_LIMIT=0/60s", "RATE_LIMIT=-1/60s", "RATE_LIMIT=1/1ms", "RATE_LIMIT=x/60s",
		"CORS_ORIGINS=*", "CORS_ORIGINS=example.com", "CORS_ORIGINS=https://a.example.com/", "TRUSTED_PROXIES=proxy", "DEBUG=true APP_ENV=production",
		"TRUSTED_PROXIES=0.0.0.0/0 APP_ENV=production", "TRUSTED_PROXIES=10.0.0.0/8,::/0 APP_ENV=production", "TRUSTED_PROXIES=0.0.0.0/1,128.0.0.0/1 APP_ENV=production", "DEBUG=maybe",
	} {
		_, err := load(bad)
		if err == nil {
			t.Errorf("%s is taken", bad)
			continue
		}
		name, _, _ := strings.Cut(bad, "=")
		if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "try") {
			t.Errorf("%s says %v", bad, err)
		}
	}
	_, err = load("APP_ENV=staging ADDR=8000")
	if err == nil || !strings.Contains(err.Error(), "APP_ENV") || !strings.Contains(err.Error(), "ADDR") {
		t.Errorf("two mistakes say %v", err)
	}
}
