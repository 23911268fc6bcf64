package files

import (
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"1": 1, "17b": 17, "10MiB": 10 << 20, "10mib": 10 << 20, " 2 GiB ": 2 << 30, "500KB": 500_000, "1KiB": 1024, "9223372036854775807": 1<<63 - 1,
	} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
		var again Size
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("String of %q is %s", text, got)
		}
	}
	for _, text := range []string{"", "0", "0KiB", "MiB", "-1", "1.5MiB", "10 apples", "9223372036854775808", "9007199254740992KiB", "1e3"} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		types, allowed, refused string
	}{
		{"", "image/png application/x-elf", ""},
		{"image", "image/png image/svg+xml", "text/plain application/pdf"},
		{"image,pdf", "image/png application/pdf", "text/html"},
		{"image/*", "image/png", "imagex/png"},
		{"text/csv", "text/csv", "text/csvx text/plain"},
	} {
		cfg := Config{}
		if c.types != "" {
			cfg.Types = strings.Split(c.types, ",")
		}
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		for _, mediaType := range strings.Fields(c.allowed) {
			if !cfg.allows(mediaType) {
				t.Errorf("%q rejects %s", c.types, mediaType)
			}
		}
		for _, mediaType := range strings.Fields(c.refused) {
			if cfg.allows(mediaType) {
				t.Errorf("%q allows %s", c.types, mediaType)
			}
		}
	}
	if err := (Config{Types: []string{"picture"}}).Validate(); err == nil || !strings.Contains(err.Error(), `"picture"`) || !strings.Contains(err.Error(), "try:") {
		t.Errorf("an unknown type: %v", err)
	}
}
