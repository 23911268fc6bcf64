package auth

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// enrolled creates alice with a second factor.
func (w *fixture) enrolled() (id Identity, secret string, recovery []string) {
	w.t.Helper()
	w.user("alice")
	id = w.identity(w.s, w.login(w.s, "alice"))
	e, err := w.s.EnrollTOTP(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	recovery, err = w.s.ConfirmTOTP(w.t.Context(), id, w.code(e.Secret))
	if err != nil {
		w.t.Fatal(err)
	}
	w.advance(totpStep * time.Second) // the step of the confirmation has been used
	return id, e.Secret, recovery
}

func (w *fixture) code(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.s.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

func (w *fixture) loginWith(s *Service, password, code string) error {
	_, err := s.Login(w.t.Context(), here, Credentials{Username: "alice", Password: password, Code: code})
	return err
}

func TestLoginRequiresSecondFactor(t *testing.T) {
	w := newFixture(t)
	_, secret, recovery := w.enrolled()
	wantStatus(t, "no code", w.loginWith(w.s, rightPassword, ""), 401)
	wantStatus(t, "a wrong code", w.loginWith(w.s, rightPassword, "000000"), 401)
	wantStatus(t, "a code and a wrong password", w.loginWith(w.s, otherPassword, w.code(secret)), 401)

	code := w.code(secret)
	wantStatus(t, "the code", w.loginWith(w.s, rightPassword, code), 0)
	wantStatus(t, "a used code", w.loginWith(w.s, rightPassword, code), 401)
	wantStatus(t, "a used code on another replica", w.loginWith(w.replica(), rightPassword, code), 401)
	w.advance(totpStep * time.Second)
	wantStatus(t, "the next code", w.loginWith(w.s, rightPassword, w.code(secret)), 0)
	old := w.code(secret)
	w.advance(3 * totpStep * time.Second)
	wantStatus(t, "a code of 90 seconds ago", w.loginWith(w.s, rightPassword, old), 401)

	wantStatus(t, "a recovery code in another spelling", w.loginWith(w.s, rightPassword, strings.ToUpper(strings.ReplaceAll(recovery[0], "-", " "))), 0)
	wantStatus(t, "a used recovery code", w.loginWith(w.s, rightPassword, recovery[0]), 401)
	wantStatus(t, "another recovery code", w.loginWith(w.s, rightPassword, recovery[1]), 0)
}

func TestCodeIsValidForOneLogin(t *testing.T) {
	for _, kind := range []string{"code", "recovery code"} {
		t.Run(kind, func(t *testing.T) {
			w := newFixture(t)
			_, secret, recovery := w.enrolled()
			code := recovery[0]
			if kind == "code" {
				code = w.code(secret)
			}
			replicas := []*Service{w.s, w.replica()}
			var (
				wg sync.WaitGroup
				in atomic.Int32
			)
			for i := range 6 {
				wg.Go(func() {
					if w.loginWith(replicas[i%2], rightPassword, code) == nil {
						in.Add(1)
					}
				})
			}
			wg.Wait()
			if in.Load() != 1 {
				t.Errorf("%d logins with one %s", in.Load(), kind)
			}
		})
	}
}

func TestWrongCodesLockTheAccount(t *testing.T) {
	w := newFixture(t)
	_, secret, _ := w.enrolled()
	for range accountTries {
		wantStatus(t, "a missing code", w.loginWith(w.s, rightPassword, ""), 401) // does not reset the count
		wantStatus(t, "a wrong code", w.loginWith(w.s, rightPassword, "12345x"), 401)
	}
	wantStatus(t, "the right code after the lockout", w.loginWith(w.s, rightPassword, w.code(secret)), 429)
}

func TestEnrolment(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	id := w.identity(w.s, w.login(w.s, "alice"))
	_, err := w.s.ConfirmTOTP(t.Context(), id, "123456")
	wantStatus(t, "confirm without enrolment", err, 422)
	first, err := w.s.EnrollTOTP(t.Context(), id)
	if err != nil || !strings.HasPrefix(first.URL, "otpauth://totp/test:alice?") {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := w.s.EnrollTOTP(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "login before the confirmation", w.loginWith(w.s, rightPassword, ""), 0)
	_, err = w.s.ConfirmTOTP(t.Context(), id, w.code(first.Secret))
	wantStatus(t, "a code of a replaced enrolment", err, 422)
	codes, err := w.s.ConfirmTOTP(t.Context(), id, w.code(second.Secret))
	if err != nil || len(codes) != recoveryCount {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	_, err = w.s.EnrollTOTP(t.Context(), id)
	wantStatus(t, "enrolment over a confirmed factor", err, 409)

	var row totpRow
	w.db.Take(&row)
	if strings.Contains(row.Secret, second.Secret) {
		t.Error("the secret is stored in plain text")
	}
	again, err := w.s.RecoveryCodes(t.Context(), id)
	if err != nil || len(again) != recoveryCount {
		t.Fatal(err)
	}
	wantStatus(t, "a replaced recovery code", w.loginWith(w.s, rightPassword, codes[0]), 401)
	if err := w.s.DisableTOTP(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "disabling without a factor", w.s.DisableTOTP(t.Context(), id), 404)
	_, err = w.s.RecoveryCodes(t.Context(), id)
	wantStatus(t, "recovery codes without a factor", err, 404)
	wantStatus(t, "login afterwards", w.loginWith(w.s, rightPassword, ""), 0)
}

func TestSealedWithRemovedSecret(t *testing.T) {
	w := newFixture(t)
	sealed := w.s.seal("text")
	if text, err := w.s.unseal(sealed); text != "text" || err != nil {
		t.Fatal(text, err)
	}
	for _, bad := range []string{"", "x", sealed + "A", "ff" + sealed, sealed[:len(sealed)-2]} {
		if text, err := w.s.unseal(bad); err == nil {
			t.Errorf("unseal(%q) returned %q", bad, text)
		}
	}
}
