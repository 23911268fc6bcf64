package proxy

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	ownPrefix  = "/__nexios/"
	ScriptPath = ownPrefix + "reload.js"
	LivePath   = ownPrefix + "live"
)

// wantsPage reports whether r requests a page for a browser to show, rather than a
// fragment for a script.
func wantsPage(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" {
		return dest == "document" || dest == "iframe" || dest == "frame"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("HX-Request") == ""
}

// inject adds the reload script of version to a page, and allows it in the page's
// content security policy. Browsers must not cache pages with the script: one from
// before a swap would reload itself forever.
func inject(res *http.Response, version string) {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind != "text/html" || res.Header.Get("Content-Encoding") != "" || res.StatusCode == http.StatusPartialContent {
		return
	}
	nonce := allowScript(res.Header, res.Request.Host)
	tag := `<script src="` + ScriptPath + `?v=` + version + `"` + nonce + ` defer></script>` + "\n"
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(res.Body, strings.NewReader(tag)), res.Body}
	if res.ContentLength >= 0 {
		res.ContentLength += int64(len(tag))
		res.Header.Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
	}
	res.Header.Set("Cache-Control", "no-store")
	res.Header.Del("ETag")
	res.Header.Del("Last-Modified")
}

var nonceSource = regexp.MustCompile(`'nonce-([A-Za-z0-9+/_=-]+)'`)

// allowScript adds the script and its connection to each policy in h, and nothing else
// (Content Security Policy Level 3). It returns the nonce attribute for the script's
// tag, if needed.
func allowScript(h http.Header, host string) (nonce string) {
	policies := h.Values("Content-Security-Policy")
	for i, policy := range policies {
		if m := nonceSource.FindStringSubmatch(policy); m != nil {
			nonce = fmt.Sprintf(` nonce="%s"`, m[1])
		}
		// One header can contain several policies, and all of them apply.
		parts := strings.Split(policy, ",")
		for j := range parts {
			parts[j] = widen(parts[j], "script-src", "http://"+host+ScriptPath, "script-src-elem")
			parts[j] = widen(parts[j], "connect-src", "ws://"+host+LivePath)
		}
		policies[i] = strings.Join(parts, ",")
	}
	return nonce
}

// widen adds source to the directive name of policy: to the more specific directives
// present, otherwise to name, otherwise to a copy of default-src.
func widen(policy, name, source string, special ...string) string {
	directives := strings.Split(policy, ";")
	fallback, found := "", false
	for i, d := range directives {
		key, value, _ := strings.Cut(strings.TrimSpace(d), " ")
		key = strings.ToLower(key)
		switch {
		case key == name || slices.Contains(special, key):
			directives[i] = " " + key + " " + allow(value, source)
			found = true
		case key == "default-src":
			fallback = value
		}
	}
	if !found && fallback != "" {
		directives = append(directives, " "+name+" "+allow(fallback, source))
	}
	return strings.TrimSpace(strings.Join(directives, ";"))
}

func allow(sources, source string) string {
	list := slices.DeleteFunc(strings.Fields(sources), func(s string) bool { return s == "'none'" })
	return strings.Join(append(list, source), " ")
}
