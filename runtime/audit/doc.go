// Package audit keeps an audit log of every row that the application changes: the
// user, the actor who impersonated them, the row, and its values before and after.
// Entries are written in the transaction of the change. The log is append-only, and
// each entry contains the hash of the previous one, so that changing or removing an
// entry breaks the chain.
//
//	audit.Module(gdb).Under(api)
//
// That line watches the tables of gdb, serves GET /audit to administrators and adds
// the command "audit verify". See [Log] for what is recorded, and [Verify] for what
// the chain proves.
//
// Reading order: audit.go (what is recorded), chain.go (how it is stored), module.go
// (how it is served), migrations.go.
package audit
