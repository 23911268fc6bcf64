// Package replica lets requests read from the read replica of package db.
//
// Everything is in replica.go: the middleware, and who counts as one client. What a
// statement is asked of is decided in package db, which knows no web.
package replica
