package openapi

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
)

// ecma converts a Go regular expression to the syntax of ECMA-262, which JSON Schema
// uses: classes become plain ranges; flags and group names are dropped. It returns an
// invalid pattern unchanged.
func ecma(pattern string) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return pattern
	}
	var b strings.Builder
	writePattern(&b, tree)
	return b.String()
}

func writePattern(b *strings.Builder, t *syntax.Regexp) {
	switch t.Op {
	case syntax.OpLiteral:
		for _, c := range t.Rune {
			if t.Flags&syntax.FoldCase != 0 && unicode.ToLower(c) != unicode.ToUpper(c) {
				fmt.Fprintf(b, "[%c%c]", unicode.ToLower(c), unicode.ToUpper(c))
			} else {
				b.WriteString(quoteLiteral(c))
			}
		}
	case syntax.OpCharClass:
		writeClass(b, t.Rune)
	case syntax.OpAnyChar:
		b.WriteString(`[\s\S]`)
	case syntax.OpAnyCharNotNL:
		b.WriteString(`.`)
	case syntax.OpBeginLine, syntax.OpBeginText:
		b.WriteString(`^`)
	case syntax.OpEndLine, syntax.OpEndText:
		b.WriteString(`$`)
	case syntax.OpWordBoundary:
		b.WriteString(`\b`)
	case syntax.OpNoWordBoundary:
		b.WriteString(`\B`)
	case syntax.OpCapture:
		b.WriteString(`(`)
		writePattern(b, t.Sub[0])
		b.WriteString(`)`)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		writeGroup(b, t.Sub[0])
		switch t.Op {
		case syntax.OpStar:
			b.WriteString(`*`)
		case syntax.OpPlus:
			b.WriteString(`+`)
		case syntax.OpQuest:
			b.WriteString(`?`)
		case syntax.OpRepeat:
			switch t.Max {
			case t.Min:
				fmt.Fprintf(b, "{%d}", t.Min)
			case -1:
				fmt.Fprintf(b, "{%d,}", t.Min)
			default:
				fmt.Fprintf(b, "{%d,%d}", t.Min, t.Max)
			}
		}
		if t.Flags&syntax.NonGreedy != 0 {
			b.WriteString(`?`)
		}
	case syntax.OpConcat:
		for _, sub := range t.Sub {
			if sub.Op == syntax.OpAlternate {
				writeGroup(b, sub)
			} else {
				writePattern(b, sub)
			}
		}
	case syntax.OpAlternate:
		for i, sub := range t.Sub {
			if i > 0 {
				b.WriteString(`|`)
			}
			writePattern(b, sub)
		}
	}
}

// writeGroup writes the operand of a repetition.
func writeGroup(b *strings.Builder, t *syntax.Regexp) {
	switch {
	case t.Op == syntax.OpCharClass, t.Op == syntax.OpCapture, t.Op == syntax.OpAnyChar, t.Op == syntax.OpAnyCharNotNL,
		t.Op == syntax.OpLiteral && len(t.Rune) == 1:
		writePattern(b, t)
	default:
		b.WriteString(`(?:`)
		writePattern(b, t)
		b.WriteString(`)`)
	}
}

// writeClass writes the ranges of a class, or their complement if they extend to the
// end of Unicode. JavaScript sees characters beyond U+FFFF as two units, so a class
// that excludes some of them accepts them.
func writeClass(b *strings.Builder, ranges []rune) {
	const last = 0xffff
	open := `[`
	if ranges[len(ranges)-1] == unicode.MaxRune {
		open = `[^`
		ranges = complement(ranges)
	}
	b.WriteString(open)
	for i := 0; i < len(ranges); i += 2 {
		from, to := ranges[i], min(ranges[i+1], last)
		switch {
		case from > last:
		case from == to:
			b.WriteString(quoteInClass(from))
		default:
			b.WriteString(quoteInClass(from) + `-` + quoteInClass(to))
		}
	}
	b.WriteString(`]`)
}

func complement(ranges []rune) []rune {
	var others []rune
	next := rune(0)
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i] > next {
			others = append(others, next, ranges[i]-1)
		}
		next = ranges[i+1] + 1
	}
	return others
}

func quoteInClass(c rune) string {
	if c < 0x80 && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		return string(c)
	}
	if c > ' ' && c < 0x7f && !strings.ContainsRune(`\]^-[`, c) {
		return string(c)
	}
	return fmt.Sprintf(`\u%04x`, c)
}

func quoteLiteral(c rune) string {
	switch {
	case strings.ContainsRune(`\.+*?()|[]{}^$/`, c):
		return `\` + string(c)
	case c < ' ' || c == 0x7f:
		return fmt.Sprintf(`\u%04x`, c)
	}
	return string(c)
}
