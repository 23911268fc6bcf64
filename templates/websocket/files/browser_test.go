// Package files is where the rooms are tried from outside. It is not part of
// the template.
package files

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/runtime/ws"
	"github.com/nexios-go/nexios/templates/websocket/files/internal/chat"
	"github.com/nexios-go/nexios/templates/websocket/files/internal/migrations"
)

// shots is where the test leaves its screenshots, when set.
const shots = "CHAT_SCREENSHOTS"

const password = "Correct-Horse-9"

type loginInput struct {
	Body struct {
		Username string `json:"username" binding:"required"`
		Password string `json:"password" binding:"required"`
	}
}

// replica serves the chat and a login, as one process of a project does.
func replica(t *testing.T, gdb *gorm.DB, cfg ws.Config) (address string, stop func()) {
	t.Helper()
	service := authtest.Service(t, gdb)
	login := func(c *gin.Context, in loginInput) (auth.Token, error) {
		grant, err := service.Login(c.Request.Context(), auth.ClientOf(c), auth.Credentials{Username: in.Body.Username, Password: in.Body.Password})
		if err != nil {
			return auth.Token{}, err
		}
		return service.Deliver(c, grant), nil
	}
	app, err := web.New(web.Config{Env: web.Development}, slog.New(slog.DiscardHandler),
		web.Module{Name: "auth", Use: []gin.HandlerFunc{service.Middleware()}, Routes: []web.Route{
			web.Post("/api/v1/auth/login", login).Returns(http.StatusOK),
		}},
		chat.Module(cfg, slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- app.ServeOn(ctx, listener) }()
	stop = func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		stopped <- nil
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// tab is a page of a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func (b tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func run[T any](b tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

func (b tab) join(address, name string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address+"/chat"),
		chromedp.SendKeys(chromedp.CSS(`[name=username]`), name), chromedp.SendKeys(chromedp.CSS(`[name=password]`), password),
		chromedp.Click(chromedp.CSS(`#login button`)), chromedp.WaitVisible(chromedp.CSS(`#state.on`)))
}

func (b tab) say(text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(`#write input`), text), chromedp.Click(chromedp.CSS(`#write button`)))
}

// sees waits for a text of the page.
func (b tab) sees(selector, text string) {
	b.t.Helper()
	run(b, chromedp.Poll[bool](`[...document.querySelectorAll(`+"`"+selector+"`"+`)].some((e) => e.textContent.includes(`+"`"+text+"`"+`))`))
}

func (b tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv(shots)
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), run(b, chromedp.CaptureScreenshot()), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// Two browsers chat, each through a replica of its own; one replica ends, its
// member comes back through the other, and both go on.
func TestTwoBrowsersOnTwoReplicas(t *testing.T) {
	gdb := webtest.DB(t, migrations.All())
	for _, name := range []string{"ada", "bob"} {
		authtest.Sign(t, gdb, authtest.Account{Username: name, Password: password})
	}
	redis := services.Redis(t)
	if strings.HasSuffix(redis, "/0") { // a database of this test's own
		redis = strings.TrimSuffix(redis, "0") + "7"
	}
	first, stopFirst := replica(t, gdb, ws.Config{RedisURL: redis})
	second, _ := replica(t, gdb, ws.Config{RedisURL: redis})

	// Each browser has an address of its own, as behind a balancer that can
	// send it elsewhere.
	balancer := func(target string) (string, *atomic.Value) {
		var to atomic.Value
		to.Store(target)
		proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to.Load().(string)})
			r.Out.Host = r.In.Host
		}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
		server := httptest.NewServer(proxy)
		t.Cleanup(server.Close)
		return server.URL, &to
	}
	adasAddress, adasReplica := balancer(first)
	bobsAddress, _ := balancer(second)

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
	ada, bob := open(), open()
	ada.do(chromedp.Navigate(adasAddress + "/chat"))
	ada.do(chromedp.WaitVisible(chromedp.CSS("#login")))
	ada.shoot("login")
	ada.do(chromedp.SendKeys(chromedp.CSS(`[name=username]`), "ada"), chromedp.SendKeys(chromedp.CSS(`[name=password]`), "wrong"), chromedp.Click(chromedp.CSS(`#login button`)))
	ada.sees("#problem", "Invalid credentials")
	ada.join(adasAddress, "ada")
	bob.join(bobsAddress, "bob")
	ada.sees("#log .system", "User joined")
	ada.say("hi bob <b>& all</b>")
	bob.sees("#log li", "hi bob <b>& all</b>")
	bob.say("hi ada")
	ada.sees("#log li", "hi ada")
	for _, b := range []tab{ada, bob} {
		b.sees("#members li", "ada")
		b.sees("#members li", "bob")
	}
	ada.shoot("ada")
	bob.shoot("bob")

	adasReplica.Store(second)
	stopFirst()
	bob.sees("#log .system", "User left")
	ada.do(chromedp.WaitVisible(chromedp.CSS(`#state.on`)))
	bob.say("welcome back")
	ada.sees("#log li", "welcome back")
	ada.say("here I am")
	bob.sees("#log li", "here I am")
	bob.shoot("bob-after")
}
