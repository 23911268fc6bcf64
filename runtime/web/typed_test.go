package web_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// common is embedded, like the parameters shared by lists.
type common struct {
	Page  int    `form:"page,default=1" json:"page"`
	Order string `form:"order,default=desc" json:"order"`
}

type everything struct {
	common
	Sort   string          `form:"sort,default=id" alias:"sort_by" json:"sort"`
	Bool   *bool           `form:"bool" json:"bool"`
	Tiny   int8            `form:"tiny" json:"tiny"`
	Count  uint            `form:"count" json:"count"`
	Ratio  float64         `form:"ratio" json:"ratio"`
	At     *time.Time      `form:"at" json:"at"`
	For    time.Duration   `form:"for" json:"for"`
	Key    *uuid.UUID      `form:"key" json:"key"`
	Price  decimal.Decimal `form:"price" json:"price"`
	IDs    []int64         `form:"id" json:"ids"`
	Names  []string        `form:"name,default=a" json:"names"`
	Cursor *string         `form:"cursor" json:"cursor"`
	Agent  string          `header:"X-Agent" json:"agent"`
	Level  int             `header:"X-Level,default=3" json:"level"`
}

// A route without parameters rejects all of them, except a write without any input.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	type body struct{ Body struct{} }
	client := webtest.New(t, web.Module{Name: "all", Routes: []web.Route{
		web.Get("/none", func(*gin.Context, web.None) (int, error) { return 1, nil }),
		web.Post("/none", func(*gin.Context, web.None) (int, error) { return 1, nil }),
		web.Post("/body", func(*gin.Context, body) (int, error) { return 1, nil }),
		web.Get("/path/:id", func(*gin.Context, byID) (int, error) { return 1, nil }),
		web.Delete("/path/:id", func(*gin.Context, byID) (int, error) { return 1, nil }),
	}})
	for address, want := range map[string]int{"GET /none": 422, "HEAD /none": 422, "POST /none": 201, "POST /body": 422, "GET /path/1": 422, "DELETE /path/1": 422, "GET /path/x": 404} {
		method, path, _ := strings.Cut(address, " ")
		var sent any
		if path == "/body" {
			sent = map[string]any{}
		}
		if a := client.Send(method, path+"?pag=1", sent); a.Status != want || want == 422 && method != "HEAD" && !strings.Contains(string(a.Body()), "known parameters: none") {
			t.Errorf("%s: status %d: %s", address, a.Status, a.Body())
		}
	}
}

func TestQueryAndHeaders(t *testing.T) {
	client := webtest.New(t, web.Module{Name: "all", Routes: []web.Route{
		web.Get("/all", func(_ *gin.Context, in everything) (everything, error) { return in, nil }),
	}})
	absent := `{"page":1,"order":"desc","sort":"id","bool":null,"tiny":0,"count":0,"ratio":0,"at":null,"for":0,"key":null,"price":"0","ids":[],"names":["a"],"cursor":null,"agent":"","level":3}`
	for query, changed := range map[string]string{
		"":                               "",
		"&=&&":                           "",
		"page=7&order=asc":               `"page":7,"order":"asc"`,
		"sort=title":                     `"sort":"title"`,
		"sort_by=title":                  `"sort":"title"`,
		"s%6Frt=ti%74le":                 `"sort":"title"`,
		"sort=a+b%2Bc":                   `"sort":"a b+c"`,
		"bool=false":                     `"bool":false`,
		"bool=true":                      `"bool":true`,
		"tiny=-128&count=7&ratio=-1.5e3": `"tiny":-128,"count":7,"ratio":-1500`,
		"at=2026-01-02T03:04:05Z":        `"at":"2026-01-02T03:04:05Z"`,
		"at=2026-01-02T03:04:05+02:00":   `"at":"2026-01-02T03:04:05+02:00"`,
		"at=2026-01-02T03:04:05%2B02:00": `"at":"2026-01-02T03:04:05+02:00"`,
		"for=1m30s":                      `"for":90000000000`,
		"key=0192e4a0-7b3c-7d10-8000-000000000001": `"key":"0192e4a0-7b3c-7d10-8000-000000000001"`,
		"price=9.95":                    `"price":"9.95"`,
		"id=1&id=2,3":                   `"ids":[1,2,3]`,
		"id=":                           `"ids":[]`,
		"name=b&name=c":                 `"names":["b","c"]`,
		"cursor=":                       `"cursor":""`,
		"cursor":                        `"cursor":""`,
		"sort=" + "%E2%82%AC":           `"sort":"€"`,
		"page=" + "0000000000000000001": `"page":1`,
	} {
		var want, got map[string]any
		unmarshal(t, absent, &want)
		unmarshal(t, "{"+changed+"}", &want)
		unmarshal(t, string(client.Get("/all?"+query).Expect(200).Body()), &got)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	for query, count := range map[string]int{"unknown=1": 1, "Page=1": 1, "%zz=1": 1, "page=1&pag=2&other=3&pag=4": 2, "page%20=1": 1} {
		details := client.Get("/all?" + query).Expect(422).Details()
		if len(details) != count || details[0].Rule != "unknown" || !strings.Contains(details[0].Message, "order, page, price") {
			t.Errorf("%s: %+v", query, details)
		}
	}
	if got := client.With("X-Agent", "me").With("X-Level", "5").Get("/all").JSON(); got["agent"] != "me" || got["level"] != 5.0 {
		t.Errorf("from headers: %v", got)
	}
	for _, query := range []string{
		"bool=1", "bool=T", "bool=True", "bool=", "tiny=128", "tiny=1.0", "tiny=+1", "tiny=0x1", "tiny=1_0", "tiny=%201", "count=-1", "ratio=NaN", "ratio=Inf", "ratio=0x1p4", "ratio=1e400",
		"bool=yes", "at=yesterday", "at=2026-13-01T00:00:00Z", "for=90", "key=x", "price=x", "price=1e1000000000", "id=1,x", "id=1,,2",
	} {
		client.Get("/all?" + query).Expect(422)
	}
	if d := client.With("X-Level", "high").Get("/all").Expect(422).Details(); len(d) != 1 || d[0].Field != "X-Level" {
		t.Errorf("invalid header: %v", d)
	}
}

// Each row has one URL: other spellings of its key are not found, whether the route
// reads, is locked or guarded.
func TestPathsAreCanonical(t *testing.T) {
	type number struct {
		ID int64 `uri:"id"`
	}
	type size struct {
		ID uint8 `uri:"id"`
	}
	type flag struct {
		ID bool `uri:"id"`
	}
	type key struct {
		ID *uuid.UUID `uri:"id"`
	}
	type word struct {
		ID string `uri:"id"`
	}
	closed := web.Guard{Name: "closed", Check: func(*gin.Context) error { return fault.Forbidden("Forbidden") }}
	var routes []web.Route
	for name, of := range map[string]func(path string) []web.Route{
		"number": rowRoutes[number], "size": rowRoutes[size], "flag": rowRoutes[flag], "key": rowRoutes[key], "word": rowRoutes[word],
	} {
		for _, r := range of("/" + name) {
			routes = append(routes, r)
			r.Path = "/closed" + r.Path
			routes = append(routes, r.Guard(closed))
		}
	}
	client := webtest.New(t, web.Module{Name: "paths", Routes: routes})
	const id = "0192e4a0-7b3c-7d10-8000-00000000000a"
	for path, found := range map[string]bool{
		"number/34": true, "number/0": true, "number/-7": true, "number/9223372036854775807": true,
		"number/034": false, "number/00": false, "number/-0": false, "number/-07": false, "number/+34": false, "number/%2B34": false,
		"number/34.0": false, "number/34e0": false, "number/0x22": false, "number/3_4": false, "number/%2034": false, "number/34%20": false,
		"number/%33%34": true, // the same characters
		"number/٣٤":     false, "number/9223372036854775808": false, "number/-": false, "number/x": false,
		"size/255": true, "size/0": true, "size/007": false, "size/256": false, "size/-1": false, "size/-0": false,
		"flag/true": true, "flag/false": true, "flag/1": false, "flag/TRUE": false, "flag/t": false,
		"key/" + id: true, "key/" + strings.ToUpper(id): false, "key/{" + id + "}": false, "key/urn:uuid:" + id: false,
		"key/" + strings.ReplaceAll(id, "-", ""): false, "key/x": false,
		"word/034": true, "word/A": true,
	} {
		for prefix, write := range map[string]int{"/": 428, "/closed/": 403} {
			read := map[bool]int{true: 200, false: 404}[found]
			if !found {
				write = 404
			} else if prefix != "/" {
				read = write
			}
			client.Get(prefix + path).Expect(read)
			client.Put(prefix+path, nil).Expect(write)
			if prefix == "/" && !found {
				client.With("If-Match", `"a"`).Put(prefix+path, nil).Expect(404)
			}
		}
	}
}

// rowRoutes returns routes that read and write a row with the key In.
func rowRoutes[In any](path string) []web.Route {
	h := func(_ *gin.Context, in In) (In, error) { return in, nil }
	return []web.Route{web.Get(path+"/:id", h), web.Put(path+"/:id", h).Locked()}
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err, text)
	}
}

func TestBodies(t *testing.T) {
	type change struct {
		Title    *string          `json:"title"`
		Category web.Null[string] `json:"category"`
		Stars    web.Null[int]    `json:"stars"`
	}
	client := webtest.New(t, web.Module{Name: "bodies", Routes: []web.Route{
		web.Patch("/change", func(_ *gin.Context, in struct{ Body change }) (string, error) {
			c := in.Body
			words := []string{"no title"}
			if c.Title != nil {
				words[0] = *c.Title
			}
			for _, n := range []web.Null[string]{c.Category, {Value: "n", Set: c.Stars.Set, Valid: c.Stars.Valid}} {
				switch {
				case n.Valid:
					words = append(words, n.Value)
				case n.Set:
					words = append(words, "null")
				default:
					words = append(words, "absent")
				}
			}
			return strings.Join(words, " "), nil
		}),
		web.Post("/optional", func(_ *gin.Context, in struct{ Body *change }) (bool, error) { return in.Body != nil, nil }),
		web.Post("/map", func(_ *gin.Context, in struct{ Body map[string]int }) (int, error) { return len(in.Body), nil }),
		web.Post("/any", func(_ *gin.Context, in struct{ Body json.RawMessage }) (json.RawMessage, error) { return in.Body, nil }),
	}})
	for body, want := range map[string]string{
		`{}`:                               "no title absent absent",
		`{"title":null,"category":null}`:   "no title null absent",
		`{"title":"a","category":"b"}`:     "a b absent",
		`{"title":"a","unknown":{"x":[]}}`: "a absent absent",
		`{"category":"","stars":0}`:        "no title  n",
		" \n{\"stars\":null}\t ":           "no title absent null",
		`{"title":"a\\u0000"}`:             `a\u0000 absent absent`,
	} {
		var got string
		client.Patch("/change", body).Expect(200).Into(&got)
		if got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
	for body, want := range map[string]string{"": "false", "{}": "true"} {
		if got := string(client.Post("/optional", body).Expect(201).Body()); got != want {
			t.Errorf("optional body %q: %s", body, got)
		}
	}
	if got := string(client.Send(http.MethodPost, "/optional", nil).Expect(201).Body()); got != "false" {
		t.Errorf("no body: %s", got)
	}
	client.Post("/map", `{"a":1,"b":2}`).Expect(201)
	if d := client.Post("/map", `{"a":1,"b":"x"}`).Expect(422).Details(); len(d) != 1 || d[0].Field != "b" {
		t.Errorf("map: %v", d)
	}
	if d := client.Post("/any", `{"a":["\u0000"]}`).Expect(422).Details(); len(d) != 1 || d[0].Field != "a[0]" {
		t.Errorf("raw JSON: %v", d)
	}
}

func TestSuccessResponses(t *testing.T) {
	client := webtest.New(t, web.Module{Name: "answers", Routes: []web.Route{
		web.Get("/get", func(*gin.Context, web.None) (note, error) { return note{1, "a"}, nil }),
		web.Get("/text", func(*gin.Context, web.None) (string, error) { return "<&>", nil }),
		web.Post("/create", func(c *gin.Context, _ web.None) (note, error) {
			web.Location(c, 7)
			return note{7, "b"}, nil
		}),
		web.Post("/act", func(*gin.Context, web.None) (note, error) { return note{}, nil }).Returns(200),
		web.Post("/accept", func(c *gin.Context, _ web.None) (note, error) {
			c.Status(http.StatusAccepted)
			return note{}, nil
		}),
		web.Post("/silent", func(*gin.Context, web.None) (web.None, error) { return web.None{}, nil }),
		web.Delete("/gone", func(*gin.Context, web.None) (web.None, error) { return web.None{}, nil }),
		web.Get("/own", func(c *gin.Context, _ web.None) (note, error) {
			c.Redirect(http.StatusSeeOther, "/get")
			return note{}, nil
		}),
		web.Get("/wildcard/*path", func(_ *gin.Context, in struct {
			Path string `uri:"path"`
		}) (string, error) {
			return in.Path, nil
		}),
	}})
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/get", 200, `{"id":1,"title":"a"}`},
		{"HEAD", "/get", 200, `{"id":1,"title":"a"}`}, // net/http drops the body
		{"GET", "/text", 200, `"\u003c\u0026\u003e"`},
		{"POST", "/create", 201, `{"id":7,"title":"b"}`},
		{"POST", "/act", 200, `{"id":0,"title":""}`},
		{"POST", "/accept", 202, `{"id":0,"title":""}`},
		{"POST", "/silent", 204, ""},
		{"DELETE", "/gone", 204, ""},
		{"OPTIONS", "/get", 204, ""},
		{"GET", "/wildcard/a/b", 200, `"a/b"`},
		{"GET", "/healthz", 200, `{"status":"ok"}`},
		{"HEAD", "/healthz", 200, `{"status":"ok"}`},
		{"GET", "/readyz", 200, `{"status":"ready"}`},
		{"HEAD", "/readyz", 200, `{"status":"ready"}`},
	} {
		answer := client.Send(tt.method, tt.path, nil).Expect(tt.status)
		if string(answer.Body()) != tt.body {
			t.Errorf("%s %s: body %s", tt.method, tt.path, answer.Body())
		}
	}
	if got := client.Post("/create", nil).Header("Location"); got != "/create/7" {
		t.Errorf("Location is %q", got)
	}
	if got := sorted(client.Send("OPTIONS", "/get", nil).Header("Allow")); got != "GET, HEAD, OPTIONS" {
		t.Errorf("Allow is %q", got)
	}
	if got := client.Get("/own").Expect(303).Header("Location"); got != "/get" {
		t.Errorf("redirect to %q", got)
	}
}

// TestInvalidRoutes checks that errors in routes are found before the first request.
func TestInvalidRoutes(t *testing.T) {
	route := func(r ...web.Route) web.Module { return web.Module{Name: "broken", Routes: r} }
	for name, tt := range map[string]struct {
		module web.Module
		want   string
	}{
		"a field without a place": {route(web.Get("/x", func(*gin.Context, struct{ Name string }) (int, error) { return 0, nil })), "no uri, form or header tag"},
		"a field of no text": {route(web.Get("/x", func(*gin.Context, struct {
			F func() `form:"f"`
		}) (int, error) {
			return 0, nil
		})), "cannot be parsed from text"},
		"a default of another type": {route(web.Get("/x", func(*gin.Context, struct {
			N int `form:"n,default=x"`
		}) (int, error) {
			return 0, nil
		})), "default of n"},
		"two fields of one name": {route(web.Get("/x", func(*gin.Context, struct {
			A int `form:"n"`
			B int `form:"b" alias:"n"`
		}) (int, error) {
			return 0, nil
		})), `the parameter "n"`},
		"an unknown rule": {route(web.Get("/x", func(*gin.Context, struct {
			N int `form:"n" binding:"wat"`
		}) (int, error) {
			return 0, nil
		})), "wat"},
		"an unknown rule deep in a body": {route(web.Post("/x", func(*gin.Context, struct {
			Body []struct {
				A *struct {
					B string `json:"b" binding:"wat"`
				} `json:"a"`
			}
		}) (int, error) {
			return 0, nil
		})), "wat"},
		"an invalid pattern": {route(web.Post("/x", func(*gin.Context, struct {
			Body struct {
				A string `json:"a" binding:"omitempty,pattern=["`
			}
		}) (int, error) {
			return 0, nil
		})), "missing closing"},
		"two routes of one path": {route(
			web.Get("/x", func(*gin.Context, web.None) (int, error) { return 0, nil }),
			web.Get("/x", func(*gin.Context, web.None) (int, error) { return 0, nil })), "already registered"},
		"an input that is not a struct": {route(web.Get("/x", func(*gin.Context, int) (int, error) { return 0, nil })), "not a struct"},
		"a module with an error":        {web.Module{Name: "broken", Err: http.ErrServerClosed}, "broken: http"},
	} {
		_, err := web.New(web.Config{Env: web.Test}, discard(), tt.module)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
