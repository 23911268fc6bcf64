package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFile(t *testing.T) {
	const base, now = "a\nb\nc\nd\n", "a\nb\nc\nD\n"
	const none = "\x00absent"
	for _, c := range []struct {
		name, disk, base, now string
		kind                  Kind
		after, record, note   string // record: what Op.Base holds
	}{
		{"new file", none, none, now, Create, now, now, ""},
		{"new empty file", none, none, "", Create, "", "", ""},
		{"untouched", base, base, now, Update, now, now, ""},
		{"already so", now, base, now, Identical, now, now, ""},
		{"already so, unknown", now, none, now, Identical, now, now, ""},
		{"nothing new", "mine\n", base, base, Identical, "mine\n", base, ""},
		{"both, apart", "A\nb\nc\nd\n", base, now, Update, "A\nb\nc\nD\n", now, ""},
		{"both, the same", "A\nb\nc\nD\n", base, "A\nb\nc\nD\n", Identical, "A\nb\nc\nD\n", "A\nb\nc\nD\n", ""},
		{"mine has it all", "A\nb\nc\nD\n", base, now, Identical, "A\nb\nc\nD\n", now, ""},
		{"both, at once", "a\nb\nc\n4\n", base, now, Conflict,
			"a\nb\nc\n<<<<<<< yours\n4\n=======\nD\n>>>>>>> nexios\n", now, "same lines"},
		{"another file there", "x\n", none, "y\n", Conflict,
			"<<<<<<< yours\nx\n=======\ny\n>>>>>>> nexios\n", "y\n", "already exists"},
		{"crlf on disk, untouched", "a\r\nb\r\nc\r\nd\r\n", base, now, Update, "a\r\nb\r\nc\r\nD\r\n", now, ""},
		{"crlf on disk, already so", "a\r\nb\r\nc\r\nD\r\n", base, now, Identical, "a\r\nb\r\nc\r\nD\r\n", now, ""},
		{"crlf all over", "a\r\nb\r\nc\r\nd\r\n", "a\r\nb\r\nc\r\nd\r\n", now, Update, "a\r\nb\r\nc\r\nD\r\n", "a\r\nb\r\nc\r\nD\r\n", ""},
		{"crlf all over, nothing new", "a\r\nb\r\n", "a\r\nb\r\n", "a\nb\n", Identical, "a\r\nb\r\n", "a\r\nb\r\n", ""},
		{"deleted by the owner", none, base, now, Note, none, none, "you deleted"},
		{"deleted by the owner, nothing new", none, base, base, Identical, none, base, ""},
		{"no longer wanted", base, base, none, Delete, none, none, ""},
		{"no longer wanted, crlf", "a\r\nb\r\nc\r\nd\r\n", base, none, Delete, none, none, ""},
		{"no longer wanted, edited", "mine\n", base, none, Conflict, none, none, "you edited"},
		{"no longer wanted, unknown", "mine\n", none, none, Conflict, none, none, "you edited"},
		{"no longer wanted, gone", none, base, none, Identical, none, none, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := func(s string) []byte {
				if s == none {
					return nil
				}
				return []byte(s)
			}
			equal := func(what string, got []byte, want string) {
				if !bytes.Equal(got, text(want)) || (got == nil) != (want == none) {
					t.Errorf("%s: got %q, want %q", what, got, want)
				}
			}
			op := File("a.txt", text(c.disk), text(c.base), text(c.now))
			if op.Kind != c.kind || !strings.Contains(op.Note, c.note) || c.note == "" && op.Note != "" {
				t.Errorf("got %s %q, want %s %q", op.Kind, op.Note, c.kind, c.note)
			}
			equal("before", op.Before, c.disk)
			equal("after", op.After, c.after)
			equal("base", op.Base, c.record)
		})
	}
}

func example() Plan {
	long := strings.Repeat("long/", 20) + "name.go"
	return New(
		Op{Kind: Then, Note: "go mod tidy"},
		Op{Kind: Then, Note: "blog migrate up"},
		Op{Kind: Note, Path: "internal/app/modules.go", Note: "no function modules returning a list found, so this line was not added; put it where your modules are listed:\n\n\tposts.Module(gdb).Under(api),"},
		Op{Kind: Update, Path: "b.go", Before: []byte("package b\n\nvar x = 1\n"), After: []byte("package b\n\nvar x = 2\nvar y = 3\n")},
		Op{Kind: Update, Path: long, Before: []byte("x"), After: []byte("y\n")},
		Op{Kind: Create, Path: "a.go", After: []byte("package a\n")},
		Op{Kind: Identical, Path: "i.go", Before: []byte("x"), After: []byte("x")},
		Op{Kind: Identical, Path: "j.go"},
		Op{Kind: Delete, Path: "d.go", Before: []byte("package d\n\nfunc d() {}\n")},
		Op{Kind: Conflict, Path: "c.go", Before: []byte("x\n"), Note: "you edited this file, so it is not deleted"},
	)
}

func TestOrder(t *testing.T) {
	var got []string
	for _, op := range example().Ops {
		if len(op.Path) < 80 {
			got = append(got, strings.TrimSpace(string(op.Kind)+" "+op.Path))
		}
	}
	want := "create a.go, update b.go, conflict c.go, delete d.go, identical i.go, identical j.go, note internal/app/modules.go, then, then"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
	p := example()
	if !p.HasConflicts() || len(p.Changes()) != 4 || p.Of(Then)[0].Note != "go mod tidy" {
		t.Errorf("conflicts %v, %d changes, then %v", p.HasConflicts(), len(p.Changes()), p.Of(Then))
	}
}

func TestList(t *testing.T) {
	var b bytes.Buffer
	if err := example().List(&b, nil); err != nil {
		t.Fatal(err)
	}
	want := `  create     a.go
  update     b.go  +2 -1
  conflict   c.go
             you edited this file, so it is not deleted
  delete     d.go
  update     ` + strings.Repeat("long/", 20) + `name.go
  note       internal/app/modules.go
             no function modules returning a list found, so this line was not
             added; put it where your modules are listed:

                 posts.Module(gdb).Under(api),
  then       go mod tidy
  then       blog migrate up
  identical  2 files
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}

	var styled bytes.Buffer
	brackets := func(kind Kind, text string) string { return "[" + text + "]" }
	if err := example().List(&styled, brackets); err != nil {
		t.Fatal(err)
	}
	if plain := strings.NewReplacer("[", "", "]", "").Replace(styled.String()); plain != want || plain == styled.String() {
		t.Errorf("styled:\n%s", styled.String())
	}
}

// git apply turns the old texts into the new ones.
func TestDiff(t *testing.T) {
	ops := []Op{
		{Kind: Create, Path: "new.txt", After: []byte("a\nb\n")},
		{Kind: Create, Path: "one.txt", After: []byte("a")},
		{Kind: Delete, Path: "old.txt", Before: []byte("a\nb\n")},
		{Kind: Update, Path: "both.txt", Before: []byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"), After: []byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n11")},
		{Kind: Update, Path: "rewritten.txt", Before: []byte("a\nb\nc"), After: []byte("x\nb\nc\ny\n")},
		{Kind: Update, Path: "apart.txt", Before: numbers(40, ""), After: numbers(40, "9")},
		{Kind: Update, Path: "emptied.txt", Before: []byte("a\n"), After: []byte{}},
		{Kind: Update, Path: "filled.txt", Before: []byte{}, After: []byte("a\nb\n")},
		{Kind: Identical, Path: "same.txt", Before: []byte("a"), After: []byte("a")},
	}
	var b bytes.Buffer
	if err := New(ops...).Diff(&b, nil); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "same.txt") {
		t.Errorf("identical files have no diff:\n%s", b.String())
	}
	dir := t.TempDir()
	for _, op := range ops {
		if op.Before != nil {
			write(t, filepath.Join(dir, op.Path), op.Before)
		}
	}
	apply := exec.Command("git", "apply", "--unsafe-paths", "-")
	apply.Dir, apply.Stdin = dir, &b
	shown := b.String()
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("git apply: %v\n%s\n%s", err, out, shown)
	}
	for _, op := range ops {
		if got := read(t, filepath.Join(dir, op.Path)); !bytes.Equal(got, op.After) || (got == nil) != (op.After == nil) {
			t.Errorf("%s: got %q, want %q\n%s", op.Path, got, op.After, shown)
		}
	}
}

// numbers writes n lines, except those that end in a digit.
func numbers(n int, without string) []byte {
	var b bytes.Buffer
	for i := range n {
		if line := fmt.Sprint(i); without == "" || !strings.HasSuffix(line, without) {
			b.WriteString(line + "\n")
		}
	}
	return b.Bytes()
}

func TestDiffBinary(t *testing.T) {
	var b bytes.Buffer
	p := New(Op{Kind: Create, Path: "logo.png", After: []byte{0x89, 0, 1}},
		Op{Kind: Conflict, Path: "kept.txt", Before: []byte("mine\n"), Note: "you edited this file"})
	if err := p.Diff(&b, nil); err != nil {
		t.Fatal(err)
	}
	if want := "Binary files /dev/null and b/logo.png differ\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestDiffLargeRewrite(t *testing.T) {
	var before, after bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&before, "before %d\n", i)
		fmt.Fprintf(&after, "after %d\n", i)
	}
	start := time.Now()
	Op{Kind: Update, Path: "x", Before: before.Bytes(), After: after.Bytes()}.count()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestJSON(t *testing.T) {
	got, err := json.Marshal(New(
		Op{Kind: Create, Path: "run.sh", After: []byte("<&>"), Mode: 0o755, Base: []byte("<&>")},
		Op{Kind: Create, Path: "void.txt", After: []byte{}, Mode: 0o644},
		Op{Kind: Identical, Path: "same.txt", Before: []byte("a"), After: []byte("a")},
		Op{Kind: Delete, Path: "z.bin", Before: []byte{0xff}},
		Op{Kind: Then, Note: "go mod tidy"},
	))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"ops":[` +
		`{"kind":"create","path":"run.sh","after":"\u003c\u0026\u003e","mode":"0755"},` +
		`{"kind":"identical","path":"same.txt"},` +
		`{"kind":"create","path":"void.txt","after":""},` +
		`{"kind":"delete","path":"z.bin","before":"/w==","encoding":"base64"},` +
		`{"kind":"then","note":"go mod tidy"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, _ := json.Marshal(Plan{}); string(got) != `{"ops":[]}` {
		t.Errorf("empty plan: %s", got)
	}
}
