package auth

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/webtest"
)

func benchService(b *testing.B) (*Service, Grant) {
	gdb := webtest.DB(b, append([]db.Migration{users()}, Migrations()...))
	if err := gdb.Create(&userRow{Username: "alice", Email: "a@example.com", PasswordHash: "none", Role: "user", IsActive: true}).Error; err != nil {
		b.Fatal(err)
	}
	s, err := New(testConfig(), gdb, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	g, err := s.OpenSession(b.Context(), here, 1)
	if err != nil {
		b.Fatal(err)
	}
	return s, g
}

// BenchmarkVerifyBare is the baseline: one parser, typed claims, HS256, nothing else.
func BenchmarkVerifyBare(b *testing.B) {
	s, g := benchService(b)
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}))
	key := s.keys[0].access
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parser.ParseWithClaims(g.AccessToken, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyGuard measures what a guard adds to a request: the middleware, the
// token, its session and the user's role.
func BenchmarkVerifyGuard(b *testing.B) {
	s, g := benchService(b)
	use, guard := s.Middleware(), User()
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("Authorization", "Bearer "+g.AccessToken)
	b.ReportAllocs()
	for b.Loop() {
		c.Request = request
		use(c)
		if err := guard.Check(c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHash and BenchmarkLogin show that a login costs little more than its hash.
func BenchmarkHash(b *testing.B) {
	h := newHasher("production")
	for b.Loop() {
		h.make(rightPassword)
	}
}

func BenchmarkLogin(b *testing.B) {
	s, _ := benchService(b)
	hash, _ := s.Hash(b.Context(), rightPassword)
	if err := s.db.Table("users").Where("id = 1").Update("password_hash", hash).Error; err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Login(b.Context(), here, Credentials{Username: "alice", Password: rightPassword}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefresh(b *testing.B) {
	s, g := benchService(b)
	var err error
	for b.Loop() {
		if g, err = s.Refresh(b.Context(), g.RefreshToken); err != nil {
			b.Fatal(err)
		}
	}
}
