package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/nexios-go/nexios/cmd/nexios/form"
	"github.com/nexios-go/nexios/scaffold/plan"
)

// isTerminal reports whether v is a terminal with a user. Terminals of CI machines (CI
// is set) do not count.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("CI") == ""
}

// showProgress prints what takes time, and the seconds since, until stop is called. It
// prints nothing unless stderr is a terminal.
func showProgress(cmd *cobra.Command, what string) (stop func()) {
	w := cmd.ErrOrStderr()
	if !isTerminal(w) {
		return func() {}
	}
	fmt.Fprint(w, what+" ...")
	quit, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		start, ticker := time.Now(), time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				fmt.Fprintln(w)
				return
			case <-ticker.C:
				fmt.Fprintf(w, "\r%s ... %.0f s", what, time.Since(start).Seconds())
			}
		}
	}()
	return func() { close(quit); <-finished }
}

// canAsk reports whether the user can be asked.
func canAsk(cmd *cobra.Command) bool {
	return isTerminal(cmd.InOrStdin()) && isTerminal(cmd.OutOrStdout()) && !wantsJSON(cmd)
}

// ask asks the user questions.
func ask(cmd *cobra.Command, questions ...form.Question) (form.Answers, error) {
	byLine := os.Getenv("ACCESSIBLE") != "" || os.Getenv("TERM") == "dumb"
	answers, err := form.Ask(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), byLine, questions)
	if errors.Is(err, form.ErrCancelled) {
		return nil, errCancelled
	}
	return answers, err
}

// confirm asks whether to continue, and returns errCancelled unless the answer is yes.
func confirm(cmd *cobra.Command, question string) error {
	answers, err := ask(cmd, form.Question{Key: "go", Title: question, Kind: form.Confirm, Default: []string{"yes"}})
	if err == nil && answers.One("go") != "yes" {
		err = errCancelled
	}
	return err
}

// colours returns the style of text for w: nil unless w is a terminal, and without
// colours if it supports none or NO_COLOR (no-color.org) is set.
func colours(w io.Writer) plan.Style {
	if !isTerminal(w) {
		return nil
	}
	out := termenv.NewOutput(w)
	if _, err := termenv.EnableVirtualTerminalProcessing(out); err != nil || out.Profile == termenv.Ascii {
		return func(_ plan.Kind, text string) string { return text }
	}
	return paint(out)
}

// paint uses the ANSI colours, which the user has configured in the terminal.
func paint(out *termenv.Output) plan.Style {
	colour := map[plan.Kind]termenv.Color{
		plan.Create:   termenv.ANSIGreen,
		plan.Update:   termenv.ANSICyan,
		plan.Delete:   termenv.ANSIRed,
		plan.Conflict: termenv.ANSIRed,
		plan.Note:     termenv.ANSIYellow,
	}
	return func(kind plan.Kind, text string) string {
		if c, ok := colour[kind]; ok {
			return out.String(text).Foreground(c).String()
		}
		return out.String(text).Faint().String()
	}
}

// askBackground detects whether the terminal is light or dark, for the screen of
// `nexios dev`, which has colours for both.
func askBackground(cmd *cobra.Command, _ []string) {
	if canAsk(cmd) {
		lipgloss.SetHasDarkBackground(termenv.HasDarkBackground())
	}
}
