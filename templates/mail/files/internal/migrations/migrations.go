// Package migrations stands in for a project's own when the tests of this
// template are run where they are kept. It is not part of the template.
package migrations

import (
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/jobs"
)

// All returns every migration.
func All() []db.Migration { return jobs.Migrations() }
