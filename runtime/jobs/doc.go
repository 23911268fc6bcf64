// Package jobs is a durable job queue in the application's own database: a job is a row
// of the table jobs, written in the caller's transaction, so that it exists exactly if
// the data it belongs to does. Workers in the serving process, or in a process of their
// own, run it at least once, retry it with exponential backoff and survive being killed
// at any moment.
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
// Reading order: enqueue.go and handle.go (the API for applications), jobs.go (the
// Queue), table.go, work.go (claiming and running jobs), record.go (recording
// completions), schedule.go, clean.go, outage.go, module.go.
//
// # Why not an existing queue
//
// Context: a job must commit with the data, on SQLite, PostgreSQL and MySQL, without
// cgo and without a second server. River does that well, but its driver for
// database/sql, the only one that could share a GORM transaction, supports one database
// at a time and is not published for all of ours in one version; its PostgreSQL driver
// needs a pgx pool of its own, whose transactions are not GORM's. Backlite supports
// SQLite only. Queues on Redis cannot commit with the data at all, and need an outbox
// table, which is a queue. On PostgreSQL this queue costs less than River; "make bench"
// measures both.
//
// Decision: one table, one claim statement, about four hundred lines. A worker claims
// rows by moving their due time to the end of a lease, using FOR UPDATE SKIP LOCKED
// where the database supports it and SQLite's single writer otherwise, and renews the
// lease while it works. The jobs of a process that dies become due again when their
// lease expires. Every update of a row names the attempt it belongs to, so a worker
// that lost its lease cannot finish the job of another.
//
// A claim takes as many jobs as there are free slots, and completions that arrive while
// others are being written are written together. On PostgreSQL a trigger notifies every
// process of new jobs (NOTIFY), and idle processes sleep until a job is due; on other
// databases, and behind PgBouncer, workers poll (one indexed read per second when
// idle).
//
// Consequences: the same code and the same table everywhere; `SELECT * FROM jobs` shows
// the queue; throughput is a few thousand jobs per second, bounded by the database's
// commits. There are no priorities, no workflows and no web console. The clocks of
// replicas should agree to within a few seconds, since leases are times.
package jobs
