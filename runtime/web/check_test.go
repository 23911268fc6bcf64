package web_test

import (
	"slices"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// stay has a rule that tags cannot express.
type stay struct {
	Name  string `json:"name" binding:"required"`
	Begin int    `json:"begin" binding:"min=1"`
	End   int    `json:"end" binding:"max=100"`
}

func (s stay) Check() []fault.Detail {
	if s.End >= s.Begin {
		return nil
	}
	return []fault.Detail{{Field: "end", Rule: "order", Message: "End must not be before begin"}}
}

func TestCheckRunsTogetherWithTags(t *testing.T) {
	t.Parallel()
	client := webtest.New(t, web.Module{Name: "checks", Routes: []web.Route{
		web.Post("/one", func(*gin.Context, struct{ Body stay }) (web.None, error) { return web.None{}, nil }),
		web.Post("/maybe", func(*gin.Context, struct{ Body *stay }) (web.None, error) { return web.None{}, nil }),
		web.Post("/many", func(*gin.Context, struct{ Body web.Bulk[stay] }) (web.None, error) { return web.None{}, nil }),
	}})
	for _, c := range []struct {
		path, body string
		want       []string
	}{
		{"/one", `{"name":"a","begin":2,"end":2}`, nil},
		{"/one", `{"name":"a","begin":2,"end":1}`, []string{"end order"}},
		{"/one", `{"begin":2,"end":1}`, []string{"name required", "end order"}},
		{"/one", `{"name":1,"begin":2,"end":1}`, []string{"name type", "end order"}},
		{"/one", `{"name":"a","begin":200,"end":101}`, []string{"end max"}}, // one error per field
		{"/one", `{"name":"a","begin":2,"end":"x"}`, []string{"end type"}},
		{"/one", `null`, []string{"body type"}},
		{"/maybe", `{"name":"a","begin":2,"end":1}`, []string{"end order"}},
		{"/many", `[{"name":"a","begin":1,"end":1}]`, nil},
		{"/many", `[{"name":"a","begin":1,"end":1},{"begin":2,"end":1}]`, []string{"1 name required", "1 end order"}},
	} {
		answer := client.Post(c.path, c.body)
		if c.want == nil {
			answer.Expect(204)
			continue
		}
		var got []string
		for _, d := range answer.Expect(422).Details() {
			text := d.Field + " " + d.Rule
			if d.Index != nil {
				text = string(rune('0'+*d.Index)) + " " + text
			}
			got = append(got, text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %v, want %v", c.path, c.body, got, c.want)
		}
	}
	client.Post("/maybe", nil).Expect(204)
}
