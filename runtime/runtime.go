// Package runtime provides the version and the source of the packages imported by
// generated code. A project that cannot fetch the published module contains a
// byte-for-byte copy of this directory.
package runtime

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

// Version is the common version of the tool and the runtime.
const Version = "0.1.0"

//go:embed *
var source embed.FS

// Source returns the runtime's files, except tests and testdata, by their path in this
// directory.
func Source() (map[string][]byte, error) {
	files := make(map[string][]byte)
	err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path.Base(name) == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files[name], err = source.ReadFile(name)
		return err
	})
	return files, err
}
