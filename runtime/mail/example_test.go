package mail_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing/fstest"

	"github.com/nexios-go/nexios/runtime/mail"
)

// A mail has two templates; the text template defines the subject.
func Example() {
	set, err := mail.Templates(fstest.MapFS{
		"welcome.txt":  {Data: []byte(`{{define "subject"}}Welcome, {{.}}{{end}}Hello {{.}}!`)},
		"welcome.html": {Data: []byte(`<p>Hello {{.}}!</p>`)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := set.Message("anna@example.com", "welcome", "Anna & Bob")
	fmt.Println(message.Subject, "|", strings.TrimSpace(message.Text), "|", message.HTML, err)

	dir, err := os.MkdirTemp("", "mail-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	mailer, err := mail.New(mail.Config{Env: "test", URL: "file:" + dir, From: "Blog <blog@example.com>"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mailer.Send(context.Background(), message))
	sent, err := os.ReadDir(dir)
	fmt.Println(len(sent), err)
	// Output:
	// Welcome, Anna & Bob | Hello Anna & Bob! | <p>Hello Anna &amp; Bob!</p> <nil>
	// <nil>
	// 1 <nil>
}
