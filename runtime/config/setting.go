package config

import (
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// setting is one field of a settings struct.
type setting struct {
	name     string // environment variable
	fallback string // default value
	doc      string
	kind     reflect.Type
}

// settings returns the settings of T in the order of its fields. A setting read by
// several structs is listed once.
func settings[T any]() []setting {
	var all []setting
	seen := map[string]bool{}
	for _, s := range walk(reflect.TypeFor[T](), "") {
		if !seen[s.name] {
			seen[s.name] = true
			all = append(all, s)
		}
	}
	return all
}

func walk(t reflect.Type, prefix string) []setting {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var all []setting
	for field := range t.Fields() {
		if !field.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		switch name {
		case "-":
		case "":
			all = append(all, walk(field.Type, prefix+field.Tag.Get("envPrefix"))...)
		default:
			all = append(all, setting{prefix + name, field.Tag.Get("envDefault"), field.Tag.Get("doc"), field.Type})
		}
	}
	return all
}

// parseError returns the error of a value that does not parse.
func (s setting) parseError(from source, cause error) error {
	what := s.name + " is not " + s.expected()
	if !s.secret() {
		what += fmt.Sprintf(": %q", from.value)
	}
	if s.expected() == "" {
		what = fmt.Sprintf("%s is not valid", s.name)
		if !s.secret() {
			what = fmt.Sprintf("%s: %v", s.name, cause)
		}
	}
	return fmt.Errorf("%s\n  where: %s\n  try:   %s", what, from.where, s.example())
}

// expected describes a valid value of the setting, or is "" if only its type can
// tell.
func (s setting) expected() string {
	text := reflect.TypeFor[encoding.TextUnmarshaler]()
	switch {
	case s.kind == reflect.TypeFor[time.Duration]():
		return "a duration such as 30s or 1h30m"
	case s.kind == reflect.TypeFor[slog.Level]():
		return "debug, info, warn or error"
	case s.kind.Implements(text), reflect.PointerTo(s.kind).Implements(text):
		return ""
	}
	switch s.kind.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return ""
}

// example returns a valid line for the setting.
func (s setting) example() string {
	if s.fallback != "" {
		return s.name + "=" + s.fallback
	}
	if s.kind != nil {
		switch {
		case s.kind == reflect.TypeFor[time.Duration]():
			return s.name + "=30s"
		case s.kind.Kind() == reflect.Bool:
			return s.name + "=false"
		case s.expected() != "":
			return s.name + "=10"
		}
	}
	return s.name + "=value"
}

// Names of settings that hold secrets, or that may contain a password, such as URLs.
var secretName = regexp.MustCompile(`SECRET|PASS|TOKEN|KEY|URL|DSN|CREDENTIAL`)

func (s setting) secret() bool { return secretName.MatchString(s.name) }

// suggestion returns what to do about an unknown name: the most similar setting, if
// any.
func suggestion(all []setting, name string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, s := range all {
		if d := distance(strings.ToUpper(name), s.name); d < least {
			best, least = s.name, d
		}
	}
	if best != "" {
		return best + ", or remove the line"
	}
	return "remove the line; --help lists every setting"
}

// distance returns the Levenshtein distance of a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
