package scaffold

import (
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// DropNoopChange removes the record of the last change of r if it does not affect the database,
// such as another limit of a number, and so needs no migration. old is the project before
// the change, now after it.
func DropNoopChange(old, now spec.Project, r spec.Resource) (spec.Project, error) {
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
