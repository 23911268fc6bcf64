// Package webtest drives an application's modules in process, for tests.
//
// Reading order: client.go (requests and what is expected of answers), db.go (a database
// for a test), resource.go (a resource as data, and all that is tried on it), reads.go,
// writes.go, access.go, organisation.go, databases.go.
package webtest
