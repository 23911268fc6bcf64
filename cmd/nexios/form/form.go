// Package form asks a user questions on a terminal. It does not depend on what the
// answers are used for.
package form

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"
)

// Kind is the kind of a question.
type Kind int

// Kinds of questions.
const (
	Text    Kind = iota // one line
	Choice              // one of Choices
	Many                // any of Choices
	Confirm             // "yes" or "no"
)

// Question is a question.
type Question struct {
	Key     string // key of the answer
	Title   string
	Help    string // shown below the title; may be empty
	Kind    Kind
	Choices []string
	About   map[string]string // descriptions of choices; may be nil
	Default []string
	// Check validates the latest answer in given; nil accepts all.
	Check func(given Answers) error
	// When reports, given the previous answers, whether to ask; nil means always.
	When func(given Answers) bool
}

// Answers are the words of each answer, by key.
type Answers map[string][]string

// One returns the first word of an answer, or "" if the question was not asked.
func (a Answers) One(key string) string {
	if len(a[key]) == 0 {
		return ""
	}
	return a[key][0]
}

// ErrCancelled means that the user cancelled the questions.
var ErrCancelled = errors.New("cancelled")

// Ask asks the questions in order and returns the answers, or ErrCancelled if the user
// pressed ctrl-c, the input ended or ctx was cancelled.
//
// By default each question has a page, and shift-tab goes back; accessible asks by
// lines instead, for screen readers and terminals without cursor movement.
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

// entry is a question and its current answer.
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

// sheet is all questions, in order.
type sheet []*entry

// given returns the answers to the first n questions, without those not asked.
func (s sheet) given(n int) Answers {
	answers := Answers{}
	for _, e := range s[:n] {
		if e.When == nil || e.When(answers) {
			answers[e.Key] = e.words()
		}
	}
	return answers
}

func (s sheet) applies(i int) bool { return s[i].When == nil || s[i].When(s.given(i)) }

// options returns the choices with their descriptions.
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

// field returns the i-th question as a field of huh, which repeats the question until
// the answer is valid or the input ends.
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
		const lines = 20 // in a terminal of 24 lines, so that the title stays visible
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

// onScreen asks one question per page.
func (s sheet) onScreen(ctx context.Context, in io.Reader, out io.Writer) error {
	var pages []*huh.Group
	for i := range s {
		pages = append(pages, huh.NewGroup(s.field(i, new(bool))).WithHideFunc(func() bool { return !s.applies(i) }))
	}
	return huh.NewForm(pages...).WithTheme(theme()).WithInput(in).WithOutput(out).WithShowHelp(true).RunWithContext(ctx)
}

// theme uses the terminal's colours, light or dark. Text uses the default foreground:
// in some terminals colours 7 and 8 resemble the background. The selected button has
// brackets, for terminals without colours.
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

// byLine asks the questions by lines.
func (s sheet) byLine(ctx context.Context, in io.Reader, out io.Writer) error {
	answers := &lines{ctx: ctx, in: in}
	for i, e := range s {
		if !s.applies(i) {
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

// lines reads single bytes, never past the line, since each question has its own
// scanner. It ends when its context is done.
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
