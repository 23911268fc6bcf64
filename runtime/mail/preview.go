package mail

import (
	"errors"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Number of messages shown by the list and by the panel, newest first.
const (
	listLimit  = 200
	panelLimit = 20
)

// Preview returns the routes that show written mail at /dev/mail, to this machine
// only, if mail is written to files and cfg.Env is development; otherwise it returns
// none. The list is a web.Panel for requests that accept only JSON.
func (m *Mailer) Preview(cfg Config) []web.Route {
	if m.target.dir == "" || cfg.Env != "development" {
		return nil
	}
	return []web.Route{
		web.Handle(http.MethodGet, "/dev/mail", m.list).Doc("List development mail").Dev(),
		web.Handle(http.MethodGet, "/dev/mail/:name", m.show).Doc("Show a development mail").Dev(),
	}
}

// storedMail is a message as the pages show it.
type storedMail struct {
	Name, From, To, Subject string
	Date                    time.Time
	Text                    string
	HTML                    string // shown in a sandboxed frame
}

func (m *Mailer) list(c *gin.Context) {
	asPanel := c.GetHeader("Accept") == "application/json"
	limit := listLimit
	if asPanel {
		limit = panelLimit
	}
	mails, err := m.newest(limit)
	switch {
	case err != nil:
		web.Fail(c, fault.Internal(err))
	case asPanel:
		c.JSON(http.StatusOK, panel(mails))
	default:
		render(c, listPage, gin.H{"Dir": m.target.dir, "Mails": mails})
	}
}

// panel returns the list as a panel of the page at /dev.
func panel(mails []storedMail) web.Panel {
	p := web.Panel{Title: "Mail", Head: []string{"date", "to", "subject"}}
	for _, mail := range mails {
		p.Rows = append(p.Rows, web.PanelRow{
			Cells: []string{mail.Date.Format(time.DateTime), mail.To, mail.Subject},
			Link:  "/dev/mail/" + url.PathEscape(mail.Name),
		})
	}
	return p
}

// newest returns the latest messages, newest first.
func (m *Mailer) newest(limit int) ([]storedMail, error) {
	entries, err := os.ReadDir(m.target.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	slices.Reverse(entries) // names sort by time
	var mails []storedMail
	for _, entry := range entries {
		if len(mails) == limit {
			break
		}
		if path.Ext(entry.Name()) != ".eml" {
			continue
		}
		if mail, err := m.read(entry.Name()); err == nil {
			mails = append(mails, mail)
		}
	}
	return mails, nil
}

func (m *Mailer) show(c *gin.Context) {
	mail, err := m.read(c.Param("name"))
	if err != nil {
		web.Fail(c, fault.NotFound("Mail not found"))
		return
	}
	render(c, showPage, mail)
}

func render(c *gin.Context, page *template.Template, data any) {
	// The frame inherits this policy: styles and embedded images only, no scripts, no
	// external resources.
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(c.Writer, data); err != nil {
		_ = c.Error(err)
	}
}

// read reads one message of the directory. It cannot reach files outside it.
func (m *Mailer) read(name string) (storedMail, error) {
	root, err := os.OpenRoot(m.target.dir)
	if err != nil {
		return storedMail{}, err
	}
	defer root.Close()
	if path.Ext(name) != ".eml" {
		return storedMail{}, fs.ErrNotExist
	}
	file, err := root.Open(name)
	if err != nil {
		return storedMail{}, err
	}
	defer file.Close()
	message, err := mail.ReadMessage(file)
	if err != nil {
		return storedMail{}, err
	}
	decode := func(header string) string {
		text, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get(header))
		if err != nil {
			return message.Header.Get(header)
		}
		return text
	}
	shown := storedMail{Name: name, From: decode("From"), To: decode("To"), Subject: decode("Subject")}
	shown.Date, _ = message.Header.Date()
	return shown, shown.body(message.Header.Get, message.Body)
}

// body reads a part and its nested parts.
func (w *storedMail) body(header func(string) string, r io.Reader) error {
	kind, params, err := mime.ParseMediaType(header("Content-Type"))
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(r, params["boundary"])
		for {
			part, err := parts.NextPart() // decodes quoted-printable itself
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := w.body(part.Header.Get, part); err != nil {
				return err
			}
		}
	}
	if strings.EqualFold(header("Content-Transfer-Encoding"), "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	text, err := io.ReadAll(r)
	switch kind {
	case "text/plain":
		w.Text = string(text)
	case "text/html":
		w.HTML = string(text)
	}
	return err
}

const style = `<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
* { box-sizing: border-box }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600; overflow-wrap: normal } .quiet { opacity: .65 }
iframe { width: 100%; height: 32rem; border: 1px solid #8886; border-radius: .4rem; background: #fff }
@media (max-width: 40rem) { .mails tr { display: grid; border-bottom: 1px solid #8884; padding: .4rem 0 } .mails th { display: none } .mails td { border: 0; padding: .1rem 0 } }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #8886; border-radius: .4rem }
</style>`

var (
	listPage = template.Must(template.New("list").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Mail</title>
<meta name="viewport" content="width=device-width">` + style + `
<main><h1>Mail</h1>
<p class="quiet">Written to {{.Dir}} instead of being sent, newest first.</p>
{{if .Mails}}<table class="mails"><tr><th>Date<th>To<th>Subject</tr>
{{range .Mails}}<tr><td>{{.Date.Format "2006-01-02 15:04:05"}}<td>{{.To}}<td><a href="/dev/mail/{{.Name}}">{{.Subject}}</a></tr>
{{end}}</table>{{else}}<p>No mail yet.</p>{{end}}</main>`))
	showPage = template.Must(template.New("show").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>{{.Subject}}</title>
<meta name="viewport" content="width=device-width">` + style + `
<main><p><a href="/dev/mail">All mail</a></p>
<h1>{{.Subject}}</h1>
<table><tr><th>From<td>{{.From}}</tr><tr><th>To<td>{{.To}}</tr><tr><th>Date<td>{{.Date.Format "2006-01-02 15:04:05 -0700"}}</tr></table>
{{if .HTML}}<h2>HTML</h2><iframe sandbox title="The HTML part" srcdoc="{{.HTML}}"></iframe>{{end}}
<h2>Text</h2><pre>{{.Text}}</pre></main>`))
)
