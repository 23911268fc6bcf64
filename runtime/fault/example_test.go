package fault_test

import (
	"errors"
	"fmt"

	"github.com/nexios-go/nexios/runtime/fault"
)

// A fault that a handler returns becomes the response, even if it is wrapped on the
// way. Any other error tells the client nothing.
func Example() {
	missing := fmt.Errorf("show: %w", fault.NotFound("Post not found"))
	broken := errors.New("dial tcp 10.0.0.7:5432: connection refused")
	for _, err := range []error{missing, broken} {
		f := fault.From(err)
		fmt.Println(f.Status, f.Message)
	}
	// Output:
	// 404 Post not found
	// 500 Internal server error
}
