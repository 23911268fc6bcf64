package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// forge signs a token with arbitrary header and claims.
func forge(t *testing.T, method jwt.SigningMethod, signer any, kid any, c jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	if kid != nil {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(signer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestInvalidTokens(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	bob := w.user("bob")
	g := w.login(w.s, "alice")
	w.identity(w.s, g)

	k := w.s.keys[0]
	good, err := w.s.parse(g.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	edited := func(change func(*claims)) *claims { c := *good; change(&c); return &c }
	part := strings.Split(g.AccessToken, ".")
	payload := func(change func(map[string]any)) string {
		raw, _ := base64.RawURLEncoding.DecodeString(part[1])
		var m map[string]any
		_ = json.Unmarshal(raw, &m)
		change(m)
		raw, _ = json.Marshal(m)
		return part[0] + "." + base64.RawURLEncoding.EncodeToString(raw) + "." + part[2]
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	other := testConfig()
	other.Secret = "another-service-with-its-own-keys-77b1"
	otherKeys, _ := other.keys()

	for name, token := range map[string]string{
		"empty":                     "",
		"not a token":               "a.b.c",
		"alg none":                  forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, k.kid, good),
		"alg none, old signature":   base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT","kid":"`+k.kid+`"}`)) + "." + part[1] + "." + part[2],
		"alg None":                  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"None","typ":"JWT","kid":"`+k.kid+`"}`)) + "." + part[1] + ".",
		"HS512 of the right key":    forge(t, jwt.SigningMethodHS512, k.access, k.kid, good),
		"RS256":                     forge(t, jwt.SigningMethodRS256, rsaKey, k.kid, good),
		"a public key as HMAC key":  forge(t, jwt.SigningMethodHS256, public, k.kid, good),
		"the raw secret as key":     forge(t, jwt.SigningMethodHS256, []byte(testConfig().Secret), k.kid, good),
		"the key of refresh tokens": forge(t, jwt.SigningMethodHS256, k.refresh, k.kid, good),
		"an empty key":              forge(t, jwt.SigningMethodHS256, []byte{}, k.kid, good),
		"another service":           forge(t, jwt.SigningMethodHS256, otherKeys[0].access, otherKeys[0].kid, good),
		"another service, our kid":  forge(t, jwt.SigningMethodHS256, otherKeys[0].access, k.kid, good),
		"no kid":                    forge(t, jwt.SigningMethodHS256, k.access, nil, good),
		"a kid that is a path":      forge(t, jwt.SigningMethodHS256, k.access, "../../dev/null", good),
		"a kid that is a list":      forge(t, jwt.SigningMethodHS256, k.access, []string{k.kid}, good),
		"edited sub":                payload(func(m map[string]any) { m["sub"] = "2" }),
		"edited exp":                payload(func(m map[string]any) { m["exp"] = 99999999999 }),
		"edited sid":                payload(func(m map[string]any) { m["sid"] = strings.Repeat("0", 32) }),
		"added role":                payload(func(m map[string]any) { m["role"] = "admin" }),
		"no signature":              part[0] + "." + part[1] + ".",
		"two parts":                 part[0] + "." + part[1],
		"four parts":                g.AccessToken + "." + part[2],
		"padded":                    g.AccessToken + "=",
		"a changed last bit":        g.AccessToken[:len(g.AccessToken)-1] + flip(g.AccessToken[len(g.AccessToken)-1]),
		"too long":                  g.AccessToken + strings.Repeat("A", maxToken),
		"expired":                   forge(t, jwt.SigningMethodHS256, k.access, k.kid, edited(func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(w.now.Add(-time.Second)) })),
		"without end":               forge(t, jwt.SigningMethodHS256, k.access, k.kid, edited(func(c *claims) { c.ExpiresAt = nil })),
		"without session":           forge(t, jwt.SigningMethodHS256, k.access, k.kid, edited(func(c *claims) { c.Session = "" })),
		"unknown session":           forge(t, jwt.SigningMethodHS256, k.access, k.kid, edited(func(c *claims) { c.Session = randomID() })),
		"session of another user":   forge(t, jwt.SigningMethodHS256, k.access, k.kid, edited(func(c *claims) { c.Subject = "2" })),
		"a refresh token":           g.RefreshToken,
	} {
		_, err := w.s.Authenticate(t.Context(), token)
		if status(err) != 401 {
			t.Errorf("%s: %v, want 401", name, err)
		}
	}
	if bob.ID != 2 {
		t.Fatalf("bob is user %d: the cases above need 2", bob.ID)
	}
	w.identity(w.s, g) // the original token is still valid
}

// flip returns a base64 character whose bits differ only in those ignored by a lenient
// decoder.
func flip(b byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, b)^1])
}

func TestAccessTokenClaimsAndExpiry(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	g := w.login(w.s, "alice")
	var c map[string]any
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(g.AccessToken, ".")[1])
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sub", "iat", "exp", "jti", "sid"} {
		if c[name] == nil {
			t.Errorf("no claim %s in %s", name, raw)
		}
	}
	if len(c) != 5 || c["sub"] != "1" || c["exp"].(float64)-c["iat"].(float64) != 1800 {
		t.Errorf("claims %s", raw)
	}
	id := w.identity(w.s, g)
	if id.UserID != alice.ID || id.Username != "alice" || id.Role != "user" || id.Admin() || id.SessionID != c["sid"] {
		t.Errorf("identity %+v", id)
	}
	w.advance(30*time.Minute + time.Second)
	_, err := w.s.Authenticate(t.Context(), g.AccessToken)
	wantStatus(t, "after 30 minutes", err, 401)
}

// A token is parsed once, the cache is bounded, and a token that differs in any way is
// not found in it.
func TestTokensAreParsedOnce(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	token := w.login(w.s, "alice").AccessToken
	first, err := w.s.parse(token)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.s.parse(token); err != nil || again != first {
		t.Errorf("the second time: %p, want %p, %v", again, first, err)
	}
	for _, other := range []string{token + "A", token[:len(token)-1], strings.ToUpper(token)} {
		if _, err := w.s.parse(other); err == nil {
			t.Errorf("%s is accepted as the cached token", other)
		}
	}
	for n := range cacheSize {
		w.s.signed.keep(sha256.Sum256([]byte(strconv.Itoa(n))), first)
	}
	if n := len(w.s.signed.claims); n > cacheSize {
		t.Errorf("%d tokens are cached", n)
	}
}

func TestSecretRotation(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	before := w.login(w.s, "alice")
	again, err := w.s.Refresh(t.Context(), before.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}

	cfg := testConfig()
	cfg.Previous, cfg.Secret = cfg.Secret, "the-new-one-after-the-rotation-9e2d01"
	next := w.replica()
	next.cfg = cfg
	next.keys, _ = cfg.keys()

	w.identity(next, before)
	retry, err := next.Refresh(t.Context(), before.RefreshToken)
	if err != nil || retry.RefreshToken != again.RefreshToken {
		t.Errorf("a retry after the rotation: %v, same successor %v", err, retry.RefreshToken == again.RefreshToken)
	}
	_, err = w.s.Authenticate(t.Context(), w.login(next, "alice").AccessToken)
	wantStatus(t, "a token of a secret unknown to this replica", err, 401)
	gone := w.replica()
	gone.keys = next.keys[:1]
	_, err = gone.Authenticate(t.Context(), before.AccessToken)
	wantStatus(t, "a token of a removed secret", err, 401)
}
