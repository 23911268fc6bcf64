package auth

import (
	"sync"
	"testing"
	"time"
)

func (w *fixture) live(session string) int64 {
	w.t.Helper()
	var n int64
	err := w.db.Model(&refreshRow{}).Where("session_id = ? AND rotated_at = 0", session).Count(&n).Error
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestRefreshRotates(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	first := w.login(w.s, "alice")
	second, err := w.s.Refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || second.SessionID != first.SessionID {
		t.Errorf("first %+v, second %+v", first, second)
	}
	w.identity(w.s, second)
	var stored []string
	w.db.Model(&refreshRow{}).Pluck("hash", &stored)
	for _, hash := range stored {
		if hash == first.RefreshToken || hash == second.RefreshToken {
			t.Error("a refresh token is stored in plain text")
		}
	}
}

func TestInvalidRefreshTokens(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	g := w.login(w.s, "alice")
	for _, token := range []string{"", "x", g.AccessToken, secret(), digest(g.RefreshToken), g.RefreshToken + "A"} {
		_, err := w.s.Refresh(t.Context(), token)
		wantStatus(t, "refresh with "+token, err, 401)
	}
	w.set(alice, "is_active", false)
	_, err := w.s.Refresh(t.Context(), g.RefreshToken)
	wantStatus(t, "refresh of an inactive user", err, 401)
	w.set(alice, "is_active", true)

	w.advance(7*24*time.Hour + time.Second)
	_, err = w.s.Refresh(t.Context(), g.RefreshToken)
	wantStatus(t, "refresh after 7 days", err, 401)
	if n := w.live(g.SessionID); n != 1 {
		t.Errorf("%d unrotated tokens, want the expired one", n)
	}
}

func TestSessionExpiresDespiteRefreshes(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	g := w.login(w.s, "alice")
	for day := 0; day < 30; day += 5 {
		w.advance(5 * 24 * time.Hour)
		next, err := w.s.Refresh(t.Context(), g.RefreshToken)
		if day == 25 {
			wantStatus(t, "refresh after 30 days", err, 401)
			break
		}
		if err != nil {
			t.Fatalf("day %d: %v", day+5, err)
		}
		g = next
	}
}

func TestReuseEndsOnlyTheFamily(t *testing.T) {
	for name, reuse := range map[string]func(*fixture, Grant) string{
		"after the grace period": func(w *fixture, stolen Grant) string {
			_, err := w.s.Refresh(w.t.Context(), stolen.RefreshToken)
			if err != nil {
				w.t.Fatal(err)
			}
			w.advance(grace + time.Millisecond)
			return stolen.RefreshToken
		},
		"within the grace period, after the successor was used": func(w *fixture, stolen Grant) string {
			next, err := w.s.Refresh(w.t.Context(), stolen.RefreshToken)
			if err == nil {
				_, err = w.s.Refresh(w.t.Context(), next.RefreshToken)
			}
			if err != nil {
				w.t.Fatal(err)
			}
			return stolen.RefreshToken
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			w.user("alice")
			other := w.login(w.s, "alice")
			stolen := w.login(w.s, "alice")
			token := reuse(w, stolen)
			var last refreshRow
			w.db.Where("session_id = ? AND rotated_at = 0", stolen.SessionID).Take(&last)

			second := w.replica()
			w.identity(second, stolen)
			_, err := w.s.Refresh(t.Context(), token)
			wantStatus(t, "the reuse", err, 401)
			_, err = w.s.Authenticate(t.Context(), stolen.AccessToken)
			wantStatus(t, "its access token", err, 401)
			w.advance(Staleness)
			_, err = second.Authenticate(t.Context(), stolen.AccessToken)
			wantStatus(t, "its access token on another replica", err, 401)
			family, _, err := w.s.family(w.db, token)
			if err != nil || family.Hash != "" {
				t.Errorf("the family still has a live session: %v", err)
			}
			w.identity(w.s, other)
			if _, err := w.s.Refresh(t.Context(), other.RefreshToken); err != nil {
				t.Errorf("another session: %v", err)
			}
			if w.events("refresh_reuse") != 1 {
				t.Error("no security event")
			}
		})
	}
}

func TestRetryWithinGraceGetsSameSuccessor(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	g := w.login(w.s, "alice")
	first, err := w.s.Refresh(t.Context(), g.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	w.advance(grace)
	retry, err := w.replica().Refresh(t.Context(), g.RefreshToken)
	if err != nil || retry.RefreshToken != first.RefreshToken {
		t.Fatalf("retry: %v", err)
	}
	w.identity(w.s, retry)
	if n := w.live(g.SessionID); n != 1 {
		t.Errorf("%d live successors", n)
	}
}

func TestParallelRefreshesGetOneSuccessor(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	g := w.login(w.s, "alice")
	replicas := []*Service{w.s, w.replica(), w.replica()}
	var (
		wg    sync.WaitGroup
		start = make(chan struct{})
		got   [10]Grant
		errs  [10]error
	)
	for i := range got {
		wg.Go(func() {
			<-start
			got[i], errs[i] = replicas[i%len(replicas)].Refresh(t.Context(), g.RefreshToken)
		})
	}
	close(start)
	wg.Wait()
	for i := range got {
		if errs[i] != nil || got[i].RefreshToken != got[0].RefreshToken {
			t.Errorf("refresh %d: %v, same successor %v", i, errs[i], got[i].RefreshToken == got[0].RefreshToken)
			continue
		}
		w.identity(w.s, got[i])
	}
	if n := w.live(g.SessionID); n != 1 {
		t.Errorf("%d live successors, want 1", n)
	}
}

func TestRefreshAfterLogout(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	g := w.login(w.s, "alice")
	if err := w.s.Logout(t.Context(), g.RefreshToken); err != nil {
		t.Fatal(err)
	}
	_, err := w.replica().Refresh(t.Context(), g.RefreshToken)
	wantStatus(t, "refresh after logout", err, 401)
	_, err = w.s.Authenticate(t.Context(), g.AccessToken)
	wantStatus(t, "access after logout", err, 401)
}
