package auth

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/runtime/config"
)

func TestProductionRequiresSecret(t *testing.T) {
	good := randomSecret()
	for name, c := range map[string]struct{ secret, previous, wrong string }{
		"missing":        {"", "", "APP_SECRET is missing"},
		"short":          {"k3J9xQ2mW7", "", "APP_SECRET has 10 bytes"},
		"31 bytes":       {good[:31], "", "APP_SECRET has 31 bytes"},
		"placeholder":    {"change-me-change-me-change-me-please", "", "known"},
		"known":          {"my-super-secret-key-for-production!!", "", "known"},
		"one letter":     {strings.Repeat("a", 64), "", "known"},
		"repeated":       {strings.Repeat("k3J9xQ2mW7", 4), "", "known"},
		"digits":         {"31415926535897932384626433832795", "", ""},
		"weak previous":  {good, "short", "APP_SECRET_PREVIOUS has 5 bytes"},
		"fresh":          {good, "", ""},
		"fresh and past": {good, randomSecret(), ""},
	} {
		cfg := testConfig()
		cfg.Env, cfg.Secret, cfg.Previous = "production", c.secret, c.previous
		err := cfg.Validate()
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "try: ")):
			t.Errorf("%s: %v, want %q and a suggestion", name, err, c.wrong)
		case err != nil && c.secret != "" && strings.Contains(err.Error(), c.secret):
			t.Errorf("%s: the error contains the secret", name)
		}
		if cfg.Env = "development"; cfg.Validate() != nil {
			t.Errorf("%s: rejected in development", name)
		}
	}
}

func TestInvalidSettings(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"url":      func(c *Config) { c.URL = "app.example.com" },
		"mode":     func(c *Config) { c.Refresh = "header" },
		"access":   func(c *Config) { c.AccessTTL = time.Second },
		"refresh":  func(c *Config) { c.RefreshTTL = -1 },
		"sessions": func(c *Config) { c.SessionTTL = -time.Hour },
		"pages":    func(c *Config) { c.PageTTL = time.Nanosecond },
		"fresh":    func(c *Config) { c.FreshFor = 48 * time.Hour },
		"lockout":  func(c *Config) { c.Lockout = time.Millisecond },
	} {
		cfg := testConfig()
		if change(&cfg); cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestKeysDifferByPurposeAndSecret(t *testing.T) {
	cfg := testConfig()
	cfg.Previous = "another-secret-for-this-one-test-31af"
	keys, err := cfg.keys()
	if err != nil || len(keys) != 2 {
		t.Fatal(len(keys), err)
	}
	seen := map[string]bool{}
	for _, k := range keys {
		for _, part := range []string{k.kid, string(k.access), string(k.refresh), string(k.seal), string(k.csrf)} {
			if seen[part] || strings.Contains(cfg.Secret+cfg.Previous, part) {
				t.Error("two keys are equal")
			}
			seen[part] = true
		}
	}
}

func TestZeroConfigHasDefaults(t *testing.T) {
	c, err := config.Load[Config](func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	zero := Config{Env: c.Env}.withDefaults()
	if !reflect.DeepEqual(c, zero) {
		t.Errorf("from the environment %+v\nfrom defaults    %+v", c, zero)
	}
}

// Links in e-mails contain tokens.
func TestProductionRequiresHTTPSLinks(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://app.example.com": true, "http://localhost:8000": true, "http://127.0.0.1": true, "http://[::1]:8000": true, "": true,
		"http://app.example.com": false, "http://10.0.0.1": false, "http://localhost.example.com": false,
	} {
		cfg := testConfig()
		cfg.Env, cfg.URL = "production", text
		if err := cfg.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if cfg.Env = "development"; cfg.Validate() != nil {
			t.Errorf("%q is rejected in development", text)
		}
	}
}
