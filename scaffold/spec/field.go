package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Field is a parsed field definition: name:type[=argument][:modifier...].
type Field struct {
	Name string            // snake_case: "due_date"
	Type string            // the name of a row of the table of types
	Arg  string            // what follows the = of the type: "draft/live", "10.2", "users"
	Mods map[string]string // modifiers by name, with their values if they have one
}

// Modifiers returns the modifiers of a field in the order in which they are written, each
// with the form of its value; "" for none.
func Modifiers() [][2]string {
	return [][2]string{
		{"optional", ""}, {"unique", ""}, {"nocase", ""}, {"index", ""}, {"search", ""}, {"sort", ""}, {"filter", ""},
		{"default", "X"}, {"min", "N"}, {"max", "N"}, {"len", "N"}, {"secret", ""}, {"private", ""}, {"immutable", ""}, {"readonly", ""},
		{"array", ""}, {"string", ""}, {"ondelete", "cascade/restrict/null"}, {"pattern", "P"},
	}
}

func modifierNames() []string {
	var names []string
	for _, m := range Modifiers() {
		names = append(names, m[0])
	}
	return names
}

// adopted returns the modifiers of fields with existing columns: the exact name of the
// column, and that the database generates its value. Users do not need to type them.
func adopted() [][2]string { return [][2]string{{"column", "NAME"}, {"auto", ""}} }

// Is reports whether the field has the modifier.
func (f Field) Is(modifier string) bool { _, ok := f.Mods[modifier]; return ok }

// Folded reports whether the field is compared case-insensitively, for which its table
// stores a folded copy.
func (f Field) Folded() bool { return f.Is("nocase") || f.Mods["unique"] == "nocase" }

// Row returns the field's row of the table of types.
func (f Field) Row() Type { t, _ := TypeOf(f.Type); return t }

// Relation reports whether the field stands for rows of another table.
func (f Field) Relation() bool { return f.Type == "ref" || f.Type == "many" || f.Type == "has" }

// Column returns the field's column in the table; "" for many and has, which have none.
func (f Field) Column() string {
	if exact := f.Mods["column"]; exact != "" {
		return exact
	}
	switch f.Type {
	case "ref":
		return f.Name + "_id"
	case "many", "has":
		return ""
	}
	return f.Name
}

// Input returns the field's key in a request body; "" if it has none.
func (f Field) Input() string {
	switch {
	case f.Is("readonly"), f.Type == "has":
		return ""
	case f.Type == "many":
		return Singular(f.Name) + "_ids"
	}
	return f.Column()
}

// Length returns the maximum number of characters of a text. It returns 0 for other types,
// where max is the greatest value.
func (f Field) Length() int {
	if f.Row().length == 0 {
		return 0
	}
	for _, mod := range []string{"len", "max"} {
		if n, err := strconv.Atoi(f.Mods[mod]); err == nil {
			return n
		}
	}
	return f.Row().length
}

// number returns the value of a modifier that counts something, or -1 if it is absent.
func (f Field) number(modifier string) int {
	if n, err := strconv.Atoi(f.Mods[modifier]); err == nil {
		return n
	}
	return -1
}

// String returns the field definition in its canonical form.
func (f Field) String() string {
	var b strings.Builder
	b.WriteString(f.Name + ":" + f.Type)
	if f.Arg != "" {
		b.WriteString("=" + f.Arg)
	}
	for _, m := range append(adopted(), Modifiers()...) {
		if value, ok := f.Mods[m[0]]; ok {
			b.WriteString(":" + m[0])
			if value != "" || m[1] != "" {
				b.WriteString("=" + value)
			}
		}
	}
	return b.String()
}

// ParseField parses name:type[=argument][:modifier...], with the name in any case. It
// checks the field by itself; [Project.Add] checks whether it fits its resource and its
// project.
func ParseField(word string) (Field, error) {
	f, err := parseField(word)
	if refused, ok := errors.AsType[*problem.Error](err); ok {
		refused.Try = accepted(refused.Try)
	}
	return f, err
}

// accepted corrects a suggested definition until it is valid: each error fixes one
// mistake, and there may be others.
func accepted(try string) string {
	for range len(Modifiers()) {
		_, err := parseField(try)
		refused, ok := errors.AsType[*problem.Error](err)
		switch {
		case !ok:
			return try
		case refused.Try == try:
			return "title:string"
		}
		try = refused.Try
	}
	return "title:string"
}

func parseField(word string) (Field, error) {
	f, err := readField(word)
	if err != nil {
		return Field{}, err
	}
	row := f.Row()
	if err := f.check(row); err != nil {
		try := nearest(word)
		if try == "" {
			try = f.Name + ":" + sample(row.Name)
		}
		return Field{}, &problem.Error{What: err.Error() + " in " + word, Label: "form", Where: row.form(), Try: try}
	}
	return f, nil
}

// nearest returns word with as many of its contradicting modifiers as go together. It
// keeps those that hide the field in preference to others.
func nearest(word string) string {
	parts := strings.Split(word, ":")
	try, modifiers := parts[0]+":"+parts[1], parts[2:]
	if at := slices.IndexFunc(modifiers, func(m string) bool { return strings.HasPrefix(m, "pattern=") }); at >= 0 {
		modifiers = append(modifiers[:at:at], strings.Join(modifiers[at:], ":")) // it may have colons
	}
	hides := func(m string) bool { return m == "secret" || m == "private" }
	first := slices.DeleteFunc(slices.Clone(modifiers), func(m string) bool { return !hides(m) })
	for _, modifier := range append(first, slices.DeleteFunc(modifiers, hides)...) {
		longer := try + ":" + modifier
		if f, err := readField(longer); err == nil && f.check(f.Row()) == nil {
			try = longer
		}
	}
	if f, err := readField(try); err != nil || f.check(f.Row()) != nil {
		return ""
	}
	return try
}

// readField is ParseField without checking whether the modifiers go together, for
// definitions that were checked before.
func readField(word string) (Field, error) {
	if !utf8.ValidString(word) || strings.ContainsFunc(word, unicode.IsControl) {
		return Field{}, &problem.Error{
			What:  fmt.Sprintf("invalid character in %q", word),
			Label: "form", Where: "name:type[:modifier...]",
			Try: "title:string",
		}
	}
	name, rest, ok := strings.Cut(word, ":")
	if !ok || rest == "" {
		return Field{}, &problem.Error{
			What:  fmt.Sprintf("no type in %q", word),
			Label: "form", Where: "name:type[:modifier...]",
			Try: cmp.Or(Snake(name), "title") + ":string",
		}
	}
	f := Field{Name: Snake(name), Mods: map[string]string{}}
	if f.Name == "" {
		return Field{}, badName("field", name, "title:"+rest)
	}
	parts := strings.Split(rest, ":")
	var typed bool
	f.Type, f.Arg, typed = strings.Cut(parts[0], "=")
	row, ok := TypeOf(f.Type)
	if !ok {
		return Field{}, &problem.Error{
			What:  fmt.Sprintf("unknown type %q in %s", f.Type, word),
			Label: "types", Where: strings.Join(typeNames(), " "),
			Try: strings.Replace(word, ":"+parts[0], ":"+sample(closest(f.Type, typeNames(), "string")), 1),
		}
	}
	bad := func(format string, args ...any) *problem.Error {
		return &problem.Error{
			What:  fmt.Sprintf(format, args...) + " in " + word,
			Label: "form", Where: row.form(), Try: strings.Replace(word, ":"+parts[0], ":"+sample(row.Name), 1),
		}
	}
	if f.Type == "ref" && strings.HasSuffix(f.Name, "_id") {
		f.Name = strings.TrimSuffix(f.Name, "_id")
	}
	switch {
	case f.Arg == "" && (row.Arg == "must" || typed):
		return Field{}, bad("%s needs a value", f.Type)
	case f.Arg != "" && row.Arg == "":
		return Field{}, bad("%s takes no value, got %q", f.Type, f.Arg)
	}
	if err := f.modifiers(word, parts[1:], row); err != nil {
		return Field{}, err
	}
	if row.arg != nil {
		arg, err := row.arg(f.Arg)
		if err != nil {
			return Field{}, bad("%s", err)
		}
		f.Arg = arg
	}
	return f, nil
}

// modifiers parses the parts after the type.
func (f *Field) modifiers(word string, parts []string, row Type) error {
	all := append(Modifiers(), adopted()...)
	for i := 0; i < len(parts); i++ {
		name, value, valued := strings.Cut(parts[i], "=")
		at := slices.IndexFunc(all, func(m [2]string) bool { return m[0] == name })
		if at < 0 {
			return &problem.Error{
				What:  fmt.Sprintf("unknown modifier %q in %s", name, word),
				Label: "modifiers", Where: strings.Join(row.modifiers(), " "),
				Try: strings.Replace(word, ":"+name, ":"+closest(name, modifierNames(), "optional"), 1),
			}
		}
		if !row.Allows(name) && !(slices.Contains([]string{"column", "auto"}, name) && row.Allows("optional")) {
			return &problem.Error{
				What:  fmt.Sprintf("%s does not apply to %s in %s", name, f.Type, word),
				Label: "modifiers", Where: strings.Join(row.modifiers(), " "),
				Try: strings.Replace(word, ":"+parts[i], "", 1),
			}
		}
		if _, twice := f.Mods[name]; twice {
			return &problem.Error{What: fmt.Sprintf("%s is repeated in %s", name, word), Try: strings.Replace(word, ":"+parts[i], "", 1)}
		}
		form := all[at][1]
		if name == "unique" && valued {
			form = "nocase"
		}
		if valued != (form != "") || valued && value == "" && name != "default" {
			return &problem.Error{
				What:  fmt.Sprintf("%s in %s", map[bool]string{true: name + " needs a value", false: name + " takes no value"}[form != ""], word),
				Label: "form", Where: strings.TrimSuffix(name+"="+form, "="),
				Try: strings.Replace(word, ":"+parts[i], ":"+strings.TrimSuffix(name+"="+exampleOf(name, row), "="), 1),
			}
		}
		switch {
		case name == "pattern":
			// A pattern may contain colons: it ends before the modifiers at the end of the
			// definition.
			end := len(parts)
			for end > i+1 && isModifier(parts[end-1]) {
				end--
			}
			value = strings.TrimPrefix(strings.Join(parts[i:end], ":"), "pattern=")
			i = end - 1
		case name == "default" && row.colons:
			for i+1 < len(parts) && !isModifier(parts[i+1]) {
				i++
				value += ":" + parts[i]
			}
		case name == "unique" && valued && value != "nocase":
			return &problem.Error{
				What:  fmt.Sprintf("unknown kind of unique %q in %s", value, word),
				Label: "form", Where: "unique or unique=nocase", Try: strings.Replace(word, parts[i], "unique=nocase", 1),
			}
		}
		f.Mods[name] = value
	}
	return nil
}

func isModifier(part string) bool {
	name, _, _ := strings.Cut(part, "=")
	return slices.ContainsFunc(append(Modifiers(), adopted()...), func(m [2]string) bool { return m[0] == name })
}

// check rejects modifiers that contradict the type, their values or each other.
func (f Field) check(row Type) error {
	if f.Is("array") {
		for _, mod := range []string{"unique", "nocase", "index", "search", "sort", "filter", "default", "secret"} {
			if f.Is(mod) {
				return fmt.Errorf("an array cannot be %s", mod)
			}
		}
	}
	for _, hidden := range []string{"secret", "private"} {
		for _, mod := range []string{"search", "sort", "filter"} {
			if f.Is(hidden) && f.Is(mod) {
				return fmt.Errorf("a %s field cannot be %s: that would reveal it", hidden, mod)
			}
		}
	}
	if f.Is("secret") && f.Is("private") {
		return fmt.Errorf("a secret is never in responses, so private adds nothing")
	}
	if f.Is("readonly") {
		switch {
		case f.Is("immutable"):
			return fmt.Errorf("readonly cannot be combined with immutable")
		case !f.Is("optional") && !f.Is("default") && !f.Is("auto"):
			return fmt.Errorf("a readonly field needs optional or default=: no request can give it a value")
		}
	}
	if f.Is("column") && !validIdentifier(f.Mods["column"]) {
		return fmt.Errorf("column=%s: ASCII letters, digits and _", clip(f.Mods["column"]))
	}
	if f.Is("auto") && f.Is("default") {
		return fmt.Errorf("auto cannot be combined with default")
	}
	if f.Is("len") && (f.Is("min") || f.Is("max")) {
		return fmt.Errorf("len cannot be combined with min or max")
	}
	if row.limits != nil {
		if err := row.limits(f); err != nil {
			return err
		}
	}
	if text, ok := f.Mods["default"]; ok {
		v, err := row.parse(f, text)
		if err != nil {
			return fmt.Errorf("default %w", err)
		}
		if why := f.breaks(row, v); why != "" {
			return fmt.Errorf("default %q violates %s", text, why)
		}
	}
	if f.Is("nocase") && f.Is("unique") {
		return fmt.Errorf("nocase cannot be combined with unique; use unique=nocase")
	}
	if (f.Is("unique") || f.Is("nocase") || f.Is("index") || f.Is("sort") || f.Is("filter")) && f.Length() > maxIndexed {
		mod := "index"
		for _, m := range []string{"unique", "nocase", "sort", "filter"} {
			if f.Is(m) {
				mod = m
			}
		}
		return fmt.Errorf("%s needs max=%d or less (MySQL cannot index more), not %d", mod, maxIndexed, f.Length())
	}
	if f.Mods["unique"] == "nocase" && row.length == 0 {
		return fmt.Errorf("unique=nocase applies to text types only")
	}
	if action, ok := f.Mods["ondelete"]; ok {
		switch {
		case !slices.Contains([]string{"cascade", "restrict", "null"}, action):
			return fmt.Errorf("ondelete=%s must be cascade, restrict or null", action)
		case action == "null" && !f.Is("optional"):
			return fmt.Errorf("ondelete=null needs optional")
		}
	}
	if row.sample == nil || !slices.ContainsFunc([]string{"unique", "min", "max", "len", "pattern"}, f.Is) {
		return nil
	}
	need, what := 1, "passes every rule"
	if f.Is("unique") {
		need, what = Rows, "differ, which unique needs,"
	}
	if got := len(f.Samples(Rows)); got < need {
		if need == 1 {
			return fmt.Errorf("no value %s", what)
		}
		return fmt.Errorf("fewer than %d values %s", need, what)
	}
	return nil
}

// maxIndexed is the maximum length of an indexed text: MySQL indexes 3,072 bytes, four per
// character.
const maxIndexed = 700

// folded is the maximum length of the folded copy of a case-insensitive text, as declared
// by the runtime's db.
const folded = 765

// Rows is the number of rows that generated tests work with.
const Rows = 3

func badName(what, name, try string) *problem.Error {
	return &problem.Error{
		What:  fmt.Sprintf("%q is not a valid %s name", clip(name), what),
		Label: "names", Where: fmt.Sprintf("start with a letter; ASCII letters, digits, _ and -; at most %d characters", longest),
		Try: try,
	}
}

// clip shortens user input to be quoted in a message.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:57], "") + "..."
	}
	return s
}

// closest returns the candidate most similar to word, or other if none is similar.
func closest(word string, candidates []string, other string) string {
	best, least := other, len(word)/2+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), c); d < least {
			best, least = c, d
		}
	}
	return best
}

// near returns the candidate of which word is a likely typo, or "". It is stricter than
// closest, for commands that remove something.
func near(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, least := "", min(2, max(1, len(word)/3))+1
	for _, c := range candidates {
		if d := distance(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance returns the number of typos between a and b: different, missing or extra
// letters, and swapped neighbours.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	var above []int // the row before the previous one
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			next[j+1] = row[j]
			if a[i] != b[j] {
				next[j+1] = 1 + min(row[j], next[j], row[j+1])
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], above[j-1]+1)
			}
		}
		above, row = row, next
	}
	return row[len(b)]
}
