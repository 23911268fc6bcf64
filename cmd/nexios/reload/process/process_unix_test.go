//go:build unix

package process

import "testing"

// A reaper that cannot be started, or was not yet, has nothing to forget.
func TestReaperThatNeverStarted(t *testing.T) {
	r := &reaper{}
	r.forget(1)
	r.close()
}
