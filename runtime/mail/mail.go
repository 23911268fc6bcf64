package mail

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// timeout limits connecting and each exchange with the server.
const timeout = 15 * time.Second

// Message is a mail to one recipient. Text is required; HTML is optional.
type Message struct {
	To      string // an address, with or without a display name
	Subject string // one line, in any language
	HTML    string
	Text    string
}

// Mailer sends messages. It keeps no connection open and is safe for concurrent use.
type Mailer struct {
	target target
	client *gomail.Client // nil if mail is written to files
}

// New returns a Mailer for cfg, or an error that names the invalid setting. It does
// not connect to the server.
func New(cfg Config) (*Mailer, error) {
	t, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	m := &Mailer{target: t}
	if t.dir != "" {
		return m, nil
	}
	options := []gomail.Option{
		gomail.WithPort(t.port),
		gomail.WithTimeout(timeout),
		gomail.WithTLSPolicy(map[string]gomail.TLSPolicy{
			tlsOffered: gomail.TLSOpportunistic, tlsRequired: gomail.TLSMandatory, tlsOff: gomail.NoTLS,
		}[t.startTLS]),
	}
	if t.implicit {
		options = append(options, gomail.WithSSL())
	}
	if t.user != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(t.user), gomail.WithPassword(t.password))
	}
	m.client, err = gomail.NewClient(t.host, options...)
	if err != nil {
		return nil, fmt.Errorf("SMTP_URL: %w", err)
	}
	return m, nil
}

// Send hands the message to the SMTP server, which delivers it, or writes it to the
// directory. It rejects addresses and subjects with control characters, so that user
// input cannot add headers or recipients. See IsPermanent for the errors.
func (m *Mailer) Send(ctx context.Context, message Message) error {
	msg, err := m.compose(message)
	if err != nil {
		return err
	}
	if m.client == nil {
		return m.write(msg)
	}
	connection, err := m.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("mail: connect to %s: %w", m.target.host, err)
	}
	err = m.client.SendWithSMTPClient(connection, msg)
	// The server has already accepted or rejected the message. Reporting a failing
	// QUIT would make the caller send it again.
	_ = m.client.CloseWithSMTPClient(connection)
	if err != nil {
		return fmt.Errorf("mail: send: %w", err)
	}
	return nil
}

// errMessage marks a message that cannot be sent as it is.
var errMessage = errors.New("mail: invalid message")

// IsPermanent reports whether sending the same message again is pointless, because it
// is malformed or the server rejected it permanently (5yz, RFC 5321 4.2.1).
func IsPermanent(err error) bool {
	var refused *gomail.SendError
	return errors.Is(err, errMessage) || errors.As(err, &refused) && refused.ErrorCode() >= 500
}

func (m *Mailer) compose(message Message) (*gomail.Msg, error) {
	to, err := mail.ParseAddress(message.To)
	if err != nil || hasControl(message.To) || hasControl(to.Address) || hasControl(to.Name) {
		return nil, fmt.Errorf("%w: recipient %q is not an address", errMessage, message.To)
	}
	if hasControl(message.Subject) || message.Subject == "" {
		return nil, fmt.Errorf("%w: subject %q is not one line of text", errMessage, message.Subject)
	}
	if message.Text == "" {
		return nil, fmt.Errorf("%w: no text part", errMessage)
	}
	from := m.target.from
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent()) // do not disclose the software and its version
	msg.FromMailAddress(from)
	msg.ToMailAddress(to)
	msg.Subject(message.Subject)
	msg.SetDate()
	// The library's message id discloses the host name.
	msg.SetMessageIDWithValue(rand.Text() + from.Address[strings.LastIndexByte(from.Address, '@'):])
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: suppresses out-of-office replies
	msg.SetBodyString(gomail.TypeTextPlain, message.Text)
	if message.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, message.HTML)
	}
	return msg, nil
}

// write writes the message to the directory atomically. File names sort by time.
func (m *Mailer) write(msg *gomail.Msg) error {
	var text bytes.Buffer
	if _, err := msg.WriteTo(&text); err != nil {
		return fmt.Errorf("mail: compose: %w", err)
	}
	if err := os.MkdirAll(m.target.dir, 0o700); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	file, err := os.CreateTemp(m.target.dir, ".writing-*")
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	_, err = file.Write(text.Bytes())
	if err = errors.Join(err, file.Close()); err == nil {
		name := time.Now().UTC().Format("20060102T150405.000000000") + "-" + rand.Text()[:6] + ".eml"
		err = os.Rename(file.Name(), filepath.Join(m.target.dir, name))
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}
