// Package tour shows how routes, inputs and responses are written, each in as few
// lines as possible. Read it, copy from it, and remove it before production: anyone
// may add users to its table.
package tour

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/templates/tour/files/internal/model"
)

const (
	hello = "Hello, World!"
	page  = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tour</title>
<main><h1>` + hello + `</h1></main>
</html>
`
)

type handler struct{ db *gorm.DB }

// Module returns the routes of the tour.
func Module(gdb *gorm.DB) web.Module {
	h := handler{gdb}
	return web.Module{Name: "tour", Doc: "Short examples of routes, inputs and responses.", Routes: []web.Route{
		// The value that a handler returns is sent as JSON.
		web.Get("/json", getJSON).Doc("Return JSON"),
		web.Post("/json", postJSON).Doc("Accept JSON").ID("sendJson").Returns(http.StatusOK),
		web.Get("/error", fail).Doc("Return an error").Fails(400),
		// Path parameters are typed; a value that does not parse is a 404.
		web.Get("/api/items", items).Doc("List items"),
		web.Get("/api/items/:id", item).Doc("Get an item"),
		web.Get("/products/:id", product).Doc("Read a number from the path"),
		web.Get("/categories/:name", category).Doc("Read a text from the path"),
		web.Get("/wildcard/*path", wildcard).Doc("Read the rest of the path"),
		// A plain Gin handler writes the response itself.
		web.Handle(http.MethodGet, "/xml", getXML).Doc("Return XML").Sends("application/xml"),
		web.Handle(http.MethodGet, "/html", getHTML).Doc("Return HTML").Sends("text/html"),
		web.Handle(http.MethodGet, "/text", getText).Doc("Return text").Sends("text/plain"),
		// A table: validated input, and pages of output.
		web.Post("/users", h.createUser).Doc("Create a tour user").Fails(409),
		web.Get("/users", h.listUsers).Doc("List the tour users"),
	}}
}

func getJSON(*gin.Context, web.None) (message, error) { return message{Message: hello}, nil }

func postJSON(_ *gin.Context, in jsonInput) (jsonAnswer, error) {
	return jsonAnswer{Status: "success", User: person{in.Body.Name, *in.Body.Age}}, nil
}

func fail(*gin.Context, web.None) (message, error) {
	return message{}, fault.BadRequest("This is a bad request!")
}

func items(*gin.Context, web.None) ([]itemAnswer, error) {
	return []itemAnswer{newItem(1), newItem(2)}, nil
}

func item(_ *gin.Context, in idInput) (itemAnswer, error) { return newItem(in.ID), nil }

func newItem(id int64) itemAnswer { return itemAnswer{id, fmt.Sprint("Item ", id)} }

func product(_ *gin.Context, in idInput) (productAnswer, error) {
	return productAnswer{in.ID, "integer"}, nil
}

func category(_ *gin.Context, in nameInput) (categoryAnswer, error) {
	return categoryAnswer{in.Name, "string"}, nil
}

// wildcard returns the rest of the path; Gin keeps its leading slash.
func wildcard(_ *gin.Context, in pathInput) (wildcardAnswer, error) {
	return wildcardAnswer{strings.TrimPrefix(in.Path, "/"), "path"}, nil
}

func getXML(c *gin.Context) { c.XML(http.StatusOK, message{Message: hello}) }

func getHTML(c *gin.Context) {
	c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(page))
}

func getText(c *gin.Context) { c.String(http.StatusOK, hello) }

func (h handler) createUser(c *gin.Context, in createUserInput) (model.TourUser, error) {
	user := in.Body.user()
	return user, h.db.WithContext(c.Request.Context()).Create(&user).Error
}

func (h handler) listUsers(c *gin.Context, in listUsersInput) (db.Page[listedUser], error) {
	return db.List[listedUser](h.db.WithContext(c.Request.Context()), in.Query, in.Sort)
}
