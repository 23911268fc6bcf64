package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nexios-go/nexios/e2e/axe"
	"github.com/nexios-go/nexios/e2e/services"
)

// TestPagesAreAccessible checks every page of the guide with axe-core, in a wide and a
// narrow window: none has a violation. In the API reference one can log in by name and
// password, and the token survives a reload. NEXIOS_SHOTS=DIR saves screenshots there.
func TestPagesAreAccessible(t *testing.T) {
	if testing.Short() {
		t.Skip("drives a browser")
	}
	axe := axe.Load(t, "testdata/openapi")
	s := guideServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(services.Browser(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.WindowSize(1400, 900))...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	is := func(what, expression string) {
		t.Helper()
		within, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		if _, err := chromedp.Run(within, chromedp.Poll[bool](expression)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	// load loads a page, even if only its fragment differs. Reloading instead would race
	// with the old page.
	load := func(path string) {
		t.Helper()
		do(chromedp.Navigate("about:blank"), chromedp.Navigate(s.url+path))
	}
	// press clicks by script, since the mouse would miss elements that are still scrolling
	// into view.
	press := func(element string) {
		t.Helper()
		do(chromedp.Evaluate[chromedp.Void](`document.querySelector("` + element + `").click()`))
	}
	look := func(name string) {
		t.Helper()
		for _, width := range []int64{1400, 390, 360} {
			do(chromedp.EmulateViewport(width, 900))
			is(name+" within the window", `document.documentElement.scrollWidth <= innerWidth &&
				[...document.querySelectorAll(".opblock-summary *")].every((e) => e.getBoundingClientRect().right <= innerWidth)`)
			if width == 360 {
				continue // axe has already checked a narrow window
			}
			is(name+" at rest", `document.getAnimations().every(a => a.playState !== "running")`)
			axe.Check(t, ctx, fmt.Sprintf("%s at %d px", name, width))
			if dir := os.Getenv("NEXIOS_SHOTS"); dir != "" {
				image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, width)), image, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		do(chromedp.EmulateViewport(1400, 900))
	}

	// The examples of the reference work unchanged, beginning with the first user.
	for _, step := range []struct{ operation, status string }{{"users/createUser", "201"}, {"auth/login", "200"}} {
		load("/docs#/" + step.operation)
		block := "#operations-" + strings.ReplaceAll(step.operation, "/", "-")
		is(step.operation, `!!document.querySelector("`+block+` .execute")`)
		press(block + " .execute")
		is("its answer "+step.status, `document.querySelector("`+block+` .live-responses-table .response .response-col_status")?.textContent.trim().startsWith("`+step.status+`")`)
		look("docs-" + step.operation[strings.Index(step.operation, "/")+1:])
	}
	do(chromedp.Navigate(s.url + "/"))
	look("home")
	do(chromedp.Navigate(s.url + "/nothing"))
	is("the error page", `document.title.includes("404") || document.body.innerText.includes("404")`)
	look("404")
	do(chromedp.Navigate(s.url + "/html"))
	is("the tour's page", `document.title === "Tour"`)
	look("tour")
	do(chromedp.Navigate(s.url + "/chat"))
	is("chat", `!!document.querySelector("#login")`)
	look("chat")
	do(chromedp.SendKeys(chromedp.CSS("[name=username]"), "ada"), chromedp.SendKeys(chromedp.CSS("[name=password]"), goodPassword),
		chromedp.Click(chromedp.CSS("#login button")))
	is("the room", `!!document.querySelector("#state.on")`)
	look("chat-room")
	do(chromedp.EmulateViewport(360, 900))
	is("the members on a telephone", `document.querySelector("#members").checkVisibility() && document.querySelector("#members").textContent === "ada"`)
	do(chromedp.EmulateViewport(1400, 900))

	do(chromedp.Navigate(s.url + "/docs"))
	is("the reference and its login", `!!document.querySelector(".opblock") && !document.querySelector("#account").hidden`)
	look("docs")
	do(chromedp.SendKeys(chromedp.CSS("[name=username]"), "ada"), chromedp.SendKeys(chromedp.CSS("#login [name=password]"), "wrong"),
		chromedp.Click(chromedp.CSS("#login button")))
	is("a refusal", `document.querySelector("#problem").textContent === "Invalid credentials"`)
	do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#login [name=password]").value = ""`),
		chromedp.SendKeys(chromedp.CSS("#login [name=password]"), goodPassword), chromedp.Click(chromedp.CSS("#login button")))
	is("a login", `document.querySelector("#who").textContent.includes("ada")`)
	load("/docs#/users/getCurrentUser")
	is("the login after a reload", `document.querySelector("#who")?.textContent.includes("ada") && !document.querySelector("#who").hidden`)
	is("the operation", `!!document.querySelector("#operations-users-getCurrentUser .execute")`)
	press("#operations-users-getCurrentUser .execute")
	is("its answer", `document.querySelector("#operations-users-getCurrentUser .live-responses-table")?.textContent.includes("ada")`)
	look("docs-open")
	do(chromedp.Click(chromedp.CSS("#logout")))
	is("the form after the logout", `!document.querySelector("#login").hidden`)

	// The login page of passkeys and providers, which the guide does not have: by itself,
	// without a session, and with everything that it can show.
	page, err := os.ReadFile(filepath.Join("..", "templates", "auth", "files", "internal", "login", "login.html"))
	if err != nil {
		t.Fatal(err)
	}
	alone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/login" {
			http.Error(w, `{"error": "Not authenticated"}`, http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	}))
	defer alone.Close()
	do(chromedp.Navigate(alone.URL + "/login"))
	is("the login page", `!!document.querySelector("#password")`)
	look("login")
	press("#logout")
	is("a refusal on the login page", `document.querySelector("#problem").textContent === "Not authenticated"`)
	do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("[hidden]").forEach((e) => { e.hidden = false });
		for (const list of document.querySelectorAll("ul")) list.innerHTML = '<li>My phone <button class="quiet">Remove</button></li>'.repeat(2)`))
	look("login-all")
}
