package web_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

type chapter struct {
	ID    int64           `json:"id"`
	Text  string          `json:"text"`
	Notes *string         `json:"notes,omitempty"`
	Tags  []string        `json:"tags"`
	Raw   json.RawMessage `json:"raw"`
	At    time.Time       `json:"at,omitzero"`
	Kept  string          `json:"-"`
	_     *chapter        // not exported, so not in JSON
}

type shelfmark struct {
	Place string `json:"place"`
	Empty string `json:"empty,omitempty"`
}

// book covers everything that the streaming encoder must handle like encoding/json.
type book struct {
	shelfmark
	Title    string         `json:"title"`
	Chapters []chapter      `json:"chapters"`
	More     []*chapter     `json:"more"`
	None     []int          `json:"none"`
	Gone     []int          `json:"gone,omitempty"`
	Total    *int64         `json:"total,omitempty"`
	At       time.Time      `json:"at,omitzero"`
	By       map[string]int `json:"by"`
	Next     *string        `json:"next"`
	Secret   string         `json:"-"`
}

func long(of string, n int) string { return strings.Repeat(of, n) }

// TestLargeResponses compares streamed responses with encoding/json.
func TestLargeResponses(t *testing.T) {
	t.Parallel()
	text := long("<é\x01\"&> \u2028", 40_000)
	one := chapter{ID: 1, Text: text, Notes: &text, Tags: []string{"a"}, Raw: json.RawMessage(`{"a": [1]}`), At: time.Unix(1, 5)}
	total := int64(3)
	for name, answers := range map[string][2]any{
		"rows": {[]chapter{one, {}, one}, []chapter{}},
		"struct": {
			book{shelfmark{Place: "x"}, "T<", []chapter{one}, []*chapter{nil, &one}, []int{}, nil, &total, time.Unix(9, 0), map[string]int{"b": 1, "a": 2}, nil, "no"},
			book{Chapters: []chapter{}, More: []*chapter{}, None: []int{}},
		},
	} {
		for i, answer := range answers {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				want, err := json.Marshal(answer)
				if err != nil {
					t.Fatal(err)
				}
				client := webtest.New(t, web.Module{Name: "book", Routes: []web.Route{served(answer)}})
				got := client.Get("/book").Expect(200)
				if string(got.Body()) != string(want) {
					t.Errorf("%d bytes, want %d\n%.300s\n%.300s", len(got.Body()), len(want), got.Body(), want)
				}
				tag := got.Header("ETag")
				if again := client.Get("/book").Header("ETag"); again != tag || tag == "" {
					t.Errorf("ETags are %q and %q", tag, again)
				}
				client.With("If-None-Match", tag).Get("/book").Expect(304)
				if head := client.Send(http.MethodHead, "/book", nil).Expect(200); head.Header("ETag") != tag {
					t.Errorf("HEAD: headers %v", head.Headers())
				}
			})
		}
	}
}

// served returns a route that responds with answer.
func served(answer any) web.Route {
	switch answer := answer.(type) {
	case []chapter:
		return web.Get("/book", func(*gin.Context, web.None) ([]chapter, error) { return answer, nil })
	case book:
		return web.Get("/book", func(*gin.Context, web.None) (book, error) { return answer, nil })
	}
	panic(reflect.TypeOf(answer))
}

// TestLargePageMemory serves 100 rows with three fields of the default maximum
// length, in characters with the longest JSON form.
func TestLargePageMemory(t *testing.T) {
	const fields, most = 3, 64 << 20
	text := long("<", 64<<10)
	page := make([]struct{ A, B, C string }, 100)
	for i := range page {
		page[i].A, page[i].B, page[i].C = text, text, text
	}
	app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), web.Module{Name: "page", Routes: []web.Route{
		web.Get("/page", func(*gin.Context, web.None) ([]struct{ A, B, C string }, error) { return page, nil }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := &counted{header: http.Header{}}
	r := httptest.NewRequest(http.MethodGet, "/page", nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	app.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	if want := 100 * fields * 6 * len(text); w.n < want {
		t.Fatalf("%d bytes were written, want %d", w.n, want)
	}
	if all := after.TotalAlloc - before.TotalAlloc; all > most {
		t.Errorf("a response of %d MiB allocates %d MiB", w.n>>20, all>>20)
	}
}

// counted is a response writer that only counts bytes.
type counted struct {
	header http.Header
	n      int
}

func (w *counted) Header() http.Header         { return w.header }
func (w *counted) WriteHeader(int)             {}
func (w *counted) Write(p []byte) (int, error) { w.n += len(p); return len(p), nil }
