package openapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Info is what the document says about the API as a whole.
type Info struct {
	Title       string
	Version     string
	Description string   // may be Markdown
	Servers     []string // base URLs; empty for the one that serves the document
	Contact     Contact  // whom to ask about the API; may be empty
	License     License  // of the API; may be empty
}

// Contact is the contact for users of the API.
type Contact struct {
	Name  string `json:"name,omitempty"`
	URL   string `json:"url,omitempty"`
	Email string `json:"email,omitempty"`
}

// License is the license of the API.
type License struct {
	Name string `json:"name"`
	URL  string `json:"url,omitempty"`
}

// Module serves the document of the modules at /openapi.json and an API
// reference page at /docs to those whom the guards let pass, and adds the command
// openapi. The document is made once, here.
func Module(info Info, modules []web.Module, guards ...web.Guard) web.Module {
	document, err := Document(info, modules)
	m := web.Module{
		Name: "openapi",
		Err:  err,
		Routes: append(docs(info.Title),
			web.Get("/openapi.json", func(*gin.Context, web.None) (json.RawMessage, error) {
				return document, nil
			}).Doc("The OpenAPI document").Hide()),
		Commands: []command.Command{Command(info, modules)},
	}
	for i, r := range m.Routes {
		m.Routes[i] = r.Guard(guards...)
	}
	return m
}

// Password returns the guard that asks for a password by HTTP Basic, as browsers
// understand; the name does not matter. There is none for an empty password.
func Password(password string) []web.Guard {
	if password == "" {
		return nil
	}
	want := sha256.Sum256([]byte(password)) // compared in a time that tells nothing, not even the length
	return []web.Guard{{
		Name: "password", Doc: "Requires the documentation password.", Status: []int{http.StatusUnauthorized},
		Check: func(c *gin.Context) error {
			_, sent, _ := c.Request.BasicAuth()
			got := sha256.Sum256([]byte(sent))
			if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
				return nil
			}
			refused := fault.Unauthorized("Not authenticated")
			refused.Challenge = `Basic realm="docs", charset="UTF-8"`
			return refused
		},
	}}
}

// Command prints the document.
func Command(info Info, modules []web.Module) command.Command {
	return command.Command{Name: "openapi", Summary: "print the OpenAPI document", Run: func(_ context.Context, io command.IO) error {
		if len(io.Args) > 0 {
			return command.Usage("openapi takes no arguments\n  try:   openapi > openapi.json")
		}
		document, err := Document(info, modules)
		if err != nil {
			return err
		}
		_, err = io.Stdout.Write(append(document, '\n'))
		return err
	}}
}
