package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// crowd is the number of concurrent clients.
const crowd = 32

// cores compares the generated program with the handwritten one on 1, 2, 4 and so on to
// all cores, limited by taskset, if available, and GOMAXPROCS: requests a second relative
// to one core, and CPU time per request. The clients use the remaining cores, or all cores
// together with the program.
func cores(ctx context.Context, dir, secret string, tasks []task) error {
	all := runtime.NumCPU()
	var counts []int
	for n := 1; n < all; n *= 2 {
		counts = append(counts, n)
	}
	counts = append(counts, all)
	fmt.Printf("\nrequests a second of %d clients, and CPU a request in us, by cores (medians of 5 rounds in turns)\n", crowd)
	fmt.Printf("  %-18s %5s   %-34s %-34s %s\n", "", "cores", "generated", "by hand", "/ by hand")
	names := []string{"generated", "stdlib"}
	one := map[string]float64{} // requests a second on one core, by task and program
	for _, n := range counts {
		var servers []*server
		for _, name := range names {
			s, err := start(ctx, dir, name, filepath.Join(dir, name+".db"), secret, pinned(n)...)
			if err != nil {
				return err
			}
			defer s.stop()
			servers = append(servers, s)
		}
		if err := tokens(servers, secret); err != nil {
			return err
		}
		for _, t := range tasks {
			t.requests *= 2
			rates, costs := make([][]float64, 2), make([][]float64, 2)
			for round := range 6 {
				for i, s := range servers {
					begin := time.Now()
					cost, err := s.load(t, round, crowd)
					if err != nil {
						return fmt.Errorf("%s of %s on %d cores: %w", t.name, s.name, n, err)
					}
					if round > 0 {
						rates[i] = append(rates[i], float64(t.requests)/time.Since(begin).Seconds())
						costs[i] = append(costs[i], cost)
					}
				}
			}
			line := ""
			for i, name := range names {
				rate, key := median(rates[i]), t.name+name
				if n == 1 {
					one[key] = rate
				}
				line += fmt.Sprintf("%8.0f /s %5.2f x %8.1f us     ", rate, rate/one[key], median(costs[i]))
			}
			fmt.Printf("  %-18s %5d   %s%.2f\n", t.name, n, line, ratio(costs[0], costs[1]))
		}
		if n == all {
			if err := users(servers[0], tasks); err != nil {
				return err
			}
		}
		for _, s := range servers {
			s.stop()
		}
	}
	return nil
}

// pinned returns the command prefix that limits a program to n cores, and its settings, as
// name=value.
func pinned(n int) []string {
	words := []string{"GOMAXPROCS=" + strconv.Itoa(n)}
	if _, err := exec.LookPath("taskset"); err == nil {
		words = append(slices.Clone(words), "taskset", "-c", "0-"+strconv.Itoa(n-1))
	}
	return words
}
