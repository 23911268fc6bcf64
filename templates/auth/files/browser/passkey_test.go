package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/nexios-go/nexios/e2e/axe"
	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
)

// page is a page in a real browser, with an authenticator that Chromium simulates.
type page struct {
	t             *testing.T
	ctx           context.Context
	authenticator webauthn.AuthenticatorID
}

func open(t *testing.T, url string) page {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(services.Browser(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := page{t: t, ctx: ctx}
	p.do(chromedp.Navigate(url))
	if _, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	made, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.authenticator = made.AuthenticatorID
	return p
}

func (p page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// accessible fails for what axe-core finds in the page, wide and narrow. NEXIOS_SHOTS
// names a directory for pictures.
func (p page) accessible(axe axe.Axe, name string) {
	p.t.Helper()
	for _, width := range []int64{1400, 390} {
		p.do(chromedp.EmulateViewport(width, 900))
		axe.Check(p.t, p.ctx, fmt.Sprintf("%s at %d px", name, width))
		if dir := os.Getenv("NEXIOS_SHOTS"); dir != "" {
			image, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, width)), image, 0o644)
			}
			if err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// script runs what a person would do.
func (p page) script(text string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("(() => { "+text+"; return true })()")); err != nil {
		p.t.Fatal(err)
	}
}

// shows waits until the element shows the text.
func (p page) shows(selector, text string) {
	p.t.Helper()
	seen := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		got, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.textContent ?? ""`, selector)))
		if err == nil && strings.Contains(got, text) { // an error while another page comes
			return
		}
		seen = got
	}
	body, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`location.href + " " + document.body.innerText`))
	p.t.Fatalf("%s shows %q, not %q: %s", selector, seen, text, body)
}

const (
	fill   = `const f = document.querySelector("#password"); f.username.value = "alice"; f.password.value = "` + password + `"; f.requestSubmit()`
	use    = `document.querySelector("#passkey").click()`
	leave  = `document.querySelector("#logout").click()`
	create = `const f = document.querySelector("#add"); f.elements["name"].value = "My phone"; f.requestSubmit()`
)

// TestPasskeysInABrowser logs in by a passkey, and by a provider, on the login page.
func TestPasskeysInABrowser(t *testing.T) {
	w := start(t, true)
	authtest.Sign(t, w.db, authtest.Account{Username: "alice", Password: password})
	p := open(t, w.server.URL+"/login")
	axe := axe.Load(t, "../../../../e2e/testdata/openapi")
	p.script(use)
	p.shows("#problem", "not allowed") // there is none yet
	p.accessible(axe, "login")
	p.script(fill)
	p.shows("#title", "Logged in as alice")
	p.script(create)
	p.shows("#passkeys", "My phone")
	p.accessible(axe, "login-account")
	if !w.mailed("alice@example.com", "A new way to log in was added to your account") {
		t.Error("no mail about the new passkey")
	}
	p.script(create)
	p.shows("#problem", "already") // once a device
	p.script(leave)
	p.shows("#title", "Log in")

	// A passkey is two factors, and fresh.
	alice := w.browser()
	alice.password("alice")
	shared, _ := alice.expect("POST", api+"/auth/totp", nil, 201).body["secret"].(string)
	alice.expect("POST", api+"/auth/totp/confirm", map[string]string{"code": code(t, shared)}, 200)
	alice.expect("POST", api+"/auth/login", map[string]string{"username": "alice", "password": password}, 401)
	p.script(use)
	p.shows("#title", "Logged in as alice")
	p.shows("#passkeys", "My phone")
	id := alice.expect("GET", api+"/auth/passkeys", nil, 200).body["items"].([]any)[0].(map[string]any)["id"]
	alice.expect("PATCH", fmt.Sprintf("%s/auth/passkeys/%v", api, id), map[string]string{"name": "Old phone"}, 200)

	// A page session is opened by it as well.
	page := func(want string) {
		t.Helper()
		p.script(`fetch("/page").then(a => a.text()).then(text => document.querySelector("#problem").textContent = "page: " + text)`)
		p.shows("#problem", want)
	}
	page("Not authenticated")
	p.script(`(async () => {
		const post = (path, body) => fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
		const { publicKey } = await (await post("` + api + `/auth/passkeys/challenge", {})).json();
		const credential = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
		const body = { credential: credential.toJSON() };
		const first = (await post("/session/passkey-login", body)).status, second = (await post("/session/passkey-login", body)).status;
		document.querySelector("#problem").textContent = "statuses " + first + " " + second;
	})()`)
	p.shows("#problem", "statuses 201 400") // an answer is used once
	page(`{"username":"alice"}`)

	// Nobody gets in by a device that did not ask who it is, nor by a copy.
	p.script(leave)
	p.shows("#title", "Log in")
	verified := func(yes bool) {
		if _, err := chromedp.Call(p.ctx, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: p.authenticator, IsUserVerified: yes}); err != nil {
			t.Fatal(err)
		}
	}
	verified(false)
	p.script(use)
	p.shows("#problem", "not allowed")
	verified(true)
	var record string
	w.db.Table("auth_passkeys").Select("record").Take(&record)
	ahead := strings.Replace(record, `"signCount":`, `"signCount":9`, 1)
	if ahead == record {
		t.Fatalf("the counter is not in %s", record)
	}
	w.db.Table("auth_passkeys").Where("1 = 1").Update("record", ahead)
	p.script(use)
	p.shows("#problem", "Invalid credentials")
	if !w.log.has("event=passkey_copied") {
		t.Error("the security log says nothing of a copy")
	}
	w.db.Table("auth_passkeys").Where("1 = 1").Update("record", record)
	p.script(use)
	p.shows("#title", "Logged in as alice")

	// It is removed in a fresh session.
	p.shows("#passkeys", "Old phone")
	p.script(`document.querySelector("#passkeys button").click()`)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if left := alice.expect("GET", api+"/auth/passkeys", nil, 200).body["items"].([]any); len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the passkey stays")
		}
	}
	if !w.mailed("alice@example.com", "A way to log in was removed from your account") {
		t.Error("no mail about the removed passkey")
	}
	p.script(leave)
	p.shows("#title", "Log in")
	p.script(use)
	p.shows("#problem", "Invalid credentials")

	// The provider's button goes there and back.
	p.script(`document.querySelector("#provider").click()`)
	p.shows("form", "Username:")
	p.script(`const f = document.querySelector("form"); f.username.value = "carol"; f.password.value = "` + secret + `"; f.submit()`)
	p.shows("#title", "Logged in as carol")
	p.shows("#logins", "carol@example.org")
	p.script(`document.querySelector("#logins button").click()`)
	p.shows("#problem", "only way to log in to your account")
}
