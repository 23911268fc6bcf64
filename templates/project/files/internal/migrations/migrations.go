// Package migrations is the history of the database schema: one reversible
// migration per file.
package migrations

import (
	"slices"

	"github.com/nexios-go/nexios/runtime/db"
)

// All returns every migration: the project's own and those of the runtime's
// tables. They are applied in the order of their IDs.
func All() []db.Migration {
	return slices.Concat(
		[]db.Migration{},
	)
}
