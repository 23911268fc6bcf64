package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/runtime"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Exit codes. They are part of the interface.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2   // the words of the command line are wrong
	exitConflict  = 3   // nothing was written because of conflicts
	exitCancelled = 130 // the user said no, or pressed ctrl-c
)

var (
	errConflict  = errors.New("nothing was written: the files above were changed by hand and cannot be merged")
	errCancelled = errors.New("cancelled; nothing was written")
)

// run is the whole program with the outside world as arguments; it returns the
// exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	called, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	if asJSON, _ := called.Flags().GetBool("json"); asJSON {
		writeErrorJSON(stdout, err, code)
	} else {
		fmt.Fprintln(stderr, "error:", err)
	}
	return code
}

func exitCode(err error) int {
	var usage *spec.Error
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errConflict):
		return exitConflict
	case errors.Is(err, errCancelled), errors.Is(err, context.Canceled):
		return exitCancelled
	}
	return exitFailed
}

// writeErrorJSON writes {"error": {...}, "code": N}: "what" always, "where" and
// "try" where there is more to say.
func writeErrorJSON(w io.Writer, err error, code int) {
	type body struct {
		What  string `json:"what"`
		Where string `json:"where,omitempty"`
		Try   string `json:"try,omitempty"`
	}
	b := body{What: err.Error()}
	if e := (*spec.Error)(nil); errors.As(err, &e) {
		b = body{e.What, e.Where, e.Try}
	}
	json.NewEncoder(w).Encode(struct {
		Error body `json:"error"`
		Code  int  `json:"code"`
	}{b, code})
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "nexios",
		Short: "Create JSON APIs on Gin and GORM, and grow them",
		Long: `nexios creates JSON APIs on Gin and GORM, and grows them. What it writes is
plain Go that is yours to edit; later commands keep your edits.

Without a command, on a terminal, it asks what you want.`,
		Example: `  nexios new shop
  cd shop
  nexios add resource product name:string:unique price:decimal=10.2:min=0
  nexios dev`,
		Version:       runtime.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          runWizard,
	}
	root.SetVersionTemplate("nexios {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &spec.Error{What: err.Error(), Try: cmd.CommandPath() + " --help"}
	})
	root.PersistentFlags().Bool("json", false, "write the result, or the error, as JSON")
	root.AddCommand(
		newCommand(),
		addCommand(),
		undoCommand(),
		devCommand(),
		routesCommand(),
		doctorCommand(),
		versionCommand(),
	)
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &spec.Error{
		What: fmt.Sprintf("unknown command %q", args[0]),
		Try:  cmd.CommandPath() + " --help",
	}
}

// isTerminal says whether a person can be asked.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("CI") == ""
}
