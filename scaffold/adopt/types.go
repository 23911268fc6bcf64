package adopt

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// kind is the type of a field, and what it lacks, if anything.
type kind struct{ word, why string }

// kindsOf returns the types that a column can be served as, the best first.
func kindsOf(c Column, checks rules) ([]kind, error) {
	limits := checks.of[c.Name]
	if c.Array {
		switch {
		case len(c.Enum) > 0:
			return append([]kind{{"enum=" + strings.Join(c.Enum, "/") + ":array", ""}}, oddEnum(c)), nil
		case c.Type == "text" || c.Type == "character varying":
			size := 16000
			if c.Size > 0 {
				size = c.Size
			}
			return []kind{{fmt.Sprintf("string:max=%d:array", size), ""}}, nil
		case c.Type == "uuid":
			return []kind{{"uuid:array", ""}}, nil
		}
		if word := scalars[c.Type]; word != "" {
			return []kind{{word + limits.numbers(c.Type) + ":array", ""}}, nil
		}
		return native(c.Type + "[]")
	}
	if len(c.Enum) > 0 {
		return append([]kind{{"enum=" + strings.Join(c.Enum, "/"), ""}}, oddEnum(c)), nil
	}
	if len(limits.values) > 0 {
		return []kind{{"enum=" + strings.Join(limits.values, "/"), ""}}, nil
	}
	switch c.Type {
	case "smallint", "integer", "bigint", "double precision", "real":
		return []kind{{scalars[c.Type] + limits.numbers(c.Type), ""}}, nil
	case "numeric":
		if c.Size > 0 && c.Size <= 15 && c.Scale >= 0 && c.Scale <= c.Size {
			return []kind{{fmt.Sprintf("decimal=%d.%d", c.Size, c.Scale) + limits.numbers(c.Type), ""}}, nil
		}
		if c.Size > 0 && (c.Scale < 0 || c.Scale > c.Size) {
			return []kind{{"native=numeric:auto:readonly", "is read-only: the database rounds its values"}}, nil
		}
		if c.Size > 0 {
			return []kind{{"native=numeric:auto:readonly", fmt.Sprintf("is read-only: it has %d digits, and more than 15 come as they are stored", c.Size)}}, nil
		}
		return native("numeric")
	case "character varying", "text", "citext":
		size := ""
		if c.Size > 0 {
			size = fmt.Sprintf(":max=%d", c.Size)
		}
		text := kind{"text" + size + limits.texts(), ""}
		if c.Size > 0 && c.Size <= 16000 {
			return []kind{{"string" + size + limits.texts(), ""}, text}, nil
		}
		return []kind{text}, nil
	case "character":
		return []kind{{fmt.Sprintf("char:max=%d", max(c.Size, 1)) + limits.texts(), ""}}, nil
	}
	if word := scalars[c.Type]; word != "" {
		return []kind{{word, ""}}, nil
	}
	return native(c.Type)
}

// oddEnum serves an enum with values that the type enum cannot contain.
func oddEnum(c Column) kind {
	return kind{"native=enum:auto:readonly", "is read-only: " + strings.Join(c.Enum, ", ") + " cannot all be values of an enum (letters, digits, _ . and -)"}
}

// native returns the field type for a type of the database's own, as text.
func native(name string) ([]kind, error) {
	if spec.Writable(name) {
		return []kind{{"native=" + name, ""}}, nil
	}
	if regexp.MustCompile(`^[a-z][a-z0-9_ ]*(\[\])?$`).MatchString(name) {
		word := strings.ReplaceAll(strings.ReplaceAll(name, " ", "_"), "[]", "_list")
		return []kind{{"native=" + word + ":auto:readonly", "is read-only: as text, its type is " + name}}, nil
	}
	return nil, errors.New("its type " + name + " is not known")
}

// scalars maps types of the database to field types that need no further definition.
var scalars = map[string]string{
	"smallint": "int", "integer": "int", "bigint": "bigint", "double precision": "float", "real": "float",
	"boolean": "bool", "date": "date", "time without time zone": "time",
	"timestamp without time zone": "datetime", "timestamp with time zone": "datetime",
	"uuid": "uuid", "json": "json", "jsonb": "json", "bytea": "bytes",
}

// limits are the limits that checks impose on one column.
type limits struct {
	least, most string // of numbers
	short, long string // of lengths
	pattern     string
	values      []string
}

// bounds of the database's integers that are narrower than Go's.
var bounds = map[string][2]string{"smallint": {"-32768", "32767"}, "integer": {"-2147483648", "2147483647"}}

func (l limits) numbers(name string) string {
	words := ""
	least, most := cmp.Or(l.least, bounds[name][0]), cmp.Or(l.most, bounds[name][1])
	if least != "" {
		words += ":min=" + least
	}
	if most != "" {
		words += ":max=" + most
	}
	return words
}

func (l limits) texts() string {
	words := ""
	if l.short != "" {
		words += ":min=" + l.short
	}
	if l.pattern != "" {
		words += ":pattern=" + l.pattern
	}
	return words
}

// rules are the checks of a table, by column.
type rules struct {
	of     map[string]limits
	unread []string // enforced by the database only
}

func newRules(t Table, why func(string, ...any)) rules {
	r := rules{of: map[string]limits{}}
	for _, c := range t.Columns {
		for _, check := range c.Checks {
			r.read(c.Name, check, "VALUE", t, why)
		}
	}
	for _, check := range t.Checks {
		r.read("", check, "", t, why)
	}
	return r
}

// read parses a check, or leaves it to the database.
func (r *rules) read(column, check, value string, t Table, why func(string, ...any)) {
	text := plainly(casts.ReplaceAllString(check, ""))
	before := maps.Clone(r.of)
	called := func(text string) string {
		name := strings.Trim(bare(text), `"`)
		if value != "" && name == value {
			return column
		}
		return name
	}
	for _, part := range conjuncts(text) {
		part = bare(part)
		if v := valuesForm.FindStringSubmatch(part); v != nil {
			name := called(v[1])
			if _, ok := t.column(name); ok {
				l := r.of[name]
				for _, item := range quotedForm.FindAllStringSubmatch(v[2], -1) {
					l.values = append(l.values, item[1])
				}
				if r.of[name] = l; len(l.values) > 0 {
					continue
				}
			}
		} else if m := comparison.FindStringSubmatch(part); m != nil {
			if c, ok := t.column(called(m[2])); ok && r.bound(c, m[1] != "", m[3], bare(m[4])) {
				continue
			}
		}
		if p := patternForm.FindStringSubmatch(part); p != nil {
			name, pattern := called(p[1]), strings.ReplaceAll(p[2], "''", "'")
			_, err := spec.ParseField("x:text:pattern=" + pattern)
			if _, ok := t.column(name); ok && err == nil && r.of[name].pattern == "" && strings.HasPrefix(pattern, "^") && strings.HasSuffix(pattern, "$") {
				l := r.of[name]
				l.pattern = pattern
				r.of[name] = l
				continue
			}
		}
		if notNull.MatchString(part) {
			continue
		}
		r.of = before
		r.unread = append(r.unread, check)
		why("only the database checks that %s (409)", oneLine(strings.TrimSpace(check)))
		return
	}
}

// bound records one limit of a column.
func (r *rules) bound(c Column, length bool, operator, number string) bool {
	n := strings.Trim(number, "'")
	if !numberForm.MatchString(n) || c.Array {
		return false
	}
	step := func(by int64) (string, bool) {
		if c.Type == "numeric" && c.Scale > 0 {
			scale := big.NewRat(1, 1)
			for range c.Scale {
				scale.Quo(scale, big.NewRat(10, 1))
			}
			end, ok := new(big.Rat).SetString(n)
			if !ok {
				return "", false
			}
			return end.Add(end, scale.Mul(scale, big.NewRat(by, 1))).FloatString(c.Scale), true
		}
		whole, err := strconv.ParseInt(n, 10, 64)
		return strconv.FormatInt(whole+by, 10), err == nil && (length || wholeNumber[c.Type])
	}
	ok := true
	l := r.of[c.Name]
	low, high := &l.least, &l.most
	if length {
		low, high = &l.short, &l.long
	} else if !wholeNumber[c.Type] && c.Type != "numeric" && c.Type != "double precision" {
		return false
	}
	switch operator {
	case ">=":
		*low = n
	case "<=":
		*high = n
	case ">":
		*low, ok = step(1)
	case "<":
		*high, ok = step(-1)
	case "<>":
		if ok = length && n == "0"; ok {
			*low = "1"
		}
	default:
		ok = false
	}
	if l.long != "" {
		ok = false // a text has a maximum already
	}
	if ok {
		r.of[c.Name] = l
	}
	return ok
}

var (
	casts       = regexp.MustCompile(`::(?:character varying|double precision|timestamp with(?:out)? time zone|"[^"]+"|[a-z_0-9]+)(?:\([0-9,]+\))?(?:\[\])?`)
	comparison  = regexp.MustCompile(`^(char_length\(|length\()?(\("?[A-Za-z_][A-Za-z0-9_]*"?\)|"?[A-Za-z_][A-Za-z0-9_]*"?)\)? (>=|<=|<>|>|<) (.+)$`)
	valuesForm  = regexp.MustCompile(`^(\(?"?[A-Za-z_][A-Za-z0-9_]*"?\)?) = ANY \((.+)\)$`)
	quotedForm  = regexp.MustCompile(`'([^']*)'`)
	numberForm  = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	patternForm = regexp.MustCompile(`^(\(?"?[A-Za-z_][A-Za-z0-9_]*"?\)?) ~ '(.*)'$`)
	notNull     = regexp.MustCompile(`^\(?"?[A-Za-z_][A-Za-z0-9_]*"?\)? IS NOT NULL$`)
)

// plainly returns a check in PostgreSQL's notation; other databases keep checks as they
// were typed.
func plainly(check string) string {
	parts := strings.Split(check, "'") // the odd elements are string literals
	for i := 0; i < len(parts); i += 2 {
		p := operators.ReplaceAllString(parts[i], " $1 ")
		p = keywords.ReplaceAllStringFunc(p, strings.ToUpper)
		p = functions.ReplaceAllStringFunc(p, strings.ToLower)
		p = blanks.ReplaceAllString(p, " ")
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "( ", "("), " )", ")")
	}
	text := strings.Join(parts, "'")
	text = between.ReplaceAllString(text, "$1 >= $2 AND $1 <= $3")
	return among.ReplaceAllString(text, "$1 = ANY ($2)")
}

var (
	operators = regexp.MustCompile(`\s*(>=|<=|<>|>|<)\s*`)
	keywords  = regexp.MustCompile(`(?i)\b(?:and|or|in|between|is|not|null)\b`)
	functions = regexp.MustCompile(`(?i)\b(?:char_)?length\(`)
	blanks    = regexp.MustCompile(`\s+`)
	between   = regexp.MustCompile(`("?[A-Za-z_][A-Za-z0-9_]*"?) BETWEEN (-?[0-9.]+) AND (-?[0-9.]+)`)
	among     = regexp.MustCompile(`("?[A-Za-z_][A-Za-z0-9_]*"?) IN ?\(([^()]+)\)`)
)

// conjuncts splits an expression at its top-level ANDs.
func conjuncts(text string) []string {
	text = bare(text)
	var parts []string
	depth, start := 0, 0
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && strings.HasPrefix(text[i:], " AND "):
			parts = append(parts, conjuncts(text[start:i])...)
			start = i + len(" AND ")
		}
	}
	return append(parts, bare(text[start:]))
}

// bare returns an expression without its outer parentheses.
func bare(text string) string {
	for text = strings.TrimSpace(text); strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")"); text = strings.TrimSpace(text[1 : len(text)-1]) {
		depth, quoted := 0, false
		for i, c := range text {
			switch {
			case c == '\'':
				quoted = !quoted
			case quoted:
			case c == '(':
				depth++
			case c == ')':
				if depth--; depth == 0 && i < len(text)-1 {
					return text
				}
			}
		}
	}
	return text
}
