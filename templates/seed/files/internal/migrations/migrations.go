// Package migrations stands in for a project's migrations.
package migrations

import "github.com/nexios-go/nexios/runtime/db"

// All returns the migrations.
func All() []db.Migration { return nil }
