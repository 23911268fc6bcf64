package replica_test

import (
	"fmt"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/replica"
	"github.com/nexios-go/nexios/runtime/web"
)

// Without DATABASE_READ_URL there is no middleware.
func Example() {
	gdb, err := db.Open("sqlite::memory:", db.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(gdb)
	m := web.Module{Name: "database", Use: replica.Middleware(gdb)}
	fmt.Println(len(m.Use))
	// Output: 0
}
