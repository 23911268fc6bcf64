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

// Info is the general information about an API.
type Info struct {
	Title       string
	Version     string
	Description string   // Markdown is allowed
	Servers     []string // base URLs; by default the server of the document
	Contact     Contact  // contact for questions about the API; optional
	License     License  // optional
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

// Module serves the OpenAPI document of the modules at /openapi.json and an API
// reference at /docs, both behind the guards, and adds the openapi command. It
// generates the document once.
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

// Password returns a guard that requires a password by HTTP Basic authentication,
// which browsers support; the user name is ignored. An empty password returns no
// guard.
func Password(password string) []web.Guard {
	if password == "" {
		return nil
	}
	want := sha256.Sum256([]byte(password)) // hashed, so that the comparison leaks not even the length
	return []web.Guard{{
		Name: "password", Doc: "Requires the documentation password.", Status: []int{http.StatusUnauthorized},
		Check: func(c *gin.Context) error {
			_, sent, _ := c.Request.BasicAuth()
			got := sha256.Sum256([]byte(sent))
			if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
				return nil
			}
			f := fault.Unauthorized("Not authenticated")
			f.Challenge = `Basic realm="docs", charset="UTF-8"`
			return f
		},
	}}
}

// Command returns the openapi command, which prints the document.
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
