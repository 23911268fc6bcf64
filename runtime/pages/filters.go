package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// filters are the functions of every template, besides asset. The value is their last
// argument, so that it can be piped:
//
//	{{.name | title}}                     "ada lovelace"  ->  Ada Lovelace
//	{{.created_at | date "2 Jan 2006"}}   7 Mar 2026, with Go's layouts, in UTC
//	{{.text | truncate 80}}               at most 80 characters, cut between words
//	{{.text | markdown}}                  HTML of GitHub's Markdown, safe for any text
//	{{asset "app.css"}}                   /static/app.0123456789ab.css
var filters = template.FuncMap{
	"title":    titleCase,
	"date":     date,
	"truncate": truncate,
	"markdown": markdown,
}

// titleCase capitalises every word. (A Caser has state and cannot be shared.)
func titleCase(s string) string { return cases.Title(language.Und).String(s) }

// date formats a time in UTC. The zero time and nil give "".
func date(layout string, value any) (string, error) {
	t, ok := value.(time.Time)
	if p, isPointer := value.(*time.Time); isPointer {
		ok = true
		if p != nil {
			t = *p
		}
	}
	switch {
	case !ok && value != nil:
		return "", fmt.Errorf("date of a %T, which is not a time", value)
	case t.IsZero():
		return "", nil
	}
	return t.UTC().Format(layout), nil
}

// truncate shortens s to at most n characters, including the ellipsis, at a word
// boundary if possible.
func truncate(n int, s string) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	cut := string(runes[:n-1])
	if runes[n-1] != ' ' {
		if space := strings.LastIndexByte(cut, ' '); space > 0 {
			cut = cut[:space]
		}
	}
	return strings.TrimRight(cut, " ,.;:") + "…"
}

var converter = goldmark.New(goldmark.WithExtensions(extension.GFM))

// markdown converts Markdown to HTML. The converter omits raw HTML and script URLs,
// so its output needs no further escaping.
func markdown(s string) (template.HTML, error) {
	var b bytes.Buffer
	err := converter.Convert([]byte(s), &b)
	return template.HTML(b.String()), err // #nosec G203 -- the converter omits raw HTML
}
