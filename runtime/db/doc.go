// Package db opens a database by its URL and adds to GORM what every handler
// needs: rows by key, pages, filters, conflicts as errors a client can read,
// column types that behave alike on SQLite, PostgreSQL and MySQL, and
// migrations. Handlers hold a *gorm.DB; nothing here hides it.
//
// Types that databases store differently are JSON, Array, Date, Clock and
// Duration. Decimals are github.com/shopspring/decimal's with a column type
// such as decimal(10,2): exact on PostgreSQL and MySQL, and on SQLite, whose
// numbers are binary, to 15 digits; it does not round to the scale either.
//
// Reading order: db.go (Open), then the part that you are after. Files of a part begin
// with its name:
//
//	find, write, list*, refused   what handlers call; a list's cursor, filters, search
//	type_*                        column types
//	schema_*                      migrations, from schema_migrate.go: what changes a
//	                              table, what keeps others waiting (online, lock), and
//	                              the commands (commands, inspect, reset, backup)
//	plugin_*                      what each statement of GORM does besides: rules.go
//	                              (whose rows are whose), deleting.go (what goes with a
//	                              row), conflicts.go (which field an error is about)
//	conn_*                        the connections: dialect.go, a pool for each kind of
//	                              database, the read replica
//	errors.go                     what comes out of a statement
//
// It is one package because the plugins are: each of them is a callback around the
// others' statements, and shares what is known of a model with them.
//
// # Statements that GORM does not write
//
// plugin_point.go (a read by key) and plugin_insert.go (the insert of one row) build the
// text of a statement once for each model, where GORM builds it each time: 16 of the 105
// allocations of a read, 17 of 62 and half of the bytes of an insert
// (BenchmarkAgainstGORM, which says whether that is still so). Each is a
// callback in the place of one of GORM's and leaves to it what it does not know. When
// GORM changes its callbacks, take the plugin out of Open: all tests but those of its
// own file have to pass.
//
// # Migrations of our own
//
// They must be safe when several replicas start at once on any of three databases, and
// on a table that others use. goose locks on PostgreSQL alone and takes SQL for one of
// them; gormigrate has no lock and no status. The price is that no tool of others reads
// the table schema_migrations.
package db
