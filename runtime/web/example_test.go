package web_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// A handler receives the decoded request and returns the response, or an error.
// Guards run before the request is decoded.
func Example() {
	type greet struct {
		Name  string `uri:"name" binding:"max=20"`
		Times int    `form:"times" binding:"max=3"`
	}
	type greeting struct {
		Text string `json:"text"`
	}
	members := web.Guard{Check: func(c *gin.Context) error {
		if c.GetHeader("X-Member") == "" {
			return fault.Unauthorized("Members only")
		}
		return nil
	}}
	app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), web.Module{Name: "greetings", Routes: []web.Route{
		web.Get("/greetings/:name", func(c *gin.Context, in greet) (greeting, error) {
			return greeting{fmt.Sprintf("Hello %s, %d times", in.Name, in.Times)}, nil
		}).Doc("Greet somebody").Guard(members),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ask := func(path, member string) *httptest.ResponseRecorder {
		answer, request := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
		request.Header.Set("X-Member", member)
		app.ServeHTTP(answer, request)
		return answer
	}
	fmt.Println(ask("/greetings/anna?times=2", "yes").Body)
	fmt.Println(ask("/greetings/anna?times=9", "yes").Code)
	fmt.Println(ask("/greetings/anna?times=9", "").Code)
	// Output:
	// {"text":"Hello anna, 2 times"}
	// 422
	// 401
}

// Middleware maps errors of another package on every route.
func ExampleFail() {
	missing := func(c *gin.Context) {
		c.Next()
		if last := c.Errors.Last(); last != nil && errors.Is(last.Err, fs.ErrNotExist) {
			web.Fail(c, fault.NotFound("No such file"))
		}
	}
	app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), web.Module{
		Name: "papers",
		Use:  []gin.HandlerFunc{missing},
		Routes: []web.Route{web.Get("/paper", func(*gin.Context, web.None) (string, error) {
			text, err := os.ReadFile("no such file")
			return string(text), err
		})},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, httptest.NewRequest("GET", "/paper", nil))
	fmt.Println(answer.Code)
	// Output: 404
}
