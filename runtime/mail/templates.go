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

// Set is a collection of mails, each made of two templates.
type Set struct {
	html map[string]*htmltemplate.Template
	text map[string]*texttemplate.Template
}

// Templates reads every pair NAME.html and NAME.txt at the root of fsys. The
// text template defines the subject:
//
//	{{define "subject"}}Welcome, {{.Username}}{{end -}}
//	Hello {{.Username}}, ...
//
// layout.html, when it exists, surrounds every HTML part; it says where with
// {{template "content" .}} and then each NAME.html defines "content". HTML is
// escaped by context; a value that a template names and the data lacks is an
// error, so that no mail goes out with a hole in it.
//
// Write texts that other people chose, such as names, as {{nolink .Username}}: a name
// like www.example.com is then not a link in the program that shows the mail, and one
// with line breaks adds no lines to it.
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

// functions are those that templates have beside the language's own.
var functions = map[string]any{"nolink": nolink}

// nolink puts a word joiner, which nobody sees, behind the characters by which mail
// programs recognise a URL or an address, and the text on one line.
func nolink(text string) string {
	return strings.NewReplacer(".", ".\u2060", ":", ":\u2060", "@", "@\u2060").Replace(strings.Join(strings.Fields(text), " "))
}

// Message renders the mail called name for one recipient. Line breaks that
// data brings into the subject become spaces.
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
