package seen

import (
	"context"
	"net/http"
	"sync"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Rows holds the versions of rows read by one request. Create it with new.
type Rows struct {
	mu   sync.Mutex
	rows map[Row]any
}

// Row identifies a row by its table and primary key.
type Row struct {
	Table string
	Key   any // comparable
}

type (
	readKey struct{}
	heldKey struct{}
)

// Read returns a context in which db.Find records the versions of the rows it finds.
func (r *Rows) Read(ctx context.Context) context.Context {
	return context.WithValue(ctx, readKey{}, r)
}

// Held returns a context in which a statement that would change or delete a row fails
// with [Changed] unless the row has the recorded version.
func (r *Rows) Held(ctx context.Context) context.Context {
	return context.WithValue(ctx, heldKey{}, r)
}

// Reading reports whether ctx was returned by [Rows.Read].
func Reading(ctx context.Context) bool { return ctx.Value(readKey{}) != nil }

// Note records the version of a row if ctx was returned by [Rows.Read].
func Note(ctx context.Context, row Row, version any) {
	r, ok := ctx.Value(readKey{}).(*Rows)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows == nil {
		r.rows = map[Row]any{}
	}
	r.rows[row] = version
}

// Of returns the recorded versions of the rows of a table by key if ctx was returned by
// [Rows.Held].
func Of(ctx context.Context, table string) map[any]any {
	r, ok := ctx.Value(heldKey{}).(*Rows)
	if !ok {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var versions map[any]any
	for row, version := range r.rows {
		if row.Table == table {
			if versions == nil {
				versions = map[any]any{}
			}
			versions[row.Key] = version
		}
	}
	return versions
}

// Written forgets a row that the request itself has written, since it now has another
// version.
func Written(ctx context.Context, row Row) {
	if r, ok := ctx.Value(heldKey{}).(*Rows); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.rows, row)
	}
}

// Changed returns the fault of a write whose client has read another version.
func Changed() *fault.Error {
	return &fault.Error{Status: http.StatusPreconditionFailed, Message: "This has changed since you read it; read it again"}
}
