package merge

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestMerge(t *testing.T) {
	const base = "one\ntwo\nthree\nfour\nfive\n"
	conflict := func(yours, theirs string) string {
		return MarkYours + "\n" + yours + MarkMiddle + "\n" + theirs + MarkTheirs + "\n"
	}
	for _, c := range []struct {
		name, base, yours, theirs, want string
		conflict                        bool
	}{
		{name: "both sides in different places", base: base,
			yours: "one\n2\nthree\nfour\nfive\n", theirs: "one\ntwo\nthree\nfour\n5\nsix\n",
			want: "one\n2\nthree\nfour\n5\nsix\n"},
		{name: "the same change twice", base: base,
			yours: "one\n2\nthree\nfour\n5\n", theirs: "one\n2\nthree\nfour\nfive\n",
			want: "one\n2\nthree\nfour\n5\n"},
		{name: "a line changed in two ways", base: base,
			yours: "one\nTWO\nthree\nfour\nfive\n", theirs: "one\n2\nthree\nfour\nfive\n",
			want: "one\n" + conflict("TWO\n", "2\n") + "three\nfour\nfive\n", conflict: true},
		{name: "only what differs stands between markers", base: base,
			yours: "one\na\nTWO\nb\nthree\nfour\nfive\n", theirs: "one\na\n2\nb\nthree\nfour\nfive\n",
			want: "one\na\n" + conflict("TWO\n", "2\n") + "b\nthree\nfour\nfive\n", conflict: true},
		{name: "dropped by theirs, changed by yours", base: base,
			yours: "one\nTWO\nthree\nfour\nfive\n", theirs: "one\nthree\nfour\nfive\n",
			want: "one\n" + conflict("TWO\n", "") + "three\nfour\nfive\n", conflict: true},
		{name: "dropped by theirs, left by yours", base: base,
			yours: "zero\none\ntwo\nthree\nfour\nfive\n", theirs: "one\ntwo\nthree\nfive\n",
			want: "zero\none\ntwo\nthree\nfive\n"},
		{name: "no base", base: "", yours: "a\nb\nc\n", theirs: "a\nB\nc\n",
			want: "a\n" + conflict("b\n", "B\n") + "c\n", conflict: true},
		{name: "crlf of yours", base: base,
			yours: "one\r\ntwo\r\nthree\r\nfour\r\nFIVE\r\n", theirs: "ONE\ntwo\nthree\nfour\nfive\n",
			want: "ONE\r\ntwo\r\nthree\r\nfour\r\nFIVE\r\n"},
		{name: "crlf all over", base: "one\r\ntwo\r\nthree\r\n",
			yours: "one\r\ntwo\r\nTHREE\r\n", theirs: "ONE\r\ntwo\r\nthree\r\n",
			want: "ONE\r\ntwo\r\nTHREE\r\n"},
		{name: "crlf of base and yours, alike", base: "one\r\ntwo\r\n", yours: "one\r\ntwo\r\n", theirs: "one\n2\n",
			want: "one\r\n2\r\n"},
		{name: "no last newline in yours", base: base,
			yours: "one\ntwo\nthree\nfour\nfive", theirs: "ONE\ntwo\nthree\nfour\nfive\n",
			want: "ONE\ntwo\nthree\nfour\nfive"},
		{name: "no last newline in theirs", base: base,
			yours: "ONE\ntwo\nthree\nfour\nfive\n", theirs: "one\ntwo\nthree\nfour\nfive",
			want: "ONE\ntwo\nthree\nfour\nfive"},
		{name: "markers keep their own lines without last newline", base: "a",
			yours: "b", theirs: "c", want: strings.TrimSuffix(conflict("b\n", "c\n"), "\n"), conflict: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, conflict := Merge([]byte(c.base), []byte(c.yours), []byte(c.theirs))
			if string(got) != c.want || conflict != c.conflict {
				t.Errorf("conflict %v, got:\n%q\nwant:\n%q", conflict, got, c.want)
			}
		})
	}
}

func TestFunctionsStayTogether(t *testing.T) {
	const base = "func a() {\n\tx()\n}\n\nfunc c() {\n\tz()\n}\n"
	yours := strings.Replace(base, "func c", "func b() {\n\ty()\n}\n\nfunc c", 1)
	theirs := strings.Replace(base, "z()", "z(1)", 1)
	got, conflict := Merge([]byte(base), []byte(yours), []byte(theirs))
	if want := strings.Replace(yours, "z()", "z(1)", 1); conflict || string(got) != want {
		t.Errorf("conflict %v, got:\n%s", conflict, got)
	}
}

// Texts of 5,000 lines, including the worst cases: no common lines, or only repeated
// lines.
func TestLargeTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	lines := func(n, words int) []byte {
		var b bytes.Buffer
		for range n {
			fmt.Fprintf(&b, "line %d\n", random.IntN(words))
		}
		return b.Bytes()
	}
	for _, words := range []int{1, 3, 500, 1 << 30} {
		start := time.Now()
		Merge(lines(5000, words), lines(5000, words), lines(5000, words))
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%d different lines: %v", words, took)
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	var base bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&base, "\tline %d\n}\n", i)
	}
	yours := bytes.ReplaceAll(base.Bytes(), []byte("line 42"), []byte("mine"))
	theirs := bytes.ReplaceAll(base.Bytes(), []byte("line 77"), []byte("new"))
	for b.Loop() {
		Merge(base.Bytes(), yours, theirs)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nx\nc\n", "a\nb\nd\n")
	f.Add("a\r\nb\r\n", "a\r\nb", "\n\n")
	f.Add("", "a", "\r\n")
	f.Add("}\n}\n}\n", "}\nx\n}\n", "}\n}\ny\n}\n")
	f.Fuzz(func(t *testing.T, base, yours, theirs string) {
		merge := func(b, y, n string) (string, bool) {
			text, conflict := Merge([]byte(b), []byte(y), []byte(n))
			return string(text), conflict
		}
		same := func(rule, want string, b, y, n string) {
			if got, conflict := merge(b, y, n); got != want || conflict {
				t.Errorf("%s: %q, conflict %v, want %q", rule, got, conflict, want)
			}
		}
		same("merge(b,b,n)=n, in the line ends of b", string(Like([]byte(theirs), []byte(base))), base, base, theirs)
		same("merge(b,y,b)=y", yours, base, yours, base)
		same("merge(b,x,x)=x", yours, base, yours, yours)

		got, conflict := merge(base, yours, theirs)
		if again, _ := merge(base, yours, theirs); again != got {
			t.Errorf("two merges differ: %q, %q", got, again)
		}
		count := func(s, line string) (n int) {
			for l := range strings.Lines(s) {
				if strings.TrimRight(l, "\r\n") == line {
					n++
				}
			}
			return n
		}
		for l := range strings.Lines(yours) {
			line := strings.TrimRight(l, "\r\n")
			if count(base, line) == 0 && count(got, line) < count(yours, line) {
				t.Errorf("lost line %q of yours: %q", line, got)
			}
		}
		if conflict {
			for l := range strings.Lines(theirs) {
				line := strings.TrimRight(l, "\r\n")
				if count(base, line) == 0 && count(got, line) == 0 {
					t.Errorf("line %q of theirs is missing: %q", line, got)
				}
			}
		}
	})
}
