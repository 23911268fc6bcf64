package openapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Document returns the OpenAPI 3.1 document of the modules' routes as indented JSON.
// Its output is deterministic.
func Document(info Info, modules []web.Module) ([]byte, error) {
	d := &document{
		OpenAPI: "3.1.0",
		Info:    docInfo{info.Title, info.Version, info.Description, info.Contact, info.License},
		Tags:    []tag{},
		ids:     make(map[string]bool),
		roots:   web.Roots(modules),
		schemas: newSchemas(),
	}
	for _, url := range info.Servers {
		d.Servers = append(d.Servers, server{url})
	}
	if len(d.Servers) == 0 {
		d.Servers = []server{{"/"}}
	}
	d.addErrors()
	d.security("bearerAuth")
	for _, m := range modules {
		if err := d.addModule(m); err != nil {
			return nil, err
		}
	}
	d.Components.Schemas = d.schemas.components
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return bytes.TrimSpace(b.Bytes()), err
}

// document is the OpenAPI object, with the fields used here.
type document struct {
	OpenAPI    string             `json:"openapi"`
	Info       docInfo            `json:"info"`
	Servers    []server           `json:"servers"`
	Tags       []tag              `json:"tags"`
	Paths      ordered[*pathItem] `json:"paths"`
	Components components         `json:"components"`

	ids     map[string]bool // operation ids in use
	schemas *schemas
	roots   []string // path prefixes of the API
}

type docInfo struct {
	Title       string  `json:"title"`
	Version     string  `json:"version"`
	Description string  `json:"description,omitempty"`
	Contact     Contact `json:"contact,omitzero"`
	License     License `json:"license,omitzero"`
}

type server struct {
	URL string `json:"url"`
}

type tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

type pathItem struct{ ordered[operation] }

type components struct {
	Schemas         ordered[*schema]   `json:"schemas"`
	Responses       ordered[*response] `json:"responses"`
	Headers         ordered[header]    `json:"headers,omitzero"`
	SecuritySchemes ordered[any]       `json:"securitySchemes"`
}

type operation struct {
	ID          string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Deprecated  bool                  `json:"deprecated,omitempty"`
	Parameters  []parameter           `json:"parameters,omitempty"`
	RequestBody *requestBody          `json:"requestBody,omitempty"`
	Responses   ordered[*response]    `json:"responses"`
	Security    []map[string][]string `json:"security"` // empty if public
	WebSocket   *messages             `json:"x-websocket,omitempty"`
}

// messages are the schemas of the messages that clients send and receive.
type messages struct {
	Send    *schema `json:"send"`
	Receive *schema `json:"receive"`
}

type parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Schema      *schema `json:"schema"`
}

type requestBody struct {
	Required bool           `json:"required"`
	Content  ordered[media] `json:"content"`
}

type media struct {
	Schema  *schema `json:"schema"`
	Example any     `json:"example,omitempty"`
}

type response struct {
	Ref         string          `json:"$ref,omitempty"`
	Description string          `json:"description,omitempty"`
	Headers     ordered[header] `json:"headers,omitzero"`
	Content     ordered[media]  `json:"content,omitzero"`
}

type header struct {
	Ref         string  `json:"$ref,omitempty"`
	Description string  `json:"description,omitempty"`
	Schema      *schema `json:"schema,omitempty"`
}

func (d *document) addModule(m web.Module) error {
	visible := false
	reads := map[string]bool{}
	for _, r := range m.Routes {
		reads[r.Path] = reads[r.Path] || r.Method == http.MethodGet
	}
	for _, r := range m.Routes {
		if r.Hidden {
			continue
		}
		visible = true
		versioned := reads[r.Path] && slices.Contains([]string{http.MethodPut, http.MethodPatch, http.MethodDelete}, r.Method)
		r.Path = m.Prefix + r.Path
		op, err := d.operation(m.Name, r, versioned)
		if err != nil {
			return fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
		op.Deprecated = m.Deprecated != (web.Deprecation{})
		path := pathTemplate(r.Path)
		item, ok := d.Paths.get(path)
		if !ok {
			item = &pathItem{}
			d.Paths.set(path, item)
		}
		item.set(strings.ToLower(r.Method), op)
	}
	if visible && !slices.ContainsFunc(d.Tags, func(t tag) bool { return t.Name == m.Name }) {
		d.Tags = append(d.Tags, tag{m.Name, cmp.Or(m.Doc, "Operations on "+words(m.Name)+".")})
	}
	return nil
}

// operation describes a route whose path includes its prefix. versioned is set for
// writes of a resource that has an ETag.
func (d *document) operation(module string, r web.Route, versioned bool) (operation, error) {
	op := operation{ID: d.id(module, r), Tags: []string{module}, Summary: cmp.Or(r.Summary, r.Method+" "+r.Path), Description: description(r), Security: []map[string][]string{}}
	failures := slices.Clone(r.Faults)
	var fields []web.Field
	if r.In != nil {
		var body *reflect.StructField
		var err error
		if fields, body, err = web.Fields(r.In); err != nil {
			return op, err
		}
		if body != nil {
			op.RequestBody = d.body(body)
			failures = append(failures, 400, 408, 413, 415)
		}
		if body != nil || len(fields) > 0 || r.Method == http.MethodGet { // unknown parameters at least
			failures = append(failures, http.StatusUnprocessableEntity)
		}
	}
	if r.Upload != "" {
		op.RequestBody = upload(r.Upload)
		failures = append(failures, 400, 408, 413, 415)
	}
	for _, f := range fields {
		p := d.parameter(f)
		p.Description = cmp.Or(f.Doc, parameterDoc(r, f.In, f.Name)+valuesDoc(p))
		op.Parameters = append(op.Parameters, p)
		if f.Alias != "" {
			other := f
			other.Name, other.Default = f.Alias, nil
			p := d.parameter(other)
			p.Required, p.Description = false, "Alias of "+f.Name+"."
			op.Parameters = append(op.Parameters, p)
		}
		if f.In == "path" {
			failures = append(failures, http.StatusNotFound)
		}
	}
	for _, name := range unboundParameters(r.Path, fields) {
		op.Parameters = append(op.Parameters, parameter{Name: name, In: "path", Description: parameterDoc(r, "path", name), Required: true, Schema: &schema{Type: "string"}})
	}
	if versioned {
		op.Parameters = append(op.Parameters, parameter{
			Name: "If-Match", In: "header", Required: r.Lock, Schema: &schema{Type: "string"},
			Description: "ETag of the version that was read; 412 if it has changed since. * matches any version.",
		})
	}
	for _, g := range r.Guards {
		failures = append(failures, g.Status...)
	}
	for _, scheme := range schemes(r.Guards) {
		op.Security = append(op.Security, map[string][]string{scheme: {}})
		d.security(scheme)
	}
	limited := web.Limited(d.roots, r.Method, r.Path, r.Success == http.StatusSwitchingProtocols)
	if limited {
		failures = append(failures, http.StatusTooManyRequests)
	}
	failures = append(failures, http.StatusInternalServerError, http.StatusServiceUnavailable)
	if r.Method != http.MethodGet {
		failures = append(failures, http.StatusPreconditionFailed, http.StatusInsufficientStorage)
	}
	if r.Lock {
		failures = append(failures, http.StatusPreconditionRequired)
	}
	d.responses(&op, r, failures)
	if r.MessageIn != nil && r.MessageOut != nil {
		op.WebSocket = &messages{Send: d.schemas.of(r.MessageIn, in), Receive: d.schemas.of(r.MessageOut, out)}
	}
	if limited {
		d.rateLimitHeaders(op.Responses.values[strconv.Itoa(r.Success)])
	}
	return op, nil
}

// responses describes the success response of a route, then its errors by status.
func (d *document) responses(op *operation, r web.Route, failures []int) {
	success := &response{Description: http.StatusText(r.Success)}
	if r.Out != nil && r.Out != reflect.TypeFor[web.None]() {
		success.Content.set("application/json", media{Schema: d.schemas.of(r.Out, out)})
	}
	for _, name := range r.Sent {
		text := &schema{Type: "string"}
		if !strings.HasPrefix(name, "text/") && !strings.HasSuffix(name, "xml") {
			text = &schema{} // bytes
		}
		success.Content.set(name, media{Schema: text})
	}
	if r.Success == http.StatusCreated {
		success.Headers.set("Location", header{Description: "URL of the new resource.", Schema: &schema{Type: "string", Format: "uri-reference"}})
	}
	op.Responses.set(strconv.Itoa(r.Success), success)
	if (r.Out != nil || r.Parts) && r.Success == http.StatusOK && r.Method == http.MethodGet {
		success.Headers.set("ETag", header{Description: "Entity tag; send it back in If-None-Match, or in If-Match to change only this version.", Schema: &schema{Type: "string"}})
		op.Responses.set("304", &response{Ref: "#/components/responses/NotModified"})
		failures = append(failures, http.StatusPreconditionFailed)
	}
	if r.Parts {
		op.Responses.set("206", &response{Description: http.StatusText(http.StatusPartialContent), Headers: success.Headers, Content: success.Content})
		failures = append(failures, http.StatusRequestedRangeNotSatisfiable)
	}
	slices.Sort(failures)
	for _, status := range slices.Compact(failures) {
		op.Responses.set(strconv.Itoa(status), &response{Ref: "#/components/responses/" + d.failure(status)})
	}
}

// addErrors adds the schema of errors.
func (d *document) addErrors() {
	one := &schema{Type: "object", Description: "The shape of every error response."}
	one.Properties.set("error", &schema{Type: "string", Description: "What went wrong."})
	one.Properties.set("code", &schema{Type: "integer", Description: "The HTTP status.", Minimum: "400", Maximum: "599"})
	one.Properties.set("details", &schema{Type: "array", Items: d.schemas.of(reflect.TypeFor[fault.Detail](), out), Description: "What is wrong with the input, field by field."})
	one.Properties.set("detail", &schema{Type: []string{"string", "null"}, Description: "Only in 500 responses: null, or the cause in debug mode."})
	one.Properties.set("request_id", &schema{Type: "string", Description: "Identifies the request in the logs."})
	one.Required = []string{"error", "code", "request_id"}
	d.schemas.components.set("Error", one)
	d.Components.Responses.set("NotModified", &response{Description: "Not modified: the client's copy is current."})
}

// failure adds the response of an error status if necessary, and returns its name.
func (d *document) failure(status int) string {
	text := cmp.Or(http.StatusText(status), "Status "+strconv.Itoa(status))
	name := camel(text)
	if _, ok := d.Components.Responses.get(name); ok {
		return name
	}
	r := &response{Description: text}
	switch status {
	case http.StatusUnauthorized:
		r.Headers.set("WWW-Authenticate", header{Description: "Authentication challenge.", Schema: &schema{Type: "string"}})
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r.Headers.set("Retry-After", header{Description: "Seconds to wait before retrying.", Schema: &schema{Type: "integer", Minimum: "0"}})
	}
	if status == http.StatusTooManyRequests {
		d.rateLimitHeaders(r)
	}
	r.Content.set("application/json", media{&schema{Ref: "#/components/schemas/Error"}, exampleOf(status, text)})
	d.Components.Responses.set(name, r)
	return name
}

// security adds a security scheme.
func (d *document) security(name string) {
	var scheme any
	switch name {
	case "bearerAuth":
		scheme = map[string]string{"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The access token, in the Authorization header: a JWT with a fixed algorithm (RFC8725)."}
	case "apiKey":
		scheme = map[string]string{"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key. Its scopes are read and write, or those of one tag, such as posts:read and posts:write. A scope covers operations, including the rows of other resources that they return, such as the author of a post."}
	default:
		scheme = map[string]string{"type": "apiKey", "in": "cookie", "name": name, "description": "The cookie of a page session."}
	}
	d.Components.SecuritySchemes.set(name, scheme)
}

func (d *document) parameter(f web.Field) parameter {
	p := parameter{Name: f.Name, In: f.In, Required: f.In == "path" || hasRule(f.Rules, "required")}
	p.Schema = d.schemas.value(f.Type, f.Rules)
	if f.Default != nil {
		p.Schema.Default = literal(f.Type, *f.Default)
	}
	return p
}

func (d *document) body(f *reflect.StructField) *requestBody {
	t := f.Type
	b := &requestBody{Required: t.Kind() != reflect.Pointer}
	if !b.Required {
		t = t.Elem()
	}
	b.Content.set("application/json", media{Schema: d.schemas.of(t, in)})
	return b
}

// upload returns the body of a form with a file in a field. That further fields may
// hold files is only described in text: expressed as a schema, it makes generators
// emit clients that do not compile.
func upload(field string) *requestBody {
	form := &schema{Type: "object", Required: []string{field}}
	form.Properties.set(field, &schema{Type: "string", Format: "binary", Description: "The file. Further fields, with any name, may hold more files."})
	b := &requestBody{Required: true}
	b.Content.set("multipart/form-data", media{Schema: form})
	return b
}

// pathTemplate converts a path to OpenAPI's syntax.
func pathTemplate(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, ":") || strings.HasPrefix(s, "*") {
			segments[i] = "{" + s[1:] + "}"
		}
	}
	return strings.Join(segments, "/")
}

// unboundParameters returns the path parameters that no field reads, as in plain
// routes.
func unboundParameters(path string, fields []web.Field) []string {
	var names []string
	for segment := range strings.SplitSeq(path, "/") {
		if !strings.HasPrefix(segment, ":") && !strings.HasPrefix(segment, "*") {
			continue
		}
		read := slices.ContainsFunc(fields, func(f web.Field) bool { return f.In == "path" && f.Name == segment[1:] })
		if !read {
			names = append(names, segment[1:])
		}
	}
	return names
}

// camel joins words in camel case: "Not Found" and "not_found" become "NotFound".
func camel(text string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
