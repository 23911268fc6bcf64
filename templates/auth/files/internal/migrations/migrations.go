// Package migrations stands in for the project's own list, so that the modules
// beside it can be tested where they are written. It is not generated.
package migrations

import (
	"slices"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/jobs"
)

// All returns every migration, oldest first.
func All() []db.Migration {
	return slices.Concat(
		jobs.Migrations(),
		[]db.Migration{createUsers()},
		auth.Migrations(),
	)
}
