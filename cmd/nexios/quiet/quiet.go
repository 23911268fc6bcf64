// Package quiet keeps Bubble Tea from querying the terminal while the program is being
// loaded.
//
// Before main starts, whatever the command, Bubble Tea asks the terminal for its
// background colour. A terminal that does not answer costs five seconds, and input
// typed meanwhile is lost. Dumb terminals are not asked. Go initialises packages by
// import path once all their imports are ready, so this one, which imports almost
// nothing, is initialised before Bubble Tea.
package quiet

import "os"

var term, isSet = os.LookupEnv("TERM")

func init() { _ = os.Setenv("TERM", "dumb") } // fails only for an invalid name

// Done restores TERM. Call it first in main.
func Done() {
	if isSet {
		_ = os.Setenv("TERM", term)
	} else {
		_ = os.Unsetenv("TERM")
	}
}
