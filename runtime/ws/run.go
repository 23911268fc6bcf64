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
	recheckEvery = time.Second
	recheckLimit = 2 * time.Second // for one answer
	recheckers   = 8               // asked at once
	drainLimit   = 2 * time.Second // for all members to say goodbye at stop
	goodbyes     = time.Second / 2 // over which they are told
)

// Run pings, rechecks who may stay and, with Redis, carries messages, until
// ctx ends; then it closes every connection with 1012, which asks to come back,
// over half a second, so that not all do at once, and returns within three
// seconds. Give it to web.Module.Run.
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
			for _, m := range h.everyone() {
				m.push(frame)
			}
		case <-recheck.C:
			h.recheck(ctx)
		}
	}
	h.shut()
	stop()
	return group.Wait()
}

// recheck closes the connections whose session is over.
func (h *Hub) recheck(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(recheckers)
	for _, m := range h.everyone() {
		if m.options.Recheck == nil || m.ending() {
			continue
		}
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, recheckLimit)
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

// shut closes every connection and waits for their ends.
func (h *Hub) shut() {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	begun, members := time.Now(), h.everyone()
	spread := min(goodbyes, time.Duration(len(members))*time.Millisecond)
	for i, m := range members {
		time.Sleep(time.Until(begun.Add(spread * time.Duration(i) / time.Duration(len(members)))))
		m.end(websocket.CloseServiceRestart, "server restarting")
	}
	over := make(chan struct{})
	go func() { h.active.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(drainLimit):
		h.log.Warn("websocket connections cut at stop", "count", len(h.everyone()))
	}
}
