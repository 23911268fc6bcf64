package webtest_test

import (
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// A test mounts only the module under test. [webtest.Resource] tests a whole
// resource.
func Example() {
	module := web.Module{Name: "hello", Routes: []web.Route{
		web.Get("/hello", func(*gin.Context, web.None) (map[string]string, error) {
			return map[string]string{"text": "Hello"}, nil
		}),
	}}
	_ = func(t *testing.T) {
		client := webtest.New(t, module)
		if got := client.Get("/hello").Expect(200).JSON()["text"]; got != "Hello" {
			t.Errorf("text is %v", got)
		}
		client.Post("/hello", nil).Expect(405)
	}
}
