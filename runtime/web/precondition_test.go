package web_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// version is a resource with a version number.
type version struct {
	Number int64  `json:"number"`
	Text   string `json:"text"`
}

type versionInput struct {
	ID   int64 `uri:"id" binding:"min=1"`
	Body struct {
		Text string `json:"text" binding:"required"`
	}
}

// versions serves one resource, with the key 1, with every kind of write.
func versions(t *testing.T) (*webtest.Client, *atomic.Int64) {
	t.Helper()
	var number atomic.Int64
	show := func(c *gin.Context, in struct {
		ID int64 `uri:"id" binding:"min=1"`
	}) (version, error) {
		if in.ID != 1 {
			return version{}, fault.NotFound("Version not found")
		}
		return version{number.Load(), strings.Repeat("long ", 1000)}, nil
	}
	change := func(c *gin.Context, in versionInput) (version, error) {
		return version{Number: number.Add(1)}, nil
	}
	remove := func(*gin.Context, web.None) (web.None, error) { number.Add(1); return web.None{}, nil }
	admin := web.Guard{Name: "admin", Status: []int{403}, Check: func(c *gin.Context) error {
		if c.GetHeader("X-Admin") == "" {
			return fault.Forbidden("Not allowed")
		}
		return nil
	}}
	return webtest.New(t, web.Module{Name: "versions", Routes: []web.Route{
		web.Delete("/versions/:id", remove), // mounted before the GET route
		web.Get("/versions/:id", show),
		web.Put("/versions/:id", change),
		web.Patch("/versions/:id", change),
		web.Handle(http.MethodPost, "/versions/:id", func(c *gin.Context) { number.Add(1); c.Status(http.StatusOK) }),
		web.Post("/versions/:id/publish", remove),
		web.Get("/hidden/:id", show).Guard(admin),
		web.Put("/hidden/:id", change).Guard(admin),
		web.Get("/weak/:id", func(c *gin.Context, _ web.None) (version, error) {
			c.Header("ETag", `W/"1"`)
			return version{}, nil
		}),
		web.Put("/weak/:id", change),
	}}), &number
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	client, number := versions(t)
	body := map[string]any{"text": "new"}
	tag := func() string { return client.Get("/versions/1").Expect(200).Header("ETag") }
	for _, tc := range []struct {
		method, path string
		body         any
		success      int
	}{
		{http.MethodPut, "/versions/1", body, 200},
		{http.MethodPatch, "/versions/1", body, 200},
		{http.MethodDelete, "/versions/1", nil, 204},
		{http.MethodPost, "/versions/1", nil, 200},
	} {
		old := tag()
		for _, given := range []func(tag string) string{
			func(string) string { return "*" },
			func(tag string) string { return tag },
			func(tag string) string { return `"other", ` + tag },
			func(tag string) string { return strings.TrimSuffix(tag, `"`) + `-gzip"` },
		} {
			client.With("If-Match", given(tag())).Send(tc.method, tc.path, tc.body).Expect(tc.success)
		}
		before := number.Load()
		for _, given := range []string{old, `"other"`, "W/" + tag(), "x", `"`, strings.ToUpper(tag()) + "x"} {
			client.With("If-Match", given).Send(tc.method, tc.path, tc.body).Expect(http.StatusPreconditionFailed)
		}
		if number.Load() != before {
			t.Errorf("%s ignored If-Match", tc.method)
		}
		client.Send(tc.method, tc.path, tc.body).Expect(tc.success)
	}
	// A resource that cannot be read gives the same response as without If-Match.
	if got := client.With("If-Match", "*").Put("/versions/2", body).Expect(404).JSON()["error"]; got != "Version not found" {
		t.Errorf("error is %v", got)
	}
	client.With("If-Match", "*").Put("/versions/abc", body).Expect(404)
	client.With("If-Match", tag()).Put("/versions/1", map[string]any{}).Expect(422)
	client.With("If-Match", tag()).Put("/hidden/1", body).Expect(403)
	client.With("If-Match", tag()).With("X-Admin", "1").Put("/hidden/1", body).Expect(200)
	// There is no ETag, or only a weak one.
	client.With("If-Match", "*").Post("/versions/1/publish", nil).Expect(412)
	client.With("If-Match", `W/"1"`).Put("/weak/1", body).Expect(412)
	client.With("If-Match", "*").Put("/weak/1", body).Expect(200)
}

// If-None-Match on a write lists ETags that must not match (RFC 9110, 13.1.2).
func TestIfNoneMatchOnWrites(t *testing.T) {
	t.Parallel()
	client, number := versions(t)
	body := map[string]any{"text": "new"}
	for method, sent := range map[string]any{http.MethodPut: body, http.MethodPatch: body, http.MethodDelete: nil, http.MethodPost: nil} {
		before := number.Load()
		tag := client.Get("/versions/1").Expect(200).Header("ETag")
		for _, given := range []string{"*", tag, "W/" + tag, `"other", ` + tag} {
			client.With("If-None-Match", given).Send(method, "/versions/1", sent).Expect(http.StatusPreconditionFailed)
		}
		client.With("If-None-Match", `"other"`).With("If-Match", `"other"`).Send(method, "/versions/1", sent).Expect(http.StatusPreconditionFailed)
		if number.Load() != before {
			t.Errorf("%s ignored If-None-Match", method)
		}
		client.With("If-None-Match", `"other"`).Send(method, "/versions/1", sent)
		client.With("If-None-Match", `"other"`).With("If-Match", "*").Send(method, "/versions/1", sent)
		if number.Load() != before+2 {
			t.Errorf("%s was rejected although If-None-Match allows it", method)
		}
	}
	// The resource does not exist: the route decides.
	client.With("If-None-Match", "*").Put("/versions/2", body).Expect(200)
	client.With("If-None-Match", "*").Put("/versions/abc", body).Expect(404)
	client.With("If-None-Match", "*").Put("/hidden/1", body).Expect(403)
	client.With("If-None-Match", "*").Post("/versions/1/publish", nil).Expect(204)
}

// If-Match applies to reads as well (RFC 9110, 13.1.1).
func TestIfMatchOnReads(t *testing.T) {
	t.Parallel()
	client, _ := versions(t)
	tag := client.Get("/versions/1").Expect(200).Header("ETag")
	for given, want := range map[string]int{tag: 200, "*": 200, `"other", ` + tag: 200, `"other"`: 412, "W/" + tag: 412, "": 200} {
		client.With("If-Match", given).Get("/versions/1").Expect(want)
		client.With("If-Match", given).Send(http.MethodHead, "/versions/1", nil).Expect(want)
	}
	client.With("If-Match", tag).With("If-None-Match", tag).Get("/versions/1").Expect(304)
	client.With("If-Match", "*").Get("/versions/2").Expect(404)
}

func TestConcurrentConditionalWrites(t *testing.T) {
	t.Parallel()
	client, number := versions(t)
	tag := client.Get("/versions/1").Header("ETag")
	var (
		wg  sync.WaitGroup
		won atomic.Int64
	)
	for range 20 {
		client := client.Fresh().With("If-Match", tag)
		wg.Go(func() {
			if client.Patch("/versions/1", map[string]any{"text": "mine"}).Status == http.StatusOK {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || number.Load() != 1 {
		t.Errorf("%d writes succeeded, %d were executed; want 1", won.Load(), number.Load())
	}
}
