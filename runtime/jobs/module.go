package jobs

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/web"
)

// workGrace is Queue.Grace for a process that only runs jobs: it must stop within ten
// seconds.
const workGrace = 7 * time.Second

// Module returns the queue as a module of the application: workers while it serves, the
// commands "work", which only runs workers, "jobs ls", "jobs retry" and "jobs cancel",
// and in development a panel for the page at /dev.
func Module(q *Queue) web.Module {
	return web.Module{
		Name:  "jobs",
		Start: func(context.Context) error { return q.err }, // every module has registered by now
		Run:   q.Run,
		Routes: []web.Route{
			web.Get("/dev/jobs", q.panel).Doc("Show background jobs (development)").Dev(),
		},
		Commands: []command.Command{
			{Name: "work", Args: "[--workers N]", Summary: "run background jobs without serving", Starts: true, Run: q.workCommand},
			{Name: "jobs ls", Args: "[--state S] [--kind K] [--limit N]", Summary: "list background jobs, newest first", Starts: true, Run: q.listCommand},
			{Name: "jobs retry", Args: "ID... | --dead", Summary: "run dead or cancelled jobs again", Starts: true, Run: q.retryCommand},
			{Name: "jobs cancel", Args: "ID...", Summary: "cancel jobs that have not finished", Starts: true, Run: q.cancelCommand},
		},
	}
}

func (q *Queue) workCommand(ctx context.Context, io command.IO) error {
	flags := newFlags("work")
	workers := flags.Int("workers", max(q.Workers, 1), "number of jobs to run at once")
	if err := parse(flags, io.Args); err != nil {
		return err
	}
	if *workers < 1 || flags.NArg() > 0 {
		return command.Usage("--workers takes a number from 1\n  try:   work --workers 8")
	}
	q.Workers, q.Grace = *workers, workGrace
	q.log.Info("working", "workers", q.Workers)
	return q.Run(ctx)
}

func (q *Queue) listCommand(ctx context.Context, io command.IO) error {
	flags := newFlags("jobs ls")
	state := flags.String("state", "", "ready, running, done, dead or cancelled")
	kind := flags.String("kind", "", "jobs of this kind only")
	limit := flags.Int("limit", 50, "maximum number of jobs to list")
	if err := parse(flags, io.Args); err != nil {
		return err
	}
	states := []string{ready, running, done, dead, cancelled}
	if *state != "" && !slices.Contains(states, *state) {
		return command.Usage(fmt.Sprintf("unknown state %q\n  states: %s\n  try:    jobs ls --state dead", *state, strings.Join(states, " ")))
	}
	tx := q.db.WithContext(ctx).Order("id DESC").Limit(max(*limit, 1))
	if *state != "" {
		tx = tx.Where("state = ?", *state)
	}
	if *kind != "" {
		tx = tx.Where("kind = ?", *kind)
	}
	var found []job
	if err := tx.Find(&found).Error; err != nil {
		return err
	}
	out := tabwriter.NewWriter(io.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "ID\tKIND\tSTATE\tATTEMPTS\tCREATED\tDUE\tERROR")
	for _, j := range found {
		due := "-"
		if j.DueAt != nil {
			due = stamp(*j.DueAt)
		}
		fmt.Fprintf(out, "%d\t%s\t%s\t%d/%d\t%s\t%s\t%s\n", j.ID, singleLine(j.Kind), j.State, j.Attempts, j.MaxAttempts, stamp(j.CreatedAt), due, singleLine(j.LastError))
	}
	return out.Flush()
}

func (q *Queue) retryCommand(ctx context.Context, io command.IO) error {
	flags := newFlags("jobs retry")
	allDead := flags.Bool("dead", false, "every dead job")
	if err := parse(flags, io.Args); err != nil {
		return err
	}
	tx := q.db.WithContext(ctx).Model(&job{}).Where("state IN ?", []string{dead, cancelled})
	if *allDead && flags.NArg() == 0 {
		tx = tx.Where("state = ?", dead)
	} else {
		ids, err := parseIDs("jobs retry", flags.Args())
		if err != nil {
			return err
		}
		tx = tx.Where("id IN ?", ids)
	}
	// Attempts never decreases: it distinguishes claims.
	result := tx.Updates(map[string]any{
		"state": ready, "due_at": now(), "finished_at": nil, "max_attempts": gorm.Expr("attempts + ?", defaultAttempts),
	})
	q.notifyListeners(q.db.WithContext(ctx))
	return report(io.Stdout, result, "to run again", flags.NArg())
}

func (q *Queue) cancelCommand(ctx context.Context, io command.IO) error {
	ids, err := parseIDs("jobs cancel", io.Args)
	if err != nil {
		return err
	}
	result := q.db.WithContext(ctx).Model(&job{}).Where("id IN ? AND state IN ?", ids, []string{ready, running}).
		Updates(ended(cancelled, "cancelled manually"))
	return report(io.Stdout, result, "cancelled", len(ids))
}

// report prints how many jobs a command changed, and returns an error if some of the
// requested ones were missing or in another state.
func report(w io.Writer, result *gorm.DB, what string, requested int) error {
	if result.Error != nil {
		return result.Error
	}
	fmt.Fprintf(w, "%d %s\n", result.RowsAffected, what)
	if result.RowsAffected < int64(requested) {
		return fmt.Errorf("%d of %d jobs do not exist or are in another state\n  try:   jobs ls", int64(requested)-result.RowsAffected, requested)
	}
	return nil
}

func parseIDs(name string, words []string) ([]int64, error) {
	if len(words) == 0 {
		return nil, command.Usage(fmt.Sprintf("%s needs job ids\n  listed by: jobs ls\n  try:         %s 42", name, name))
	}
	var ids []int64
	for _, word := range words {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, command.Usage(fmt.Sprintf("%q is not a job id\n  listed by: jobs ls\n  try:         %s 42", word, name))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the returned error is enough
	return flags
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return command.Usage(fmt.Sprintf("%v\n  try:   %s --help", err, flags.Name()))
	}
	return nil
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// singleLine returns stored text on a single line, without control characters.
func singleLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if r := []rune(text); len(r) > 80 {
		return string(r[:77]) + "..."
	}
	return text
}
