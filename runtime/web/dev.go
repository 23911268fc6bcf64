package web

import (
	"net"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Panel is one table of the page that `nexios dev` serves at /dev. The page shows
// every development route that responds to GET with a Panel, at a path below /dev/
// without parameters.
type Panel struct {
	Title string     `json:"title"`
	Text  string     `json:"text,omitempty"` // one line above the table
	Head  []string   `json:"head"`           // column names
	Rows  []PanelRow `json:"rows"`           // only the first 50 are shown
}

// PanelRow is one row of a Panel.
type PanelRow struct {
	Cells []string `json:"cells"`
	Link  string   `json:"link,omitempty"` // path in this application with more details
	Alarm bool     `json:"alarm,omitempty"`
}

// Dev marks a route for development only: it is mounted if APP_ENV is development,
// without the prefix of its module, accepts only requests from this machine, and is
// omitted from OpenAPI.
func (r Route) Dev() Route {
	r.Development, r.Hidden = true, true
	return r.Guard(Guard{Name: "local", Status: []int{http.StatusForbidden}, Check: checkLocal})
}

// fullPath returns the path of the route in a module with this prefix.
func (r Route) fullPath(prefix string) string {
	if r.Development {
		return r.Path
	}
	return prefix + r.Path
}

// checkLocal rejects requests from other machines, and those with a host name that
// its owner could point at this machine (DNS rebinding).
func checkLocal(c *gin.Context) error {
	local := loopback(c.RemoteIP()) && namesLocal(c.Request.Host) && c.GetHeader("Forwarded") == ""
	for _, list := range c.Request.Header.Values("X-Forwarded-For") {
		for _, ip := range strings.Split(list, ",") {
			local = local && loopback(strings.TrimSpace(ip))
		}
	}
	if !local {
		return fault.Forbidden("Available on localhost only")
	}
	return nil
}

// LocalOnly rejects requests whose Host is neither localhost nor a loopback address:
// the owner of any other name could point it at this machine, and have a browser here
// read what is meant for this machine only (DNS rebinding). Use it for listeners on a
// loopback address.
func LocalOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !namesLocal(r.Host) {
			http.Error(w, "Available on localhost only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// namesLocal reports whether a Host header refers to this machine independently of
// DNS.
func namesLocal(header string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = header
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || loopback(host)
}

func loopback(ip string) bool { return net.ParseIP(ip).IsLoopback() }
