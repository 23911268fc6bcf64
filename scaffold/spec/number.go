package spec

import (
	"iter"
	"math/big"
)

// rational parses a number exactly. It returns 0 for anything else.
func rational(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return new(big.Rat)
	}
	return r
}

// rationalText formats a number with as many decimals as it has.
func rationalText(r *big.Rat) string {
	n, _ := r.FloatPrec()
	return r.FloatString(n)
}

// sampleWithin returns the i-th number within the field's limits: counting up from min,
// down from max if there is no min, and up from zero if there is neither.
func sampleWithin(f Field, step *big.Rat, i int) *big.Rat {
	steps := new(big.Rat).Mul(step, big.NewRat(int64(i+1), 1))
	switch {
	case f.Is("min"):
		return steps.Add(steps.Sub(steps, step), rational(f.Mods["min"]))
	case f.Is("max") && rational(f.Mods["max"]).Cmp(big.NewRat(Rows, 1)) < 0:
		return new(big.Rat).Sub(rational(f.Mods["max"]), steps.Sub(steps, step))
	}
	return steps
}

// outsideLimits yields the numbers one step outside the field's limits, keyed by the
// limit.
func outsideLimits(f Field, step *big.Rat) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if f.Is("min") && !yield("min", rationalText(new(big.Rat).Sub(rational(f.Mods["min"]), step))) {
			return
		}
		if f.Is("max") {
			yield("max", rationalText(new(big.Rat).Add(rational(f.Mods["max"]), step)))
		}
	}
}
