package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The assumed load: in the busiest hour one of ten users is active and makes a request
// every ten seconds. Of ten requests five are lists, three read a row, one writes and one
// reads the current user.
const (
	usersARequest = 100 // users per one request a second
	lasting       = 6 * time.Second
)

// users compares the cost of a number of users, extrapolated from single requests, with
// the measured one, on a separate server.
func users(s *server, tasks []task) error {
	mix := map[string]int{"get": 3, "list with total": 5, "create": 1, "me (JWT)": 1}
	var turns []task
	sum := 0.0
	for _, t := range tasks {
		var costs []float64
		for round := range 4 {
			cost, err := s.cost(t, round)
			if err != nil {
				return err
			}
			if round > 0 {
				costs = append(costs, cost)
			}
		}
		for range mix[t.name] {
			turns = append(turns, t)
		}
		sum += float64(mix[t.name]) * median(costs)
	}
	one := sum / float64(len(turns)) / 1e6 // seconds
	fmt.Printf("\nusers of one process on SQLite: a mix of requests that takes %.0f us\n", one*1e6)
	fmt.Printf("  %9s %12s %16s %16s %10s\n", "users", "requests/s", "cores, worked out", "cores, measured", "99 % within")
	for _, n := range []int{1000, 10_000, 100_000} {
		rate := n / usersARequest
		requests := rate * int(lasting/time.Second)
		before, err := s.cpu()
		if err != nil {
			return err
		}
		var (
			wait  sync.WaitGroup
			mu    sync.Mutex
			wrong error
			took  []time.Duration
		)
		client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 200}}
		begin := time.Now()
		for i := range requests {
			time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
			wait.Go(func() {
				at := time.Now()
				answer, err := client.Do(turns[i%len(turns)].make(s, i))
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
					if answer.StatusCode >= 300 {
						err = errors.Join(err, fmt.Errorf("status %d", answer.StatusCode))
					}
				}
				mu.Lock()
				defer mu.Unlock()
				took, wrong = append(took, time.Since(at)), errors.Join(wrong, err)
			})
		}
		wait.Wait()
		after, err := s.cpu()
		if err := errors.Join(wrong, err); err != nil {
			return err
		}
		client.CloseIdleConnections()
		slices.Sort(took)
		fmt.Printf("  %9d %12d %16.3f %16.3f %10s\n", n, rate, one*float64(rate), (after-before).Seconds()/time.Since(begin).Seconds(), took[len(took)*99/100].Round(100*time.Microsecond))
	}
	return nil
}
