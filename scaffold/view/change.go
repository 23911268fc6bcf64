package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Changes reports whether the last change of r, a resource of p, alters its table. Other
// changes do not affect the database.
func Changes(p spec.Project, r spec.Resource) (bool, error) {
	_, history, err := r.History()
	if err != nil || len(history) == 0 {
		return false, err
	}
	step := history[len(history)-1]
	before, err := asOf(p, step.Before, step.Migration)
	if err != nil {
		return false, err
	}
	after, err := asOf(p, step.After, step.Migration)
	if err != nil {
		return false, err
	}
	m, err := after.change(step, before)
	return err == nil && len(m.Up.First)+len(m.Up.Last) > 0, err
}

// change returns the migration that changes the resource's table from its state in before.
func (w resource) change(step spec.Step, before resource) (m Migration, err error) {
	own := w.r.TableName()
	was, is := before.part(step, false), w.part(step, true)
	h := snapshots(was, is, step.Migration)
	m = h.m
	m.Online = true
	verb, what := named(step)
	m.ID = step.Migration + "_" + verb + "_" + what + map[string]string{"add": "_to_", "remove": "_from_"}[verb]
	if verb == "change" || verb == "rename" {
		m.ID += "_of_"
	}
	m.ID += spec.Snake(own)
	_, words, _ := strings.Cut(m.ID, "_")
	m.Func = strings.ToLower(words[:1]) + exported(words)[1:] + w.apart(step.Migration)

	hb, ha := h.of(was), h.of(is)
	beforeLines, afterLines := hb.columns(false), ha.columns(false)
	beforeLines = append(beforeLines, hb.extraColumns(before, w)...)
	afterLines = append(afterLines, ha.extraColumns(w, before)...)
	change := "db.ChangeTable"
	if verb == "rename" {
		change = "db.RenameColumn"
	}
	var up, down []string
	if !slices.Equal(beforeLines, afterLines) {
		m.Local = []Table{
			{Name: "before", Fields: append([]Line{h.primary()}, beforeLines...)},
			{Name: "after", Fields: append([]Line{h.primary()}, afterLines...)},
		}
		for _, name := range slices.Sorted(maps.Keys(step.Fill)) {
			fill, err := ha.fillStep(is, name, step.Fill[name])
			if err != nil {
				return m, err
			}
			up = append(up, fill)
		}
		up = append(up, h.changeStep(change, "before", "after"))
		if down, err = hb.back(change, is, beforeLines, &m); err != nil {
			return m, err
		}
	}
	// Join tables of many fields.
	made, gone := ha.joins(), hb.joins()
	for i := range step.Fields {
		from, to := before.many(step.Fields[i].From), w.many(step.Fields[i].To)
		if from == nil || to == nil || from.Name == to.Name {
			continue
		}
		more, back := renameJoin(before, w, *from, *to)
		up, down = append(up, more...), append(back, down...)
		made, gone = ha.joinsBut(*to), hb.joinsBut(*from)
	}
	create := func(tables []Table) string {
		var list []string
		for _, t := range tables {
			list = append(list, "&"+t.Name+"{}")
		}
		return "db.CreateTables(tx, " + strings.Join(list, ", ") + ")"
	}
	drop := func(tables []Table) string {
		var list []string
		for _, t := range slices.Backward(tables) {
			list = append(list, quoted(t.Table))
		}
		return "tx.Migrator().DropTable(" + strings.Join(list, ", ") + ")"
	}
	if len(made) > 0 {
		up, down = append(up, create(made)), append([]string{drop(made)}, down...)
	}
	if len(gone) > 0 {
		up, down = append([]string{drop(gone)}, up...), append(down, create(gone))
	}
	if a, b := before.searched(), w.searched(); !slices.Equal(before.searchedForms(), w.searchedForms()) {
		around := func(list []string, from, to []string) []string {
			if len(from) > 0 {
				list = append([]string{searchIndex(own, nil)}, list...)
			}
			if len(to) > 0 {
				list = append(list, searchIndex(own, to))
			}
			return list
		}
		up, down = around(up, a, b), around(down, b, a)
	}
	if len(up) == 0 {
		return m, nil
	}
	m.File = fileName(m.ID)
	if len(made)+len(gone) > 0 || slices.ContainsFunc(slices.Concat(beforeLines, afterLines), func(l Line) bool {
		return slices.Contains(slices.Collect(maps.Values(h.names)), strings.TrimPrefix(l.Type, "*"))
	}) {
		m.Types = h.stubs()
		if own := h.ownStub(slices.Concat(beforeLines, afterLines), made, gone); own != nil {
			m.Types = append(m.Types, *own)
		}
		m.Types = append(append(m.Types, made...), gone...)
	}
	m.Up, m.Down = steps(up), steps(down)
	m.Imports = imports(w.p.Module, slices.Concat(h.paths, hb.paths, ha.paths)...)
	return m, nil
}

// renamed returns the migration that renames the resource's tables, without an ID if none
// is renamed.
func (w resource) renamed(step spec.Step, before resource) (m Migration) {
	from, to := before.r.TableName(), w.r.TableName()
	var up, down []string
	if from != to {
		up, down = []string{renameTable(from, to, w.searched())}, []string{renameTable(to, from, w.searched())}
	}
	for i, f := range w.related("many") {
		more, back := renameJoin(before, w, before.related("many")[i], f)
		up, down = append(up, more...), append(back, down...)
	}
	if len(up) == 0 {
		return m
	}
	m.ID = step.Migration + "_rename_" + spec.Snake(from) + "_to_" + spec.Snake(to)
	m.Func = "rename" + exported(spec.Snake(from)) + "To" + exported(spec.Snake(to))
	m.File, m.Online = fileName(m.ID), true
	m.Up, m.Down = steps(up), steps(down)
	m.Imports = imports(w.p.Module, gormImport, dbImport)
	return m
}

// many returns the many field with that definition, or nil.
func (w resource) many(word string) *field {
	for _, f := range w.related("many") {
		if word != "" && f.Name == fieldName(word) {
			return &f
		}
	}
	return nil
}

// joinsBut returns the join tables except that of one field.
func (h *history) joinsBut(one field) []Table {
	return slices.DeleteFunc(h.joins(), func(t Table) bool { return t.Table == h.w.r.JoinTable(one.Field) })
}

func renameTable(from, to string, searched []string) string {
	words := []string{"tx", quoted(from), quoted(to)}
	for _, column := range searched {
		words = append(words, quoted(column))
	}
	return "db.RenameTable(" + strings.Join(words, ", ") + ")"
}

// renameJoin returns the statements that rename one join table to another, and back.
func renameJoin(before, after resource, was, is field) (up, down []string) {
	from, to := before.r.JoinTable(was.Field), after.r.JoinTable(is.Field)
	if from == to {
		return nil, nil
	}
	up, down = []string{renameTable(from, to, nil)}, []string{renameTable(to, from, nil)}
	oldMine, oldOther := before.joined(was)
	mine, other := after.joined(is)
	for _, pair := range [][2]string{{oldMine, mine}, {oldOther, other}} {
		if old, now := quoted(pair[0]), quoted(pair[1]); old != now {
			up = append(up, "db.RenameJoined(tx, "+quoted(to)+", "+old+", "+now+")")
			down = append([]string{"db.RenameJoined(tx, " + quoted(to) + ", " + now + ", " + old + ")"}, down...)
		}
	}
	return up, down
}

// named returns the verb and the subject of a change, for the name of its migration.
func named(step spec.Step) (verb, what string) {
	var names []string
	for _, f := range step.Fields {
		switch {
		case f.To == "":
			verb = "remove"
		case fieldName(f.From) != fieldName(f.To):
			return "rename", fieldName(f.From) + "_to_" + fieldName(f.To)
		default:
			verb = "change"
		}
		names = append(names, fieldName(f.From))
	}
	if len(names) > 0 {
		return verb, some(names)
	}
	for _, x := range step.Indexes {
		word := x.To
		if verb = "add"; word == "" {
			verb, word = "remove", x.From
		}
		index := spec.ParseIndex(word)
		names = append(names, strings.Join(index.Fields, "_")+map[bool]string{true: "_unique"}[index.Unique]+"_index")
	}
	return verb, some(names)
}

// part returns the resource reduced to what a step changes.
func (w resource) part(step spec.Step, after bool) resource {
	names := map[string]bool{}
	for _, f := range step.Fields {
		word := f.From
		if after {
			word = f.To
		}
		names[fieldName(word)] = true
	}
	p := w.without(func(name string) bool { return !names[name] })
	p.r.Owner, p.made, p.r.Indexes = false, true, nil
	for _, x := range step.Indexes {
		word := x.From
		if after {
			word = x.To
		}
		if word != "" {
			p.r.Indexes = append(p.r.Indexes, word)
		}
	}
	return p
}

// snapshots names the tables that either of two parts needs.
func snapshots(was, is resource, time string) *history {
	both := is
	both.fields = slices.Clone(is.fields)
	for _, f := range was.fields {
		if !slices.ContainsFunc(both.fields, func(o field) bool { return o.Name == f.Name }) {
			both.fields = append(both.fields, f)
		}
	}
	return both.snapshot(time)
}

// of returns the history of a part, with the same names.
func (h *history) of(w resource) *history {
	return &history{w: w, targets: h.targets, names: h.names, changing: true}
}

// changeStep changes the columns of one local type to those of another.
func (h *history) changeStep(change, from, to string) string {
	return change + "(tx, " + quoted(h.w.r.TableName()) + ", &" + from + "{}, &" + to + "{})"
}

// fillStep sets a field of w in the rows where it is null.
func (h *history) fillStep(w resource, name, text string) (string, error) {
	at := slices.IndexFunc(w.fields, func(f field) bool { return f.Name == name })
	if at < 0 {
		return "", fmt.Errorf("%s: no field %s to fill", w.r.Name, name)
	}
	f := w.fields[at]
	value, err := f.Value(text)
	if err != nil {
		return "", fmt.Errorf("%s: fill %s: %w", w.r.Name, name, err)
	}
	h.paths = append(append(h.paths, f.goImports()...), f.row.Constants...)
	return "db.Fill(tx, " + quoted(w.r.TableName()) + ", " + quoted(f.Column()) + ", " + value.Go + ")", nil
}

// back returns the steps that restore the columns of h, which lines declares. A restored
// required column is filled with a neutral value.
func (h *history) back(change string, now resource, lines []Line, m *Migration) ([]string, error) {
	fills := map[string]string{}
	for _, f := range h.w.columns() {
		_, isDefault := f.Default()
		if isDefault || f.Is("optional") || f.Is("unique") || f.Is("array") || len(now.fields) > 0 {
			continue
		}
		if text, ok := f.neutral(); ok {
			fills[f.Name] = text
		}
	}
	if len(fills) == 0 {
		return []string{h.changeStep(change, "after", "before")}, nil
	}
	filling := h.of(h.w)
	m.Local = append(m.Local, Table{Name: "filling", Fields: append([]Line{h.primary()}, append(filling.filling(fills), lines[len(lines)-countExtra(lines):]...)...)})
	steps := []string{h.changeStep(change, "after", "filling")}
	for _, name := range slices.Sorted(maps.Keys(fills)) {
		fill, err := h.fillStep(h.w, name, fills[name])
		if err != nil {
			return nil, err
		}
		steps = append(steps, fill)
	}
	return append(steps, h.changeStep(change, "filling", "before")), nil
}

// neutral returns a placeholder for a lost value, in the notation of a field definition.
func (f field) neutral() (string, bool) {
	if f.row.Listed {
		first, _, _ := strings.Cut(f.Arg, "/")
		return first, true
	}
	if f.Relation() || f.row.Upload {
		return "", false
	}
	for _, text := range []string{"", "0", "false", "null"} {
		if _, err := f.Value(text); err == nil {
			return text, true
		}
	}
	for _, sample := range f.Samples(1) {
		return sample.Text, true
	}
	return "", false
}

// filling returns the columns while those of fill may still be null.
func (h *history) filling(fill map[string]string) []Line {
	was := h.w
	defer func() { h.w = was }()
	h.w.fields = slices.Clone(was.fields)
	for i, f := range h.w.fields {
		if _, ok := fill[f.Name]; ok {
			f.Mods = maps.Clone(f.Mods)
			f.Mods["optional"] = ""
			h.w.fields[i] = f
		}
	}
	return h.columns(false)
}

// fill makes added columns required, and fills them in existing rows.
func (h *history) fill(step spec.Step) error {
	if len(step.Fill) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(step.Fill)) {
		fill, err := h.fillStep(h.w, name, step.Fill[name])
		if err != nil {
			return err
		}
		h.filled = append(h.filled, fill)
	}
	only := h.w.without(func(name string) bool { _, ok := step.Fill[name]; return !ok })
	only.r.Indexes = nil
	h.local = []Table{
		{Name: "filling", Fields: append([]Line{h.primary()}, h.of(only).filling(step.Fill)...)},
		{Name: "filled", Fields: append([]Line{h.primary()}, h.of(only).columns(false)...)},
	}
	h.filled = append(h.filled, h.changeStep("db.ChangeTable", "filling", "filled"))
	return nil
}

// extraColumns returns the columns that are not h's fields, but part of their indexes and
// references. all is the complete resource before or after the change, other the resource
// on the other side of it.
func (h *history) extraColumns(all, other resource) []Line {
	var lines []Line
	if h.w.r.Organisation {
		lines = append(lines, Line{Name: "OrganisationID", Type: "int64", Tag: tag("gorm", h.organisation("->"))})
	}
	own := map[string]bool{}
	for _, f := range h.w.columns() {
		own[f.Column()] = true
	}
	folds := slices.ContainsFunc(h.w.columns(), func(f field) bool { return f.Mods["unique"] == "nocase" })
	if owned := h.owned(); owned != "" || h.w.r.Within() == "user_id" && folds {
		own["user_id"] = true
		lines = append(lines, Line{Name: "UserID", Type: "int64", Tag: tag("gorm", h.also("->"+owned, "user_id"))})
	}
	for _, word := range h.w.r.Indexes {
		for _, column := range spec.ParseIndex(word).Columns(all.r) {
			if own[column] {
				continue
			}
			own[column] = true
			line := Line{Name: exported(column), Type: "time.Time"}
			switch column {
			case "created_at", "updated_at":
				h.paths = append(h.paths, "time")
			case "user_id":
				line.Type = "int64"
			default:
				f := all.without(func(name string) bool { return false })
				f.fields = slices.DeleteFunc(f.fields, func(f field) bool { return f.Column() != column })
				f.r.Indexes = nil
				of := h.of(f)
				line = of.columns(false)[0]
				h.paths = append(h.paths, of.paths...)
			}
			how := append([]string{"->"}, h.composite(column)...)
			if name := columnName(column); name != "" {
				how = append([]string{name}, how...)
			}
			line.Tag = tag("gorm", strings.Join(how, ";"))
			lines = append(lines, line)
		}
	}
	if lists := h.listed("created_at"); lists != "" {
		if at := slices.IndexFunc(lines, func(l Line) bool { return l.Name == "CreatedAt" }); at >= 0 {
			lines[at].Tag = tag("gorm", h.also("->"+lists, "created_at"))
		} else {
			h.paths = append(h.paths, "time")
			lines = append(lines, Line{Name: "CreatedAt", Type: "time.Time", Tag: tag("gorm", "->"+lists)})
		}
	}
	has, had := all.hasNotDeleted(), other.hasNotDeleted()
	if h.w.hasNotDeleted() || has && !had {
		how := "->"
		if !had {
			how = notDeleted
		}
		lines = append(lines, Line{Name: "NotDeleted", Type: "*int", Tag: tag("gorm", how+h.live())})
	}
	return lines
}

// countExtra counts the lines at the end that extraColumns added.
func countExtra(lines []Line) int {
	n := 0
	for _, line := range slices.Backward(lines) {
		if !strings.Contains(line.Tag, "->") && line.Name != "NotDeleted" {
			break
		}
		n++
	}
	return n
}

// composite returns the tags of a column's indexes over several columns.
func (h *history) composite(column string) []string {
	var tags []string
	for _, word := range h.w.r.Indexes {
		x := spec.ParseIndex(word)
		if at := slices.Index(x.Columns(h.w.r), column); at >= 0 {
			tags = append(tags, h.indexTag(x, at+2)) // after organisation_id
		}
	}
	return tags
}

// also extends a tag with those of the column's indexes over several columns.
func (h *history) also(how, column string) string {
	return strings.Join(append([]string{how}, h.composite(column)...), ";")
}

// first returns the column that an index starts with in addition to its own; "" for none.
func (h *history) first(x spec.Index) string {
	if h.w.r.Organisation || x.Unique && !slices.Contains(x.Fields, "user_id") {
		return h.w.r.Within()
	}
	return ""
}

// indexTag returns the tag that makes a column part of an index, at a position.
func (h *history) indexTag(x spec.Index, priority int) string {
	columns := x.Columns(h.w.r)
	if first := h.first(x); first != "" {
		columns = append([]string{first}, columns...)
	}
	name := short("idx_" + h.w.r.TableName() + "_" + strings.Join(columns, "_"))
	kind := "index"
	if x.Unique {
		kind = "uniqueIndex"
	}
	return fmt.Sprintf("%s:%s,priority:%d", kind, name, priority)
}

// ownStub returns the table itself if something refers to it, or nil.
func (h *history) ownStub(lines []Line, joins ...[]Table) *Table {
	name := h.names[h.w.r.TableName()]
	refers := func(l Line) bool { return strings.TrimPrefix(l.Type, "*") == name }
	for _, t := range slices.Concat(joins...) {
		lines = append(slices.Clone(lines), t.Fields...)
	}
	if !slices.ContainsFunc(lines, refers) {
		return nil
	}
	t := Table{Name: name, Table: h.w.r.TableName(), Fields: []Line{h.primary()}}
	if h.w.r.Organisation {
		t.Fields = append(t.Fields, Line{Name: "OrganisationID", Type: "int64"})
	}
	return &t
}
