package plan

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"unicode"
)

// CheckPath rejects paths of files that a command must not write, whoever named them: a
// path outside of the project, one that another system reads differently, and anything in
// .git, whose hooks and settings are programs that git runs.
func CheckPath(name string) error {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, `\:`) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%q is not a path inside the project", name)
	}
	for at := name; at != "."; at = path.Dir(at) {
		if isGit(path.Base(at)) {
			return fmt.Errorf("%q is git's own", name)
		}
	}
	return nil
}

// shortName matches the NTFS short names of .git, or of similar names.
var shortName = regexp.MustCompile(`^(git|gi[0-9a-f]{4})~[0-9]+$`)

// isGit reports whether some file system treats a path element as .git: most on Windows
// and macOS ignore case, NTFS ignores trailing dots and spaces and has short names, and
// HFS+ ignores invisible characters.
func isGit(element string) bool {
	element = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return unicode.ToLower(r)
	}, element)
	element = strings.TrimRight(element, ". ")
	return element == ".git" || shortName.MatchString(element)
}
