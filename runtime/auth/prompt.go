package auth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ReadPassword reads a password for a command: from a terminal, twice and without echo,
// otherwise one line of in. Prompts are written to out.
func ReadPassword(in io.Reader, out io.Writer) (string, error) {
	file, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
		if line == "" && err != nil {
			return "", errors.New("no password on standard input\n  try:   run it on a terminal, or pipe in one line")
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	prompt := func(label string) (string, error) {
		_, _ = fmt.Fprint(out, label)
		typed, err := term.ReadPassword(int(file.Fd()))
		_, _ = fmt.Fprintln(out)
		return string(typed), err
	}
	first, err := prompt("password: ")
	if err != nil {
		return "", err
	}
	again, err := prompt("repeat password: ")
	if err == nil && first != again {
		err = errors.New("the passwords do not match\n  try:   the same command again")
	}
	return first, err
}

// HashPassword is [Service.Hash] for commands and seeds, where there is no Service and
// no concurrent hashing.
func HashPassword(password string) string { return hasher{cost: currentCost}.make(password) }
