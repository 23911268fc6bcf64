// Package form asks a person questions on a terminal: []Question in, Answers
// out. It knows nothing of what the answers are for.
package form

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"
)

// Kind is how a question is answered.
type Kind int

// The kinds of question.
const (
	Text    Kind = iota // one line
	Choice              // one of Choices
	Many                // any of Choices
	Confirm             // "yes" or "no"
)

// Question is one thing to ask.
type Question struct {
	Key     string // names the answer
	Title   string
	Help    string // below the title; may be empty
	Kind    Kind
	Choices []string
	About   map[string]string // a few words on each choice; nil for none
	Default []string
	// Check refuses an answer, which is the last of those given; nil accepts all.
	Check func(given Answers) error
	// When says, from the answers before, whether to ask at all; nil always.
	When func(given Answers) bool
}

// Answers are the words given to each question asked, by key.
type Answers map[string][]string

// One returns the first word of an answer, "" when it was not asked.
func (a Answers) One(key string) string {
	if len(a[key]) == 0 {
		return ""
	}
	return a[key][0]
}

// ErrCancelled says that the person left without answering.
var ErrCancelled = errors.New("cancelled")

// Ask puts the questions in order and returns the answers, or ErrCancelled when
// the person pressed ctrl-c, the input ended or ctx was cancelled.
//
// On a screen one can go back with shift-tab; accessible asks by plain lines
// instead, for screen readers and terminals that cannot move the cursor.
func Ask(ctx context.Context, in io.Reader, out io.Writer, accessible bool, questions []Question) (Answers, error) {
	var s sheet
	for _, q := range questions {
		s = append(s, newEntry(q))
	}
	var err error
	if accessible {
		err = s.byLine(ctx, in, out)
	} else {
		err = s.onScreen(ctx, in, out)
	}
	if ctx.Err() != nil || errors.Is(err, huh.ErrUserAborted) {
		err = ErrCancelled
	}
	if err != nil {
		return nil, err
	}
	return s.given(len(s)), nil
}

// entry is a question with its answer so far.
type entry struct {
	Question
	one  string
	many []string
	yes  bool
}

func newEntry(q Question) *entry {
	e := &entry{Question: q, many: q.Default}
	if len(q.Default) > 0 {
		e.one, e.yes = q.Default[0], q.Default[0] == "yes"
	}
	return e
}

func (e *entry) words() []string {
	switch {
	case e.Kind == Many:
		return e.many
	case e.Kind == Confirm && e.yes:
		return []string{"yes"}
	case e.Kind == Confirm:
		return []string{"no"}
	}
	return []string{e.one}
}

// sheet is all of them, in the order in which they are asked.
type sheet []*entry

// given are the answers to the first n questions, without those not asked.
func (s sheet) given(n int) Answers {
	answers := Answers{}
	for _, e := range s[:n] {
		if e.When == nil || e.When(answers) {
			answers[e.Key] = e.words()
		}
	}
	return answers
}

func (s sheet) asks(i int) bool { return s[i].When == nil || s[i].When(s.given(i)) }

// options are the choices with what is said about them.
func (q Question) options() []huh.Option[string] {
	width := 0
	for _, choice := range q.Choices {
		width = max(width, len(choice))
	}
	options := huh.NewOptions(q.Choices...)
	for i, choice := range q.Choices {
		if about := q.About[choice]; about != "" {
			options[i].Key = fmt.Sprintf("%-*s  %s", width, choice, about)
		}
	}
	return options
}

// field is the i-th question as huh asks it, which asks again as long as the
// answer is refused and the input has not ended.
func (s sheet) field(i int, ended *bool) huh.Field {
	e := s[i]
	check := func(words ...string) error {
		if e.Check == nil || *ended {
			return nil
		}
		given := s.given(i)
		given[e.Key] = words
		return e.Check(given)
	}
	one := func(answer string) error { return check(answer) }
	switch e.Kind {
	case Choice:
		list := huh.NewSelect[string]().Title(e.Title).Description(e.Help).Options(e.options()...).Value(&e.one).Validate(one)
		const lines = 20 // of a terminal of 24: the title stays in sight
		if len(e.Choices) > lines-2 {
			list = list.Height(lines)
		}
		return list
	case Many:
		return huh.NewMultiSelect[string]().Title(e.Title).Description(e.Help).Options(e.options()...).Filterable(false).Value(&e.many).
			Validate(func(answers []string) error { return check(answers...) })
	case Confirm:
		return huh.NewConfirm().Title(e.Title).Description(e.Help).WithButtonAlignment(lipgloss.Left).Value(&e.yes)
	}
	return huh.NewInput().Title(e.Title).Description(e.Help).Value(&e.one).Validate(one)
}

// onScreen asks one question a page.
func (s sheet) onScreen(ctx context.Context, in io.Reader, out io.Writer) error {
	var pages []*huh.Group
	for i := range s {
		pages = append(pages, huh.NewGroup(s.field(i, new(bool))).WithHideFunc(func() bool { return !s.asks(i) }))
	}
	return huh.NewForm(pages...).WithTheme(theme()).WithInput(in).WithOutput(out).WithShowHelp(true).RunWithContext(ctx)
}

// theme uses the terminal's own colours, light or dark. What is read has its
// foreground: colours 7 and 8 of some terminals are like their background. The
// chosen button stands in brackets, for terminals without colour.
func theme() *huh.Theme {
	t := huh.ThemeBase16()
	for _, styles := range []*huh.FieldStyles{&t.Focused, &t.Blurred} {
		styles.Option = styles.Option.UnsetForeground()
		styles.UnselectedOption = styles.UnselectedOption.UnsetForeground()
		styles.Description = styles.Description.UnsetForeground().Faint(true)
		styles.FocusedButton = styles.FocusedButton.Padding(0, 1).Border(lipgloss.Border{Left: "[", Right: "]"}, false, true, false, true)
	}
	return t
}

// byLine asks one question after the other.
func (s sheet) byLine(ctx context.Context, in io.Reader, out io.Writer) error {
	answers := &lines{ctx: ctx, in: in}
	for i, e := range s {
		if !s.asks(i) {
			continue
		}
		switch {
		case e.Kind == Many && e.Help != "":
			fmt.Fprintf(out, "%s; 0 to continue\n", e.Help)
		case e.Kind == Many:
			fmt.Fprintln(out, "0 to continue")
		case e.Help != "":
			fmt.Fprintln(out, e.Help)
		}
		if err := s.field(i, &answers.ended).WithTheme(huh.ThemeBase()).RunAccessible(out, answers); err != nil {
			return err
		}
		if answers.ended {
			return ErrCancelled
		}
		fmt.Fprintln(out)
	}
	return nil
}

// lines reads a line at a time and never ahead, since each question has a
// scanner of its own. It ends when its context does.
type lines struct {
	ctx   context.Context
	in    io.Reader
	ended bool
}

func (l *lines) Read(p []byte) (int, error) {
	type read struct {
		n   int
		err error
	}
	done := make(chan read, 1)
	go func() {
		n, err := l.in.Read(p[:1])
		done <- read{n, err}
	}()
	select {
	case <-l.ctx.Done():
		l.ended = true
		return 0, io.EOF
	case r := <-done:
		l.ended = l.ended || r.n == 0 && r.err != nil
		return r.n, r.err
	}
}
