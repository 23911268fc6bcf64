package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/pquerna/otp/totp"
)

const (
	loginPath   = apiBase + "/auth/login"
	refreshPath = apiBase + "/auth/refresh"
	logoutPath  = apiBase + "/auth/logout"
	mePath      = apiBase + "/users/me"
)

func credentials(name, password string) map[string]string {
	return map[string]string{"username": name, "password": password}
}

// cookieOf returns the cookie of that name that a response sets, or an empty one.
func cookieOf(a response, name string) *http.Cookie {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c
		}
	}
	return &http.Cookie{}
}

// bare returns a client that sends only the refresh token.
func (s *server) bare(refresh string) client {
	return s.client().with("Cookie", "refresh_token="+refresh)
}

func TestContractLogin(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	root := s.admin("root")
	anna := s.register("anna")
	idle := s.register("idle")
	root.patch(fmt.Sprintf("%s/users/%d", apiBase, idle.id), `{"is_active":false}`).want(200)

	a := s.client().post(loginPath, credentials("anna", goodPassword)).want(200)
	got := a.json()
	if len(got) != 3 || got["token_type"] != "bearer" || got["expires_in"] != 1800.0 {
		t.Errorf("response %v", got)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
	}
	cookie := cookieOf(a, "refresh_token")
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != apiBase+"/auth" || cookie.MaxAge != 604800 || cookie.Domain != "" {
		t.Errorf("cookie %s", cookie)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(cookie.Value); err != nil || len(raw) != 32 {
		t.Errorf("the refresh token has %d bytes, %v", len(raw), err)
	}

	var refusals []string
	for _, c := range []struct{ name, password string }{
		{"anna", "Wrong-Horse-7"}, {"nobody", goodPassword}, {"idle", goodPassword}, {"anna", goodPassword + " "}, {"%", goodPassword}, {"anna' --", "x"},
	} {
		a := s.client().post(loginPath, credentials(c.name, c.password)).wantFault(401, "Invalid credentials")
		if a.header.Get("WWW-Authenticate") == "" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%v: %v", c, a.header)
		}
		body := a.json()
		delete(body, "request_id")
		text, _ := json.Marshal(body)
		refusals = append(refusals, string(text))
	}
	for _, text := range refusals {
		if text != refusals[0] {
			t.Errorf("%s differs from %s", text, refusals[0])
		}
	}
	for body, fields := range map[string]string{
		`{}`: "password username", `{"username":"anna"}`: "password", `{"password":"x"}`: "username", `{"username":"","password":""}`: "password username",
		`{"username":null,"password":null}`: "password username", `{"username":1,"password":[]}`: "password username",
	} {
		if a := s.client().post(loginPath, body).wantFault(422, "Validation error"); a.fields() != fields {
			t.Errorf("%s: details of %q", body, a.fields())
		}
	}
	s.client().post(loginPath, credentials("ANNA", goodPassword)).want(200)

	claims := jwt.MapClaims{}
	token, _, err := jwt.NewParser().ParseUnverified(anna.token, claims)
	if err != nil {
		t.Fatal(err)
	}
	if token.Method.Alg() != "HS256" || token.Header["kid"] == nil {
		t.Errorf("header %v", token.Header)
	}
	for _, name := range []string{"sub", "iat", "exp", "jti", "sid"} {
		if claims[name] == nil {
			t.Errorf("no claim %s in %v", name, claims)
		}
	}
	if claims["sub"] != strconv.Itoa(anna.id) || claims["exp"].(float64)-claims["iat"].(float64) != 1800 || strings.Contains(fmt.Sprint(claims), "anna") {
		t.Errorf("claims %v", claims)
	}

	none := jwt.NewWithClaims(jwt.SigningMethodNone, claims)
	none.Header["kid"] = token.Header["kid"]
	unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key string) string {
		other := jwt.NewWithClaims(method, claims)
		other.Header["kid"] = token.Header["kid"]
		text, err := other.SignedString([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	parts := strings.Split(anna.token, ".")
	for what, header := range map[string]string{
		"nothing": "", "rubbish": "Bearer x", "two dots": "Bearer ..", "no scheme": anna.token, "another scheme": "Token " + anna.token,
		"alg none": "Bearer " + unsigned, "another key": "Bearer " + sign(jwt.SigningMethodHS256, "x"), "no key": "Bearer " + sign(jwt.SigningMethodHS256, ""),
		"HS512": "Bearer " + sign(jwt.SigningMethodHS512, "x"), "no signature": "Bearer " + parts[0] + "." + parts[1] + ".", "cut": "Bearer " + anna.token[:len(anna.token)-3],
		"the refresh token": "Bearer " + cookie.Value, "Basic": "Basic " + base64.StdEncoding.EncodeToString([]byte("anna:"+goodPassword)),
	} {
		c := s.client()
		if header != "" {
			c = c.with("Authorization", header)
		}
		if a := c.get(mePath); a.fault(401) != "" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: %s, WWW-Authenticate %q", what, a.fault(401), a.header.Get("WWW-Authenticate"))
		}
	}
	s.client().with("Authorization", "bearer "+anna.token).get(mePath).want(200)
	for _, name := range []string{"access_token", "token", "jwt", "authorization", "api_key"} {
		s.client().get(mePath+"?"+name+"="+anna.token).wantFault(401, "")
	}
	if me := anna.get(mePath).want(200).json(); me["username"] != "anna" || me["id"] != float64(anna.id) {
		t.Errorf("me %v", me)
	}
	for _, event := range []string{"login", "login_failed"} {
		s.logs(`"msg":"security","event":"` + event + `"`)
	}
	if strings.Contains(s.log.String(), goodPassword) || strings.Contains(s.log.String(), anna.token) || strings.Contains(s.log.String(), cookie.Value) {
		t.Error("the log contains secrets")
	}
}

func TestContractRefresh(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	s.register("anna")
	login := func(t *testing.T) (access, refresh string) {
		a := s.client().of(t).post(loginPath, credentials("anna", goodPassword)).want(200)
		return a.text("access_token"), cookieOf(a, "refresh_token").Value
	}
	rotate := func(t *testing.T, token string) (access, refresh string) {
		a := s.bare(token).of(t).post(refreshPath, nil).want(200)
		return a.text("access_token"), cookieOf(a, "refresh_token").Value
	}

	t.Run("rotates", func(t *testing.T) {
		t.Parallel()
		_, first := login(t)
		a := s.bare(first).of(t).post(refreshPath, nil).want(200)
		cookie := cookieOf(a, "refresh_token")
		if cookie.Value == first || cookie.Value == "" || !cookie.HttpOnly || !cookie.Secure || cookie.Path != apiBase+"/auth" || cookie.MaxAge > 604800 || cookie.MaxAge < 604790 {
			t.Errorf("cookie %s", cookie)
		}
		if len(a.json()) != 3 || a.text("token_type") != "bearer" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s, Cache-Control %q", a.body, a.header.Get("Cache-Control"))
		}
		s.client().of(t).as(a.text("access_token")).get(mePath).want(200)
		if _, retry := rotate(t, first); retry != cookie.Value {
			t.Error("a retry got another successor")
		}
	})
	t.Run("refusals", func(t *testing.T) {
		t.Parallel()
		s.client().of(t).post(refreshPath, nil).wantFault(401, "")
		s.bare("x").of(t).post(refreshPath, nil).wantFault(401, "")
		_, first := login(t)
		s.client().of(t).post(refreshPath+"?refresh_token="+first, nil).wantFault(401, "")
		s.client().of(t).post(refreshPath, map[string]string{"refresh_token": first}).wantFault(401, "")
		s.bare(first).of(t).get(refreshPath).wantFault(405, "")
	})
	t.Run("reuse", func(t *testing.T) {
		t.Parallel()
		other, _ := login(t)
		access, first := login(t)
		newer, second := rotate(t, first)
		_, third := rotate(t, second)
		s.bare(first).of(t).post(refreshPath, nil).wantFault(401, "")
		s.bare(third).of(t).post(refreshPath, nil).wantFault(401, "")
		s.client().of(t).as(access).get(mePath).wantFault(401, "")
		s.client().of(t).as(newer).get(mePath).wantFault(401, "")
		s.client().of(t).as(other).get(mePath).want(200)
	})
	t.Run("reuse after the grace", func(t *testing.T) {
		t.Parallel()
		access, first := login(t)
		_, second := rotate(t, first)
		time.Sleep(10*time.Second + 300*time.Millisecond) // the grace period is the subject of the test
		s.bare(first).of(t).post(refreshPath, nil).wantFault(401, "")
		s.bare(second).of(t).post(refreshPath, nil).wantFault(401, "")
		s.client().of(t).as(access).get(mePath).wantFault(401, "")
	})
	t.Run("ten at once", func(t *testing.T) {
		t.Parallel()
		_, first := login(t)
		count := atOnce(10, func(int) string {
			a := s.bare(first).of(t).post(refreshPath, nil)
			return fmt.Sprint(a.status, " ", cookieOf(a, "refresh_token").Value)
		})
		if len(count) != 1 {
			t.Errorf("responses %v", count)
		}
		for text := range count {
			if !strings.HasPrefix(text, "200 ") {
				t.Errorf("responses %v", count)
			}
		}
	})
	t.Run("other sites", func(t *testing.T) {
		t.Parallel()
		_, first := login(t)
		for _, header := range [][2]string{
			{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://" + s.addr + ".evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		} {
			for _, path := range []string{refreshPath, logoutPath} {
				s.bare(first).of(t).with(header[0], header[1]).post(path, nil).wantFault(403, "")
			}
		}
		s.bare(first).of(t).with("Origin", s.url, "Sec-Fetch-Site", "same-origin").post(refreshPath, nil).want(200)
	})
	t.Run("logout", func(t *testing.T) {
		t.Parallel()
		other, _ := login(t)
		access, first := login(t)
		a := s.bare(first).of(t).as(access).post(logoutPath, nil).want(200, 204)
		if cookie := cookieOf(a, "refresh_token"); cookie.MaxAge >= 0 || cookie.Path != apiBase+"/auth" || cookie.Value != "" {
			t.Errorf("cookie %s", cookie)
		}
		s.client().of(t).as(access).get(mePath).wantFault(401, "")
		s.bare(first).of(t).post(refreshPath, nil).wantFault(401, "")
		s.client().of(t).as(other).get(mePath).want(200)
		s.client().of(t).post(logoutPath, nil).wantFault(401, "")
	})
}

func TestContractSessions(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	anna, bert := s.register("anna"), s.register("bert")
	again := s.login("anna", goodPassword)
	sessions := apiBase + "/auth/sessions"

	list := anna.get(sessions).want(200).items()
	if len(list) != 2 || len(bert.get(sessions).want(200).items()) != 1 {
		t.Fatalf("sessions %v", list)
	}
	for _, session := range list {
		path := fmt.Sprint(sessions, "/", session["id"])
		bert.delete(path).wantFault(404, "")
		if session["current"] != true {
			anna.delete(path).want(204)
			anna.delete(path).wantFault(404, "")
		}
	}
	again.get(mePath).wantFault(401, "")
	again.browser().post(refreshPath, nil).wantFault(401, "")
	anna.get(mePath).want(200)
	s.client().get(sessions).wantFault(401, "")

	change := apiBase + "/users/me/change-password"
	again = s.login("anna", goodPassword)
	body := func(old, next string) map[string]string {
		return map[string]string{"old_password": old, "new_password": next}
	}
	s.client().post(change, body(goodPassword, "Different-Horse-8")).wantFault(401, "")
	anna.post(change, body("Wrong-Horse-7", "Different-Horse-8")).wantFault(400, "Incorrect password")
	for _, weak := range []string{"", "short", "Password1", "alllowercase1", "ALLUPPERCASE1", "NoDigitsHere", strings.Repeat("Aa1 b", 26), "Anna1234"} {
		if a := anna.post(change, body(goodPassword, weak)).wantFault(422, "Validation error"); a.fields() != "new_password" {
			t.Errorf("%s: details of %q", weak, a.fields())
		}
	}
	if got := anna.post(change, body(goodPassword, "Different-Horse-8")).want(200).json(); len(got) != 1 || got["message"] != "Password changed successfully" {
		t.Errorf("response %v", got)
	}
	anna.get(mePath).want(200)
	again.get(mePath).wantFault(401, "")
	again.browser().post(refreshPath, nil).wantFault(401, "")
	bert.get(mePath).want(200)
	s.client().post(loginPath, credentials("anna", goodPassword)).wantFault(401, "Invalid credentials")
	s.login("anna", "Different-Horse-8")
}

func TestContractLockout(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	s.register("anna")
	for _, name := range []string{"anna", "nobody"} {
		for range 10 {
			s.client().post(loginPath, credentials(name, "Wrong-Horse-7")).wantFault(401, "Invalid credentials")
		}
		a := s.client().post(loginPath, credentials(name, goodPassword)).wantFault(429, "")
		if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("%s: Retry-After %q", name, a.header.Get("Retry-After"))
		}
	}

	s = guideServer(t)
	s.register("anna")
	for i := range 30 {
		forged := s.client().with("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i), "X-Real-Ip", fmt.Sprintf("203.0.113.%d", i), "Forwarded", "for=203.0.113.9")
		forged.post(loginPath, credentials(fmt.Sprint("name", i), "Wrong-Horse-7")).wantFault(401, "")
	}
	a := s.client().with("X-Forwarded-For", "203.0.113.99").post(loginPath, credentials("anna", goodPassword)).wantFault(429, "")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestContractSecondFactor(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	anna := s.register("anna")
	path := apiBase + "/auth/totp"
	s.client().post(path, nil).wantFault(401, "")
	a := anna.post(path, nil).want(201)
	secret := a.text("secret")
	if !strings.HasPrefix(a.text("url"), "otpauth://totp/") || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s, Cache-Control %q", a.body, a.header.Get("Cache-Control"))
	}
	code := func(steps int) string {
		text, err := totp.GenerateCode(secret, time.Now().Add(time.Duration(steps)*30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	s.login("anna", goodPassword) // not enabled before it is confirmed
	anna.post(path+"/confirm", `{"code":"000000"}`).wantFault(422, "")
	anna.post(path+"/confirm", `{"code":"abc"}`).wantFault(422, "")
	if a := anna.post(path+"/confirm", `{}`).wantFault(422, "Validation error"); a.fields() != "code" {
		t.Errorf("fields %q", a.fields())
	}
	confirmed := anna.post(path+"/confirm", map[string]string{"code": code(0)}).want(200)
	recovery, _ := confirmed.json()["recovery_codes"].([]any)
	if len(recovery) < 8 {
		t.Fatalf("recovery codes %v", recovery)
	}
	login := func(code string) response {
		return s.client().post(loginPath, map[string]string{"username": "anna", "password": goodPassword, "code": code})
	}
	login("").wantFault(401, "")
	login("000000").wantFault(401, "")
	login(code(0)).wantFault(401, "") // used for the confirmation
	login(code(1)).want(200)
	login(code(1)).wantFault(401, "")
	login(recovery[0].(string)).want(200)
	login(recovery[0].(string)).wantFault(401, "")
	anna.delete(path).want(204)
	s.login("anna", goodPassword)
}

func TestContractKeys(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	anna := s.register("anna")
	keys := apiBase + "/auth/keys"
	a := anna.post(keys, `{"name":"reader"}`).want(201)
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
	}
	reader := s.client().with("X-API-Key", a.text("key"))
	reader.get(apiBase + "/posts").want(200)
	reader.get(mePath).want(200)
	reader.post(apiBase+"/posts", `{"title":"Fine","content":"x"}`).wantFault(403, "")
	writer := s.client().with("X-API-Key", anna.post(keys, `{"name":"writer","scopes":["posts:write"]}`).want(201).text("key"))
	writer.post(apiBase+"/posts", `{"title":"Fine","content":"x"}`).want(201)
	writer.get(apiBase+"/users").wantFault(403, "")
	writer.get(keys).wantFault(403, "")
	writer.post(apiBase+"/users/me/change-password", map[string]string{"old_password": goodPassword, "new_password": "Different-Horse-8"}).wantFault(403, "")
	writer.post(keys, `{"name":"another"}`).wantFault(403, "")
	writer.delete(fmt.Sprintf("%s/users/%d", apiBase, anna.id)).wantFault(403, "")
	for _, bad := range []string{`{}`, `{"name":""}`, `{"name":"x","scopes":["everything"]}`, `{"name":"x","expires_at":"2001-01-01T00:00:00Z"}`, `{"name":"x","expires_at":"soon"}`} {
		anna.post(keys, bad).wantFault(422, "Validation error")
	}
	short := anna.post(keys, map[string]any{"name": "short", "expires_at": time.Now().Add(2 * time.Second).UTC()}).want(201)
	brief := s.client().with("X-API-Key", short.text("key"))
	brief.get(mePath).want(200)
	key := a.text("key")
	for _, wrong := range []string{"x", key[:len(key)-1], key + "x", strings.ToUpper(key), ""} {
		s.client().with("X-API-Key", wrong).get(mePath).wantFault(401, "")
	}
	s.client().get(mePath+"?api_key="+key).wantFault(401, "")
	list := anna.get(keys).want(200)
	for _, row := range list.items() {
		if row["key"] != nil || row["prefix"] == "" || row["name"] == "reader" && row["last_used_at"] == nil {
			t.Errorf("listed as %v", row)
		}
	}
	if len(list.items()) != 3 || strings.Contains(string(list.body), key) {
		t.Errorf("keys %s", list.body)
	}
	bert := s.register("bert")
	path := fmt.Sprint(keys, "/", a.json()["id"])
	bert.delete(path).wantFault(404, "")
	anna.delete(path).want(204)
	anna.delete(path).wantFault(404, "")
	reader.get(mePath).wantFault(401, "")
	eventually(t, 5*time.Second, "end of the short key", func() bool { return brief.get(mePath).status == 401 })
}

func TestContractRefreshInTheBody(t *testing.T) {
	t.Parallel()
	s := guideServer(t, "AUTH_REFRESH=body")
	s.client().post(apiBase+"/users", registration("anna")).want(201)
	a := s.client().post(loginPath, credentials("anna", goodPassword)).want(200)
	first := a.text("refresh_token")
	if a.header.Get("Set-Cookie") != "" || first == "" {
		t.Errorf("%s, cookie %q", a.body, a.header.Get("Set-Cookie"))
	}
	next := s.client().post(refreshPath, map[string]string{"refresh_token": first}).want(200)
	if next.text("refresh_token") == first || next.header.Get("Set-Cookie") != "" || next.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", next.body, next.header)
	}
	s.client().post(refreshPath, `{}`).wantFault(422, "Validation error")
	s.client().post(refreshPath, `{"refresh_token":"x"}`).wantFault(401, "")
	s.bare(next.text("refresh_token")).post(refreshPath, nil).wantFault(400, "")
	s.client().as(next.text("access_token")).post(logoutPath, nil).want(200, 204)
	s.client().post(refreshPath, map[string]string{"refresh_token": next.text("refresh_token")}).wantFault(401, "")
}

func TestContractPageSessions(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	anna := s.register("anna")
	if a := s.client().get("/protected").wantFault(401, "Not authenticated"); a.header.Get("WWW-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
	anna.get("/protected").wantFault(401, "Not authenticated") // a token is not a session
	s.client().post("/session/login", credentials("anna", "Wrong-Horse-7")).wantFault(401, "Invalid credentials")
	s.client().post("/session/login", `{}`).wantFault(422, "Validation error")
	login := func(c client) (client, *http.Cookie) {
		a := c.post("/session/login", credentials("anna", goodPassword)).want(200)
		if a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
		}
		cookies := (&http.Response{Header: a.header}).Cookies()
		if len(cookies) != 1 || !cookies[0].HttpOnly || !cookies[0].Secure || cookies[0].Path != "/" || cookies[0].SameSite == http.SameSiteNoneMode {
			t.Fatalf("cookies %v", cookies)
		}
		return s.client().with("Cookie", cookies[0].Name+"="+cookies[0].Value), cookies[0]
	}
	page, cookie := login(s.client())
	if got := page.get("/protected").want(200).json(); len(got) != 1 || got["message"] != "Hello, anna!" {
		t.Errorf("greeted with %v", got)
	}
	page.get(mePath).wantFault(401, "") // a session is not a token
	planted, fresh := login(s.client().with("Cookie", cookie.Name+"=planted"))
	if fresh.Value == "planted" {
		t.Error("the planted session id was accepted")
	}
	planted.get("/protected").want(200)
	second, another := login(page)
	if another.Value == cookie.Value {
		t.Error("a login kept the session id")
	}
	page.get("/protected").wantFault(401, "")
	for _, header := range [][2]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}} {
		second.with(header[0], header[1]).post("/session/logout", nil).wantFault(403, "")
		s.client().with(header[0], header[1]).post("/session/login", credentials("anna", goodPassword)).wantFault(403, "")
	}
	second.with("Content-Type", "application/x-www-form-urlencoded").post("/session/logout", "a=b").wantFault(403, "")
	second.get("/protected").want(200)
	second.with("Origin", s.url).post("/session/logout", nil).want(200, 204)
	second.get("/protected").wantFault(401, "Not authenticated")
}

// TestContractDevelopment: only in development cookies work over plain HTTP, and mails are
// shown.
func TestContractDevelopment(t *testing.T) {
	t.Parallel()
	s := guideServer(t, "APP_ENV=development", "APP_SECRET=", "SMTP_URL=")
	s.register("anna")
	a := s.client().post(loginPath, credentials("anna", goodPassword)).want(200)
	if cookie := cookieOf(a, "refresh_token"); cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %s", cookie)
	}
	eventually(t, 10*time.Second, "mail at /dev/mail", func() bool {
		return strings.Contains(string(s.client().get("/dev/mail").want(200).body), "anna@example.com")
	})
}
