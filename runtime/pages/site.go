package pages

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// site is the parsed content of the source at one time.
type site struct {
	pages  map[string]*template.Template // by path below templates/
	assets map[string]asset              // by path below static/
}

// current returns the current site. If live, it reloads changed files.
func (p *Pages) current() (*site, error) {
	if !p.live {
		return p.loaded, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	stamp, err := stampOf(p.source)
	if err != nil {
		return nil, err
	}
	if stamp != p.stamp {
		p.loaded, p.err = p.read()
		p.stamp = stamp
	}
	return p.loaded, p.err
}

// stampOf returns a string that changes when a file is added, removed or modified.
func stampOf(source fs.FS) (string, error) {
	var b strings.Builder
	for _, dir := range []string{"templates", "static"} {
		err := walk(source, dir, func(name string, entry fs.DirEntry) error {
			info, err := entry.Info()
			if err == nil {
				fmt.Fprintln(&b, name, info.Size(), info.ModTime().UnixNano())
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// walk visits every file below dir in order. A missing dir has no files.
func walk(source fs.FS, dir string, visit func(name string, entry fs.DirEntry) error) error {
	err := fs.WalkDir(source, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return visit(name, entry)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// read loads the site from the files.
func (p *Pages) read() (*site, error) {
	s := &site{pages: map[string]*template.Template{}, assets: map[string]asset{}}
	err := walk(p.source, "static", func(name string, _ fs.DirEntry) error {
		content, err := fs.ReadFile(p.source, name)
		name = strings.TrimPrefix(name, "static/")
		s.assets[name] = asset{name, content, digest(content)}
		return err
	})
	if err != nil {
		return nil, err
	}
	funcs := template.FuncMap{"asset": func(name string) (string, error) {
		a, ok := s.assets[name]
		if !ok {
			return "", fmt.Errorf("no file static/%s", name)
		}
		return p.options.Static + "/" + a.hashed(), nil
	}}
	maps.Copy(funcs, filters)
	maps.Copy(funcs, p.options.Funcs)
	shared := template.New("").Funcs(funcs).Option("missingkey=error")
	sources := map[string]string{}
	err = walk(p.source, "templates", func(name string, _ fs.DirEntry) error {
		text, err := fs.ReadFile(p.source, name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "templates/")
		if dir := path.Dir(name); name != "layout.html" && dir != "layouts" && dir != "partials" {
			sources[name] = string(text)
			return nil
		}
		_, err = shared.New(name).Parse(string(text))
		return locate(p.source, err)
	})
	if err != nil {
		return nil, err
	}
	for name, text := range sources {
		page, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if s.pages[name], err = page.New(name).Parse(text); err != nil {
			return nil, locate(p.source, err)
		}
	}
	return s, nil
}

var templateError = regexp.MustCompile(`(?s)^(?:html/)?template: ?([^:]+):(\d+)(?::\d+)?: (.*)$`)

// locate adds the source lines around the location to an error of package template.
func locate(source fs.FS, err error) error {
	if err == nil {
		return nil
	}
	found := templateError.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	file := "templates/" + found[1]
	text, readErr := fs.ReadFile(source, file)
	if readErr != nil {
		return err
	}
	number, _ := strconv.Atoi(found[2]) // cannot fail: digits
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s", file, number, found[3])
	for i, line := range strings.Split(string(text), "\n") {
		if n := i + 1; n >= number-2 && n <= number+2 {
			mark := " "
			if n == number {
				mark = ">"
			}
			fmt.Fprintf(&b, "\n  %s %3d | %s", mark, n, line)
		}
	}
	return errors.New(b.String())
}
