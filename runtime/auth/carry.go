package auth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// Carry stores value in an encrypted cookie until the browser returns, such as the
// state of a login that involves another site or a device. The name is
// authenticated with it: a value stored for one purpose is not accepted for another.
// The cookie is only sent to this host, and only over HTTPS if that is in use.
func (s *Service) Carry(c *gin.Context, name string, value any, lifetime time.Duration) error {
	text, err := json.Marshal(carried{s.now().Add(lifetime).UnixMilli(), value})
	if err != nil {
		return err
	}
	k := s.keys[0]
	aead := gcm(k.carry)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	sealed := k.kid + "." + base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, text, []byte(name)))
	s.setCookie(c, s.carryCookie(c.Request, name), sealed, "/", http.SameSiteLaxMode, lifetime)
	NoStore(c)
	return nil
}

// Carried decodes into value the cookie set by [Service.Carry]. It returns false if
// the cookie is missing, expired or not ours, and for cross-site requests with an
// unsafe method.
func (s *Service) Carried(c *gin.Context, name string, value any) bool {
	cookie, err := c.Request.Cookie(s.carryCookie(c.Request, name))
	if err != nil || c.Request.Method != http.MethodGet && !s.sameSite(c.Request) {
		return false
	}
	kid, body, _ := strings.Cut(cookie.Value, ".")
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return false
	}
	for _, k := range s.keys {
		aead := gcm(k.carry)
		if k.kid != kid || len(raw) <= aead.NonceSize() {
			continue
		}
		text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(name))
		if err != nil {
			return false
		}
		in := carried{Value: value}
		return json.Unmarshal(text, &in) == nil && s.stamp() < in.Until
	}
	return false
}

// Drop deletes the cookie set by [Service.Carry].
func (s *Service) Drop(c *gin.Context, name string) {
	s.setCookie(c, s.carryCookie(c.Request, name), "", "/", http.SameSiteLaxMode, -time.Second)
}

type carried struct {
	Until int64 `json:"until"`
	Value any   `json:"value"`
}

func (s *Service) carryCookie(r *http.Request, name string) string {
	if s.secure(r) {
		return "__Host-" + name
	}
	return name
}
