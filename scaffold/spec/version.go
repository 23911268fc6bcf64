package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Version is an older version of a resource's routes, served besides the newest. All
// versions share one table and one model.
type Version struct {
	Name   string   `json:"name"`             // "v1"
	Fields []string `json:"fields"`           // as they were when the next version was added
	Since  string   `json:"since"`            // the day when it was superseded: "2026-11-28"
	Sunset string   `json:"sunset,omitempty"` // the day from which it may be removed; "" if undecided
}

// Versions returns the names of the versions of a resource's routes, oldest first; none if
// there is only one.
func (r Resource) Versions() []string {
	var names []string
	for _, v := range r.Older {
		names = append(names, v.Name)
	}
	if r.Version != "" {
		names = append(names, r.Version)
	}
	return names
}

// Named returns the name of the field among words that a Go field stands for, by its own
// name or that of its column; "" for none.
func Named(words []string, goName string) string {
	for _, word := range words {
		name := fieldName(word)
		if bare := strings.ReplaceAll(name, "_", ""); strings.EqualFold(bare, goName) || strings.EqualFold(bare+"id", goName) {
			return name
		}
	}
	return ""
}

// oldestWith returns the oldest version of the routes, except the newest, that has a
// field; "" for none.
func (r Resource) oldestWith(field string) string {
	for _, v := range r.Older {
		if fieldIndex(v.Fields, field) >= 0 {
			return v.Name
		}
	}
	return ""
}

// OfVersion returns the resource with the fields of a version of its routes, and the
// version's package: v1 uses the package of the resource, each later version its own. i
// counts from 0, the oldest existing version.
func (r Resource) OfVersion(i int) (_ Resource, pkg string) {
	pkg = r.Package()
	if names := r.Versions(); len(names) > 0 && names[i] != "v1" {
		pkg += names[i]
	}
	if i < len(r.Older) {
		r.Fields = r.Older[i].Fields
	}
	return r, pkg
}

// Later is a field that was added after a version of the routes, and its value in the rows
// which that version creates.
type Later struct {
	Field
	Value Value
	Given bool // whether there is such a value; else null
}

// Later returns the fields with a column that a version of the routes lacks. Their value
// is the default, or that of --backfill. i counts from 0, the oldest version.
func (r Resource) Later(i int) ([]Later, error) {
	if i >= len(r.Older) {
		return nil, nil
	}
	fields, err := r.Parsed()
	if err != nil {
		return nil, err
	}
	_, steps, err := r.History()
	if err != nil {
		return nil, err
	}
	var later []Later
	for _, f := range fields {
		fill, known := "", fieldIndex(r.Older[i].Fields, f.Name) >= 0
		name := f.Name // its name at the time of a step
		for _, step := range slices.Backward(steps) {
			if fill == "" {
				fill = step.Fill[name]
			}
			for _, was := range step.Fields {
				if fieldName(was.To) == name && was.From != "" {
					name = fieldName(was.From)
				}
			}
			known = known || fieldIndex(r.Older[i].Fields, name) >= 0
		}
		if known || f.Column() == "" || f.Is("array") || f.Is("auto") {
			continue
		}
		l := Later{Field: f}
		if l.Value, l.Given = f.Default(); !l.Given && !f.Is("optional") && fill != "" && f.Row().parse != nil {
			l.Value, err = f.Value(fill)
			l.Given = err == nil && f.breaks(f.Row(), l.Value) == ""
		}
		later = append(later, l)
	}
	return later, nil
}

// checkCreates rejects a change of fields after which an older version of the routes could
// not create rows.
func (r Resource) checkCreates() error {
	if !r.Serves("create") && !r.Serves("bulk") {
		return nil
	}
	for i, v := range r.Older {
		later, err := r.Later(i)
		if err != nil {
			return err
		}
		for _, l := range later {
			bad := func(why string) error {
				return &problem.Error{
					What: v.Name + " of " + r.Name + " creates rows and does not know " + l.Name + ": " + why, Where: r.Name + " " + l.String(),
					Try: "nexios change field " + r.Name + " " + l.Name + " optional",
				}
			}
			switch {
			case l.Given && l.Is("unique"):
				return bad("they would all get the same value, but it is unique")
			case !l.Given && !l.Is("optional"):
				return bad("it is required, and has no default and no --backfill")
			}
		}
	}
	return nil
}

// AddVersion adds a version to resources, which starts as a copy of their current version.
// If names is empty, it does so for all resources that have routes and lack that version.
// since is today, sunset the day when the older version may be removed; "" if undecided.
func (p Project) AddVersion(version string, names []string, since, sunset string) (Project, []Resource, error) {
	const command = "nexios api version"
	n, ok := versionNumber(version)
	if !ok || n < 2 {
		return p, nil, &problem.Error{What: fmt.Sprintf("%q is not a version after v1", clip(version)), Label: "versions", Where: "v2 v3 ...", Try: command + " v2"}
	}
	if sunset != "" && (!day(sunset) || sunset <= since) {
		return p, nil, &problem.Error{What: fmt.Sprintf("--sunset %s is not a future date", clip(sunset)), Label: "form", Where: "2027-05-28", Try: command + " " + version + " --sunset " + later(since)}
	}
	var chosen []Resource
	for _, name := range names {
		r, err := p.resourceOf(command+" "+version, name, "")
		if err != nil {
			return p, nil, err
		}
		if r.ModelOnly {
			return p, nil, &problem.Error{What: r.Name + " has no routes", Where: r.Command(), Try: command + " " + version}
		}
		chosen = append(chosen, r)
	}
	if len(names) == 0 {
		for _, r := range p.Resources {
			if !r.ModelOnly {
				chosen = append(chosen, r)
			}
		}
	}
	if len(chosen) == 0 {
		return p, nil, &problem.Error{What: "no resource has routes", Try: "nexios add resource post title:string"}
	}
	now := p
	now.Resources = slices.Clone(p.Resources)
	var added []Resource
	for _, r := range chosen {
		has := 1
		if r.Version != "" {
			has, _ = versionNumber(r.Version)
		}
		switch {
		case has == n:
			continue
		case has > n:
			return p, nil, &problem.Error{What: r.Name + " has the newer version " + r.Version, Where: r.Command(), Try: fmt.Sprintf("%s v%d %s", command, has+1, r.Name)}
		}
		r.Older = append(slices.Clone(r.Older), Version{Name: fmt.Sprintf("v%d", has), Fields: slices.Clone(r.Fields), Since: since, Sunset: sunset})
		r.Version = version
		var err error
		if now, err = now.Replace(r); err != nil {
			return p, nil, withTry(err, func(string) string { return command + " --help" })
		}
		added = append(added, r)
	}
	return now, added, nil
}

// RemoveVersion removes an older version of resources, of all that have it if names is
// empty, and returns those resources. The newest version cannot be removed: it is the
// resource itself.
func (p Project) RemoveVersion(version string, names []string) (Project, []Resource, error) {
	const command = "nexios remove version"
	var chosen []Resource
	for _, name := range names {
		r, err := p.resourceOf(command+" "+version, name, "")
		if err != nil {
			return p, nil, err
		}
		chosen = append(chosen, r)
	}
	if len(names) == 0 {
		for _, r := range p.Resources {
			if r.older(version) >= 0 {
				chosen = append(chosen, r)
			}
		}
	}
	if len(chosen) == 0 {
		var where []string
		for _, r := range p.Resources {
			for _, v := range r.Older {
				where = append(where, v.Name+" of "+r.Name)
			}
		}
		return p, nil, &problem.Error{What: fmt.Sprintf("no resource has an older version %q", clip(version)), Label: "older", Where: strings.Join(where, ", "), Try: "nexios list"}
	}
	now := p
	var removed []Resource
	for _, r := range chosen {
		at := r.older(version)
		switch newest := cmp.Or(r.Version, "v1"); {
		case at < 0 && version == newest:
			e := &problem.Error{What: version + " is the newest version of " + r.Name, Where: r.Command(), Try: "nexios remove resource " + r.Name + " --dry-run"}
			if len(r.Older) > 0 {
				e.Label, e.Where = "older", strings.Join(r.Versions()[:len(r.Older)], " ")
			}
			return p, nil, e
		case at < 0:
			return p, nil, &problem.Error{What: fmt.Sprintf("%s has no version %q", r.Name, clip(version)), Label: "versions", Where: strings.Join(r.Versions(), " "), Try: "nexios list"}
		}
		r.Older = slices.Delete(slices.Clone(r.Older), at, at+1)
		if len(r.Older) == 0 {
			r.Older = nil
		}
		var err error
		if now, err = now.Replace(r); err != nil {
			return p, nil, withTry(err, func(string) string { return command + " --help" })
		}
		removed = append(removed, r)
	}
	return now, removed, nil
}

// older returns the index of the older version of that name, or -1.
func (r Resource) older(name string) int {
	return slices.IndexFunc(r.Older, func(v Version) bool { return v.Name == name })
}

// checkVersions rejects versions that nexios would not have recorded.
func (r Resource) checkVersions() error {
	last := 0
	for _, name := range r.Versions() {
		n, ok := versionNumber(name)
		if !ok || n <= last || r.ModelOnly {
			return unexpected("version", name)
		}
		last = n
	}
	if r.Version == "v1" || r.Version == "" && len(r.Older) > 0 {
		return unexpected("version", r.Version)
	}
	for _, v := range r.Older {
		if !day(v.Since) || v.Sunset != "" && !day(v.Sunset) {
			return unexpected("older.since", v.Since)
		}
		old := r
		old.Fields, old.Added, old.Changed, old.Indexes, old.Older, old.Version = v.Fields, nil, nil, nil, nil, ""
		normalized, err := ParseResource(old)
		if err != nil {
			return err
		}
		if !slices.Equal(normalized.Fields, v.Fields) {
			return unexpected("older.fields", strings.Join(v.Fields, " "))
		}
	}
	return nil
}

func versionNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "v")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0 && n < 1000 && name == "v"+strconv.Itoa(n)
}

func day(text string) bool { _, err := time.Parse(time.DateOnly, text); return err == nil }

// later returns the day half a year after since.
func later(since string) string {
	at, err := time.Parse(time.DateOnly, since)
	if err != nil {
		return since
	}
	return at.AddDate(0, 6, 0).Format(time.DateOnly)
}
