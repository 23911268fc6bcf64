package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// failLogins makes n attempts with wrong passwords, each from its own address unless
// from is given, and returns the last error.
func (w *fixture) failLogins(s *Service, name string, n int, from ...Client) (last error) {
	w.t.Helper()
	for i := range n {
		client := Client{Address: fmt.Sprintf("198.51.100.%d", i)}
		if len(from) > 0 {
			client = from[0]
		}
		_, last = s.Login(w.t.Context(), client, Credentials{Username: name, Password: otherPassword})
		if status(last) != 401 {
			w.t.Fatalf("wrong password %d of %s: %v, want 401", i+1, name, last)
		}
	}
	return last
}

func TestAccountLocksAfterTenWrongPasswords(t *testing.T) {
	for _, name := range []string{"alice", "nobody"} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			w.user("alice")
			w.user("bob")
			w.failLogins(w.s, name, accountTries)
			for spelled, s := range map[string]*Service{name: w.s, "  " + name: w.replica()} {
				if name == "alice" {
					spelled = "ALICE"
				}
				_, err := s.Login(t.Context(), here, Credentials{Username: spelled, Password: rightPassword})
				wantStatus(t, "the right password on a locked account", err, 429)
				if after := retryAfter(err); after <= 0 || after > 15*time.Minute {
					t.Errorf("retry after %s", after)
				}
			}
			w.login(w.s, "bob") // from the same address
			if w.events("locked") != 1 {
				t.Error("no security event")
			}
			w.advance(15*time.Minute + time.Second)
			w.failLogins(w.s, name, 1)
			if name == "alice" {
				w.login(w.s, name)
			}
		})
	}
}

func TestRightPasswordClearsAccountCount(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	for range 3 {
		w.failLogins(w.s, "alice", accountTries-1)
		w.login(w.s, "alice")
	}
}

func TestAddressLocksAfterThirtyWrongPasswords(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	attacker := Client{Address: "2001:db8:1:2::1"}
	for i := range addressTries {
		w.failLogins(w.s, fmt.Sprintf("name%d", i), 1, attacker)
		if i%10 == 9 { // an account of their own does not help
			own := w.user(fmt.Sprintf("attacker%d", i))
			if i < addressTries-1 {
				if _, err := w.s.Login(t.Context(), attacker, Credentials{Username: own.Username, Password: rightPassword}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	neighbour := Client{Address: "2001:db8:1:2:ffff::9"} // the same /64
	for _, client := range []Client{attacker, neighbour} {
		_, err := w.replica().Login(t.Context(), client, Credentials{Username: "alice", Password: rightPassword})
		wantStatus(t, "the right password from "+client.Address, err, 429)
	}
	w.login(w.s, "alice")
}

func TestForgedForwardedHeadersAreIgnored(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	engine := gin.New()
	if err := engine.SetTrustedProxies(nil); err != nil {
		t.Fatal(err)
	}
	engine.POST("/login", func(c *gin.Context) {
		_, err := w.s.Login(c, ClientOf(c), Credentials{Username: c.Query("name"), Password: otherPassword})
		c.Status(status(err))
	})
	for i := range addressTries + 1 {
		r := httptest.NewRequest(http.MethodPost, fmt.Sprintf("/login?name=name%d", i), nil)
		for _, header := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Cf-Connecting-Ip", "True-Client-Ip"} {
			r.Header.Set(header, fmt.Sprintf("203.0.113.%d", i))
		}
		answer := httptest.NewRecorder()
		engine.ServeHTTP(answer, r)
		want := 401
		if i == addressTries {
			want = 429
		}
		if answer.Code != want {
			t.Fatalf("attempt %d: %d, want %d", i+1, answer.Code, want)
		}
	}
}

// TestConcurrentGuessesAreLimited sends 40 guesses concurrently, of which the last
// is correct: it is accepted only if fewer than the limit have failed before.
func TestConcurrentGuessesAreLimited(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	replicas := []*Service{w.s, w.replica()}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 40 {
		wg.Go(func() {
			<-start
			s := replicas[i%2]
			_, _ = s.Login(t.Context(), Client{Address: fmt.Sprintf("198.51.100.%d", i)}, Credentials{Username: "alice", Password: otherPassword})
		})
	}
	close(start)
	wg.Wait()
	var row failureRow
	w.db.Where("subject = ?", fmt.Sprintf("user:%d", alice.ID)).Take(&row)
	most := accountTries + len(replicas)*cap(w.s.hasher.slots)
	if row.Tries < accountTries || row.Tries > most {
		t.Errorf("%d tries counted, want %d to %d", row.Tries, accountTries, most)
	}
	_, err := w.s.Login(t.Context(), here, Credentials{Username: "alice", Password: rightPassword})
	wantStatus(t, "the right password afterwards", err, 429)
}

// TestLockDuringHash locks the account while a password is being hashed: the
// response must not reveal whether it is correct.
func TestLockDuringHash(t *testing.T) {
	for name, password := range map[string]string{"right": rightPassword, "wrong": otherPassword} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			w.user("alice")
			slow, clock, calls := w.replica(), w.s.now, 0
			slow.now = func() time.Time {
				if calls++; calls == 2 { // the first check precedes the hash
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					defer cancel()
					for range accountTries {
						_, _ = w.s.Login(ctx, here, Credentials{Username: "alice", Password: otherPassword})
					}
				}
				return clock()
			}
			_, err := slow.Login(t.Context(), here, Credentials{Username: "alice", Password: password})
			wantStatus(t, "a guess concurrent with ten wrong ones", err, 429)
		})
	}
}

func TestInactiveUserLocks(t *testing.T) {
	w := newFixture(t)
	w.set(w.user("gone"), "is_active", false)
	in := Credentials{Username: "gone", Password: rightPassword}
	for range accountTries {
		_, err := w.s.Login(t.Context(), here, in)
		wantStatus(t, "an inactive user", err, 401)
	}
	_, err := w.s.Login(t.Context(), here, in)
	wantStatus(t, "after the lockout", err, 429)
}

func TestChangePasswordAndConfirmCountFailures(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	id := w.identity(w.s, w.login(w.s, "alice"))
	for i := range accountTries {
		var err error
		if i%2 == 0 {
			err = w.s.ChangePassword(t.Context(), here, id, otherPassword, "Whatever-1234", false)
		} else {
			err = w.s.Confirm(t.Context(), here, id, otherPassword, "")
		}
		wantStatus(t, "a wrong old password", err, 400)
	}
	wantStatus(t, "the right password after the lockout", w.s.ChangePassword(t.Context(), here, id, rightPassword, "Whatever-1234", false), 429)
}
