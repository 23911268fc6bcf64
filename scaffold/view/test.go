package view

import (
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Test is the file of the room's tests. They work with three rows, whose
// values are chosen so that every expected answer is known here.
type Test struct {
	Imports  string
	Guarded  bool     // some route asks for a token
	ReadOpen bool     // none is needed to read
	Role     string   // of who asks
	Uploads  string   // names of uploads that rows refer to, quoted, with commas
	Parents  []string // rows that others refer to, as Go expressions
	Rows     []Row    // rows of the table itself
	Bodies   []Row    // bodies that pass every rule

	Told    string // keys of a body that the answer repeats, quoted, with commas
	Secrets []string
	Loaded  []string // keys of the rows that an answer brings along
	Lists   []string // keys of lists of rows

	Broken   []Case // values that break a rule
	Spoiled  Case   // one of those, and alone
	Edges    []Case // values that only just pass
	Changes  []Case // values that a partial update sets
	Kept     []Case // values that a partial update does not take
	Taken    []Case // values of the first row that no second may have
	Retaken  []Case // those that an update may set
	Absent   []Case // references to rows that are not there
	Joins    []Join // many fields that an update may set
	Attached Attached
	Queries  []Query
	Sorts    []Sort
	Refused  []string // quoted query strings that are 422
	OnDelete []OnDelete
	Guards   []Guard
	Keys     string // quoted keys that no row has, with commas
	Forged   string // Go expression of a key that a client may not set
	Visible  int    // with Owner: how many of the three rows another user sees

	// What of the file's own helpers is used.
	Writes, Stored, Keyed, Same, Names, Counted, Owned bool
}

// Join is a many field in tests.
type Join struct {
	Name                   string // for the test's name
	Field                  string // key of the rows
	Key                    string // key of their keys
	First, Second, Missing string // Go expressions of keys
}

// Attached are the fields that name uploads, and names that they do not take.
type Attached struct {
	Create string // the fields of new rows, quoted, with commas
	Update string // those that an update may set
	More   string // the name of one more upload of who asks, quoted
	None   string // a name that no upload has, quoted
	Others string // the name of another user's upload, quoted; "" where that will do
}

// Guard is a request and what it answers to nobody and to a plain user.
type Guard struct {
	Method, Path string
	Nobody, Bob  int
}

// Row is a row or a body: the keys and values of a literal.
type Row []Cell

// Cell is one key of a literal with its Go expression.
type Cell struct{ Key, Value string }

// Case is a value of one field of a body.
type Case struct {
	Field string // quoted key
	Value string // Go expression
	Rule  string // quoted: the rule it breaks
	Want  string // Go expression of what comes back
}

// Query is a query string and how many rows it leaves.
type Query struct {
	Query string // quoted
	Want  int
}

// Sort is a column and the rows in its order, by position.
type Sort struct {
	By    string
	Order string // "0, 2, 1"
}

// OnDelete is what happens when a row that is referred to goes.
type OnDelete struct {
	Type     string // of the row
	ID       string // Go expression of its key
	Name     string // for the test's name
	Field    string // of the model
	Cascade  bool
	Null     bool
	Restrict bool
}

// parentID is the key of the i-th row that others refer to: out of the way of
// those that a database counts.
func parentID(r spec.Resource, i int) (goText, json string) {
	if r.UUID {
		id := fmt.Sprintf("0192e4a0-7b3c-7d10-8000-%012d", 101+i)
		return "uuid.MustParse(" + quoted(id) + ")", quoted(id)
	}
	id := strconv.Itoa(101 + i)
	return id, id
}

func (w resource) test(v Resource) (Test, error) {
	t := Test{Keys: `"999999", "0", "-1", "abc", "99999999999999999999"`, Forged: "987654"}
	if w.r.UUID {
		id := quoted("ffffffff-ffff-4fff-8fff-ffffffffffff")
		t.Keys, t.Forged = id+`, "0", "abc"`, id
	}
	t.Guarded = w.r.Owner || w.r.Guard == "user" || w.r.Guard == "admin" && v.Room.Writes != "" && v.Room.changes()
	if w.r.Guard == "admin" {
		t.Role = "admin"
	}
	t.Writes = w.serves("create") || w.serves("bulk")
	t.Stored = w.serves("list") || w.serves("show") || w.serves("update") || w.serves("delete")
	t.Keyed = w.serves("create") || w.serves("show") || w.serves("update") || w.serves("delete")
	if !w.serves("show") && !w.serves("update") && !w.serves("delete") {
		t.Keys = ""
	}
	t.Owned = w.r.Owner && t.Stored
	if w.r.Public != "" {
		t.Visible = 1
	}
	var paths []string
	if err := w.parents(&t, &paths); err != nil {
		return t, err
	}
	for i := range spec.Rows {
		var row, body Row
		for _, f := range w.fields {
			cell, key := f.cells(w, i)
			if cell.Key != "" {
				row = append(row, cell)
				if t.Stored {
					paths = append(paths, f.testImports()...)
				}
			}
			if key.Key != "" {
				body = append(body, key)
			}
		}
		t.Rows, t.Bodies = append(t.Rows, row), append(t.Bodies, body)
	}
	var told []string
	for _, f := range w.fields {
		w.expect(&t, f)
		if f.Input() != "" && f.Type != "many" && !f.Is("secret") && !w.empty(f) {
			told = append(told, quoted(f.Input()))
		}
	}
	t.Told = strings.Join(told, ", ")
	w.attached(&t)
	if w.r.Owner {
		t.Loaded = append(t.Loaded, "user")
	}
	w.queries(&t)
	w.guards(&t, v)
	for _, c := range t.Broken {
		// One that leaves every other rule of the body whole.
		if c.Rule == quoted("type") {
			t.Spoiled = c
			break
		}
	}
	for i, query := range t.Refused {
		t.Refused[i] = quoted(query)
	}

	t.Same = w.serves("create") && (t.Told != "" || w.serves("show")) || w.serves("update") && len(t.Changes)+len(t.Kept) > 0
	t.Names = w.serves("create") && len(t.Broken)+len(t.Taken)+len(t.Absent) > 0 || t.Attached.Create+t.Attached.Update != ""
	restrict := slices.ContainsFunc(t.OnDelete, func(o OnDelete) bool { return o.Restrict })
	t.Counted = w.serves("bulk") || w.serves("delete") || t.Stored && restrict
	t.Imports = imports(w.p.Module, append(paths, w.testFile(t, v)...)...)
	return t, nil
}

// testFile is what the test file imports besides what the values in it need.
func (w resource) testFile(t Test, v Resource) []string {
	internal := w.p.Module + "/internal/"
	paths := []string{"testing", gormImport, webtestImport, internal + "migrations", internal + v.Package}
	add := func(need bool, path ...string) {
		if need {
			paths = append(paths, path...)
		}
	}
	limits := w.serves("create") && len(t.Edges) > 0
	add(len(t.Parents) > 0 || t.Stored || t.Counted || limits, internal+"model")
	add(t.Guarded, authtestImport)
	add(t.Uploads != "", filesImport)
	add(t.Keyed || w.serves("list"), "fmt")
	add(w.serves("list"), "net/url")
	add(t.Names, "slices", "strings", faultImport)
	add(t.Stored && slices.ContainsFunc(t.OnDelete, func(o OnDelete) bool { return o.Cascade }), "errors")

	values := ""
	use := func(cases []Case) { values += fmt.Sprint(cases) }
	if t.Writes {
		values += fmt.Sprint(t.Bodies)
	}
	if w.serves("create") {
		use(t.Broken)
		use(t.Edges)
		use(t.Taken)
	}
	if w.serves("update") {
		use(t.Changes)
		use(t.Kept)
		use(t.Retaken)
	}
	add(strings.Contains(values, "strings.Repeat("), "strings")
	add(t.Same || strings.Contains(values, "json.RawMessage("), "encoding/json")
	rows := fmt.Sprint(t.Parents)
	if t.Stored {
		rows += fmt.Sprint(t.Rows)
	}
	add(strings.Contains(rows, "time."), "time")
	return paths
}

// empty tells whether samples leave the field out: a ref to rows of its own
// table, of which there are none yet.
func (w resource) empty(f field) bool { return f.Relation() && f.target.Name == w.r.Name }

// testImports are what Go expressions of the field's values need.
func (f field) testImports() []string {
	if f.Is("array") {
		return append(f.goImports(), dbImport)
	}
	if f.Type == "many" && f.target.UUID {
		return []string{uuidImport}
	}
	return f.goImports()
}

// cells are the field's value in the i-th row and in the i-th body.
func (f field) cells(w resource, i int) (row, body Cell) {
	if f.Type == "has" || w.empty(f) {
		return row, body
	}
	switch {
	case f.Type == "many":
		goID, jsonID := parentID(f.target, i)
		return Cell{exported(f.Name), "[]model." + exported(f.target.Name) + "{{ID: " + goID + "}}"},
			Cell{quoted(f.Input()), "[]any{" + jsonID + "}"}
	case f.Type == "ref":
		goID, jsonID := parentID(f.target, i)
		name := exported(f.Column())
		if f.Is("optional") {
			goID = "new(" + convert(f.goType(), goID) + ")"
		}
		return Cell{name, goID}, Cell{quoted(f.Input()), jsonID}
	}
	name, s := exported(f.Column()), f.sample(i)
	switch {
	case f.Is("array"):
		return Cell{name, "db.Array[" + f.goType() + "]{" + s.Go + "}"}, Cell{quoted(f.Input()), "[]any{" + s.JSON + "}"}
	case f.Is("optional") && !f.nilable():
		return Cell{name, "new(" + convert(f.goType(), s.Go) + ")"}, Cell{quoted(f.Input()), s.JSON}
	}
	return Cell{name, s.Go}, Cell{quoted(f.Input()), s.JSON}
}

// convert makes a Go constant one of the type.
func convert(goType, expr string) string {
	if goType == "int64" || goType == "float64" {
		return goType + "(" + expr + ")"
	}
	return expr
}

// sample is the field's value in the i-th row. The second is the least, so that
// a list in the order of the field is in no other.
func (f field) sample(i int) spec.Value {
	if len(f.samples) > 1 && i < 2 {
		i = 1 - i
	}
	return f.samples[i%len(f.samples)]
}

// parents makes the rows that the resource's own refer to, and those that they
// refer to themselves, in the order in which they can be stored.
func (w resource) parents(t *Test, paths *[]string) error {
	done := map[string]bool{}
	var visit func(r spec.Resource) error
	visit = func(r spec.Resource) error {
		if done[r.Name] || r.Name == w.r.Name {
			return nil
		}
		done[r.Name] = true
		target, err := settle(w.p, r)
		if err != nil {
			return err
		}
		for _, f := range target.fields {
			if f.Type == "ref" && !f.Is("optional") {
				if err := visit(f.target); err != nil {
					return err
				}
			}
		}
		if r.Owner {
			if err := visit(spec.Users()); err != nil {
				return err
			}
		}
		for i := range spec.Rows {
			id, _ := parentID(r, i)
			cells := []string{"ID: " + id}
			if r.UUID {
				*paths = append(*paths, uuidImport)
			}
			if r.Owner {
				owner, _ := parentID(spec.Users(), i)
				cells = append(cells, "UserID: "+owner)
			}
			for _, f := range target.fields {
				if f.Is("optional") || f.Type == "many" || f.Type == "has" {
					continue
				}
				if f.row.Upload {
					t.Uploads = uploadNames(f)
				}
				cell, _ := f.cells(target, i)
				cells = append(cells, cell.Key+": "+cell.Value)
				*paths = append(*paths, f.testImports()...)
			}
			t.Parents = append(t.Parents, "&model."+exported(r.Name)+"{"+strings.Join(cells, ", ")+"}")
		}
		return nil
	}
	for _, f := range w.fields {
		if f.Type == "ref" || f.Type == "many" {
			if err := visit(f.target); err != nil {
				return err
			}
		}
	}
	return nil
}

// uploadNames are the names of uploads that rows of a test refer to.
func uploadNames(f field) string {
	names := make([]string, spec.Rows)
	for i := range names {
		names[i] = f.samples[i].JSON
	}
	return strings.Join(names, ", ")
}

// attached works out which uploads the fields take.
func (w resource) attached(t *Test) {
	var create, update []string
	for _, f := range w.uploads() {
		t.Uploads = uploadNames(f)
		if t.Writes {
			create = append(create, quoted(f.Input()))
		}
		if w.serves("update") && !f.Is("immutable") {
			update = append(update, quoted(f.Input()))
		}
	}
	t.Attached = Attached{Create: strings.Join(create, ", "), Update: strings.Join(update, ", "), More: quoted(spec.MoreUpload), None: quoted(spec.NoUpload)}
	if w.r.Owner || w.r.Guard == "user" {
		t.Attached.Others = quoted(spec.OthersUpload)
	}
}

// expect works out what the field's values lead to.
func (w resource) expect(t *Test, f field) {
	if f.Type == "has" {
		t.Lists = append(t.Lists, f.Name)
		return
	}
	key := quoted(f.Input())
	writes := w.serves("create")
	if f.Is("secret") {
		t.Secrets = append(t.Secrets, f.Column())
	}
	switch f.Type {
	case "ref":
		if !w.empty(f) {
			t.Loaded = append(t.Loaded, f.Name)
		}
		missing := "999999"
		if f.target.UUID {
			missing = quoted("ffffffff-ffff-4fff-8fff-ffffffffffff")
		}
		t.Absent = append(t.Absent, Case{Field: key, Value: missing})
		bad := quoted("many")
		t.Broken = append(t.Broken, Case{Field: key, Value: bad, Rule: quoted("type")})
		if !f.target.UUID {
			t.Broken = append(t.Broken, Case{Field: key, Value: "-1", Rule: quoted("min")})
		}
		if !f.Is("immutable") && !w.empty(f) && !f.Is("unique") {
			_, id := parentID(f.target, 2)
			t.Changes = append(t.Changes, Case{Field: key, Value: id, Want: id})
		}
		w.onDelete(t, f)
	case "many":
		if !w.empty(f) {
			t.Loaded = append(t.Loaded, f.Name)
		}
		missing := "[]any{999999}"
		if f.target.UUID {
			missing = "[]any{" + quoted("ffffffff-ffff-4fff-8fff-ffffffffffff") + "}"
		}
		t.Absent = append(t.Absent, Case{Field: key, Value: missing})
		if !w.empty(f) {
			_, first := parentID(f.target, 0)
			_, second := parentID(f.target, 1)
			t.Joins = append(t.Joins, Join{
				Name: exported(f.Name), Field: f.Name, Key: f.Input(), First: first, Second: second,
				Missing: strings.TrimSuffix(strings.TrimPrefix(missing, "[]any{"), "}"),
			})
		}
	default:
		w.expectValue(t, f, key)
	}
	if f.Is("optional") && !f.list() && !f.Is("immutable") && !f.Is("secret") {
		t.Changes = append(t.Changes, Case{Field: key, Value: "nil", Want: "nil"})
	}
	if !f.Is("optional") && f.Type != "many" && !f.Is("immutable") && !f.Is("secret") {
		t.Kept = append(t.Kept, Case{Field: key, Value: "nil"})
	}
	if _, hasDefault := f.Default(); writes && !f.Is("optional") && !hasDefault && f.Type != "many" {
		t.Broken = append(t.Broken, Case{Field: key, Value: "nil", Rule: quoted("required")})
	}
	if f.Is("immutable") && !w.empty(f) && f.Type != "many" && !f.Is("secret") {
		_, other := f.cells(w, 1)
		if _, first := f.cells(w, 0); first.Value != other.Value {
			t.Kept = append(t.Kept, Case{Field: key, Value: other.Value})
		}
	}
	if f.Is("unique") && !w.empty(f) {
		_, first := f.cells(w, 0)
		t.Taken = append(t.Taken, Case{Field: key, Value: first.Value})
		if !f.Is("immutable") {
			t.Retaken = append(t.Retaken, Case{Field: key, Value: first.Value})
		}
		if f.Mods["unique"] == "nocase" && f.Type != "slug" {
			upper := strings.ToUpper(f.sample(0).Text)
			if again := quoted(upper); again != first.Value && f.sample(0).JSON == first.Value && !f.Is("pattern") {
				t.Taken = append(t.Taken, Case{Field: key, Value: again})
			}
		}
	}
}

// expectValue works out what the values of a scalar lead to.
func (w resource) expectValue(t *Test, f field, key string) {
	list := func(value string) string { return "[]any{" + value + "}" }
	for _, bad := range f.Bad() {
		// In a list an element that is wrong is named by its position.
		if f.Is("array") {
			if bad.Rule == "required" {
				bad.Rule = f.rules()[0]
				bad.Rule, _, _ = strings.Cut(bad.Rule, "=")
			}
			t.Broken = append(t.Broken, Case{Field: key, Value: list(bad.JSON), Rule: quoted(bad.Rule)})
			continue
		}
		if bad.Rule == "required" {
			// A field with a default may be left out, and still not be empty.
			if _, ok := f.Default(); ok {
				bad.Rule, _, _ = strings.Cut(f.rules()[0], "=")
			}
		}
		t.Broken = append(t.Broken, Case{Field: key, Value: bad.JSON, Rule: quoted(bad.Rule)})
	}
	for _, edge := range f.Edges() {
		if f.Is("array") {
			edge.JSON = list(edge.JSON)
		}
		t.Edges = append(t.Edges, Case{Field: key, Value: edge.JSON})
	}
	if f.Is("immutable") || f.Is("secret") {
		return
	}
	change := func(value, want string) {
		if f.Is("array") {
			value, want = list(value), list(want)
		}
		t.Changes = append(t.Changes, Case{Field: key, Value: value, Want: want})
	}
	if !f.Is("unique") {
		last := f.sample(2)
		change(last.JSON, last.JSON)
	}
	switch f.Type {
	case "bool":
		change("false", "false")
		change("true", "true")
	case "int", "bigint", "float":
		if f.fits("0") {
			change("0", "0")
		}
	case "decimal":
		if f.fits("0") {
			zero, _ := f.Value("0")
			change(`"0"`, zero.JSON)
		}
	}
	if f.Is("array") {
		t.Changes = append(t.Changes, Case{Field: key, Value: "[]any{}", Want: "[]any{}"})
	}
	if f.Is("optional") && f.row.Upload {
		change(`""`, "nil")
	}
	if f.Is("optional") && !f.list() && f.row.Plain && slices.Contains([]string{"string", "text"}, f.Type) &&
		!f.Is("min") && !f.Is("len") && !f.Is("pattern") {
		change(`""`, `""`)
	}
}

// fits tells whether a number passes the field's rules.
func (f field) fits(n string) bool {
	zero, _ := new(big.Rat).SetString(n)
	if least, ok := new(big.Rat).SetString(f.Mods["min"]); ok && zero.Cmp(least) < 0 {
		return false
	}
	if most, ok := new(big.Rat).SetString(f.Mods["max"]); ok && zero.Cmp(most) > 0 {
		return false
	}
	return true
}

// onDelete says what happens to the first row when the row that it refers to
// goes, unless other rows of the test refer to that one too.
func (w resource) onDelete(t *Test, f field) {
	if w.empty(f) {
		return
	}
	for _, other := range w.fields {
		if other.Name != f.Name && (other.Type == "ref" || other.Type == "many") &&
			(other.target.Name == f.target.Name || w.reaches(other.target, f.target.Name)) {
			return
		}
	}
	if w.r.Owner && f.target.Name == "user" {
		return
	}
	id, _ := parentID(f.target, 0)
	o := OnDelete{Type: exported(f.target.Name), ID: id, Name: exported(f.Name), Field: exported(f.Column())}
	switch f.Mods["ondelete"] {
	case "cascade":
		o.Cascade = true
	case "null":
		o.Null = true
	default:
		o.Restrict = true
	}
	t.OnDelete = append(t.OnDelete, o)
}

// reaches tells whether rows of r refer to rows of the table name.
func (w resource) reaches(r spec.Resource, name string) bool {
	fields, err := r.Parsed()
	if err != nil || r.Name == w.r.Name {
		return false
	}
	if r.Owner && name == "user" {
		return true
	}
	for _, f := range fields {
		if f.Type != "ref" || f.Is("optional") {
			continue
		}
		if target, ok := w.p.Target(f); ok && (target.Name == name || target.Name != r.Name && w.reaches(target, name)) {
			return true
		}
	}
	return false
}

// queries works out what lists answer.
func (w resource) queries(t *Test) {
	if !w.serves("list") {
		return
	}
	t.Sorts = append(t.Sorts, Sort{"id", "0, 1, 2"})
	t.Refused = append(t.Refused, "page=0", "page=x", "limit=0", "limit=101", "order=up", "sort=nothing", "sort=id;drop", "cursor=!")
	var searched []field
	for _, f := range w.fields {
		if f.Is("search") {
			searched = append(searched, f)
		}
		if f.Is("sort") {
			t.Sorts = append(t.Sorts, Sort{f.Column(), w.order(f)})
		}
		if f.Is("filter") && !w.empty(f) {
			w.filters(t, f)
		}
	}
	if len(searched) == 0 {
		return
	}
	first := searched[0].sample(0).Text
	term := strings.ToUpper(first[:min(len(first), 5)])
	t.Queries = append(t.Queries,
		Query{quoted("search=" + url.QueryEscape(term)), count(searched, term)},
		Query{quoted("search=" + url.QueryEscape("no such thing")), count(searched, "no such thing")},
		Query{quoted("search=%25"), count(searched, "%")},
		Query{quoted("search=_"), count(searched, "_")},
		Query{quoted("search="), spec.Rows})
	t.Refused = append(t.Refused, "search="+strings.Repeat("a", 101))
}

// count is how many rows hold the term in one of the fields.
func count(fields []field, term string) int {
	n := 0
	for i := range spec.Rows {
		if slices.ContainsFunc(fields, func(f field) bool {
			return strings.Contains(strings.ToLower(f.sample(i).Text), strings.ToLower(term))
		}) {
			n++
		}
	}
	return n
}

// order is the order of the rows by the field and then by key.
func (w resource) order(f field) string {
	at := []int{0, 1, 2}
	slices.SortStableFunc(at, func(a, b int) int { return f.compare(a, b) })
	return fmt.Sprintf("%d, %d, %d", at[0], at[1], at[2])
}

// compare orders two rows by the field.
func (f field) compare(a, b int) int {
	x, y := f.sample(a), f.sample(b)
	if f.Type == "duration" {
		x.Text, y.Text = x.Cell, y.Cell
	}
	p, isNumber := new(big.Rat).SetString(x.Text)
	q, both := new(big.Rat).SetString(y.Text)
	if isNumber && both {
		return p.Cmp(q)
	}
	return strings.Compare(x.Text, y.Text)
}

// filters works out what lists filtered by the field answer.
func (w resource) filters(t *Test, f field) {
	value := func(i int) string {
		if f.Type == "ref" {
			_, id := parentID(f.target, i)
			return strings.Trim(id, `"`)
		}
		return f.sample(i).Text
	}
	equal := 0
	for i := range spec.Rows {
		if value(i) == value(0) {
			equal++
		}
	}
	add := func(name, value string, want int) {
		t.Queries = append(t.Queries, Query{quoted(f.Column() + name + "=" + url.QueryEscape(value)), want})
	}
	add("", value(0), equal)
	if f.row.Filters == "range" {
		least, most := 0, 0
		for i := range spec.Rows {
			if f.compare(i, 1) >= 0 {
				least++
			}
			if f.compare(i, 1) <= 0 {
				most++
			}
		}
		add("_min", value(1), least)
		add("_max", value(1), most)
	}
	if f.Type != "string" && f.Type != "email" && f.Type != "url" && f.Type != "slug" {
		t.Refused = append(t.Refused, f.Column()+"=none+of+them")
	}
}

// guards works out what the routes answer to nobody and to a plain user, who
// owns nothing.
func (w resource) guards(t *Test, v Resource) {
	if !t.Guarded {
		return
	}
	add := func(action, method, path string, reads bool, passed int) {
		if !w.serves(action) {
			return
		}
		g := Guard{Method: method, Path: path, Nobody: 401, Bob: passed}
		if w.r.Guard == "admin" {
			if g.Bob = 403; reads {
				g.Nobody, g.Bob = passed, passed
			}
		}
		t.Guards = append(t.Guards, g)
	}
	empty := 422
	if !slices.ContainsFunc(w.fields, func(f field) bool {
		_, hasDefault := f.Default()
		return f.Input() != "" && f.Type != "many" && !f.Is("optional") && !hasDefault
	}) {
		empty = 201
	}
	one := v.Path + "/999999"
	if w.r.UUID { // another path is that of no row, and needs no guard
		one = v.Path + "/ffffffff-ffff-4fff-8fff-ffffffffffff"
	}
	add("list", "GET", v.Path, true, 200)
	add("show", "GET", one, true, 404)
	add("create", "POST", v.Path, false, empty)
	add("bulk", "POST", v.Path+"/bulk", false, 422)
	add("update", "PATCH", one, false, 404)
	add("delete", "DELETE", one, false, 404)
}
