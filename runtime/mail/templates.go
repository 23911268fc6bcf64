package mail

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"path"
	"strings"
	texttemplate "text/template"
)

// Set is a set of mail templates, two per mail.
type Set struct {
	html map[string]*htmltemplate.Template
	text map[string]*texttemplate.Template
}

// Templates parses every pair NAME.html and NAME.txt at the root of fsys. The text
// template defines the subject:
//
//	{{define "subject"}}Welcome, {{.Username}}{{end -}}
//	Hello {{.Username}}, ...
//
// layout.html, if it exists, wraps every HTML part: it includes {{template "content"
// .}}, and each NAME.html defines "content". HTML is escaped by context. A value that
// the data lacks is an error, so that no mail is sent incomplete.
//
// Write text chosen by other people, such as names, as {{nolink .Username}}: mail
// programs then do not turn a name like www.example.com into a link, and line breaks
// in it add no lines.
func Templates(fsys fs.FS) (*Set, error) {
	set := &Set{map[string]*htmltemplate.Template{}, map[string]*texttemplate.Template{}}
	names, err := fs.Glob(fsys, "*.txt")
	if err != nil {
		return nil, err
	}
	_, err = fs.Stat(fsys, "layout.html")
	hasLayout := err == nil
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".txt")
		text, err := texttemplate.New(file).Funcs(functions).Option("missingkey=error").ParseFS(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("mail: %w", err)
		}
		if text.Lookup("subject") == nil {
			return nil, fmt.Errorf("mail: %s has no subject\n  try:   {{define \"subject\"}}...{{end}} on its first line", file)
		}
		root, files := name+".html", []string{name + ".html"}
		if hasLayout {
			root, files = "layout.html", []string{"layout.html", name + ".html"}
		}
		html, err := htmltemplate.New(root).Funcs(functions).Option("missingkey=error").ParseFS(fsys, files...)
		if err != nil {
			return nil, fmt.Errorf("mail: %w", err)
		}
		set.text[name], set.html[name] = text, html
	}
	if len(set.text) == 0 {
		return nil, fmt.Errorf("mail: no templates\n  try:   a pair such as welcome.html and welcome.txt")
	}
	return set, nil
}

// functions are the additional functions of templates.
var functions = map[string]any{"nolink": nolink}

// nolink joins text to one line and inserts an invisible word joiner after the
// characters by which mail programs recognise URLs and addresses.
func nolink(text string) string {
	return strings.NewReplacer(".", ".\u2060", ":", ":\u2060", "@", "@\u2060").Replace(strings.Join(strings.Fields(text), " "))
}

// Message renders the mail called name for one recipient. Line breaks in the subject,
// from data, become spaces.
func (s *Set) Message(to, name string, data any) (Message, error) {
	text, ok := s.text[name]
	if !ok {
		return Message{}, fmt.Errorf("mail: no template %s.txt", name)
	}
	var subject, body, page bytes.Buffer
	if err := text.ExecuteTemplate(&subject, "subject", data); err != nil {
		return Message{}, fmt.Errorf("mail: %w", err)
	}
	if err := text.Execute(&body, data); err != nil {
		return Message{}, fmt.Errorf("mail: %w", err)
	}
	if err := s.html[name].Execute(&page, data); err != nil {
		return Message{}, fmt.Errorf("mail: %w", err)
	}
	return Message{
		To:      to,
		Subject: strings.Join(strings.Fields(subject.String()), " "),
		HTML:    page.String(),
		Text:    strings.TrimSpace(body.String()) + "\n",
	}, nil
}
