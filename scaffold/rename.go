package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/rewrite"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// RenameProject plans the change of the project's name and module path from old to now.
// First it replaces the import paths in the developer's texts and in their bases; the
// remaining differences are merged with the text generated for now. Notes report other
// mentions of the old path. .env does not change, so that the program keeps its database.
func (c Catalog) RenameProject(old, now spec.Project, disk fs.FS) (plan.Plan, error) {
	before, err := c.parts(old)
	if err != nil {
		return plan.Plan{}, err
	}
	parts, err := c.parts(now)
	if err != nil {
		return plan.Plan{}, err
	}
	over := overlay{disk, map[string][]byte{}}
	d := draft{disk: over, files: map[string]*text{}, module: now.Module}
	d.restore(parts)
	if err := d.edited(old); err != nil {
		return plan.Plan{}, err
	}
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

// renamed moves files whose path contains the project's name, and replaces it in the lines
// added by edits.
func renamed(over overlay, before, parts []part) error {
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
			if e.Op != edit.AddLine || from == to || unmanaged(e.Path) {
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

// RenameResource plans the renaming of a resource, from old to now: was and is are the
// resource in each. As in RenameProject, names in the developer's texts and in their bases
// are replaced first. Fields of the type keep their names in the developer's texts.
func (c Catalog) RenameResource(old, now spec.Project, was, is spec.Resource, disk fs.FS) (plan.Plan, error) {
	before, err := c.parts(old)
	if err != nil {
		return plan.Plan{}, err
	}
	parts, err := c.parts(now)
	if err != nil {
		return plan.Plan{}, err
	}
	from, err := view.Of(old, was)
	if err != nil {
		return plan.Plan{}, err
	}
	to, err := view.Of(now, is)
	if err != nil {
		return plan.Plan{}, err
	}
	r := renaming(from, to)
	for _, name := range []string{r.Folder[1], "internal/model/" + to.Words["model"] + ".go"} {
		if _, err := fs.Stat(disk, name); err == nil && name != r.Folder[0] && name != r.File {
			return plan.Plan{}, &problem.Error{Kind: problem.Conflict, What: name + " already exists", Where: name, Try: "move or delete it, or another name"}
		}
	}
	place := func(name string) string {
		if name == r.File {
			return "internal/model/" + to.Words["model"] + ".go"
		}
		rest, in := strings.CutPrefix(name, r.Folder[0]+"/")
		switch {
		case !in:
			return name
		case rest == from.Package+".go" || rest == from.Package+"_test.go":
			rest = to.Package + strings.TrimPrefix(rest, from.Package)
		}
		return r.Folder[1] + "/" + rest
	}
	over := overlay{disk, map[string][]byte{}}
	var notes []plan.Op
	put := func(full string, text, moved []byte) {
		name := strings.TrimPrefix(full, baseDir)
		at := strings.TrimSuffix(full, name) + place(name)
		if at != full {
			over.texts[full] = nil
		}
		if at != full || !bytes.Equal(moved, text) {
			over.texts[at] = moved
		}
	}
	for _, dir := range []string{r.Folder[0], baseDir + r.Folder[0]} {
		err := below(disk, dir, func(name string, file fs.DirEntry) error {
			if !file.Type().IsRegular() {
				return nil
			}
			text, err := fs.ReadFile(disk, name)
			if err == nil {
				put(name, text, text)
			}
			return err
		})
		if err != nil {
			return plan.Plan{}, err
		}
	}
	err = eachText(disk, func(full string, text []byte) {
		name := strings.TrimPrefix(full, baseDir)
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, history) {
			return
		}
		written, err := fs.ReadFile(disk, baseDir+name)
		if err != nil {
			written = nil
		}
		moved, err := r.Go(name, text, written)
		if err != nil {
			notes = append(notes, plan.Op{Kind: plan.Note, Path: full, Note: fmt.Sprintf("its names stay as they are: %v", err)})
			moved = text
		}
		put(full, text, moved)
	})
	if err != nil {
		return plan.Plan{}, err
	}
	// Additions of parts to other files with the table's name.
	for i, p := range parts {
		for _, e := range before[i].edits {
			if contains(p.edits, e) || e.Op != edit.AddElement || e.Path == migrations {
				continue
			}
			e.Text = strings.ReplaceAll(e.Text, "model."+from.Type+"{", "model."+to.Type+"{")
			for _, name := range []string{e.Path, baseDir + e.Path} {
				if text, err := over.ReadFile(name); err == nil && !contains(p.edits, e) {
					if reverted, err := e.Revert(text); err == nil && !bytes.Equal(reverted, text) {
						over.texts[name] = reverted
					}
				}
			}
		}
	}
	d := draft{disk: over, files: map[string]*text{}, module: now.Module}
	d.restore(parts)
	made, err := c.renewAll(&d, now, parts)
	if err != nil {
		return plan.Plan{}, err
	}
	made = onto(disk, over, made, nil)
	left, err := oldTable(disk, made, old, now, was, is)
	if err != nil {
		return plan.Plan{}, err
	}
	return plan.New(append(append(made.Ops, notes...), left...)...), nil
}

// RenameField plans the renaming of a field of the resource r, from old to now. uses has
// the places, by file, where the developer's code names the field, by the rules of
// FieldNames. Older versions of the routes are not changed: their clients use the old name
// of the field.
func (c Catalog) RenameField(old, now spec.Project, r spec.Resource, uses map[string][]rewrite.Use, disk fs.FS) (plan.Plan, error) {
	uses = maps.Clone(uses)
	for i := range r.Older {
		_, pkg := r.OfVersion(i)
		maps.DeleteFunc(uses, func(name string, _ []rewrite.Use) bool { return path.Dir(name) == "internal/"+pkg })
	}
	over, err := rewriting(disk, uses)
	if err != nil {
		return plan.Plan{}, err
	}
	made, err := c.Change(old, now, over, ResourceKey(r))
	if err != nil {
		return plan.Plan{}, err
	}
	made = onto(disk, over, made, nil)
	was, _ := old.Resource(r.Name)
	notes, err := oldColumn(disk, made, was, r)
	if err != nil {
		return plan.Plan{}, err
	}
	return plan.New(append(made.Ops, notes...)...), nil
}

// FieldNames returns the rules that rename a field in Go code of a project, in packages
// below internal: was and is are its resource before and after.
func FieldNames(old, now spec.Project, was, is spec.Resource) ([]rewrite.Rule, error) {
	from, err := view.OfVersion(old, was, len(was.Older))
	if err != nil {
		return nil, err
	}
	to, err := view.OfVersion(now, is, len(is.Older))
	if err != nil {
		return nil, err
	}
	var rules []rewrite.Rule
	pair := func(pkg, of string, was, is []view.Line) {
		for i := range min(len(was), len(is)) {
			if was[i].Name != is[i].Name {
				rules = append(rules, rewrite.Rule{Package: pkg, Type: of, Name: was[i].Name, To: is[i].Name})
			}
		}
	}
	pair("model", from.Type, from.Model.Fields, to.Model.Fields)
	pair("model", from.Type, from.Model.Relations, to.Model.Relations)
	pair(from.Package, "createBody", from.Input.Create, to.Input.Create)
	pair(from.Package, "updateBody", from.Input.Update, to.Input.Update)
	pair(from.Package, "listInput", from.Input.Filters, to.Input.Filters)
	return rules, nil
}

// renaming returns the differences of the names in two views of a resource.
func renaming(from, to view.Resource) edit.Renaming {
	r := edit.Renaming{
		Module: from.Module,
		Models: "internal/model",
		Type:   [2]string{from.Type, to.Type},
		Folder: [2]string{"internal/" + from.Package, "internal/" + to.Package},
		File:   "internal/model/" + from.Words["model"] + ".go",
		Path:   [2]string{from.Path, to.Path},
		Names: [][2]string{
			{from.Var, to.Var}, {from.Handlers.Vars, to.Handlers.Vars},
			{"Test" + from.Test.Name, "Test" + to.Test.Name},
		},
		Words: [][2]string{{from.AOne, to.AOne}, {from.One, to.One}, {from.Many, to.Many}, {from.Type, to.Type}, {from.Package, to.Package}, {from.Var, to.Var}},
	}
	if path := strings.TrimPrefix(from.Path, "/"); from.Routes {
		r.Words = append(r.Words, [2]string{path, strings.TrimPrefix(to.Path, "/")})
	}
	r.Names = slices.DeleteFunc(r.Names, func(n [2]string) bool { return n[0] == n[1] || n[0] == "" })
	return r
}

// eachText calls do with every file of a project's own module and with the bases. It skips
// files of 1 MiB and more, which are not source text.
func eachText(disk fs.FS, do func(name string, text []byte)) error {
	const most = 1 << 20
	return fs.WalkDir(disk, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if entry.IsDir() {
			switch {
			case name == "." || name == ".github" || name+"/" == vendored || strings.HasPrefix(name+"/", baseDir):
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

// stillNamed returns the files that contain the old module path after the plan.
func stillNamed(disk fs.FS, p plan.Plan, old, now string) []string {
	if !strings.Contains(old, ".") { // a common word
		old += "/internal/"
	}
	after := map[string][]byte{}
	for _, op := range p.Changes() {
		after[op.Path] = op.After
	}
	var found []string
	_ = eachText(disk, func(name string, text []byte) { // walked before without an error
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
