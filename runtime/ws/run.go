package ws

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/nexios-go/nexios/runtime/fault"
)

const (
	recheckEvery   = time.Second
	recheckTimeout = 2 * time.Second // for one call
	recheckers     = 8               // concurrent calls
	drainTimeout   = 2 * time.Second // for all members to close at shutdown
	closeSpread    = time.Second / 2 // over which close frames are spread
)

// Run sends pings, rechecks members and, with Redis, transfers messages until ctx is
// cancelled. It then closes every connection with 1012, which asks clients to
// reconnect, spread over half a second so that they do not all do so at the same time,
// and returns within three seconds. Set it as web.Module.Run.
func (h *Hub) Run(ctx context.Context) error {
	if h.Err != nil {
		return h.Err
	}
	group, background := errgroup.WithContext(context.WithoutCancel(ctx))
	background, stop := context.WithCancel(background)
	defer stop()
	if h.redis != nil {
		group.Go(func() error { h.redis.run(background); return nil })
	}
	recheck := time.NewTicker(recheckEvery)
	defer recheck.Stop()
	ping := time.NewTicker(h.Limits.Ping)
	defer ping.Stop()
	frame := encode(websocket.PingMessage, nil)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ping.C:
			for _, m := range h.allMembers() {
				m.push(frame)
			}
		case <-recheck.C:
			h.recheck(ctx)
		}
	}
	h.closeAll()
	stop()
	return group.Wait()
}

// recheck closes the connections whose session has ended.
func (h *Hub) recheck(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(recheckers)
	for _, m := range h.allMembers() {
		if m.options.Recheck == nil || m.ending() {
			continue
		}
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
			defer cancel()
			err := m.options.Recheck(ctx)
			if err == nil || ctx.Err() != nil {
				return nil
			}
			switch fault.From(err).Status {
			case http.StatusUnauthorized, http.StatusForbidden:
				m.end(websocket.ClosePolicyViolation, "session ended")
			default:
				h.log.Warn("websocket recheck", "error", err)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// closeAll closes every connection and waits for that.
func (h *Hub) closeAll() {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	begun, members := time.Now(), h.allMembers()
	spread := min(closeSpread, time.Duration(len(members))*time.Millisecond)
	for i, m := range members {
		time.Sleep(time.Until(begun.Add(spread * time.Duration(i) / time.Duration(len(members)))))
		m.end(websocket.CloseServiceRestart, "server restarting")
	}
	done := make(chan struct{})
	go func() { h.active.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drainTimeout):
		h.log.Warn("websocket connections cut at stop", "count", len(h.allMembers()))
	}
}
