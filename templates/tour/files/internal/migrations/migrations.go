// Package migrations is a stand-in for a project's migrations, so that the template
// can be tested in place. It is not part of the template.
package migrations

import "github.com/nexios-go/nexios/runtime/db"

// All returns every migration.
func All() []db.Migration { return []db.Migration{createTourUsers()} }
