package view

import (
	"strconv"
	"strings"
)

// Baseline is the file of the migration that creates an existing schema.
type Baseline struct {
	File, ID, Func   string
	Tables, Up, Down []string // Go literals
}

// BaselineOf returns the migration of that time, from the schema's tables and the
// statements that create and drop them.
func BaselineOf(time string, tables, up, down []string) Baseline {
	v := Baseline{ID: time + "_baseline", Func: "baseline" + time}
	v.File = fileName(v.ID)
	for _, table := range tables {
		v.Tables = append(v.Tables, quoted(table))
	}
	for _, statement := range up {
		v.Up = append(v.Up, literal(statement))
	}
	for _, statement := range down {
		v.Down = append(v.Down, literal(statement))
	}
	return v
}

// literal returns s as a Go literal, a raw string where possible.
func literal(s string) string {
	if strconv.CanBackquote(strings.ReplaceAll(s, "\n", "")) {
		return "`" + s + "`"
	}
	return quoted(s)
}
