package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// minCompressed is the size in bytes below which compression is not worthwhile.
const minCompressed = 1024

// encoder is a reusable compressor.
type encoder interface {
	io.Writer
	Reset(io.Writer)
	Flush() error
	Close() error
}

// coding is a content coding with a pool of encoders.
type coding struct {
	name       string
	idle       sync.Pool
	newEncoder func() encoder
}

func (c *coding) get(w io.Writer) encoder {
	e, ok := c.idle.Get().(encoder)
	if !ok {
		e = c.newEncoder()
	}
	e.Reset(w)
	return e
}

func (c *coding) put(e encoder) {
	e.Reset(io.Discard)
	c.idle.Put(e)
}

// compressor encodes the responses of a handler as requested in Accept-Encoding (RFC
// 9110, 12.5.3): with the coding of the highest weight, preferring zstd over br over
// gzip among equals. It passes through small and already encoded responses, streams
// and upgraded connections.
type compressor struct {
	next    http.Handler
	codings [3]*coding
	writers sync.Pool
}

func newCompressor(next http.Handler) *compressor {
	return &compressor{next: next, codings: [3]*coding{
		{name: "zstd", newEncoder: func() encoder {
			// The options are constant and valid.
			e, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10))
			return e
		}},
		{name: "br", newEncoder: func() encoder { return brotli.NewWriterLevel(nil, 3) }},
		{name: "gzip", newEncoder: func() encoder {
			e, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
			return e
		}},
	}}
}

// ServeHTTP implements http.Handler.
func (c *compressor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	chosen := c.choose(r.Header.Get("Accept-Encoding"))
	if r.Method == http.MethodHead {
		chosen = nil
	}
	cw, ok := c.writers.Get().(*compressedWriter)
	if !ok {
		cw = new(compressedWriter)
	}
	cw.ResponseWriter, cw.coding, cw.seen = w, chosen, r.Header.Get("If-None-Match")
	c.decode(r.Header)
	defer func() {
		cw.reset()
		c.writers.Put(cw)
	}()
	c.next.ServeHTTP(cw, r)
	cw.finish()
}

// tag returns the strong ETag of a response in this coding; tag is that of the plain
// response.
func (c *coding) tag(tag string) string { return strings.TrimSuffix(tag, `"`) + "-" + c.name + `"` }

// decode strips the suffixes of the codings from the ETags in a request: to the
// handlers a response has one ETag in every coding.
func (c *compressor) decode(h http.Header) {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		for i, given := range h[name] {
			for _, coding := range c.codings {
				given = strings.ReplaceAll(given, "-"+coding.name+`"`, `"`)
			}
			h[name][i] = given
		}
	}
}

// setClientTag sets the ETag of a 304 to that of the encoded response that the client
// has.
func (w *compressedWriter) setClientTag() {
	if tag := w.Header().Get("Etag"); w.coding != nil && strings.HasPrefix(tag, `"`) && strings.Contains(w.seen, w.coding.tag(tag)) {
		w.Header().Set("Etag", w.coding.tag(tag))
	}
}

// choose returns the coding with the highest weight, or nil for none.
func (c *compressor) choose(header string) *coding {
	if header == "" {
		return nil
	}
	const unnamed = -1
	weights, any, identity := [3]float64{unnamed, unnamed, unnamed}, 0.0, 0.0
	for part := range strings.SplitSeq(header, ",") {
		name, q, weighted := strings.Cut(part, ";")
		weight := 1.0
		if weighted {
			weight, _ = strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(q), "q="), 64)
		}
		switch name = strings.TrimSpace(name); name {
		case "*":
			any = weight
		case "identity":
			identity = weight
		}
		for i, coding := range c.codings {
			if strings.EqualFold(name, coding.name) {
				weights[i] = weight
			}
		}
	}
	var best *coding
	bestWeight := max(identity, 0) // a weight of 0 excludes a coding
	for i, weight := range weights {
		if weight == unnamed {
			weight = any
		}
		if weight > bestWeight || weight == bestWeight && weight > 0 && best == nil {
			best, bestWeight = c.codings[i], weight
		}
	}
	return best
}

// compressedWriter buffers a response until it is large enough to compress.
type compressedWriter struct {
	http.ResponseWriter
	coding  *coding // nil: do not compress
	encoder encoder
	seen    string // the request's If-None-Match
	status  int    // set but not yet sent; 0 if none
	pending []byte // written but not yet sent
	plain   bool   // write the rest unchanged
}

func (w *compressedWriter) reset() {
	*w = compressedWriter{pending: w.pending[:0]}
}

// Unwrap is used by http.ResponseController.
func (w *compressedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader records the status, or sends it if the response has no body or is not
// compressed.
func (w *compressedWriter) WriteHeader(status int) {
	if w.plain || w.encoder != nil || status < http.StatusOK {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
	if status == http.StatusNotModified { // has the same Vary as the 200 (RFC 9110, 15.4.5)
		w.setClientTag()
		w.vary()
	}
	if status == http.StatusNoContent || status == http.StatusNotModified || !w.mayCompress() {
		w.pass()
	}
}

// mayCompress reports whether the response is of a type worth compressing. If so it
// adds Vary.
func (w *compressedWriter) mayCompress() bool {
	h := w.Header()
	if h.Get("Content-Encoding") != "" || h.Get("Content-Range") != "" || !compressible(h.Get("Content-Type")) {
		return false
	}
	w.vary()
	return w.coding != nil && !strings.Contains(h.Get("Cache-Control"), "no-transform")
}

// vary adds Accept-Encoding to Vary.
func (w *compressedWriter) vary() {
	h := w.Header()
	if vary := h["Vary"]; len(vary) == 0 {
		h["Vary"] = byEncoding
	} else if !slices.Contains(vary, byEncoding[0]) {
		h["Vary"] = append(vary, byEncoding[0])
	}
}

func compressible(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	switch media = strings.TrimSpace(media); media {
	case "text/event-stream":
		return false
	case "application/json", "application/javascript", "application/xml", "application/wasm", "image/svg+xml":
		return true
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}

// Write implements http.ResponseWriter.
func (w *compressedWriter) Write(p []byte) (int, error) {
	if w.status == 0 && !w.plain && w.encoder == nil {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.plain:
		return w.ResponseWriter.Write(p)
	case w.encoder != nil:
		return w.encoder.Write(p)
	case len(w.pending)+len(p) < minCompressed:
		w.pending = append(w.pending, p...)
		return len(p), nil
	}
	w.encode()
	if len(w.pending) > 0 {
		if _, err := w.encoder.Write(w.pending); err != nil {
			return 0, err
		}
		w.pending = w.pending[:0]
	}
	return w.encoder.Write(p)
}

// encode sends the header of a compressed response.
func (w *compressedWriter) encode() {
	h := w.Header()
	h.Set("Content-Encoding", w.coding.name)
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) {
		h.Set("Etag", w.coding.tag(tag)) // a strong ETag must differ between codings
	}
	w.ResponseWriter.WriteHeader(w.status)
	w.encoder = w.coding.get(w.ResponseWriter)
}

// pass sends the pending bytes unchanged.
func (w *compressedWriter) pass() {
	w.plain = true
	if w.status != 0 {
		w.ResponseWriter.WriteHeader(w.status)
	}
	if len(w.pending) > 0 {
		_, _ = w.ResponseWriter.Write(w.pending)
		w.pending = w.pending[:0]
	}
}

// finish sends the rest of the response.
func (w *compressedWriter) finish() {
	if w.encoder == nil {
		if !w.plain {
			w.pass()
		}
		return
	}
	_ = w.encoder.Close() // fails only if the client has disconnected
	w.coding.put(w.encoder)
	w.encoder = nil
}

// Flush implements http.Flusher. A response flushed while still small is treated as a
// stream and not compressed.
func (w *compressedWriter) Flush() {
	if w.encoder != nil {
		_ = w.encoder.Flush()
	} else if !w.plain {
		w.pass()
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker.
func (w *compressedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.plain, w.status = true, 0
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// CloseNotify is required by Gin's Stream.
func (w *compressedWriter) CloseNotify() <-chan bool {
	if n, ok := w.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return nil
}
