package files

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// library is a Library served by a real server.
type library struct {
	*Library
	t   *testing.T
	dir string
	url string
}

func open(t *testing.T, cfg Config) library {
	t.Helper()
	gdb, err := db.Open("sqlite::memory:", db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(gdb); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Migrate(t.Context(), gdb, Migrations()); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "files")
	cfg.URL = "file:" + dir
	if cfg.Max == 0 {
		cfg.Max = 1 << 20
	}
	l, err := New(cfg, gdb)
	if err != nil {
		t.Fatal(err)
	}
	app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), web.Module{Name: "files", Routes: []web.Route{
		web.Post("/upload", func(c *gin.Context, _ web.None) ([]File, error) {
			return l.Receive(c, File{UserID: 7})
		}).Limit(l.MaxBody()).Within(-1),
		web.Handle(http.MethodGet, "/files/:name", func(c *gin.Context) {
			file, err := l.Find(c.Request.Context(), c.Param("name"))
			if err == nil {
				err = l.Serve(c, file)
			}
			if err != nil {
				web.Fail(c, err)
			}
		}).Within(-1),
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	return library{l, t, dir, server.URL}
}

// part is one part of a body; header is its Content-Disposition.
type part struct{ header, content string }

func file(name, content string) part {
	return part{mime.FormatMediaType("form-data", map[string]string{"name": "file", "filename": name}), content}
}

func form(parts ...part) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		part, _ := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {p.header}, "Content-Type": {"text/html"}})
		_, _ = io.WriteString(part, p.content)
	}
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

func (l library) upload(parts ...part) (status int, body string) {
	l.t.Helper()
	contentType, content := form(parts...)
	return l.post(contentType, bytes.NewReader(content))
}

func (l library) post(contentType string, body io.Reader) (int, string) {
	l.t.Helper()
	res, err := http.Post(l.url+"/upload", contentType, body)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (l library) rows() []File {
	l.t.Helper()
	var rows []File
	if err := l.db.Order("original").Find(&rows).Error; err != nil {
		l.t.Fatal(err)
	}
	return rows
}

// disk lists all files below the store's directory, including unfinished ones.
func (l library) disk() []string {
	l.t.Helper()
	var found []string
	err := filepath.WalkDir(l.dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing was stored
		}
		if err == nil && !entry.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return found
}

func (l library) expectNothing() {
	l.t.Helper()
	if rows, disk := l.rows(), l.disk(); len(rows) != 0 || len(disk) != 0 {
		l.t.Errorf("left behind: rows %v, files %v", rows, disk)
	}
}

func (l library) get(name string, header ...string) (*http.Response, string) {
	l.t.Helper()
	return l.send(http.MethodGet, name, header...)
}

func (l library) send(method, name string, header ...string) (*http.Response, string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, l.url+"/files/"+name, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return res, string(body)
}

const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"

func TestUploadStoresBytesAndMetadata(t *testing.T) {
	l := open(t, Config{})
	status, body := l.upload(part{`form-data; name="note"`, "not a file"}, file("a.html", png), file("b.png", "hello"), part{`form-data; name="x"; filename="c"`, ""})
	if status != http.StatusCreated {
		t.Fatal(status, body)
	}
	rows := l.rows()
	want := []struct{ original, contentType, extension, content string }{
		{"a.html", "image/png", ".png", png}, {"b.png", "text/plain", ".txt", "hello"}, {"c", "text/plain", ".txt", ""},
	}
	if len(rows) != len(want) {
		t.Fatalf("rows: %v", rows)
	}
	for i, w := range want {
		sum := sha256.Sum256([]byte(w.content))
		got := rows[i]
		if got.Original != w.original || got.ContentType != w.contentType || filepath.Ext(got.Name) != w.extension ||
			got.Size != int64(len(w.content)) || got.SHA256 != hex.EncodeToString(sum[:]) || got.UserID != 7 || got.CreatedAt.IsZero() {
			t.Errorf("row %+v; want %+v", got, w)
		}
		if _, content := l.get(got.Name); content != w.content {
			t.Errorf("content of %s: %q", w.original, content)
		}
	}
	if len(l.disk()) != len(want) {
		t.Errorf("on disk: %v", l.disk())
	}
}

func TestUploadIsAllOrNothing(t *testing.T) {
	tooMany := slices.Repeat([]part{file("a", "a")}, MaxFiles+1)
	tooManyParts := append([]part{file("a", "a")}, slices.Repeat([]part{{`form-data; name="n"`, "x"}}, maxParts)...)
	for name, c := range map[string]struct {
		parts   []part
		cfg     Config
		status  int
		message string
	}{
		"no part":                    {nil, Config{}, 400, "No file uploaded"},
		"only fields":                {[]part{{`form-data; name="file"`, "x"}}, Config{}, 400, "No file uploaded"},
		"empty name":                 {[]part{{`form-data; name="file"; filename=""`, "x"}}, Config{}, 400, "No filename"},
		"second without a name":      {[]part{file("a", "a"), {`form-data; name="file"; filename=""`, "x"}}, Config{}, 400, "No filename"},
		"only a path":                {[]part{file("a/b/", "a")}, Config{}, 400, "No filename"},
		"second too large":           {[]part{file("a", "a"), file("b", strings.Repeat("b", 1001))}, Config{Max: 1000}, 413, "File too large, at most 1000B"},
		"far too large":              {[]part{file("b", strings.Repeat("b", 5<<20))}, Config{Max: 1 << 20}, 413, "File too large, at most 1MiB"},
		"larger than the body limit": {[]part{file("b", strings.Repeat("b", 2<<20))}, Config{Max: 1}, 413, "The body is larger"},
		"too many files":             {tooMany, Config{}, 413, "Too many files, at most 20"},
		"too many parts":             {tooManyParts, Config{}, 413, "Too many parts, at most 100"},
		"second of a rejected type":  {[]part{file("a.png", png), file("b.png", "text")}, Config{Types: []string{"image"}}, 415, "File type text/plain is not allowed"},
		"no disposition":             {[]part{file("a", "a"), {"", "x"}}, Config{}, 400, "Malformed multipart body"},
		"invalid disposition":        {[]part{file("a", "a"), {`form-data; name="file"; filename="a`, "x"}}, Config{}, 400, "Malformed multipart body"},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, c.cfg)
			status, body := l.upload(c.parts...)
			if status != c.status || !strings.Contains(body, c.message) {
				t.Errorf("%d %s; want %d %s", status, body, c.status, c.message)
			}
			l.expectNothing()
		})
	}
}

func TestUploadRejectsOtherBodies(t *testing.T) {
	l := open(t, Config{})
	contentType, whole := form(file("a", "a"), file("b", strings.Repeat("b", 100_000)))
	boundary := contentType[strings.Index(contentType, "boundary=")+len("boundary="):]
	for name, c := range map[string]struct{ contentType, body, message string }{
		"no content type":     {"", "", "No file uploaded"},
		"JSON":                {"application/json", `{"file": "x"}`, "No file uploaded"},
		"a form":              {"application/x-www-form-urlencoded", "file=x", "No file uploaded"},
		"no boundary":         {"multipart/form-data", string(whole), "No file uploaded"},
		"empty":               {contentType, "", "No file uploaded"},
		"other boundary":      {"multipart/form-data; boundary=other", string(whole), "Malformed multipart body"},
		"ends in a file":      {contentType, string(whole[:len(whole)-1000]), "Malformed multipart body"},
		"ends between files":  {contentType, string(whole[:bytes.LastIndex(whole, []byte("\r\n--"+boundary+"\r\n"))]), "Malformed multipart body"},
		"ends in a header":    {contentType, "--" + boundary + "\r\nContent-Disposition: form-data; name=", "Malformed multipart body"},
		"no closing boundary": {contentType, string(bytes.TrimSuffix(whole, []byte("\r\n--"+boundary+"--\r\n"))), "Malformed multipart body"},
		"unterminated header": {contentType, "--" + boundary + "\r\nX: " + strings.Repeat("x", 11<<20), "Malformed multipart body"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := l.post(c.contentType, strings.NewReader(c.body))
			if status != http.StatusBadRequest || !strings.Contains(body, c.message) {
				t.Errorf("%d %s; want 400 %s", status, body, c.message)
			}
			l.expectNothing()
		})
	}
}

func TestUploadCleansUpAfterLostClient(t *testing.T) {
	l := open(t, Config{})
	contentType, body := form(file("a", "a"), file("b", strings.Repeat("b", 100_000)))
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", contentType, len(body), body[:len(body)/2])
	for deadline := time.Now().Add(10 * time.Second); len(l.disk()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the upload did not start")
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(l.disk()) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v", l.disk())
		}
	}
	l.expectNothing()
}

// Many clients send everything before they read, and would miss a response after which
// the connection is closed.
func TestErrorReachesClientThatOnlyWrites(t *testing.T) {
	l := open(t, Config{Max: 1 << 20})
	contentType, body := form(file("a", strings.Repeat("a", 20<<20)))
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", contentType, len(body))
	if n, err := conn.Write(body); err != nil {
		t.Fatalf("after %d of %d bytes: %v", n, len(body), err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(res.Status)
	}
	l.expectNothing()
}

func TestUploadTreatsHostileNamesAsData(t *testing.T) {
	long := strings.Repeat("x", 300) + ".txt"
	for sent, kept := range map[string]string{
		`filename="../x"`:                            "x",
		`filename="../../../../etc/passwd"`:          "passwd",
		`filename="/etc/passwd"`:                     "passwd",
		`filename="C:\x"`:                            "x",
		`filename="..\\..\\x.txt"`:                   "x.txt",
		`filename=".."`:                              "..",
		`filename="CON"`:                             "CON",
		`filename="` + long + `"`:                    long,
		`filename="` + strings.Repeat(long, 9) + `"`: strings.Repeat(long, 9)[:maxName],
		`filename="a b;c=d.txt"`:                     "a b;c=d.txt",
		`filename="a\"b.txt"`:                        `a"b.txt`,
		`filename="<script>.html"`:                   "<script>.html",
		`filename="$(touch x)"`:                      "$(touch x)",
		`filename="%2e%2e%2fx"`:                      "%2e%2e%2fx",
		`filename*=UTF-8''na%C3%AFve.txt`:            "naïve.txt",
		`filename*=UTF-8''a%00b%0D%0AX%3A.txt`:       "abX:.txt",
		`filename*=UTF-8''a%E2%80%AEtxt.exe`:         "atxt.exe",
		`filename*=UTF-8''..%2F..%2Fx`:               "x",
		"filename=\"na\u00efve.txt\"":                "naïve.txt",
		"filename=\"\xff.txt\"":                      ".txt",
	} {
		t.Run(sent[:min(len(sent), 40)], func(t *testing.T) {
			l := open(t, Config{})
			if status, body := l.upload(part{"form-data; name=\"file\"; " + sent, "hello"}); status != http.StatusCreated {
				t.Fatal(status, body)
			}
			rows, disk := l.rows(), l.disk()
			if len(rows) != 1 || rows[0].Original != kept {
				t.Fatalf("stored as %v; want %q", rows, kept)
			}
			if want := filepath.Join(l.dir, rows[0].Name[:2], rows[0].Name); len(disk) != 1 || disk[0] != want {
				t.Errorf("on disk: %v; want %s", disk, want)
			}
			res, body := l.get(rows[0].Name)
			if res.StatusCode != http.StatusOK || body != "hello" {
				t.Errorf("download: %d %q", res.StatusCode, body)
			}
			disposition, params, err := mime.ParseMediaType(res.Header.Get("Content-Disposition"))
			if err != nil || disposition != "attachment" || params["filename"] != kept {
				t.Errorf("%s, %v", res.Header.Get("Content-Disposition"), err)
			}
		})
	}
}

func TestUploadRejectsBrokenHeaders(t *testing.T) {
	for _, sent := range []string{"filename=\"a\x00b.txt\"", "filename=\"a\rb.txt\"", "filename=\"a\nb.txt\""} {
		l := open(t, Config{})
		if status, body := l.upload(part{"form-data; name=\"file\"; " + sent, "hello"}); status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", sent, status, body)
		}
		l.expectNothing()
	}
}

func TestUploadWithoutLineEndAfterLastBoundary(t *testing.T) {
	l := open(t, Config{})
	contentType, body := form(file("a", "a"))
	if status, answer := l.post(contentType, bytes.NewReader(bytes.TrimSuffix(body, []byte("\r\n")))); status != http.StatusCreated {
		t.Error(status, answer)
	}
}

func TestServe(t *testing.T) {
	l := open(t, Config{})
	l.upload(file("n\u00f6te.txt", "0123456789"), file("page.txt", "<html><script>alert(1)</script></html>"), file("p.svg", png))
	names := map[string]string{}
	for _, row := range l.rows() {
		names[row.Original] = row.Name
	}
	res, body := l.get(names["nöte.txt"])
	tag := res.Header.Get("ETag")
	if len(tag) < 10 || strings.HasPrefix(tag, "W/") {
		t.Errorf("ETag %s is not a strong validator", tag)
	}
	for key, want := range map[string]string{
		"Content-Type": "text/plain", "Content-Length": "10", "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff",
		"Content-Disposition": "attachment; filename*=utf-8''n%C3%B6te.txt", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
		"Cache-Control": "private, no-cache, no-transform",
	} {
		if got := res.Header.Get(key); got != want {
			t.Errorf("%s: %s; want %s", key, got, want)
		}
	}
	if body != "0123456789" {
		t.Errorf("body %q", body)
	}
	if name := names["page.txt"]; strings.Contains(name, ".") {
		t.Errorf("HTML is stored as %s", name)
	}
	for name, want := range map[string]string{"page.txt": "application/octet-stream", "p.svg": "image/png"} {
		res, _ := l.get(names[name])
		if got := res.Header.Get("Content-Type"); got != want {
			t.Errorf("%s is served as %s; want %s", name, got, want)
		}
	}
	for name, c := range map[string]struct {
		header []string
		status int
		body   string
	}{
		"middle":              {[]string{"Range", "bytes=2-4"}, 206, "234"},
		"end":                 {[]string{"Range", "bytes=-3"}, 206, "789"},
		"from":                {[]string{"Range", "bytes=8-"}, 206, "89"},
		"beyond":              {[]string{"Range", "bytes=10-"}, 416, `"code":416`},
		"backwards":           {[]string{"Range", "bytes=5-1"}, 416, `"code":416`},
		"empty suffix":        {[]string{"Range", "bytes=-0"}, 416, `"code":416`},
		"empty suffix, stale": {[]string{"Range", "bytes=-0", "If-Range", `"other"`}, 200, "0123456789"},
		"other unit, empty":   {[]string{"Range", "lines=-0"}, 200, "0123456789"},
		"unit unknown":        {[]string{"Range", "lines=2-4"}, 200, "0123456789"},
		"If-Match fails":      {[]string{"If-Match", `"other"`}, 412, `"code":412`},
		"same":                {[]string{"If-None-Match", tag}, 304, ""},
		"changed":             {[]string{"If-None-Match", `"other"`}, 200, "0123456789"},
		"range of the same":   {[]string{"Range", "bytes=2-4", "If-Range", tag}, 206, "234"},
		"range of the former": {[]string{"Range", "bytes=2-4", "If-Range", `"other"`}, 200, "0123456789"},
		"compressed":          {[]string{"Accept-Encoding", "gzip, br, zstd"}, 200, "0123456789"},
	} {
		res, body := l.get(names["nöte.txt"], c.header...)
		if res.StatusCode != c.status || c.status < 400 && body != c.body || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %q; want %d %q", name, res.StatusCode, body, c.status, c.body)
		}
		if size := res.Header.Get("Content-Range"); res.StatusCode == http.StatusRequestedRangeNotSatisfiable && size != "bytes */10" {
			t.Errorf("%s: Content-Range %q", name, size)
		}
	}
	for _, ranges := range []string{"bytes=2-4", "bytes=-0", "bytes=10-"} { // RFC 9110, 14.2: GET only
		if res, _ := l.send(http.MethodHead, names["nöte.txt"], "Range", ranges); res.StatusCode != 200 || res.ContentLength != 10 {
			t.Errorf("HEAD with Range: %s: %d with %d bytes", ranges, res.StatusCode, res.ContentLength)
		}
	}
	// Each range may be a separate request to a store.
	for ranges, status := range map[int]int{20: 206, 21: 200} {
		if res, body := l.get(names["page.txt"], "Range", "bytes="+strings.Repeat("0-0,", ranges-1)+"1-1"); res.StatusCode != status {
			t.Errorf("%d ranges: %d %q", ranges, res.StatusCode, body)
		}
	}
	for _, name := range []string{NewName(""), "x", "..%5cgo.mod", "%00", strings.Repeat("a", 300), names["page.txt"] + "x"} {
		if res, body := l.get(name); res.StatusCode != http.StatusNotFound || !strings.Contains(body, `"File not found"`) {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
	if err := l.Store.Delete(t.Context(), names["page.txt"]); err != nil {
		t.Fatal(err)
	}
	if res, body := l.get(names["page.txt"]); res.StatusCode != http.StatusNotFound || !strings.Contains(body, `"File not found"`) {
		t.Errorf("object missing: %d %s", res.StatusCode, body)
	}
}

// endless yields n bytes without storing them.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.n)
	e.n -= n
	return int(n), nil
}

func TestFilesAreStreamed(t *testing.T) {
	const size = 256 << 20
	l := open(t, Config{Max: size})
	contentType, body := form(file("big", "X"))
	before, after, _ := bytes.Cut(body, []byte("X"))
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	start := allocated()
	status, answer := l.post(contentType, io.MultiReader(bytes.NewReader(before), &endless{size}, bytes.NewReader(after)))
	if status != http.StatusCreated {
		t.Fatal(status, answer)
	}
	res, err := http.Get(l.url + "/files/" + l.rows()[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err != nil || n != size {
		t.Fatal(n, err)
	}
	// Total allocations, client and server together.
	if used := allocated() - start; used > 8<<20 {
		t.Errorf("%d bytes were allocated for %d", used, size)
	}
}

func TestPaceExtendsWithProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deadline time.Time
		steady := &pacedReader{r: &slow{time.Second, 4 * minRate}, extend: func(d time.Time) { deadline = d }}
		drip := &pacedReader{r: &slow{20 * time.Second, 1}, extend: func(d time.Time) {
			if now := time.Now(); d.Before(now) {
				return // the connection has been cut
			}
			deadline = d
		}}
		b := make([]byte, 4*minRate)
		for range 600 {
			_, _ = steady.Read(b)
		}
		if left := time.Until(deadline); left < 20*time.Minute {
			t.Errorf("a client sending four times the minimum rate for ten minutes has %s left", left)
		}
		deadline = time.Time{}
		start := time.Now()
		for range 600 {
			_, _ = drip.Read(b)
		}
		if lasted := deadline.Sub(start); lasted > gracePeriod {
			t.Errorf("a client sending a byte every 20 seconds lasted %s", lasted)
		}
	})
}

func TestBrokenBodies(t *testing.T) {
	for err, status := range map[error]int{
		io.ErrUnexpectedEOF: 400, &http.MaxBytesError{Limit: 1}: 413, os.ErrDeadlineExceeded: 408,
	} {
		if f := fault.From(readFault(fmt.Errorf("multipart: NextPart: %w", err))); f.Status != status {
			t.Errorf("%v is a %d; want %d", err, f.Status, status)
		}
	}
}

type slow struct {
	wait time.Duration
	n    int
}

func (s *slow) Read([]byte) (int, error) {
	time.Sleep(s.wait)
	return s.n, nil
}

func TestLinks(t *testing.T) {
	l := open(t, Config{Secret: "a secret of this test"})
	other := open(t, Config{Secret: "another secret"})
	now := time.Now()
	name := NewName("")
	link := l.Link(name, 7, now.Add(time.Minute))
	values := func(query string) url.Values {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	changed := func(key, value string) url.Values {
		v := maps.Clone(values(link))
		v.Set(key, value)
		return v
	}
	for what, c := range map[string]struct {
		name  string
		query url.Values
		now   time.Time
		holds bool
	}{
		"fresh":               {name, values(link), now, true},
		"last second":         {name, values(link), now.Add(59 * time.Second), true},
		"expired":             {name, values(link), now.Add(time.Minute), false},
		"other file":          {NewName(""), values(link), now, false},
		"other secret":        {name, values(other.Link(name, 7, now.Add(time.Minute))), now, false},
		"extended":            {name, changed("expires", "99999999999"), now, false},
		"invalid expiry":      {name, changed("expires", "soon"), now, false},
		"other user":          {name, changed("by", "8"), now, false},
		"invalid user":        {name, changed("by", ""), now, false},
		"no signature":        {name, changed("signature", ""), now, false},
		"signature cut":       {name, changed("signature", values(link).Get("signature")[:42]), now, false},
		"signature continued": {name, changed("signature", values(link).Get("signature")+"A"), now, false},
		"nothing":             {name, url.Values{}, now, false},
	} {
		if by, got := l.Linked(c.name, c.query, c.now); got != c.holds || got && by != 7 {
			t.Errorf("%s: %v, by %d", what, got, by)
		}
	}
}

func TestRemoveAndSweep(t *testing.T) {
	l := open(t, Config{})
	l.upload(file("a", "a"), file("b", "b"))
	rows := l.rows()
	if err := l.Remove(t.Context(), rows[0]); err != nil {
		t.Fatal(err)
	}
	if disk := l.disk(); len(disk) != 1 {
		t.Errorf("on disk after remove: %v", disk)
	}
	if err := l.Remove(t.Context(), rows[0]); err == nil {
		t.Error("removed twice")
	}
	orphan := NewName("")
	if err := l.Store.Put(t.Context(), orphan, strings.NewReader("nobody's")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		before  time.Time
		deleted int
	}{{time.Now().Add(-time.Hour), 0}, {time.Now().Add(time.Hour), 1}, {time.Now().Add(time.Hour), 0}} {
		if n, err := l.Sweep(t.Context(), c.before); err != nil || n != c.deleted {
			t.Errorf("sweep deleted %d, %v; want %d", n, err, c.deleted)
		}
	}
	if _, err := l.Store.Open(t.Context(), orphan); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the orphan was not deleted: %v", err)
	}
	if _, content := l.get(rows[1].Name); content != "b" {
		t.Errorf("the referenced file is %q", content)
	}
}
