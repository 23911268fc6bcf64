package web

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

// Each benchmark does the same work on the same bare engine, once as a typed route
// and once as a handler with Gin's own binding. The typed route may cost 5 % more,
// since it does more: it rejects bodies that are not JSON, nested too deep or not
// UTF-8, and sets an ETag.

type benchBody struct {
	Title     string   `json:"title" binding:"required,min=3,max=255"`
	Content   string   `json:"content" binding:"required"`
	Category  *string  `json:"category" binding:"omitempty,max=50"`
	Published *bool    `json:"published"`
	AuthorID  int64    `json:"author_id" binding:"required,min=1"`
	Tags      []string `json:"tags" binding:"max=5,dive,min=2"`
}

type benchQuery struct {
	Page   int    `form:"page,default=1" binding:"min=1"`
	Limit  int    `form:"limit,default=10" binding:"min=1,max=100"`
	Order  string `form:"order,default=desc" binding:"oneof=asc desc"`
	Sort   string `form:"sort,default=created_at" binding:"oneof=id title created_at"`
	Search string `form:"search" binding:"max=100"`
}

type benchID struct {
	ID int64 `uri:"id" binding:"min=1"`
}

type benchPost struct {
	ID        int64  `json:"id"`
	Title     string `json:"title"`
	Content   string `json:"content"`
	Published bool   `json:"published"`
	AuthorID  int64  `json:"author_id"`
}

func (b benchBody) post() benchPost {
	return benchPost{1, b.Title, b.Content, b.Published != nil && *b.Published, b.AuthorID}
}

var benchJSON = []byte(`{"title":"A title of some length","content":"` + string(bytes.Repeat([]byte("text "), 40)) + `","published":true,"author_id":7,"tags":["one","two"]}`)

// discardWriter discards the response.
type discardWriter struct{ header http.Header }

func (d *discardWriter) Header() http.Header         { return d.header }
func (d *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (d *discardWriter) WriteHeader(int)             {}

func bench(b *testing.B, handler http.Handler, method, path string, body []byte) {
	b.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Content-Type", "application/json")
	reader := bytes.NewReader(body)
	check := httptest.NewRecorder()
	r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
	if handler.ServeHTTP(check, r); check.Code >= 300 {
		b.Fatal(check.Code, check.Body)
	}
	w := &discardWriter{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		r.Body = io.NopCloser(reader)
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
}

func bare(b *testing.B, routes ...Route) http.Handler {
	b.Helper()
	gin.SetMode(gin.ReleaseMode)
	a := &App{Engine: gin.New(), matches: map[address]func(*gin.Context) bool{}, preconditions: preconditions{reads: map[string]gin.HandlerFunc{}}}
	rules := newRules()
	for _, r := range routes {
		if err := a.mount(Module{Name: "bench"}, r, rules); err != nil {
			b.Fatal(err)
		}
	}
	return a.Engine
}

func plain(method, path string, h gin.HandlerFunc) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Handle(method, path, h)
	return e
}

func BenchmarkPost(b *testing.B) {
	typed := Post("/posts", func(_ *gin.Context, in struct{ Body benchBody }) (benchPost, error) { return in.Body.post(), nil })
	b.Run("typed", func(b *testing.B) { bench(b, bare(b, typed), http.MethodPost, "/posts", benchJSON) })
	b.Run("gin", func(b *testing.B) {
		bench(b, plain(http.MethodPost, "/posts", func(c *gin.Context) {
			c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, defaultMaxBody)
			var body benchBody
			if err := c.ShouldBindJSON(&body); err != nil {
				c.JSON(http.StatusUnprocessableEntity, gin.H{"error": err.Error()})
				return
			}
			c.JSON(http.StatusCreated, body.post())
		}), http.MethodPost, "/posts", benchJSON)
	})
}

func BenchmarkPut(b *testing.B) {
	typed := Put("/posts/:id", func(_ *gin.Context, in struct {
		benchID
		Body benchBody
	}) (benchPost, error) {
		return in.Body.post(), nil
	})
	b.Run("typed", func(b *testing.B) { bench(b, bare(b, typed), http.MethodPut, "/posts/7", benchJSON) })
	b.Run("gin", func(b *testing.B) {
		bench(b, plain(http.MethodPut, "/posts/:id", func(c *gin.Context) {
			c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, defaultMaxBody)
			var id benchID
			var body benchBody
			if err := c.ShouldBindUri(&id); err != nil {
				c.JSON(http.StatusNotFound, gin.H{"error": err.Error()})
				return
			}
			if err := c.ShouldBindJSON(&body); err != nil {
				c.JSON(http.StatusUnprocessableEntity, gin.H{"error": err.Error()})
				return
			}
			c.JSON(http.StatusOK, body.post())
		}), http.MethodPut, "/posts/7", benchJSON)
	})
}

func BenchmarkGetWithQuery(b *testing.B) {
	const path = "/posts?page=2&limit=20&sort=title&search=gin"
	typed := Get("/posts", func(_ *gin.Context, in benchQuery) (benchPost, error) {
		return benchPost{ID: int64(in.Page), Title: in.Search}, nil
	})
	b.Run("typed", func(b *testing.B) { bench(b, bare(b, typed), http.MethodGet, path, nil) })
	b.Run("gin", func(b *testing.B) {
		bench(b, plain(http.MethodGet, "/posts", func(c *gin.Context) {
			var in benchQuery
			if err := c.ShouldBindQuery(&in); err != nil {
				c.JSON(http.StatusUnprocessableEntity, gin.H{"error": err.Error()})
				return
			}
			c.JSON(http.StatusOK, benchPost{ID: int64(in.Page), Title: in.Search})
		}), http.MethodGet, path, nil)
	})
}

// BenchmarkApp measures what New adds to a route.
func BenchmarkApp(b *testing.B) {
	route := Get("/api/ping", func(*gin.Context, None) (benchPost, error) { return benchPost{}, nil })
	b.Run("bare", func(b *testing.B) { bench(b, bare(b, route), http.MethodGet, "/api/ping", nil) })
	b.Run("app", func(b *testing.B) {
		log := NewLogger(Config{Env: Production}, io.Discard)
		a, err := New(Config{Env: Production, RateLimit: Rate{1 << 30, 1e9 * 3600}}, log, Module{Name: "ping", Routes: []Route{route}})
		if err != nil {
			b.Fatal(err)
		}
		bench(b, a, http.MethodGet, "/api/ping", nil)
	})
	b.Run("without log", func(b *testing.B) {
		a, err := New(Config{Env: Production}, slog.New(slog.DiscardHandler), Module{Name: "ping", Routes: []Route{route}})
		if err != nil {
			b.Fatal(err)
		}
		bench(b, a, http.MethodGet, "/api/ping", nil)
	})
}
