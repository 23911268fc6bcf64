package scaffold

import (
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// Settle takes the note of the last change of r back where the database knows
// nothing of it, such as another limit of a number: that needs no migration. old is
// r's project before, now with the change.
func Settle(old, now spec.Project, r spec.Resource) (spec.Project, error) {
	before, ok := old.Resource(r.Name)
	if !ok || len(before.Changed) == len(r.Changed) {
		return now, nil
	}
	changes, err := view.Changes(now, r)
	if err != nil || changes {
		return now, err
	}
	now, _, err = now.WithoutLastChange(r)
	return now, err
}
