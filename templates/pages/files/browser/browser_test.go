// Package browser tests the pages in a real browser. It is not part of the template.
package browser

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/templates/pages/files/internal/pages"
)

// open starts a browser and the module, and returns the module's address and the
// browser's errors.
func open(t *testing.T) (ctx context.Context, url string, complaints func() []string) {
	t.Helper()
	binary := services.Browser(t)
	app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), pages.Module("test"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(binary), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)

	var mu sync.Mutex
	var all []string
	err = chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case log.EventEntryAdded:
			all = append(all, e.Entry.Text)
		case *log.EventEntryAdded:
			all = append(all, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			all = append(all, e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestHomeInABrowser(t *testing.T) {
	ctx, url, complaints := open(t)
	for _, c := range []struct {
		name, scheme  string
		width, height int64
		columns       int
	}{
		{"light", "light", 1280, 900, 3},
		{"dark", "dark", 1280, 900, 3},
		{"tablet", "light", 768, 1024, 2},
		{"phone", "dark", 320, 720, 1},
	} {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}},
		})
		if err != nil {
			t.Fatal(err)
		}
		err = chromedp.Do(ctx, chromedp.EmulateViewport(c.width, c.height), chromedp.Navigate(url+"/"), chromedp.WaitVisible(chromedp.CSS(".features")))
		if err != nil {
			t.Fatal(err)
		}
		seen, err := chromedp.Run(ctx, chromedp.Evaluate[sight](measure))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(seen.Title, "Welcome to") || seen.Wide > 0 || seen.Columns != c.columns || seen.Features != 6 ||
			seen.Contrast < 4.5 || !seen.Styled || !seen.Icon {
			t.Errorf("%s: %+v; want %d columns", c.name, seen, c.columns)
		}
		keep(ctx, t, "home-"+c.name)
	}
	if all := complaints(); len(all) != 0 {
		t.Errorf("the browser complains: %q", all)
	}
}

// keep writes a picture of the page into the directory that SCREENSHOTS names;
// nowhere when it names none.
func keep(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

type sight struct {
	Title             string
	Wide              int // how far the page reaches beyond the window
	Columns, Features int
	Contrast          float64 // of the quietest text
	Styled, Icon      bool
}

// measure checks the page's layout and contrast. WCAG 2.2, 1.4.3 asks for a
// contrast of 4.5.
const measure = `(() => {
  const channel = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true})
  const light = color => {
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data
    return .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b)
  }
  const contrast = (front, back) => {
    const [a, b] = [light(front), light(back)]
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
  }
  const style = selector => getComputedStyle(document.querySelector(selector))
  const root = document.documentElement
  return {
    Title: document.title,
    Wide: root.scrollWidth - root.clientWidth,
    Columns: style(".features").gridTemplateColumns.split(" ").length,
    Features: document.querySelectorAll(".feature").length,
    Contrast: Math.min(
      contrast(style(".feature p").color, style(".feature").backgroundColor),
      contrast(style(".button").color, style(".button").backgroundColor),
      contrast(style(".lead").color, style("body").backgroundColor)),
    Styled: style(".features").display === "grid",
    Icon: document.querySelector(".brand img").naturalWidth > 0,
  }
})()`

func TestErrorInABrowser(t *testing.T) {
	ctx, url, _ := open(t)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(url+"/no/such/page")); err != nil {
		t.Fatal(err)
	}
	heading, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("h1")))
	if err != nil || heading != "Not found" {
		t.Errorf("the heading is %q, %v", heading, err)
	}
	keep(ctx, t, "error")
}
