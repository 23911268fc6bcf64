// Package merge merges three versions of a text line by line: what was written last (the
// base), the developer's version (yours), and what would be written today (theirs).
//
// No line of yours is ever lost: a merge drops a line only if theirs dropped it and yours
// left it as in the base.
package merge

import (
	"bytes"
	"math"
	"slices"
	"strings"
)

// The markers around the two sides of a conflict, each on its own line.
const (
	MarkYours  = "<<<<<<< yours"
	MarkMiddle = "======="
	MarkTheirs = ">>>>>>> nexios"
	// Used when the sides are two branches.
	MarkOurs   = "<<<<<<< ours"
	MarkSecond = ">>>>>>> theirs"
)

// Merge returns yours with the changes between base and theirs. Identical changes of both
// sides are applied once. Where both sides changed the same or adjacent lines differently,
// the text contains both versions between markers and conflict is true.
//
// If all lines of yours end in CRLF, or all in LF, the others are read as if they did too,
// and so does the result. The newline at the end of the file is merged like a line.
func Merge(base, yours, theirs []byte) (text []byte, conflict bool) {
	switch {
	case bytes.Equal(yours, theirs), bytes.Equal(base, theirs):
		return bytes.Clone(yours), false
	case bytes.Equal(base, yours):
		return bytes.Clone(Like(theirs, yours)), false
	}
	end := lineEnd(yours)
	b, y, t := split(base, end), split(yours, end), split(theirs, end)
	m := merger{base: b.lines, yours: y.lines, theirs: t.lines, end: strings.TrimSuffix(end, "\n")}
	m.merge()

	last := y.newline
	if y.newline == b.newline {
		last = t.newline
	}
	return join(m.out, last), m.conflict
}

// File merges with the strategy for files of that name.
func File(name string, base, yours, theirs []byte) (text []byte, conflict bool) {
	if strings.HasSuffix(name, ".go") {
		return Go(base, yours, theirs)
	}
	return Merge(base, yours, theirs)
}

// Same reports whether two texts are equal, treating CRLF as LF.
func Same(a, b []byte) bool {
	return bytes.Equal(a, b) || bytes.Equal(lf(a), lf(b))
}

// Like returns text with the line endings of other, if those are uniform. git
// (core.autocrlf) may have converted the files of a project.
func Like(text, other []byte) []byte {
	if len(text) == 0 || bytes.IndexByte(text, 0) >= 0 {
		return text // binary
	}
	return withEnd(text, lineEnd(other))
}

type merger struct {
	base, yours, theirs []string
	end                 string // "\r" or "": what precedes the newline
	out                 []string
	conflict            bool
	// complete reports whether both texts are sequences of complete units, which can
	// follow each other; nil for never.
	complete func(first, second []string) bool
}

// merge walks the three texts from one line that both sides kept to the next.
func (m *merger) merge() {
	toYours, toTheirs := Match(m.base, m.yours), Match(m.base, m.theirs)
	y, t, from := 0, 0, 0
	for i := range m.base {
		if toYours[i] < 0 || toTheirs[i] < 0 {
			continue
		}
		m.chunk(m.base[from:i], m.yours[y:toYours[i]], m.theirs[t:toTheirs[i]])
		m.out = append(m.out, m.base[i])
		from, y, t = i+1, toYours[i]+1, toTheirs[i]+1
	}
	m.chunk(m.base[from:], m.yours[y:], m.theirs[t:])
}

// chunk merges the lines between two lines that both sides kept.
func (m *merger) chunk(base, yours, theirs []string) {
	switch {
	case slices.Equal(yours, theirs), slices.Equal(base, theirs):
		m.out = append(m.out, yours...)
	case slices.Equal(base, yours):
		m.out = append(m.out, theirs...)
	default:
		if m.complete != nil && (m.mergeAddition(base, yours, theirs) || m.mergeLines(base, yours, theirs) || m.mergeInterleaved(base, yours, theirs) || m.mergeComments(base, yours, theirs) || m.mergeNarrowing(base, yours, theirs) || m.mergeCommon(base, yours, theirs)) {
			return
		}
		head := 0
		for head < len(yours) && head < len(theirs) && yours[head] == theirs[head] {
			head++
		}
		tail := 0
		for tail < len(yours)-head && tail < len(theirs)-head && yours[len(yours)-1-tail] == theirs[len(theirs)-1-tail] {
			tail++
		}
		m.conflict = true
		m.out = append(m.out, yours[:head]...)
		m.out = append(m.out, MarkYours+m.end)
		m.out = append(m.out, yours[head:len(yours)-tail]...)
		m.out = append(m.out, MarkMiddle+m.end)
		m.out = append(m.out, theirs[head:len(theirs)-tail]...)
		m.out = append(m.out, MarkTheirs+m.end)
		m.out = append(m.out, yours[len(yours)-tail:]...)
	}
}

// mergeAddition appends or prepends what one side only added to the other side's version
// of the lines, if units of that kind can follow each other.
func (m *merger) mergeAddition(base, yours, theirs []string) bool {
	for _, add := range []struct{ longer, other []string }{{theirs, yours}, {yours, theirs}} {
		if len(add.longer) < len(base) {
			continue
		}
		n := len(base)
		head, tail := add.longer[:n], add.longer[n:]
		first, second := add.other, tail
		if !slices.Equal(head, base) {
			head, tail = add.longer[:len(add.longer)-n], add.longer[len(add.longer)-n:]
			if first, second = head, add.other; !slices.Equal(tail, base) {
				continue
			}
		}
		if !share(first, second) && (m.complete(first, second) || len(add.other) == 0 && m.complete(base, slices.Concat(first, second))) {
			m.out = append(append(m.out, first...), second...)
			return true
		}
	}
	return false
}

// mergeLines takes each line from the side that changed it, if neither side added or
// removed lines.
func (m *merger) mergeLines(base, yours, theirs []string) bool {
	if len(base) != len(yours) || len(base) != len(theirs) || !m.complete(yours, theirs) {
		return false
	}
	out := slices.Clone(yours)
	for i := range base {
		switch {
		case yours[i] == theirs[i] || theirs[i] == base[i]:
		case yours[i] == base[i]:
			out[i] = theirs[i]
		default:
			return false
		}
	}
	m.out = append(m.out, out...)
	return true
}

// mergeInterleaved combines the lines that one side changed one for one with those that
// the other side added between them.
func (m *merger) mergeInterleaved(base, yours, theirs []string) bool {
	if !m.complete(yours, theirs) {
		return false
	}
	for _, side := range []struct{ longer, changed []string }{{yours, theirs}, {theirs, yours}} {
		if out := interleave(base, side.longer, side.changed); out != nil {
			m.out = append(m.out, out...)
			return true
		}
	}
	return false
}

// mergeComments keeps the comments that one side added to lines that the other changed.
func (m *merger) mergeComments(base, yours, theirs []string) bool {
	comment := func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "//") }
	for _, side := range []struct{ longer, changed []string }{{yours, theirs}, {theirs, yours}} {
		head, tail := side.longer, []string(nil)
		for len(head) > 0 && comment(head[len(head)-1]) && !slices.Equal(head, base) {
			head, tail = head[:len(head)-1], side.longer[len(head)-1:]
		}
		n := 0
		for n < len(head) && comment(head[n]) && !slices.Equal(head[n:], base) {
			n++
		}
		if len(base) == 0 || len(side.changed) == 0 || n+len(tail) == 0 || !slices.Equal(head[n:], base) {
			continue
		}
		m.out = append(append(append(m.out, head[:n]...), side.changed...), tail...)
		return true
	}
	return false
}

// interleave returns longer, which is base with lines added, with the lines of base
// replaced by those of changed; nil if they cannot be matched.
func interleave(base, longer, changed []string) []string {
	if len(base) != len(changed) {
		return nil
	}
	out, i := slices.Clone(longer), 0
	for at, line := range longer {
		switch {
		case i < len(base) && line == base[i]:
			out[at] = changed[i]
			i++
		case slices.Contains(base, line):
			return nil // ambiguous
		}
	}
	if i < len(base) {
		return nil
	}
	return out
}

// mergeNarrowing puts statements of theirs that narrow something before the statements
// that yours added at the same place.
func (m *merger) mergeNarrowing(base, yours, theirs []string) bool {
	if len(base) > 0 || share(yours, theirs) || !narrowing(theirs) || statements(yours) == nil {
		return false
	}
	m.out = append(append(m.out, theirs...), yours...)
	return true
}

// mergeCommon takes the lines that both sides added once, together with those that only
// one added, if each common line is a complete unit, or is at the beginning or end of the
// chunk.
func (m *merger) mergeCommon(base, yours, theirs []string) bool {
	if len(base) > 0 {
		return false
	}
	var out, end []string
	for len(yours) > 0 && len(theirs) > 0 && yours[0] == theirs[0] {
		out = append(out, yours[0])
		yours, theirs = yours[1:], theirs[1:]
	}
	for len(yours) > 0 && len(theirs) > 0 && yours[len(yours)-1] == theirs[len(theirs)-1] {
		end = append(end, yours[len(yours)-1])
		yours, theirs = yours[:len(yours)-1], theirs[:len(theirs)-1]
	}
	slices.Reverse(end)
	to, y, t := Match(yours, theirs), 0, 0
	for i := 0; i <= len(yours); i++ {
		next := len(theirs)
		if i < len(yours) {
			if next = to[i]; next < 0 {
				continue
			}
			if line := yours[i : i+1]; !m.complete(line, line) {
				return false
			}
		}
		mine, other := yours[y:i], theirs[t:next]
		if len(mine) > 0 && len(other) > 0 && (share(mine, other) || !m.complete(mine, other)) {
			return false
		}
		out = append(append(out, mine...), other...)
		if i < len(yours) {
			out = append(out, yours[i])
		}
		y, t = i+1, next+1
	}
	m.out = append(append(m.out, out...), end...)
	return true
}

// share reports whether both texts have a least-indented line in common: the same unit, or
// its beginning.
func share(first, second []string) bool {
	depth := func(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }
	least := math.MaxInt
	for _, line := range slices.Concat(first, second) {
		if strings.TrimSpace(line) != "" {
			least = min(least, depth(line))
		}
	}
	return slices.ContainsFunc(first, func(line string) bool {
		return depth(line) == least && len(strings.TrimSpace(line)) > 1 && slices.Contains(second, line)
	})
}

// text is a list of lines without their "\n" (a "\r" stays), and whether the last one had
// it.
type text struct {
	lines   []string
	newline bool
}

// split splits a text into lines after converting its line endings.
func split(src []byte, end string) text {
	src = withEnd(src, end)
	if len(src) == 0 {
		return text{newline: true}
	}
	s, newline := strings.CutSuffix(string(src), "\n")
	return text{strings.Split(s, "\n"), newline}
}

func join(lines []string, newline bool) []byte {
	if len(lines) == 0 {
		return []byte{}
	}
	s := strings.Join(lines, "\n")
	if newline || lines[len(lines)-1] == "" { // otherwise the empty line would be lost
		s += "\n"
	}
	return []byte(s)
}

// lineEnd returns the line ending of src, or "" if it is not uniform or there is none.
func lineEnd(src []byte) string {
	all, crlf := bytes.Count(src, []byte("\n")), bytes.Count(src, []byte("\r\n"))
	switch {
	case all == 0:
		return ""
	case crlf == all:
		return "\r\n"
	case crlf == 0:
		return "\n"
	}
	return ""
}

// withEnd converts all line endings, unless end is "".
func withEnd(src []byte, end string) []byte {
	switch end {
	case "\n":
		return lf(src)
	case "\r\n":
		return bytes.ReplaceAll(lf(src), []byte("\n"), []byte("\r\n"))
	}
	return src
}

func lf(src []byte) []byte {
	return bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
}
