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

// isTerminal says whether a person is at the other end. A build machine that
// lends a terminal (CI is set) is none.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("CI") == ""
}

// waiting shows a person what takes its time, and for how long so far, until stop is
// called. Programs and files are told nothing.
func waiting(cmd *cobra.Command, what string) (stop func()) {
	w := cmd.ErrOrStderr()
	if !isTerminal(w) {
		return func() {}
	}
	fmt.Fprint(w, what+" ...")
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		begun, second := time.Now(), time.NewTicker(time.Second)
		defer second.Stop()
		for {
			select {
			case <-end:
				fmt.Fprintln(w)
				return
			case <-second.C:
				fmt.Fprintf(w, "\r%s ... %.0f s", what, time.Since(begun).Seconds())
			}
		}
	}()
	return func() { close(end); <-ended }
}

// canAsk says whether a person can be asked.
func canAsk(cmd *cobra.Command) bool {
	return isTerminal(cmd.InOrStdin()) && isTerminal(cmd.OutOrStdout()) && !wantsJSON(cmd)
}

// ask puts questions to the person.
func ask(cmd *cobra.Command, questions ...form.Question) (form.Answers, error) {
	byLine := os.Getenv("ACCESSIBLE") != "" || os.Getenv("TERM") == "dumb"
	answers, err := form.Ask(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), byLine, questions)
	if errors.Is(err, form.ErrCancelled) {
		return nil, errCancelled
	}
	return answers, err
}

// confirm asks whether to go on; anything but yes is errCancelled.
func confirm(cmd *cobra.Command, question string) error {
	answers, err := ask(cmd, form.Question{Key: "go", Title: question, Kind: form.Confirm, Default: []string{"yes"}})
	if err == nil && answers.One("go") != "yes" {
		err = errCancelled
	}
	return err
}

// colours returns how text for w is styled: not at all, nil, unless w is a
// terminal; without colours where it has none or NO_COLOR (no-color.org) is set.
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

// paint uses the terminal's own colours, which its user has chosen.
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

// askBackground asks the terminal whether it is light or dark, for the screen
// of `nexios dev`, which has colours for both.
func askBackground(cmd *cobra.Command, _ []string) {
	if canAsk(cmd) {
		lipgloss.SetHasDarkBackground(termenv.HasDarkBackground())
	}
}
