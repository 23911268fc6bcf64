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
// Reading order: db.go (Open); find.go, list.go, filter.go and write.go (what handlers
// call); rules.go (whose rows are whose); errors.go and conflicts.go (what comes out
// of a statement); migrate.go, change.go, columns.go and
// inspect.go (the schema). The rest is below these: dialect.go, sqlite.go and pool.go
// (connections), cursor.go, total.go and search.go (lists), deleting.go, fold.go and
// exact.go (what each statement of a model does besides), point.go and insert.go
// (statements that GORM takes long to write), rebuild.go and lock.go (migrations).
package db
