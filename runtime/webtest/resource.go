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

// Resource describes a module that serves the rows of a table, as data, independently
// of its code. Run tests the module against it. Most changes of the module change one
// line here.
type Resource struct {
	Module     func(*gorm.DB) web.Module // the module under test
	Migrations []db.Migration
	Path       string   // of the list, including the module's prefix: "/tenants/7/posts"
	Model      any      // a zero row of the table: model.Post{}
	Rowless    bool     // tests cannot create rows, as for a view: only checks that need none run
	Only       []string // actions that the module serves, of list, create, bulk, show, update and delete; all if empty

	SignIn SignIn // authtest.SignIn; nil if there are no users
	Read   string // who may read rows: "all" or "", "user", "owner"
	Write  string // who may change them: "all" or "", "user", "owner", "admin"
	Owner  string // column of the row's owner; "" if rows have none
	Public string // column that makes a row readable by other users
	Lock   bool   // changing and deleting a row requires If-Match

	// Access lists your own routes whose access differs from Read and Write, as
	// "all", "user" or "admin", by method and path as in the module:
	//
	//	{"POST /posts/:id/publish": "admin", "POST /posts/hook": "all"}
	Access map[string]string

	// UniqueWithin is "owner" if unique values are unique only among the rows of an
	// owner. Otherwise a conflict would reveal rows that the user may not read.
	UniqueWithin string

	// Organisation is set if rows belong to the organisation in Path.
	Organisation *Organisation

	Fields []Field
	Loads  []string // keys of related rows in the responses of show and list
	Lists  []string // keys of lists of rows in the response of show

	Rows     []any // rows to insert first, in this order, which Values refer to
	Others   []any // the same of another user or organisation, which must be neither visible nor accepted as references
	Children []any // rows of Lists of another user or organisation, which may refer to any row, and must not be visible
}

// Organisation describes the organisations of a test. SignIn makes users members of
// the one with ID, with the role "admin" as its admins, and makes the outsider an
// owner of only the other. Read and Write say which members have access: "member" or
// "admin".
type Organisation struct {
	ID, Other int64
	Outsider  string // a username
	Both      string // username of an owner of both
}

// Field is one field of a request body. Foreign keys are recognised by the model's
// relations.
type Field struct {
	Name   string // the key in bodies, which is also the column
	Values []any  // three valid values, for three rows; none for a reference to the same table
	Valid  []any  // further valid values, at the limits
	Breaks Breaks // invalid values

	Optional  bool // accepts null
	Default   any  // stored if the field is absent
	Auto      bool // the database generates a value if the field is absent
	Unique    bool
	NoCase    bool // unique and filtered by regardless of case
	Immutable bool // can be set only once
	ReadOnly  bool // ignored in bodies
	Secret    bool // never in responses
	Private   bool // only in responses to the owner and administrators
	Upload    bool // the value is the name of an upload

	Search bool
	Sort   bool
	Filter bool
	Range  bool // filtered by _min and _max as well

	Absent   any    // a key without a row, for references to rows whose keys obey rules
	Many     string // the response key of the related rows, for a field that holds their keys
	OnDelete string // what happens when the row that Values[0] refers to is deleted: "cascade", "null", "restrict"; "" skips the check
}

// Breaks holds values that a field rejects, by the rule that they break.
type Breaks map[string][]any

// SignIn creates a user. It returns the module that the guards need, the user's id
// and a token for the Authorization header.
type SignIn func(t testing.TB, gdb *gorm.DB, username, role string) (guards web.Module, id int64, token string)

// Run checks every route with valid and invalid requests, in subtests named after the
// check. Each has its own database.
func (r Resource) Run(t *testing.T) {
	t.Helper()
	databases := &databases{owner: t, migrations: r.Migrations}
	for _, c := range r.checks() {
		if !c.applies || r.Rowless && !c.rowless() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(r.newFixture(t, databases.take(t)))
		})
	}
}

// Start serves the module on a database with Rows and Others, for custom tests. The
// client is signed in if the resource has a SignIn.
func (r Resource) Start(t testing.TB) (*Client, *gorm.DB) {
	t.Helper()
	w := r.newFixture(t, DB(t, r.Migrations))
	return w.client, w.gdb
}

// check is one check of a resource.
type check struct {
	name    string
	applies bool // the check applies to the resource
	run     func(*fixture)
}

func (r Resource) checks() []check {
	has := func(is func(Field) bool) bool { return slices.ContainsFunc(r.Fields, is) }
	create, bulk, show, update := r.serves("create"), r.serves("bulk"), r.serves("show"), r.serves("update")
	list, remove := r.serves("list"), r.serves("delete")
	unique := has(Field.taken)
	// Hidden from the users who may write, unless they are administrators of the
	// application.
	hidden := len(r.Others)+len(r.Children) > 0 && (r.Organisation != nil || !r.administrated())
	upload := has(func(f Field) bool { return f.Upload })
	return []check{
		{"serves its routes", true, (*fixture).routes},
		{"creates what is sent", create, (*fixture).creates},
		{"refuses malformed JSON", create, (*fixture).malformed},
		{"refuses values that break a rule", create || update, (*fixture).breaks},
		{"accepts values at the limit", create || update, (*fixture).valid},
		{"refuses what is taken", unique && (create || bulk || update), (*fixture).taken},
		{"lets others use what is taken", r.UniqueWithin != "" && create, (*fixture).shares},
		{"refuses references to nothing", create || bulk || update, (*fixture).absent},
		{"creates all or none", bulk, (*fixture).bulk},
		{"refuses references to deleted rows", create || bulk || update, (*fixture).deleted},
		{"refuses references to rows of others", hidden && (create || bulk || update), (*fixture).foreign},
		{"keeps what is attached", upload && update, (*fixture).attached},
		{"shows one row", show, (*fixture).shows},
		{"answers 404 where no row is", show || update || remove, (*fixture).missing},
		{"changes what is sent and nothing else", update, (*fixture).updates},
		{"asks what has been seen", r.Lock && show && (update || remove), (*fixture).locks},
		{"keeps what may not change", update, (*fixture).keeps},
		{"replaces related rows", update && has(func(f Field) bool { return f.Many != "" }), (*fixture).joins},
		{"lists page by page", list, (*fixture).pages},
		{"lists by cursor", list, (*fixture).cursors},
		{"sorts", list, (*fixture).sorts},
		{"filters and searches", list, (*fixture).filters},
		{"refuses bad queries", list, (*fixture).queries},
		{"deletes one row", remove, (*fixture).deletes},
		{"follows rows that it refers to", has(func(f Field) bool { return f.OnDelete != "" }), (*fixture).follows},
		{"asks who it is", r.SignIn != nil, (*fixture).guards},
		{"keeps rows from other users", r.Owner != "" || r.SignIn != nil && has(isPrivate), (*fixture).others},
		{"holds in your own handlers", r.SignIn != nil, (*fixture).probes},
		{"hides related rows of other users", hidden && (list || show), (*fixture).related},
		{"keeps rows from other organisations", r.Organisation != nil, (*fixture).organisations},
	}
}

// rowless reports whether the check needs no rows.
func (c check) rowless() bool {
	return slices.Contains([]string{"serves its routes", "answers 404 where no row is", "refuses bad queries"}, c.name)
}

// administrated reports whether only an administrator can write all fields and read
// them back.
func (r Resource) administrated() bool {
	return r.Write == "admin" || r.Owner == "" && slices.ContainsFunc(r.Fields, isPrivate)
}

func isPrivate(f Field) bool { return f.Private }

// taken reports whether a body can set f to the value of another row.
func (f Field) taken() bool { return f.Unique && !f.ReadOnly && len(f.Values) > 0 }

// serves reports whether the module serves the action.
func (r Resource) serves(action string) bool {
	return len(r.Only) == 0 || slices.Contains(r.Only, action)
}

// fixture is the module with its own database and users.
type fixture struct {
	Resource
	t      testing.TB
	gdb    *gorm.DB
	client *Client // of ann, who owns the rows
	ann    int64
	carol  int64  // owns Others and Children
	token  string // of carol
	schema *schema.Schema
}

func (r Resource) newFixture(t testing.TB, gdb *gorm.DB) *fixture {
	t.Helper()
	w := &fixture{Resource: r, t: t, gdb: gdb}
	w.schema = w.parse(r.Model)
	module, database := r.Module(w.gdb), web.Module{Name: "database", Refused: db.Refused(gdb)}
	if r.SignIn == nil {
		w.client = quiet(t, database, module)
		w.client.match = r.Lock
		w.insert(0, r.Rows...)
		return w
	}
	// ann must not get the first key, which a bug is likely to store.
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

// quiet is like New, but logs errors only: most requests are invalid.
func quiet(t testing.TB, modules ...web.Module) *Client {
	t.Helper()
	return logging(t, slog.LevelError, web.Config{Env: web.Test}, modules...)
}

// as returns a client of another user.
func (w *fixture) as(username, role string) *Client {
	_, _, token := w.SignIn(w.t, w.gdb, username, role)
	return w.client.Fresh().With("Authorization", "Bearer "+token)
}

// each runs part as a subtest on the same database.
func (w *fixture) each(name string, part func(*fixture)) {
	w.t.Helper()
	w.t.(*testing.T).Run(name, func(t *testing.T) {
		next := *w
		next.t, next.client = t, w.client.For(t)
		part(&next)
	})
}

func (w *fixture) parse(model any) *schema.Schema {
	w.t.Helper()
	statement := &gorm.Statement{DB: w.gdb}
	if err := statement.Parse(model); err != nil {
		w.t.Fatal(err)
	}
	return statement.Schema
}

// insert stores copies of rows. Rows without an owner or organisation get the given
// user and the test's organisation.
func (w *fixture) insert(user int64, rows ...any) {
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

// stored is a row in the table.
type stored struct {
	id  any
	row any // a pointer to the model
}

// store inserts rows of the first n values, and returns them.
func (w *fixture) store(n int) []stored {
	w.t.Helper()
	all := make([]stored, n)
	for i := range all {
		all[i] = w.storeOne(at(i))
	}
	return all
}

// values returns the value of a field in one row.
type values func(Field) any

// at returns the values at an index.
func at(i int) values { return func(f Field) any { return f.Values[i] } }

// storeOne inserts a row with the value of each field that has values.
func (w *fixture) storeOne(value values) stored {
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

// insertOne is like storeOne in an organisation, but returns the error. A nil value
// is omitted.
func (w *fixture) insertOne(organisation int64, value values) (stored, error) {
	w.t.Helper()
	row := reflect.New(w.schema.ModelType)
	if w.Owner != "" {
		w.set(w.column(w.Owner), row.Elem(), w.ann)
	}
	w.setOrganisation(w.schema, row.Elem(), organisation)
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

// rowKey returns the key of a row as in paths.
func (w *fixture) rowKey(row reflect.Value) any {
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

// keyOf returns the key of a row in a response, as in paths, or nil if it has none.
func (w *fixture) keyOf(got map[string]any) any {
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

// givenKey returns the column of the generated key, or "" if there is none.
func (w *fixture) givenKey() string {
	if f := w.schema.PrioritizedPrimaryField; f != nil && !slices.ContainsFunc(w.Fields, func(o Field) bool { return o.Name == key(f) }) {
		return key(f)
	}
	return ""
}

// createdColumn returns the column of the creation time, or "" if there is none.
func (w *fixture) createdColumn() string {
	if f := w.schema.LookUpField("CreatedAt"); f != nil && !slices.ContainsFunc(w.Fields, func(o Field) bool { return o.Name == key(f) }) {
		return key(f)
	}
	return ""
}

func (w *fixture) column(name string) *schema.Field {
	w.t.Helper()
	f := w.schema.LookUpField(name)
	if f == nil {
		w.t.Fatalf("%s has no column %s", w.schema.Name, name)
	}
	return f
}

// set sets a field of the row to a value as in a body, converted to its Go type.
func (w *fixture) set(f *schema.Field, row reflect.Value, value any) {
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

// relation returns the relation of a many field.
func (w *fixture) relation(f Field) *schema.Relationship {
	w.t.Helper()
	for _, r := range w.schema.Relationships.Many2Many {
		if key(r.Field) == f.Many {
			return r
		}
	}
	w.t.Fatalf("%s has no many2many relation with the key %s", w.schema.Name, f.Many)
	return nil
}

// keyed returns rows of a many relation with only their keys set.
func (w *fixture) keyed(r *schema.Relationship, ids any, organisation int64) any {
	rows := reflect.New(r.Field.FieldType).Elem()
	for _, id := range ids.([]any) {
		row := reflect.New(r.FieldSchema.ModelType).Elem()
		w.set(r.FieldSchema.PrioritizedPrimaryField, row, id)
		w.setOrganisation(r.FieldSchema, row, organisation)
		if rows.Type().Elem().Kind() == reflect.Pointer {
			row = row.Addr()
		}
		rows = reflect.Append(rows, row)
	}
	return rows.Interface()
}

// target returns the table that a field refers to, or nil.
func (w *fixture) target(f Field) *schema.Schema {
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
	// GORM treats two key columns of the same name as a has-one relation.
	for _, r := range w.schema.Relationships.HasOne {
		for _, ref := range r.References {
			if ref.OwnPrimaryKey && ref.ForeignKey.PrimaryKey && ref.PrimaryKey.DBName == f.Name && ref.ForeignKey.DBName == f.Name {
				return r.FieldSchema
			}
		}
	}
	return nil
}

// key returns the name of a field in responses.
func key(f *schema.Field) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// missingKeys returns keys that no row of the table has. The first is well-formed and
// fits into the smallest column.
func missingKeys(s *schema.Schema) []any {
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

// body returns a request body of the i-th values.
func (w *fixture) body(i int) map[string]any {
	body := map[string]any{}
	for _, f := range w.Fields {
		if len(f.Values) > i && !f.ReadOnly {
			body[f.Name] = f.Values[i]
		}
	}
	return body
}

func (w *fixture) bodies() []map[string]any {
	return []map[string]any{w.body(0), w.body(1), w.body(2)}
}

// with sets a field of body and returns it.
func with(body map[string]any, field string, value any) map[string]any {
	body[field] = value
	return body
}

// echoed returns the fields of a body that responses repeat.
func (w *fixture) echoed() (names []string) {
	for _, f := range w.Fields {
		if len(f.Values) > 0 && f.Many == "" && !f.Secret && !f.ReadOnly {
			names = append(names, f.Name)
		}
	}
	return names
}

// pathOf returns the path of one row.
func (w *fixture) pathOf(id any) string { return fmt.Sprintf("%s/%v", w.Path, id) }

// expectEqual reports every field that differs, comparing values as JSON.
func (w *fixture) expectEqual(got, want map[string]any, fields ...string) {
	w.t.Helper()
	for _, field := range fields {
		g, _ := json.Marshal(got[field])
		v, _ := json.Marshal(want[field])
		if string(g) != string(v) {
			w.t.Errorf("%s is %s, not %s", field, g, v)
		}
	}
}

// isBlank reports whether a value is the zero value or empty.
func isBlank(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

// checkSecrets reports every secret in a response.
func (w *fixture) checkSecrets(got map[string]any) {
	w.t.Helper()
	for _, f := range w.Fields {
		if _, present := got[f.Name]; present && f.Secret {
			w.t.Errorf("the secret %s is answered", f.Name)
		}
	}
}

// checkLoads reports every related row that is missing in a response.
func (w *fixture) checkLoads(got map[string]any) {
	w.t.Helper()
	for _, name := range w.Loads {
		if got[name] == nil {
			w.t.Errorf("%s is not loaded", name)
		}
	}
}

// expectError reports an error unless the response has the status and a detail with field
// and rule, and with the index in a bulk.
func (w *fixture) expectError(a *Answer, status int, field, rule string, index ...int) {
	w.t.Helper()
	if a.Status != status {
		w.t.Errorf("%s answers %d, not %d: %s", a.request, a.Status, status, a.body)
		return
	}
	for _, d := range a.Details() {
		if strings.HasPrefix(d.Field, field) && d.Rule == rule && (len(index) == 0 || d.Index != nil && *d.Index == index[0]) {
			return
		}
	}
	w.t.Errorf("%s names no %s that breaks %s: %s", a.request, field, rule, a.body)
}

// count returns the number of rows.
func (w *fixture) count() int64 {
	w.t.Helper()
	var n int64
	if err := w.gdb.Model(reflect.New(w.schema.ModelType).Interface()).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

// clear deletes every row.
func (w *fixture) clear() {
	w.t.Helper()
	if err := w.gdb.Unscoped().Where("1 = 1").Delete(reflect.New(w.schema.ModelType).Interface()).Error; err != nil {
		w.t.Fatal(err)
	}
}

// page is the response of a list.
type page struct {
	Items      []map[string]any
	Total      int
	HasNext    bool   `json:"has_next"`
	HasPrev    bool   `json:"has_prev"`
	NextCursor string `json:"next_cursor"`
}

func (w *fixture) list(client *Client, query string) (p page) {
	w.t.Helper()
	client.Get(w.Path + "?" + query).Expect(http.StatusOK).Into(&p)
	return p
}
