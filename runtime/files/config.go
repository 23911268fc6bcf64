package files

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Config holds the settings of uploads. The zero value of a field means its default.
type Config struct {
	URL    string   `env:"FILES_URL" envDefault:"file:data/files" doc:"where to store uploads: file:DIR or s3://KEY:SECRET@HOST:PORT/BUCKET?region=R&tls=off"`
	Max    Size     `env:"FILES_MAX" envDefault:"10MiB" doc:"maximum size of an uploaded file"`
	Types  []string `env:"FILES_TYPES" doc:"allowed upload types, by content: image, pdf, text/csv, ...; all if empty"`
	Secret string   `env:"APP_SECRET"` // signs links; documented with the sessions
}

// Validate reports all invalid settings. It does not access the store.
func (c Config) Validate() error {
	var problems []error
	if c.URL != "" {
		_, err := OpenStore(c.URL)
		problems = append(problems, err)
	}
	for _, t := range c.Types {
		if _, ok := typeNames[t]; !ok && !strings.Contains(t, "/") {
			problems = append(problems, fmt.Errorf("FILES_TYPES: unknown type %q\n  types: %s or a media type such as text/csv\n  try:   FILES_TYPES=image,pdf", t, strings.Join(slices.Sorted(maps.Keys(typeNames)), " ")))
		}
	}
	return errors.Join(problems...)
}

// Size is a number of bytes. As text it may have a unit: B, KB, MB, GB (powers of
// 1,000) or KiB, MiB, GiB (powers of 1,024), case-insensitive.
type Size int64

var units = []struct {
	name  string
	bytes int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"b", 1},
}

// UnmarshalText parses a size.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.ToLower(strings.TrimSpace(string(text))), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a valid size, e.g. 10MiB or 500KB", text)
	}
	*s = Size(n * unit)
	return nil
}

// String returns the size as UnmarshalText parses it, in the largest unit without a
// fraction.
func (s Size) String() string {
	for _, u := range []int{2, 1, 0} {
		if n := int64(s); n != 0 && n%units[u].bytes == 0 {
			return fmt.Sprintf("%d%s", n/units[u].bytes, []string{"KiB", "MiB", "GiB"}[u])
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

// typeNames are the short names of media types in FILES_TYPES. A value with a trailing
// slash matches all subtypes.
var typeNames = map[string][]string{
	"image": {"image/"},
	"audio": {"audio/"},
	"video": {"video/"},
	"text":  {"text/"},
	"pdf":   {"application/pdf"},
	"zip":   {"application/zip"},
	"json":  {"application/json"},
	"csv":   {"text/csv"},
}

// allows reports whether a media type may be uploaded.
func (c Config) allows(mediaType string) bool {
	for _, t := range c.Types {
		forms := typeNames[t]
		if forms == nil {
			forms = []string{strings.TrimSuffix(t, "*")}
		}
		for _, form := range forms {
			if mediaType == form || strings.HasSuffix(form, "/") && strings.HasPrefix(mediaType, form) {
				return true
			}
		}
	}
	return len(c.Types) == 0
}
