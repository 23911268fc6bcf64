// Package model stands in for a project's own when the tests of this template
// are run where they are kept. It is not part of the template.
package model
