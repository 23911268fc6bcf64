package spec

import "strings"

// natives returns the types of existing columns that no other type represents. Users
// cannot type them; only adopt records them.
func natives() []Type {
	return []Type{
		{
			Name: "char", Doc: "a text that the database fills up with spaces",
			Go: "db.Char", Imports: []string{dbImport}, Zero: `""`, Plain: true, Filters: "equal", length: 255,
			mods:   "unique index search sort filter default min max len pattern secret",
			limits: textLimits(16000), column: charColumn, rules: textRules(), parse: char, sample: textSample("%s"), bad: textBad("", "%s"),
		},
		{
			Name: "native", Arg: "must", Form: "TYPE", Doc: "a value of the database's own type, as text",
			Go: "string", Zero: `""`, Plain: true, length: 16000,
			column: nativeColumn, rules: textRules(), parse: text(nil), sample: nativeSample,
		},
	}
}

func charColumn(f Field) string { return "type:char(" + f.Mods["max"] + ")" }

func char(f Field, s string) (Value, error) {
	v, err := text(nil)(f, s)
	v.Go = "db.Char(" + v.Go + ")"
	return v, err
}

func nativeColumn(f Field) string { return "type:" + strings.ReplaceAll(f.Arg, "_", " ") }

// nativeSamples has values in the database's own notation, of types whose values can be
// written as text.
var nativeSamples = map[string][]string{
	"inet":     {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"},
	"cidr":     {"10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24"},
	"macaddr":  {"08:00:2b:01:02:03", "08:00:2b:01:02:04", "08:00:2b:01:02:05", "08:00:2b:01:02:06"},
	"interval": {"01:00:00", "02:00:00", "03:00:00", "04:00:00"},
	"money":    {"$1.00", "$2.00", "$3.00", "$4.00"},
	"numeric":  {"1.5", "2.5", "3.5", "4.5"},
}

// Writable reports whether values of a native type can be written as text. Fields of other
// native types are read-only.
func Writable(native string) bool { return len(nativeSamples[native]) > 0 }

func nativeSample(f Field, i int) string {
	samples := nativeSamples[f.Arg]
	if len(samples) == 0 {
		return ""
	}
	return samples[i%len(samples)]
}
