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

// minCompressed is the size in bytes below which compression gains nothing.
const minCompressed = 1024

// encoder is a compressor that can be used again.
type encoder interface {
	io.Writer
	Reset(io.Writer)
	Flush() error
	Close() error
}

// coding is one content coding with its idle encoders.
type coding struct {
	name    string
	idle    sync.Pool
	newCode func() encoder
}

func (c *coding) get(w io.Writer) encoder {
	e, ok := c.idle.Get().(encoder)
	if !ok {
		e = c.newCode()
	}
	e.Reset(w)
	return e
}

func (c *coding) put(e encoder) {
	e.Reset(io.Discard)
	c.idle.Put(e)
}

// compressor encodes the answers of a handler as their clients ask (RFC 9110,
// 12.5.3): zstd, br or gzip, whichever they weigh most, in this order when they
// do not mind. Small answers, those that are encoded already, streams and
// upgraded connections pass as they are.
type compressor struct {
	next    http.Handler
	codings [3]*coding
	writers sync.Pool
}

func newCompressor(next http.Handler) *compressor {
	return &compressor{next: next, codings: [3]*coding{
		{name: "zstd", newCode: func() encoder {
			// The options are fixed, and valid.
			e, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10))
			return e
		}},
		{name: "br", newCode: func() encoder { return brotli.NewWriterLevel(nil, 3) }},
		{name: "gzip", newCode: func() encoder {
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

// tag is the strong ETag of an answer in this coding, whose own is tag.
func (c *coding) tag(tag string) string { return strings.TrimSuffix(tag, `"`) + "-" + c.name + `"` }

// decode takes the codings out of the tags that a request names: beyond here an
// answer has one tag, however it was encoded.
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

// tellHeld names, with a 304, the encoded answer that the client holds.
func (w *compressedWriter) tellHeld() {
	if tag := w.Header().Get("Etag"); w.coding != nil && strings.HasPrefix(tag, `"`) && strings.Contains(w.seen, w.coding.tag(tag)) {
		w.Header().Set("Etag", w.coding.tag(tag))
	}
}

// choose returns the coding that the header weighs most, or nil for none.
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
	bestWeight := max(identity, 0) // whoever weighs nothing is refused
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

// compressedWriter holds an answer back until it is known whether it is worth
// compressing.
type compressedWriter struct {
	http.ResponseWriter
	coding  *coding // nil: never
	encoder encoder
	seen    string // the request's If-None-Match
	status  int    // as asked for and not yet sent; 0 for none
	held    []byte // what was written and not yet sent
	plain   bool   // the rest passes as it is
}

func (w *compressedWriter) reset() {
	*w = compressedWriter{held: w.held[:0]}
}

// Unwrap is for http.ResponseController.
func (w *compressedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status, and sends it at once when no body may follow.
func (w *compressedWriter) WriteHeader(status int) {
	if w.plain || w.encoder != nil || status < http.StatusOK {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
	if status == http.StatusNotModified { // which has the Vary of what it stands for (RFC 9110, 15.4.5)
		w.tellHeld()
		w.vary()
	}
	if status == http.StatusNoContent || status == http.StatusNotModified || !w.may() {
		w.pass()
	}
}

// may reports whether the answer is of a kind that gains by compression, and
// then says that it depends on what the client accepts.
func (w *compressedWriter) may() bool {
	h := w.Header()
	if h.Get("Content-Encoding") != "" || h.Get("Content-Range") != "" || !compressible(h.Get("Content-Type")) {
		return false
	}
	w.vary()
	return w.coding != nil && !strings.Contains(h.Get("Cache-Control"), "no-transform")
}

// vary says that the answer depends on what the client accepts.
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
	case len(w.held)+len(p) < minCompressed:
		w.held = append(w.held, p...)
		return len(p), nil
	}
	w.encode()
	if len(w.held) > 0 {
		if _, err := w.encoder.Write(w.held); err != nil {
			return 0, err
		}
		w.held = w.held[:0]
	}
	return w.encoder.Write(p)
}

// encode sends the header of a compressed answer.
func (w *compressedWriter) encode() {
	h := w.Header()
	h.Set("Content-Encoding", w.coding.name)
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) {
		h.Set("Etag", w.coding.tag(tag)) // the bytes are others
	}
	w.ResponseWriter.WriteHeader(w.status)
	w.encoder = w.coding.get(w.ResponseWriter)
}

// pass sends what was held back, as it is.
func (w *compressedWriter) pass() {
	w.plain = true
	if w.status != 0 {
		w.ResponseWriter.WriteHeader(w.status)
	}
	if len(w.held) > 0 {
		_, _ = w.ResponseWriter.Write(w.held)
		w.held = w.held[:0]
	}
}

// finish sends the rest.
func (w *compressedWriter) finish() {
	if w.encoder == nil {
		if !w.plain {
			w.pass()
		}
		return
	}
	_ = w.encoder.Close() // fails only when the client has gone
	w.coding.put(w.encoder)
	w.encoder = nil
}

// Flush implements http.Flusher. An answer that is flushed while it is small
// is a stream, and is not compressed.
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

// CloseNotify is what Gin's Stream asks for.
func (w *compressedWriter) CloseNotify() <-chan bool {
	if n, ok := w.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return nil
}
