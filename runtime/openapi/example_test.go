package openapi_test

import (
	"encoding/json"
	"fmt"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/openapi"
	"github.com/nexios-go/nexios/runtime/web"
)

// The document is generated from the routes that are served.
func Example() {
	type sum struct {
		Value int `json:"value"`
	}
	modules := []web.Module{{Name: "sums", Routes: []web.Route{
		web.Get("/sums", func(_ *gin.Context, in struct {
			A int `form:"a" binding:"max=9"`
			B int `form:"b"`
		}) (sum, error) {
			return sum{in.A + in.B}, nil
		}).Doc("Add two numbers"),
	}}}
	text, err := openapi.Document(openapi.Info{Title: "Sums", Version: "1"}, modules)
	if err != nil {
		fmt.Println(err)
		return
	}
	var document struct {
		Paths map[string]map[string]struct {
			Summary    string
			Parameters []struct {
				Name   string
				Schema struct{ Maximum int }
			}
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		fmt.Println(err)
		return
	}
	add := document.Paths["/sums"]["get"]
	fmt.Println(add.Summary)
	for _, p := range add.Parameters {
		fmt.Println(p.Name, p.Schema.Maximum)
	}
	// Output:
	// Add two numbers
	// a 9
	// b 0
}
