package pages

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/webtest"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func TestHome(t *testing.T) {
	t.Parallel()
	client := webtest.New(t, Module("test"))
	answer := client.Get("/").Expect(200)
	page := string(answer.Body())
	for _, want := range []string{"<!doctype html>", "<title>Welcome to ", "<h1>Welcome to ", "<strong>internal/pages</strong>", "<h2 id=\"features\">Features</h2>", "<h3>Typed routes</h3>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the home page lacks %s", want)
		}
	}
	if got := strings.Count(page, `<li class="feature">`); got != 6 {
		t.Errorf("%d features", got)
	}
	if strings.Contains(page, "style=") || strings.Contains(page, "<script") || regexp.MustCompile(`(src|href)="https?:`).MatchString(page) {
		t.Error("the home page has what its Content-Security-Policy forbids")
	}
	if got := answer.Header("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'self'") {
		t.Errorf("Content-Security-Policy: %s", got)
	}
	client.With("If-None-Match", answer.Header("ETag")).Get("/").Expect(304)
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	client := webtest.New(t, Module("test"))
	links := regexp.MustCompile(`"(/static/[^"]+)"`).FindAllStringSubmatch(string(client.Get("/").Expect(200).Body()), -1)
	if len(links) < 2 {
		t.Fatalf("links to static files: %v", links)
	}
	for _, link := range links {
		if got := client.Get(link[1]).Expect(200).Header("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: %s", link[1], got)
		}
	}
	client.Get("/static/../pages.go").Expect(404)
	client.Get("/static/").Expect(404)
}

func TestErrorsForPeopleAndPrograms(t *testing.T) {
	t.Parallel()
	client := webtest.New(t, Module("test"))
	if body := string(client.With("Accept", browser).Get("/absent/%3Cscript%3E").Expect(404).Body()); !strings.Contains(body, "<h1>Not found</h1>") || strings.Contains(body, "<script>") {
		t.Errorf("to a person: %s", body)
	}
	for _, path := range []string{"/absent", "/api/v1/absent"} {
		if got := client.Get(path).Expect(404).JSON()["code"]; got != 404.0 {
			t.Errorf("%s to a program: %v", path, got)
		}
	}
	if got := client.With("Accept", browser).Get("/api/v1/absent").Expect(404).JSON()["code"]; got != 404.0 {
		t.Errorf("the API to a person: %v", got)
	}
}
