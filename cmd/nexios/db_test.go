package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
)

// runProject returns the exit code of the program, where go run would not.
func TestRunProjectExitCode(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module x\n",
		"main.go": "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(len(os.Args) - 1) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, line := range []string{"", "a", "a b", "a b c"} {
		cmd := &cobra.Command{}
		cmd.SetContext(t.Context())
		if want == exitUsage { // reported by a program that does not know the command
			want = exitFailed
		}
		if got := report(runProject(cmd, io.Discard, dir, line), false, io.Discard, io.Discard); got != want {
			t.Errorf("%q: exit code %d, want %d", line, got, want)
		}
	}
}
