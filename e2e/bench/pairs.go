package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
)

// pair is two benchmarks of one package that do the same work.
type pair struct {
	what, dir, run, ours, theirs, aim string
}

// pairs compares parts of the runtime with the libraries they are built on, using the
// benchmarks of their packages: the minimum of several runs, which is the least affected
// by other load.
func pairs(ctx context.Context) error {
	fmt.Println("\nparts, as so many times the least time of the other")
	for _, p := range []pair{
		{"typed route / Gin's binding, POST with a body", "web", "^BenchmarkPost$", "BenchmarkPost/typed", "BenchmarkPost/gin", "1.05"},
		{"typed route / Gin's binding, PUT with id and body", "web", "^BenchmarkPut$", "BenchmarkPut/typed", "BenchmarkPut/gin", "1.05"},
		{"typed route / Gin's binding, GET with a query", "web", "^BenchmarkGetWithQuery$", "BenchmarkGetWithQuery/typed", "BenchmarkGetWithQuery/gin", "1.05"},
		{"guarded route's token / a bare HS256 check", "auth", "^BenchmarkVerify", "BenchmarkVerifyGuard", "BenchmarkVerifyBare", "1.30"},
		{"SQLite, page of 75,000: total estimated / counted", "db", "^BenchmarkLists$/^sqlite$/^total$", "BenchmarkLists/sqlite/total/estimate", "BenchmarkLists/sqlite/total/exact", "0.50"},
		{"PostgreSQL, page of 75,000: total estimated / counted", "db", "^BenchmarkLists$/^postgres$/^total$", "BenchmarkLists/postgres/total/estimate", "BenchmarkLists/postgres/total/exact", "0.50"},
		{"SQLite, filtered page: index with the order / without", "db", "^BenchmarkFilters$/^sqlite$/^page$", "BenchmarkFilters/sqlite/page/listed", "BenchmarkFilters/sqlite/page/alone", "0.05"},
		{"SQLite, page of one's own: the same", "db", "^BenchmarkFilters$/^sqlite$/^own$", "BenchmarkFilters/sqlite/own/listed", "BenchmarkFilters/sqlite/own/alone", "0.70"},
		{"SQLite, create: the same", "db", "^BenchmarkFilters$/^sqlite$/^create$", "BenchmarkFilters/sqlite/create/listed", "BenchmarkFilters/sqlite/create/alone", "1.10"},
		{"PostgreSQL, page of one's own: the same", "db", "^BenchmarkFilters$/^postgres$/^own$", "BenchmarkFilters/postgres/own/listed", "BenchmarkFilters/postgres/own/alone", "0.70"},
		{"SQLite, search of 100,000: with its index / by LIKE", "db", "^BenchmarkSearch$/^sqlite$", "BenchmarkSearch/sqlite/index", "BenchmarkSearch/sqlite/hand", "0.10"},
		{"PostgreSQL, search of 100,000: with its index / by LIKE", "db", "^BenchmarkSearch$/^postgres$", "BenchmarkSearch/postgres/index", "BenchmarkSearch/postgres/hand", "0.10"},
		{"SQLite, page at row 90,000: by keys / by offset", "db", "^BenchmarkLists$/^sqlite$/^deep$", "BenchmarkLists/sqlite/deep/keys", "BenchmarkLists/sqlite/deep/offset", "0.50"},
		{"PostgreSQL, page at row 90,000: by keys / by offset", "db", "^BenchmarkLists$/^postgres$/^deep$", "BenchmarkLists/postgres/deep/keys", "BenchmarkLists/postgres/deep/offset", "0.50"},
	} {
		out, err := benchmark(ctx, p.dir, p.run, "-benchtime=200ms", "-count=6")
		if err != nil {
			return err
		}
		ours, theirs := least(out, p.ours, "ns/op"), least(out, p.theirs, "ns/op")
		fmt.Printf("  %-52s %9.0f ns %9.0f ns   %.2f (%s)\n", p.what, ours, theirs, ours/theirs, p.aim)
	}
	out, err := benchmark(ctx, "ws", "^BenchmarkFanOut$", "-benchtime=1x")
	if err != nil {
		return err
	}
	fmt.Printf("  %-52s %9.0f ns %9.0f ns   %.1f times as many (5)\n", "messages a CPU second to 1,000 members / the usual chat",
		least(out, "BenchmarkFanOut", "ours-cpu-ns/msg"), least(out, "BenchmarkFanOut", "usual-cpu-ns/msg"), least(out, "BenchmarkFanOut", "times"))
	if out, err = benchmark(ctx, "ws", "^BenchmarkReplicas$", "-benchtime=1x"); err != nil {
		return err
	}
	fmt.Printf("  %-52s %9.0f ns\n", "a message to 10,000 members on 3 replicas, all arrived", least(out, "BenchmarkReplicas", "replicas-cpu-ns/msg"))
	return nil
}

func benchmark(ctx context.Context, dir, run string, flags ...string) (string, error) {
	args := append([]string{"test", "./runtime/" + dir, "-run=^$", "-bench=" + run}, flags...)
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go %v: %w\n%s", args, err, out)
	}
	return string(out), nil
}

// least returns the minimum of a metric over a benchmark's runs; 0 if there is none.
func least(out, name, unit string) float64 {
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `(?:-\d+)?\s.*?([\d.e+]+) ` + regexp.QuoteMeta(unit) + `(?:\s|$)`)
	var values []float64
	for _, found := range line.FindAllStringSubmatch(out, -1) {
		if value, err := strconv.ParseFloat(found[1], 64); err == nil {
			values = append(values, value)
		}
	}
	if len(values) == 0 {
		return 0
	}
	return slices.Min(values)
}
