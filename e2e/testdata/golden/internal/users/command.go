package users

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"strings"
	"unicode/utf8"

	"blog/internal/model"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/fault"
)

const createUsage = "user create --username U --email E [--admin]"

// createCommand creates a user from the command line, which is the only way to
// create the first administrator.
func (h handler) createCommand(ctx context.Context, std command.IO) error {
	flags := flag.NewFlagSet("user create", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says enough
	username := flags.String("username", "", "3 to 50 characters")
	email := flags.String("email", "", "an e-mail address")
	admin := flags.Bool("admin", false, "make the user an administrator")
	if err := flags.Parse(std.Args); err != nil {
		return command.Usage(err.Error() + "\n  try:   " + createUsage)
	}
	if flags.NArg() > 0 {
		return command.Usage(fmt.Sprintf("unexpected argument %q\n  try:   %s", flags.Arg(0), createUsage))
	}
	if n := utf8.RuneCountInString(*username); n < 3 || n > 50 || strings.TrimSpace(*username) != *username {
		return command.Usage(fmt.Sprintf("--username has 3 to 50 characters, not %q\n  try:   %s", *username, createUsage))
	}
	if a, err := mail.ParseAddress(*email); err != nil || a.Address != *email {
		return command.Usage(fmt.Sprintf("--email is not an e-mail address: %q\n  try:   %s", *email, createUsage))
	}
	if wrong := append(auth.NameDetails("--username", *username), auth.AddressDetails("--email", *email)...); len(wrong) > 0 {
		return command.Usage(wrong[0].Message + "\n  try:   " + createUsage)
	}
	password, err := auth.ReadPassword(std.Stdin, std.Stderr)
	if err != nil {
		return err
	}
	if wrong := auth.PasswordDetails("password", password, *username, *email); len(wrong) > 0 {
		var lines []string
		for _, detail := range wrong {
			lines = append(lines, strings.ToLower(detail.Message[:1])+detail.Message[1:])
		}
		return fmt.Errorf("%s\n  try:   a longer one: from 15 characters on, any characters will do", strings.Join(lines, "; "))
	}
	user := createBody{Username: *username, Email: *email}.user(auth.HashPassword(password))
	if *admin {
		user.Role = model.RoleAdmin
	}
	err = h.db.WithContext(ctx).Create(&user).Error
	if f := fault.From(err); err != nil && f.Status == http.StatusConflict {
		return fmt.Errorf("%s\n  where: the existing users; case is ignored\n  try:   another --username or --email", strings.ToLower(f.Message))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Stdout, "created %s %s (id %d)\n", user.Role, user.Username, user.ID)
	return err
}
