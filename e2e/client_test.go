package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nexios-go/nexios/e2e/services"
	clients "github.com/nexios-go/nexios/scaffold/client"
)

// TestTypeScriptClient uses the client of the guide in node and in a browser, by
// testdata/client/story.ts: it compiles in strict mode, and works with the real server.
func TestTypeScriptClient(t *testing.T) {
	if testing.Short() {
		t.Skip("runs node and a browser")
	}
	tools := openAPITools(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/client")); err != nil {
		t.Fatal(err)
	}
	guide, err := guideBinary()
	if err != nil {
		t.Fatal(err)
	}
	document, err := exec.Command(guide, "openapi").Output()
	if err != nil {
		t.Fatal(err)
	}
	module, err := clients.TypeScript(document)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"api.ts": string(module), "package.json": `{"type":"module"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := tools.run(dir, "tsc", "--strict", "--noUnusedLocals", "--noUnusedParameters", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes",
		"--noImplicitOverride", "--erasableSyntaxOnly", "--isolatedModules", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler",
		"--lib", "es2022,dom,dom.iterable", "--typeRoots", filepath.Join(tools.dir, "node_modules", "@types"), "--types", "node", "--skipLibCheck", "node.ts", "page.ts")
	if err != nil {
		t.Fatalf("tsc --strict: %v\n%s", err, head(out))
	}
	t.Run("node", func(t *testing.T) {
		t.Parallel()
		proxy := newCuttable(t, guideServer(t, "AUTH_REFRESH=body").addr)
		web := httptest.NewServer(proxy)
		defer web.Close()
		run := exec.CommandContext(t.Context(), "node", "--experimental-websocket", "--no-warnings", "node.js",
			proxy.url, guideServer(t, "RATE_LIMIT=5/2s").url, web.URL+"/cut")
		run.Dir = dir
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
	t.Run("browser", func(t *testing.T) {
		t.Parallel()
		pages := http.NewServeMux()
		web := httptest.NewServer(pages)
		defer web.Close()
		proxy := newCuttable(t, guideServer(t, "CORS_ORIGINS="+web.URL).addr)
		pages.Handle("/cut", proxy)
		pages.Handle("/", http.FileServer(http.Dir(dir)))
		pages.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,"><script type="module" src="page.js"></script>`)
		})
		limited := guideServer(t, "RATE_LIMIT=5/2s", "CORS_ORIGINS="+web.URL)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(services.Browser(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true))...)
		defer cancel()
		ctx, cancel = chromedp.NewContext(ctx)
		defer cancel()
		query := url.Values{"url": {proxy.url}, "limited": {limited.url}}
		if err := chromedp.Do(ctx, chromedp.Navigate(web.URL+"/?"+query.Encode())); err != nil {
			t.Fatal(err)
		}
		told, err := chromedp.Run(ctx, chromedp.Poll[string]("window.told"))
		if err != nil {
			t.Fatal(err)
		}
		if told != "done" {
			t.Error(told)
		}
	})
}

// cuttable forwards connections to a server, and closes all of them on request, by HTTP.
type cuttable struct {
	url  string
	mu   sync.Mutex
	open []net.Conn
}

func newCuttable(t *testing.T, to string) *cuttable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cuttable{url: "http://" + listener.Addr().String()}
	t.Cleanup(func() {
		listener.Close()
		c.cut()
	})
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				from.Close()
				continue
			}
			c.mu.Lock()
			c.open = append(c.open, from, server)
			c.mu.Unlock()
			for _, pair := range [][2]net.Conn{{from, server}, {server, from}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1]) // ends when either side closes
					pair[0].Close()
				}()
			}
		}
	}()
	return c
}

func (c *cuttable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.open {
		one.Close()
	}
	c.open = nil
}

func (c *cuttable) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.cut()
	w.WriteHeader(http.StatusNoContent)
}

// TestClientsFollowTheAPI: a project's Go and TypeScript clients are updated by nexios
// dev, and breaking changes of the API are distinguished from others.
func TestClientsFollowTheAPI(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs by go run, and runs nexios dev")
	}
	proxy, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, "shop")
	p.env = []string{"GOPROXY=" + strings.TrimSpace(string(proxy))}
	p.nexios("add", "resource", "product", "name:string")
	p.nexios("client", "ts")
	p.nexios("client", "go")
	p.run("go", "get", "github.com/oapi-codegen/runtime@v1.9.0")
	p.run("go", "vet", "./...")
	read := func() string {
		text, err := os.ReadFile(filepath.Join(p.dir, "client", "api.ts"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if !strings.Contains(read(), "  allProducts(") {
		t.Errorf("the client does not iterate over products:\n%s", read())
	}
	document := func(name string) {
		t.Helper()
		// The document is only what it prints to standard output.
		cmd := exec.Command(tool, "openapi")
		cmd.Dir, cmd.Env = p.dir, p.environment()
		text, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	document("1.json")
	p.dev()
	p.nexios("add", "field", "product", "price:decimal:optional:filter")
	eventually(t, 2*time.Minute, "client with the new field", func() bool { return strings.Contains(read(), "price_min?: string;") })
	document("2.json")
	if out, code := p.try(tool, "openapi", "diff", "--fail-on", "breaking", "1.json", "2.json"); code != 0 || !strings.Contains(out, "harmless") {
		t.Errorf("an optional field breaks clients: %d\n%s", code, out)
	}
	if out, code := p.try(tool, "openapi", "diff", "--fail-on", "breaking", "2.json", "1.json"); code != 1 || !strings.Contains(out, "breaking   GET /api/v1/products: ") {
		t.Errorf("a removed field does not break clients: %d\n%s", code, out)
	}
	if out, code := p.try(tool, "openapi", "diff", "--fail-on", "any", "2.json"); code != 0 {
		t.Errorf("the project's own document differs: %d\n%s", code, out)
	}
}
