// Package replica routes the reads of requests to the read replica of package db.
//
// All code is in replica.go: the middleware and the identification of clients.
// Package db, which does not know about HTTP, decides where each statement goes.
package replica
