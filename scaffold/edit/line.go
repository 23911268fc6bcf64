package edit

import (
	"bytes"
	"slices"
	"strings"
)

// Line adds a line, or a block of lines, to the end of a file such as .gitignore or
// .env.example. A line is skipped if the file has the same line apart from white space;
// NAME=value is skipped if the file sets NAME to any value. Comments (#) and blank lines
// of a block are added only with the rest of it.
func Line(src []byte, text string) []byte {
	there := fileLines(src)
	var block []string
	wanted := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		content := lineContent(line)
		if content != "" && slices.ContainsFunc(there, func(other string) bool { return sameLine(line, other) }) {
			continue
		}
		wanted = wanted || content != ""
		block = append(block, line)
	}
	if !wanted {
		return src
	}
	end := "\n"
	if bytes.Contains(src, []byte("\r\n")) {
		end = "\r\n"
	}
	out := bytes.Clone(src)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, end...)
	}
	return append(out, strings.Join(block, end)+end...)
}

// RemoveLine removes what Line added; a value that the developer changed stays.
func RemoveLine(src []byte, text string) []byte {
	wanted := fileLines([]byte(text))
	var out []byte
	for line := range bytes.Lines(src) {
		if content := strings.TrimSpace(string(line)); content == "" || !slices.Contains(wanted, content) {
			out = append(out, line...)
		}
	}
	if len(out) == len(src) {
		return src
	}
	return out
}

func fileLines(src []byte) []string {
	var lines []string
	for line := range bytes.Lines(src) {
		lines = append(lines, strings.TrimSpace(string(line)))
	}
	return lines
}

// lineContent returns a trimmed line, or "" for a comment.
func lineContent(line string) string {
	if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
		return ""
	}
	return line
}

func sameLine(a, b string) bool {
	a = strings.TrimSpace(a)
	if name, _, ok := strings.Cut(a, "="); ok && name != "" && !strings.ContainsAny(name, " \t") {
		return strings.HasPrefix(b, name+"=")
	}
	return a == b
}
