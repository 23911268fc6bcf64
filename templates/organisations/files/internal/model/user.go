// Package model holds the models of this feature. The user is a stand-in for that
// of auth, so that the templates can be tested in place.
package model

// User stands in for the model of auth. It is not generated.
type User struct {
	ID       int64
	Username string
	Email    string
}
