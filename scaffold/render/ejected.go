package render

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Ejected is a tree of which a project has files of its own. Those come from a
// repository that may mean ill: they stand in for files of the tree and add none, so
// that the tool alone says which files there are, and they are bounded in size.
type Ejected struct {
	fs.FS
	Over fs.FS  // the project's folder
	At   string // where the tree's files are in it
}

// largest is how many bytes an ejected template may have, and may make.
const largest = 1 << 20

// ReadFile implements fs.ReadFileFS.
func (e Ejected) ReadFile(name string) ([]byte, error) {
	if !e.Has(name) {
		return fs.ReadFile(e.FS, name)
	}
	info, err := fs.Stat(e.Over, e.path(name))
	if err == nil && info.Size() > largest {
		err = &problem.Error{Kind: problem.Failure, What: fmt.Sprintf("this template is larger than %d bytes", largest), Where: e.path(name), Try: "make it smaller, or delete it"}
	}
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(e.Over, e.path(name))
}

// Has reports whether the project has a file of its own there.
func (e Ejected) Has(name string) bool {
	if _, err := fs.Stat(e.FS, name); err != nil {
		return false
	}
	info, err := fs.Lstat(e.Over, e.path(name))
	return err == nil && info.Mode().IsRegular()
}

func (e Ejected) path(name string) string { return e.At + name }

// line finds the line in what text/template complains of.
var line = regexp.MustCompile(`^template: .*?:(\d+)(?::\d+)?: (?:executing "[^"]*" )?(.*)$`)

// explain is the error of a template that the project has as its own.
func (e Ejected) explain(name string, err error) error {
	if said := (*problem.Error)(nil); !e.Has(name) || errors.As(err, &said) {
		return err
	}
	what, where := "what it makes is not Go: "+err.Error(), e.path(name)
	if m := line.FindStringSubmatch(err.Error()); m != nil {
		what, where = m[2], where+":"+m[1]
	}
	return &problem.Error{
		Kind: problem.Failure, What: "this template of the project does not work: " + what, Where: where,
		Try: "mend it, or delete it to use the one of nexios",
	}
}

// bounded refuses more than a template may make.
type bounded struct {
	left int
	to   io.Writer
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("it makes more than %d bytes", largest)
	}
	return b.to.Write(p)
}
