package spec

import (
	"fmt"
	"strconv"
)

// money is the row of the type money.
func money() Type {
	return Type{
		Name: "money", Doc: "an amount with two digits behind the point: 12.50",
		Go: "db.Money", Zero: "0", Imports: []string{dbImport}, Filters: "range",
		mods:   "unique index sort filter default min max array",
		limits: numberLimits, column: typed(""), rules: moneyRules, parse: parseMoney,
		sample: decimalOfCents, edges: numberEdges, empty: numberZero, bad: moneyBad,
	}
}

// cents reads an amount as a word writes it.
func cents(s string) (int64, error) {
	f, err := strconv.ParseFloat(s, 64)
	n := int64(f*100 + 0.5)
	if f < 0 {
		n = int64(f*100 - 0.5)
	}
	if err != nil || !number.MatchString(s) {
		return 0, fmt.Errorf("%q is not an amount such as 12.50", s)
	}
	return n, nil
}

func amount(n int64) string { return rationalText(rational(fmt.Sprintf("%d/100", n))) }

func parseMoney(_ Field, s string) (Value, error) {
	n, err := cents(s)
	if err != nil {
		return Value{}, err
	}
	text := rational(fmt.Sprintf("%d/100", n)).FloatString(2)
	return Value{Text: amount(n), JSON: strconv.Quote(text), Go: fmt.Sprintf("db.Money(%d)", n), Cell: strconv.FormatInt(n, 10)}, nil
}

// moneyRules count in cents, which is what a db.Money holds.
func moneyRules(f Field) (rules []string) {
	for _, mod := range []string{"min", "max"} {
		if n, err := cents(f.Mods[mod]); err == nil {
			rules = append(rules, fmt.Sprintf("%s=%d", mod, n))
		}
	}
	return rules
}

func decimalOfCents(f Field, i int) string { return rationalText(sampleWithin(f, rational("0.5"), i)) }

func moneyBad(f Field) []Bad {
	bad := []Bad{{`"many"`, "type"}, {`"0.001"`, "type"}}
	for mod, text := range outsideLimits(f, rational("0.01")) {
		bad = append(bad, Bad{strconv.Quote(text), mod})
	}
	return bad
}
