// Package quiet keeps a library from talking to the terminal while the program
// is being loaded.
//
// Bubble Tea asks the terminal for its background before main begins, whatever
// the command is: that takes five seconds on a terminal that does not answer
// and swallows what is typed meanwhile. It does not ask one that is dumb. Go
// initialises packages by import path once all they import is ready, so this
// one, which imports almost nothing, comes before Bubble Tea.
package quiet

import "os"

var term, given = os.LookupEnv("TERM")

func init() { _ = os.Setenv("TERM", "dumb") } // fails only for a bad name

// Done gives the program its terminal back. Call it first in main.
func Done() {
	if given {
		_ = os.Setenv("TERM", term)
	} else {
		_ = os.Unsetenv("TERM")
	}
}
