package plan

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"unicode"
)

// CheckPath refuses what is no file that a command may write, whoever named it:
// a path that leads out of the project, one that another system reads otherwise,
// and anything of git's own, whose hooks and settings are programs that git runs.
func CheckPath(name string) error {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, `\:`) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%q is not a path inside the project", name)
	}
	for at := name; at != "."; at = path.Dir(at) {
		if gits(path.Base(at)) {
			return fmt.Errorf("%q is git's own", name)
		}
	}
	return nil
}

// shortName is what NTFS calls .git, or a neighbour of its, in eight characters.
var shortName = regexp.MustCompile(`^(git|gi[0-9a-f]{4})~[0-9]+$`)

// gits reports whether some file system takes an element of a path for .git:
// most of Windows and macOS in any case, NTFS also with dots and spaces behind
// it and by its short name, HFS+ with invisible characters in it.
func gits(element string) bool {
	element = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return unicode.ToLower(r)
	}, element)
	element = strings.TrimRight(element, ". ")
	return element == ".git" || shortName.MatchString(element)
}
