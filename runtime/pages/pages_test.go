package pages

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

func files(pairs ...string) fstest.MapFS {
	fs := fstest.MapFS{
		"templates/layout.html":        {Data: []byte(`<!doctype html><title>{{block "title" .}}Site{{end}}</title><link rel="stylesheet" href="{{asset "app.css"}}"><main>{{block "content" .}}{{end}}</main>`)},
		"templates/layouts/bare.html":  {Data: []byte(`<main>{{block "content" .}}{{end}}</main>`)},
		"templates/partials/card.html": {Data: []byte(`<b>{{.}}</b>`)},
		"templates/home.html":          {Data: []byte(`{{template "layout.html" .}}{{define "title"}}{{.title}}{{end}}{{define "content"}}{{range .items}}{{template "partials/card.html" .}}{{end}}{{.path}}{{end}}`)},
		"templates/bare.html":          {Data: []byte(`{{template "layouts/bare.html" .}}{{define "content"}}bare{{end}}`)},
		"static/app.css":               {Data: []byte(`body{}`)},
		"static/img/logo.svg":          {Data: []byte(`<svg/>`)},
	}
	for i := 0; i < len(pairs); i += 2 {
		fs[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fs
}

// serve mounts /show/:page, which renders that page with data, and routes that fail.
func serve(t *testing.T, p *Pages, data Data) http.Handler {
	t.Helper()
	app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), web.Module{
		Name: "pages", Use: []gin.HandlerFunc{p.Errors("/raw/")},
		Routes: append(p.Routes(),
			web.Handle(http.MethodGet, "/show/:page", func(c *gin.Context) { p.Render(c, http.StatusOK, c.Param("page"), data) }),
			web.Handle(http.MethodGet, "/forbidden", func(c *gin.Context) { web.Fail(c, fault.Forbidden("Not <yours>")) }),
			web.Handle(http.MethodGet, "/login", func(c *gin.Context) { web.Fail(c, fault.Unauthorized("Who?")) }),
		),
	}, web.Module{Name: "things", Prefix: "/v2/things"})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func newPages(t *testing.T, fs fstest.MapFS, o Options) *Pages {
	t.Helper()
	p, err := New(fs, "absent", o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRender(t *testing.T) {
	p := newPages(t, files(), Options{Context: func(*gin.Context) map[string]any { return map[string]any{"title": "From the context"} }})
	h := serve(t, p, Data{"items": []string{"<script>alert(1)</script>", "b"}})
	res := get(t, h, "/show/home.html")
	want := `<!doctype html><title>From the context</title><link rel="stylesheet" href="/static/app.` + digest([]byte(`body{}`)) +
		`.css"><main><b>&lt;script&gt;alert(1)&lt;/script&gt;</b><b>b</b>/show/home.html</main>`
	if res.Code != http.StatusOK || res.Body.String() != want {
		t.Errorf("%d %s\nwant %s", res.Code, res.Body, want)
	}
	for key, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": Policy, "Cache-Control": "private, no-cache",
	} {
		if got := res.Header().Get(key); got != want {
			t.Errorf("%s: %s; want %s", key, got, want)
		}
	}
	if again := get(t, h, "/show/home.html", "If-None-Match", res.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("second request: %d %s", again.Code, again.Body)
	}
	if again := get(t, h, "/show/home.html", "If-None-Match", "*"); again.Code != http.StatusNotModified {
		t.Errorf("If-None-Match: *: %d", again.Code)
	}
	h = serve(t, p, Data{"title": "Own", "items": nil})
	if res := get(t, h, "/show/home.html"); !strings.Contains(res.Body.String(), "<title>Own</title>") {
		t.Errorf("data does not override the context: %s", res.Body)
	}
	if res := get(t, h, "/show/bare.html"); res.Body.String() != "<main>bare</main>" {
		t.Errorf("other layout: %s", res.Body)
	}
	if res := get(t, h, "/show/none.html"); res.Code != http.StatusInternalServerError || strings.Contains(res.Body.String(), "none.html") {
		t.Errorf("missing page: %d %s", res.Code, res.Body)
	}
	h = serve(t, p, Data{})
	if res := get(t, h, "/show/home.html"); res.Code != http.StatusInternalServerError {
		t.Errorf("missing name: %d %s", res.Code, res.Body)
	}
}

func TestNewReportsLocationOfErrors(t *testing.T) {
	for name, c := range map[string]struct{ file, text, location string }{
		"page":    {"templates/home.html", "<p>\n\n{{nothing}}\n</p>", "templates/home.html:3: function \"nothing\" not defined"},
		"layout":  {"templates/layout.html", "{{block}}", "templates/layout.html:1: "},
		"partial": {"templates/partials/card.html", "<p>\n{{if}}", "templates/partials/card.html:2: missing value for if"},
		"no end":  {"templates/bare.html", "{{if .x}}", "templates/bare.html:1: unexpected EOF"},
	} {
		_, err := New(files(c.file, c.text), "absent", Options{Env: web.Production})
		if err == nil || !strings.HasPrefix(err.Error(), c.location) || !strings.Contains(err.Error(), "\n  > ") {
			t.Errorf("%s: %v; want %s", name, err, c.location)
		}
	}
}

func TestStatic(t *testing.T) {
	h := serve(t, newPages(t, files("static/plain", "x", "static/odd.0123456789ab.js", "1"), Options{}), nil)
	hashed := func(name, content string) string { return asset{name: name, digest: digest([]byte(content))}.hashed() }
	const forever, asked = "public, max-age=31536000, immutable", "no-cache"
	for path, c := range map[string]struct {
		status             int
		contentType, cache string
	}{
		"app.css":                          {200, "text/css; charset=utf-8", asked},
		hashed("app.css", "body{}"):        {200, "text/css; charset=utf-8", forever},
		"app.0123456789ab.css":             {200, "text/css; charset=utf-8", asked},
		hashed("img/logo.svg", "<svg/>"):   {200, "image/svg+xml", forever},
		hashed("plain", "x"):               {200, "application/octet-stream", forever},
		"odd.0123456789ab.js":              {200, "text/javascript; charset=utf-8", asked},
		hashed("odd.0123456789ab.js", "1"): {200, "text/javascript; charset=utf-8", forever},
		"absent.css":                       {404, "", ""},
		"":                                 {404, "", ""},
		"img":                              {404, "", ""},
		"img/":                             {404, "", ""},
		"../templates/home.html":           {404, "", ""},
		"..%2ftemplates%2fhome.html":       {404, "", ""},
		"img/../app.css":                   {404, "", ""},
	} {
		res := get(t, h, "/static/"+path)
		if res.Code != c.status {
			t.Errorf("%s: %d; want %d", path, res.Code, c.status)
		}
		if got := res.Header(); c.status == 200 && (got.Get("Content-Type") != c.contentType || got.Get("Cache-Control") != c.cache) {
			t.Errorf("%s: %v", path, got)
		}
	}
	tag := get(t, h, "/static/app.css").Header().Get("ETag")
	if res := get(t, h, "/static/app.css", "If-None-Match", tag); res.Code != http.StatusNotModified {
		t.Errorf("second request: %d", res.Code)
	}
	if res := get(t, h, "/static/app.css", "Range", "bytes=99-"); res.Code != http.StatusRequestedRangeNotSatisfiable || !strings.Contains(res.Body.String(), `"code":416`) {
		t.Errorf("range beyond the end: %d %s", res.Code, res.Body)
	}
}

func TestErrors(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	fs := files("templates/error.html", `{{template "layout.html" .}}{{define "content"}}{{.status}} {{.message}} {{.request_id}}{{end}}`)
	with, without := serve(t, newPages(t, fs, Options{}), nil), serve(t, newPages(t, files(), Options{}), nil)
	for _, c := range []struct {
		h            http.Handler
		path, accept string
		status       int
		html         string
	}{
		{with, "/absent", browser, 404, "<main>404 Not found "},
		{with, "/forbidden", browser, 403, "<main>403 Not &lt;yours&gt; "},
		{with, "/login", browser, 401, ""},
		{with, "/v2/absent", browser, 404, ""},
		{with, "/v20/absent", browser, 404, "<main>404 Not found "},
		{with, "/raw/absent", browser, 404, ""},
		{with, "/absent", "*/*", 404, ""},
		{with, "/absent", "application/json", 404, ""},
		{with, "/absent", "", 404, ""},
		{without, "/absent", browser, 404, ""},
	} {
		res := get(t, c.h, c.path, "Accept", c.accept)
		body := res.Body.String()
		isHTML := strings.HasPrefix(res.Header().Get("Content-Type"), "text/html")
		if res.Code != c.status || isHTML != (c.html != "") || !strings.Contains(body, c.html) {
			t.Errorf("%s as %q: %d %s; want %d %s", c.path, c.accept, res.Code, body, c.status, c.html)
		}
		if !isHTML && !strings.Contains(body, `"error"`) {
			t.Errorf("%s as %q: %s is not an error response", c.path, c.accept, body)
		}
	}
}

func TestDevelopmentReadsFromDisk(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range files() {
		write(name, string(file.Data))
	}
	p, err := New(fstest.MapFS{}, dir, Options{Env: web.Development})
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, p, Data{"title": "T", "items": nil})
	expect := func(path string, status int, text string) string {
		t.Helper()
		res := get(t, h, path)
		if res.Code != status || !strings.Contains(res.Body.String(), text) {
			t.Errorf("%s: %d %s; want %d %s", path, res.Code, res.Body, status, text)
		}
		return res.Body.String()
	}
	link := regexp.MustCompile(`/static/app[^"]*`)
	before := link.FindString(expect("/show/home.html", 200, "<title>T</title>"))
	write("static/app.css", "body{color:red}")
	after := link.FindString(expect("/show/home.html", 200, "<title>T</title>"))
	if before == after {
		t.Errorf("%s did not change with its content", before)
	}
	expect(after, 200, "color:red")
	write("templates/bare.html", "one\n<p>{{.absent}}</p>")
	expect("/show/bare.html", 500, "templates/bare.html:2:")
	write("templates/bare.html", "one\n<script>{{if}}</script>")
	expect("/show/home.html", 500, "&gt;   2 | &lt;script&gt;{{if}}&lt;/script&gt;")
	expect(after, 500, "templates/bare.html:2:")
	write("templates/bare.html", "good again")
	expect("/show/bare.html", 200, "good again")
	write("templates/new.html", "new")
	expect("/show/new.html", 200, "new")

	p, err = New(files(), dir, Options{Env: web.Production})
	if err != nil {
		t.Fatal(err)
	}
	h = serve(t, p, nil)
	expect("/show/new.html", 500, "Internal server error")
	expect("/show/bare.html", 200, "<main>bare</main>")
}

func TestFilters(t *testing.T) {
	at := time.Date(2026, 3, 7, 23, 30, 0, 0, time.FixedZone("", -3600))
	var none *time.Time
	for _, c := range []struct {
		template string
		value    any
		want     string
	}{
		{`{{. | title}}`, "ada lovelace", "Ada Lovelace"},
		{`{{. | title}}`, "élan VITAL o'neil", "Élan Vital O&#39;neil"},
		{`{{. | title}}`, "", ""},
		{`{{. | date "2 Jan 2006 15:04"}}`, at, "8 Mar 2026 00:30"},
		{`{{. | date "2006"}}`, &at, "2026"},
		{`{{. | date "2006"}}`, none, ""},
		{`{{. | date "2006"}}`, time.Time{}, ""},
		{`{{. | truncate 10}}`, "short", "short"},
		{`{{. | truncate 10}}`, "exactly 10", "exactly 10"},
		{`{{. | truncate 12}}`, "cut between words", "cut between…"},
		{`{{. | truncate 11}}`, "cut between words", "cut…"},
		{`{{. | truncate 6}}`, "unbreakable", "unbre…"},
		{`{{. | truncate 3}}`, "äöüß", "äö…"},
		{`{{. | truncate 0}}`, "x", ""},
		{`{{. | markdown}}`, "# A *b*", "<h1>A <em>b</em></h1>\n"},
		{`{{. | markdown}}`, "<script>alert(1)</script>", "<!-- raw HTML omitted -->\n"},
		{`{{. | markdown}}`, "a <img src=x onerror=alert(1)> b", "<p>a <!-- raw HTML omitted --> b</p>\n"},
		{`{{. | markdown}}`, "[x](javascript:alert(1))", "<p><a href=\"\">x</a></p>\n"},
		{`{{. | markdown}}`, `[x](https://a.example/"onmouseover=alert)`, "<p><a href=\"https://a.example/%22onmouseover=alert\">x</a></p>\n"},
		{`{{. | markdown}}`, "|a|\n|-|\n|b|", "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>b</td>\n</tr>\n</tbody>\n</table>\n"},
		{`{{. | shout}}`, "x", "X!"},
	} {
		text := strings.ReplaceAll(c.template, ". |", ".v |")
		p := newPages(t, files("templates/f.html", text), Options{Funcs: map[string]any{"shout": func(s string) string { return strings.ToUpper(s) + "!" }}})
		if res := get(t, serve(t, p, Data{"v": c.value}), "/show/f.html"); res.Code != 200 || res.Body.String() != c.want {
			t.Errorf("%s of %v: %d %q; want %q", c.template, c.value, res.Code, res.Body, c.want)
		}
	}
	p := newPages(t, files("templates/f.html", `{{.v | date "2006"}}`), Options{})
	if res := get(t, serve(t, p, Data{"v": "2026"}), "/show/f.html"); res.Code != 500 {
		t.Errorf("date of a string: %d %s", res.Code, res.Body)
	}
}
