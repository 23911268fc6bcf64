package spec

import (
	"regexp/syntax"
	"strings"
)

// matching returns the i-th text that the regular expression is likely to match, with at
// least least characters where a repetition allows it. It does not support look-around, so
// callers must check the result.
func matching(pattern string, i, least int) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	re = re.Simplify()
	for repeat := 1; repeat <= least; repeat++ {
		var b strings.Builder
		write(&b, re, i, repeat)
		if len([]rune(b.String())) >= least {
			return b.String()
		}
	}
	var b strings.Builder
	write(&b, re, i, 1)
	return b.String()
}

// write writes a text that re matches, taking the i-th of every choice and repeating
// unbounded repetitions repeat times.
func write(b *strings.Builder, re *syntax.Regexp, i, repeat int) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(pick(re.Rune, i))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune('a' + rune(i%26))
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			write(b, sub, i, repeat)
		}
	case syntax.OpAlternate:
		write(b, re.Sub[i%len(re.Sub)], i/len(re.Sub), repeat)
	case syntax.OpPlus, syntax.OpStar:
		for range repeat {
			write(b, re.Sub[0], i, repeat)
		}
	}
}

// pick returns the i-th rune of a class, wrapping around.
func pick(class []rune, i int) rune {
	if len(class) == 0 {
		return 'a'
	}
	size := 0
	for r := 0; r < len(class); r += 2 {
		size += int(class[r+1]-class[r]) + 1
	}
	i %= size
	for r := 0; r < len(class); r += 2 {
		if n := int(class[r+1]-class[r]) + 1; i >= n {
			i -= n
			continue
		}
		return class[r] + rune(i)
	}
	return class[0]
}
