package mail

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// received is a message as received by the SMTP server.
type received struct {
	from, to, user string
	encrypted      bool
	data           []byte
}

// server is a real SMTP server that records messages.
type server struct {
	sync.Mutex
	address  string
	roots    *x509.CertPool
	messages []received
	refuse   error // response to RCPT if set
}

type session struct {
	*server
	conn    *smtp.Conn
	current received
}

func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "p@ss/word" {
			return smtp.ErrAuthFailed
		}
		s.current.user = user
		return nil
	}), nil
}
func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.current.from = from; return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error   { s.current.to += to; return s.refuse }
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	_, encrypted := s.conn.TLSConnectionState()
	s.current.data, s.current.encrypted = data, encrypted
	s.Lock()
	defer s.Unlock()
	s.messages = append(s.messages, s.current)
	return err
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

type security int

const (
	plain security = iota
	startTLS
	implicitTLS
)

// serve starts an SMTP server that stops when the test ends.
func serve(t *testing.T, with security) *server {
	t.Helper()
	certificate, roots := selfSigned(t)
	s := &server{roots: roots}
	engine := smtp.NewServer(s)
	engine.Domain = "localhost"
	engine.AllowInsecureAuth = true
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}}
	switch with {
	case startTLS:
		engine.TLSConfig = settings
	case implicitTLS:
		listener = tls.NewListener(listener, settings)
	}
	s.address = listener.Addr().String()
	go func() { _ = engine.Serve(listener) }()
	t.Cleanup(func() { _ = engine.Close() })
	return s
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// mailer returns a Mailer that trusts the server.
func (s *server) mailer(t *testing.T, url string) *Mailer {
	t.Helper()
	m, err := New(Config{Env: "production", URL: strings.Replace(url, "HOST", s.address, 1), From: "Blog <blog@example.com>"})
	require.NoError(t, err)
	require.NoError(t, m.client.SetTLSConfig(&tls.Config{RootCAs: s.roots, ServerName: "127.0.0.1"}))
	return m
}

var welcome = Message{
	To: "Zoë <zoe@example.com>", Subject: "Willkommen, Zoë: 你好",
	Text: "Hello Zoë,\n.\nwelcome = good.\n", HTML: "<p>Hello <b>Zoë</b>, 你好</p>",
}

// parts decodes a message independently of the code that wrote it.
func parts(t *testing.T, data []byte) (subject, text, html string) {
	t.Helper()
	message, err := mail.ReadMessage(bytes.NewReader(data))
	require.NoError(t, err)
	subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	reader := multipart.NewReader(message.Body, params["boundary"])
	for _, into := range []struct {
		kind string
		text *string
	}{{"text/plain", &text}, {"text/html", &html}} {
		part, err := reader.NextPart()
		require.NoError(t, err)
		got, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		require.NoError(t, err)
		require.Equal(t, into.kind, got)
		require.Equal(t, "UTF-8", params["charset"])
		body, err := io.ReadAll(part)
		require.NoError(t, err)
		*into.text = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	return subject, text, html
}

func TestSend(t *testing.T) {
	for name, test := range map[string]struct {
		server    security
		url       string
		user      string
		encrypted bool
	}{
		"plain":                     {plain, "smtp://HOST", "", false},
		"STARTTLS because offered":  {startTLS, "smtp://HOST", "", true},
		"STARTTLS because required": {startTLS, "smtp://HOST?tls=required", "", true},
		"STARTTLS disabled":         {startTLS, "smtp://HOST?tls=off", "", false},
		"with a password":           {startTLS, "smtp://blog:p%40ss%2Fword@HOST", "blog", true},
		"implicit TLS":              {implicitTLS, "smtps://blog:p%40ss%2Fword@HOST", "blog", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.server)
			require.NoError(t, s.mailer(t, test.url).Send(context.Background(), welcome))
			require.Len(t, s.messages, 1)
			got := s.messages[0]
			require.Equal(t, "blog@example.com", got.from)
			require.Equal(t, "zoe@example.com", got.to)
			require.Equal(t, test.user, got.user)
			require.Equal(t, test.encrypted, got.encrypted)
			subject, text, html := parts(t, got.data)
			require.Equal(t, welcome.Subject, subject)
			require.Equal(t, strings.TrimSpace(welcome.Text), strings.TrimSpace(text))
			require.Equal(t, welcome.HTML, strings.TrimSpace(html))
			header, err := mail.ReadMessage(bytes.NewReader(got.data))
			require.NoError(t, err)
			require.Regexp(t, `^<[A-Z0-9]+@example\.com>$`, header.Header.Get("Message-ID"))
			require.Empty(t, header.Header.Get("User-Agent")+header.Header.Get("X-Mailer"))
			_, err = header.Header.Date()
			require.NoError(t, err)
		})
	}
}

func TestSendFails(t *testing.T) {
	for name, test := range map[string]struct {
		server    security
		url       string
		refuse    error
		permanent bool
	}{
		"TLS required, not offered":       {plain, "smtp://HOST?tls=required", nil, false},
		"wrong password":                  {startTLS, "smtp://blog:wrong@HOST", nil, false},
		"plain server, implicit TLS here": {plain, "smtps://HOST", nil, false},
		"recipient refused permanently":   {plain, "smtp://HOST", &smtp.SMTPError{Code: 550, Message: "no such user"}, true},
		"recipient refused temporarily":   {plain, "smtp://HOST", &smtp.SMTPError{Code: 451, Message: "later"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.server)
			s.refuse = test.refuse
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			err := s.mailer(t, test.url).Send(ctx, welcome)
			require.Error(t, err)
			require.Equal(t, test.permanent, IsPermanent(err), err)
			require.Empty(t, s.messages)
		})
	}
}

// Mail is not sent to a server with an untrusted certificate.
func TestSendVerifiesTheCertificate(t *testing.T) {
	s := serve(t, startTLS)
	m := s.mailer(t, "smtp://HOST")
	require.NoError(t, m.client.SetTLSConfig(&tls.Config{ServerName: "127.0.0.1"}))
	require.Error(t, m.Send(context.Background(), welcome))
	require.Empty(t, s.messages)
}

func TestHeaderInjection(t *testing.T) {
	dir := t.TempDir()
	m, err := New(Config{URL: "file:" + dir})
	require.NoError(t, err)
	change := func(f func(*Message)) Message { m := welcome; f(&m); return m }
	for name, message := range map[string]Message{
		"newline in recipient":    change(func(m *Message) { m.To = "a@example.com\r\nBcc: b@example.com" }),
		"newline in name":         change(func(m *Message) { m.To = "\"a\nBcc: x\" <a@example.com>" }),
		"encoded newline in name": change(func(m *Message) { m.To = "=?utf-8?q?a=0D=0ABcc:_x?= <a@example.com>" }),
		"two recipients":          change(func(m *Message) { m.To = "a@example.com, b@example.com" }),
		"no recipient":            change(func(m *Message) { m.To = "" }),
		"newline in subject":      change(func(m *Message) { m.Subject = "Hi\r\nBcc: b@example.com" }),
		"NUL in subject":          change(func(m *Message) { m.Subject = "Hi\x00" }),
		"no subject":              change(func(m *Message) { m.Subject = "" }),
		"no text":                 change(func(m *Message) { m.Text = "" }),
	} {
		err := m.Send(context.Background(), message)
		require.Error(t, err, name)
		require.True(t, IsPermanent(err), name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "mail")
	m, err := New(Config{URL: "file:" + dir})
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := m.Send(context.Background(), welcome); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 10)
	for _, file := range files {
		require.Equal(t, ".eml", filepath.Ext(file))
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		subject, text, html := parts(t, data)
		require.Equal(t, welcome.Subject, subject)
		require.Contains(t, text, "Hello Zoë")
		require.Contains(t, html, "你好")
	}
}

func TestConfig(t *testing.T) {
	const from = "Blog <blog@example.com>"
	for name, test := range map[string]struct {
		config Config
		wrong  string // part of the error; empty if valid
		tls    string
	}{
		"development defaults":      {Config{Env: "development"}, "", ""},
		"production without URL":    {Config{Env: "production", From: from}, "SMTP_URL is required", ""},
		"production without sender": {Config{Env: "production", URL: "smtp://mail"}, "MAIL_FROM is required", ""},
		"sender is not an address":  {Config{URL: "smtp://mail", From: "Blog"}, "MAIL_FROM is not an address", ""},
		"unknown scheme":            {Config{URL: "http://mail", From: from}, "unknown scheme \"http\"", ""},
		"no host":                   {Config{URL: "smtp://", From: from}, "has no server", ""},
		"port":                      {Config{URL: "smtp://mail:99999", From: from}, "port", ""},
		"unknown option":            {Config{URL: "smtp://mail?ssl=yes", From: from}, "unknown option \"ssl=yes\"", ""},
		"no directory":              {Config{URL: "file:", From: from}, "has no directory", ""},
		"not a URL":                 {Config{URL: "smtp://user:p%zz@mail", From: from}, "cannot be read", ""},
		"offered":                   {Config{URL: "smtp://mail:25", From: from}, "", tlsOffered},
		"required with a password":  {Config{URL: "smtp://u:p@mail", From: from}, "", tlsRequired},
		"offered on loopback":       {Config{URL: "smtp://u:p@127.0.0.1", From: from}, "", tlsOffered},
		"turned off":                {Config{URL: "smtp://u:p@mail?tls=off", From: from}, "", tlsOff},
		"implicit":                  {Config{URL: "smtps://u:p@mail", From: from}, "", tlsRequired},
		"a file URL with slashes":   {Config{URL: "file:///var/mail", From: from}, "", ""},
		"files in production":       {Config{Env: "production", URL: "file:mail", From: from}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.config.Validate()
			if test.wrong != "" {
				require.ErrorContains(t, err, test.wrong)
				require.NotContains(t, err.Error(), "p%zz")
				require.Contains(t, err.Error(), "\n  try:   ")
				return
			}
			require.NoError(t, err)
			target, err := test.config.parse()
			require.NoError(t, err)
			require.Equal(t, test.tls, target.startTLS)
		})
	}
}

func TestTemplates(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	set, err := Templates(fstest.MapFS{
		"layout.html":  file(`<html>{{template "content" .}}</html>`),
		"welcome.html": file(`{{define "content"}}<p>Hi {{.Name}}</p>{{end}}`),
		"welcome.txt":  file("{{define \"subject\"}}Welcome,\n {{.Name}}{{end -}}\nHi {{.Name}}\n\n"),
		"reset.html":   file(`{{define "content"}}<a href="{{.Link}}">go</a>{{end}}`),
		"reset.txt":    file("{{define \"subject\"}}Reset{{end}}{{.Link}}"),
		"invited.html": file(`{{define "content"}}{{nolink .Name}} <a href="{{.Link}}">go</a>{{end}}`),
		"invited.txt":  file("{{define \"subject\"}}{{nolink .Name}}{{end}}{{nolink .Name}} {{.Link}}"),
	})
	require.NoError(t, err)

	got, err := set.Message("a@example.com", "welcome", map[string]string{"Name": "<b>&\r\nBcc: x"})
	require.NoError(t, err)
	require.Equal(t, Message{
		To: "a@example.com", Subject: "Welcome, <b>& Bcc: x",
		Text: "Hi <b>&\r\nBcc: x\n", HTML: "<html><p>Hi &lt;b&gt;&amp;\r\nBcc: x</p></html>",
	}, got)

	got, err = set.Message("a@example.com", "reset", map[string]string{"Link": "javascript:alert(1)"})
	require.NoError(t, err)
	require.NotContains(t, got.HTML, "javascript")

	// A name must not become a link in any mail program.
	got, err = set.Message("a@example.com", "invited", map[string]string{"Name": "www.evil.example https://evil", "Link": "https://a.example"})
	require.NoError(t, err)
	for _, text := range []string{got.Subject, got.Text, got.HTML} {
		require.NotContains(t, text, "www.evil")
		require.NotContains(t, text, "://evil")
		require.Equal(t, "www.evil.example https://evil", strings.ReplaceAll(text, "\u2060", "")[strings.Index(text, "www"):][:29])
	}
	require.Contains(t, got.HTML, `<a href="https://a.example">`)
	require.Contains(t, got.Text, " https://a.example")

	// A name must not add lines to the mail.
	got, err = set.Message("a@example.com", "invited", map[string]string{"Name": "key\r\n\nPay now.\u2028", "Link": "https://a.example"})
	require.NoError(t, err)
	require.Equal(t, "key Pay now. https://a.example\n", strings.Replace(got.Text, ".\u2060 ", ". ", 1))

	_, err = set.Message("a@example.com", "welcome", map[string]string{})
	require.Error(t, err, "missing value")
	_, err = set.Message("a@example.com", "absent", nil)
	require.Error(t, err)

	for name, files := range map[string]fstest.MapFS{
		"empty":      {},
		"no subject": {"a.txt": file("x"), "a.html": file("x")},
		"no html":    {"a.txt": file(`{{define "subject"}}x{{end}}`)},
		"malformed":  {"a.txt": file(`{{define "subject"}}x{{end}}`), "a.html": file("{{")},
	} {
		_, err := Templates(files)
		require.Error(t, err, name)
	}
}

func TestPreview(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Env: "development", URL: "file:" + filepath.Join(dir, "mail")}
	m, err := New(cfg)
	require.NoError(t, err)
	client := webtest.NewWith(t, web.Config{Env: web.Development}, web.Module{Name: "mail", Routes: m.Preview(cfg)})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.eml"), []byte("Subject: s\r\n\r\nsecret"), 0o600))
	page := func(path string) string { t.Helper(); return string(client.Get(path).Expect(200).Body()) }
	require.Contains(t, page("/dev/mail"), "No mail yet")

	message := welcome
	message.HTML = `<p class="x">Hello "Zoë"</p><script>alert(1)</script>`
	require.NoError(t, m.Send(context.Background(), message))
	require.NoError(t, m.Send(context.Background(), Message{To: "b@example.com", Subject: "<i>plain</i>", Text: "only <b>text</b>"}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mail", "broken.eml"), []byte("no message"), 0o600))
	require.Contains(t, client.Get("/dev/mail").Header("Content-Security-Policy"), "default-src 'none'")
	list := page("/dev/mail")
	require.Contains(t, list, "Willkommen, Zoë: 你好")
	require.Contains(t, list, "&lt;i&gt;plain&lt;/i&gt;")
	require.Less(t, strings.Index(list, "plain"), strings.Index(list, "Willkommen"), "newest first")

	entries, err := os.ReadDir(filepath.Join(dir, "mail"))
	require.NoError(t, err)
	shown := page("/dev/mail/" + entries[0].Name())
	require.Contains(t, shown, "<iframe sandbox")
	require.Contains(t, shown, `srcdoc="&lt;p class=`)
	require.NotContains(t, shown, "<script>")
	require.Contains(t, shown, "welcome = good.")

	var p web.Panel
	client.With("Accept", "application/json").Get("/dev/mail").Expect(200).Into(&p)
	require.Equal(t, "Mail", p.Title)
	require.Len(t, p.Rows, 2)
	require.Equal(t, []string{"<b@example.com>", "<i>plain</i>"}, p.Rows[0].Cells[1:])
	require.Contains(t, page(p.Rows[0].Link), "only &lt;b&gt;text")

	for _, path := range []string{"/dev/mail/absent.eml", "/dev/mail/broken.eml", "/dev/mail/..%2Fsecret.eml", "/dev/mail/%2e%2e%2fsecret.eml"} {
		require.NotContains(t, string(client.Get(path).Expect(404).Body()), "secret", path)
	}
}

func TestPreviewIsOnlyForDevelopment(t *testing.T) {
	files, server := "file:"+t.TempDir(), "smtp://127.0.0.1:1"
	for _, test := range []struct {
		env, url string
		routes   int
	}{
		{"development", files, 2}, {"development", server, 0}, {"test", files, 0}, {"production", files, 0}, {"", files, 0},
	} {
		cfg := Config{Env: test.env, URL: test.url, From: "a@example.com"}
		m, err := New(cfg)
		require.NoError(t, err)
		require.Len(t, m.Preview(cfg), test.routes, test)
	}
}

func TestIsPermanentOfOtherErrors(t *testing.T) {
	require.False(t, IsPermanent(nil))
	require.False(t, IsPermanent(errors.New("net")))
}
