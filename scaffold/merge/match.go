package merge

import (
	"slices"
	"sort"
)

// Match pairs equal lines of a and b, in the order of both: line i of a is line result[i]
// of b, or has no match if that is -1.
//
// It uses patience diff: lines that are unique on both sides are anchors (their longest
// increasing sequence), and the lines between two anchors are matched recursively. This
// keeps functions together where a shortest edit script would pair their closing braces,
// and takes O(n log n).
func Match(a, b []string) []int {
	pairs := make([]int, len(a))
	for i := range pairs {
		pairs[i] = -1
	}
	between(a, b, 0, 0, pairs)
	return pairs
}

// between matches a part of each text, starting at a0 and b0.
func between(a, b []string, a0, b0 int, pairs []int) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		pairs[a0] = b0
		a, b, a0, b0 = a[1:], b[1:], a0+1, b0+1
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
		pairs[a0+len(a)] = b0 + len(b)
	}
	if len(a) == 0 || len(b) == 0 {
		return
	}
	fixed := anchors(a, b)
	if len(fixed) == 0 {
		longest(a, b, a0, b0, pairs)
		return
	}
	i, j := 0, 0
	for _, p := range append(fixed, pair{len(a), len(b)}) {
		between(a[i:p.a], b[j:p.b], a0+i, b0+j, pairs)
		if p.a < len(a) {
			pairs[a0+p.a] = b0 + p.b
		}
		i, j = p.a+1, p.b+1
	}
}

type pair struct{ a, b int }

// anchors returns the longest increasing sequence of lines unique in both a and b.
func anchors(a, b []string) []pair {
	type seen struct{ inA, inB, atB int }
	count := make(map[string]seen, len(a))
	for _, line := range a {
		s := count[line]
		s.inA++
		count[line] = s
	}
	for j, line := range b {
		if s, ok := count[line]; ok {
			s.inB++
			s.atB = j
			count[line] = s
		}
	}
	// Patience sorting: piles has the index of the last pair of the best sequence of each
	// length, before the predecessor of each pair.
	var unique []pair
	var piles, before []int
	for i, line := range a {
		s := count[line]
		if s.inA != 1 || s.inB != 1 {
			continue
		}
		at := sort.Search(len(piles), func(k int) bool { return unique[piles[k]].b >= s.atB })
		previous := -1
		if at > 0 {
			previous = piles[at-1]
		}
		if at == len(piles) {
			piles = append(piles, 0)
		}
		piles[at] = len(unique)
		before = append(before, previous)
		unique = append(unique, pair{i, s.atB})
	}
	if len(piles) == 0 {
		return nil
	}
	var run []pair
	for k := piles[len(piles)-1]; k >= 0; k = before[k] {
		run = append(run, unique[k])
	}
	slices.Reverse(run)
	return run
}

// cells bounds the work of longest; a larger block counts as changed entirely.
const cells = 1 << 20

// longest matches a longest common subsequence of two blocks without common unique lines.
func longest(a, b []string, a0, b0 int, pairs []int) {
	if len(a)*len(b) > cells {
		return
	}
	width := len(b) + 1
	length := make([]int32, (len(a)+1)*width) // of the best sequence from (i, j) on
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pairs[a0+i] = b0 + j
			i, j = i+1, j+1
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
}
