package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nexios-go/nexios/e2e/services"
)

// shots names the folder for the screenshots of TestBrowsersOnReplicas, if set.
const shots = "CHAT_SCREENSHOTS"

// front is a load balancer for the replicas: it forwards each connection to the first one
// that accepts it.
func front(t *testing.T, replicas ...*server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	carry := func(client net.Conn) {
		defer client.Close()
		for _, s := range replicas {
			replica, err := net.Dial("tcp", s.addr)
			if err != nil {
				continue
			}
			defer replica.Close()
			done := make(chan struct{}, 2)
			for _, pair := range [][2]net.Conn{{client, replica}, {replica, client}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					done <- struct{}{}
				}()
			}
			<-done // either side has closed the connection
			return
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go carry(client)
		}
	}()
	return "http://" + listener.Addr().String()
}

// tab is a page of a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func (b tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func evaluate[T any](b tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

func (b tab) login(address string, u user, password string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address+"/chat"), chromedp.WaitVisible(chromedp.CSS("#login")),
		chromedp.SendKeys(chromedp.CSS(`[name=username]`), u.name), chromedp.SendKeys(chromedp.CSS(`[name=password]`), password),
		chromedp.Click(chromedp.CSS(`#login button`)))
}

func (b tab) say(text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(`#write input`), text), chromedp.Click(chromedp.CSS(`#write button`)))
}

// poll waits until an expression is true on the page.
func (b tab) poll(expression string) {
	b.t.Helper()
	evaluate(b, chromedp.Poll[bool](expression))
}

// sees waits until at least times elements have a text.
func (b tab) sees(selector, text string, times int) {
	b.t.Helper()
	b.poll(fmt.Sprintf("[...document.querySelectorAll(%q)].filter((e) => e.textContent.includes(%q)).length >= %d", selector, text, times))
}

// lists waits until the page lists exactly these members.
func (b tab) lists(names ...string) {
	b.t.Helper()
	b.poll(fmt.Sprintf("[...document.querySelectorAll('#members li')].map((e) => e.textContent).join() === %q", strings.Join(names, ",")))
}

func (b tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv(shots)
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), evaluate(b, chromedp.CaptureScreenshot()), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// Two browsers chat, each on its own replica. One replica is killed: its browser
// reconnects to the other and both continue, and users of the dead replica who do not
// reconnect are removed from the list.
func TestBrowsersOnReplicas(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	if strings.HasSuffix(redis, "/0") { // a separate database for this test
		redis = strings.TrimSuffix(redis, "0") + "7"
	}
	b := newBlog(t, "REDIS_URL="+redis)
	first, second := b.serve(), b.serve()
	ada, bob, eve := first.register("ada"), second.register("bob"), first.register("eve")
	room := "lobby"

	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(services.Browser(t)), chromedp.NoSandbox, chromedp.Flag("disable-quic", true), chromedp.WindowSize(900, 600))...)
	t.Cleanup(cancel)
	open := func() tab {
		ctx, cancel := chromedp.NewContext(allocator)
		t.Cleanup(cancel)
		if _, err := chromedp.Run(ctx, chromedp.Navigate("about:blank")); err != nil { // starts the browser
			t.Fatal(err)
		}
		return tab{t, ctx}
	}
	adas, bobs := open(), open()
	adasAddress := front(t, first, second)
	adas.login(adasAddress, ada, "wrong")
	adas.sees("#problem", "Invalid credentials", 1)
	adas.shoot("login")
	adas.login(adasAddress, ada, goodPassword)
	adas.do(chromedp.WaitVisible(chromedp.CSS("#state.on")))
	bobs.login(front(t, second, first), bob, goodPassword)
	bobs.do(chromedp.WaitVisible(chromedp.CSS("#state.on")))
	adas.sees("#log .system", "User joined", 1)
	adas.say("hi bob <b>& all</b>")
	bobs.sees("#log li", "hi bob <b>& all</b>", 1)
	bobs.say("hi ada")
	adas.sees("#log li", "hi ada", 1)
	first.join(t, eve, room)
	for _, page := range []tab{adas, bobs} {
		page.lists("ada", "bob", "eve")
	}
	adas.shoot("ada")
	bobs.shoot("bob")

	if err := first.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	<-first.ended
	bobs.sees("#log .system", "User joined", 2) // ada, previously on the first
	t.Logf("ada reconnected after %s", time.Since(killed).Round(time.Millisecond))
	adas.do(chromedp.WaitVisible(chromedp.CSS("#state.on")))
	bobs.say("welcome back")
	adas.sees("#log li", "welcome back", 1)
	adas.say("here I am")
	bobs.sees("#log li", "here I am", 1)
	adas.shoot("ada-after")

	members := func() []any {
		list, _ := second.client().as(bob.token).get("/chat/" + room + "/members").want(200).json()["members"].([]any)
		return list
	}
	eventually(t, 30*time.Second, "end of eve", func() bool { return !slices.Contains(members(), any("eve")) })
	t.Logf("eve was removed after %s", time.Since(killed).Round(time.Millisecond))
	for _, page := range []tab{adas, bobs} {
		page.lists("ada", "bob")
	}
	bobs.shoot("bob-after")
}
