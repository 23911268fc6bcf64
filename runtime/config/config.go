package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// Load returns the settings T: each from getenv, else from files (lines of
// NAME=value; missing files are ignored, later files take precedence), else its
// default. An empty value counts as unset. The files are meant for development: if
// getenv returns an APP_ENV other than development, they are not read.
//
// All errors are returned at once, each with what, where and what to type next:
// malformed values, missing required values, errors of Validate, and names in files
// that T does not have. Values of settings with secret-looking names are not
// repeated.
func Load[T any](getenv func(string) string, files ...string) (T, error) {
	var c, none T
	all := settings[T]()
	sources, problems := read(all, getenv, files)
	values := map[string]string{}
	for name, s := range sources {
		values[name] = s.value
	}
	unparsed := parseProblems[T](all, sources, env.ParseWithOptions(&c, env.Options{Environment: values}))
	for _, p := range unparsed {
		problems = append(problems, p.err)
	}
	for _, err := range validate(&c) {
		// Validate saw only the zero value of a setting that did not parse.
		if !slices.ContainsFunc(unparsed, func(p problem) bool { return p.concerns(err) }) {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return none, errors.Join(problems...)
	}
	return c, nil
}

// source is the value of a setting and its origin.
type source struct{ value, where string }

// read returns the value of every setting that has one.
func read(all []setting, getenv func(string) string, files []string) (map[string]source, []error) {
	found := map[string]source{}
	var problems []error
	if name := getenv("APP_ENV"); name != "" && name != "development" {
		files = nil
	}
	for _, file := range files {
		values, err := ReadFile(file)
		if err != nil {
			problems = append(problems, err)
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if !slices.ContainsFunc(all, func(s setting) bool { return s.name == name }) {
				problems = append(problems, fmt.Errorf("unknown setting %s\n  where: %s\n  try:   %s", name, file, suggestion(all, name)))
			} else if values[name] != "" {
				found[name] = source{values[name], file}
			}
		}
	}
	for _, s := range all {
		if value := getenv(s.name); value != "" {
			found[s.name] = source{value, "the environment"}
		}
	}
	return found, problems
}

// ReadFile returns the settings in a file such as .env as written, or nil if the file
// does not exist. Errors do not repeat values.
func ReadFile(name string) (map[string]string, error) {
	text, err := os.ReadFile(name) // #nosec G304 -- the program names its own .env
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read settings: %w\n  where: %s\n  try:   chmod u+r %s", err, name, name)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // byte order mark, written by some editors on Windows
	// The parser's error repeats the text, which may hold secrets.
	values, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("settings must be lines of NAME=value\n  where: %s%s\n  try:   NAME=value, with quotes around a value that has spaces or #", name, badLine(text))
	}
	return values, nil
}

// parse reads lines of NAME=value. A dollar sign is literal, since passwords contain
// it: the parser would substitute another setting, or nothing.
func parse(text string) (map[string]string, error) {
	const dollar = "\x1a" // does not occur in text
	values, err := godotenv.Unmarshal(strings.ReplaceAll(text, "$", dollar))
	for name, value := range values {
		values[name] = strings.ReplaceAll(value, dollar, "$")
	}
	return values, err
}

// badLine returns the location of the first line that does not parse on its own, or
// "" if every line does.
func badLine(text []byte) string {
	for i, line := range strings.Split(string(text), "\n") {
		if _, err := parse(line + "\n"); err != nil {
			return fmt.Sprintf(" line %d", i+1)
		}
	}
	return ""
}

// problem is an error about one setting.
type problem struct {
	name string
	err  error
}

// concerns reports whether err is about the same setting, that is, whether its first
// line names it.
func (p problem) concerns(err error) bool {
	what, _, _ := strings.Cut(err.Error(), "\n")
	return slices.Contains(strings.FieldsFunc(what, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	}), p.name)
}

// parseProblems splits err, returned from parsing all settings, into one problem per
// setting.
func parseProblems[T any](all []setting, sources map[string]source, err error) []problem {
	if err == nil {
		return nil
	}
	var aggregate env.AggregateError
	if !errors.As(err, &aggregate) {
		return []problem{{"", err}}
	}
	var problems []problem
	for _, e := range aggregate.Errors {
		var missing env.VarIsNotSetError
		var empty env.EmptyVarError
		switch {
		case errors.As(e, &missing):
			problems = append(problems, problem{missing.Key, required(all, missing.Key)})
		case errors.As(e, &empty):
			problems = append(problems, problem{empty.Key, required(all, empty.Key)})
		case !errors.As(e, new(env.ParseError)):
			problems = append(problems, problem{"", e}) // an error in the struct definition
		}
	}
	// The parser names the field, which may occur several times, so parse each value
	// on its own.
	for _, s := range all {
		from, ok := sources[s.name]
		if !ok {
			continue
		}
		var alone T
		var wrong env.ParseError
		err := env.ParseWithOptions(&alone, env.Options{Environment: map[string]string{s.name: from.value}})
		if errors.As(err, &wrong) {
			problems = append(problems, problem{s.name, s.parseError(from, wrong.Err)})
		}
	}
	return problems
}

func required(all []setting, name string) error {
	s := setting{name: name}
	if i := slices.IndexFunc(all, func(s setting) bool { return s.name == name }); i >= 0 {
		s = all[i]
	}
	what := name + " is missing"
	if s.doc != "" {
		what += ": " + s.doc
	}
	return fmt.Errorf("%s\n  where: the environment, or .env\n  try:   %s", what, s.example())
}
