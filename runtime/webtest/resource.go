package webtest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

// Resource describes a module that serves the rows of one table, as data: what
// is true of it, told apart from its code. Run tries the module against it. A
// change of the module is a change of one line here.
type Resource struct {
	Module     func(*gorm.DB) web.Module // the module under test, mounted alone
	Migrations []db.Migration
	Path       string   // of the list, with whatever the module is mounted under: "/tenants/7/posts"
	Model      any      // a row of the table: model.Post{}
	Rowless    bool     // no test can make rows, as of a view: only what works without is tried
	Only       []string // of list, create, bulk, show, update and delete, what the module serves; empty for all

	SignIn SignIn // authtest.SignIn; nil where nobody signs in
	Read   string // who may read rows: "all" or "", "user", "owner"
	Write  string // who may change them: "all" or "", "user", "owner", "admin"
	Owner  string // the column that holds whose row it is; "" for nobody's
	Public string // the column by which a row lets others read it
	Lock   bool   // changing and deleting a row asks for If-Match

	// Access says who may use routes of your own that others may than Read and Write
	// say, "all", "user" or "admin", by method and path as in the module:
	// {"POST /posts/:id/publish": "admin", "POST /posts/hook": "all"}.
	Access map[string]string

	// UniqueWithin is "owner" where what is unique is so among the rows of an owner:
	// others may have the same, or a conflict would tell them what they may not read.
	UniqueWithin string

	// Organisation says that rows belong to the organisation that Path names.
	Organisation *Organisation

	Fields []Field
	Loads  []string // keys of the related rows that show and list answer
	Lists  []string // keys of the lists of rows that show answers

	Rows     []any // rows that must be there first, in this order: those that Values refer to
	Others   []any // the same, of another user or organisation: they may be neither referred to nor seen
	Children []any // rows of Lists, of another user or organisation, who may refer to any row: they may not be seen
}

// Organisation is what the tests of rows that belong to organisations know. The
// SignIn makes users members of the one with ID, where the role "admin" is that
// of its admins, and the outsider an owner of the other one alone. Read and Write
// say who of the members may: "member" or "admin".
type Organisation struct {
	ID, Other int64
	Outsider  string // a username
	Both      string // of who owns both
}

// Field is one field of a request body. A field whose column is a foreign key
// of the model is known as one: there is nothing to say.
type Field struct {
	Name   string // the key in bodies, and the column
	Values []any  // three that pass every rule, for three rows; none for a reference to the same table
	Valid  []any  // more that pass: those that only just do
	Breaks Breaks // values that do not pass

	Optional  bool // null is stored
	Default   any  // what is stored where nothing was sent
	Auto      bool // the database gives it a value where nothing was sent
	Unique    bool
	NoCase    bool // equal in capitals, where it is unique or filtered by
	Immutable bool // set once
	ReadOnly  bool // in no body
	Secret    bool // never answered
	Private   bool // answered to the owner and to administrators alone
	Upload    bool // the value is the name of an upload

	Search bool
	Sort   bool
	Filter bool
	Range  bool // filtered by _min and _max too

	Absent   any    // a key that no row has, of a reference to rows whose keys obey rules
	Many     string // the key of the rows that the field holds the keys of
	OnDelete string // what happens when the row that Values[0] refers to goes: "cascade", "null", "restrict"; "" not to try
}

// Breaks are values that a field refuses, by the rule that they break.
type Breaks map[string][]any

// SignIn makes a user and returns the module that makes guards work, the
// user's id and a token for the Authorization header.
type SignIn func(t testing.TB, gdb *gorm.DB, username, role string) (guards web.Module, id int64, token string)

// Run tries every route with what is right and with what is wrong, in subtests
// that are named after it. Each has a database of its own.
func (r Resource) Run(t *testing.T) {
	t.Helper()
	databases := &databases{owner: t, migrations: r.Migrations}
	for _, c := range r.checks() {
		if !c.due || r.Rowless && !c.rowless() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(r.world(t, databases.take(t)))
		})
	}
}

// Start serves the module on a database that holds Rows and Others, for tests
// of the module's own. Who asks is signed in where the resource has a SignIn.
func (r Resource) Start(t testing.TB) (*Client, *gorm.DB) {
	t.Helper()
	w := r.world(t, DB(t, r.Migrations))
	return w.client, w.gdb
}

// check is one thing that is tried.
type check struct {
	name string
	due  bool // the resource has it
	run  func(*world)
}

func (r Resource) checks() []check {
	has := func(is func(Field) bool) bool { return slices.ContainsFunc(r.Fields, is) }
	create, bulk, show, update := r.serves("create"), r.serves("bulk"), r.serves("show"), r.serves("update")
	list, remove := r.serves("list"), r.serves("delete")
	unique := has(Field.taken)
	// From who may write, who is an administrator of an organisation at most.
	hidden := len(r.Others)+len(r.Children) > 0 && (r.Organisation != nil || !r.administrated())
	upload := has(func(f Field) bool { return f.Upload })
	return []check{
		{"serves its routes", true, (*world).routes},
		{"creates what is sent", create, (*world).creates},
		{"refuses malformed JSON", create, (*world).malformed},
		{"refuses values that break a rule", create || update, (*world).breaks},
		{"accepts values at the limit", create || update, (*world).valid},
		{"refuses what is taken", unique && (create || bulk || update), (*world).taken},
		{"lets others use what is taken", r.UniqueWithin != "" && create, (*world).shares},
		{"refuses references to nothing", create || bulk || update, (*world).absent},
		{"creates all or none", bulk, (*world).bulk},
		{"refuses references to deleted rows", create || bulk || update, (*world).deleted},
		{"refuses references to rows of others", hidden && (create || bulk || update), (*world).foreign},
		{"keeps what is attached", upload && update, (*world).attached},
		{"shows one row", show, (*world).shows},
		{"answers 404 where no row is", show || update || remove, (*world).missing},
		{"changes what is sent and nothing else", update, (*world).updates},
		{"asks what has been seen", r.Lock && show && (update || remove), (*world).locks},
		{"keeps what may not change", update, (*world).keeps},
		{"replaces related rows", update && has(func(f Field) bool { return f.Many != "" }), (*world).joins},
		{"lists page by page", list, (*world).pages},
		{"lists by cursor", list, (*world).cursors},
		{"sorts", list, (*world).sorts},
		{"filters and searches", list, (*world).filters},
		{"refuses bad queries", list, (*world).queries},
		{"deletes one row", remove, (*world).deletes},
		{"follows rows that it refers to", has(func(f Field) bool { return f.OnDelete != "" }), (*world).follows},
		{"asks who it is", r.SignIn != nil, (*world).guards},
		{"keeps rows from other users", r.Owner != "" || r.SignIn != nil && has(isPrivate), (*world).others},
		{"holds in your own handlers", r.SignIn != nil, (*world).probes},
		{"hides related rows of other users", hidden && (list || show), (*world).related},
		{"keeps rows from other organisations", r.Organisation != nil, (*world).organisations},
	}
}

// rowless reports whether it can be tried without any row.
func (c check) rowless() bool {
	return slices.Contains([]string{"serves its routes", "answers 404 where no row is", "refuses bad queries"}, c.name)
}

// administrated reports whether it takes an administrator to write all fields
// and to read them again.
func (r Resource) administrated() bool {
	return r.Write == "admin" || r.Owner == "" && slices.ContainsFunc(r.Fields, isPrivate)
}

func isPrivate(f Field) bool { return f.Private }

// taken reports whether a body can give f a value that another row has.
func (f Field) taken() bool { return f.Unique && !f.ReadOnly && len(f.Values) > 0 }

// serves reports whether the module has the action.
func (r Resource) serves(action string) bool {
	return len(r.Only) == 0 || slices.Contains(r.Only, action)
}

// world is the module on a database of its own, and those who use it.
type world struct {
	Resource
	t      testing.TB
	gdb    *gorm.DB
	client *Client // of ann, whose rows they are
	ann    int64
	carol  int64  // whose are Others and Children
	token  string // of carol
	schema *schema.Schema
}

func (r Resource) world(t testing.TB, gdb *gorm.DB) *world {
	t.Helper()
	w := &world{Resource: r, t: t, gdb: gdb}
	w.schema = w.parse(r.Model)
	module, database := r.Module(w.gdb), web.Module{Name: "database", Refused: db.Refused(gdb)}
	if r.SignIn == nil {
		w.client = quiet(t, database, module)
		w.client.match = r.Lock
		w.insert(0, r.Rows...)
		return w
	}
	// Hers is not the first key, which is what a mistake is likely to store.
	_, w.carol, w.token = r.SignIn(t, w.gdb, "carol", "user")
	role := "user"
	if r.administrated() {
		role = "admin"
	}
	guards, ann, token := r.SignIn(t, w.gdb, "ann", role)
	w.ann, w.client = ann, quiet(t, guards, database, module, w.probe()).With("Authorization", "Bearer "+token)
	w.client.match = r.Lock
	w.insert(ann, r.Rows...)
	w.insert(w.carol, r.Others...)
	return w
}

// quiet is New without a line for every request: most of them are refused.
func quiet(t testing.TB, modules ...web.Module) *Client {
	t.Helper()
	return logging(t, slog.LevelError, web.Config{Env: web.Test}, modules...)
}

// as returns a client of another user.
func (w *world) as(username, role string) *Client {
	_, _, token := w.SignIn(w.t, w.gdb, username, role)
	return w.client.Fresh().With("Authorization", "Bearer "+token)
}

// each runs a part as a subtest on the same database.
func (w *world) each(name string, part func(*world)) {
	w.t.Helper()
	w.t.(*testing.T).Run(name, func(t *testing.T) {
		next := *w
		next.t, next.client = t, w.client.For(t)
		part(&next)
	})
}

func (w *world) parse(model any) *schema.Schema {
	w.t.Helper()
	statement := &gorm.Statement{DB: w.gdb}
	if err := statement.Parse(model); err != nil {
		w.t.Fatal(err)
	}
	return statement.Schema
}

// insert stores copies of rows, which belong to the user and to the
// organisation unless they say to whom.
func (w *world) insert(user int64, rows ...any) {
	w.t.Helper()
	for _, row := range rows {
		from := reflect.Indirect(reflect.ValueOf(row))
		to := reflect.New(from.Type())
		to.Elem().Set(from)
		if f := w.parse(row).LookUpField("user_id"); f != nil && user != 0 {
			if _, zero := f.ValueOf(w.t.Context(), to.Elem()); zero {
				w.set(f, to.Elem(), user)
			}
		}
		if f := w.parse(row).LookUpField(organisationID); f != nil && w.Organisation != nil {
			if _, zero := f.ValueOf(w.t.Context(), to.Elem()); zero {
				w.set(f, to.Elem(), w.Organisation.ID)
			}
		}
		if err := w.gdb.Create(to.Interface()).Error; err != nil {
			w.t.Fatalf("store %T: %v", row, err)
		}
	}
}

// stored is a row of the table.
type stored struct {
	id  any
	row any // a pointer to the model
}

// store makes the first n rows of the values, and returns them.
func (w *world) store(n int) []stored {
	w.t.Helper()
	all := make([]stored, n)
	for i := range all {
		all[i] = w.storeOne(at(i))
	}
	return all
}

// values are those of one row.
type values func(Field) any

// at are the values at a position of every field's.
func at(i int) values { return func(f Field) any { return f.Values[i] } }

// storeOne makes one row of the value of each field that has some.
func (w *world) storeOne(value values) stored {
	w.t.Helper()
	var organisation int64
	if w.Organisation != nil {
		organisation = w.Organisation.ID
	}
	row, err := w.insertOne(organisation, value)
	if err != nil {
		w.t.Fatalf("store a row: %v", err)
	}
	return row
}

// insertOne is storeOne in an organisation, and tells what is wrong. A value
// that is nil is left out.
func (w *world) insertOne(organisation int64, value values) (stored, error) {
	w.t.Helper()
	row := reflect.New(w.schema.ModelType)
	if w.Owner != "" {
		w.set(w.column(w.Owner), row.Elem(), w.ann)
	}
	w.belong(w.schema, row.Elem(), organisation)
	var omit []string
	for _, f := range w.Fields {
		if len(f.Values) == 0 {
			continue
		}
		v := value(f)
		switch {
		case v == nil:
		case f.Many != "":
			relation := w.relation(f)
			omit = append(omit, relation.Name+".*")
			w.set(relation.Field, row.Elem(), w.keyed(relation, v, organisation))
		default:
			w.set(w.column(f.Name), row.Elem(), v)
		}
	}
	err := w.gdb.Transaction(func(tx *gorm.DB) error { return tx.Omit(omit...).Create(row.Interface()).Error })
	if err != nil {
		return stored{}, err
	}
	return stored{w.rowKey(row.Elem()), row.Interface()}, nil
}

// rowKey is the key of a row as paths have it.
func (w *world) rowKey(row reflect.Value) any {
	var parts []any
	for _, f := range w.schema.PrimaryFields {
		value, _ := f.ValueOf(w.t.Context(), row)
		if at, ok := value.(time.Time); ok {
			value = at.UTC().Format(time.RFC3339Nano)
		}
		parts = append(parts, value)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return strings.ReplaceAll(strings.TrimSuffix(fmt.Sprintln(parts...), "\n"), " ", "/")
}

// keyOf is the key of an answered row, as paths have it; nil where it has none.
func (w *world) keyOf(got map[string]any) any {
	var parts []any
	for _, f := range w.schema.PrimaryFields {
		if got[key(f)] == nil {
			return nil
		}
		parts = append(parts, got[key(f)])
	}
	for i, part := range parts {
		if n, ok := part.(float64); ok {
			parts[i] = strconv.FormatFloat(n, 'f', -1, 64)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return strings.ReplaceAll(strings.TrimSuffix(fmt.Sprintln(parts...), "\n"), " ", "/")
}

// given is the column of the key that a row gets by itself; "" for none.
func (w *world) given() string {
	if f := w.schema.PrioritizedPrimaryField; f != nil && !slices.ContainsFunc(w.Fields, func(o Field) bool { return o.Name == key(f) }) {
		return key(f)
	}
	return ""
}

// made is the column of when a row was made; "" for none.
func (w *world) made() string {
	if f := w.schema.LookUpField("CreatedAt"); f != nil && !slices.ContainsFunc(w.Fields, func(o Field) bool { return o.Name == key(f) }) {
		return key(f)
	}
	return ""
}

func (w *world) column(name string) *schema.Field {
	w.t.Helper()
	f := w.schema.LookUpField(name)
	if f == nil {
		w.t.Fatalf("%s has no column %s", w.schema.Name, name)
	}
	return f
}

// set gives a field of the row what a body would, whatever its Go type is.
func (w *world) set(f *schema.Field, row reflect.Value, value any) {
	w.t.Helper()
	if r := reflect.ValueOf(value); r.IsValid() && r.Type().AssignableTo(f.FieldType) {
		f.ReflectValueOf(w.t.Context(), row).Set(r)
		return
	}
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, f.ReflectValueOf(w.t.Context(), row).Addr().Interface())
	}
	if err != nil {
		w.t.Fatalf("%s: %v", f.DBName, err)
	}
}

// relation is the relation of a many field.
func (w *world) relation(f Field) *schema.Relationship {
	w.t.Helper()
	for _, r := range w.schema.Relationships.Many2Many {
		if key(r.Field) == f.Many {
			return r
		}
	}
	w.t.Fatalf("%s has no many2many relation with the key %s", w.schema.Name, f.Many)
	return nil
}

// keyed makes rows of a many relation that have only their keys.
func (w *world) keyed(r *schema.Relationship, ids any, organisation int64) any {
	rows := reflect.New(r.Field.FieldType).Elem()
	for _, id := range ids.([]any) {
		row := reflect.New(r.FieldSchema.ModelType).Elem()
		w.set(r.FieldSchema.PrioritizedPrimaryField, row, id)
		w.belong(r.FieldSchema, row, organisation)
		if rows.Type().Elem().Kind() == reflect.Pointer {
			row = row.Addr()
		}
		rows = reflect.Append(rows, row)
	}
	return rows.Interface()
}

// target is the table that a field refers to, nil for none.
func (w *world) target(f Field) *schema.Schema {
	if f.Many != "" {
		return w.relation(f).FieldSchema
	}
	for _, r := range w.schema.Relationships.BelongsTo {
		for _, ref := range r.References {
			if !ref.OwnPrimaryKey && ref.ForeignKey.DBName == f.Name {
				return r.FieldSchema
			}
		}
	}
	// GORM takes two columns of one name that are keys for a row that has another.
	for _, r := range w.schema.Relationships.HasOne {
		for _, ref := range r.References {
			if ref.OwnPrimaryKey && ref.ForeignKey.PrimaryKey && ref.PrimaryKey.DBName == f.Name && ref.ForeignKey.DBName == f.Name {
				return r.FieldSchema
			}
		}
	}
	return nil
}

// key is the name of a field in answers.
func key(f *schema.Field) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// nowhere are keys that no row of the table has, with the likeliest first, which
// fits into the smallest column.
func nowhere(s *schema.Schema) []any {
	f := s.PrioritizedPrimaryField
	if f == nil {
		var all []any
		for _, part := range []string{"31999", "0", "abc"} {
			all = append(all, strings.TrimPrefix(strings.Repeat("/"+part, len(s.PrimaryFields)), "/"))
		}
		return all
	}
	if f.IndirectFieldType.Kind() == reflect.String {
		return []any{"~"}
	}
	if f.IndirectFieldType.Kind() == reflect.Int64 || f.IndirectFieldType.Kind() == reflect.Int {
		return []any{31999, 0, -1, "abc", "99999999999999999999"}
	}
	return []any{"ffffffff-ffff-4fff-8fff-ffffffffffff", 0, "abc"}
}

// body is a request body of the i-th values, and bodies are all three.
func (w *world) body(i int) map[string]any {
	body := map[string]any{}
	for _, f := range w.Fields {
		if len(f.Values) > i && !f.ReadOnly {
			body[f.Name] = f.Values[i]
		}
	}
	return body
}

func (w *world) bodies() []map[string]any {
	return []map[string]any{w.body(0), w.body(1), w.body(2)}
}

// with is a body with another value of a field.
func with(body map[string]any, field string, value any) map[string]any {
	body[field] = value
	return body
}

// told are the fields of a body that answers repeat.
func (w *world) told() (names []string) {
	for _, f := range w.Fields {
		if len(f.Values) > 0 && f.Many == "" && !f.Secret && !f.ReadOnly {
			names = append(names, f.Name)
		}
	}
	return names
}

// at is the path of one row.
func (w *world) at(id any) string { return fmt.Sprintf("%s/%v", w.Path, id) }

// same fails for every field that is not as wanted, whatever Go types its value
// has on either side.
func (w *world) same(got, want map[string]any, fields ...string) {
	w.t.Helper()
	for _, field := range fields {
		g, _ := json.Marshal(got[field])
		v, _ := json.Marshal(want[field])
		if string(g) != string(v) {
			w.t.Errorf("%s is %s, not %s", field, g, v)
		}
	}
}

// blank reports whether a value is its type's empty one.
func blank(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

// hides fails for every secret that an answer tells.
func (w *world) hides(got map[string]any) {
	w.t.Helper()
	for _, f := range w.Fields {
		if _, told := got[f.Name]; told && f.Secret {
			w.t.Errorf("the secret %s is answered", f.Name)
		}
	}
}

// loads fails for every related row that an answer does not bring along.
func (w *world) loads(got map[string]any) {
	w.t.Helper()
	for _, name := range w.Loads {
		if got[name] == nil {
			w.t.Errorf("%s is not loaded", name)
		}
	}
}

// refused fails unless the answer has the status and names field and rule, and
// the index in a bulk.
func (w *world) refused(a *Answer, status int, field, rule string, index ...int) {
	w.t.Helper()
	if a.Status != status {
		w.t.Errorf("%s answers %d, not %d: %s", a.asked, a.Status, status, a.body)
		return
	}
	for _, d := range a.Details() {
		if strings.HasPrefix(d.Field, field) && d.Rule == rule && (len(index) == 0 || d.Index != nil && *d.Index == index[0]) {
			return
		}
	}
	w.t.Errorf("%s names no %s that breaks %s: %s", a.asked, field, rule, a.body)
}

// count is how many rows there are.
func (w *world) count() int64 {
	w.t.Helper()
	var n int64
	if err := w.gdb.Model(reflect.New(w.schema.ModelType).Interface()).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

// clear deletes every row.
func (w *world) clear() {
	w.t.Helper()
	if err := w.gdb.Unscoped().Where("1 = 1").Delete(reflect.New(w.schema.ModelType).Interface()).Error; err != nil {
		w.t.Fatal(err)
	}
}

// page is what a list answers.
type page struct {
	Items      []map[string]any
	Total      int
	HasNext    bool   `json:"has_next"`
	HasPrev    bool   `json:"has_prev"`
	NextCursor string `json:"next_cursor"`
}

func (w *world) list(client *Client, query string) (p page) {
	w.t.Helper()
	client.Get(w.Path + "?" + query).Expect(http.StatusOK).Into(&p)
	return p
}
