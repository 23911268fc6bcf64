package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// few is the number of rows that larger tables are compared with.
const few = 100_000

// rows compares the cost of requests on small and large tables, in CPU time of the program
// and of its PostgreSQL backends.
//
//	go run ./e2e/services/run -- go run ./e2e/bench -rows 10000000
func rows(ctx context.Context, tool, dir string, many int) error {
	home := filepath.Join(dir, "rows")
	for _, step := range [][]string{
		{tool, "new", "rows", "--no-git", "--dir", home},
		{tool, "add", "resource", "post", "title:string:min=3:search:sort", "content:text:search", "published:bool:default=false:filter", "category:string:optional:filter", "--guard", "none", "--dir", home},
	} {
		if err := do(ctx, dir, step[0], step[1:]...); err != nil {
			return err
		}
	}
	if err := do(ctx, home, "go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "filled"), "."); err != nil {
		return err
	}
	fmt.Printf("\nCPU a request in us, on %d rows and on %d (medians of rounds in turns), and as so many times (2.00)\n", few, many)
	if err := sizes(ctx, dir, "SQLite", many, func(name string) (string, string, error) {
		file := filepath.Join(dir, name+".db")
		return "sqlite", file, nil
	}); err != nil {
		return err
	}
	at := os.Getenv("NEXIOS_TEST_POSTGRES")
	if at == "" {
		fmt.Println("  PostgreSQL is measured on a server: run it by go run ./e2e/services/run --")
		return nil
	}
	return sizes(ctx, dir, "PostgreSQL", many, func(name string) (string, string, error) {
		address, err := database(ctx, at, name)
		return "pgx", address, err
	})
}

// database creates an empty database of that name on the PostgreSQL at address.
func database(ctx context.Context, address, name string) (string, error) {
	admin, err := sql.Open("pgx", address)
	if err != nil {
		return "", err
	}
	defer admin.Close()
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := admin.ExecContext(ctx, statement); err != nil {
			return "", err
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// sizes measures one kind of database; make creates a database by name.
func sizes(ctx context.Context, dir, kind string, many int, make func(name string) (driver, at string, err error)) error {
	var servers []*server
	for _, size := range []int{few, many} {
		name := "rows" + strconv.Itoa(size)
		driver, at, err := make(name)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "filled"), "migrate", "up")
		cmd.Dir, cmd.Env = dir, environment("", at, "Bench"+name+name+name+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("migrate up: %w\n%s", err, out)
		}
		begin := time.Now()
		pool, err := sql.Open(driver, at)
		if err != nil {
			return err
		}
		defer pool.Close()
		pool.SetMaxOpenConns(1)
		if err := fill(ctx, pool, driver, size); err != nil {
			return err
		}
		fmt.Printf("  %s: filled with %d rows in %s\n", kind, size, time.Since(begin).Round(time.Second))
		s, err := start(ctx, dir, "filled", at, "Bench"+name+name+name+name)
		if err != nil {
			return err
		}
		defer s.stop()
		if driver == "pgx" {
			s.helpers = func() (pids []int, err error) {
				found, err := pool.Query("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
				if err != nil {
					return nil, err
				}
				defer found.Close()
				for found.Next() {
					var pid int
					if err := found.Scan(&pid); err != nil {
						return nil, err
					}
					pids = append(pids, pid)
				}
				return pids, found.Err()
			}
		}
		servers = append(servers, s)
	}
	get := func(path string) func(*server, int) *http.Request {
		return func(s *server, n int) *http.Request {
			r, _ := http.NewRequest(http.MethodGet, "http://"+s.addr+"/api/v1/posts"+strings.ReplaceAll(path, "{n}", strconv.Itoa(n*7919%few+1)), nil)
			return r
		}
	}
	cursors := map[*server]string{}
	for _, s := range servers {
		answer, err := http.Get("http://" + s.addr + "/api/v1/posts?limit=20&page=4500&count=none")
		if err != nil {
			return err
		}
		var out struct {
			Next string `json:"next_cursor"`
		}
		err = json.NewDecoder(answer.Body).Decode(&out)
		answer.Body.Close()
		if err != nil || out.Next == "" {
			return fmt.Errorf("no cursor: status %d, %w", answer.StatusCode, err)
		}
		cursors[s] = out.Next
	}
	for _, t := range []task{
		{name: "get", requests: 200, make: get("/{n}")},
		{name: "list with total", requests: 60, make: get("?limit=20")},
		{name: "list, count=exact", requests: 4, make: get("?limit=20&count=exact")},
		{name: "list, count=none", requests: 60, make: get("?limit=20&count=none")},
		{name: "sorted by another", requests: 60, make: get("?limit=20&sort=title")},
		{name: "filter, half", requests: 60, make: get("?limit=20&published=true")},
		{name: "filter, one of 1,000", requests: 60, make: get("?limit=20&category=rare")},
		{name: "search, one hit", requests: 60, make: get("?limit=20&search=word%20{n}.")},
		{name: "search, no hit", requests: 60, make: get("?limit=20&search=nowhere%20at%20all")},
		{name: "search, all hit", requests: 60, make: get("?limit=20&search=content")},
		{name: "cursor, row 90,000", requests: 60, make: func(s *server, _ int) *http.Request {
			return get("?limit=20&cursor="+cursors[s])(s, 0)
		}},
		{name: "create", requests: 100, make: func(s *server, n int) *http.Request {
			r, _ := http.NewRequest(http.MethodPost, "http://"+s.addr+"/api/v1/posts", strings.NewReader(fmt.Sprintf(`{"title":"New post %d","content":"Some text","published":true,"category":"go"}`, n)))
			r.Header.Set("Content-Type", "application/json")
			return r
		}},
	} {
		var costs [2][]float64
		for round := range 6 {
			for i, s := range servers {
				cost, err := s.cost(t, round)
				if err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
				if round > 0 {
					costs[i] = append(costs[i], cost)
				}
			}
		}
		fmt.Printf("  %-12s %-22s %10.0f %10.0f   %.2f\n", kind, t.name, median(costs[0]), median(costs[1]), ratio(costs[1], costs[0]))
	}
	return nil
}

// fill creates size posts in one statement. PostgreSQL builds the search index afterwards,
// which is ten times as fast.
func fill(ctx context.Context, pool *sql.DB, driver string, size int) error {
	if driver == "sqlite" {
		for _, statement := range []string{
			"PRAGMA synchronous = OFF",
			`INSERT INTO posts (title, content, published, category, created_at, updated_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ` + strconv.Itoa(size) + `)
			SELECT 'Post number ' || i, printf('Some content: word %d. %08x %08x %08x and %s', i, i * 2654435761 % 4294967296, i * 40503 % 4294967296, i * 2246822519 % 4294967296, 'more of the same that everybody has'),
			i % 2, CASE WHEN i % 1000 = 0 THEN 'rare' ELSE 'common' END, strftime('%Y-%m-%d %H:%M:%S+00:00', 1735689600 + i, 'unixepoch'), strftime('%Y-%m-%d %H:%M:%S+00:00', 1735689600 + i, 'unixepoch') FROM n`,
			"PRAGMA optimize = 0x10002", "PRAGMA wal_checkpoint(TRUNCATE)",
		} {
			if _, err := pool.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}
	var index string
	if err := pool.QueryRowContext(ctx, "SELECT indexdef FROM pg_indexes WHERE indexname = 'idx_posts_search'").Scan(&index); err != nil {
		return err
	}
	for _, statement := range []string{
		"DROP INDEX idx_posts_search",
		`INSERT INTO posts (title, content, published, category, created_at, updated_at)
		SELECT 'Post number ' || i, format('Some content: word %s. %s %s %s and %s', i, to_hex(i * 2654435761 % 4294967296), to_hex(i * 40503 % 4294967296), to_hex(i * 2246822519 % 4294967296), 'more of the same that everybody has'),
		i % 2 = 1, CASE WHEN i % 1000 = 0 THEN 'rare' ELSE 'common' END, to_timestamp(1735689600 + i), to_timestamp(1735689600 + i) FROM generate_series(1, ` + strconv.Itoa(size) + `::bigint) i`,
		"SET maintenance_work_mem = '512MB'", index, "CHECKPOINT", "VACUUM ANALYZE posts",
	} {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
