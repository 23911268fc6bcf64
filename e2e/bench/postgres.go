package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
)

// onPostgres compares requests on PostgreSQL, by the CPU time of the programs only: the
// server runs the same statements.
func onPostgres(ctx context.Context, dir, secret string) error {
	at := os.Getenv("NEXIOS_TEST_POSTGRES")
	if at == "" {
		fmt.Println("\nrequests on PostgreSQL are compared on a server: run make bench")
		return nil
	}
	var servers []*server
	var address string
	for _, name := range []string{"generated", "stdlib", "dressed"} {
		if name != "dressed" { // which shares one with stdlib
			var err error
			if address, err = database(ctx, at, "bench_"+name); err != nil {
				return err
			}
			if err := migrate(ctx, dir, "generated", address, secret); err != nil {
				return err
			}
			if err := fillPosts(ctx, address); err != nil {
				return err
			}
		}
		s, err := start(ctx, dir, name, address, secret)
		if err != nil {
			return err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	if err := tokens(servers, secret); err != nil {
		return err
	}
	fmt.Printf("\nthe same on PostgreSQL, without what the database server takes\n")
	tasks := requested()
	for i := range tasks {
		tasks[i].aim = "1.15"
	}
	return compare(servers, tasks)
}

// fillPosts creates the same posts as prepare does in SQLite.
func fillPosts(ctx context.Context, address string) error {
	pool, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO posts (title, content, published, category, created_at, updated_at)
		SELECT 'Post number ' || i, repeat('Some content. ', 12), i %% 2 = 0, (ARRAY['go', 'web', 'db'])[i %% 3 + 1], at, at
		FROM generate_series(0, %d) i, LATERAL (SELECT timestamptz '2025-01-01 00:00:00Z' + i * interval '1 second' AS at) t`, posts-1),
		"CHECKPOINT", "VACUUM ANALYZE posts",
	} {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
