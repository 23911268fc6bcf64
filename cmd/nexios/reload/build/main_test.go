package build

import (
	"os"
	"slices"
	"testing"

	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// TestMain lets this binary run as the reaper.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], process.ReapArgs) {
		process.Reap(os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}
