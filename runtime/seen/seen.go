package seen

import (
	"context"
	"net/http"
	"sync"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Rows are rows as one request has seen them. Make one with new.
type Rows struct {
	mu   sync.Mutex
	rows map[Row]any
}

// Row is a row, by its table and its primary key.
type Row struct {
	Table string
	Key   any // comparable
}

type (
	readKey struct{}
	heldKey struct{}
)

// Read returns a context in which db.Find notes what it finds.
func (r *Rows) Read(ctx context.Context) context.Context {
	return context.WithValue(ctx, readKey{}, r)
}

// Held returns a context in which a statement that would change or delete another
// version of a row than the noted one is [Changed].
func (r *Rows) Held(ctx context.Context) context.Context {
	return context.WithValue(ctx, heldKey{}, r)
}

// Reading reports whether ctx is of [Rows.Read].
func Reading(ctx context.Context) bool { return ctx.Value(readKey{}) != nil }

// Note notes the version of a row, where ctx is of [Rows.Read].
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

// Of returns the versions of rows of a table by key, where ctx is of [Rows.Held].
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

// Written forgets a row that the request itself has written, which has another
// version since.
func Written(ctx context.Context, row Row) {
	if r, ok := ctx.Value(heldKey{}).(*Rows); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.rows, row)
	}
}

// Changed is the fault of a write whose client has seen another version.
func Changed() *fault.Error {
	return &fault.Error{Status: http.StatusPreconditionFailed, Message: "This has changed since you read it; read it again"}
}
