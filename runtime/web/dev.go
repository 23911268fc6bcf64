package web

import (
	"net"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Panel is one table of the page that `nexios dev` serves at /dev. A route of
// development that answers GET with one, at a path below /dev/ without
// parameters, is shown there.
type Panel struct {
	Title string     `json:"title"`
	Text  string     `json:"text,omitempty"` // one line above the table
	Head  []string   `json:"head"`           // names of the columns
	Rows  []PanelRow `json:"rows"`           // the first 50 are shown
}

// PanelRow is one line of a Panel.
type PanelRow struct {
	Cells []string `json:"cells"`
	Link  string   `json:"link,omitempty"` // a path of this application that shows more
	Alarm bool     `json:"alarm,omitempty"`
}

// Dev makes the route one of development: it is mounted in that environment
// alone, at its path whatever its module's prefix, answers only requests of
// this machine, and is left out of OpenAPI.
func (r Route) Dev() Route {
	r.Development, r.Hidden = true, true
	return r.Guard(Guard{Name: "local", Status: []int{http.StatusForbidden}, Check: fromHere})
}

// below is where the route is mounted in a module with that prefix.
func (r Route) below(prefix string) string {
	if r.Development {
		return r.Path
	}
	return prefix + r.Path
}

// fromHere refuses requests of other machines, and those that name this one in
// a way that whoever owns the name could make point here (DNS rebinding).
func fromHere(c *gin.Context) error {
	here := loopback(c.RemoteIP()) && namesLocal(c.Request.Host) && c.GetHeader("Forwarded") == ""
	for _, list := range c.Request.Header.Values("X-Forwarded-For") {
		for _, ip := range strings.Split(list, ",") {
			here = here && loopback(strings.TrimSpace(ip))
		}
	}
	if !here {
		return fault.Forbidden("Available on localhost only")
	}
	return nil
}

// LocalOnly refuses requests that name this machine otherwise than as localhost or by
// a loopback address: whoever owns another name could make it point here, and read
// from a browser on this machine what only this machine may (DNS rebinding). It is for
// listeners on a loopback address.
func LocalOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !namesLocal(r.Host) {
			http.Error(w, "Available on localhost only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// namesLocal reports whether a Host header means this machine, whatever DNS says.
func namesLocal(header string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = header
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || loopback(host)
}

func loopback(ip string) bool { return net.ParseIP(ip).IsLoopback() }
