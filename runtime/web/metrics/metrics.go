// Package metrics exports Prometheus metrics and pprof profiles of an application, on
// a separate address or behind guards.
package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nexios-go/nexios/runtime/web"
)

// Module measures the process and every request, whatever its position in the list of
// modules; only middleware of the modules before it is not included. /metrics and
// /debug/pprof/ are served on addr (METRICS_ADDR), which should be reachable from a
// private network only. If addr is empty, they are served on the application's
// address behind the guards, or not at all without guards. more lists additional
// collectors.
func Module(addr string, more []prometheus.Collector, guards ...web.Guard) web.Module {
	registry := prometheus.NewRegistry()
	requests := newRequests()
	all := append([]prometheus.Collector{
		requests.duration, requests.active, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}, more...)
	var problems []error
	for _, c := range all {
		problems = append(problems, registry.Register(c))
	}
	handler := handler(registry)
	m := web.Module{Name: "metrics", Use: []gin.HandlerFunc{requests.measure}, Err: errors.Join(problems...)}
	switch {
	case addr != "":
		m.Run = func(ctx context.Context) error { return serve(ctx, addr, handler) }
	case len(guards) > 0:
		for _, path := range []string{"/metrics", "/debug/pprof/*profile"} {
			// A profile takes as long as its query requests.
			m.Routes = append(m.Routes, web.Handle(http.MethodGet, path, gin.WrapH(handler)).Guard(guards...).Within(5*time.Minute).Hide())
		}
	}
	return m
}

// handler serves metrics and profiles.
func handler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// serve listens on addr until ctx is done.
func serve(ctx context.Context, addr string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("the address of METRICS_ADDR cannot be used: %w\n  try:   METRICS_ADDR=127.0.0.1:9100", err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		handler = web.LocalOnly(handler)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// requests holds the metrics of requests.
type requests struct {
	duration *prometheus.HistogramVec
	active   prometheus.Gauge
}

func newRequests() requests {
	return requests{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Request duration by method, route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route", "status"}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_requests_active", Help: "Requests in flight."}),
	}
}

// measure is the middleware. Labels come from fixed sets, so that clients cannot
// create new series.
func (r requests) measure(c *gin.Context) {
	start := time.Now()
	r.active.Inc()
	defer r.active.Dec()
	c.Next()
	method, route := c.Request.Method, cmp.Or(c.FullPath(), "none")
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		method = "other"
	}
	r.duration.WithLabelValues(method, route, strconv.Itoa(web.Status(c))).Observe(time.Since(start).Seconds())
}
