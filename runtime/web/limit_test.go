package web

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

func TestLimiterWindows(t *testing.T) {
	l := newLimiter(Rate{2, time.Minute}, slog.New(slog.DiscardHandler))
	client, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	start := time.Unix(1000, 0)
	for _, tt := range []struct {
		client netip.Addr
		at     time.Duration
		left   int
		reset  time.Duration
	}{
		{client, 0, 1, time.Minute},
		{client, 10 * time.Second, 0, 50 * time.Second},
		{client, 20 * time.Second, -1, 40 * time.Second},
		{client, 59 * time.Second, -1, time.Second},
		{other, 59 * time.Second, 1, time.Minute},
		{client, time.Minute, 1, time.Minute},
	} {
		if left, reset := l.take(tt.client, start.Add(tt.at)); left != tt.left || reset != tt.reset {
			t.Errorf("%s after %s has %d left for %s", tt.client, tt.at, left, reset)
		}
	}
}

// TestLimiterIsBounded floods it with clients.
func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(Rate{2, time.Minute}, slog.New(slog.DiscardHandler))
	now := time.Now()
	for i := range 600_000 {
		l.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	count := 0
	for i := range l.shards {
		count += len(l.shards[i].clients)
	}
	if count > limiterShards*maxClients {
		t.Errorf("it remembers %d clients", count)
	}
}

func TestClientsAreNetworks(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::", "": "invalid IP",
	} {
		if got := clientOf(ip).String(); got != want {
			t.Errorf("%q is %s", ip, got)
		}
	}
}
