// Package view works out everything that templates read from what the user
// said, so that a template holds nothing but places to fill.
package view

import (
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Resource is what the templates of a resource read.
type Resource struct {
	Module  string            // the project's module path
	Package string            // the room's package and folder: "blogposts"
	Words   map[string]string // what {model}, {room} and {migration} stand for in paths
}

// Of returns the view of r, which is one of p's resources.
func Of(p spec.Project, r spec.Resource) (Resource, error) {
	return Resource{}, nil
}
