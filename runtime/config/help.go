package config

import (
	"fmt"
	"io"
	"strings"

	"github.com/nexios-go/nexios/runtime/command"
)

// columns is the width of Help.
const columns = 80

// Help writes a table of the settings of T with their descriptions and defaults, in
// the order of T's fields and 80 columns wide.
func Help[T any](w io.Writer) {
	all := settings[T]()
	width := 0
	for _, s := range all {
		width = max(width, len(s.name))
	}
	indent := strings.Repeat(" ", width+4)
	for _, s := range all {
		text := s.doc
		if s.fallback != "" {
			text = strings.TrimSpace(text + " [" + s.fallback + "]")
		}
		for i, line := range command.Wrap(text, columns-len(indent)) {
			if i == 0 {
				fmt.Fprintf(w, "  %-*s  %s\n", width, s.name, line)
			} else {
				fmt.Fprintln(w, indent+line)
			}
		}
	}
}
