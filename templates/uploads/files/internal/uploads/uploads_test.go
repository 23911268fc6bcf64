package uploads

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"mime/multipart"
	"net/textproto"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/files"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/templates/uploads/files/internal/migrations"
)

// world is the module under test with two users and an administrator.
type world struct {
	t                       *testing.T
	db                      *gorm.DB
	dir                     string // of the stored files
	rootToken               string
	anybody, ada, bob, root *webtest.Client
}

func newWorld(t *testing.T, cfg files.Config) world {
	t.Helper()
	gdb := webtest.DB(t, migrations.All())
	dir := filepath.Join(t.TempDir(), "files")
	cfg.URL = "file:" + dir
	known, ada := authtest.Sign(t, gdb, authtest.Account{Username: "ada"})
	_, bob := authtest.Sign(t, gdb, authtest.Account{Username: "bob"})
	_, root := authtest.Sign(t, gdb, authtest.Account{Username: "root", Role: "admin"})
	queue := jobs.New(gdb, slog.New(slog.DiscardHandler))
	anybody := webtest.New(t, known, Module(cfg, gdb, queue).Under("/api/v1"))
	as := func(token string) *webtest.Client { return anybody.With("Authorization", "Bearer "+token) }
	return world{t, gdb, dir, root, anybody, as(ada), as(bob), as(root)}
}

type part struct{ name, content string }

func upload(client *webtest.Client, path string, parts ...part) *webtest.Answer {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i, p := range parts {
		header := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="file%d"; filename="%s"`, i, p.name)}}
		w, _ := form.CreatePart(header)
		_, _ = io.WriteString(w, p.content)
	}
	_ = form.Close()
	return client.With("Content-Type", form.FormDataContentType()).Post(path, body.Bytes())
}

// stored counts the rows and the stored files, including unfinished ones.
func (w world) stored() (rows int64, onDisk int) {
	w.t.Helper()
	if err := w.db.Model(&files.File{}).Count(&rows).Error; err != nil {
		w.t.Fatal(err)
	}
	_ = filepath.WalkDir(w.dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			onDisk++
		}
		return nil
	})
	return rows, onDisk
}

const (
	path = "/api/v1/files/upload"
	kept = path + "?keep=true" // readable by everyone, whatever rows refer to uploads
	png  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
)

func TestUploadAndDownload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, files.Config{})
	one := upload(w.ada, kept, part{"hello.txt", "hello"}).Expect(201)
	got := one.JSON()
	url, _ := got["url"].(string)
	if len(got) != 4 || got["filename"] != "hello.txt" || got["content_type"] != "text/plain" || got["size"] != 5.0 ||
		!strings.HasPrefix(url, "/api/v1/files/") || one.Header("Location") != url {
		t.Fatalf("one file: %v", got)
	}
	download := w.anybody.Get(url).Expect(200)
	if string(download.Body()) != "hello" || !strings.HasPrefix(download.Header("Content-Disposition"), "attachment") ||
		download.Header("X-Content-Type-Options") != "nosniff" {
		t.Errorf("came back as %q", download.Body())
	}
	if part := w.anybody.With("Range", "bytes=1-2").Get(url).Expect(206); string(part.Body()) != "el" {
		t.Errorf("a range came back as %q", part.Body())
	}
	w.anybody.With("If-None-Match", download.Header("ETag")).Get(url).Expect(304)

	if got := upload(w.ada, kept, part{"empty", ""}).Expect(201).JSON(); len(got) != 4 || got["size"] != 0.0 {
		t.Errorf("an empty file: %v", got)
	}

	var several struct{ Uploaded []uploaded }
	upload(w.ada, kept, part{"same.png", png}, part{"same.png", "<html>no image</html>"}).Expect(201).Into(&several)
	if len(several.Uploaded) != 2 || several.Uploaded[0].URL == several.Uploaded[1].URL {
		t.Fatalf("several files: %+v", several)
	}
	for i, want := range []struct{ content, served string }{{png, "image/png"}, {"<html>no image</html>", "application/octet-stream"}} {
		answer := w.anybody.Get(several.Uploaded[i].URL).Expect(200)
		if string(answer.Body()) != want.content || answer.Header("Content-Type") != want.served {
			t.Errorf("file %d came back as %s: %q", i, answer.Header("Content-Type"), answer.Body())
		}
	}
}

func TestRefusedUploadsLeaveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, files.Config{Max: 1000, Types: []string{"text", "image"}})
	many := make([]part, files.MaxFiles+1)
	for i := range many {
		many[i] = part{"a.txt", "a"}
	}
	for name, c := range map[string]struct {
		client  *webtest.Client
		parts   []part
		status  int
		message string
	}{
		"nobody":        {w.anybody, []part{{"a.txt", "a"}}, 401, ""},
		"no file":       {w.ada, nil, 400, "No file uploaded"},
		"no name":       {w.ada, []part{{"a.txt", "a"}, {"", "b"}}, 400, "No filename"},
		"too large":     {w.ada, []part{{"a.txt", "a"}, {"b.txt", strings.Repeat("b", 1001)}}, 413, "File too large, at most 1000B"},
		"too many":      {w.ada, many, 413, "Too many files, at most 20"},
		"wrong content": {w.ada, []part{{"a.png", png}, {"b.png", "%PDF-1.7"}}, 415, "File type application/pdf is not allowed"},
	} {
		answer := upload(c.client, path, c.parts...).Expect(c.status)
		if got := answer.JSON()["error"]; c.message != "" && got != c.message {
			t.Errorf("%s: %v; want %s", name, got, c.message)
		}
	}
	if answer := w.ada.Post(path, nil).Expect(400); answer.JSON()["error"] != "No file uploaded" {
		t.Errorf("no body: %s", answer.Body())
	}
	if rows, onDisk := w.stored(); rows != 0 || onDisk != 0 {
		t.Errorf("left behind: %d rows, %d files", rows, onDisk)
	}
}

func TestHostileNamesAreOnlyData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, files.Config{})
	names := map[string]string{
		"../x": "x", "../../../etc/passwd": "passwd", `C:\x`: "x", "NUL": "NUL", "..": "..", strings.Repeat("n", 300): strings.Repeat("n", 300),
	}
	for name, original := range names {
		got := upload(w.ada, kept, part{name, name}).Expect(201).JSON()
		if got["filename"] != original {
			t.Errorf("%q is kept as %q; want %q", name, got["filename"], original)
		}
		if body := w.anybody.Get(got["url"].(string)).Expect(200).Body(); string(body) != name {
			t.Errorf("%q came back as %q", name, body)
		}
	}
	if rows, onDisk := w.stored(); rows != int64(len(names)) || onDisk != len(names) {
		t.Errorf("%d rows, %d files; want %d", rows, onDisk, len(names))
	}
	if entries, err := filepath.Glob(filepath.Join(filepath.Dir(w.dir), "*")); err != nil || len(entries) != 1 {
		t.Errorf("beside the store: %v, %v", entries, err)
	}
	for _, name := range []string{"x", "..%5cx", "%00", strings.Repeat("a", 26), strings.Repeat("n", 300)} {
		if got := w.anybody.Get("/api/v1/files/" + name).Expect(404).JSON()["error"]; got != "File not found" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPrivateFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, files.Config{})
	url, _ := upload(w.ada, path+"?private=true", part{"secret.txt", "secret"}).Expect(201).JSON()["url"].(string)
	w.ada.Get(url).Expect(200)
	w.root.Get(url).Expect(200)
	w.bob.Get(url).Expect(404)
	w.anybody.Get(url).Expect(404)

	w.anybody.Post(url+"/link", nil).Expect(401)
	w.bob.Post(url+"/link", nil).Expect(404)
	w.ada.Post(url+"/link?expires_in=59", nil).Expect(422)
	var made link
	w.ada.Post(url+"/link?expires_in=60", nil).Expect(200).Into(&made)
	if left := time.Until(made.ExpiresAt); left < 50*time.Second || left > time.Minute {
		t.Errorf("the link lasts %s", left)
	}
	if body := w.anybody.Get(made.URL).Expect(200).Body(); string(body) != "secret" {
		t.Errorf("by its link it came back as %q", body)
	}
	w.anybody.Get(strings.Replace(made.URL, "expires=", "expires=9", 1)).Expect(404)
	other, _ := upload(w.ada, path+"?private=true", part{"other.txt", "other"}).Expect(201).JSON()["url"].(string)
	_, query, _ := strings.Cut(made.URL, "?")
	w.anybody.Get(other + "?" + query).Expect(404)

	// Impersonating the owner leaves nothing behind that outlasts the impersonation.
	service := authtest.Service(t, w.db)
	actor, err := service.Authenticate(t.Context(), w.rootToken)
	if err != nil {
		t.Fatal(err)
	}
	acting, err := service.Impersonate(t.Context(), auth.Client{}, actor, authtest.UserID(t, w.db, "ada"))
	if err != nil {
		t.Fatal(err)
	}
	as := w.anybody.With("Authorization", "Bearer "+acting.AccessToken)
	as.Get(url).Expect(200)
	as.Post(url+"/link", nil).Expect(403)

	// A link stops working when its creator loses access.
	var byRoot link
	w.root.Post(url+"/link", nil).Expect(200).Into(&byRoot)
	w.anybody.Get(byRoot.URL).Expect(200)
	for name, loses := range map[string]map[string]any{"root": {"role": "user"}, "ada": {"is_active": false}} {
		if err := w.db.Table("users").Where("username = ?", name).Updates(loses).Error; err != nil {
			t.Fatal(err)
		}
	}
	w.anybody.Get(byRoot.URL).Expect(404)
	w.anybody.Get(made.URL).Expect(404)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, files.Config{})
	url, _ := upload(w.ada, kept, part{"a.txt", "a"}).Expect(201).JSON()["url"].(string)
	w.anybody.Delete(url).Expect(401)
	w.bob.Delete(url).Expect(403)
	w.ada.Delete(url).Expect(204)
	w.anybody.Get(url).Expect(404)
	w.ada.Delete(url).Expect(404)
	url, _ = upload(w.ada, kept, part{"b.txt", "b"}).Expect(201).JSON()["url"].(string)
	w.root.Delete(url).Expect(204)
	if rows, onDisk := w.stored(); rows != 0 || onDisk != 0 {
		t.Errorf("left behind: %d rows, %d files", rows, onDisk)
	}
}

// Uploads of killed processes leave bytes without a row, which are deleted. An upload
// with ?keep=true stays, whatever refers to uploads.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, files.Config{})
	library, err := files.New(files.Config{URL: "file:" + w.dir}, w.db, references()...)
	if err != nil {
		t.Fatal(err)
	}
	upload(w.ada, kept, part{"a.txt", "a"}).Expect(201)
	if err := library.Store.Put(t.Context(), files.NewName(""), strings.NewReader("orphan")); err != nil {
		t.Fatal(err)
	}
	h := handler{library}
	if err := h.sweep(t.Context(), struct{}{}); err != nil {
		t.Fatal(err)
	}
	if _, onDisk := w.stored(); onDisk != 2 {
		t.Errorf("%d files; a young orphan may be an upload under way", onDisk)
	}
	if n, err := library.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil || n != 1 {
		t.Errorf("swept %d, %v; want the orphan", n, err)
	}
}

func TestModuleSaysWhatIsWrongWithItsStore(t *testing.T) {
	t.Parallel()
	gdb := webtest.DB(t, nil)
	m := Module(files.Config{URL: "ftp://host/x"}, gdb, jobs.New(gdb, slog.New(slog.DiscardHandler)))
	if _, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), m); err == nil || !strings.Contains(err.Error(), "FILES_URL") {
		t.Errorf("got %v", err)
	}
}
