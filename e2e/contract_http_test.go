package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestContractHeaders(t *testing.T) {
	t.Parallel()
	s := guideServer(t, "TRUSTED_PROXIES=127.0.0.1")
	anna := s.register("anna")
	for _, path := range []string{"/", "/api/v1/posts", "/api/v1/nowhere", "/docs", "/openapi.json", "/healthz", "/json", "/xml", "/html", "/error", "/chat", "/ws", "/api/v1/files/none"} {
		a := anna.get(path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "^nosniff$", "Referrer-Policy": ".", "Content-Security-Policy": `default-src .*frame-ancestors`,
			"Cross-Origin-Opener-Policy": "^same-origin$", "Cross-Origin-Resource-Policy": "^same-(origin|site)$", "X-Request-Id": "^[A-Za-z0-9._-]+$",
		} {
			if got := a.header.Get(name); !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		for _, name := range []string{"Strict-Transport-Security", "X-Powered-By", "Server", "Access-Control-Allow-Origin"} {
			if got := a.header.Get(name); got != "" {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if got := anna.with("X-Forwarded-Proto", "https").get(path).header.Get("Strict-Transport-Security"); !strings.Contains(got, "max-age=") {
			t.Errorf("%s: no HSTS over HTTPS", path)
		}
	}
	if got := s.client().with("X-Request-ID", "my-id.7").get("/json").header.Get("X-Request-Id"); got != "my-id.7" {
		t.Errorf("request id %q", got)
	}
	if got := s.client().with("X-Request-ID", "a b<script>").get("/json").header.Get("X-Request-Id"); got == "a b<script>" || got == "" {
		t.Errorf("request id %q", got)
	}
	s.logs(`"request_id":"my-id.7"`)

	list := anna.get("/api/v1/posts").want(200)
	tag := list.header.Get("Etag")
	for _, given := range []string{tag, "W/\"x\", " + tag, "*", strings.TrimPrefix(tag, "W/")} {
		if a := anna.with("If-None-Match", given).get("/api/v1/posts").want(304); len(a.body) != 0 || a.header.Get("Etag") != tag {
			t.Errorf("304 for %s with %q, ETag %s", given, a.body, a.header.Get("Etag"))
		}
	}
	anna.with("If-None-Match", `"x"`).get("/api/v1/posts").want(200)
	post := fmt.Sprintf("/api/v1/posts/%d", anna.post("/api/v1/posts", `{"title":"New","content":"x"}`).want(201).number("id"))
	anna.with("If-None-Match", tag).get("/api/v1/posts").want(200)
	seen := anna.get(post).want(200).header.Get("Etag")
	if !strings.HasPrefix(seen, `"`) {
		t.Errorf("weak ETag %s", seen)
	}
	anna.with("If-Match", seen).patch(post, `{"title":"Newer"}`).want(200)
	for _, given := range []string{seen, `"x"`} {
		anna.with("If-Match", given).patch(post, `{"title":"Newest"}`).wantFault(412, "")
		anna.with("If-Match", given).put(post, `{"title":"Newest"}`).wantFault(412, "")
		anna.with("If-Match", given).delete(post).wantFault(412, "")
	}
	anna.with("If-Match", anna.get(post).text("title")).delete(post).wantFault(412, "")
	anna.with("If-Match", "*").delete(post).want(204)
	if head := anna.do("HEAD", "/api/v1/posts", nil).want(200); len(head.body) != 0 || head.header.Get("Etag") == "" {
		t.Errorf("HEAD: %q, %v", head.body, head.header)
	}
	if got := list.header.Get("Cache-Control"); !strings.Contains(got, "private") && !strings.Contains(got, "no-store") {
		t.Errorf("Cache-Control %q", got)
	}
}

func TestContractCompression(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	plain := s.client().get("/openapi.json").want(200)
	decode := map[string]func(io.Reader) (io.Reader, error){
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
		"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"":     func(r io.Reader) (io.Reader, error) { return r, nil },
	}
	for accept, want := range map[string]string{
		"": "", "zstd": "zstd", "br": "br", "gzip": "gzip", "gzip, deflate, br, zstd": "zstd", "gzip, br": "br", "br;q=0.5, gzip;q=0.9": "gzip", "zstd;q=0, gzip": "gzip",
		"identity": "", "*": "zstd", "compress": "", "gzip;q=0": "", "GZIP": "gzip", "br;q=x": "", "identity;q=1, gzip;q=0.5": "",
	} {
		c := s.client()
		if accept != "" {
			c = c.with("Accept-Encoding", accept)
		}
		a := c.get("/openapi.json").want(200)
		coding := a.header.Get("Content-Encoding")
		if coding != want && !(accept == "br;q=x" || strings.HasPrefix(accept, "identity;")) {
			t.Errorf("%q: Content-Encoding %q, want %q", accept, coding, want)
		}
		reader, err := decode[coding](bytes.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(reader); err != nil || string(text) != string(plain.body) {
			t.Errorf("%q: %d bytes, %v, want %d", accept, len(text), err, len(plain.body))
		}
		if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%q: Vary %v", accept, a.header.Values("Vary"))
		}
	}
	if a := s.client().with("Accept-Encoding", "gzip").get("/json").want(200); a.header.Get("Content-Encoding") != "" {
		t.Error("a small response is compressed")
	}
	if a := s.client().with("Accept-Encoding", "gzip", "If-None-Match", plain.header.Get("Etag")).get("/openapi.json"); a.status != 304 {
		t.Errorf("compressed and unchanged: %d", a.status)
	}
}

func TestContractCORS(t *testing.T) {
	t.Parallel()
	s := guideServer(t, "CORS_ORIGINS=https://app.example.com,https://other.example.com")
	preflight := func(c client, origin string) response {
		return c.with("Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type").do("OPTIONS", loginPath, nil)
	}
	for origin, listed := range map[string]bool{
		"https://app.example.com": true, "https://other.example.com": true, "http://app.example.com": false, "https://app.example.com.evil.com": false, "https://evil.example": false, "null": false,
		"https://app.example.com:8443": false, "https://APP.example.com": false,
	} {
		for what, a := range map[string]response{"request": s.client().with("Origin", origin).get("/json").want(200), "preflight": preflight(s.client(), origin), "error": s.client().with("Origin", origin).get("/api/v1/posts")} {
			want := ""
			if listed {
				want = origin
			}
			if got := a.header.Get("Access-Control-Allow-Origin"); got != want || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Origin") {
				t.Errorf("%s of %s: allowed is %q, Vary %v", what, origin, got, a.header.Values("Vary"))
			}
		}
	}
	a := preflight(s.client(), "https://app.example.com")
	if a.status != 204 && a.status != 200 || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(strings.ToLower(a.header.Get("Access-Control-Allow-Headers")), "authorization") {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
	off := guideServer(t)
	if a := preflight(off.client(), "https://app.example.com"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("CORS is not off by default")
	}
}

func TestContractRateLimit(t *testing.T) {
	t.Parallel()
	s := guideServer(t, "RATE_LIMIT=5/60s")
	for i := range 5 {
		a := s.client().with("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)).get("/api/items").want(200)
		if a.header.Get("RateLimit-Limit") != "5" || a.header.Get("RateLimit-Remaining") != strconv.Itoa(4-i) || a.header.Get("RateLimit-Reset") == "" {
			t.Errorf("request %d: %v", i, a.header)
		}
	}
	a := s.client().with("X-Forwarded-For", "203.0.113.99").get("/api/v1/posts").wantFault(429, "")
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 || a.header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("429 with %v", a.header)
	}
	s.client().get("/json").want(200)
	s.client().get("/healthz").want(200)

	behind := guideServer(t, "RATE_LIMIT=2/60s", "TRUSTED_PROXIES=127.0.0.0/8")
	for i := range 6 {
		behind.client().with("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)).get("/api/items").want(200)
	}
	for i, want := range []int{200, 200, 429} { // the last hop counts, not what the client sent
		behind.client().with("X-Forwarded-For", fmt.Sprintf("198.51.100.%d, 192.0.2.7", i)).get("/api/items").want(want)
	}

	standard := guideServer(t, "RATE_LIMIT=")
	if a := standard.client().get("/api/items").want(200); a.header.Get("RateLimit-Limit") != "100" || !strings.Contains(a.header.Get("RateLimit-Policy"), "60") {
		t.Errorf("by default %v", a.header)
	}
}

func TestContractMetrics(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	s.client().get("/metrics").wantFault(404, "")
	s.client().get("/debug/pprof/").wantFault(404, "")

	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	s = guideServer(t, "METRICS_ADDR="+addr)
	s.client().get("/api/items/7").want(200)
	s.client().get("/metrics").wantFault(404, "")
	own := s.client()
	own.url = "http://" + addr
	eventually(t, 10*time.Second, "the address of metrics", func() bool { return own.do("GET", "/metrics", nil).status == 200 })
	text := string(own.get("/metrics").want(200).body)
	if !strings.Contains(text, `/api/items/:id`) || !strings.Contains(text, "go_goroutines") || strings.Contains(text, "/api/items/7") {
		t.Errorf("metrics:\n%.1500s", text)
	}
	own.get("/debug/pprof/").want(200)
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := s.client().get(path).want(200); a.text("status") == "" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

// documented is a response in the document; it may be a reference.
type documented struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]struct{ Schema any }
}

// TestContractOpenAPI checks the document, and validates real responses against it.
func TestContractOpenAPI(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	a := s.client().get("/openapi.json").want(200)
	var document struct {
		OpenAPI string
		Info    struct{ Title, Version, Description string }
		Servers []struct{ URL string }
		Tags    []struct{ Name string }
		Paths   map[string]map[string]struct {
			Summary     string
			Tags        []string
			OperationID string `json:"operationId"`
			Security    []map[string]any
			Parameters  []struct {
				Name, In string
				Schema   map[string]any
			}
			RequestBody *struct {
				Content map[string]struct{ Schema any }
			}
			Responses map[string]documented
		}
		Components struct {
			Responses       map[string]documented
			SecuritySchemes map[string]map[string]any
			Schemas         map[string]any
		}
	}
	if err := json.Unmarshal(a.body, &document); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1") || document.Info.Title == "" || document.Info.Version == "" || document.Info.Description == "" || len(document.Servers) == 0 || len(document.Tags) == 0 {
		t.Errorf("openapi %q, info %+v, servers %v, tags %v", document.OpenAPI, document.Info, document.Servers, document.Tags)
	}
	if scheme := document.Components.SecuritySchemes["bearerAuth"]; scheme["type"] != "http" || scheme["scheme"] != "bearer" {
		t.Errorf("bearerAuth is %v", scheme)
	}
	seen := map[string]bool{}
	for path, operations := range document.Paths {
		for method, op := range operations {
			name := strings.ToUpper(method) + " " + path
			if op.Summary == "" || len(op.Tags) == 0 || op.OperationID == "" || seen[op.OperationID] {
				t.Errorf("%s: summary %q, tags %v, id %q", name, op.Summary, op.Tags, op.OperationID)
			}
			seen[op.OperationID] = true
			for _, p := range op.Parameters {
				if len(p.Schema) == 0 {
					t.Errorf("%s: %s has no schema", name, p.Name)
				}
			}
			for status, response := range op.Responses {
				if name, ok := strings.CutPrefix(response.Ref, "#/components/responses/"); ok {
					response = document.Components.Responses[name]
				}
				if response.Description == "" {
					t.Errorf("%s: %s is not described", name, status)
				}
				if status[0] >= '4' && len(response.Content) == 0 {
					t.Errorf("%s: %s has no body", name, status)
				}
			}
			want := []string{"500"}
			if len(op.Security) > 0 {
				want = append(want, "401")
			}
			if strings.Contains(path, "{") && !strings.Contains(path, "{room}") && !strings.Contains(path, "{path}") && !strings.HasPrefix(path, "/categories") {
				want = append(want, "404")
			}
			if op.RequestBody != nil && op.RequestBody.Content["application/json"].Schema != nil {
				want = append(want, "400", "413", "415", "422")
			}
			if strings.HasPrefix(path, "/api/") {
				want = append(want, "429")
			}
			for _, status := range want {
				if _, ok := op.Responses[status]; !ok {
					t.Errorf("%s: %s is not documented", name, status)
				}
			}
		}
	}
	for _, name := range []string{
		"get /api/v1/users", "post /api/v1/users", "get /api/v1/users/{id}", "put /api/v1/users/{id}", "patch /api/v1/users/{id}", "delete /api/v1/users/{id}", "get /api/v1/users/me",
		"post /api/v1/users/me/change-password", "get /api/v1/posts", "post /api/v1/posts/bulk", "post /api/v1/auth/login", "post /api/v1/auth/refresh", "post /api/v1/auth/logout",
		"get /api/v1/auth/sessions", "delete /api/v1/auth/sessions/{id}", "post /api/v1/files/upload", "get /api/v1/files/{name}", "post /session/login", "get /protected", "get /ws", "get /ws/chat/{room}",
		"get /chat/{room}/members", "get /api/items", "post /json", "get /xml", "post /users", "get /users",
	} {
		method, path, _ := strings.Cut(name, " ")
		if _, ok := document.Paths[path][method]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"get /api/v1/posts", "post /api/v1/posts", "get /api/v1/users", "get /protected"} {
		method, path, _ := strings.Cut(name, " ")
		if len(document.Paths[path][method].Security) == 0 {
			t.Errorf("%s needs no login", name)
		}
	}
	for name, want := range map[string]string{"get /api/v1/posts": "apiKey bearerAuth", "get /api/v1/auth/sessions": "bearerAuth", "get /protected": "__Host-session"} {
		method, path, _ := strings.Cut(name, " ")
		var schemes []string
		for _, one := range document.Paths[path][method].Security {
			schemes = append(schemes, slices.Collect(maps.Keys(one))...)
		}
		if slices.Sort(schemes); strings.Join(schemes, " ") != want {
			t.Errorf("%s takes %v, want %s", name, schemes, want)
		}
	}
	if len(document.Paths[loginPath]["post"].Security) != 0 {
		t.Error("the login needs a login")
	}
	limits := map[string]map[string]any{}
	for _, p := range document.Paths["/api/v1/posts"]["get"].Parameters {
		limits[p.Name] = p.Schema
	}
	for _, c := range []struct {
		name, key string
		want      any
	}{
		{"page", "minimum", 1.0}, {"page", "default", 1.0}, {"limit", "minimum", 1.0}, {"limit", "maximum", 100.0}, {"limit", "default", 10.0}, {"order", "default", "desc"},
		{"order", "enum", []any{"asc", "desc"}}, {"sort", "default", "created_at"}, {"search", "maxLength", 100.0}, {"published", "type", "boolean"},
	} {
		if got := limits[c.name][c.key]; fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s of %s is %v, want %v (schema %v)", c.key, c.name, got, c.want, limits[c.name])
		}
	}
	for _, name := range []string{"sort", "sort_by", "cursor", "category"} {
		if limits[name] == nil {
			t.Errorf("GET posts has no parameter %s", name)
		}
	}
	if upload := document.Paths["/api/v1/files/upload"]["post"]; upload.RequestBody == nil || upload.RequestBody.Content["multipart/form-data"].Schema == nil {
		t.Errorf("the body of an upload is %+v", upload.RequestBody)
	}

	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("https://example.com/openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	pointer := strings.NewReplacer("~", "~0", "/", "~1").Replace
	holds := func(a response, method, path string, status int) response {
		t.Helper()
		a.want(status)
		at := fmt.Sprintf("/paths/%s/%s/responses/%d", pointer(path), method, status)
		if ref := document.Paths[path][method].Responses[strconv.Itoa(status)].Ref; ref != "" {
			at = strings.TrimPrefix(ref, "#")
		}
		at += "/content/" + pointer("application/json") + "/schema"
		schema, err := compiler.Compile("https://example.com/openapi.json#" + strings.ReplaceAll(strings.ReplaceAll(at, "{", "%7B"), "}", "%7D"))
		if err != nil {
			t.Errorf("%s %s %d: %v", method, path, status, err)
			return a
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
		if err == nil {
			err = schema.Validate(value)
		}
		if err != nil {
			t.Errorf("%s %s %d: the response violates its schema: %v\n%s", method, path, status, err, a.body)
		}
		return a
	}
	anna := s.register("anna")
	c := s.client()
	holds(c.post("/api/v1/users", registration("bert")), "post", "/api/v1/users", 201)
	holds(c.post("/api/v1/users", registration("bert")), "post", "/api/v1/users", 409)
	holds(c.post("/api/v1/users", `{}`), "post", "/api/v1/users", 422)
	holds(c.post("/api/v1/users", `{`), "post", "/api/v1/users", 400)
	holds(c.post("/api/v1/users", raw(`{}`)), "post", "/api/v1/users", 415)
	holds(anna.get("/api/v1/users"), "get", "/api/v1/users", 200)
	holds(c.get("/api/v1/users"), "get", "/api/v1/users", 401)
	holds(anna.get("/api/v1/users?page=0"), "get", "/api/v1/users", 422)
	holds(anna.get(mePath), "get", mePath, 200)
	holds(anna.get("/api/v1/users/999"), "get", "/api/v1/users/{id}", 404)
	holds(anna.patch(fmt.Sprintf("/api/v1/users/%d", anna.id), `{}`), "patch", "/api/v1/users/{id}", 200)
	holds(anna.patch(fmt.Sprintf("/api/v1/users/%d", anna.id+1), `{}`), "patch", "/api/v1/users/{id}", 403)
	holds(c.post(loginPath, credentials("anna", goodPassword)), "post", loginPath, 200)
	holds(c.post(loginPath, credentials("anna", "x")), "post", loginPath, 401)
	holds(anna.get("/api/v1/auth/sessions"), "get", "/api/v1/auth/sessions", 200)
	holds(anna.post("/api/v1/auth/keys", `{"name":"k"}`), "post", "/api/v1/auth/keys", 201)
	holds(anna.get("/api/v1/auth/keys"), "get", "/api/v1/auth/keys", 200)
	holds(anna.post("/api/v1/posts", `{"title":"One","content":"x"}`), "post", "/api/v1/posts", 201)
	holds(anna.post("/api/v1/posts/bulk", `[{"title":"Two","content":"x","category":"go"}]`), "post", "/api/v1/posts/bulk", 201)
	holds(anna.post("/api/v1/posts/bulk", `[{}]`), "post", "/api/v1/posts/bulk", 422)
	holds(anna.get("/api/v1/posts"), "get", "/api/v1/posts", 200)
	holds(anna.get("/api/v1/posts?cursor=&limit=1"), "get", "/api/v1/posts", 200)
	holds(anna.get("/api/v1/posts/1"), "get", "/api/v1/posts/{id}", 200)
	holds(anna.upload(file("a.txt", "x")), "post", "/api/v1/files/upload", 201)
	holds(anna.upload(file("a.txt", "x"), file("b.txt", "")), "post", "/api/v1/files/upload", 201)
	holds(anna.upload(), "post", "/api/v1/files/upload", 400)
	holds(c.get("/protected"), "get", "/protected", 401)
	holds(c.post("/session/login", credentials("anna", goodPassword)), "post", "/session/login", 200)
	holds(anna.get("/chat/lobby/members"), "get", "/chat/{room}/members", 200)
	holds(c.get("/api/items"), "get", "/api/items", 200)
	holds(c.post("/json", `{"name":"a","age":1}`), "post", "/json", 200)
	holds(c.get("/error"), "get", "/error", 400)
	holds(c.get("/users"), "get", "/users", 200)
	holds(c.get("/api/items/x"), "get", "/api/items/{id}", 404)

	printed, problems, code := s.command("", "openapi")
	var one, other any
	_, _ = json.Unmarshal([]byte(printed), &one), json.Unmarshal(a.body, &other)
	if code != 0 || !reflect.DeepEqual(one, other) {
		t.Errorf("`blog openapi`: exit %d, different document\n%s", code, problems)
	}
}

func TestContractDocs(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	page := s.client().get("/docs").want(200)
	if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || strings.Contains(page.header.Get("Content-Security-Policy"), "unsafe") {
		t.Errorf("headers %v", page.header)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(string(page.body), -1)
	kinds := []string{}
	for _, link := range links {
		if strings.Contains(link[1], "//") {
			t.Errorf("loaded from another origin: %s", link[1])
			continue
		}
		path := "/" + strings.TrimPrefix(link[1], "/")
		kinds = append(kinds, strings.Split(s.client().get(path).want(200).header.Get("Content-Type"), ";")[0])
	}
	if !slices.Contains(kinds, "text/javascript") || !slices.Contains(kinds, "text/css") {
		t.Errorf("the page loads %v", kinds)
	}
}
