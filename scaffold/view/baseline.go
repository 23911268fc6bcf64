package view

import (
	"strconv"
	"strings"
)

// Baseline is the file of the migration that builds a schema that was there
// before.
type Baseline struct {
	File, ID, Func   string
	Tables, Up, Down []string // Go literals
}

// BaselineOf is the migration of that time: the schema's tables, and the
// statements that make them and drop them.
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

// literal is a text as a careful person writes it in Go.
func literal(s string) string {
	if strconv.CanBackquote(strings.ReplaceAll(s, "\n", "")) {
		return "`" + s + "`"
	}
	return quoted(s)
}
