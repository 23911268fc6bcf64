package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

type noteBody struct {
	Title    string           `json:"title" binding:"required,min=3,max=20"`
	Email    string           `json:"email" binding:"omitempty,email"`
	Address  *address         `json:"address"`
	Lines    []line           `json:"lines" binding:"max=5,dive"`
	Category web.Null[string] `json:"category" binding:"omitempty,min=2"`
	Stars    *int             `json:"stars" binding:"omitempty,min=1,max=5"`
	Due      *time.Time       `json:"due"`
}

type address struct {
	City string `json:"city" binding:"required"`
}

type line struct {
	Text string `json:"text" binding:"required"`
}

type note struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
}

type byID struct {
	ID int64 `uri:"id" binding:"min=1"`
}

type listNotes struct {
	Page   int      `form:"page,default=1" binding:"min=1"`
	Sort   string   `form:"sort,default=id" alias:"sort_by" binding:"oneof=id title"`
	Done   *bool    `form:"done"`
	Tags   []string `form:"tag" binding:"max=3,dive,min=2"`
	Search string   `form:"search" binding:"max=10"`
}

type withToken struct {
	Token string `form:"token"`
}

func notes() web.Module {
	fails := func(err error) web.Handler[withToken, note] {
		return func(*gin.Context, withToken) (note, error) { return note{}, err }
	}
	return web.Module{Name: "notes", Routes: []web.Route{
		web.Get("/notes", func(_ *gin.Context, in listNotes) (listNotes, error) { return in, nil }),
		web.Post("/notes", func(_ *gin.Context, in struct{ Body noteBody }) (note, error) {
			return note{1, in.Body.Title}, nil
		}),
		web.Post("/small", func(_ *gin.Context, in struct{ Body noteBody }) (note, error) {
			return note{1, in.Body.Title}, nil
		}).Limit(100),
		web.Get("/notes/:id", func(_ *gin.Context, in byID) (note, error) { return note{in.ID, "one"}, nil }),
		web.Put("/notes/:id", func(_ *gin.Context, in struct {
			byID
			Body noteBody
		}) (note, error) {
			return note{in.ID, in.Body.Title}, nil
		}),
		web.Delete("/notes/:id", func(*gin.Context, byID) (web.None, error) { return web.None{}, nil }),
		web.Get("/small/:n", func(_ *gin.Context, in struct {
			N int8 `uri:"n"`
		}) (int8, error) {
			return in.N, nil
		}),
		web.Post("/bulk", func(_ *gin.Context, in struct{ Body web.Bulk[noteBody] }) (int, error) {
			return len(in.Body), nil
		}),
		web.Post("/unnamed", func(_ *gin.Context, in struct {
			Body struct {
				Title string `json:"title" binding:"required"`
				Lines []struct {
					Text string `json:"text" binding:"required"`
				} `json:"lines" binding:"dive"`
			}
		}) (note, error) {
			return note{1, in.Body.Title}, nil
		}),
		web.Get("/conflict", fails(fault.Conflict("Username taken", fault.Detail{Field: "username", Rule: "unique", Message: "Username taken"}))),
		web.Get("/wrapped", fails(fmt.Errorf("outer: %w", fault.NotFound("Note not found")))),
		web.Get("/unauthorized", fails(fault.Unauthorized("Invalid credentials"))),
		web.Get("/challenge", fails(&fault.Error{Status: 401, Message: "No", Challenge: `Bearer error="invalid_token"`})),
		web.Get("/many", fails(fault.TooMany("Too many", 1500*time.Millisecond))),
		web.Get("/unavailable", fails(fault.Unavailable("Later", time.Minute))),
		web.Get("/late", fails(fmt.Errorf("query: %w", context.DeadlineExceeded))),
		web.Get("/unexpected", fails(errors.New("secret: disk on fire"))),
		web.Get("/panic", func(*gin.Context, withToken) (note, error) { panic("secret: at the disco") }),
		web.Get("/unencodable", func(*gin.Context, web.None) (any, error) { return map[string]any{"f": func() {}}, nil }),
		web.Handle(http.MethodGet, "/plain", func(c *gin.Context) { web.Fail(c, fault.Forbidden("Not yours")) }),
		web.Get("/guarded", func(*gin.Context, web.None) (note, error) { return note{}, nil }).Guard(
			web.Guard{Name: "nobody", Check: func(*gin.Context) error { return fault.Unauthorized("Sign in first") }}),
		web.Put("/guarded/:id", func(*gin.Context, struct {
			byID
			Body noteBody
		}) (note, error) {
			return note{}, nil
		}).Guard(web.Guard{Name: "nobody", Check: func(*gin.Context) error { return fault.Unauthorized("Sign in first") }}),
	}}
}

func TestErrorResponses(t *testing.T) {
	client := webtest.New(t, notes())
	many := strings.Repeat(`{"title":"abc"},`, 1001)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		message, details         string // details: field/rule of each, in order
	}{
		{"unknown path", "GET", "/nothing", "", 404, "Not found", ""},
		{"trailing slash", "GET", "/notes/", "", 404, "Not found", ""},
		{"wrong method", "PATCH", "/notes", "", 405, "Method not allowed", ""},
		{"id of another type", "GET", "/notes/abc", "", 404, "Not found", ""},
		{"id that breaks its rule", "GET", "/notes/0", "", 404, "Not found", ""},
		{"negative id", "GET", "/notes/-1", "", 404, "Not found", ""},
		{"id with a sign", "GET", "/notes/+1", "", 404, "Not found", ""},
		{"id that overflows", "GET", "/notes/9223372036854775808", "", 404, "Not found", ""},
		{"id that overflows its own size", "GET", "/small/128", "", 404, "Not found", ""},
		{"id with NUL", "GET", "/notes/1%00", "", 404, "Not found", ""},
		{"id before the body", "PUT", "/notes/0", "{", 404, "Not found", ""},

		{"query of another type", "GET", "/notes?page=x", "", 422, "Invalid query parameters", "page/type"},
		{"query that breaks its rule", "GET", "/notes?page=0", "", 422, "Invalid query parameters", "page/min"},
		{"query that overflows", "GET", "/notes?page=9223372036854775808", "", 422, "Invalid query parameters", "page/type"},
		{"empty number", "GET", "/notes?page=", "", 422, "Invalid query parameters", "page/type"},
		{"empty bool", "GET", "/notes?done=", "", 422, "Invalid query parameters", "done/type"},
		{"repeated", "GET", "/notes?page=1&page=2", "", 422, "Invalid query parameters", "page/single"},
		{"name and alias", "GET", "/notes?sort=id&sort_by=title", "", 422, "Invalid query parameters", "sort_by/single"},
		{"whitelist", "GET", "/notes?sort=password", "", 422, "Invalid query parameters", "sort/oneof"},
		{"alias keeps its name", "GET", "/notes?sort_by=password", "", 422, "Invalid query parameters", "sort_by/oneof"},
		{"several errors", "GET", "/notes?page=x&sort=y&done=z&tag=a&search=01234567890", "", 422, "Invalid query parameters", "page/type done/type sort/oneof tag[0]/min search/max"},
		{"escape", "GET", "/notes?search=%zz", "", 422, "Invalid query parameters", "search/text"},
		{"NUL in the query", "GET", "/notes?search=a%00b", "", 422, "Invalid query parameters", "search/text"},
		{"not UTF-8 in the query", "GET", "/notes?search=%ff", "", 422, "Invalid query parameters", "search/text"},

		{"empty", "POST", "/notes", "", 400, "The body is empty", ""},
		{"spaces", "POST", "/notes", " \n", 400, "The body is empty", ""},
		{"malformed", "POST", "/notes", `{"title":`, 400, "The body is not valid JSON", ""},
		{"trailing", "POST", "/notes", `{"title":"abc"} {}`, 400, "The body is not valid JSON", ""},
		{"not UTF-8", "POST", "/notes", "{\"title\":\"\xff\xff\xff\"}", 400, "The body is not valid UTF-8", ""},
		{"too deep", "POST", "/notes", `{"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}", 400, "The body is nested deeper than 64 levels", ""},
		{"far too deep", "POST", "/notes", strings.Repeat("[", 500000), 400, "The body is nested deeper than 64 levels", ""},
		{"too large", "POST", "/small", `{"title":"` + strings.Repeat("a", 100) + `"}`, 413, "The body is larger than 100 bytes", ""},
		{"larger than the application takes", "POST", "/notes", strings.Repeat(" ", 1<<20+1), 413, "The body is larger than 1048576 bytes", ""},
		{"null", "POST", "/notes", `null`, 422, "Validation error", "body/type"},
		{"a list", "POST", "/notes", `[]`, 422, "Validation error", "body/type"},
		{"a string", "POST", "/notes", `"x"`, 422, "Validation error", "body/type"},
		{"several wrong types", "POST", "/notes", `{"title":1,"stars":"x","lines":[{"text":"a"},{"text":2}],"address":[],"category":3,"due":"x"}`, 422, "Validation error",
			"title/type address/type lines[1].text/type category/type stars/type due/type"},
		{"a number that does not fit", "POST", "/notes", `{"title":"abc","stars":1e99}`, 422, "Validation error", "stars/type"},
		{"a fraction for a whole number", "POST", "/notes", `{"title":"abc","stars":1.5}`, 422, "Validation error", "stars/type"},
		{"types and rules together", "POST", "/notes", `{"title":"ab","stars":"x"}`, 422, "Validation error", "stars/type title/min"},
		{"several broken rules", "POST", "/notes", `{"title":"ab","email":"x","address":{},"lines":[{"text":"a"},{}],"category":"a","stars":6}`, 422, "Validation error",
			"title/min email/email address.city/required lines[1].text/required category/min stars/max"},
		{"missing", "POST", "/notes", `{}`, 422, "Validation error", "title/required"},
		{"missing in a type without a name", "POST", "/unnamed", `{"lines":[{}]}`, 422, "Validation error", "title/required lines[0].text/required"},
		{"null where it is required", "POST", "/notes", `{"title":null}`, 422, "Validation error", "title/required"},
		{"empty optional value", "POST", "/notes", `{"title":"abc","category":""}`, 422, "Validation error", "category/min"},
		{"NUL", "POST", "/notes", `{"title":"ab\u0000c","lines":[{"text":"\u0000"}],"category":"a\u0000"}`, 422, "Validation error", "title/text lines[0].text/text category/text"},
		{"nothing in bulk", "POST", "/bulk", `[]`, 422, "Validation error", "items/len"},
		{"nothing in bulk, with its name", "POST", "/bulk", `{}`, 422, "Validation error", "items/len"},
		{"too much in bulk", "POST", "/bulk", "[" + many[:len(many)-1] + "]", 422, "Validation error", "items/len"},
		{"not a list in bulk", "POST", "/bulk", `7`, 422, "Validation error", "body/type"},
		{"bulk by index", "POST", "/bulk", `[{"title":"abc"},{"title":"x","lines":[{}]},{}]`, 422, "Validation error", "1.title/min 1.lines[0].text/required 2.title/required"},
		{"bulk types by index", "POST", "/bulk", `{"items":[{"title":"abc"},{"title":7}]}`, 422, "Validation error", "1.title/type"},

		{"conflict", "GET", "/conflict", "", 409, "Username taken", "username/unique"},
		{"wrapped", "GET", "/wrapped", "", 404, "Note not found", ""},
		{"unauthorized", "GET", "/unauthorized", "", 401, "Invalid credentials", ""},
		{"guarded", "GET", "/guarded", "", 401, "Sign in first", ""},
		{"guarded path", "PUT", "/guarded/1", "", 401, "Sign in first", ""},
		{"id of another type before the guard", "PUT", "/guarded/abc", "", 404, "Not found", ""},
		{"id that breaks its rule before the guard", "PUT", "/guarded/0", "", 404, "Not found", ""},
		{"id that overflows before the guard", "PUT", "/guarded/9223372036854775808", "", 404, "Not found", ""},
		{"plain handler", "GET", "/plain", "", 403, "Not yours", ""},
		{"too many", "GET", "/many", "", 429, "Too many", ""},
		{"unavailable", "GET", "/unavailable", "", 503, "Later", ""},
		{"deadline", "GET", "/late", "", 503, "The request took too long", ""},
		{"unexpected", "GET", "/unexpected", "", 500, "Internal server error", ""},
		{"panic", "GET", "/panic", "", 500, "Internal server error", ""},
		{"unencodable", "GET", "/unencodable", "", 500, "Internal server error", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var body any = tt.body
			if tt.body == "" && tt.method == http.MethodGet {
				body = nil
			}
			answer := client.Send(tt.method, tt.path, body).Expect(tt.status)
			if got := answer.Header("Content-Type"); got != "application/json; charset=utf-8" {
				t.Errorf("Content-Type is %q", got)
			}
			object := answer.JSON()
			if object["error"] != tt.message || object["code"] != float64(tt.status) || object["request_id"] != answer.Header("X-Request-ID") {
				t.Errorf("unexpected body: %s", answer.Body())
			}
			if detail, has := object["detail"]; has != (tt.status == 500) || detail != nil {
				t.Errorf("unexpected detail %v in %s", detail, answer.Body())
			}
			var got []string
			for _, d := range answer.Details() {
				field := d.Field
				if d.Index != nil {
					field = fmt.Sprintf("%d.%s", *d.Index, field)
				}
				got = append(got, field+"/"+d.Rule)
				if !strings.Contains(d.Message, " ") || d.Message[:1] != strings.ToUpper(d.Message[:1]) {
					t.Errorf("%q is not a sentence", d.Message)
				}
			}
			if strings.Join(got, " ") != tt.details {
				t.Errorf("unexpected details %v in %s", got, answer.Body())
			}
			if bytes.Contains(answer.Body(), []byte("secret")) {
				t.Errorf("response reveals internals: %s", answer.Body())
			}
		})
	}
}

// TestErrorDetailsAreLimited sends bodies with as many errors as possible.
func TestErrorDetailsAreLimited(t *testing.T) {
	client := webtest.New(t, web.Module{Name: "lines", Routes: []web.Route{
		web.Post("/lines", func(*gin.Context, struct {
			Body struct {
				Lines []line `json:"lines" binding:"dive"`
			}
		}) (int, error) {
			return 0, nil
		}),
	}})
	for _, element := range []string{`{}`, `{"text":7}`, `7`, `{"text":"\u0000"}`} {
		body := `{"lines":[` + strings.Repeat(element+",", 1<<20/(len(element)+2)) + element + `]}`
		if n := len(client.Post("/lines", body).Expect(422).Details()); n != 100 {
			t.Errorf("%s: %d details", element, n)
		}
	}
}

func TestErrorHeaders(t *testing.T) {
	client := webtest.New(t, notes())
	for _, tt := range []struct{ method, path, header, want string }{
		{"PATCH", "/notes", "Allow", "GET, HEAD, POST"},
		{"GET", "/unauthorized", "WWW-Authenticate", "Bearer"},
		{"GET", "/challenge", "WWW-Authenticate", `Bearer error="invalid_token"`},
		{"GET", "/many", "Retry-After", "2"},
		{"GET", "/unavailable", "Retry-After", "60"},
		{"GET", "/conflict", "Cache-Control", "no-store"},
		{"GET", "/conflict", "ETag", ""},
	} {
		got := client.Send(tt.method, tt.path, nil).Header(tt.header)
		if tt.header == "Allow" {
			got = sorted(got)
		}
		if got != tt.want {
			t.Errorf("%s %s: %s is %q, want %q", tt.method, tt.path, tt.header, got, tt.want)
		}
	}
}

func TestContentTypes(t *testing.T) {
	client := webtest.New(t, notes())
	for _, tt := range []struct {
		contentType string
		status      int
	}{
		{"application/json", 201},
		{"application/json; charset=utf-8", 201},
		{"application/json; charset=UTF-8", 201},
		{"Application/JSON", 201},
		{"application/vnd.api+json", 201},
		{"application/json; charset=latin1", 415},
		{"text/plain", 415},
		{"application/x-www-form-urlencoded", 415},
		{"multipart/form-data; boundary=x", 415},
		{"application/jsonx", 415},
		{";", 415},
		{"", 415},
	} {
		answer := client.With("Content-Type", tt.contentType).Post("/notes", `{"title":"abc"}`)
		if answer.Status != tt.status {
			t.Errorf("%q: status %d, want %d", tt.contentType, answer.Status, tt.status)
		}
	}
	client.With("Content-Encoding", "gzip").Post("/notes", `{"title":"abc"}`).Expect(415)
}

func TestDebugShowsTheCause(t *testing.T) {
	client := webtest.NewWith(t, web.Config{Env: web.Development, Debug: true}, notes())
	for path, want := range map[string]string{"/unexpected": "secret: disk on fire", "/panic": "panic: secret: at the disco"} {
		if got := client.Get(path).Expect(500).JSON()["detail"]; got != want {
			t.Errorf("%s: detail is %v", path, got)
		}
	}
}

func TestUnexpectedErrorsAreLogged(t *testing.T) {
	var out bytes.Buffer
	app, err := web.New(web.Config{Env: web.Test}, web.NewLogger(web.Config{Env: web.Test}, &out), notes())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/unexpected", "/panic"} {
		out.Reset()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, path+"?token=hidden", nil)
		r.Header.Set("X-Request-ID", "abc-123")
		serve(app, r)
		var record struct {
			Level, Error, Stack string
			RequestID           string `json:"request_id"`
		}
		if err := json.NewDecoder(&out).Decode(&record); err != nil {
			t.Fatal(err)
		}
		if record.Level != slog.LevelError.String() || record.RequestID != "abc-123" || !strings.Contains(record.Error, "secret") {
			t.Errorf("%s: unexpected record %+v", path, record)
		}
		where := "web.typed[" // the handler has returned, so the stack shows its route
		if path == "/panic" {
			where = "errors_test.go"
		}
		if !strings.Contains(record.Stack, where) {
			t.Errorf("stack of %s: %q", path, record.Stack)
		}
		if strings.Contains(out.String(), "hidden") {
			t.Errorf("the query string is logged: %s", out.String())
		}
	}
}

// A client that sends a large body with an expired token gets to read the 401.
func TestRejectedBodiesAreRead(t *testing.T) {
	for _, tt := range []struct {
		status, size int
		chunked      bool
		expect       string
		read         bool
	}{
		{401, 700_000, false, "", true},
		{401, 700_000, true, "", true},
		{401, 700_000, false, "100-continue", false},
		{401, 2 << 20, false, "", false}, // larger than the route's limit
		{401, 2 << 20, true, "", false},
		{403, 700_000, false, "", false},
	} {
		client := webtest.New(t, web.Module{Name: "refused", Routes: []web.Route{
			web.Handle(http.MethodPost, "/upload", func(*gin.Context) {}).Guard(web.Guard{Name: "never", Check: func(*gin.Context) error {
				return &fault.Error{Status: tt.status, Message: "No"}
			}}),
		}})
		body := bytes.NewReader(make([]byte, tt.size))
		r := httptest.NewRequest(http.MethodPost, "/upload", body)
		if tt.chunked {
			r.ContentLength = -1
		}
		if tt.expect != "" {
			r.Header.Set("Expect", tt.expect)
		}
		client.Do(r).Expect(tt.status)
		if read := body.Len() == 0; read != tt.read {
			t.Errorf("%d of %d bytes were read with status %d", tt.size-body.Len(), tt.size, tt.status)
		}
	}
}
