package view

import (
	"fmt"
	"go/token"
	"strings"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Empty is the file of a migration that the developer fills in.
type Empty struct {
	File string // its name, without .go
	ID   string // "20261121101500_fill_slugs"
	Func string // "fillSlugs"
}

// EmptyMigration names a migration, given in any case, with that timestamp.
func EmptyMigration(name, time string) (Empty, error) {
	words := spec.Snake(name)
	function := exported(words)
	if words != "" {
		function = strings.ToLower(words[:1]) + function[1:]
	}
	if words == "" || token.IsKeyword(function) || len(words) < 3 {
		return Empty{}, &problem.Error{
			What:  fmt.Sprintf("%q cannot be the name of a migration", name),
			Label: "names", Where: "what it does, in a few words: fill-slugs", Try: "nexios add migration fill-slugs",
		}
	}
	id := time + "_" + words
	return Empty{File: fileName(id), ID: id, Func: function}, nil
}
