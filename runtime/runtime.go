// Package runtime is the version and the source of what generated code
// imports. A project that cannot fetch the published module carries a copy of
// this folder; its code is the same byte for byte.
package runtime

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

// Version is the one number that tool and runtime share.
const Version = "0.1.0"

//go:embed *
var source embed.FS

// Source returns the runtime's files, without its tests, below their path in
// this folder.
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
