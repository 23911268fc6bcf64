package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

// Entry is an audit log entry: the change of one row.
type Entry struct {
	ID        int64     `json:"id" gorm:"primaryKey;autoIncrement:false" doc:"The entry's place in the chain, from 1, without gaps."`
	CreatedAt time.Time `json:"created_at" gorm:"autoCreateTime:false"`
	UserID    int64     `json:"user_id" doc:"The user who made the change; 0 for a job, a command or an anonymous request."`
	Username  string    `json:"username" doc:"The user's name at the time."`
	ActorID   int64     `json:"actor_id" doc:"The administrator who impersonated the user; 0 for none."`
	Actor     string    `json:"actor" doc:"The actor's name at the time."`
	KeyID     int64     `json:"key_id" doc:"The API key that was used; 0 for none."`
	Resource  string    `json:"resource" doc:"The table."`
	Row       string    `json:"row" gorm:"column:row_key" doc:"The row's primary key; the values of several columns are separated by commas."`
	Action    string    `json:"action" schema:"oneof=create update delete"`
	Before    Values    `json:"before" gorm:"column:values_before" doc:"The row before the change; for an update, only the changed fields; null for a new row."`
	After     Values    `json:"after" gorm:"column:values_after" doc:"The row after the change; null for a deleted row."`
	RequestID string    `json:"request_id" doc:"The ID of the request that made the change; prefixed with client: if the client chose it by X-Request-ID, not a trusted proxy. Empty if there was no request."`
	Previous  string    `json:"previous" doc:"The hash of the previous entry; empty for the first."`
	Hash      string    `json:"hash" doc:"SHA-256 of the entry, including the previous hash."`
}

// TableName is the table that holds entries.
func (Entry) TableName() string { return "audit_entries" }

// Readable restricts tx to what the caller may read: everything for administrators.
func (Entry) Readable(tx *gorm.DB) *gorm.DB { return auth.OnlyAdmin(tx) }

// Writable restricts tx to no rows: entries cannot be changed.
func (Entry) Writable(tx *gorm.DB) *gorm.DB { return tx.Where("1 = 0") }

// Values are columns of a row as a JSON object, stored as the exact text that was
// hashed; empty for none.
type Values string

// MarshalJSON implements json.Marshaler.
func (v Values) MarshalJSON() ([]byte, error) {
	if v == "" {
		return []byte("null"), nil
	}
	return []byte(v), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Values) UnmarshalJSON(text []byte) error {
	if *v = Values(text); *v == "null" {
		*v = ""
	}
	return nil
}

// JSONSchema implements web.Described.
func (Values) JSONSchema() string { return `{"type":["object","null"],"additionalProperties":{}}` }

// MustBe implements web.Described.
func (Values) MustBe() string { return "must be an object" }

// hidden replaces a value that is not recorded; the entry only shows that it changed.
const hidden = "[hidden]"

// Log records every change that GORM makes to the tables of gdb; see [db.Watch] for
// what that covers. It skips the runtime's own tables of sessions, tokens, keys and
// jobs, which the security log covers.
//
// For a column that JSON omits (json:"-", or no tag and not in the primary key),
// such as a secret, and for one that the model hides from others in its AfterFind
// (private), an entry records that it changed but not its value: entries outlive
// their rows and are visible to all administrators.
func Log(gdb *gorm.DB) error {
	return db.Watch(gdb, watched, func(tx *gorm.DB, changes []db.Change) error {
		entries := make([]Entry, len(changes))
		by := who(tx)
		for i, c := range changes {
			entries[i] = by
			entries[i].Resource, entries[i].Row, entries[i].Action = c.Table, c.Key, c.Action
			if c.Model != nil {
				entries[i].Before, entries[i].After = values(tx, c)
			}
		}
		return db.BeforeCommit(tx, func(tx *gorm.DB) error {
			return add(tx.Session(&gorm.Session{NewDB: true, Context: db.System(tx.Statement.Context)}), entries)
		})
	})
}

// watched reports whether changes of a table are recorded.
func watched(table string) bool {
	return table != "jobs" && table != "schema_migrations" && !strings.HasPrefix(table, "auth_") && !strings.HasPrefix(table, "audit_")
}

// who returns an entry for the user on whose behalf the statement runs.
func who(tx *gorm.DB) Entry {
	ctx := tx.Statement.Context
	// A statement without a caller (db.System) has no user.
	caller := auth.Caller(tx.Session(&gorm.Session{NewDB: true, Context: db.System(ctx)}))
	return Entry{UserID: caller.UserID, Username: caller.Username, ActorID: caller.ActorID, Actor: caller.Actor, KeyID: caller.KeyID, RequestID: requestID(ctx)}
}

// requestID returns the ID of a request, marked if the client has chosen it, so that
// nobody can make their changes look like those of another request.
func requestID(ctx context.Context) string {
	const marked, most = "client:", 128 // width of the column
	id := web.RequestID(ctx)
	if web.ClientRequestID(ctx) {
		id = marked + id[:min(len(id), most-len(marked))]
	}
	return id
}

// values returns what is recorded of a row before and after the change.
func values(tx *gorm.DB, c db.Change) (before, after Values) {
	ctx := tx.Statement.Context
	fields := db.Differ(ctx, c)
	if c.Action == "delete" { // the whole row
		c.After = reflect.Value{}
		fields = db.Differ(ctx, c)
	}
	private := map[string]bool{}
	conceal(tx, c.Before, c.Model, private)
	conceal(tx, c.After, c.Model, private)
	return object(ctx, c.Before, fields, private), object(ctx, c.After, fields, private)
}

// conceal marks the columns that the model hides from other users.
func conceal(tx *gorm.DB, row reflect.Value, model *schema.Schema, private map[string]bool) {
	if !row.IsValid() {
		return
	}
	shown := reflect.New(row.Type())
	shown.Elem().Set(row)
	hook, ok := shown.Interface().(interface{ AfterFind(*gorm.DB) error })
	if !ok {
		return
	}
	stranger := auth.As(context.Background(), auth.Identity{})
	err := hook.AfterFind(tx.Session(&gorm.Session{NewDB: true, Context: stranger}))
	for _, column := range model.DBNames {
		field := model.FieldsByDBName[column]
		_, empty := field.ValueOf(stranger, row)
		_, gone := field.ValueOf(stranger, shown.Elem())
		if err != nil || gone && !empty {
			private[column] = true
		}
	}
}

// object returns a row's fields as JSON, in the order of the model.
func object(ctx context.Context, row reflect.Value, fields []*schema.Field, private map[string]bool) Values {
	if !row.IsValid() {
		return ""
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, field := range fields {
		tag, tagged := field.Tag.Lookup("json")
		key, _, _ := strings.Cut(tag, ",")
		value, _ := field.ValueOf(ctx, row)
		switch {
		case field.FieldType == reflect.TypeFor[gorm.DeletedAt]():
			key = field.DBName
		case !tagged && !field.PrimaryKey || key == "-" || private[field.DBName]:
			value = hidden
		}
		if key == "-" || key == "" {
			key = field.DBName
		}
		text, err := marshalPlain(value)
		if err != nil {
			text, _ = marshalPlain(fmt.Sprint(value))
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(key)
		b.Write(name)
		b.WriteByte(':')
		b.Write(text)
	}
	b.WriteByte('}')
	return Values(b.String())
}

// marshalPlain returns the JSON of a value without HTML escapes, which can make a text
// up to six times as long.
func marshalPlain(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
