// Package model holds the models of this feature. The user only stands in for
// that of auth, so that they can be tested where they are written.
package model

// User stands in for the model of auth. It is not generated.
type User struct {
	ID       int64
	Username string
	Email    string
}
