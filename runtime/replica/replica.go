package replica

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Middleware returns middleware for the Use of a module. If DATABASE_READ_URL names
// a read replica, a PostgreSQL streaming standby, GORM's reads of the program's own
// models in GET and HEAD requests go to the replica. Everything else goes to the
// primary: transactions and locking reads, raw SQL, statements of [db.System], jobs and
// WebSockets, the runtime's own tables, including sessions, and the reads of a client
// until the replica has caught up with the client's writes. A client is identified by
// its address, Authorization, API key and a cookie set on writes, which works across
// processes.
//
// Reads, and changes of permissions, may lag by up to [db.ReplicaLag]. A replica that
// lags more or does not respond is not used until it recovers; that is logged once.
// Without DATABASE_READ_URL, Middleware returns nil.
func Middleware(gdb *gorm.DB) []gin.HandlerFunc {
	r, ok := db.ReplicaOf(gdb)
	if !ok {
		return nil
	}
	return []gin.HandlerFunc{func(c *gin.Context) { handle(r, c) }}
}

// wroteCookie marks a client that wrote within the last db.ReplicaLag.
const wroteCookie = "wrote"

func handle(r db.Replica, c *gin.Context) {
	clients := clientsOf(c)
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead:
		if _, err := c.Cookie(wroteCookie); err == nil {
			return
		}
		c.Request = c.Request.WithContext(r.Reading(c.Request.Context(), clients...))
	case http.MethodOptions:
	default:
		http.SetCookie(c.Writer, &http.Cookie{Name: wroteCookie, Value: "1", Path: "/", MaxAge: int(db.ReplicaLag / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.Request.TLS != nil})
		defer r.Writing(clients...)()
		c.Next()
	}
}

// clientsOf returns the values that identify the client of a request.
func clientsOf(c *gin.Context) []string {
	clients := []string{c.ClientIP()}
	for _, name := range []string{"Authorization", "X-API-Key"} {
		if value := c.GetHeader(name); value != "" {
			clients = append(clients, name+value)
		}
	}
	return clients
}
