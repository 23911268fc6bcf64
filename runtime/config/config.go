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

// Load returns the settings T: from getenv, else from files (of NAME=value
// lines; one that does not exist is fine, a later one beats an earlier), else
// the default. An empty value counts as none. The files are those of a
// developer's machine: where getenv has an APP_ENV other than development, they
// are not read.
//
// Everything that is wrong is said at once, each in three parts: what, where,
// and what to type next. Wrong are malformed values, missing required ones,
// what Validate says of the others, and in files names that T does not have.
// Values of names that look secret are not repeated.
func Load[T any](getenv func(string) string, files ...string) (T, error) {
	var c, none T
	all := settings[T]()
	sources, problems := read(all, getenv, files)
	values := map[string]string{}
	for name, s := range sources {
		values[name] = s.value
	}
	unread := malformed[T](all, sources, env.ParseWithOptions(&c, env.Options{Environment: values}))
	for _, p := range unread {
		problems = append(problems, p.err)
	}
	for _, err := range validate(&c) {
		// A value that was not read would be judged by its zero.
		if !slices.ContainsFunc(unread, func(p problem) bool { return p.isOf(err) }) {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return none, errors.Join(problems...)
	}
	return c, nil
}

// source is the value of a setting and where it comes from.
type source struct{ value, where string }

// read finds the value of every setting that has one.
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

// ReadFile returns the settings of a file such as .env, as they are written; none
// where there is no file. No error repeats a value.
func ReadFile(name string) (map[string]string, error) {
	text, err := os.ReadFile(name) // #nosec G304 -- the program names its own .env
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read settings: %w\n  where: %s\n  try:   chmod u+r %s", err, name, name)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // as some editors on Windows begin a file
	// What the parser says repeats the text, which may hold secrets.
	values, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("settings must be lines of NAME=value\n  where: %s%s\n  try:   NAME=value, with quotes around a value that has spaces or #", name, badLine(text))
	}
	return values, nil
}

// parse reads lines of NAME=value. A dollar is a dollar, in passwords too: what
// the parser would put in its place is another setting, or nothing.
func parse(text string) (map[string]string, error) {
	const dollar = "\x1a" // as text has none of
	values, err := godotenv.Unmarshal(strings.ReplaceAll(text, "$", dollar))
	for name, value := range values {
		values[name] = strings.ReplaceAll(value, dollar, "$")
	}
	return values, err
}

// badLine is the first line that is no setting by itself, where one is.
func badLine(text []byte) string {
	for i, line := range strings.Split(string(text), "\n") {
		if _, err := parse(line + "\n"); err != nil {
			return fmt.Sprintf(" line %d", i+1)
		}
	}
	return ""
}

// problem is a setting that could not be read, and why.
type problem struct {
	name string
	err  error
}

// isOf says whether err is about the same setting: its first line names it.
func (p problem) isOf(err error) bool {
	what, _, _ := strings.Cut(err.Error(), "\n")
	return slices.Contains(strings.FieldsFunc(what, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	}), p.name)
}

// malformed says which settings err, of parsing them all, is about, one by one.
func malformed[T any](all []setting, sources map[string]source, err error) []problem {
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
			problems = append(problems, problem{"", e}) // a mistake in the struct itself
		}
	}
	// The parser names the field, of which there may be several; so every
	// value is tried alone.
	for _, s := range all {
		from, ok := sources[s.name]
		if !ok {
			continue
		}
		var alone T
		var wrong env.ParseError
		err := env.ParseWithOptions(&alone, env.Options{Environment: map[string]string{s.name: from.value}})
		if errors.As(err, &wrong) {
			problems = append(problems, problem{s.name, s.wrong(from, wrong.Err)})
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
