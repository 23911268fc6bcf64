package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// letter is a parsed mail.
type letter struct {
	header     mail.Header
	subject    string
	text, html string
}

// letters returns the mails in the server's folder to an address.
func (b blog) letters(to string) []letter {
	b.t.Helper()
	names, err := filepath.Glob(filepath.Join(b.dir, "mail", "*.eml"))
	if err != nil {
		b.t.Fatal(err)
	}
	var found []letter
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			b.t.Fatal(err)
		}
		message, err := mail.ReadMessage(file)
		if err != nil {
			b.t.Fatalf("%s: %v", name, err)
		}
		receivers, err := message.Header.AddressList("To")
		if err != nil || len(receivers) != 1 {
			b.t.Fatalf("%s: to %v, %v", name, receivers, err)
		}
		if receivers[0].Address != to {
			file.Close()
			continue
		}
		l := letter{header: message.Header}
		l.subject, _ = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
		l.read(b.t, message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), message.Body)
		found = append(found, l)
		file.Close()
	}
	return found
}

// read reads the text and the HTML of a part, or of its subparts.
func (l *letter) read(t testing.TB, kind, encoding string, body io.Reader) {
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(media, "multipart/") {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			l.read(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	switch media {
	case "text/plain":
		l.text = string(text)
	case "text/html":
		l.html = string(text)
	}
}

// awaitLetter waits for the mail with that subject.
func (b blog) awaitLetter(to, subject string) letter {
	b.t.Helper()
	var found letter
	eventually(b.t, 15*time.Second, "mail "+subject+" to "+to, func() bool {
		for _, l := range b.letters(to) {
			if strings.Contains(l.subject, subject) {
				found = l
				return true
			}
		}
		return false
	})
	return found
}

var tokenInLetter = regexp.MustCompile(`token=([A-Za-z0-9_-]{20,})`)

func TestContractMail(t *testing.T) {
	t.Parallel()
	s := guideServer(t, "APP_URL=https://blog.example.com", "MAIL_FROM=Blog <blog@example.com>")
	body := registration("anna")
	body["username"] = "Anna <b>ä</b>"
	id := s.client().post(apiBase+"/users", body).want(201).number("id")
	welcome := s.awaitLetter("anna@example.com", "Welcome")
	if !strings.Contains(welcome.text, "Anna <b>ä</b>") || !strings.Contains(welcome.html, "Anna &lt;b&gt;ä&lt;/b&gt;") || !strings.Contains(welcome.html, "<html") {
		t.Errorf("text:\n%s\nHTML:\n%s", welcome.text, welcome.html)
	}
	for name, want := range map[string]string{"From": "blog@example.com", "Date": "", "Message-Id": "@"} {
		if got := welcome.header.Get(name); got == "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if !strings.HasPrefix(welcome.header.Get("Content-Type"), "multipart/alternative") {
		t.Errorf("Content-Type %q", welcome.header.Get("Content-Type"))
	}
	s.client().get("/dev/mail").wantFault(404, "")

	anna := s.login("Anna <b>ä</b>", goodPassword)
	anna.id = id
	post := func(path string, body any) response { return s.client().post(apiBase+"/auth/"+path, body) }

	// The token of a mail confirms the address, once.
	for _, path := range []string{"send-confirmation", "forgot-password"} {
		known, unknown := post(path, `{"email":"anna@example.com"}`).want(202), post(path, `{"email":"nobody@example.com"}`).want(202)
		if string(known.body) != string(unknown.body) {
			t.Errorf("%s reveals who exists: %s, %s", path, known.body, unknown.body)
		}
		post(path, `{"email":"nonsense"}`).wantFault(422, "Validation error")
		post(path, `{}`).wantFault(422, "Validation error")
	}
	confirm := s.awaitLetter("anna@example.com", "Confirm")
	found := tokenInLetter.FindStringSubmatch(confirm.text)
	if found == nil || !strings.Contains(confirm.text, "https://blog.example.com/") || !strings.Contains(confirm.html, found[1]) {
		t.Fatalf("the mail has no link:\n%s", confirm.text)
	}
	post("confirm-email", `{"token":"x"}`).wantFault(400, "")
	post("confirm-email", `{}`).wantFault(422, "")
	if anna.get(mePath).want(200).json()["email_confirmed_at"] != nil {
		t.Error("confirmed without the token")
	}
	post("confirm-email", map[string]string{"token": found[1]}).want(200)
	post("confirm-email", map[string]string{"token": found[1]}).wantFault(400, "")
	if anna.get(mePath).want(200).json()["email_confirmed_at"] == nil {
		t.Error("not confirmed")
	}

	// Likewise a new password, which also ends every session.
	reset := tokenInLetter.FindStringSubmatch(s.awaitLetter("anna@example.com", "password").text)
	if reset == nil {
		t.Fatal("the mail has no link")
	}
	post("confirm-email", map[string]string{"token": reset[1]}).wantFault(400, "") // a token for another purpose
	next := func(token, password string) map[string]string {
		return map[string]string{"token": token, "password": password}
	}
	post("reset-password", next("x", "Different-Horse-8")).wantFault(400, "")
	if a := post("reset-password", next(reset[1], "weak")).wantFault(422, "Validation error"); a.fields() != "password" {
		t.Errorf("details of %q", a.fields())
	}
	post("reset-password", next(reset[1], "Different-Horse-8")).want(200)
	post("reset-password", next(reset[1], "Different-Horse-9")).wantFault(400, "")
	anna.get(mePath).wantFault(401, "")
	anna.browser().post(refreshPath, nil).wantFault(401, "")
	s.client().post(loginPath, credentials("Anna <b>ä</b>", goodPassword)).wantFault(401, "")
	s.login("Anna <b>ä</b>", "Different-Horse-8")
	if len(s.letters("nobody@example.com")) != 0 {
		t.Error("a mail to an unknown address")
	}
	s.awaitLetter("anna@example.com", "Your password was changed")
	if n := len(s.letters("anna@example.com")); n != 4 {
		t.Errorf("%d mails to anna, want 4", n)
	}
	for _, token := range []string{found[1], reset[1]} {
		if strings.Contains(s.log.String(), token) {
			t.Error("the log contains a token")
		}
	}
}

// TestContractFormerAddress: an attacker who has stolen a session and confirmed another
// address cannot keep the owner out of the account, not even by registering the old
// address.
func TestContractFormerAddress(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	post := func(path string, body any) response { return s.client().post(apiBase+path, body) }
	token := func(l letter) map[string]string {
		found := tokenInLetter.FindStringSubmatch(l.text)
		if found == nil {
			t.Fatalf("the mail has no link:\n%s", l.text)
		}
		return map[string]string{"token": found[1], "password": "Different-Horse-8"}
	}
	thief, other := s.register("owner"), s.register("other")
	taken := func(when string) {
		t.Helper()
		request := regexp.MustCompile(`"request_id":"[^"]*"`)
		body := registration("squatter")
		body["email"] = "other@example.com"
		want := request.ReplaceAllString(string(post("/users", body).want(409).body), "")
		for _, email := range []string{"owner@example.com", "OWNER@Example.com"} {
			body["email"] = email
			if got := request.ReplaceAllString(string(post("/users", body).want(409).body), ""); got != want {
				t.Errorf("%s: response %s, for a taken address %s", when, got, want)
			}
			other.patch(fmt.Sprintf("%s/users/%d", apiBase, other.id), map[string]any{"email": email}).wantFault(409, "Email taken")
		}
		out, problems, code := s.command(goodPassword+"\n", "user", "create", "--username", "squatter", "--email", "owner@example.com")
		if code == 0 || !strings.Contains(problems, "email taken") {
			t.Errorf("%s: the command creates it: %s%s", when, out, problems)
		}
	}
	post("/auth/send-confirmation", `{"email":"owner@example.com"}`).want(202)
	post("/auth/confirm-email", token(s.awaitLetter("owner@example.com", "Confirm"))).want(200)
	thief.patch(fmt.Sprintf("%s/users/%d", apiBase, thief.id), map[string]any{"email": "thief@example.com"}).want(200)
	s.awaitLetter("owner@example.com", "Your e-mail address was changed")
	taken("before it is confirmed")
	post("/auth/confirm-email", token(s.awaitLetter("thief@example.com", "Confirm"))).want(200)
	taken("once it is confirmed")
	undo := token(s.awaitLetter("owner@example.com", "Did you change"))
	post("/auth/reset-password", undo).want(200)
	post("/auth/reset-password", undo).wantFault(400, "")
	thief.get(mePath).wantFault(401, "")
	if got := s.login("owner", "Different-Horse-8").get(mePath).want(200).json(); got["email"] != "owner@example.com" || got["email_confirmed_at"] == nil {
		t.Errorf("the account is %v", got)
	}
}

// TestContractJobs: enqueued jobs survive a kill -9 and run once.
func TestContractJobs(t *testing.T) {
	t.Parallel()
	b := newBlog(t, "SMTP_URL=smtp://127.0.0.1:1") // connection refused
	s := b.serve()
	for i := range 3 {
		s.client().post(apiBase+"/users", registration(fmt.Sprint("user", i))).want(201)
	}
	jobs := func(args ...string) string {
		out, problems, code := b.command("", append([]string{"jobs"}, args...)...)
		if code != 0 {
			t.Fatalf("jobs %v: exit %d\n%s%s", args, code, out, problems)
		}
		return out
	}
	eventually(t, 10*time.Second, "first try", func() bool { return regexp.MustCompile(`mail\.welcome +ready +[1-9]/`).MatchString(jobs("ls")) })
	if err := s.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	if n := strings.Count(jobs("ls"), "mail.welcome"); n != 3 {
		t.Errorf("%d jobs after the kill:\n%s", n, jobs("ls"))
	}
	id := regexp.MustCompile(`(?m)^(\d+) +mail\.welcome`).FindStringSubmatch(jobs("ls"))[1]
	jobs("cancel", id)
	if out := jobs("ls", "--state", "cancelled"); strings.Count(out, "mail.welcome") != 1 {
		t.Errorf("cancelled are:\n%s", out)
	}
	jobs("retry", id)
	for _, wrong := range [][]string{{"ls", "--state", "x"}, {"retry"}, {"cancel", "x"}, {"cancel", "99"}, {"nonsense"}} {
		if out, problems, code := b.command("", append([]string{"jobs"}, wrong...)...); code == 0 || !strings.Contains(problems, "try:") {
			t.Errorf("jobs %v: exit %d\n%s%s", wrong, code, out, problems)
		}
	}
	b.env = append(b.env, "SMTP_URL=file:mail")
	b.serve()
	for i := range 3 {
		b.awaitLetter(fmt.Sprintf("user%d@example.com", i), "Welcome")
	}
	eventually(t, 10*time.Second, "end of all jobs", func() bool { return strings.Count(jobs("ls", "--state", "done"), "mail.welcome") == 3 })
	for i := range 3 {
		if n := len(b.letters(fmt.Sprintf("user%d@example.com", i))); n != 1 {
			t.Errorf("%d mails to user %d", n, i)
		}
	}
}

func TestContractPages(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	a := s.client().get("/").want(200)
	page := string(a.body)
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src") {
		t.Errorf("headers %v", a.header)
	}
	for _, want := range []string{"<!doctype html", "<title>", "Welcome to Blog", "<strong>internal/pages</strong>", "<code>templates/home.html</code>", "Typed routes", "</html>"} {
		if !strings.Contains(strings.ToLower(page), strings.ToLower(want)) {
			t.Errorf("no %q in the page:\n%s", want, page)
		}
	}
	links := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) == 0 {
		t.Error("no static files")
	}
	for _, link := range links {
		if got := s.client().get(link[1]).want(200); !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control %q", link[1], got.header.Get("Cache-Control"))
		}
	}
	if got := s.client().with("Accept", "text/html").get("/nowhere").want(404); !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Errorf("a browser gets %s", got.header.Get("Content-Type"))
	}
	s.client().with("Accept", "text/html").get("/api/v1/nowhere").wantFault(404, "")
}

func TestContractTour(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	c := s.client()
	for path, want := range map[string]string{
		"/api/items":              `[{"id":1,"name":"Item 1"},{"id":2,"name":"Item 2"}]`,
		"/api/items/7":            `{"id":7,"name":"Item 7"}`,
		"/json":                   `{"message":"Hello, World!"}`,
		"/products/7":             `{"product_id":7,"type":"integer"}`,
		"/categories/go%20lang":   `{"category_name":"go lang","type":"string"}`,
		"/categories/7":           `{"category_name":"7","type":"string"}`,
		"/wildcard/a/b":           `{"wildcard_path":"a/b","type":"path"}`,
		"/wildcard/a":             `{"wildcard_path":"a","type":"path"}`,
		"/text":                   `Hello, World!`,
		"/users?page=3&limit=100": "",
	} {
		a := c.get(path).want(200)
		if want != "" && string(a.body) != want {
			t.Errorf("%s is %s, want %s", path, a.body, want)
		}
		if kind := a.header.Get("Content-Type"); path != "/text" && !strings.HasPrefix(kind, "application/json") || path == "/text" && !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("%s is %s", path, kind)
		}
	}
	if a := c.get("/xml").want(200); !strings.HasPrefix(a.header.Get("Content-Type"), "application/xml") || !strings.Contains(string(a.body), "<message>Hello, World!</message>") {
		t.Errorf("XML is %s with %s", a.body, a.header.Get("Content-Type"))
	}
	if a := c.get("/html").want(200); !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(string(a.body), "<h1>") {
		t.Errorf("HTML is %s with %s", a.body, a.header.Get("Content-Type"))
	}
	c.get("/error").wantFault(400, "This is a bad request!")
	if got := c.post("/json", `{"name":"Ada","age":36}`).want(200); string(got.body) != `{"status":"success","user":{"name":"Ada","age":36}}` {
		t.Errorf("%s", got.body)
	}
	c.post("/json", `{"name":"Ada","age":0}`).want(200)
	for body, fields := range map[string]string{`{}`: "age name", `{"name":"Ada"}`: "age", `{"name":"Ada","age":"36"}`: "age", `{"name":"","age":-1}`: "age name", `{"name":1,"age":1.5}`: "age name"} {
		if a := c.post("/json", body).wantFault(422, "Validation error"); a.fields() != fields {
			t.Errorf("%s: details of %q", body, a.fields())
		}
	}
	full := func(name string) map[string]any {
		return map[string]any{"username": name, "email": name + "@example.com", "password": goodPassword, "full_name": "Ada L."}
	}
	a := c.post("/users", full("ada")).want(201)
	if got := a.json(); got["role"] != "user" || got["status"] != "active" || got["birth_date"] != nil || got["username"] != "ada" || strings.Contains(string(a.body), "password") {
		t.Errorf("%s", a.body)
	}
	for _, change := range []struct {
		field string
		value any
		want  int
	}{
		{"birth_date", "1815-12-10", 201}, {"role", "guest", 201}, {"status", "pending", 201},
		{"birth_date", "1815-13-10", 422}, {"birth_date", "yesterday", 422}, {"role", "emperor", 422}, {"status", "gone", 422}, {"username", "ab", 422},
		{"username", strings.Repeat("a", 51), 422}, {"email", "x", 422}, {"password", "short", 422}, {"password", nil, 422}, {"full_name", nil, 422},
	} {
		body := full(fmt.Sprint("user", time.Now().UnixNano()))
		body[change.field] = change.value
		a := c.post("/users", body)
		if a.status != change.want || change.want == 422 && a.fields() != change.field || change.want == 201 && a.json()[change.field] != change.value {
			t.Errorf("%s %v: %d %s", change.field, change.value, a.status, a.body)
		}
	}
	admin := full("boss")
	admin["role"] = "admin"
	if a := c.post("/users", admin); a.status == 201 && a.text("role") == "admin" {
		t.Error("a user became an administrator")
	}
	list := c.get("/users?page=1&limit=2&sort_by=username&order=asc").want(200)
	if len(list.items()) != 2 || list.number("total") != 4 || list.number("page") != 1 || list.number("limit") != 2 || list.items()[0]["username"] != "ada" || strings.Contains(string(list.body), "password") {
		t.Errorf("%s", list.body)
	}
	for _, query := range []string{"page=0", "limit=0", "limit=101", "sort_by=email%3B", "order=up"} {
		c.get("/users?"+query).wantFault(422, "Invalid query parameters")
	}
}
