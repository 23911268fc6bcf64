package build

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
)

var (
	diagnosticLine = regexp.MustCompile(`^(?:\S+: )?((?:[A-Za-z]:)?[^:\s][^:]*\.(?:go|mod|sum|work|s)):(\d+)(?::(\d+))?: (.*)$`)
	frameLine      = regexp.MustCompile(`^\t(.+\.go):(\d+)(?: \+0x[0-9a-f]+)?$`)
)

// diagnostics parses output of the compiler or the go command, run in dir. rest is the
// output without a position.
func diagnostics(dir, output string) (list []event.Diagnostic, rest string) {
	var other []string
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if m := diagnosticLine.FindStringSubmatch(line); m != nil {
			d := event.Diagnostic{Message: m[4]}
			d.File, d.Source = place(dir, m[1], m[2])
			d.Line, _ = strconv.Atoi(m[2])
			d.Column, _ = strconv.Atoi(m[3])
			list = append(list, d)
			continue
		}
		if strings.HasPrefix(line, "\t") && len(list) > 0 {
			list[len(list)-1].Message += "\n" + line
			continue
		}
		if line != "" && !strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "go: downloading ") && line != "too many errors" {
			other = append(other, line)
		}
	}
	return list, strings.Join(other, "\n")
}

// ParsePanic parses the output of a program that crashed: it returns the panic, at its
// first stack frame in dir.
func ParsePanic(dir, output string) []event.Diagnostic {
	message := ""
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if text, ok := strings.CutPrefix(line, "panic: "); ok && message == "" {
			message = "panic: " + text
			continue
		}
		if text, ok := strings.CutPrefix(line, "fatal error: "); ok && message == "" {
			message = "fatal error: " + text
			continue
		}
		m := frameLine.FindStringSubmatch(line)
		if message == "" || m == nil || !Inside(dir, m[1]) {
			continue
		}
		d := event.Diagnostic{Message: message}
		d.File, d.Source = place(dir, m[1], m[2])
		d.Line, _ = strconv.Atoi(m[2])
		return []event.Diagnostic{d}
	}
	return nil
}

// place returns the name of a file relative to dir, and the text of the line.
func place(dir, file, line string) (name, source string) {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	n, _ := strconv.Atoi(line)
	return Relative(dir, path), sourceLine(path, n)
}

func sourceLine(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for i := 1; s.Scan(); i++ {
		if i == n {
			return strings.TrimRight(s.Text(), " \t\r")
		}
	}
	return ""
}

// Relative returns path relative to dir, with forward slashes, or path itself if it is
// outside.
func Relative(dir, path string) string {
	if !Inside(dir, path) {
		return path
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

// Inside reports whether path is dir or below it.
func Inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
