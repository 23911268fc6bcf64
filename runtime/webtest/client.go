package webtest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Client sends requests to an application in process, without a network. It stores
// cookies like a browser.
type Client struct {
	t       testing.TB
	app     *web.App
	header  http.Header
	cookies *jar
	match   bool // send If-Match: * with writes
}

// New returns a client of an application with the modules, in the test environment,
// without a rate limit. The application logs to the test's output.
func New(t testing.TB, modules ...web.Module) *Client {
	t.Helper()
	return NewWith(t, web.Config{Env: web.Test}, modules...)
}

// NewWith is like New with the given settings.
func NewWith(t testing.TB, c web.Config, modules ...web.Module) *Client {
	t.Helper()
	return logging(t, slog.LevelInfo, c, modules...)
}

func logging(t testing.TB, least slog.Level, c web.Config, modules ...web.Module) *Client {
	t.Helper()
	log := slog.New(slog.NewTextHandler(output{t}, &slog.HandlerOptions{Level: least}))
	app, err := web.New(c, log, modules...)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{t: t, app: app, header: make(http.Header), cookies: &jar{}}
}

// output writes log lines to the test's log.
type output struct{ t testing.TB }

func (o output) Write(line []byte) (int, error) {
	o.t.Log(string(bytes.TrimSuffix(line, []byte("\n"))))
	return len(line), nil
}

// App returns the application, for anything that Client does not cover.
func (c *Client) App() *web.App { return c.app }

// With returns a copy of the client that sends the header with each request,
// replacing any previous value. An empty value omits the header. Both clients share
// their cookies.
func (c *Client) With(header, value string) *Client {
	next := *c
	next.header = maps.Clone(c.header)
	next.header.Set(header, value)
	return &next
}

// Fresh returns a copy of the client without cookies and headers, as for another
// user.
func (c *Client) Fresh() *Client {
	next := *c
	next.header, next.cookies = make(http.Header), &jar{}
	return &next
}

// For returns a copy of the client that reports to t, for a subtest. Both clients
// share their cookies.
func (c *Client) For(t testing.TB) *Client {
	next := *c
	next.t = t
	return &next
}

// Get sends a GET request.
func (c *Client) Get(path string) *Answer {
	c.t.Helper()
	return c.Send(http.MethodGet, path, nil)
}

// Post sends a POST request. A body that is a string, bytes or an io.Reader is sent
// unchanged, nil means no body, and anything else is sent as JSON.
func (c *Client) Post(path string, body any) *Answer {
	c.t.Helper()
	return c.Send(http.MethodPost, path, body)
}

// Put sends a PUT request; for body see Post.
func (c *Client) Put(path string, body any) *Answer {
	c.t.Helper()
	return c.Send(http.MethodPut, path, body)
}

// Patch sends a PATCH request; for body see Post.
func (c *Client) Patch(path string, body any) *Answer {
	c.t.Helper()
	return c.Send(http.MethodPatch, path, body)
}

// Delete sends a DELETE request.
func (c *Client) Delete(path string) *Answer {
	c.t.Helper()
	return c.Send(http.MethodDelete, path, nil)
}

// Send sends a request with any method; for body see Post.
func (c *Client) Send(method, path string, body any) *Answer {
	c.t.Helper()
	reader, err := encode(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, reader)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:1024" // a request from this machine
	if reader != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.match && (method == http.MethodPut || method == http.MethodPatch || method == http.MethodDelete) {
		r.Header.Set("If-Match", "*")
	}
	for name, values := range c.header {
		r.Header.Del(name)
		if values[0] != "" {
			r.Header[name] = values
		}
	}
	return c.Do(r)
}

// Do sends a request. It adds the client's cookies and no other header.
func (c *Client) Do(r *http.Request) *Answer {
	c.t.Helper()
	c.cookies.send(r)
	w := httptest.NewRecorder()
	c.app.ServeHTTP(w, r.WithContext(c.t.Context()))
	c.cookies.keep(w.Result().Cookies())
	return &Answer{t: c.t, request: r.Method + " " + r.URL.RequestURI(), Status: w.Code, header: w.Header(), body: w.Body.Bytes()}
}

func encode(body any) (io.Reader, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case string:
		return bytes.NewReader([]byte(b)), nil
	case []byte:
		return bytes.NewReader(b), nil
	case io.Reader:
		return b, nil
	}
	text, err := json.Marshal(body)
	return bytes.NewReader(text), err
}

// jar stores cookies by name.
type jar struct{ all map[string]*http.Cookie }

func (j *jar) send(r *http.Request) {
	for _, cookie := range j.all {
		r.AddCookie(cookie)
	}
}

func (j *jar) keep(cookies []*http.Cookie) {
	for _, cookie := range cookies {
		if cookie.MaxAge < 0 || cookie.Value == "" {
			delete(j.all, cookie.Name)
			continue
		}
		if j.all == nil {
			j.all = make(map[string]*http.Cookie)
		}
		j.all[cookie.Name] = cookie
	}
}

// Answer is a response.
type Answer struct {
	Status int

	t       testing.TB
	request string
	header  http.Header
	body    []byte
}

// Expect fails the test immediately if the status differs.
func (a *Answer) Expect(status int) *Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("%s answered %d, not %d: %s", a.request, a.Status, status, a.body)
	}
	return a
}

// Into decodes the JSON body into v.
func (a *Answer) Into(v any) *Answer {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%s: %v in %s", a.request, err, a.body)
	}
	return a
}

// JSON returns the body, which must be a JSON object.
func (a *Answer) JSON() map[string]any {
	a.t.Helper()
	var object map[string]any
	a.Into(&object)
	return object
}

// Header returns the first value of a header, or "".
func (a *Answer) Header(name string) string { return a.header.Get(name) }

// Headers returns all headers.
func (a *Answer) Headers() http.Header { return a.header }

// Body returns the body.
func (a *Answer) Body() []byte { return a.body }

// Details returns the details of an error response.
func (a *Answer) Details() []fault.Detail {
	a.t.Helper()
	var body struct{ Details []fault.Detail }
	a.Into(&body)
	return body.Details
}
