package form

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func questions() []Question {
	return []Question{
		{Key: "name", Title: "Name?", Help: "a word", Check: func(given Answers) error {
			if answer := given.One("name"); strings.ContainsAny(answer, " ") || answer == "" {
				return errors.New("one word only")
			}
			return nil
		}},
		{Key: "kind", Title: "Kind?", Kind: Choice, Choices: []string{"big", "small"}, Default: []string{"small"}},
		{Key: "size", Title: "Size?", Default: []string{"9"}, When: func(given Answers) bool { return given.One("kind") == "big" },
			Check: func(given Answers) error {
				if given.One("size") == given.One("name") {
					return errors.New("the name again")
				}
				return nil
			}},
		{Key: "parts", Title: "Parts?", Kind: Many, Choices: []string{"a", "b", "c"}, Default: []string{"b"},
			Check: func(given Answers) error {
				if given.One("name") == "single" && len(given["parts"]) > 1 {
					return errors.New("one part only")
				}
				return nil
			}},
		{Key: "sure", Title: "Sure?", Kind: Confirm, Default: []string{"yes"}},
	}
}

func TestByLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, typed string
		want        Answers // nil: cancelled
		shown       string
	}{
		{"defaults", "x\n\n0\n\n", Answers{"name": {"x"}, "kind": {"small"}, "parts": {"b"}, "sure": {"yes"}}, "a word"},
		{"every answer", "x\n1\n8\n1\n3\n0\nn\n",
			Answers{"name": {"x"}, "kind": {"big"}, "size": {"8"}, "parts": {"a", "b", "c"}, "sure": {"no"}}, "0 to continue"},
		{"none of many", "x\n\n2\n0\ny\n", Answers{"name": {"x"}, "kind": {"small"}, "parts": {}, "sure": {"yes"}}, ""},
		{"rejected, then valid", "a b\nx\n\n0\n\n", Answers{"name": {"x"}, "kind": {"small"}, "parts": {"b"}, "sure": {"yes"}}, "one word only"},
		{"rejected because of an earlier answer", "x\n1\nx\n7\n0\n\n", Answers{"name": {"x"}, "kind": {"big"}, "size": {"7"}, "parts": {"b"}, "sure": {"yes"}}, "the name again"},
		{"rejected choices", "single\n\n1\n0\n1\n0\n\n", Answers{"name": {"single"}, "kind": {"small"}, "parts": {"b"}, "sure": {"yes"}}, "one part only"},
		{"not a number", "x\nbig\n1\n\n0\n\n", Answers{"name": {"x"}, "kind": {"big"}, "size": {"9"}, "parts": {"b"}, "sure": {"yes"}}, "between 1 and 2"},
		{"empty input", "", nil, ""},
		{"ends at a choice", "x\n", nil, ""},
		{"ends at many", "x\n2\n1\n", nil, ""},
		{"ends at the last", "x\n2\n0\n", nil, ""},
		{"ends after a rejected answer", "a b\n", nil, "one word only"},
		{"ends after rejected choices", "single\n\n1\n0\n", nil, "one part only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			got, err := Ask(context.Background(), strings.NewReader(c.typed), &out, true, questions())
			if (c.want == nil) != errors.Is(err, ErrCancelled) || c.want != nil && err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			for key, words := range c.want { // an empty list may be nil
				if len(words) != len(got[key]) || len(words) > 0 && !reflect.DeepEqual(words, got[key]) {
					t.Errorf("%s: got %q, want %q", key, got[key], words)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if !strings.Contains(out.String(), c.shown) || strings.Contains(out.String(), "\x1b[") {
				t.Errorf("output lacks %q or has colours:\n%q", c.shown, out.String())
			}
		})
	}
}

// A later Ask continues where the previous one stopped reading.
func TestByLineDoesNotReadAhead(t *testing.T) {
	t.Parallel()
	in := strings.NewReader("x\n\n0\n\nrest\n")
	if _, err := Ask(context.Background(), in, io.Discard, true, questions()); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(in); string(rest) != "rest\n" {
		t.Errorf("left: %q", rest)
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, accessible := range []bool{true, false} {
		in, keep := io.Pipe()
		defer keep.Close()
		ctx, cancel := context.WithCancel(context.Background())
		out := newScreen()
		go func() {
			out.waitFor(t, "Name")
			cancel()
		}()
		if got, err := Ask(ctx, in, out, accessible, questions()); !errors.Is(err, ErrCancelled) || got != nil {
			t.Errorf("accessible %v: %v, %v", accessible, got, err)
		}
	}
}

// screen records what was drawn, without colours.
type screen struct {
	mu    sync.Mutex
	drawn string
	more  chan struct{}
}

func newScreen() *screen { return &screen{more: make(chan struct{}, 1)} }

var escape = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.drawn += escape.ReplaceAllString(string(p), "")
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

// waitFor waits until text has been drawn, and drops everything up to its end.
func (s *screen) waitFor(t *testing.T, text string) {
	deadline := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		at := strings.Index(s.drawn, text)
		if at >= 0 {
			s.drawn = s.drawn[at+len(text):]
		}
		seen := s.drawn
		s.mu.Unlock()
		if at >= 0 {
			return
		}
		select {
		case <-s.more:
		case <-deadline:
			t.Errorf("%q was never drawn, after:\n%s", text, seen)
			return
		}
	}
}

// key is a key press and the text to wait for before it.
type key struct{ seen, press string }

const (
	enter = "\r"
	back  = "\x1b[Z"
	down  = "\x1b[B"
	wipe  = "\x15"
	ctrlC = "\x03"
)

func TestOnScreen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		keys []key
		want Answers // nil: cancelled
	}{
		{"every question", []key{{"Name?", "x" + enter}, {"Kind?", "\x1b[A" + enter}, {"Size?", enter}, {"Parts?", "x" + enter}, {"Sure?", "n"}},
			Answers{"name": {"x"}, "kind": {"big"}, "size": {"9"}, "parts": {"a", "b"}, "sure": {"no"}}},
		{"a skipped question", []key{{"Name?", "x" + enter}, {"Kind?", enter}, {"Parts?", enter}, {"[ Yes ]", "\x1b[C"}, {"[ No ]", enter}},
			Answers{"name": {"x"}, "kind": {"small"}, "parts": {"b"}, "sure": {"no"}}},
		{"rejected inline", []key{{"Name?", "a b" + enter}, {"one word only", wipe + "x" + enter}, {"Kind?", enter}, {"Parts?", enter}, {"Sure?", enter}},
			Answers{"name": {"x"}, "kind": {"small"}, "parts": {"b"}, "sure": {"yes"}}},
		{"rejected choices", []key{{"Name?", "single" + enter}, {"Kind?", enter}, {"Parts?", "x" + enter}, {"one part only", "x" + enter}, {"Sure?", enter}},
			Answers{"name": {"single"}, "kind": {"small"}, "parts": {"b"}, "sure": {"yes"}}},
		{"back and change an answer", []key{{"Name?", "x" + enter}, {"Kind?", back}, {"Name?", wipe + "y" + enter}, {"Kind?", enter}, {"Parts?", enter}, {"Sure?", enter}},
			Answers{"name": {"y"}, "kind": {"small"}, "parts": {"b"}, "sure": {"yes"}}},
		{"ctrl-c at the first", []key{{"Name?", ctrlC}}, nil},
		{"ctrl-c at a choice", []key{{"Name?", "x" + enter}, {"Kind?", down + ctrlC}}, nil},
		{"ctrl-c at the last", []key{{"Name?", "x" + enter}, {"Kind?", enter}, {"Parts?", enter}, {"Sure?", ctrlC}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in, typing := io.Pipe()
			defer in.Close()
			out := newScreen()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() {
				for _, k := range c.keys {
					if out.waitFor(t, k.seen); t.Failed() {
						cancel()
					}
					if _, err := io.WriteString(typing, k.press); err != nil {
						return
					}
				}
			}()
			got, err := Ask(ctx, in, out, false, questions())
			if c.want == nil {
				if !errors.Is(err, ErrCancelled) {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}
