package render

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"runtime/metrics"
	"time"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Ejected is a tree with files overridden by the project. Overrides may come from a
// malicious repository: they can replace files of the tree but not add any, so that only
// the tool determines which files there are, and their size is limited.
type Ejected struct {
	fs.FS
	Over fs.FS  // the project's folder
	At   string // path of the tree's files in it
}

const (
	// largest is the maximum size of an ejected template, and of its output, in bytes.
	largest = 1 << 20
	// longest is the maximum time that an ejected template may take, and most the memory
	// in bytes.
	longest = 10 * time.Second
	most    = 512 << 20
)

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

// Has reports whether the project overrides that file.
func (e Ejected) Has(name string) bool {
	if _, err := fs.Stat(e.FS, name); err != nil {
		return false
	}
	info, err := fs.Lstat(e.Over, e.path(name))
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	for dir := path.Dir(e.path(name)); dir != "."; dir = path.Dir(dir) { // a link could lead to .git or .env
		if info, err := fs.Lstat(e.Over, dir); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// one renders a template of the project. Templates have loops and can build values of any
// size, so one that exceeds the limits is abandoned: the command ends with the error.
func (e Ejected) one(name string, src []byte, in Input) (File, error) {
	type result struct {
		file File
		err  error
	}
	made := make(chan result, 1)
	go func() {
		file, err := one(name, src, in)
		made <- result{file, err}
	}()
	late := time.After(longest)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for before := memory(); ; {
		select {
		case r := <-made:
			if r.err != nil {
				return File{}, e.explain(name, r.err)
			}
			return r.file, nil
		case <-late:
			return File{}, e.explain(name, excess(fmt.Sprintf("takes longer than %v", longest)))
		case <-look.C:
			if memory() > before+most {
				return File{}, e.explain(name, excess(fmt.Sprintf("takes more than %d MiB of memory", most>>20)))
			}
		}
	}
}

// memory returns the bytes used by heap objects of this process.
func memory() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func (e Ejected) path(name string) string { return e.At + name }

// line matches the line number in errors of text/template.
var line = regexp.MustCompile(`^template: .*?:(\d+)(?::\d+)?: (?:executing "[^"]*" )?(.*)$`)

// explain returns the error of a template of the project.
func (e Ejected) explain(name string, err error) error {
	what, where := "this template of the project makes invalid Go: "+err.Error(), e.path(name)
	if over, ok := errors.AsType[excess](err); ok {
		what = "this template of the project " + over.Error()
	} else if m := line.FindStringSubmatch(err.Error()); m != nil {
		what, where = "this template of the project does not work: "+m[2], where+":"+m[1]
	}
	return &problem.Error{
		Kind: problem.Failure, What: what, Where: where,
		Try: "fix it, or delete it to use the built-in one",
	}
}

// excess is the error of a template that exceeds a limit.
type excess string

func (e excess) Error() string { return string(e) }

// bounded limits the output of a template.
type bounded struct {
	left int
	to   io.Writer
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, excess(fmt.Sprintf("makes more than %d bytes", largest))
	}
	return b.to.Write(p)
}
