package process

import (
	"os"
	"slices"
	"testing"
)

// TestMain lets this binary run as the reaper.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], ReapArgs) {
		Reap(os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}
