package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"mime/multipart"
	"net/textproto"
	"path/filepath"
	"strings"
	"testing"
)

// part is one file of an upload; its header is written unchanged.
type part struct{ field, disposition, kind, content string }

// file returns a part with a plain name.
func file(name, content string) part {
	return part{field: "file", disposition: `; filename="` + name + `"`, content: content}
}

func (c client) upload(parts ...part) response {
	c.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range parts {
		header := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p.field + `"` + p.disposition}}
		if p.kind != "" {
			header.Set("Content-Type", p.kind)
		}
		out, err := w.CreatePart(header)
		if err != nil {
			c.t.Fatal(err)
		}
		_, _ = out.Write([]byte(p.content))
	}
	w.Close()
	return c.with("Content-Type", w.FormDataContentType()).post(apiBase+"/files/upload", &body)
}

const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"

func TestContractFiles(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	anna := s.register("anna")

	t.Run("round trip", func(t *testing.T) {
		a := anna.of(t).upload(file("hello.txt", "Hello, file")).want(201)
		got := a.json()
		if len(got) != 4 || got["filename"] != "hello.txt" || got["size"] != 11.0 || !strings.HasPrefix(a.text("content_type"), "text/plain") {
			t.Errorf("response %v", got)
		}
		url := a.text("url")
		if !strings.HasPrefix(url, apiBase+"/files/") || strings.Contains(url, "hello") {
			t.Errorf("url %q", url)
		}
		down := s.client().of(t).get(url).want(200)
		if string(down.body) != "Hello, file" || down.header.Get("Etag") == "" || down.header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(down.header.Get("Content-Disposition"), "attachment") || !strings.Contains(down.header.Get("Content-Disposition"), "hello.txt") {
			t.Errorf("%q with %v", down.body, down.header)
		}
		again := anna.of(t).upload(file("hello.txt", "Another")).want(201)
		if again.text("url") == url || string(s.client().of(t).get(url).body) != "Hello, file" {
			t.Error("an equal name overwrote the file")
		}
		c := s.client().of(t)
		if part := c.with("Range", "bytes=7-10").get(url).want(206); string(part.body) != "file" || part.header.Get("Content-Range") != "bytes 7-10/11" {
			t.Errorf("a part is %q with %v", part.body, part.header)
		}
		if part := c.with("Range", "bytes=-4").get(url).want(206); string(part.body) != "file" {
			t.Errorf("the end is %q", part.body)
		}
		c.with("Range", "bytes=50-").get(url).want(416)
		if same := c.with("If-None-Match", down.header.Get("Etag")).get(url).want(304); len(same.body) != 0 {
			t.Errorf("304 with %q", same.body)
		}
		c.with("If-None-Match", `"other"`).get(url).want(200)
		c.with("Range", "bytes=0-3", "If-Range", `"other"`).get(url).want(200)
		if head := c.do("HEAD", url, nil).want(200); len(head.body) != 0 || head.header.Get("Content-Length") != "11" {
			t.Errorf("HEAD: %q with %v", head.body, head.header)
		}
	})

	t.Run("several", func(t *testing.T) {
		a := anna.of(t).upload(
			part{field: "one", disposition: `; filename="1.txt"`, content: "1"},
			part{field: "two", disposition: `; filename="2.txt"`, content: "22"},
			part{field: "two", disposition: `; filename="2.txt"`, content: "333"},
			part{field: "note", content: "no file"},
		).want(201)
		list, _ := a.json()["uploaded"].([]any)
		if len(list) != 3 {
			t.Fatalf("response %s", a.body)
		}
		for i, content := range []string{"1", "22", "333"} {
			one := list[i].(map[string]any)
			if got := s.client().of(t).get(one["url"].(string)).want(200); string(got.body) != content || one["size"] != float64(len(content)) {
				t.Errorf("%v holds %q", one, got.body)
			}
		}
		if one := anna.of(t).upload(part{field: "avatar", disposition: `; filename="a.txt"`, content: "x"}).want(201); one.text("url") == "" {
			t.Errorf("one file in another field: %s", one.body)
		}
	})

	t.Run("types by content", func(t *testing.T) {
		for _, c := range []struct{ name, claimed, content, kind, served string }{
			{"a.png", "text/html", png, "image/png", "image/png"},
			{"page.png", "image/png", "<!doctype html><script>alert(1)</script>", "text/html", "application/octet-stream"},
			{"p.txt", "text/plain", "<html><body>x</body></html>", "text/html", "application/octet-stream"},
			{"x.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "image/svg+xml", "application/octet-stream"},
			{"empty.txt", "", "", "", ""},
		} {
			p := file(c.name, c.content)
			p.kind = c.claimed
			a := anna.of(t).upload(p).want(201)
			down := s.client().of(t).get(a.text("url")).want(200)
			if !strings.HasPrefix(a.text("content_type"), c.kind) || !strings.HasPrefix(down.header.Get("Content-Type"), c.served) ||
				!strings.HasPrefix(down.header.Get("Content-Disposition"), "attachment") || string(down.body) != c.content {
				t.Errorf("%s is %s, served as %v", c.name, a.text("content_type"), down.header)
			}
		}
	})

	t.Run("hostile names", func(t *testing.T) {
		for _, name := range []string{
			"../../x.txt", "..", "/etc/passwd", `C:\\windows\\x.txt`, `..\\..\\x`, "a\x00b.txt", strings.Repeat("n", 300) + ".txt", ".env", "con", "日本語.txt",
			"x.txt%00.png", "%2e%2e%2fx", "a\tb", "\u202egpj.exe", "\xff\xfe.txt", "-rf", "~",
		} {
			a := anna.of(t).upload(file(name, "content of "+name))
			if a.status == 400 {
				if wrong := a.fault(400); wrong != "" {
					t.Errorf("%q: %s", name, wrong)
				}
				continue
			}
			a.want(201)
			if down := s.client().of(t).get(a.text("url")).want(200); string(down.body) != "content of "+name || strings.ContainsAny(down.header.Get("Content-Disposition"), "\x00\r\n") {
				t.Errorf("%q came back as %q with %q", name, down.body, down.header.Get("Content-Disposition"))
			}
			if strings.ContainsAny(a.text("filename"), "/\\\x00") {
				t.Errorf("filename of %q is %q", name, a.text("filename"))
			}
		}
		store := filepath.Join(s.dir, "data", "files")
		err := filepath.WalkDir(s.dir, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && !strings.HasPrefix(name, store) && !strings.HasPrefix(name, filepath.Join(s.dir, "data", "blog.db")) && !strings.HasPrefix(name, filepath.Join(s.dir, "mail")) {
				t.Errorf("%s was written", name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		for _, path := range []string{"..%2f..%2fdata%2fblog.db", "..", "%00", strings.Repeat("n", 300), "blog.db", "a%2fb", `..%5c..%5cx`, "."} {
			if a := s.client().of(t).get(apiBase + "/files/" + path); a.fault(404) != "" {
				t.Errorf("%s: %s", path, a.fault(404))
			}
		}
		s.client().of(t).get(apiBase+"/files/absent").wantFault(404, "File not found")
	})

	t.Run("refusals", func(t *testing.T) {
		c := anna.of(t)
		s.client().of(t).upload(file("a.txt", "x")).wantFault(401, "")
		c.upload().wantFault(400, "No file uploaded")
		c.upload(part{field: "file", content: "x"}).wantFault(400, "No file uploaded")
		c.upload(part{field: "file", disposition: `; filename=""`, content: "x"}).wantFault(400, "No filename")
		c.post(apiBase+"/files/upload", nil).wantFault(400, "No file uploaded")
		c.with("Content-Type", "multipart/form-data").post(apiBase+"/files/upload", "x").wantFault(400, "No file uploaded")
		c.with("Content-Type", "multipart/form-data; boundary=x").post(apiBase+"/files/upload", "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf").wantFault(400, "")
		c.upload(file("big.bin", strings.Repeat("x", 10<<20+1))).wantFault(413, "")
		c.upload(file("fits.bin", strings.Repeat("x", 10<<20))).want(201)
		many := make([]part, 50)
		for i := range many {
			many[i] = file(fmt.Sprint(i), "x")
		}
		c.upload(many...).wantFault(413, "")
		if a := c.get(apiBase + "/files/upload"); a.status != 404 && a.status != 405 {
			t.Errorf("GET upload: %d", a.status)
		}
	})
}
