// Package browser logs people in at a real OpenID provider, and by passkeys in a real
// browser. It is not part of the template.
package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	oidcruntime "github.com/nexios-go/nexios/runtime/auth/oidc"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/templates/auth/files/internal/auth"
	"github.com/nexios-go/nexios/templates/auth/files/internal/login"
	"github.com/nexios-go/nexios/templates/auth/files/internal/migrations"
	"github.com/nexios-go/nexios/templates/auth/files/internal/oidc"
	"github.com/nexios-go/nexios/templates/auth/files/internal/passkeys"
	"github.com/nexios-go/nexios/templates/auth/files/internal/users"
)

const (
	password = "Correct-Horse-7"
	secret   = "Very-Secure-Horse-8" // at the provider
	api      = "/api/v1"
)

// world is an application and a provider that people log in to it by.
type world struct {
	t        *testing.T
	db       *gorm.DB
	queue    *jobs.Queue
	server   *httptest.Server
	provider *services.Server
	mails    string
	log      safe
}

// safe is a text that several write.
type safe struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *safe) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(line)
}

func (s *safe) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

// start serves over TLS; plain by http, as browsers take this machine for safe.
func start(t *testing.T, plain bool) *world {
	t.Helper()
	w := &world{t: t, db: webtest.DB(t, migrations.All()), mails: t.TempDir()}
	var app http.Handler
	serve := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { app.ServeHTTP(rw, r) })
	cfg := authtest.Config()
	if w.server = httptest.NewTLSServer(serve); plain {
		w.server.Close()
		w.server = httptest.NewServer(serve)
		w.server.URL = strings.Replace(w.server.URL, "127.0.0.1", "localhost", 1)
		cfg.Env = "development"
	}
	t.Cleanup(w.server.Close)
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	w.queue = jobs.New(w.db, log)
	w.provider = services.OpenID(t, w.server.URL+api+"/auth/oidc/callback",
		services.Person{ID: "1", Username: "carol", Password: secret, Email: "carol@example.org", EmailVerified: true},
		services.Person{ID: "2", Username: "alice", Password: secret, Email: "Alice@example.com", EmailVerified: true},
		services.Person{ID: "3", Username: "mallory", Password: secret, Email: "bob@example.com"},
		services.Person{ID: "4", Username: "work", Password: secret, Email: "alice@work.example", EmailVerified: true},
		services.Person{ID: strings.Repeat("5", 256), Username: "long", Password: secret, Email: "long@example.org", EmailVerified: true},
		services.Person{ID: "", Username: "empty", Password: secret, Email: "empty@example.org", EmailVerified: true},
	)
	cfg.URL = w.server.URL
	provider := oidcruntime.Config{Issuer: w.provider.URL, ClientID: services.OpenIDClient, ClientSecret: services.OpenIDSecret}
	modules := []web.Module{
		jobs.Module(w.queue),
		auth.Module(cfg, mail.Config{Env: "test", URL: "file:" + w.mails}, w.db, w.queue, log).Under(api),
		users.Module(w.db).Under(api),
		oidc.Module(provider).Under(api),
	}
	own, err := pages(cfg, provider)
	if err != nil {
		t.Fatal(err)
	}
	modules = append(modules, own)
	if plain { // passkeys need a name, which the certificate does not have
		modules = append(modules, passkeys.Module(cfg).Under(api), login.Module())
	}
	one, err := web.New(web.Config{Env: web.Test}, log, modules...)
	if err != nil {
		t.Fatal(err)
	}
	app = one
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.queue.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// browser is somebody's, with cookies of its own.
type browser struct {
	t     *testing.T
	w     *world
	http  *http.Client
	token string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	client := &http.Client{Transport: w.server.Client().Transport, Jar: jar}
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error { // as far as the page that the application names
		if r.URL.Path == "/login" || strings.HasPrefix(r.URL.Path, "/after") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &browser{t: w.t, w: w, http: client}
}

// answer is what came back.
type answer struct {
	status   int
	body     map[string]any
	text     string
	location string
	url      *url.URL
}

func (b *browser) do(method, path string, body any) answer {
	b.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = b.w.server.URL + path
	}
	var reader io.Reader
	kind := "application/json"
	switch body := body.(type) {
	case nil:
	case url.Values:
		reader, kind = strings.NewReader(body.Encode()), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, reader)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	got, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{status: got.StatusCode, text: string(text), location: got.Header.Get("Location"), url: got.Request.URL}
	_ = json.Unmarshal(text, &a.body) // not all answers are JSON
	return a
}

func (b *browser) expect(method, path string, body any, status int) answer {
	b.t.Helper()
	a := b.do(method, path, body)
	if a.status != status {
		b.t.Errorf("%s %s: %d, want %d: %s", method, path, a.status, status, a.text)
	}
	return a
}

var requestID = regexp.MustCompile(`name="id" value="([^"]*)"`)

// visit logs in at the provider, and returns where the application sends the
// browser then.
func (b *browser) visit(query, name string) string {
	b.t.Helper()
	back := b.callback(query, name)
	if back.status != http.StatusSeeOther {
		b.t.Fatalf("the callback answers %d at %s: %s", back.status, back.url, back.text)
	}
	return back.location
}

// callback logs in at the provider, and returns the answer of the application.
func (b *browser) callback(query, name string) answer {
	b.t.Helper()
	page := b.do("GET", api+"/auth/oidc/begin"+query, nil)
	id := requestID.FindStringSubmatch(page.text)
	if id == nil {
		b.t.Fatalf("the provider shows no login at %s: %d %s", page.url, page.status, page.text)
	}
	return b.do("POST", page.url.Scheme+"://"+page.url.Host+"/login/username", url.Values{"id": {id[1]}, "username": {name}, "password": {secret}})
}

// login is visit and what the page then does.
func (b *browser) login(name string) {
	b.t.Helper()
	b.visit("", name)
	b.token, _ = b.expect("POST", api+"/auth/oidc-login", map[string]string{}, 200).body["access_token"].(string)
}

func (b *browser) password(name string) {
	b.t.Helper()
	b.token, _ = b.expect("POST", api+"/auth/login", map[string]string{"username": name, "password": password}, 200).body["access_token"].(string)
}

func (b *browser) me() string {
	b.t.Helper()
	name, _ := b.expect("GET", api+"/users/me", nil, 200).body["username"].(string)
	return name
}

// TestLoginByAProvider has people log in by a provider that runs as a process of
// its own.
func TestLoginByAProvider(t *testing.T) {
	w := start(t, false)
	for _, name := range []string{"alice", "bob"} {
		authtest.Sign(t, w.db, authtest.Account{Username: name, Password: password})
	}
	confirm := func(name string) {
		w.db.Table("users").Where("username = ?", name).Update("email_confirmed_at", time.Now())
	}

	// Somebody new gets an account, without a password and with a confirmed address.
	carol := w.browser()
	if to := carol.visit("?return_to=/after%3Fa%3D1", "carol"); to != w.server.URL+"/after?a=1" {
		t.Errorf("sent to %s", to)
	}
	carol.token, _ = carol.expect("POST", api+"/auth/oidc-login", map[string]string{}, 200).body["access_token"].(string)
	me := carol.expect("GET", api+"/users/me", nil, 200).body
	if me["username"] != "carol" || me["email"] != "carol@example.org" || me["email_confirmed_at"] == nil || me["role"] != "user" {
		t.Errorf("the new account: %v", me)
	}
	carol.expect("POST", api+"/auth/oidc-login", map[string]string{}, 400) // it is used up
	for _, guess := range []string{"", "none", password} {
		if got := w.browser().do("POST", api+"/auth/login", map[string]string{"username": "carol", "password": guess}); got.status != 401 && got.status != 422 {
			t.Errorf("an account without a password is logged in to with %q: %d", guess, got.status)
		}
	}
	carol.expect("POST", api+"/auth/refresh", nil, 200) // the session is like any other
	logins := carol.expect("GET", api+"/auth/oidc/logins", nil, 200).body["items"].([]any)
	if len(logins) != 1 {
		t.Fatalf("%v", logins)
	}
	carol.expect("DELETE", api+"/auth/oidc/logins/1", nil, 409) // the only way in
	again := w.browser()
	again.login("carol")
	if again.me() != "carol" {
		t.Errorf("the second login is %s", again.me())
	}

	// An address links only where both sides have confirmed it.
	w.browser().refused("mallory", 403)
	confirm("bob")
	w.browser().refused("mallory", 403)
	w.browser().refused("alice", 409)
	confirm("alice")
	alice := w.browser()
	alice.login("alice")
	if alice.me() != "alice" {
		t.Errorf("logged in as %s", alice.me())
	}
	if !w.mailed("alice@example.com", "A new way to log in was added to your account") {
		t.Error("no mail about the new login")
	}

	// A second factor is asked for as with a password, and asked for once more.
	alice.password("alice")
	shared, _ := alice.expect("POST", api+"/auth/totp", nil, 201).body["secret"].(string)
	codes := alice.expect("POST", api+"/auth/totp/confirm", map[string]string{"code": code(t, shared)}, 200).body["recovery_codes"].([]any)
	other := w.browser()
	other.visit("", "alice")
	if got := other.expect("POST", api+"/auth/oidc-login", map[string]string{}, 401); !strings.Contains(got.text, "Second factor required") {
		t.Errorf("%s", got.text)
	}
	other.expect("POST", api+"/auth/oidc-login", map[string]string{"code": "000000"}, 401)
	kept := other.cookies()
	other.token, _ = other.expect("POST", api+"/auth/oidc-login", map[string]any{"code": codes[0]}, 200).body["access_token"].(string)
	thief := w.browser() // who has read the cookie along
	thief.http.Jar.SetCookies(w.address(), kept)
	thief.expect("POST", api+"/auth/oidc-login", map[string]any{"code": codes[1]}, 401)

	// So it is for a page session, which is another one with each login.
	paged := w.browser()
	paged.expect("POST", "/session/oidc-login", map[string]string{}, 400) // nobody was there
	paged.visit("", "alice")
	paged.expect("GET", "/page", nil, 401)
	if got := paged.expect("POST", "/session/oidc-login", map[string]string{}, 401); !strings.Contains(got.text, "Second factor required") {
		t.Errorf("%s", got.text)
	}
	kept = paged.cookies()
	if got := paged.expect("POST", "/session/oidc-login", map[string]any{"code": codes[5]}, 201); got.body["csrf_token"] == "" {
		t.Errorf("%s", got.text)
	}
	if got := paged.expect("GET", "/page", nil, 200); got.body["username"] != "alice" {
		t.Errorf("%s", got.text)
	}
	thief = w.browser()
	thief.http.Jar.SetCookies(w.address(), kept)
	thief.expect("POST", "/session/oidc-login", map[string]any{"code": codes[6]}, 401)
	before := paged.cookies()
	paged.visit("", "alice")
	paged.expect("POST", "/session/oidc-login", map[string]any{"code": codes[7]}, 201)
	thief = w.browser() // with the session from before the login
	thief.http.Jar.SetCookies(w.address(), before)
	thief.expect("GET", "/page", nil, 401)
	paged.expect("POST", "/page/logout", nil, 204)
	paged.expect("GET", "/page", nil, 401)

	// It is linked and unlinked in a fresh session, and confirms who one is.
	w.db.Table("auth_sessions").Where("1 = 1").Update("confirmed_at", 0)
	other.expect("POST", api+"/auth/oidc/logins", nil, 403)
	other.visit("?for=confirm", "alice")
	other.expect("POST", api+"/auth/oidc-login", map[string]string{}, 400) // begun for something else
	other.expect("POST", api+"/auth/oidc-confirm", map[string]string{}, 422)
	other.expect("POST", api+"/auth/oidc-confirm", map[string]any{"code": codes[2]}, 204)
	for _, purpose := range []string{"link", "confirm"} { // another site does not begin it for the user
		r, err := http.NewRequest(http.MethodGet, w.server.URL+api+"/auth/oidc/begin?for="+purpose, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := other.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("another site begins %s: %d", purpose, res.StatusCode)
		}
	}
	// It is for the session in which it began: not for somebody who comes to the browser later.
	w.browser().expect("GET", api+"/auth/oidc/begin?for=link", nil, 401)
	other.visit("?for=confirm", "carol")
	alices := other.token
	other.token = carol.token
	other.expect("POST", api+"/auth/oidc-confirm", map[string]string{}, 400)
	other.token = alices
	other.visit("?for=link", "work")
	other.expect("POST", api+"/auth/oidc/logins", nil, 204)
	other.visit("?for=link", "carol")
	other.expect("POST", api+"/auth/oidc/logins", nil, 409) // hers
	work := w.browser()
	work.visit("", "work")
	work.token, _ = work.expect("POST", api+"/auth/oidc-login", map[string]any{"code": codes[3]}, 200).body["access_token"].(string)
	if work.me() != "alice" {
		t.Errorf("the linked login is %s", work.me())
	}
	work.visit("?for=confirm", "carol")
	work.expect("POST", api+"/auth/oidc-confirm", map[string]any{"code": codes[4]}, 400)
	list := other.expect("GET", api+"/auth/oidc/logins", nil, 200).body["items"].([]any)
	if len(list) != 2 {
		t.Fatalf("%v", list)
	}
	carol.expect("DELETE", api+"/auth/oidc/logins/"+id(list[0]), nil, 404)
	for _, login := range list {
		other.expect("DELETE", api+"/auth/oidc/logins/"+id(login), nil, 204) // her password stays
	}
	if !w.mailed("alice@example.com", "A way to log in was removed from your account") {
		t.Error("no mail about the removed login")
	}
}

// TestLoginsThatDoNotHold sends what others would.
func TestLoginsThatDoNotHold(t *testing.T) {
	w := start(t, false)
	b := w.browser()
	for _, to := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "evil", "/a b", "/%0d%0aSet-Cookie:x", "javascript:alert(1)", "/\t/evil.example", "http:/evil.example"} {
		got := b.do("GET", api+"/auth/oidc/begin?return_to="+url.QueryEscape(to), nil)
		if got.status != 422 && to != "/%0d%0aSet-Cookie:x" {
			t.Errorf("return_to=%q: %d at %s", to, got.status, got.url)
		}
	}
	b.expect("GET", api+"/auth/oidc/begin?for=x", nil, 422)
	b.expect("GET", api+"/auth/oidc/callback?code=x&state=x", nil, 400)
	b.expect("GET", api+"/auth/oidc/callback?code=x&state=", nil, 400)
	b.expect("POST", api+"/auth/oidc-login", map[string]string{}, 400)
	for _, name := range []string{"empty", "long"} { // subjects of no and of 256 characters
		if got := w.browser().callback("", name); got.status != 400 || !strings.HasPrefix(got.url.String(), w.server.URL) {
			t.Errorf("the subject that is %s: %d at %s: %s", name, got.status, got.url, got.text)
		}
	}

	b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	begin := func() url.Values {
		at, err := url.Parse(b.expect("GET", api+"/auth/oidc/begin", nil, 303).location)
		if err != nil {
			t.Fatal(err)
		}
		return at.Query()
	}
	asked := begin()
	for name, want := range map[string]string{
		"response_type": "code", "code_challenge_method": "S256", "client_id": services.OpenIDClient,
		"redirect_uri": w.server.URL + api + "/auth/oidc/callback", "scope": "openid email profile",
	} {
		if asked.Get(name) != want {
			t.Errorf("%s is %q", name, asked.Get(name))
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if again := begin(); len(asked.Get(name)) < 22 || asked.Get(name) == again.Get(name) {
			t.Errorf("%s is %q, then %q", name, asked.Get(name), again.Get(name))
		}
	}
	callback := func(query string) answer {
		return b.do("GET", api+"/auth/oidc/callback?"+query, nil)
	}
	state := begin().Get("state")
	if got := callback("code=x&state=" + state + "x"); got.status != 400 {
		t.Errorf("another state: %d", got.status)
	}
	for _, query := range []string{"code=x&state=", "error=access_denied&state=", "code=x&iss=https://evil.example&state="} {
		if got := callback(query + begin().Get("state")); got.status != 400 {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}

	// What another browser brings back logs nobody in.
	victim, attacker := w.browser(), w.browser()
	attacker.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/oidc/callback") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	page := attacker.do("GET", api+"/auth/oidc/begin", nil)
	back := attacker.do("POST", page.url.Scheme+"://"+page.url.Host+"/login/username",
		url.Values{"id": {requestID.FindStringSubmatch(page.text)[1]}, "username": {"carol"}, "password": {secret}}).location
	if back == "" {
		page := attacker.do("GET", page.url.String(), nil)
		t.Fatalf("the provider sends nobody back: %s", page.text)
	}
	victim.expect("GET", back, nil, 400)
	attacker.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	attacker.expect("GET", back, nil, 303)
	attacker.expect("GET", back, nil, 400)
}

// TestAProviderThatIsDown stops neither the program nor other logins.
func TestAProviderThatIsDown(t *testing.T) {
	w := start(t, false)
	authtest.Sign(t, w.db, authtest.Account{Username: "alice", Password: password})
	if err := w.provider.Signal("STOP"); err != nil { // it takes connections, and answers nothing
		t.Fatal(err)
	}
	if err := w.provider.Signal("KILL"); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.expect("GET", api+"/auth/oidc/begin", nil, 503)
	b.password("alice")
	b.me()
	if err := w.provider.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if got := b.do("GET", api+"/auth/oidc/begin", nil); got.status == 200 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("it is back, and not asked: %d %s", got.status, got.text)
		}
	}
	w.browser().login("carol")
}

func (b *browser) refused(name string, status int) {
	b.t.Helper()
	b.visit("", name)
	b.expect("POST", api+"/auth/oidc-login", map[string]string{}, status)
}

func (b *browser) cookies() []*http.Cookie {
	all := b.http.Jar.Cookies(b.w.address())
	for _, cookie := range all {
		cookie.Path, cookie.Secure = "/", true
	}
	return all
}

func (w *world) address() *url.URL {
	u, err := url.Parse(w.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// mailed waits for a mail and reports whether it came.
func (w *world) mailed(email, subject string) bool {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(w.mails, "*.eml"))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err == nil && strings.Contains(string(text), email) && strings.Contains(string(text), subject) {
				return true
			}
		}
	}
	return false
}

func id(login any) string {
	text, _ := json.Marshal(login.(map[string]any)["id"])
	return string(text)
}

func code(t *testing.T, shared string) string {
	t.Helper()
	code, err := totp.GenerateCode(shared, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}
