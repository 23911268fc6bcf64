// Package form asks a person questions on a terminal: []Question in, Answers
// out. It knows nothing of what the answers are for.
package form

import (
	"context"
	"errors"
	"io"

	"github.com/charmbracelet/huh"
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
	Help    string // one line below the title; may be empty
	Kind    Kind
	Choices []string
	Default []string
	// Check refuses an answer with an error to show; nil accepts all.
	Check func(answer string) error
	// When says, from the answers so far, whether to ask at all; nil always.
	When func(Answers) bool
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

// Ask puts the questions in order and returns the answers. It must only be
// called with a terminal at both ends; accessible asks by plain lines, for
// screen readers and terminals that cannot move the cursor.
func Ask(ctx context.Context, in io.Reader, out io.Writer, accessible bool, questions []Question) (Answers, error) {
	answers := Answers{}
	for _, q := range questions {
		if q.When != nil && !q.When(answers) {
			continue
		}
		words, err := ask(ctx, in, out, accessible, q)
		if errors.Is(err, huh.ErrUserAborted) {
			return nil, ErrCancelled
		}
		if err != nil {
			return nil, err
		}
		answers[q.Key] = words
	}
	return answers, nil
}

func ask(ctx context.Context, in io.Reader, out io.Writer, accessible bool, q Question) ([]string, error) {
	var (
		one  string
		many = q.Default
		yes  bool
	)
	if len(q.Default) > 0 {
		one, yes = q.Default[0], q.Default[0] == "yes"
	}
	check := q.Check
	if check == nil {
		check = func(string) error { return nil }
	}
	var field huh.Field
	switch q.Kind {
	case Choice:
		field = huh.NewSelect[string]().Title(q.Title).Description(q.Help).Options(huh.NewOptions(q.Choices...)...).Value(&one)
	case Many:
		field = huh.NewMultiSelect[string]().Title(q.Title).Description(q.Help).Options(huh.NewOptions(q.Choices...)...).Value(&many)
	case Confirm:
		field = huh.NewConfirm().Title(q.Title).Description(q.Help).Value(&yes)
	default:
		field = huh.NewInput().Title(q.Title).Description(q.Help).Validate(check).Value(&one)
	}
	err := huh.NewForm(huh.NewGroup(field)).WithInput(in).WithOutput(out).WithAccessible(accessible).WithShowHelp(true).RunWithContext(ctx)
	if err != nil {
		return nil, err
	}
	switch q.Kind {
	case Many:
		return many, nil
	case Confirm:
		if yes {
			return []string{"yes"}, nil
		}
		return []string{"no"}, nil
	}
	return []string{one}, nil
}
