package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// maxDepth is the maximum nesting depth of a JSON body.
const maxDepth = 64

// body describes how to read the Body field of one input type.
type body struct {
	index    []int
	typ      reflect.Type // without the pointer
	optional bool         // the field is a pointer; an absent body leaves it nil
	bulk     bool
	exact    bool // some field is a decimal, a time or JSON
	list     bool // errors in an element are reported with its index
	shape    *shape
	verdict  func(any) ([]violation, error)
	checks   bool // it or its elements implement Checker
	buffers  *pool
	refused  []refusedFunc
	out      reflect.Type // the response type of the route
}

func newBody(f *reflect.StructField, rules *rules) *body {
	b := &body{index: f.Index, typ: f.Type, buffers: rules.buffers}
	if f.Type.Kind() == reflect.Pointer {
		b.optional, b.typ = true, f.Type.Elem()
	}
	_, b.bulk = reflect.Zero(b.typ).Interface().(interface{ isBulk() })
	b.list = b.bulk || b.typ.Kind() == reflect.Slice && !opaque(b.typ)
	b.exact = rules.exact
	b.shape = shapeOf(b.typ, make(map[reflect.Type]*shape))
	b.verdict = rules.body(b.typ, f.Tag.Get("binding"))
	checked := b.typ
	if b.list {
		checked = b.typ.Elem()
	}
	b.checks = reflect.PointerTo(checked).Implements(checker)
	return b
}

// read decodes the request body into the field dst and validates it.
func (b *body) read(c *gin.Context, dst reflect.Value) error {
	if err := jsonContent(c.Request, b.optional); err != nil {
		return err
	}
	buffer := b.buffers.get()
	defer b.buffers.put(buffer)
	if err := readBody(buffer, c.Request); err != nil {
		return err
	}
	raw := bytes.TrimLeft(buffer.Bytes(), " \t\r\n")
	if len(raw) == 0 {
		if b.optional {
			return nil
		}
		return fault.BadRequest("The body is empty")
	}
	if b.optional {
		dst.Set(reflect.New(b.typ))
		dst = dst.Elem()
	}
	return b.decode(c.Request.Context(), raw, dst)
}

// decode parses the bytes of a body into dst, whose type is b.typ, and validates it.
func (b *body) decode(ctx context.Context, raw []byte, dst reflect.Value) error {
	switch {
	case !utf8.Valid(raw):
		return fault.BadRequest("The body is not valid UTF-8")
	case unpairedSurrogate(raw):
		return fault.BadRequest("The body contains an unpaired surrogate")
	case tooDeep(raw):
		return fault.BadRequest(fmt.Sprintf("The body is nested deeper than %d levels", maxDepth))
	}
	var details []fault.Detail
	into := dst.Addr().Interface()
	err := json.Unmarshal(raw, into)
	if err != nil && !json.Valid(raw) {
		return fault.BadRequest("The body is not valid JSON")
	}
	names := nameWalk{raw: raw, path: make([]step, 0, 4), seen: make([][]byte, 0, maxLinear/2)}
	names.value(b.shape)
	if err != nil && len(names.whole) > 0 {
		raw = names.normalize()
		dst.SetZero()
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		if details = findMismatches(raw, dst); len(details)+len(names.details) == 0 {
			details = []fault.Detail{mismatch("", b.typ)}
		}
	} else if nulls := nullElements(raw, b.typ); len(nulls) > 0 {
		details = nulls
	} else if mayBeUnstorable(raw, b.exact) {
		details = unstorable(dst)
	} else if raw[0] == 'n' && b.typ.Kind() == reflect.Struct {
		details = []fault.Detail{mismatch("", b.typ)}
	}
	if len(details) > 0 && details[0].Field == "" {
		details[0].Field = wholeBody
		return fault.Invalid(details...)
	}
	for i := range names.details {
		if at, ok := strings.CutPrefix(names.details[i].Field, "items["); ok && b.bulk {
			names.details[i].Field = "[" + at
		}
	}
	details = append(names.details, slices.DeleteFunc(details, func(d fault.Detail) bool {
		return slices.ContainsFunc(names.details, func(o fault.Detail) bool { return o.Field == d.Field && o.Rule == d.Rule })
	})...)
	details = details[:min(len(details), maxDetails)]
	if b.bulk && len(details) == 0 {
		if n := dst.Len(); n == 0 || n > maxBulk {
			return fault.Invalid(fault.Detail{Field: "items", Rule: "len", Message: fmt.Sprintf("Items must have 1 to %d elements", maxBulk)})
		}
	}
	var violations []violation
	if len(details) < maxDetails {
		var err error
		if violations, err = b.verdict(into); err != nil {
			return err
		}
	}
	mismatches := details
	for _, v := range violations {
		if len(details) == maxDetails {
			break
		}
		if !covered(v.path, mismatches) {
			details = append(details, detail(v.path, v.FieldError))
		}
	}
	if b.checks {
		details = b.check(dst, details)
	}
	if len(details) == 0 {
		return nil
	}
	if b.list {
		indexed(details)
	}
	return fault.Invalid(b.complete(ctx, dst, details)...)
}

// maxDetails limits the errors in one response: a large body can have hundreds of
// thousands.
const maxDetails = 100

// covered reports whether one of the details already concerns the value at path or
// one that contains it: a value of the wrong type is not checked further.
func covered(path string, details []fault.Detail) bool {
	return slices.ContainsFunc(details, func(d fault.Detail) bool {
		rest, ok := strings.CutPrefix(path, d.Field)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// indexed moves the index at the start of an element's field, "[2].title", into
// Index.
func indexed(details []fault.Detail) {
	for i := range details {
		d := &details[i]
		var n int
		if _, err := fmt.Sscanf(d.Field, "[%d]", &n); err != nil {
			continue
		}
		_, d.Field, _ = strings.Cut(d.Field, "]")
		d.Field = strings.TrimPrefix(d.Field, ".")
		d.Index = &n
	}
}

// jsonContent rejects a request whose body is not declared as JSON.
func jsonContent(r *http.Request, optional bool) error {
	contentType := r.Header.Get("Content-Type")
	if contentType == "" && (r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody) {
		if optional {
			return nil
		}
		return fault.BadRequest("The body is empty")
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return &fault.Error{Status: http.StatusUnsupportedMediaType, Message: "The body must not be compressed"}
	}
	if contentType == "application/json" {
		return nil
	}
	media, options, err := mime.ParseMediaType(contentType)
	charset := options["charset"]
	if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") ||
		charset != "" && !strings.EqualFold(charset, "utf-8") {
		return &fault.Error{Status: http.StatusUnsupportedMediaType, Message: "The body must be application/json in UTF-8"}
	}
	return nil
}

// readBody reads the whole body, whose size the route limits.
func readBody(buffer *bytes.Buffer, r *http.Request) error {
	if r.Body == nil {
		return nil
	}
	_, err := buffer.ReadFrom(r.Body)
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return tooLarge(large.Limit)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &fault.Error{Status: http.StatusRequestTimeout, Message: "The body was sent too slowly", Cause: err}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &fault.Error{Status: http.StatusBadRequest, Message: "The body is incomplete", Cause: err}
	}
	return &fault.Error{Status: http.StatusBadRequest, Message: "The body could not be read", Cause: err}
}

func tooLarge(limit int64) error {
	return fault.TooLarge(fmt.Sprintf("The body is larger than %d bytes", limit))
}

// tooDeep reports whether brackets nest deeper than allowed, before the parser
// allocates memory for them.
func tooDeep(raw []byte) bool {
	if bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// unpairedSurrogate reports whether a string in raw, which may be invalid JSON,
// contains half of a surrogate pair. The parser would replace it with U+FFFD, which
// the client did not send, and PostgreSQL rejects JSON that contains one.
func unpairedSurrogate(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`\ud`)) && !bytes.Contains(raw, []byte(`\uD`)) {
		return false
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		unit := escaped(raw[i:])
		if !utf16.IsSurrogate(unit) {
			continue
		}
		i += len(`uXXXX`)
		if i >= len(raw) || raw[i] != '\\' || utf16.DecodeRune(unit, escaped(raw[i+1:])) == utf8.RuneError {
			return true
		}
		i += len(`uXXXX`)
	}
	return false
}

// escaped returns the UTF-16 unit of the \u escape whose backslash precedes text, or
// 0 if it is not one.
func escaped(text []byte) rune {
	if len(text) < len(`uXXXX`) || text[0] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[1:5]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}
