package edit

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/nexios-go/nexios/scaffold/merge"
)

// Requirement is one line of go.mod.
type Requirement struct {
	Path, Version string
	Indirect      bool // no package of the project imports it
}

// Require makes go.mod require at least the given versions: it adds or raises modules,
// never lowers them, and keeps direct requirements direct. There is no inverse: `go mod
// tidy` knows what else needs a module.
func Require(src []byte, requirements []Requirement) ([]byte, error) {
	file, err := modfile.Parse("go.mod", src, nil)
	if err != nil {
		return nil, err
	}
	all := map[string]*modfile.Require{}
	var list []*modfile.Require
	for _, there := range file.Require {
		list = append(list, &modfile.Require{Mod: there.Mod, Indirect: there.Indirect})
		all[there.Mod.Path] = list[len(list)-1]
	}
	changed := false
	for _, r := range requirements {
		there := all[r.Path]
		if there == nil {
			there = &modfile.Require{Mod: module.Version{Path: r.Path, Version: r.Version}, Indirect: r.Indirect}
			all[r.Path] = there
			list = append(list, there)
			changed = true
		}
		if semver.Compare(there.Mod.Version, r.Version) < 0 {
			there.Mod.Version = r.Version
			changed = true
		}
		if there.Indirect && !r.Indirect {
			there.Indirect = false
			changed = true
		}
	}
	if !changed {
		return src, nil
	}
	file.SetRequireSeparateIndirect(list)
	file.Cleanup()
	out, err := file.Format()
	return merge.Like(out, src), err
}

// Sums adds lines to go.sum, in the order of the go command. There is no inverse: extra
// lines are harmless, and `go mod tidy` removes them.
func Sums(src []byte, lines []string) []byte {
	all := strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
	there := map[string]bool{"": true}
	for _, line := range all {
		there[line] = true
	}
	known := len(there)
	for _, line := range lines {
		if line = strings.TrimSpace(line); !there[line] {
			there[line] = true
			all = append(all, line)
		}
	}
	if len(there) == known {
		return src
	}
	all = slices.DeleteFunc(all, func(line string) bool { return line == "" })
	slices.SortStableFunc(all, func(a, b string) int {
		aPath, aVersion, aFile := sumKey(a)
		bPath, bVersion, bFile := sumKey(b)
		return cmp.Or(cmp.Compare(aPath, bPath), semver.Compare(aVersion, bVersion),
			cmp.Compare(aVersion, bVersion), cmp.Compare(aFile, bFile), cmp.Compare(a, b))
	})
	return merge.Like([]byte(strings.Join(slices.Compact(all), "\n")+"\n"), src)
}

// sumKey splits "path v1.2.3/go.mod h1:...".
func sumKey(line string) (path, version, file string) {
	path, rest, _ := strings.Cut(line, " ")
	version, _, _ = strings.Cut(rest, " ")
	version, file, _ = strings.Cut(version, "/")
	return path, version, file
}

// Module sets the module path of go.mod.
func Module(src []byte, path string) ([]byte, error) {
	file, err := modfile.Parse("go.mod", src, nil)
	if err != nil {
		return nil, err
	}
	if err := file.AddModuleStmt(path); err != nil {
		return nil, err
	}
	out, err := file.Format()
	return merge.Like(out, src), err
}
