package auth

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

const factorsUsage = "user remove-factors --username U"

// removeFactors is the command that lets a user back in who has lost the second factor,
// or to whose account someone else has added one: a password reset does not remove it.
func (h handler) removeFactors() command.Command {
	return command.Command{
		Name: "user remove-factors", Args: "--username U", Summary: "remove a user's second factor and passkeys, and log them out; first verify who is asking",
		Starts: true, Run: h.removeFactorsCommand,
	}
}

func (h handler) removeFactorsCommand(ctx context.Context, std command.IO) error {
	flags := flag.NewFlagSet("user remove-factors", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says enough
	username := flags.String("username", "", "whose")
	if err := flags.Parse(std.Args); err != nil {
		return command.Usage(err.Error() + "\n  try:   " + factorsUsage)
	}
	if flags.NArg() > 0 || *username == "" {
		return command.Usage("a username is required\n  try:   " + factorsUsage)
	}
	user, err := h.auth.RemoveFactors(db.System(ctx), *username)
	if f := fault.From(err); err != nil && f.Status == http.StatusNotFound {
		return fmt.Errorf("no user %q\n  where: the users of this database; case is ignored\n  try:   another --username", *username)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Stdout, "%s (id %d) logs in with the password alone now, and is told so by e-mail\n", user.Username, user.UserID)
	return err
}
