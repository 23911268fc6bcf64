package spec

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Type is one row of the table of field types, with everything that any layer needs to
// know about the type. To add a type, add a row.
type Type struct {
	Name string
	Arg  string // "may" or "must" be given after =; "" takes none
	Form string // form of the argument: "A/B/C"
	Doc  string // one line for help

	Go        string   // the Go type, in the model and in request and response bodies
	Quoted    string   // the Go type with the modifier string; of package db
	Imports   []string // imports of Go
	Zero      string   // Go's zero value, if it is not Go{}
	Nil       bool     // nil is the type's own null: optional fields are not pointers
	Stored    string   // the Go type of the column in a migration, if it is not Go
	Constants []string // imports of its values besides Imports
	Plain     bool     // an absent value is Go's zero value: a required field of a body is not a pointer
	Filters   string   // how lists filter by it: "equal", "range" (equal, _min and _max) or ""
	Listed    bool     // its values are those of the argument: lists filter by no others
	Upload    bool     // values are names of uploads, which must exist and are kept; requires the uploads feature

	mods   string // modifiers that apply, besides optional, immutable, readonly and private
	length int    // default maximum of characters; 0 if it is not a text
	colons bool   // a default may contain colons

	arg    func(arg string) (string, error)          // checks and normalizes the argument
	limits func(f Field) error                       // checks min, max, len and pattern
	column func(f Field) string                      // gorm tag of the column in a migration
	model  func(f Field) string                      // gorm tag of the field in the model
	rules  func(f Field) []string                    // validation rules of a value that is present
	parse  func(f Field, text string) (Value, error) // parses a value in the notation of a field definition
	sample func(f Field, i int) string               // the i-th sample in that notation; "" after the last
	empty  func(f Field) (string, bool)              // Go's zero value in that notation, and whether a body may contain it
	edges  func(f Field) []Value                     // values that just pass the rules
	bad    func(f Field) []Bad                       // values that just break a rule, with that rule
}

// Value is one value of a type, in the notation of each layer.
type Value struct {
	Text string // in the notation of a field definition
	JSON string // Go expression of the value in a request body
	Go   string // Go expression of the value in the model
	// Cell is the value as in gorm's tag default:, without quotes. It is a number where the
	// column's Go type (Stored, or else Go) is one, which min and max compare. "" is for a
	// value that cannot be written this way: its column has no SQL default.
	Cell string
}

// Bad is a value that requests must not contain.
type Bad struct {
	JSON string // Go expression of the value in a request body
	Rule string // the rule it breaks, by its name in the response
}

// TypeOf returns the row of the type.
func TypeOf(name string) (Type, bool) {
	for _, t := range Types() {
		if t.Name == name {
			return t, true
		}
	}
	for _, t := range known {
		if t.Name == name {
			return t, true
		}
	}
	return Type{}, false
}

const (
	timeImport    = "time"
	uuidImport    = "github.com/google/uuid"
	decimalImport = "github.com/shopspring/decimal"
	dbImport      = "github.com/nexios-go/nexios/runtime/db"
	filesImport   = "github.com/nexios-go/nexios/runtime/files"
)

// Types returns the table of field types, one row per type. Everything else that depends
// on a type is derived from its row.
func Types() []Type {
	once.Do(func() { table, known = rows(), natives() })
	return table
}

// The tables are built on first use. A variable initializer would be an initialization
// cycle, since functions in the rows look up rows.
var (
	once  sync.Once
	table []Type
	known []Type // types of existing columns only
)

func rows() []Type {
	return []Type{
		{
			Name: "string", Doc: "a short text, at most 255 characters by default",
			Go: "string", Zero: `""`, Plain: true, Filters: "equal", length: 255,
			mods:   "unique nocase index search sort filter default min max len pattern secret array",
			limits: textLimits(16000), column: sized, rules: textRules(), parse: text(nil), sample: textSample("%s"), empty: textZero, edges: textEdges("%s"), bad: textBad("", "%s"),
		},
		{
			Name: "text", Doc: "a long text, at most 65,536 characters by default",
			Go: "string", Zero: `""`, Plain: true, length: long,
			mods:   "search default min max pattern secret",
			limits: textLimits(1 << 30), column: typed(""), rules: textRules(), parse: text(nil), sample: textSample("%s"), empty: textZero, edges: textEdges("%s"), bad: textBad("", "%s"),
		},
		{
			Name: "int", Doc: "a whole number",
			Go: "int", Zero: "0", Filters: "range",
			mods:   "unique index sort filter default min max array",
			limits: numberLimits, column: typed(""), rules: numberRules, parse: integer, sample: numberSample(1), empty: numberZero, edges: numberEdges, bad: numberBad(1),
		},
		{
			Name: "bigint", Doc: "a 64-bit whole number",
			Go: "int64", Zero: "0", Filters: "range",
			mods:   "unique index sort filter default min max array",
			limits: numberLimits, column: typed(""), rules: numberRules, parse: integer, sample: numberSample(1), empty: numberZero, edges: numberEdges, bad: numberBad(1),
		},
		{
			Name: "float", Doc: "a floating-point number",
			Go: "float64", Zero: "0", Filters: "range",
			mods:   "index sort filter default min max array",
			limits: numberLimits, column: typed("type:double precision"), rules: numberRules, parse: float, sample: numberSample(0.5), empty: numberZero, edges: numberEdges, bad: numberBad(0.5),
		},
		{
			Name: "decimal", Arg: "may", Form: "10.2", Doc: "an exact decimal: 10 digits (at most 15), 2 of them after the decimal point; 12.2 by default",
			Go: "decimal.Decimal", Stored: "string", Imports: []string{decimalImport}, Filters: "range",
			mods: "unique index sort filter default min max",
			arg:  decimalArg, limits: numberLimits, column: decimalColumn, model: decimalModel, rules: decimalRules, parse: decimal, sample: decimalSample, empty: numberZero, edges: numberEdges, bad: decimalBad,
		},
		{
			Name: "bool", Doc: "true or false",
			Go: "bool", Zero: "false", Filters: "equal",
			mods:   "index sort filter default array",
			column: typed(""), parse: boolean, sample: oneOf("true", "false"), bad: wrongType(`"yes"`),
		},
		{
			Name: "date", Doc: "a day: 2026-01-31",
			Go: "db.Date", Imports: []string{dbImport}, Filters: "range",
			mods:   "unique index sort filter default array",
			column: typed(""), parse: date, sample: oneOf("2026-01-31", "2026-02-28", "2026-12-24"), bad: wrongType(`"2026-02-30"`),
		},
		{
			Name: "time", Doc: "a time of day: 09:30:00",
			Go: "db.Clock", Zero: "0", Imports: []string{dbImport}, Filters: "range", colons: true,
			mods:   "index sort filter default array",
			column: typed(""), parse: clock, sample: oneOf("09:30:00", "12:00:00", "23:59:59"), bad: wrongType(`"25:00:00"`),
		},
		{
			Name: "datetime", Doc: "a point in time: 2026-01-31T09:30:00Z",
			Go: "time.Time", Imports: []string{timeImport}, Filters: "range", colons: true,
			mods:   "unique index sort filter default array",
			column: typed(""), parse: datetime, sample: oneOf("2026-01-31T09:30:00Z", "2026-02-28T12:00:00Z", "2026-12-24T18:00:00Z"), bad: wrongType(`"yesterday"`),
		},
		{
			Name: "duration", Doc: "a duration: 1h30m",
			Go: "db.Duration", Constants: []string{timeImport}, Zero: "0", Imports: []string{dbImport}, Filters: "range",
			mods:   "index sort filter default min max array",
			limits: numberLimits, column: typed(""), rules: durationRules, parse: duration, sample: durationSample, edges: numberEdges, bad: durationBad,
		},
		{
			Name: "uuid", Doc: "a UUID",
			Go: "uuid.UUID", Stored: "string", Imports: []string{uuidImport}, Filters: "equal",
			mods:   "unique index sort filter default secret array",
			column: typed("type:char(36)"), parse: uuid, sample: oneOf("0192e4a0-7b3c-7d10-8000-000000000001", "0192e4a0-7b3c-7d10-8000-000000000002", "0192e4a0-7b3c-7d10-8000-000000000003"), bad: wrongType(`"nope"`),
		},
		{
			Name: "email", Doc: "an e-mail address",
			Go: "string", Zero: `""`, Plain: true, Filters: "equal", length: 254,
			mods:   "unique nocase index search sort filter default max array",
			limits: textLimits(254), column: sized, rules: textRules("email"), parse: text(isEmail), sample: textSample("%s@example.com"), edges: textEdges("%s@example.com"), bad: textBad("email", ""),
		},
		{
			Name: "url", Doc: "an http or https URL, at most 2,048 characters by default",
			Go: "string", Zero: `""`, Plain: true, Filters: "equal", length: 2048, colons: true,
			mods:   "unique nocase index search sort filter default max array",
			limits: textLimits(16000), column: sized, rules: textRules("http_url"), parse: text(isURL), sample: textSample("https://example.com/%s"), edges: textEdges("https://example.com/%s"), bad: textBad("http_url", "https://example.com/%s"),
		},
		{
			Name: "slug", Doc: "lower-case letters, digits and single hyphens: my-first-post",
			Go: "string", Zero: `""`, Plain: true, Filters: "equal", length: 255,
			mods:   "unique index search sort filter default min max len array",
			limits: textLimits(16000), column: sized, rules: textRules("slug"), parse: text(slug.MatchString), sample: textSample("%s"), edges: textEdges("%s"), bad: textBad("slug", "%s"),
		},
		{
			Name: "json", Doc: "any JSON value, at most 65,536 bytes by default",
			Go: "db.JSON", Nil: true, Imports: []string{dbImport}, Plain: true, length: long,
			mods:   "max",
			limits: textLimits(1 << 30), column: typed(""), rules: mostRules, parse: anyJSON, sample: oneOf(`{"size":1}`, `[1,2]`, `"three"`),
		},
		{
			Name: "bytes", Doc: "binary data, base64 in JSON, at most 65,536 bytes by default",
			Go: "[]byte", Nil: true, Plain: true, length: long,
			mods:   "min max len secret",
			limits: textLimits(1 << 30), column: typed(""), rules: textRules(), parse: binary, sample: textSample("%s"), edges: bytesEdges, bad: bytesBad,
		},
		{
			Name: "enum", Arg: "must", Form: "draft/live", Doc: "one of the listed values",
			Go: "string", Zero: `""`, Listed: true, Plain: true, Filters: "equal", length: 64,
			mods: "index search sort filter default array",
			arg:  enumArg, column: enumColumn, rules: enumRules, parse: text(nil), sample: enumSample, bad: enumBad,
		},
		{
			Name: "ref", Arg: "must", Form: "TABLE", Doc: "a row of another table (belongs to)",
			Go: "int64", Filters: "equal",
			mods: "unique filter ondelete",
			arg:  tableArg,
		},
		{
			Name: "many", Arg: "must", Form: "TABLE", Doc: "many rows of another table (many to many)",
			arg: tableArg,
		},
		{
			Name: "has", Arg: "must", Form: "TABLE", Doc: "the rows of another table that refer to this one (has many)",
			arg: tableArg,
		},
		{
			Name: "file", Doc: "an uploaded file, by its name (the last part of its URL)",
			Go: "files.Name", Stored: "string", Zero: `""`, Imports: []string{filesImport}, Plain: true, Upload: true, length: 40,
			column: sized, rules: textRules(), parse: upload, sample: oneOf(uploadNames...), bad: uploadBad,
		},
	}
}

func typeNames() []string {
	types := Types()
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return names
}

// modifiers returns the modifiers that apply to the type, in order.
func (t Type) modifiers() []string {
	return slices.DeleteFunc(modifierNames(), func(name string) bool { return !t.Allows(name) })
}

// Allows reports whether the modifier applies to the type.
func (t Type) Allows(modifier string) bool {
	switch modifier {
	case "optional", "immutable":
		return t.Name != "many" && t.Name != "has"
	case "readonly":
		return t.Name != "many" && t.Name != "has" && !t.Upload
	case "private":
		return t.Name != "many" && t.Name != "has" && t.Name != "ref" && !t.Upload
	}
	return slices.Contains(strings.Fields(t.mods), modifier)
}

// form describes the syntax of a field of the type.
func (t Type) form() string {
	name := t.Name
	switch t.Arg {
	case "must":
		name += "=" + t.Form
	case "may":
		name += "[=" + t.Form + "]"
	}
	return "name:" + name + "[:modifier...]; modifiers: " + strings.Join(t.modifiers(), " ")
}

// sample returns the type as written in an example.
func sample(typeName string) string {
	t, _ := TypeOf(typeName)
	if t.Arg == "" {
		return t.Name
	}
	return t.Name + "=" + strings.ToLower(t.Form)
}

func exampleOf(modifier string, t Type) string {
	switch modifier {
	case "min", "max", "len":
		switch {
		case t.length == 0:
			return exampleOf("default", t)
		case modifier == "max":
			return "100"
		}
		return "10"
	case "pattern":
		return "alpha"
	case "ondelete":
		return "cascade"
	case "default":
		if t.sample != nil {
			return t.sample(Field{Name: "x", Type: t.Name, Arg: strings.ToLower(t.Form)}, 0)
		}
	}
	return ""
}

// Column tag, rules and values of a field, derived from its row.

// ColumnTag returns the gorm tag of the field's column in a migration, without not null,
// default and indexes.
func (f Field) ColumnTag() string {
	row := f.Row()
	if f.Is("array") || row.column == nil {
		return ""
	}
	return row.column(f)
}

// Go returns the Go type of the field's values, and its imports.
func (f Field) Go() (name string, imports []string) {
	row := f.Row()
	if f.Is("string") {
		return row.Quoted, []string{dbImport}
	}
	return row.Go, row.Imports
}

// ModelTag returns the gorm tag of the field in a model, without the name of its column.
func (f Field) ModelTag() string {
	row := f.Row()
	if f.Is("array") || row.model == nil {
		return ""
	}
	return row.model(f)
}

// Rules returns the validation rules of a value of the field that is present.
func (f Field) Rules() []string {
	if row := f.Row(); row.rules != nil {
		return row.rules(f)
	}
	return nil
}

// Default returns the field's default value; ok is false if it has none.
func (f Field) Default() (v Value, ok bool) {
	text, ok := f.Mods["default"]
	if !ok {
		return Value{}, false
	}
	v, err := f.Row().parse(f, text)
	return v, err == nil
}

// Value parses a value in the notation of a field definition.
func (f Field) Value(text string) (Value, error) { return f.Row().parse(f, text) }

// Samples returns up to n different values that pass all rules of the field.
func (f Field) Samples(n int) []Value {
	row := f.Row()
	if row.sample == nil {
		return nil
	}
	var values []Value
	seen := map[string]bool{}
	for i := 0; len(values) < n && i < 8*n; i++ {
		text := row.sample(f, i)
		v, err := row.parse(f, text)
		if err != nil || seen[v.Text] || f.breaks(row, v) != "" {
			continue
		}
		seen[v.Text] = true
		values = append(values, v)
	}
	return values
}

// Edges returns values that just pass the field's rules.
func (f Field) Edges() []Value {
	row := f.Row()
	if row.edges == nil {
		return nil
	}
	return row.edges(f)
}

// Empty returns Go's zero value of the field's type, which is easily mistaken for an
// absent one; ok is false if requests must not send it.
func (f Field) Empty() (v Value, ok bool) {
	row := f.Row()
	if row.empty == nil {
		return Value{}, false
	}
	text, ok := row.empty(f)
	if !ok {
		return Value{}, false
	}
	v, err := row.parse(f, text)
	return v, err == nil && f.breaks(row, v) == ""
}

// Bad returns values that just break one of the field's rules.
func (f Field) Bad() []Bad {
	row := f.Row()
	if row.bad == nil {
		return nil
	}
	return row.bad(f)
}

// breaks returns the rule that v breaks, or "".
func (f Field) breaks(row Type, v Value) string {
	if row.Listed {
		if !slices.Contains(strings.Split(f.Arg, "/"), v.Text) {
			return "the list of values, " + f.Arg
		}
		return ""
	}
	if row.length == 0 {
		for _, mod := range []string{"min", "max"} {
			limit, ok := f.Mods[mod]
			if !ok {
				continue
			}
			if c := f.compare(row, v.Text, limit); mod == "min" && c < 0 || mod == "max" && c > 0 {
				return mod + "=" + limit
			}
		}
		return ""
	}
	length := len([]rune(v.Text))
	if row.Name == "json" {
		length = len(v.Text)
	}
	switch {
	case f.number("min") > length:
		return "min=" + f.Mods["min"]
	case f.number("max") >= 0 && f.number("max") < length:
		return "max=" + f.Mods["max"]
	case f.number("len") >= 0 && f.number("len") != length:
		return "len=" + f.Mods["len"]
	case row.length > 0 && length > f.Length():
		return fmt.Sprintf("the limit of %d characters", f.Length())
	case f.Is("pattern") && !regexp.MustCompile(f.Pattern()).MatchString(v.Text):
		return "pattern=" + f.Mods["pattern"]
	case length == 0 && !f.Is("optional") && row.Name != "bytes":
		return "the rule that a required text must not be empty"
	}
	return ""
}

// Texts.

// long is the default maximum of a type without a limit of its own. It bounds what one
// request makes the server store and each list return.
const long = 1 << 16

// mostRules limits only the size.
func mostRules(f Field) []string { return []string{fmt.Sprintf("max=%d", f.Length())} }

// sized is the column of a text. A text that is too long for an index does not become a
// varchar, since MySQL limits all varchars of a row to 65,535 bytes together.
func sized(f Field) string {
	if f.Length() > maxIndexed {
		return ""
	}
	return fmt.Sprintf("size:%d", f.Length())
}

func typed(tag string) func(Field) string { return func(Field) string { return tag } }

func textLimits(most int) func(Field) error {
	return func(f Field) error {
		if f.Is("pattern") {
			if _, err := regexp.Compile(f.Pattern()); err != nil {
				return fmt.Errorf("pattern %q is not a regular expression", f.Mods["pattern"])
			}
		}
		for _, mod := range []string{"min", "max", "len"} {
			text, ok := f.Mods[mod]
			if !ok {
				continue
			}
			n, err := strconv.Atoi(text)
			least := 1
			if mod == "min" {
				least = 0
			}
			if err != nil || strconv.Itoa(n) != text || n < least || n > most {
				return fmt.Errorf("%s=%s must be a number from %d to %d", mod, text, least, most)
			}
		}
		if f.Is("min") && f.Is("max") && f.number("min") > f.number("max") {
			return fmt.Errorf("min=%s is above max=%s", f.Mods["min"], f.Mods["max"])
		}
		if n := f.number("min"); f.Row().length > 0 && n > f.Length() {
			return fmt.Errorf("min=%d is above the limit of %d characters", n, f.Length())
		}
		return nil
	}
}

// textRules checks the kind of a text before its length.
func textRules(kind ...string) func(Field) []string {
	return func(f Field) []string {
		rules := slices.Clone(kind)
		switch {
		case f.Is("min"):
			rules = append(rules, "min="+f.Mods["min"])
		case !f.Is("optional") && !f.Is("len") && f.Type != "bytes":
			rules = append(rules, "min=1")
		}
		if f.Is("len") {
			rules = append(rules, "len="+f.Mods["len"])
		} else if n := f.Length(); n > 0 {
			rules = append(rules, fmt.Sprintf("max=%d", n))
		}
		if f.Is("pattern") {
			rules = append(rules, "pattern="+escapeRule(f.Pattern()))
		}
		return rules
	}
}

// escapeRule escapes the validator's separators of rules.
func escapeRule(s string) string {
	return strings.NewReplacer(",", "0x2C", "|", "0x7C").Replace(s)
}

func text(is func(string) bool) func(Field, string) (Value, error) {
	return func(f Field, s string) (Value, error) {
		if is != nil && !is(s) {
			return Value{}, fmt.Errorf("%q is not a valid %s", s, f.Type)
		}
		q := strconv.Quote(s)
		v := Value{Text: s, JSON: q, Go: q}
		if n := f.Length(); f.Row().length > 0 && n <= maxIndexed && !strings.ContainsAny(s, "()\"\\`;:") && strings.ToLower(s) != "null" && s != "" && s == strings.Trim(s, " '") {
			v.Cell = s
		}
		return v, nil
	}
}

// textZero: the empty text is valid only for an optional field.
func textZero(f Field) (string, bool) {
	return "", f.Is("optional") && !f.Is("min") && !f.Is("len") && !f.Is("pattern")
}

// seeds are the beginnings of sample texts, each with another first letter.
var seeds = []string{"alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"}

// textSample returns a function that makes values of a form that contains %s, within the
// length limits of the field.
func textSample(form string) func(Field, int) string {
	return func(f Field, i int) string {
		if f.Is("pattern") {
			return matching(f.Pattern(), i, max(f.number("min"), f.number("len"), 0))
		}
		seed := seeds[i%len(seeds)]
		least, most := max(f.number("min"), f.number("len")), f.Length()
		if most <= 0 {
			most = math.MaxInt
		}
		frame := len(form) - len("%s")
		if short := len("%s@b.co") - len("%s"); form == "%s@example.com" && most < frame+len(seed) && most > short {
			form, frame = "%s@b.co", short
		}
		if over := frame + len(seed) - most; over > 0 {
			seed = seed[:max(len(seed)-over, 0)]
		}
		if under := least - frame - len(seed); under > 0 {
			seed += strings.Repeat("a", under)
		}
		if seed == "" {
			return ""
		}
		return strings.Replace(form, "%s", seed, 1)
	}
}

// padded returns a value of n characters made of form, as a Go expression.
func padded(form string, n int) (Value, bool) {
	fill := n - (len(form) - len("%s"))
	if fill < 1 {
		return Value{}, false
	}
	before, after, _ := strings.Cut(form, "%s")
	expr := fmt.Sprintf("strings.Repeat(%q, %d)", "a", fill)
	if fill <= 20 {
		expr = strconv.Quote(strings.Replace(form, "%s", strings.Repeat("a", fill), 1))
	} else {
		if before != "" {
			expr = strconv.Quote(before) + " + " + expr
		}
		if after != "" {
			expr += " + " + strconv.Quote(after)
		}
	}
	return Value{JSON: expr, Go: expr}, true
}

// Long is the greatest maximum length that tests try out.
const Long = 100_000

func textEdges(form string) func(Field) []Value {
	return func(f Field) []Value {
		if f.Is("pattern") || f.Is("len") {
			return nil
		}
		var values []Value
		add := func(n int) {
			if v, ok := padded(form, n); ok && n <= Long && f.Type != "email" {
				values = append(values, v)
			}
		}
		least := max(f.number("min"), 1)
		if form == "%s" {
			add(least)
		}
		if n := f.Length(); n > 0 && n != least {
			add(n)
		}
		return values
	}
}

func textBad(kind, form string) func(Field) []Bad {
	return func(f Field) []Bad {
		bad := []Bad{{"1", "type"}}
		if !f.Is("optional") {
			bad = append(bad, Bad{`""`, "required"})
		}
		if kind != "" {
			bad = append(bad, Bad{`"not one!"`, kind})
		}
		if f.Is("pattern") {
			re := regexp.MustCompile(f.Pattern())
			for _, s := range []string{"!", "a b", "~", "0", "A", "é"} {
				n := len([]rune(s))
				if !re.MatchString(s) && n >= f.number("min") && !f.Is("len") && (f.Length() == 0 || n <= f.Length()) {
					return append(bad, Bad{strconv.Quote(s), "pattern"})
				}
			}
			return bad
		}
		add := func(n int, rule string) {
			if v, ok := padded(form, n); ok && n <= Long && form != "" {
				bad = append(bad, Bad{v.JSON, rule})
			}
		}
		switch n := f.Length(); {
		case f.Is("len"):
			add(n-1, "len")
			add(n+1, "len")
		case n > 0:
			add(n+1, "max")
		}
		add(f.number("min")-1, "min")
		return bad
	}
}

// Pattern returns the regular expression of the field's pattern modifier: one of the named
// patterns, or the user's own, matching the whole text.
func (f Field) Pattern() string {
	p := f.Mods["pattern"]
	if named, ok := patterns[p]; ok {
		return named
	}
	return "^(?:" + strings.TrimSuffix(strings.TrimPrefix(p, "^"), "$") + ")$"
}

// patterns are predefined patterns, which need no quoting in a shell.
var patterns = map[string]string{
	"alpha":  "^[A-Za-z]+$",
	"alnum":  "^[A-Za-z0-9]+$",
	"digits": "^[0-9]+$",
	"upper":  "^[A-Z]+$",
	"lower":  "^[a-z]+$",
	"hex":    "^[0-9a-fA-F]+$",
	"color":  "^#[0-9a-fA-F]{6}$",
	"phone":  "^[+][1-9][0-9]{6,14}$",
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

var slug = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Numbers.

// compare compares two values that parse has accepted.
func (f Field) compare(row Type, a, b string) int {
	x, _ := row.parse(f, a)
	y, _ := row.parse(f, b)
	return rational(x.Cell).Cmp(rational(y.Cell))
}

func numberLimits(f Field) error {
	row := f.Row()
	for _, mod := range []string{"min", "max"} {
		if text, ok := f.Mods[mod]; ok {
			if _, err := row.parse(f, text); err != nil {
				return fmt.Errorf("%s %w", mod, err)
			}
		}
	}
	if f.Is("min") && f.Is("max") && f.compare(row, f.Mods["min"], f.Mods["max"]) > 0 {
		return fmt.Errorf("min=%s is above max=%s", f.Mods["min"], f.Mods["max"])
	}
	return nil
}

func numberZero(Field) (string, bool) { return "0", true }

func numberRules(f Field) []string {
	var rules []string
	for _, mod := range []string{"min", "max"} {
		if text, ok := f.Mods[mod]; ok {
			rules = append(rules, mod+"="+text)
		}
	}
	return rules
}

func integer(f Field, s string) (Value, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err != nil || strconv.FormatInt(n, 10) != s {
		return Value{}, fmt.Errorf("%q is not a whole number", s)
	}
	v := Value{s, s, s, s}
	if f.Is("string") {
		v.JSON = strconv.Quote(s)
	}
	return v, nil
}

func float(f Field, s string) (Value, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !number.MatchString(s) {
		return Value{}, fmt.Errorf("%q is not a number", s)
	}
	s = strconv.FormatFloat(n, 'f', -1, 64)
	return Value{s, s, s, s}, nil
}

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

func decimal(f Field, s string) (Value, error) {
	if !number.MatchString(s) {
		return Value{}, fmt.Errorf("%q is not a decimal number", s)
	}
	digits, scale := decimalSize(f.Arg)
	before, after, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if len(strings.TrimLeft(before, "0")) > digits-scale || len(after) > scale {
		return Value{}, fmt.Errorf("%q has more digits than decimal=%d.%d", s, digits, scale)
	}
	goText := "decimal.RequireFromString(" + strconv.Quote(s) + ")"
	if s == "0" {
		goText = "decimal.Zero"
	}
	full := s // with all digits of its scale
	if scale > 0 {
		full = strings.TrimSuffix(s, "."+after) + "." + after + strings.Repeat("0", scale-len(after))
	}
	return Value{Text: s, JSON: strconv.Quote(full), Go: goText, Cell: s}, nil
}

// decimalSize parses 10.2 as the number of digits, and the number of those after the
// point.
func decimalSize(arg string) (digits, scale int) {
	before, after, _ := strings.Cut(arg, ".")
	digits, _ = strconv.Atoi(before)
	scale, _ = strconv.Atoi(after)
	return digits, scale
}

// exact is the number of decimal digits that SQLite keeps, since it stores decimals as
// floating-point numbers.
const exact = 15

func decimalArg(arg string) (string, error) {
	if arg == "" {
		return "12.2", nil
	}
	digits, scale := decimalSize(arg)
	if fmt.Sprintf("%d.%d", digits, scale) != arg || digits < 1 || digits > exact || scale > digits {
		return "", fmt.Errorf("decimal=%s must be PRECISION.SCALE, with a precision of 1 to %d", arg, exact)
	}
	return arg, nil
}

func decimalColumn(f Field) string {
	return fmt.Sprintf("type:decimal(%s)", strings.Replace(f.Arg, ".", ",", 1))
}

// decimalModel keeps trailing zeros in responses: 12.50.
func decimalModel(f Field) string {
	_, scale := decimalSize(f.Arg)
	return fmt.Sprintf("scale:%d", scale)
}

func decimalRules(f Field) []string {
	return append([]string{"decimal=" + f.Arg}, numberRules(f)...)
}

// decimalStep returns the smallest difference between two decimals of the field.
func decimalStep(f Field) string {
	_, scale := decimalSize(f.Arg)
	if scale == 0 {
		return "1"
	}
	return "0." + strings.Repeat("0", scale-1) + "1"
}

func decimalSample(f Field, i int) string {
	if f.Is("min") || f.Is("max") {
		text := rationalText(sampleWithin(f, rational("1"), i))
		if v, err := decimal(f, text); err == nil && f.breaks(f.Row(), v) == "" {
			return text
		}
		return rationalText(sampleWithin(f, rational(decimalStep(f)), i))
	}
	digits, scale := decimalSize(f.Arg)
	if digits > scale {
		s := strconv.Itoa(i + 1)
		if scale > 0 {
			s += ".5"
		}
		return s
	}
	return "0." + strconv.Itoa(i+1)
}

func decimalBad(f Field) []Bad {
	digits, scale := decimalSize(f.Arg)
	bad := []Bad{
		{`"many"`, "type"},
		{strconv.Quote("1" + strings.Repeat("0", digits-scale)), "decimal"},
	}
	if f.Is("max") {
		bad = bad[:1]
	}
	if !f.Is("min") && !f.Is("max") {
		bad = append(bad, Bad{strconv.Quote("0." + strings.Repeat("0", scale) + "1"), "decimal"})
	}
	step := rational(decimalStep(f))
	for mod, text := range outsideLimits(f, step) {
		if _, err := decimal(f, text); err == nil {
			bad = append(bad, Bad{strconv.Quote(text), mod})
		}
	}
	return bad
}

// numberSample counts up from min, or down from max, or up from step.
func numberSample(step float64) func(Field, int) string {
	return func(f Field, i int) string {
		return rationalText(sampleWithin(f, rational(strconv.FormatFloat(step, 'f', -1, 64)), i))
	}
}

func numberEdges(f Field) []Value {
	row := f.Row()
	var values []Value
	for _, mod := range []string{"min", "max"} {
		if text, ok := f.Mods[mod]; ok {
			if v, err := row.parse(f, text); err == nil {
				values = append(values, v)
			}
		}
	}
	return values
}

func numberBad(step float64) func(Field) []Bad {
	return func(f Field) []Bad {
		bad := []Bad{{`"many"`, "type"}}
		for mod, text := range outsideLimits(f, rational(strconv.FormatFloat(step, 'f', -1, 64))) {
			if _, err := f.Row().parse(f, text); err == nil {
				bad = append(bad, Bad{text, mod})
			}
		}
		return bad
	}
}

func duration(f Field, s string) (Value, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return Value{}, fmt.Errorf("%q is not a duration such as 1h30m", s)
	}
	nanoseconds := strconv.FormatInt(int64(d), 10)
	return Value{Text: d.String(), JSON: strconv.Quote(d.String()), Go: durationGo(d), Cell: nanoseconds}, nil
}

func durationGo(d time.Duration) string {
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"time.Hour", time.Hour}, {"time.Minute", time.Minute}, {"time.Second", time.Second}, {"time.Millisecond", time.Millisecond}} {
		if d%unit.of == 0 && d != 0 {
			return fmt.Sprintf("db.Duration(%d * %s)", d/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("db.Duration(%d)", d)
}

// durationRules writes the limits in nanoseconds, the unit of db.Duration.
func durationRules(f Field) []string {
	var rules []string
	for _, mod := range []string{"min", "max"} {
		if d, err := time.ParseDuration(f.Mods[mod]); err == nil {
			rules = append(rules, fmt.Sprintf("%s=%d", mod, int64(d)))
		}
	}
	return rules
}

func durationSample(f Field, i int) string {
	least, _ := time.ParseDuration(f.Mods["min"])
	step := time.Minute
	if most, err := time.ParseDuration(f.Mods["max"]); err == nil {
		if !f.Is("min") {
			least = min(0, most-Rows*step)
		}
		step = min(step, max((most-least)/(Rows+1), 1))
	}
	return (least + time.Duration(i+1)*step).String()
}

func durationBad(f Field) []Bad {
	bad := []Bad{{"90", "type"}}
	if d, err := time.ParseDuration(f.Mods["min"]); err == nil && d > math.MinInt64 {
		bad = append(bad, Bad{strconv.Quote((d - 1).String()), "min"})
	}
	if d, err := time.ParseDuration(f.Mods["max"]); err == nil && d < math.MaxInt64 {
		bad = append(bad, Bad{strconv.Quote((d + 1).String()), "max"})
	}
	return bad
}

// Other types.

func wrongType(json string) func(Field) []Bad {
	return func(Field) []Bad { return []Bad{{json, "type"}} }
}

func oneOf(values ...string) func(Field, int) string {
	return func(_ Field, i int) string { return values[i%len(values)] }
}

func boolean(f Field, s string) (Value, error) {
	if s != "true" && s != "false" {
		return Value{}, fmt.Errorf("%q is neither true nor false", s)
	}
	return Value{s, s, s, s}, nil
}

func date(f Field, s string) (Value, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return Value{}, fmt.Errorf("%q is not a date such as 2026-01-31", s)
	}
	return Value{Text: s, JSON: strconv.Quote(s), Go: fmt.Sprintf("db.NewDate(%d, %d, %d)", t.Year(), int(t.Month()), t.Day())}, nil
}

func clock(f Field, s string) (Value, error) {
	t, err := time.Parse(time.TimeOnly, s)
	if err != nil {
		t, err = time.Parse("15:04", s)
	}
	if err != nil {
		return Value{}, fmt.Errorf("%q is not a time of day such as 09:30:00", s)
	}
	s = t.Format(time.TimeOnly)
	return Value{Text: s, JSON: strconv.Quote(s), Go: fmt.Sprintf("db.NewClock(%d, %d, %d)", t.Hour(), t.Minute(), t.Second())}, nil
}

func datetime(f Field, s string) (Value, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Nanosecond() != 0 {
		return Value{}, fmt.Errorf("%q is not a time such as 2026-01-31T09:30:00Z", s)
	}
	t = t.UTC()
	s = t.Format(time.RFC3339)
	return Value{
		Text: s, JSON: strconv.Quote(s),
		Go: fmt.Sprintf("time.Date(%d, %d, %d, %d, %d, %d, 0, time.UTC)", t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()),
	}, nil
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func uuid(f Field, s string) (Value, error) {
	s = strings.ToLower(s)
	if !uuidForm.MatchString(s) {
		return Value{}, fmt.Errorf("%q is not a UUID", s)
	}
	return Value{Text: s, JSON: strconv.Quote(s), Go: "uuid.MustParse(" + strconv.Quote(s) + ")"}, nil
}

func anyJSON(f Field, s string) (Value, error) {
	if !json.Valid([]byte(s)) {
		return Value{}, fmt.Errorf("%q is not JSON", s)
	}
	return Value{Text: s, JSON: "json.RawMessage(" + rawString(s) + ")", Go: "db.JSON(" + rawString(s) + ")"}, nil
}

func rawString(s string) string {
	if strings.Contains(s, "`") {
		return strconv.Quote(s)
	}
	return "`" + s + "`"
}

func binary(f Field, s string) (Value, error) {
	return Value{Text: s, JSON: strconv.Quote(base64.StdEncoding.EncodeToString([]byte(s))), Go: fmt.Sprintf("[]byte(%q)", s)}, nil
}

func bytesEdges(f Field) []Value {
	var values []Value
	for _, mod := range []string{"min", "max", "len"} {
		if n := f.number(mod); n >= 0 && n <= Long {
			values = append(values, Value{JSON: fmt.Sprintf("make([]byte, %d)", n)})
		}
	}
	return values
}

func bytesBad(f Field) []Bad {
	bad := []Bad{{`"not base64!"`, "type"}}
	for mod, by := range map[string]int{"min": -1, "len": 1, "max": 1} {
		if n := f.number(mod); n+by >= 0 && n >= 0 && n <= Long {
			bad = append(bad, Bad{fmt.Sprintf("make([]byte, %d)", n+by), mod})
		}
	}
	slices.SortFunc(bad[1:], func(a, b Bad) int { return strings.Compare(a.Rule, b.Rule) })
	return bad
}

var enumValue = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

func enumArg(arg string) (string, error) {
	values := strings.Split(arg, "/")
	for i, v := range values {
		if !enumValue.MatchString(v) {
			return "", fmt.Errorf("%q cannot be a value of an enum: letters, digits, _ . and -, at most 64", v)
		}
		if slices.Contains(values[:i], v) {
			return "", fmt.Errorf("the value %q is repeated", v)
		}
	}
	return arg, nil
}

func enumColumn(f Field) string {
	tag := fmt.Sprintf("size:%d", f.Length())
	if Reserved(f.Column()) {
		// A check contains the name of its column, and no quoting of a reserved word works
		// on all databases.
		return tag
	}
	return tag + ";check:" + f.Column() + " IN ('" + strings.ReplaceAll(f.Arg, "/", "','") + "')"
}

func enumRules(f Field) []string {
	return []string{"oneof=" + strings.ReplaceAll(f.Arg, "/", " ")}
}

func enumSample(f Field, i int) string {
	values := strings.Split(f.Arg, "/")
	return values[i%len(values)]
}

func enumBad(f Field) []Bad {
	bad := []Bad{{"1", "type"}, {`"none of them"`, "oneof"}}
	if !f.Is("optional") {
		bad = append(bad, Bad{`""`, "required"})
	}
	return bad
}

func tableArg(arg string) (string, error) {
	table := Snake(arg)
	if table == "" {
		return "", fmt.Errorf("%q is not a table's name", clip(arg))
	}
	return Plural(table), nil
}

// Uploads.

// uploadNames have the form of names that the store generates.
var uploadNames = []string{"alphaaaaaaaaaaaaaaaaaaaaaa.png", "bravoaaaaaaaaaaaaaaaaaaaaa.png", "charlieaaaaaaaaaaaaaaaaaaa.png"}

// Names of that form for tests: of no upload, and of another user's upload.
const (
	NoUpload     = "zuluaaaaaaaaaaaaaaaaaaaaaa.png"
	OthersUpload = "yankeeaaaaaaaaaaaaaaaaaaaa.png"
)

func upload(f Field, s string) (Value, error) {
	v, err := text(nil)(f, s)
	v.Go = "files.Name(" + v.Go + ")"
	return v, err
}

func uploadBad(f Field) []Bad {
	return append(textBad("", "%s")(f), Bad{strconv.Quote(NoUpload), "exists"})
}
