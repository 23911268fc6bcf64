package auth_test

import (
	"fmt"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/web"
)

type diary struct {
	ID     int64
	UserID int64
	Text   string
}

// Readable implements db.Readable: users may read only their own.
func (diary) Readable(tx *gorm.DB) *gorm.DB { return tx.Where("user_id", auth.Caller(tx).UserID) }

// Guards restrict routes, row rules restrict rows, and passwords are checked before
// they are hashed.
func Example() {
	route := web.Get("/whoami", func(c *gin.Context, _ web.None) (string, error) {
		who, _ := auth.From(c)
		return who.Username, nil
	}).Guard(auth.User())
	fmt.Println(route.Path, len(route.Guards))
	for _, d := range auth.PasswordDetails("password", "hunter2") {
		fmt.Println(d.Field, d.Rule)
	}
	_ = diary{}
	// Output:
	// /whoami 1
	// password min
	// password upper
	// password common
}
