// Package files tests the module from outside, as the rest of a project uses it. It
// is not part of the template.
package files

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
	room "github.com/nexios-go/nexios/templates/mail/files/internal/mail"
)

// inbox is a real SMTP server.
type inbox chan []byte

func (i inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return i, nil }
func (i inbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (i inbox) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (i inbox) Reset()                                      {}
func (i inbox) Logout() error                               { return nil }
func (i inbox) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	i <- data
	return err
}

// The welcome mail arrives at a server, and both of its parts can be read.
func TestWelcomeArrives(t *testing.T) {
	arrived := make(inbox, 1)
	server := smtp.NewServer(arrived)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	gdb := webtest.DB(t, jobs.Migrations())
	queue := jobs.New(gdb, slog.New(slog.DiscardHandler))
	cfg := mail.Config{Env: web.Production, URL: "smtp://" + listener.Addr().String(), From: "Blog <blog@example.com>"}
	if module := room.Module(cfg, queue); module.Err != nil {
		t.Fatal(module.Err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- queue.Run(ctx) }()
	defer func() { cancel(); <-stopped }()
	err = jobs.Enqueue(gdb, "mail.welcome", map[string]string{"to": "zoe@example.com", "username": "Zoë <你好>"})
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	select {
	case data = <-arrived:
	case <-time.After(15 * time.Second):
		t.Fatal("no mail arrived")
	}
	message, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil || subject != "Welcome, Zoë <你好>" {
		t.Errorf("subject %q, %v", subject, err)
	}
	_, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(message.Body, params["boundary"])
	for _, want := range []struct{ kind, text string }{
		{"text/plain", "Welcome, Zoë <你好>"}, {"text/html", "Welcome, Zoë &lt;你好&gt;</h1>"},
	} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part)
		if err != nil || !strings.HasPrefix(part.Header.Get("Content-Type"), want.kind) || !strings.Contains(string(text), want.text) {
			t.Errorf("%v, %v:\n%s\nwant %q", part.Header, err, text, want.text)
		}
	}
}
