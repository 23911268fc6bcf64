// Package db opens a database by its URL and adds to GORM what every handler needs:
// finding rows by key, pages, filters, conflicts as errors that a client can read,
// column types that behave alike on SQLite, PostgreSQL and MySQL, and migrations.
// Handlers hold a *gorm.DB; nothing here hides it.
//
// JSON, Array, Date, Clock and Duration are the types that databases store
// differently. Decimals are github.com/shopspring/decimal's with a column type such
// as decimal(10,2): exact on PostgreSQL and MySQL. On SQLite, whose numbers are
// binary, they keep 15 digits and are not rounded to the scale.
//
// Reading order: db.go (Open), then the part of interest. The files of a part begin
// with its name:
//
//	find, write, list*, refused   what handlers call; a list's cursor, filters, search
//	type_*                        column types
//	schema_*                      migrations, starting at schema_migrate.go: changes of
//	                              a table, locks (online, lock), and the commands
//	                              (commands, inspect, reset, backup)
//	plugin_*                      callbacks of GORM: rules.go (row rules), deleting.go
//	                              (what is deleted with a row), conflicts.go (which
//	                              field an error is about)
//	conn_*                        connections: dialect.go, a pool for each kind of
//	                              database, the read replica
//	errors.go                     the errors of statements
//
// It is one package because the plug-ins are: each of them is a callback around the
// statements of the others, and they share what they know about a model.
//
// # Statements that GORM does not write
//
// plugin_point.go (a read by key) and plugin_insert.go (the insert of one row)
// build the text of a statement once for each model, where GORM builds it each
// time: this saves 16 of the 105 allocations of a read, and 17 of 62 and half of
// the bytes of an insert (run BenchmarkAgainstGORM for current figures). Each
// replaces one of GORM's callbacks and falls back to it for statements that it does
// not handle. When GORM changes its callbacks, take the plug-in out of Open: all
// tests except those of its own file have to pass.
//
// # Why not a migration library
//
// Migrations must be safe when several replicas start at once on any of three
// databases, and on a table in use. goose locks on PostgreSQL only and takes SQL
// for one database; gormigrate has no lock and no status. The price is that no
// other tool reads the table schema_migrations.
package db
