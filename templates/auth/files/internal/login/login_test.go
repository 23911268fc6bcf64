package login

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/webtest"
)

func TestLoginPage(t *testing.T) {
	t.Parallel()
	client := webtest.New(t, Module())
	page := client.Get("/login").Expect(200)
	nonce := regexp.MustCompile(`<script nonce="([^"]+)">`).FindSubmatch(page.Body())
	if nonce == nil || !strings.Contains(page.Header("Content-Security-Policy"), "script-src 'nonce-"+string(nonce[1])+"'") {
		t.Errorf("the script does not run: %s", page.Header("Content-Security-Policy"))
	}
	if again := client.Get("/login").Expect(200); strings.Contains(string(again.Body()), string(nonce[1])) {
		t.Error("the nonce is the same twice")
	}
}
