package jobs_test

import (
	"context"
	"fmt"
	"log/slog"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/jobs"
)

// A job exists if and only if the transaction that enqueued it commits.
func Example() {
	gdb, err := db.Open("sqlite::memory:", db.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(gdb)
	ctx, stop := context.WithCancel(db.System(context.Background()))
	defer stop()
	gdb = gdb.WithContext(ctx)
	if _, err := db.Migrate(ctx, gdb, jobs.Migrations()); err != nil {
		fmt.Println(err)
		return
	}
	queue := jobs.New(gdb, slog.New(slog.DiscardHandler))
	jobs.Handle(queue, "greet", func(_ context.Context, name string) error {
		fmt.Println("Hello", name)
		stop() // or it would wait for more
		return nil
	})
	for _, name := range []string{"nobody", "anna"} {
		err := gdb.Transaction(func(tx *gorm.DB) error {
			if err := jobs.Enqueue(tx, "greet", name); err != nil {
				return err
			}
			if name == "nobody" {
				return fmt.Errorf("%s is greeted", name)
			}
			return nil
		})
		fmt.Println(err)
	}
	fmt.Println(queue.Run(ctx))
	// Output:
	// nobody is greeted
	// <nil>
	// Hello anna
	// <nil>
}
