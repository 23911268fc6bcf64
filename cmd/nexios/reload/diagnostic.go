package reload

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Diagnostic is one error in one place of the project.
type Diagnostic struct {
	File    string `json:"file"` // relative to the project when inside it
	Line    int    `json:"line"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Source  string `json:"source,omitempty"` // the line itself
}

// Place is file:line:column.
func (d Diagnostic) Place() string {
	s := d.File + ":" + strconv.Itoa(d.Line)
	if d.Column > 0 {
		s += ":" + strconv.Itoa(d.Column)
	}
	return s
}

var (
	diagnosticLine = regexp.MustCompile(`^(?:\S+: )?((?:[A-Za-z]:)?[^:\s][^:]*\.(?:go|mod|sum|work|s)):(\d+)(?::(\d+))?: (.*)$`)
	frameLine      = regexp.MustCompile(`^\t(.+\.go):(\d+)(?: \+0x[0-9a-f]+)?$`)
)

// diagnostics reads what the compiler or the go command wrote in dir. rest is
// what names no place.
func diagnostics(dir, output string) (list []Diagnostic, rest string) {
	var other []string
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if m := diagnosticLine.FindStringSubmatch(line); m != nil {
			d := Diagnostic{Message: m[4]}
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

// panicked reads what a program wrote while it died: the panic, at the first
// of its frames that lies in dir.
func panicked(dir, output string) []Diagnostic {
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
		if message == "" || m == nil || !inside(dir, m[1]) {
			continue
		}
		d := Diagnostic{Message: message}
		d.File, d.Source = place(dir, m[1], m[2])
		d.Line, _ = strconv.Atoi(m[2])
		return []Diagnostic{d}
	}
	return nil
}

// place names a file as seen from dir, and finds the text of its line.
func place(dir, file, line string) (name, source string) {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	n, _ := strconv.Atoi(line)
	return relative(dir, path), sourceLine(path, n)
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

// relative is path as seen from dir with forward slashes, or path itself when
// it lies elsewhere.
func relative(dir, path string) string {
	if !inside(dir, path) {
		return path
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
