//go:build unix

package process

import "testing"

// A reaper that was not started, or could not be, ignores forget and close.
func TestReaperNotStarted(t *testing.T) {
	r := &reaper{}
	r.forget(1)
	r.close()
}
