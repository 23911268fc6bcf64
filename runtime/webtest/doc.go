// Package webtest tests an application's modules in process.
//
// Reading order: client.go (requests and expected responses), db.go (a database for a
// test), resource.go (a resource as data, and its checks), reads.go, writes.go,
// access.go, organisation.go, databases.go.
package webtest
