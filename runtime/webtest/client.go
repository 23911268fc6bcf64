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

// Client sends requests to an application without a network. It keeps the
// cookies it is given, as a browser does.
type Client struct {
	t       testing.TB
	app     *web.App
	header  http.Header
	cookies *jar
	match   bool // writes of one row name whatever is there
}

// New returns a client of an application made of the modules, in the test
// environment, with no rate limit and its log in the test's output.
func New(t testing.TB, modules ...web.Module) *Client {
	t.Helper()
	return NewWith(t, web.Config{Env: web.Test}, modules...)
}

// NewWith is New with settings of the test's own.
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

// output writes the log where the test's own lines are.
type output struct{ t testing.TB }

func (o output) Write(line []byte) (int, error) {
	o.t.Log(string(bytes.TrimSuffix(line, []byte("\n"))))
	return len(line), nil
}

// App returns the application, for what the client does not do.
func (c *Client) App() *web.App { return c.app }

// With returns a copy of the client that sends the header with each request,
// in the place of what it had; an empty value sends no such header. Both share
// their cookies.
func (c *Client) With(header, value string) *Client {
	next := *c
	next.header = maps.Clone(c.header)
	next.header.Set(header, value)
	return &next
}

// Fresh returns a copy of the client that has no cookies and no headers: as
// another person's.
func (c *Client) Fresh() *Client {
	next := *c
	next.header, next.cookies = make(http.Header), &jar{}
	return &next
}

// For returns a copy of the client that reports to t, for a subtest. Both
// share their cookies.
func (c *Client) For(t testing.TB) *Client {
	next := *c
	next.t = t
	return &next
}

// Get sends a GET.
func (c *Client) Get(path string) *Answer {
	c.t.Helper()
	return c.Send(http.MethodGet, path, nil)
}

// Post sends a POST. A body that is a string, bytes or an io.Reader is sent as
// it is, nil is no body, and anything else is sent as JSON.
func (c *Client) Post(path string, body any) *Answer {
	c.t.Helper()
	return c.Send(http.MethodPost, path, body)
}

// Put sends a PUT; body as in Post.
func (c *Client) Put(path string, body any) *Answer {
	c.t.Helper()
	return c.Send(http.MethodPut, path, body)
}

// Patch sends a PATCH; body as in Post.
func (c *Client) Patch(path string, body any) *Answer {
	c.t.Helper()
	return c.Send(http.MethodPatch, path, body)
}

// Delete sends a DELETE.
func (c *Client) Delete(path string) *Answer {
	c.t.Helper()
	return c.Send(http.MethodDelete, path, nil)
}

// Send sends a request of any method; body as in Post.
func (c *Client) Send(method, path string, body any) *Answer {
	c.t.Helper()
	reader, err := encode(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, reader)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:1024" // it is on this machine
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

// Do sends a request of the test's own. It adds the client's cookies and no
// other header.
func (c *Client) Do(r *http.Request) *Answer {
	c.t.Helper()
	c.cookies.send(r)
	w := httptest.NewRecorder()
	c.app.ServeHTTP(w, r.WithContext(c.t.Context()))
	c.cookies.keep(w.Result().Cookies())
	return &Answer{t: c.t, asked: r.Method + " " + r.URL.RequestURI(), Status: w.Code, header: w.Header(), body: w.Body.Bytes()}
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

// jar keeps cookies by name.
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

// Answer is what came back.
type Answer struct {
	Status int

	t      testing.TB
	asked  string
	header http.Header
	body   []byte
}

// Expect ends the test unless the status is the given one.
func (a *Answer) Expect(status int) *Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("%s answered %d, not %d: %s", a.asked, a.Status, status, a.body)
	}
	return a
}

// Into decodes the JSON body into v.
func (a *Answer) Into(v any) *Answer {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%s: %v in %s", a.asked, err, a.body)
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

// Header returns the header's first value, or "".
func (a *Answer) Header(name string) string { return a.header.Get(name) }

// Headers returns all headers.
func (a *Answer) Headers() http.Header { return a.header }

// Body returns the body's bytes.
func (a *Answer) Body() []byte { return a.body }

// Details returns what an error says field by field.
func (a *Answer) Details() []fault.Detail {
	a.t.Helper()
	var body struct{ Details []fault.Detail }
	a.Into(&body)
	return body.Details
}
