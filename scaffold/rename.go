package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// RenameProject plans the way from the project old to the same one under another
// name and module path, as now has them. First its owner's texts and those that
// nexios wrote last get the new import paths; what is left between them is merged
// with what now is generated as. Where a file names the old path besides, a note
// says so. .env stays, so that the program keeps its database.
func (c Catalog) RenameProject(old, now spec.Project, disk fs.FS) (plan.Plan, error) {
	before, err := c.parts(old)
	if err != nil {
		return plan.Plan{}, err
	}
	parts, err := c.parts(now)
	if err != nil {
		return plan.Plan{}, err
	}
	over := resolved{disk, map[string][]byte{}}
	var notes []plan.Op
	note := func(name, what string) { notes = append(notes, plan.Op{Kind: plan.Note, Path: name, Note: what}) }
	err = eachText(disk, func(name string, text []byte) {
		var moved []byte
		var err error
		switch {
		case strings.HasSuffix(name, ".go"):
			moved, err = edit.MoveImports(text, old.Module, now.Module)
		case name == "go.mod" || name == baseDir+"go.mod":
			moved, err = edit.Module(text, now.Module)
		default:
			return
		}
		if err != nil {
			note(name, fmt.Sprintf("its imports stay as they are: %v", err))
		} else if !bytes.Equal(moved, text) {
			over.texts[name] = moved
		}
	})
	if err != nil {
		return plan.Plan{}, err
	}
	if err := renamed(over, before, parts); err != nil {
		return plan.Plan{}, err
	}
	d := draft{disk: over, files: map[string]*text{}, module: now.Module}
	d.restore(parts)
	made, err := c.renewAll(&d, now, parts)
	if err != nil {
		return plan.Plan{}, err
	}
	made = onto(disk, over, made, nil)
	for _, name := range stillNamed(disk, made, old.Module, now.Module) {
		note(name, "it still names "+old.Module)
	}
	return plan.New(append(made.Ops, notes...)...), nil
}

// renamed puts files whose path has the project's name where they are to be, and
// gives lines that edits made with it the new one.
func renamed(over resolved, before, parts []part) error {
	read := func(name string) []byte {
		text, err := over.ReadFile(name)
		if err != nil {
			return nil
		}
		return text
	}
	for i, p := range parts {
		was, err := before[i].render()
		if err != nil {
			return err
		}
		is, err := p.render()
		if err != nil {
			return err
		}
		for j, file := range is {
			if from, to := was[j].Path, file.Path; from != to {
				for _, dir := range []string{"", baseDir} {
					if text := read(dir + from); text != nil && read(dir+to) == nil {
						over.texts[dir+to], over.texts[dir+from] = text, nil
					}
				}
			}
		}
		for j, e := range p.edits {
			from, to := before[i].edits[j].Text, e.Text
			if e.Op != edit.AddLine || from == to || settled(e.Path) {
				continue
			}
			for _, name := range []string{e.Path, baseDir + e.Path} {
				lines := strings.SplitAfter(string(read(name)), "\n")
				for k, line := range lines {
					if strings.TrimRight(line, "\r\n") == from {
						lines[k] = to + strings.TrimPrefix(line, from)
						over.texts[name] = []byte(strings.Join(lines, ""))
					}
				}
			}
		}
	}
	return nil
}

// eachText calls do with every file of a project's own module and with what
// nexios wrote last; files of a megabyte and more are nobody's text.
func eachText(disk fs.FS, do func(name string, text []byte)) error {
	const most = 1 << 20
	return fs.WalkDir(disk, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if entry.IsDir() {
			switch {
			case name == "." || name == ".github" || name == path.Dir(baseDir) || strings.HasPrefix(name+"/", baseDir):
				return nil
			case strings.HasPrefix(base, ".") || base == "vendor" || base == "node_modules" || strings.HasPrefix(name, vendored):
				return fs.SkipDir
			}
			if _, err := fs.Stat(disk, name+"/go.mod"); err == nil { // another module
				return fs.SkipDir
			}
			return nil
		}
		if info, err := entry.Info(); !entry.Type().IsRegular() || err != nil || info.Size() >= most || strings.HasPrefix(name, vendored) && !strings.HasPrefix(name, baseDir) {
			return nil
		}
		text, err := fs.ReadFile(disk, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !bytes.Contains(text, []byte{0}) {
			do(name, text)
		}
		return err
	})
}

// stillNamed are the files that have the old module path in them after the plan.
func stillNamed(disk fs.FS, p plan.Plan, old, now string) []string {
	if !strings.Contains(old, ".") { // a word like any other
		old += "/internal/"
	}
	after := map[string][]byte{}
	for _, op := range p.Changes() {
		after[op.Path] = op.After
	}
	var found []string
	_ = eachText(disk, func(name string, text []byte) { // it was walked before
		if planned, ok := after[name]; ok {
			text = planned
		}
		if !strings.HasPrefix(name, baseDir) && name != SpecFile && bytes.Contains(bytes.ReplaceAll(text, []byte(now), nil), []byte(old)) {
			found = append(found, name)
		}
	})
	slices.Sort(found)
	return found
}
