package adopt

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// Options are the options of the adopt command.
type Options struct {
	Tables []string          // the tables to adopt; empty for all
	Except []string          // tables to leave out
	Only   []string          // the actions to serve
	Guard  string            // who may call the routes; "" for reading only
	Key    []string          // the columns that identify the rows of a view, or of a table without a key
	Rename map[string]string // names of resources by table
}

// Line reports on one table.
type Line struct {
	Table    string   `json:"table"`
	Outcome  string   `json:"outcome"` // "whole", "partly" or "skipped"
	Resource string   `json:"resource,omitempty"`
	Why      []string `json:"why,omitempty"`   // why it is not complete
	Notes    []string `json:"notes,omitempty"` // other remarks
	// Drift lists how the table differs from its resource, if that is not changed.
	Drift []string `json:"drift,omitempty"`
}

// Outcomes of a table.
const (
	Whole   = "whole"
	Partly  = "partly"
	Skipped = "skipped"
)

// Of returns the project with the tables of the catalog, and a report on each. Resources
// of tables that were adopted before are made again.
func Of(p spec.Project, c Catalog, o Options) (spec.Project, []Line, error) {
	a, err := begin(p, c, o)
	if err != nil {
		return p, nil, err
	}
	// A table that does not fit is left out, and those that refer to it are made again
	// without the reference.
	for {
		list := a.resources()
		adopted, at, err := a.project.Adopt(list)
		if err == nil {
			return inPlace(p, adopted), a.report(), nil
		}
		refused, ok := errors.AsType[*problem.Error](err)
		if !ok || at >= len(a.made) {
			return p, nil, err
		}
		a.skipped[a.made[at]] = refused.What + ": see --rename and --except"
	}
}

// inPlace restores the order of existing resources.
func inPlace(old, now spec.Project) spec.Project {
	at := func(r spec.Resource) int {
		i := slices.IndexFunc(old.Resources, func(o spec.Resource) bool { return o.TableName() == r.TableName() })
		if i < 0 {
			return len(old.Resources)
		}
		return i
	}
	slices.SortStableFunc(now.Resources, func(x, y spec.Resource) int { return at(x) - at(y) })
	return now
}

// adoption is the working state.
type adoption struct {
	project spec.Project // without the resources that are made again
	options Options
	all     []Table                  // of the catalog
	tables  []Table                  // the chosen ones, sorted by name
	before  map[string]spec.Resource // resources to be made again, by table
	skipped map[string]string
	names   map[string][2]string // singular and plural, by table
	joins   map[string][]join    // fields that replace pure join tables, by the table that gets them
	alone   map[string]bool      // join tables that are served as resources
	lines   map[string]*Line
	made    []string // tables, in the order of the resources
}

func begin(p spec.Project, c Catalog, o Options) (*adoption, error) {
	if err := o.check(p); err != nil {
		return nil, err
	}
	a := &adoption{
		project: p, options: o, all: c.Tables, before: map[string]spec.Resource{}, skipped: map[string]string{},
		names: map[string][2]string{}, alone: map[string]bool{}, lines: map[string]*Line{},
	}
	var all []string
	for _, t := range c.Tables {
		all = append(all, t.Name)
	}
	for _, name := range slices.Concat(o.Tables, o.Except) {
		if !slices.Contains(all, name) {
			return nil, &problem.Error{What: fmt.Sprintf("the database has no table %q", name), Label: "tables", Where: strings.Join(all, " "), Try: "nexios adopt --all"}
		}
	}
	for table := range o.Rename {
		if !slices.Contains(all, table) {
			return nil, &problem.Error{What: fmt.Sprintf("the database has no table %q, in --rename", table), Label: "tables", Where: strings.Join(all, " "), Try: "nexios adopt --all"}
		}
	}
	for _, t := range c.Tables {
		if len(o.Tables) > 0 && !slices.Contains(o.Tables, t.Name) || slices.Contains(o.Except, t.Name) {
			continue
		}
		a.tables = append(a.tables, t)
		a.lines[t.Name] = &Line{Table: t.Name}
		if t.Skip != "" {
			a.skipped[t.Name] = t.Skip
			continue
		}
		at := slices.IndexFunc(p.Resources, func(r spec.Resource) bool { return r.Existing != nil && r.TableName() == t.Name })
		if at >= 0 {
			a.before[t.Name] = p.Resources[at]
		}
		said := spec.Resource{Name: t.Name, Fields: []string{"x:int"}}
		if name := o.Rename[t.Name]; name != "" {
			said.Name = name
		} else if at >= 0 {
			a.names[t.Name] = [2]string{p.Resources[at].Name, p.Resources[at].Plural}
			continue
		}
		r, err := spec.ParseResource(said)
		if err != nil {
			if a.skipped[t.Name] = "its name is not valid for a resource: see --rename " + t.Name + "=thing"; !plain.MatchString(t.Name) {
				a.skipped[t.Name] = "its name has characters other than letters, digits and _"
			}
			continue
		}
		a.names[t.Name] = [2]string{r.Name, r.Plural}
	}
	if len(a.tables) == 0 {
		return nil, &problem.Error{What: "no table is left", Label: "tables", Where: strings.Join(all, " "), Try: "nexios adopt --all"}
	}
	if err := a.checkKey(); err != nil {
		return nil, err
	}
	slices.SortFunc(a.tables, func(x, y Table) int { return strings.Compare(x.Name, y.Name) })
	a.project.Resources = slices.DeleteFunc(slices.Clone(p.Resources), func(r spec.Resource) bool {
		return r.Existing != nil && a.lines[r.TableName()] != nil
	})
	return a, nil
}

// check rejects options that do not suit any table.
func (o Options) check(p spec.Project) error {
	if _, err := spec.ParseResource(spec.Resource{Name: "thing", Fields: []string{"x:int"}, Only: o.Only, Guard: o.Guard}); err != nil {
		return retry(err, "nexios adopt --all")
	}
	if (o.Guard == "user" || o.Guard == "admin") && !p.HasFeature("auth") {
		return &problem.Error{What: "--guard " + o.Guard + " requires authentication", Try: "nexios add auth"}
	}
	for _, action := range spec.List(strings.Join(o.Only, "/")) {
		if o.Guard == "" && action != "list" && action != "show" {
			return &problem.Error{
				What: "--only " + action + " without --guard: who may change rows?", Label: "values", Where: "none user admin",
				Try: "nexios adopt --all --only " + strings.Join(o.Only, "/") + " --guard none",
			}
		}
	}
	return nil
}

// retry returns the error with another suggested command.
func retry(err error, command string) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	better := *e
	better.Try = strings.Replace(better.Try, "nexios add resource thing", command, 1)
	return &better
}

// checkKey rejects a key that no table has.
func (a *adoption) checkKey() error {
	if len(a.options.Key) == 0 {
		return nil
	}
	var keyless []string
	for _, t := range a.tables {
		if len(t.Key) > 0 || t.Skip != "" {
			continue
		}
		if t.holds(a.options.Key) {
			return nil
		}
		keyless = append(keyless, t.Name)
	}
	key := strings.Join(a.options.Key, ",")
	if len(keyless) == 0 {
		return &problem.Error{What: "--key " + key + ": each of the tables has a key", Try: "nexios adopt --all"}
	}
	return &problem.Error{
		What: "--key " + key + ": no table without a key has these columns", Label: "tables", Where: strings.Join(keyless, " "),
		Try: "nexios adopt " + keyless[0] + " --key COLUMN",
	}
}

func (a *adoption) report() []Line {
	var lines []Line
	for _, t := range a.tables {
		line := *a.lines[t.Name]
		if why, ok := a.skipped[t.Name]; ok {
			line = Line{Table: t.Name, Outcome: Skipped, Why: []string{why}}
		}
		lines = append(lines, line)
	}
	return lines
}

// resources makes the resources of all tables that are not skipped.
func (a *adoption) resources() []spec.Resource {
	var list []spec.Resource
	a.made = nil
	paired := a.pair()
	for _, t := range a.tables {
		if _, out := a.skipped[t.Name]; out || paired[t.Name] {
			continue
		}
		*a.lines[t.Name] = Line{Table: t.Name}
		r, err := a.resource(t)
		if old, again := a.before[t.Name]; err != nil && again {
			// Other resources may refer to it.
			r, *a.lines[t.Name] = old, Line{Table: t.Name, Why: []string{"it stays as it is: " + message(err)}, Drift: []string{"cannot be adopted again: " + message(err)}}
		} else if err != nil {
			a.skipped[t.Name] = message(err)
			return a.resources()
		}
		line := a.lines[t.Name]
		line.Resource, line.Outcome = r.Name, Whole
		if len(line.Why) > 0 {
			line.Outcome = Partly
		}
		list = append(list, r)
		a.made = append(a.made, t.Name)
	}
	for name := range paired {
		if a.lines[name].Outcome != Whole { // its rows could not be served as a field
			a.alone[name] = true
			return a.resources()
		}
	}
	rowless(list)
	return list
}

// message returns what is wrong, without the suggestion.
func message(err error) string {
	if e, ok := errors.AsType[*problem.Error](err); ok {
		return e.What
	}
	return err.Error()
}

// rowless marks the tables that cannot have a first row, and all tables with relations to
// tables that tests cannot insert rows into.
func rowless(list []spec.Resource) {
	needs := map[string][]string{} // tables that rows of a table must refer to
	for _, r := range list {
		fields, err := r.Parsed()
		if err != nil {
			continue
		}
		for _, f := range fields {
			if f.Type == "ref" && !f.Is("optional") {
				needs[r.Plural] = append(needs[r.Plural], spec.Table(f.Arg))
			}
		}
	}
	for i, r := range list {
		if reaches(needs, r.Plural, r.Plural, map[string]bool{}) {
			list[i].Existing.Rowless = true // no first row is possible
		}
	}
	without := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for i, r := range list {
			fields, err := r.Parsed()
			if err != nil || without[r.Plural] {
				continue
			}
			out := r.Existing.Rowless
			for _, f := range fields {
				out = out || f.Relation() && without[spec.Table(f.Arg)]
			}
			if out {
				without[r.Plural], changed, list[i].Existing.Rowless = true, true, true
			}
		}
	}
}

func reaches(needs map[string][]string, from, to string, seen map[string]bool) bool {
	for _, next := range needs[from] {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(needs, next, to, seen) {
				return true
			}
		}
	}
	return false
}

// resource makes the resource of a table.
func (a *adoption) resource(t Table) (spec.Resource, error) {
	line := a.lines[t.Name]
	name := a.names[t.Name]
	e := &spec.Existing{Docs: map[string]string{}}
	r := spec.Resource{Name: name[0], Table: t.Name, Guard: a.options.Guard, Only: a.options.Only, Existing: e}
	if spec.Plural(r.Name) != name[1] {
		r.Plural = name[1]
	}
	// Options of an earlier adoption apply unless overridden.
	old, again := a.before[t.Name]
	if of, is := a.joined(t.Name); is && !again {
		return r, errors.New("it is already served as rows of " + of.Plural)
	}
	if again {
		r.Migration, r.Indexes, r.Lock = old.Migration, old.Indexes, old.Lock
	}
	if a.options.Guard == "" && len(r.Only) == 0 {
		r.Only = []string{"list", "show"}
		if again {
			r.Guard, r.Only = old.Guard, old.Only
		}
	}
	if r.Guard == "" && a.project.HasFeature("auth") {
		r.Guard = "user"
	}
	if t.Comment != "" {
		e.Docs[""] = oneLine(t.Comment)
	}
	e.Key = t.Key
	if len(e.Key) == 0 && len(a.options.Key) > 0 && t.holds(a.options.Key) {
		e.Key = a.options.Key
	}
	if len(e.Key) == 0 && again && t.holds(old.Existing.Key) {
		e.Key = old.Existing.Key
	}
	if len(e.Key) == 0 && t.View {
		if _, ok := t.column("id"); ok {
			e.Key = []string{"id"}
		}
	}
	why := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(line.Why, text) {
			line.Why = append(line.Why, text)
		}
	}
	given := "" // the key column that the database generates
	if len(e.Key) == 1 && !t.View {
		c, _ := t.column(e.Key[0])
		kind := wholeNumber[c.Type]
		counted := kind && (c.Identity || strings.HasPrefix(c.Default, "nextval("))
		if !c.Hidden && (counted || c.Type == "uuid" && !a.isRef(t, c)) {
			given = c.Name
			r.UUID = c.Type == "uuid"
		}
		e.KeyType = c.Exact
		e.Rowless = c.Type == "boolean" // tests need three rows
	}
	userKey := len(t.Key) == 0 && !slices.ContainsFunc(t.Uniques, func(u []string) bool { return slices.Equal(u, e.Key) })
	if t.View || userKey {
		can := []string{"list", "show"}
		if len(e.Key) == 0 {
			can = can[:1]
		}
		r.Only, e.Rowless = both(r.Only, can), true
		if len(r.Only) == 0 {
			return r, errors.New("it can only be served to " + strings.Join(can, " and "))
		}
		if !t.View && len(t.Key) == 0 && len(e.Key) > 0 {
			line.Notes = append(line.Notes, "it is read-only: the database does not ensure that "+strings.Join(e.Key, ", ")+" identifies a row")
		} else if !t.View {
			why("it has no primary key, so it can only be listed: see --key")
		}
	}
	if t.ReadOnly {
		why("it is read-only: the user of DATABASE_URL may not write to it")
		if r.Only, e.Rowless = both(r.Only, []string{"list", "show"}), true; len(r.Only) == 0 {
			return r, errors.New("the user of DATABASE_URL may not write to it, so it can only be listed and shown")
		}
	}
	if !t.View {
		e.Created = times(t, createdNames)
		e.Updated = times(t, updatedNames)
	}
	taken := map[string]string{}
	for _, own := range [][2]string{{given, "ID"}, {e.Created, "CreatedAt"}, {e.Updated, "UpdatedAt"}} {
		if own[0] != "" {
			taken[strings.ToLower(own[1])] = own[0]
		}
	}
	checks := newRules(t, why)
	if len(checks.unread) > 0 {
		e.Rowless = true
	}
	grown, more := grown(old)
	for _, c := range t.Columns {
		if grown[c.Name] || c.folded(t) {
			continue
		}
		if c.Comment != "" {
			e.Docs[c.Name] = oneLine(c.Comment)
		}
		if c.Name == given || c.Name == e.Created || c.Name == e.Updated {
			continue
		}
		if c.Type == "tsvector" && !c.Array && !slices.Contains(e.Key, c.Name) {
			if e.Vector == "" {
				e.Vector = c.Name
				line.Notes = append(line.Notes, c.Name+" is only searched")
			}
			continue
		}
		if err := a.column(&r, t, c, taken, checks, why); err != nil {
			delete(e.Docs, c.Name)
			if slices.Contains(e.Key, c.Name) {
				return r, fmt.Errorf("its key %s cannot be served: %w", c.Name, err)
			}
			why("%s is left out: %v", c.Name, err)
			if !c.Null && c.Default == "" && !c.Always && !c.Identity {
				why("it is read-only, since a new row needs %s", c.Name)
				if r.Only, e.Rowless = both(r.Only, []string{"list", "show"}), true; len(r.Only) == 0 {
					return r, errors.New("it can only be listed and shown, since a new row needs " + c.Name)
				}
			}
		}
	}
	if len(old.Changed) > 0 {
		return a.changed(old, r, t), nil
	}
	a.many(&r, t, taken)
	r.Fields, r.Added = append(r.Fields, more...), old.Added
	if len(r.Fields) == 0 {
		return r, errors.New("only its key column can be served")
	}
	if len(e.Docs) == 0 {
		e.Docs = nil
	}
	return spec.ParseResource(r)
}

// both returns the actions of can that are in some; an empty some stands for all.
func both(some, can []string) []string {
	if len(some) == 0 {
		return can
	}
	some = spec.List(strings.Join(some, "/"))
	return slices.DeleteFunc(slices.Clone(can), func(action string) bool { return !slices.Contains(some, action) })
}

// changed returns a resource with columns that the project's own migrations have changed:
// it stays as it is, and the differences are reported. made is the resource made of the
// other columns of its table.
func (a *adoption) changed(old, made spec.Resource, t Table) spec.Resource {
	line := a.lines[t.Name]
	for _, word := range made.Fields {
		line.Drift = append(line.Drift, "has "+word)
		line.Why = append(line.Why, "it was changed since: for a new column, nexios add field "+old.Name+" "+word)
	}
	fields, err := old.Parsed()
	if err != nil {
		return old
	}
	for i, f := range fields {
		pending := slices.ContainsFunc(old.Added, func(more spec.Addition) bool { return slices.Contains(more.Fields, f.Name) })
		if _, there := t.column(f.Column()); f.Column() != "" && !there && !pending {
			line.Drift = append(line.Drift, "lacks "+old.Fields[i])
			line.Why = append(line.Why, "it was changed since: for a dropped column, nexios remove field "+old.Name+" "+f.Name)
		}
	}
	return old
}

// grown returns the columns that the project's own migrations have added to a table since
// it was adopted, and the definitions of their fields.
func grown(old spec.Resource) (columns map[string]bool, words []string) {
	columns = map[string]bool{}
	fields, err := old.Parsed()
	if err != nil {
		return columns, nil
	}
	for i, f := range fields {
		_, joined := old.Join(f)
		added := slices.ContainsFunc(old.Added, func(more spec.Addition) bool { return slices.Contains(more.Fields, f.Name) })
		if added || len(old.Changed) > 0 || f.Type == "has" || f.Type == "many" && !joined {
			words = append(words, old.Fields[i])
			columns[f.Column()] = true
		}
	}
	return columns, words
}

func (a *adoption) isRef(t Table, c Column) bool {
	return slices.ContainsFunc(t.Refs, func(r Ref) bool { return slices.Contains(r.Columns, c.Name) })
}

var wholeNumber = map[string]bool{"smallint": true, "integer": true, "bigint": true}

var (
	createdNames = []string{"created_at", "createdat", "created_on", "created", "create_date", "create_time", "date_created", "creation_date", "inserted_at"}
	updatedNames = []string{"updated_at", "updatedat", "last_update", "last_updated", "updated_on", "updated", "update_date", "update_time", "modified_at", "modified", "last_modified", "date_modified", "modifieddate"}
)

// times returns the column with one of the names that contains a timestamp of the row; ""
// for none.
func times(t Table, names []string) string {
	for _, name := range names {
		for _, c := range t.Columns {
			if strings.ToLower(c.Name) == name && strings.HasPrefix(c.Type, "timestamp") && !c.Null && !c.Array && !c.Always && !c.Hidden && !slices.Contains(t.Key, c.Name) {
				return c.Name
			}
		}
	}
	return ""
}

var secret = regexp.MustCompile(`(?i)password|secret|token|hash`)

var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// column adds the field of a column, with the most specific definition that fits. The
// error is the reason why there is none.
func (a *adoption) column(r *spec.Resource, t Table, c Column, taken map[string]string, checks rules, why func(string, ...any)) error {
	line := a.lines[t.Name]
	goName := ""
	if plain.MatchString(c.Name) {
		goName = view.GoName(c.Name)
	}
	switch {
	case c.Hidden:
		return errors.New("the user of DATABASE_URL may not read it")
	case goName == "":
		return errors.New("its name has characters other than letters, digits and _")
	case goName == "TableName" || goName == "Readable" || goName == "Writable":
		return errors.New("models have a method of this name")
	case !isLetter(goName[0]):
		return errors.New("its name does not start with a letter")
	case taken[strings.ToLower(goName)] != "":
		return errors.New("its name is that of " + taken[strings.ToLower(goName)] + " in Go")
	}
	var words []string
	key := slices.Contains(r.Existing.Key, c.Name)
	hidden := secret.MatchString(c.Name) && !key
	words = append(words, a.refs(r, t, c, taken, why)...)
	kinds, err := kindsOf(c, checks)
	if err != nil && len(words) == 0 {
		return err
	}
	column := ":column=" + c.Name
	reasons := map[string]string{}
	for _, k := range kinds {
		word := fieldName(c.Name) + ":" + k.word + column
		if strings.Contains(k.word, ":array") {
			word = strings.Replace(word, ":array", "", 1) + ":array"
		}
		words = append(words, word)
		reasons[word] = k.why
	}
	mods := modifiers(c, t, key, len(r.Existing.Key) == 1, hidden)
	if t.View || len(r.Existing.Key) == 0 {
		mods = append(mods, "sort", "filter")
	}
	var refused error
	for _, word := range words {
		field, err := best(word, c, mods, hidden, key)
		if err != nil {
			refused = err
			continue
		}
		err = takes(*r, field.String())
		if err != nil && field.Is("filter") { // there may be too many filters
			delete(field.Mods, "filter")
			if err = takes(*r, field.String()); err == nil && !line.unfiltered() {
				line.Notes = append(line.Notes, c.Name+" and columns behind it "+unfiltered)
			}
		}
		if err != nil {
			refused = err
			continue
		}
		if hidden && !field.Is("secret") {
			refused = errors.New("it looks like a secret, but its type cannot be secret")
			continue
		}
		r.Fields = append(r.Fields, shortest(field).String())
		taken[strings.ToLower(goName)] = c.Name
		if field.Type == "ref" {
			taken[strings.ToLower(view.GoName(field.Name))] = c.Name
		}
		if reason := reasons[word]; reason != "" {
			why("%s %s", c.Name, reason)
		}
		if hidden {
			line.Notes = append(line.Notes, c.Name+" is secret: never in responses")
		}
		return nil
	}
	if refused == nil {
		refused = errors.New("its type " + c.Type + " is not known")
	}
	if e, ok := errors.AsType[*problem.Error](refused); ok {
		refused = errors.New(e.What)
	}
	return refused
}

// takes returns the error of a resource with one field more.
func takes(r spec.Resource, word string) error {
	r.Plural, r.Table = "", ""
	r.Fields = append(slices.Clone(r.Fields), word)
	_, err := spec.ParseResource(r)
	return err
}

// unfiltered is reported once per table.
const unfiltered = "are not filters: a list takes a limited number of parameters"

func (l *Line) unfiltered() bool {
	return slices.ContainsFunc(l.Notes, func(what string) bool { return strings.HasSuffix(what, unfiltered) })
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// fieldName returns the name of the field of a column.
func fieldName(column string) string {
	if name := spec.Snake(strings.Trim(column, "_")); name != "" {
		return name
	}
	return "x_" + strings.ToLower(strings.Trim(column, "_"))
}

// best returns the field with as many of the modifiers as are valid.
func best(word string, c Column, mods []string, hidden, key bool) (spec.Field, error) {
	need := ""
	if hidden {
		need += ":secret"
	}
	if c.Null && !key {
		need += ":optional"
	}
	if c.Always || c.Identity && !key {
		need += ":auto:readonly"
	}
	field, err := spec.ParseField(word + need)
	if value, ok := constant(c.Default); err == nil && !c.Always && !c.Identity && c.Default != "" && !key {
		with, errWith := spec.ParseField(word + need + ":default=" + value)
		if !ok || errWith != nil {
			with, errWith = spec.ParseField(word + need + ":auto")
		}
		if errWith == nil {
			field = with
		}
	}
	if err != nil {
		return field, err
	}
	for _, mod := range mods {
		if slices.Contains([]string{"sort", "filter", "unique"}, mod) && (hidden && mod != "unique" || field.Is("array")) {
			continue
		}
		if more, err := spec.ParseField(field.String() + ":" + mod); err == nil {
			field = more
		}
	}
	return field, nil
}

// shortest returns the field without the name of its column if that is the default.
func shortest(f spec.Field) spec.Field {
	column := f.Column()
	delete(f.Mods, "column")
	if f.Column() != column {
		f.Mods["column"] = column
	}
	return f
}

// modifiers returns the modifiers that a field may have, the most important first.
func modifiers(c Column, t Table, key, alone, hidden bool) []string {
	var mods []string
	if key {
		mods = append(mods, "immutable")
		if alone {
			mods = append(mods, "unique")
		}
	}
	if slices.ContainsFunc(t.Uniques, func(u []string) bool { return len(u) == 1 && u[0] == c.Name }) {
		mods = append(mods, "unique")
	}
	indexed := slices.Contains(t.Indexed, c.Name)
	if indexed && !hidden {
		mods = append(mods, "sort", "filter")
	}
	if (len(c.Enum) > 0 || c.Type == "boolean") && !hidden {
		mods = append(mods, "filter")
	}
	return mods
}

// refs returns definitions for a column that refers to another table; none if it is served
// as a plain value.
func (a *adoption) refs(r *spec.Resource, t Table, c Column, taken map[string]string, why func(string, ...any)) []string {
	var words []string
	for _, ref := range t.Refs {
		if !slices.Contains(ref.Columns, c.Name) {
			continue
		}
		names, known := a.names[ref.Table]
		_, out := a.skipped[ref.Table]
		at := slices.IndexFunc(a.tables, func(other Table) bool { return other.Name == ref.Table })
		switch {
		case len(ref.Columns) > 1:
			why("%s is not a relation: it refers to %s by several columns", c.Name, ref.Table)
			r.Existing.Rowless = true
			continue
		case (at < 0 || out) && a.there(ref.Table):
			names, _ = a.named(ref.Table)
		case !known || out || at < 0:
			why("%s is not a relation: %s is not adopted", c.Name, ref.Table)
			r.Existing.Rowless = r.Existing.Rowless || !c.Null
			continue
		case !slices.Equal(ref.Targets, a.tables[at].Key):
			why("%s is not a relation: it refers to %s of %s, which is not its key", c.Name, strings.Join(ref.Targets, ", "), ref.Table)
			r.Existing.Rowless = r.Existing.Rowless || !c.Null
			continue
		case ref.Table == t.Name && !c.Null:
			why("%s is not a relation: it must refer to its own table", c.Name)
			r.Existing.Rowless = true
			continue
		}
		target := ref.Targets[0]
		for _, name := range []string{
			strings.TrimSuffix(fieldName(c.Name), "_id"),
			strings.TrimSuffix(fieldName(c.Name), "_"+fieldName(target)),
			fieldName(c.Name) + "_" + names[0],
		} {
			if _, column := t.column(name); column || name == fieldName(c.Name) || taken[strings.ToLower(view.GoName(name))] != "" || slices.Contains(reservedRelations, name) {
				continue
			}
			word := name + ":ref=" + names[1] + ":column=" + c.Name
			if ref.OnDelete == "cascade" || ref.OnDelete == "null" && c.Null {
				word += ":ondelete=" + ref.OnDelete
			}
			words = append(words, word+":filter")
		}
	}
	return words
}

var reservedRelations = []string{"table_name", "id"}

// there reports whether the project has a resource of the table already, and named returns
// its names.
func (a *adoption) there(table string) bool { _, ok := a.named(table); return ok }

func (a *adoption) named(table string) ([2]string, bool) {
	for _, r := range a.project.Resources {
		if r.TableName() == table {
			return [2]string{r.Name, r.Plural}, true
		}
	}
	return [2]string{}, false
}

// constant returns the value of a default expression, if it can be written in a field
// definition.
func constant(expression string) (string, bool) {
	m := constantForm.FindStringSubmatch(expression)
	if m == nil {
		return "", false
	}
	value := m[2]
	if m[1] == "" {
		value = m[3]
	}
	if value == "" || !safe.MatchString(value) || strings.EqualFold(value, "null") || strings.Contains(value, "CURRENT") {
		return "", false
	}
	return value, true
}

var (
	constantForm = regexp.MustCompile(`^\(?(?:(')(.*)'|(-?[0-9.]+|true|false))\)?(?:::[a-z "_0-9.()\[\]]+)?$`)
	safe         = regexp.MustCompile(`^[A-Za-z0-9 _.,/@+-]+$`)
)

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
