// Package jobs is a durable queue on the application's own database: a job is
// a row of the table jobs, written in the caller's transaction, so that it
// exists exactly when the data it belongs to does. Workers in the serving
// process, or alone, run it at least once, try again with growing pauses when
// it fails, and survive being killed at any instant.
//
//	err := gdb.Transaction(func(tx *gorm.DB) error {
//		if err := tx.Create(&user).Error; err != nil {
//			return err
//		}
//		return jobs.Enqueue(tx, "mail.welcome", Welcome{To: user.Email})
//	})
//
//	jobs.Handle(queue, "mail.welcome", func(ctx context.Context, in Welcome) error { ... })
//
// Reading order: enqueue.go and handle.go (what applications call), jobs.go (the
// Queue), table.go, work.go (how a job is claimed), record.go (how it ends), schedule.go,
// clean.go, outage.go, module.go.
//
// # Why a queue of our own
//
// Context: a job must commit with the data, on SQLite, PostgreSQL and MySQL,
// without cgo and without a second server. River does that well, but its
// driver for database/sql, which alone could share a GORM transaction, serves
// one database at a time and is not published for all of ours in one version;
// its PostgreSQL driver wants a pgx pool of its own, whose transactions are
// not GORM's. Backlite knows SQLite only. Queues on Redis cannot commit with
// the data at all, and need an outbox table, which is a queue. On PostgreSQL
// this one costs less than River does; "make bench" measures both.
//
// Decision: one table, one claim statement, about four hundred lines. A worker
// claims rows by moving their due time to the end of a lease, under FOR UPDATE
// SKIP LOCKED where the database has it and under SQLite's single writer where
// not, and renews the lease while it works. What a process dies with becomes
// due again by itself. Every change of a row names the attempt it belongs to,
// so a worker that lost its lease cannot finish for another.
//
// As many jobs are claimed at once as there are places for, and those that end
// while the end of others is written are written together. On PostgreSQL a
// trigger tells every process of new jobs (NOTIFY), which then sleep until
// something is due; elsewhere, and behind PgBouncer, workers poll (one indexed
// read a second when idle).
//
// Consequences: the same code and the same table everywhere; `SELECT * FROM
// jobs` shows the queue; throughput is some thousands of jobs a second, bounded
// by the database's commits. There are no priorities, no workflows and no web console. Clocks of
// replicas should agree to within a few seconds, since leases are times.
package jobs
