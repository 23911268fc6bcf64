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

// filters are the functions of every template besides asset. Their last
// argument is the value, so that they stand behind it:
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

// titleCase begins every word with a capital letter. (A Caser keeps state and
// cannot be shared.)
func titleCase(s string) string { return cases.Title(language.Und).String(s) }

// date formats a time in UTC; the zero time and nil are empty.
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

// truncate shortens s to at most n characters, the ellipsis included. It cuts
// after a word where there is one to cut after.
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

// markdown makes HTML. The converter leaves out raw HTML and links that run
// scripts, so its output needs no further escaping.
func markdown(s string) (template.HTML, error) {
	var b bytes.Buffer
	err := converter.Convert([]byte(s), &b)
	return template.HTML(b.String()), err // #nosec G203 -- the converter leaves raw HTML out
}
