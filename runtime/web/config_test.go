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
		t.Errorf("defaults: %+v", usual)
	}
	for _, good := range []string{
		"APP_ENV=production LOG_FORMAT=text LOG_LEVEL=debug", "ADDR=:80", "ADDR=[::1]:8000", "ADDR=unix:/tmp/a.sock", "RATE_LIMIT=off", "RATE_LIMIT=5/1m30s",
		"CORS_ORIGINS=https://a.example.com,http://localhost:3000", "TRUSTED_PROXIES=10.0.0.0/8,::1", "DEBUG=true", "METRICS_ADDR=127.0.0.1:9100", "METRICS_ADDR=:9100",
		"METRICS_ADDR=127.0.0.1:9100 APP_ENV=production", "METRICS_ADDR=[::1]:9100 APP_ENV=production", "METRICS_ADDR=localhost:9100 APP_ENV=production",
		"METRICS_ADDR=10.1.2.3:9100 APP_ENV=production", "METRICS_ADDR=[fd00::1]:9100 APP_ENV=production", "METRICS_ADDR=:9100 APP_ENV=production METRICS_PUBLIC=true",
		"TLS_AUTOCERT_HOSTS=api.example.com,example.com", "DOCS_PASSWORD=short", "DOCS_PASSWORD=0123456789ab APP_ENV=production",
		"CLIENT_IP_HEADER=Fly-Client-IP TRUSTED_PROXIES=172.16.0.0/12",
	} {
		if _, err := load(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"METRICS_ADDR=:9100 APP_ENV=production", "METRICS_ADDR=0.0.0.0:9100 APP_ENV=production", "METRICS_ADDR=[::]:9100 APP_ENV=production",
		"METRICS_ADDR=198.51.100.7:9100 APP_ENV=production", "METRICS_ADDR=metrics.example.com:9100 APP_ENV=production", "DOCS_PASSWORD=short APP_ENV=production",
		"TLS_AUTOCERT_HOSTS=*.example.com", "TLS_AUTOCERT_HOSTS=localhost", "TLS_AUTOCERT_HOSTS=127.0.0.1", "TLS_AUTOCERT_HOSTS=https://example.com",
		"TLS_AUTOCERT_HOSTS=api.example.com:443", "TLS_AUTOCERT_HOSTS=api.example.com TLS_CERT=a TLS_KEY=b",
		"APP_ENV=staging", "LOG_FORMAT=xml", "LOG_LEVEL=loud", "ADDR=8000", "ADDR=localhost:http", "ADDR=1.2.3.4:99999", "ADDR=unix:", "METRICS_ADDR=x",
		"RATE_LIMIT=100", "RATE_LIMIT=0/60s", "RATE_LIMIT=-1/60s", "RATE_LIMIT=1/1ms", "RATE_LIMIT=x/60s",
		"CORS_ORIGINS=*", "CORS_ORIGINS=example.com", "CORS_ORIGINS=https://a.example.com/", "TRUSTED_PROXIES=proxy", "DEBUG=true APP_ENV=production",
		"TRUSTED_PROXIES=0.0.0.0/0 APP_ENV=production", "TRUSTED_PROXIES=10.0.0.0/8,::/0 APP_ENV=production", "TRUSTED_PROXIES=0.0.0.0/1,128.0.0.0/1 APP_ENV=production", "DEBUG=maybe",
		"CLIENT_IP_HEADER=Fly-Client-IP:", "CLIENT_IP_HEADER=a,b",
	} {
		_, err := load(bad)
		if err == nil {
			t.Errorf("%s: no error", bad)
			continue
		}
		name, _, _ := strings.Cut(bad, "=")
		if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "try") {
			t.Errorf("%s: error %v", bad, err)
		}
	}
	_, err = load("APP_ENV=staging ADDR=8000")
	if err == nil || !strings.Contains(err.Error(), "APP_ENV") || !strings.Contains(err.Error(), "ADDR") {
		t.Errorf("two invalid settings: error %v", err)
	}
}
