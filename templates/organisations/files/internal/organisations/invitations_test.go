package organisations

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/templates/organisations/files/internal/model"
)

// invite invites a user to acme as a member.
func (w world) invite(by, email string) int64 {
	var made model.Invitation
	w.as[by].Post(w.path("invitations"), map[string]string{"email": email, "role": "member"}).Expect(201).Into(&made)
	return made.ID
}

var tokenInMail = regexp.MustCompile(`https://app\.example\.com/accept-invitation#token=([A-Z2-7]{52})`)

// token waits for the mail of the invitation and returns the token in it.
func (w world) token(t *testing.T, invitation int64) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var row model.Invitation
		w.db.Where("id = ? AND sent_at IS NOT NULL", invitation).Limit(1).Find(&row)
		if row.ID == 0 {
			continue
		}
		files, err := filepath.Glob(filepath.Join(w.dir, "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.NewReplacer("=\r\n", "", "=\n", "", "=3D", "=").Replace(string(raw))
			if found := tokenInMail.FindStringSubmatch(text); found != nil && digest(found[1]) == row.TokenHash {
				return found[1]
			}
		}
	}
	t.Fatalf("no mail of invitation %d", invitation)
	return ""
}

// mailed reports whether a mail contains the text.
func (w world) mailed(t *testing.T, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		raw, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(raw), text)
	})
}

func accepting(token string) map[string]string { return map[string]string{"token": token} }

func TestInvite(t *testing.T) {
	t.Parallel()
	w := start(t)
	invitation := w.invite("adam", "Oscar@Example.com")
	token := w.token(t, invitation)
	if !w.mailed(t, "To: <Oscar@Example.com>") {
		t.Error("the mail does not go to the address as it was written")
	}
	var payloads []string
	w.db.Table("jobs").Pluck("payload", &payloads)
	if strings.Contains(strings.Join(payloads, " "), token) {
		t.Error("a job holds the token")
	}
	list := w.as["olga"].Get(w.path("invitations")).Expect(200)
	if text := string(list.Body()); strings.Contains(text, token) || strings.Contains(text, digest(token)) || !strings.Contains(text, "Oscar@Example.com") {
		t.Errorf("%s", text)
	}

	w.as["nobody"].Post("/invitations/accept", accepting(token)).Expect(401)
	w.as["root"].Post("/invitations/accept", accepting(token)).Expect(403) // not to their address
	w.as["oscar"].Post("/invitations/accept", accepting("x")).Expect(400)
	w.as["oscar"].Post("/invitations/accept", accepting("")).Expect(422)
	if got := w.as["oscar"].Post("/invitations/accept", accepting(token)).Expect(200).JSON(); got["name"] != "Acme" || got["role"] != "member" {
		t.Errorf("%v", got)
	}
	w.as["oscar"].Post("/invitations/accept", accepting(token)).Expect(400)
	w.as["oscar"].Get(w.path("members")).Expect(200)
	w.as["adam"].Delete(w.path("invitations", invitation)).Expect(404)
	if !strings.Contains(w.log.String(), "event=invitation_accepted") {
		t.Errorf("it is not logged\n%s", w.log)
	}
}

func TestInvitationsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, body := range []map[string]any{
		{"email": "a@example.com"},
		{"role": "member"},
		{"email": "nowhere", "role": "member"},
		{"email": "a@example.com\nBcc: b@example.com", "role": "member"},
		{"email": "a@example.com", "role": "owner"}, // a member is promoted instead
	} {
		w.as["olga"].Post(w.path("invitations"), body).Expect(422)
	}
	for i := range perAddress {
		w.invite("olga", []string{"straße@example.com", "Straße@example.com", "STRASSE@example.com"}[i%3])
	}
	answer := w.as["olga"].Post(w.path("invitations"), map[string]string{"email": "Strasse@Example.com", "role": "member"}).Expect(429)
	if answer.Header("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.invite("adam", "STRAẞE@example.com")
	if got := w.as["olga"].Get(w.path("invitations")).Expect(200).JSON(); got["total"] != 1.0 {
		t.Errorf("more than one invitation is open to an address: %v", got)
	}
}

// TestInvitationsEnd checks that only the latest invitation, by someone who may still
// invite, can be accepted.
func TestInvitationsEnd(t *testing.T) {
	t.Parallel()
	w := start(t)
	oscar := w.as["oscar"]
	for what, end := range map[string]func(invitation int64){
		"revoked": func(invitation int64) { w.as["olga"].Delete(w.path("invitations", invitation)).Expect(204) },
		"expired": func(invitation int64) {
			w.db.Model(&model.Invitation{}).Where("id = ?", invitation).Update("expires_at", time.Now().UTC().Add(-time.Second))
		},
		"replaced": func(int64) { w.invite("olga", "oscar@example.com") },
		"the inviter is demoted": func(int64) {
			w.as["olga"].Patch(w.path("members", w.id["adam"]), map[string]string{"role": "member"}).Expect(200)
		},
		"the inviter leaves": func(int64) { w.as["adam"].Post(w.path("leave"), nil).Expect(204) },
		"the inviter is removed": func(int64) {
			w.as["olga"].Delete(w.path("members", w.id["adam"])).Expect(204)
		},
		"the organisation is deleted": func(int64) {
			w.as["olga"].Delete(w.path()).Expect(204)
			w.acme = w.create("olga", "Acme")
		},
	} {
		w.db.Where("organisation_id = ? AND user_id = ?", w.acme, w.id["adam"]).Delete(&model.Membership{})
		w.join(t, w.acme, "adam", "admin")
		w.db.Where("1 = 1").Delete(&model.Invitation{})
		invitation := w.invite("adam", "oscar@example.com")
		token := w.token(t, invitation)
		end(invitation)
		if got := oscar.Post("/invitations/accept", accepting(token)); got.Status != 400 {
			t.Errorf("%s: %d", what, got.Status)
		}
	}
}

// TestAcceptAtOnce accepts one invitation twice at the same time.
func TestAcceptAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	token := w.token(t, w.invite("olga", "oscar@example.com"))
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		got = map[int]int{}
	)
	for range 10 {
		wg.Go(func() {
			answer := w.as["oscar"].Post("/invitations/accept", accepting(token))
			mu.Lock()
			defer mu.Unlock()
			got[answer.Status]++
		})
	}
	wg.Wait()
	if got[200] != 1 || got[400] != 9 {
		t.Errorf("statuses %v", got)
	}
}

// TestAcceptAsAMember checks that a member keeps their role.
func TestAcceptAsAMember(t *testing.T) {
	t.Parallel()
	w := start(t)
	token := w.token(t, w.invite("olga", "adam@example.com"))
	if got := w.as["adam"].Post("/invitations/accept", accepting(token)).Expect(200).JSON(); got["role"] != "admin" {
		t.Errorf("%v", got)
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	w := start(t)
	old, open := w.invite("olga", "old@example.com"), w.invite("olga", "new@example.com")
	w.db.Model(&model.Invitation{}).Where("id = ?", old).Update("expires_at", time.Now().UTC().Add(-keptFor-time.Minute))
	if err := (handler{db: w.db}).purge(t.Context(), struct{}{}); err != nil {
		t.Fatal(err)
	}
	var left []int64
	w.db.Model(&model.Invitation{}).Pluck("id", &left)
	if len(left) != 1 || left[0] != open {
		t.Errorf("left are %v", left)
	}
	_, token := authtest.Sign(t, w.db, authtest.Account{Username: "nina", Email: "New@Example.com"})
	w.as["nobody"].With("Authorization", "Bearer "+token).Post("/invitations/accept", accepting(w.token(t, open))).Expect(200)
}
