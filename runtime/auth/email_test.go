package auth

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// changeEmail changes the address of a user, on their own behalf.
func (w *fixture) changeEmail(user account, before, after string) {
	w.t.Helper()
	w.changeEmailAs(Identity{UserID: user.ID}, user, before, after)
}

// changeEmailAs changes the address of a user on behalf of who.
func (w *fixture) changeEmailAs(who Identity, user account, before, after string) {
	w.t.Helper()
	err := w.db.WithContext(As(w.t.Context(), who)).Transaction(func(tx *gorm.DB) error {
		if err := tx.Model(&userRow{ID: user.ID}).Update("email", after).Error; err != nil {
			return err
		}
		return w.s.EmailChanged(tx, user.ID, before)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// A stolen session is not enough to take over the account by changing the address:
// until the new one is confirmed, the previous one is in effect.
func TestNewAddressTakesEffectOnceConfirmed(t *testing.T) {
	w := newFixture(t)
	var requested []string
	w.s.HoldEmails(func(_ *gorm.DB, email string) error { requested = append(requested, email); return nil })
	alice := w.user("alice")
	notices := w.notices()
	none := func(what, email string) {
		t.Helper()
		if _, ok, err := w.s.ResetLetter(t.Context(), email); ok || err != nil {
			t.Errorf("%s: a letter to %s, %v", what, email, err)
		}
	}
	w.changeEmail(alice, "alice@example.com", "mallory@example.com")
	w.changeEmail(alice, "mallory@example.com", "mallet@example.com")
	if want := []string{"email_changed>alice@example.com:mallory@example.com", "email_changed>alice@example.com:mallet@example.com"}; !slices.Equal(*notices, want) {
		t.Errorf("notices %v, want %v", *notices, want)
	}
	if want := []string{"mallory@example.com", "mallet@example.com"}; !slices.Equal(requested, want) {
		t.Errorf("asked to confirm %v, want %v", requested, want)
	}
	none("the new one", "mallet@example.com")
	none("the one between", "mallory@example.com")
	open := w.letter(confirm("mallet@example.com"))
	l := w.letter(reset("Alice@example.com"))
	if l.Email != "alice@example.com" {
		t.Errorf("the letter was sent to %s", l.Email)
	}
	wantStatus(t, "a reset by the previous address", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 0)
	wantStatus(t, "confirming the new address afterwards", w.s.ConfirmEmail(t.Context(), open.Token), 400)
	none("after it was taken back", "mallet@example.com")
	w.letter(reset("alice@example.com"))
	if _, ok, err := w.s.ConfirmLetter(t.Context(), "mallet@example.com"); ok || err != nil {
		t.Errorf("a letter to confirm the new address afterwards: %v, %v", ok, err)
	}

	w.changeEmail(alice, "alice@example.com", "alice@example.org")
	stale := w.letter(reset("alice@example.com"))
	wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("alice@example.org")).Token), 0)
	wantStatus(t, "a letter to the previous address", w.s.ResetPassword(t.Context(), stale.Token, "password", rightPassword), 400)
	none("after the confirmation", "alice@example.com")
	w.letter(reset("alice@example.org"))

	w.advance(16 * time.Minute) // reset the limit of three letters
	w.changeEmail(alice, "alice@example.org", "b@example.com")
	w.changeEmail(alice, "b@example.com", "alice@example.org")
	w.letter(reset("alice@example.org"))
	none("back again", "b@example.com")
}

func TestNewAddressWithoutConfirmation(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	notices := w.notices()
	w.changeEmail(alice, "alice@example.com", "new@example.com")
	if want := []string{"email_changed>alice@example.com:new@example.com"}; !slices.Equal(*notices, want) {
		t.Errorf("notices %v, want %v", *notices, want)
	}
	wantStatus(t, "a reset", w.s.ResetPassword(t.Context(), w.letter(reset("new@example.com")).Token, "password", otherPassword), 0)
}

// offeredReverts collects the users and addresses for which a revert is offered, and
// enables confirmation.
func (w *fixture) offeredReverts() *[]string {
	var list []string
	w.s.HoldEmails(func(*gorm.DB, string) error { return nil })
	w.s.OfferUndo(func(_ *gorm.DB, _ int64, email string) error {
		list = append(list, email)
		return nil
	})
	return &list
}

func undo(user account, email string) func(*fixture) (Letter, bool, error) {
	return func(w *fixture) (Letter, bool, error) { return w.s.UndoLetter(w.t.Context(), user.ID, email) }
}

// waysToTake tries every way in which another account can get an address, and returns
// those that succeed.
func (w *fixture) waysToTake(email string) (open []string) {
	w.t.Helper()
	other := w.userOf("other@example.com")
	defer w.db.Exec("DELETE FROM users WHERE username LIKE 'other%'")
	row := func(name, email string) userRow {
		return userRow{Username: "other " + name, Email: email, PasswordHash: "none", Role: "user", IsActive: true}
	}
	for _, email := range []string{email, strings.ToUpper(email)} {
		for name, take := range map[string]func(tx *gorm.DB) error{
			"a new row": func(tx *gorm.DB) error { r := row("new", email); return tx.Create(&r).Error },
			"several": func(tx *gorm.DB) error {
				return tx.Create([]userRow{row("first", "first@example.com"), row("second", email)}).Error
			},
			"a map": func(tx *gorm.DB) error {
				now := time.Now().UTC()
				return tx.Table("users").Create(map[string]any{
					"username": "other map", "email": email, "password_hash": "none", "role": "user", "is_active": true, "created_at": now, "updated_at": now,
				}).Error
			},
			"a change": func(tx *gorm.DB) error {
				return tx.Model(&userRow{ID: other}).Updates(map[string]any{"email": email}).Error
			},
			"a column": func(tx *gorm.DB) error { return tx.Model(&userRow{ID: other}).UpdateColumn("email", email).Error },
			"a row that is saved": func(tx *gorm.DB) error {
				r := row("saved", email)
				r.ID = other
				return tx.Save(&r).Error
			},
			"another model": func(tx *gorm.DB) error {
				return tx.Model(&account{}).Where("id = ?", other).Update("email", email).Error
			},
			"a table": func(tx *gorm.DB) error { return tx.Table("users").Where("id = ?", other).Update("email", email).Error },
		} {
			for where, do := range map[string]func(func(*gorm.DB) error) error{
				"":                  func(take func(*gorm.DB) error) error { return take(w.db.WithContext(w.t.Context())) },
				" in a transaction": func(take func(*gorm.DB) error) error { return w.db.Transaction(take) },
			} {
				before, after := w.rows(), 0
				err := do(take)
				named := name == "a map" || name == "a table" || err != nil && strings.Contains(err.Error(), "Email taken") // no model is known
				if after = w.rows(); status(err) != 409 || !named || after != before {
					open = append(open, name+where)
				}
			}
		}
	}
	return open
}

func (w *fixture) userOf(email string) int64 {
	w.t.Helper()
	row := userRow{Username: "other", Email: email, PasswordHash: "none", Role: "user", IsActive: true}
	if err := w.db.Create(&row).Error; err != nil {
		w.t.Fatal(err)
	}
	return row.ID
}

// rows returns the number of users.
func (w *fixture) rows() int {
	var n int64
	w.db.Table("users").Count(&n)
	return int(n)
}

// An address is reserved while its account can revert to it, so that whoever stole a
// session cannot lock out the owner by registering it.
func TestRevertibleAddressIsReserved(t *testing.T) {
	w := newFixture(t)
	offered := w.offeredReverts()
	alice := w.user("alice")
	w.set(alice, "email_confirmed_at", w.now)
	is := func(what string, want ...string) {
		t.Helper()
		if open := w.waysToTake("alice@example.com"); len(open) > 0 {
			t.Errorf("%s: available by %v", what, open)
		}
		if !slices.Equal(*offered, want) {
			t.Errorf("%s: offered reverts %v, want %v", what, *offered, want)
		}
	}
	is("before")
	w.changeEmail(alice, "alice@example.com", "mallory@example.com")
	w.changeEmail(alice, "mallory@example.com", "mallet@example.com")
	is("a change that is not confirmed")
	wantStatus(t, "a reset by the previous address", w.s.ResetPassword(t.Context(), w.letter(reset("alice@example.com")).Token, "password", otherPassword), 0)
	var now userRow
	if w.db.Take(&now, alice.ID); now.Email != "alice@example.com" || now.EmailConfirmedAt == nil {
		t.Errorf("the address is %s, confirmed %v", now.Email, now.EmailConfirmedAt)
	}
	w.changeEmail(alice, "alice@example.com", "mallory@example.com")
	wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("mallory@example.com")).Token), 0)
	is("a change that is confirmed", "alice@example.com")
	w.advance(undoFor - time.Minute)
	is("a week later", "alice@example.com")
	w.advance(2 * time.Minute)
	if err := w.s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.user("alice2")
	if err := w.db.Model(&userRow{}).Where("username = ?", "alice2").Update("email", "alice@example.com").Error; err != nil {
		t.Errorf("after the week: %v", err)
	}
}

func TestRevertChangeOfAddress(t *testing.T) {
	w := newFixture(t)
	offered := w.offeredReverts()
	alice := w.user("alice")
	w.set(alice, "email_confirmed_at", w.now)
	move := func(before, after string) {
		t.Helper()
		w.changeEmail(alice, before, after)
		wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm(after)).Token), 0)
	}
	move("alice@example.com", "mallory@example.com")
	l := w.letter(undo(alice, "alice@example.com"))
	if l.Email != "alice@example.com" || l.Link != "http://localhost:8000/reset-password#token="+l.Token || l.Expires.Sub(w.now).Round(time.Second) != undoFor {
		t.Errorf("%+v", l)
	}
	move("mallory@example.com", "mallet@example.com")
	later := w.letter(undo(alice, "mallory@example.com"))
	if want := []string{"alice@example.com", "mallory@example.com"}; !slices.Equal(*offered, want) {
		t.Errorf("offered reverts %v, want %v", *offered, want)
	}
	w.advance(6 * 24 * time.Hour)
	g := w.login(w.s, "alice")
	notices := w.notices()
	wantStatus(t, "a revert token as a confirmation", w.s.ConfirmEmail(t.Context(), l.Token), 400)
	w.endsEverywhere(g, func() error { return w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword) })
	if want := []string{"email_changed>mallet@example.com:alice@example.com", "password_changed>alice@example.com"}; !slices.Equal(*notices, want) {
		t.Errorf("notices %v, want %v", *notices, want)
	}
	var now account
	if w.db.Take(&now, alice.ID); now.Email != "alice@example.com" {
		t.Errorf("the address is %s", now.Email)
	}
	wantStatus(t, "a used letter", w.s.ResetPassword(t.Context(), l.Token, "password", rightPassword), 400)
	wantStatus(t, "the attacker's letter", w.s.ResetPassword(t.Context(), later.Token, "password", rightPassword), 400)
	for _, email := range []string{"alice@example.com", "mallory@example.com", "nobody@example.com"} {
		if _, ok, err := undo(alice, email)(w); ok || err != nil {
			t.Errorf("a letter to %s: %v, %v", email, ok, err)
		}
	}
	w.letter(reset("alice@example.com"))

	move("alice@example.com", "mallory@example.com")
	l = w.letter(undo(alice, "alice@example.com"))
	w.advance(undoFor)
	wantStatus(t, "after a week", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 400)
}

// An administrator moves an account away from a mailbox that an attacker reads: that
// mailbox cannot revert the change.
func TestChangeByAdministratorCannotBeReverted(t *testing.T) {
	w := newFixture(t)
	offered := w.offeredReverts()
	alice, root := w.user("alice"), w.user("root")
	w.set(alice, "email_confirmed_at", w.now)
	for _, who := range []Identity{{UserID: root.ID, Role: RoleAdmin}, {UserID: alice.ID, ActorID: root.ID}} {
		err := w.db.WithContext(As(t.Context(), who)).Transaction(func(tx *gorm.DB) error {
			if err := tx.Model(&account{}).Where("id = ?", alice.ID).Update("email", "new@example.com").Error; err != nil {
				return err
			}
			return w.s.EmailChanged(tx, alice.ID, "alice@example.com")
		})
		if err != nil {
			t.Fatal(err)
		}
		if open := w.waysToTake("alice@example.com"); len(open) > 0 {
			t.Errorf("before the confirmation: available by %v", open)
		}
	}
	wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("new@example.com")).Token), 0)
	if _, ok, err := undo(alice, "alice@example.com")(w); ok || err != nil || len(*offered) > 0 {
		t.Errorf("offered %v, a letter: %v, %v", *offered, ok, err)
	}
	w.user("alice2")
	if err := w.db.Model(&userRow{}).Where("username = ?", "alice2").Update("email", "alice@example.com").Error; err != nil {
		t.Errorf("the address is taken: %v", err)
	}
}

// If an administrator moves an account away from an attacker's mailbox, reverts offered
// for the attacker's earlier changes become invalid.
func TestChangeByAdministratorInvalidatesOffers(t *testing.T) {
	for _, name := range []string{"confirmed", "not confirmed"} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			offered := w.offeredReverts()
			alice, root := w.user("alice"), w.user("root")
			w.set(alice, "email_confirmed_at", w.now)
			confirmed := func(email string) {
				t.Helper()
				wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm(email)).Token), 0)
			}
			var early Letter
			w.changeEmail(alice, "alice@example.com", "mallory@example.com")
			if name == "confirmed" {
				confirmed("mallory@example.com")
				early = w.letter(undo(alice, "alice@example.com"))
			}
			*offered = nil
			w.changeEmailAs(Identity{UserID: root.ID, Role: RoleAdmin}, alice, "mallory@example.com", "rescue@example.com")
			confirmed("rescue@example.com")
			if _, ok, err := undo(alice, "alice@example.com")(w); ok || err != nil || len(*offered) > 0 {
				t.Errorf("offered %v, a letter: %v, %v", *offered, ok, err)
			}
			if early.Token != "" {
				wantStatus(t, "the earlier letter", w.s.ResetPassword(t.Context(), early.Token, "password", otherPassword), 400)
			}
			var now account
			if w.db.Take(&now, alice.ID); now.Email != "rescue@example.com" {
				t.Errorf("the address is %s", now.Email)
			}
		})
	}
}

// A revert while a further change is unconfirmed notifies the address in effect, not
// the unconfirmed one.
func TestRevertNotifiesEffectiveAddress(t *testing.T) {
	w := newFixture(t)
	w.offeredReverts()
	alice := w.user("alice")
	w.set(alice, "email_confirmed_at", w.now)
	w.changeEmail(alice, "alice@example.com", "b@example.com")
	wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("b@example.com")).Token), 0)
	l := w.letter(undo(alice, "alice@example.com"))
	w.changeEmail(alice, "b@example.com", "c@example.com")
	notices := w.notices()
	wantStatus(t, "a revert", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 0)
	if want := "email_changed>b@example.com:alice@example.com"; !slices.Contains(*notices, want) {
		t.Errorf("notices %v, want %s", *notices, want)
	}
}

// Addresses that compare equal may belong to two mailboxes: changing from one to the
// other is a change.
func TestFoldedAddressesAreDistinctMailboxes(t *testing.T) {
	w := newFixture(t)
	w.offeredReverts()
	alice := w.user("alice")
	w.set(alice, "email", "info@straße.de")
	w.set(alice, "email_confirmed_at", w.now)
	w.changeEmail(alice, "info@straße.de", "info@strasse.de")
	if l := w.letter(reset("info@straße.de")); l.Email != "info@straße.de" {
		t.Errorf("the letter was sent to %s", l.Email)
	}
}

// A provider that has verified an address vouches only for its mailbox.
func TestRecognise(t *testing.T) {
	for _, tt := range []struct {
		name, own, pending, verified string
		status                       int
		as                           string // "" for a new account
	}{
		{"the address of an account", "ann@example.com", "", "Ann@example.com", 0, "ann"},
		{"an address that folds to it", "ann@straße.de", "", "ann@strasse.de", 409, ""},
		{"the unconfirmed new address of another account", "ann@example.com", "bob@example.com", "bob@example.com", 0, ""},
		{"the previous address until the change is confirmed", "ann@example.com", "bob@example.com", "ann@example.com", 409, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newFixture(t)
			w.offeredReverts()
			ann := w.user("ann")
			w.set(ann, "email", tt.own)
			w.set(ann, "email_confirmed_at", w.now)
			if tt.pending != "" {
				w.changeEmail(ann, tt.own, tt.pending)
			}
			p := Person{Issuer: "https://id.example.com", Subject: "1", Email: tt.verified, EmailVerified: true}
			id, err := w.s.Recognise(t.Context(), p, func(tx *gorm.DB) (int64, error) {
				row := userRow{Username: "new", Email: tt.verified, PasswordHash: "none", Role: "user", IsActive: true}
				err := tx.Create(&row).Error
				return row.ID, err
			})
			if status(err) != tt.status {
				t.Fatalf("%v, want %d", err, tt.status)
			}
			if err == nil && (id == ann.ID) != (tt.as == "ann") {
				t.Errorf("user is %d", id)
			}
		})
	}
}

// Correcting a mistyped address offers the account to no one else: an address that was
// never confirmed and is at most a day old cannot be reverted to.
func TestMistypedAddress(t *testing.T) {
	for _, tt := range []struct {
		name         string
		confirmed    bool
		after        time.Duration
		confirmFirst bool // the new address takes effect once confirmed
		kept         bool
	}{
		{"within the day", false, 23 * time.Hour, true, false},
		{"within the day, confirmed", true, time.Hour, true, true},
		{"after a day", false, 25 * time.Hour, true, true},
		{"within the day, without confirmation", false, 23 * time.Hour, false, false},
		{"after a day, without confirmation", false, 25 * time.Hour, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newFixture(t)
			offered := w.offeredReverts()
			if !tt.confirmFirst {
				w.s.HoldEmails(nil)
			}
			alice := w.user("alice")
			if tt.confirmed {
				w.set(alice, "email_confirmed_at", w.now)
			}
			w.advance(tt.after)
			w.changeEmail(alice, "alice@example.com", "right@example.com")
			var row userRow
			if w.db.Take(&row, alice.ID); row.EmailConfirmedAt != nil {
				t.Error("the new address is confirmed")
			}
			if tt.confirmFirst {
				w.letter(reset("alice@example.com")) // it counts until then
				wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("right@example.com")).Token), 0)
			}
			_, letter, err := undo(alice, "alice@example.com")(w)
			if err != nil || letter != tt.kept || (len(*offered) > 0) != tt.kept {
				t.Errorf("offered %v, a letter: %v, %v", *offered, letter, err)
			}
			if open := w.waysToTake("alice@example.com"); (len(open) == 0) != tt.kept {
				t.Errorf("the address is available by %v", open)
			}
		})
	}

	// If a new address takes effect immediately, one that a thief had briefly does not
	// become theirs.
	w := newFixture(t)
	offered := w.offeredReverts()
	w.s.HoldEmails(nil)
	alice := w.user("alice")
	w.advance(48 * time.Hour)
	w.changeEmail(alice, "alice@example.com", "mallory@example.com")
	w.changeEmail(alice, "mallory@example.com", "mallet@example.com")
	if want := []string{"alice@example.com"}; !slices.Equal(*offered, want) {
		t.Errorf("offered reverts %v, want %v", *offered, want)
	}
}

// A change that cannot be reverted is corrected by another change, which offers no
// revert either: neither to the address in between, which was never the user's, nor to
// the first one.
func TestCorrectionOffersNoRevert(t *testing.T) {
	const first, typo, right = "alice@example.com", "alcie@example.com", "alice@example.org"
	for _, tt := range []struct {
		name         string
		confirmFirst bool // a new address takes effect once confirmed
		confirmed    bool
		old          time.Duration // age of the account at the first change, by an administrator or the user
		admin        bool
		after        time.Duration // time until the correction
		back         bool          // to the first address; a day later an attacker moves it
		want         []string
	}{
		{"by an administrator", false, true, 48 * time.Hour, true, time.Minute, false, nil},
		{"by an administrator, with confirmation", true, true, 48 * time.Hour, true, time.Minute, false, nil},
		{"within the first day", false, false, 23 * time.Hour, false, 2 * time.Hour, false, nil},
		{"within the first day, with confirmation", true, false, time.Hour, false, 24 * time.Hour, false, nil},
		{"by an administrator, changed back", true, true, 48 * time.Hour, true, time.Minute, true, []string{first}},
		{"by an administrator, a day before the correction", false, true, 48 * time.Hour, true, 25 * time.Hour, false, []string{typo}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newFixture(t)
			offered, notices := w.offeredReverts(), w.notices()
			if !tt.confirmFirst {
				w.s.HoldEmails(nil)
			}
			alice := w.user("alice")
			if tt.confirmed {
				w.set(alice, "email_confirmed_at", w.now)
			}
			w.advance(tt.old)
			if tt.admin {
				w.changeEmailAs(Identity{UserID: w.user("root").ID, Role: RoleAdmin}, alice, first, typo)
			} else {
				w.changeEmail(alice, first, typo)
			}
			w.advance(tt.after)
			if tt.back {
				w.changeEmail(alice, typo, first)
				if want := "email_changed>" + first + ":" + first; (*notices)[len(*notices)-1] != want {
					t.Errorf("notices %v, want %s", *notices, want)
				}
				w.advance(25 * time.Hour)
				w.changeEmail(alice, first, right)
			} else {
				w.changeEmail(alice, typo, right)
			}
			if tt.confirmFirst {
				wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm(right)).Token), 0)
			}
			if !slices.Equal(*offered, tt.want) {
				t.Errorf("offered reverts %v, want %v", *offered, tt.want)
			}
			for _, email := range []string{first, typo} {
				_, letter, err := undo(alice, email)(w)
				if want := slices.Contains(tt.want, email); err != nil || letter != want {
					t.Errorf("a letter to %s: %v, %v", email, letter, err)
				}
			}
		})
	}
}

// An address that another account has changed to without confirming it is released to
// the next user; one that was confirmed or registered is not.
func TestReleaseEmail(t *testing.T) {
	const own, claimed = "mallory@example.com", "Victim@example.com"
	for _, tt := range []struct {
		name     string
		as       func(w *fixture, mallory account)
		by       string // who takes the address: a new user, or mallory
		released bool
	}{
		{"a change", func(w *fixture, m account) { w.changeEmail(m, own, claimed) }, "", true},
		{"the second of two changes", func(w *fixture, m account) {
			w.changeEmail(m, own, "other@example.com")
			w.changeEmail(m, "other@example.com", claimed)
		}, "", true},
		{"by mallory", func(w *fixture, m account) { w.changeEmail(m, own, claimed) }, "mallory", false},
		{"a change that was confirmed", func(w *fixture, m account) {
			w.changeEmail(m, own, claimed)
			wantStatus(w.t, "a confirmation", w.s.ConfirmEmail(w.t.Context(), w.letter(confirm(claimed)).Token), 0)
		}, "", false},
		{"a registration", func(w *fixture, m account) { w.set(m, "email", claimed) }, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newFixture(t)
			w.offeredReverts()
			mallory, by := w.user("mallory"), int64(0)
			w.set(mallory, "email_confirmed_at", w.now)
			tt.as(w, mallory)
			if tt.by != "" {
				by = mallory.ID
			}
			var open Letter
			if tt.released {
				open = w.letter(confirm(claimed))
			}
			notices := w.notices()
			if err := w.s.ReleaseEmail(w.db.WithContext(t.Context()), by, "victim@EXAMPLE.com"); err != nil {
				t.Fatal(err)
			}
			var row userRow
			w.db.Take(&row, mallory.ID)
			if released := row.Email == own; released != tt.released || w.events("email_released") > 0 != tt.released {
				t.Fatalf("mallory has %s", row.Email)
			}
			if !tt.released {
				return
			}
			if want := []string{"email_changed>" + own + ":" + own}; !slices.Equal(*notices, want) {
				t.Errorf("notices %v, want %v", *notices, want)
			}
			wantStatus(t, "an earlier confirmation", w.s.ConfirmEmail(t.Context(), open.Token), 400)
			w.letter(reset(own))
			if len(w.waysToTake(claimed)) == 0 {
				t.Error("the address is not available")
			}
			if open := w.waysToTake(own); len(open) > 0 {
				t.Errorf("mallory's address is available by %v", open)
			}
		})
	}
}

// Registering an address at the moment its user changes away from it fails.
func TestRegistrationRacesWithChangeOfAddress(t *testing.T) {
	w := newFixture(t)
	w.offeredReverts()
	alice := w.user("alice")
	w.set(alice, "email_confirmed_at", w.now)
	for range 20 {
		var wg sync.WaitGroup
		wg.Go(func() { w.changeEmail(alice, "alice@example.com", "mallory@example.com") })
		var err error
		wg.Go(func() {
			row := userRow{Username: "other", Email: "alice@example.com", PasswordHash: "none", Role: "user", IsActive: true}
			for range 5 {
				if err = w.db.Create(&row).Error; err == nil {
					break
				}
			}
		})
		wg.Wait()
		if err == nil {
			t.Fatal("the address was registered")
		}
		w.changeEmail(alice, "mallory@example.com", "alice@example.com")
	}
	var n int64
	if db.WhereFold(w.db.Model(&account{}), "email", "alice@example.com").Count(&n); n != 1 {
		t.Errorf("%d accounts have the address", n)
	}
}
