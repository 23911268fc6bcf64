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

// moves changes the address of a user, who does it themselves.
func (w *world) moves(user account, before, after string) {
	w.t.Helper()
	w.movedBy(Identity{UserID: user.ID}, user, before, after)
}

// movedBy changes the address of a user.
func (w *world) movedBy(who Identity, user account, before, after string) {
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

// A session that was stolen does not take the account by another address: until
// that is confirmed, the one before counts.
func TestANewAddressCountsOnceItIsConfirmed(t *testing.T) {
	w := newWorld(t)
	var requested []string
	w.s.HoldEmails(func(_ *gorm.DB, email string) error { requested = append(requested, email); return nil })
	alice := w.user("alice")
	told := w.told()
	none := func(what, email string) {
		t.Helper()
		if _, ok, err := w.s.ResetLetter(t.Context(), email); ok || err != nil {
			t.Errorf("%s: a letter to %s, %v", what, email, err)
		}
	}
	w.moves(alice, "alice@example.com", "mallory@example.com")
	w.moves(alice, "mallory@example.com", "mallet@example.com")
	if want := []string{"email_changed>alice@example.com:mallory@example.com", "email_changed>alice@example.com:mallet@example.com"}; !slices.Equal(*told, want) {
		t.Errorf("told %v, want %v", *told, want)
	}
	if want := []string{"mallory@example.com", "mallet@example.com"}; !slices.Equal(requested, want) {
		t.Errorf("asked to confirm %v, want %v", requested, want)
	}
	none("the new one", "mallet@example.com")
	none("the one between", "mallory@example.com")
	open := w.letter(confirm("mallet@example.com"))
	l := w.letter(reset("Alice@example.com"))
	if l.Email != "alice@example.com" {
		t.Errorf("the letter goes to %s", l.Email)
	}
	wantStatus(t, "a reset by the one before", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 0)
	wantStatus(t, "confirming the new one then", w.s.ConfirmEmail(t.Context(), open.Token), 400)
	none("after it was taken back", "mallet@example.com")
	w.letter(reset("alice@example.com"))
	if _, ok, err := w.s.ConfirmLetter(t.Context(), "mallet@example.com"); ok || err != nil {
		t.Errorf("a confirmation of the new one then: %v, %v", ok, err)
	}

	w.moves(alice, "alice@example.com", "alice@example.org")
	stale := w.letter(reset("alice@example.com"))
	wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("alice@example.org")).Token), 0)
	wantStatus(t, "a letter to the one before", w.s.ResetPassword(t.Context(), stale.Token, "password", rightPassword), 400)
	none("after the confirmation", "alice@example.com")
	w.letter(reset("alice@example.org"))

	w.pass(16 * time.Minute) // there were three letters
	w.moves(alice, "alice@example.org", "b@example.com")
	w.moves(alice, "b@example.com", "alice@example.org")
	w.letter(reset("alice@example.org"))
	none("back again", "b@example.com")
}

func TestAnAddressCountsAtOnceWhereNoneIsConfirmed(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	told := w.told()
	w.moves(alice, "alice@example.com", "new@example.com")
	if want := []string{"email_changed>alice@example.com:new@example.com"}; !slices.Equal(*told, want) {
		t.Errorf("told %v, want %v", *told, want)
	}
	wantStatus(t, "a reset", w.s.ResetPassword(t.Context(), w.letter(reset("new@example.com")).Token, "password", otherPassword), 0)
}

// offers collects to whom it is offered to undo a change of address, and has addresses
// confirmed.
func (w *world) offers() *[]string {
	var list []string
	w.s.HoldEmails(func(*gorm.DB, string) error { return nil })
	w.s.OfferUndo(func(_ *gorm.DB, _ int64, email string) error {
		list = append(list, email)
		return nil
	})
	return &list
}

func undo(user account, email string) func(*world) (Letter, bool, error) {
	return func(w *world) (Letter, bool, error) { return w.s.UndoLetter(w.t.Context(), user.ID, email) }
}

// taken tries every way on which an address can become another account's, and says
// which were open.
func (w *world) taken(email string) (open []string) {
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
				named := name == "a map" || name == "a table" || err != nil && strings.Contains(err.Error(), "Email taken") // of what no model is known
				if after = w.rows(); status(err) != 409 || !named || after != before {
					open = append(open, name+where)
				}
			}
		}
	}
	return open
}

func (w *world) userOf(email string) int64 {
	w.t.Helper()
	row := userRow{Username: "other", Email: email, PasswordHash: "none", Role: "user", IsActive: true}
	if err := w.db.Create(&row).Error; err != nil {
		w.t.Fatal(err)
	}
	return row.ID
}

// rows is how many users there are.
func (w *world) rows() int {
	var n int64
	w.db.Table("users").Count(&n)
	return int(n)
}

// An address is nobody else's while its account can take it back, so that whoever stole
// a session cannot keep the owner out by registering it.
func TestAnAddressThatCanBeTakenBackIsTaken(t *testing.T) {
	w := newWorld(t)
	offered := w.offers()
	alice := w.user("alice")
	w.set(alice, "email_confirmed_at", w.now)
	is := func(what string, want ...string) {
		t.Helper()
		if open := w.taken("alice@example.com"); len(open) > 0 {
			t.Errorf("%s: open to %v", what, open)
		}
		if !slices.Equal(*offered, want) {
			t.Errorf("%s: offered to undo %v, want %v", what, *offered, want)
		}
	}
	is("before")
	w.moves(alice, "alice@example.com", "mallory@example.com")
	w.moves(alice, "mallory@example.com", "mallet@example.com")
	is("a change that is not confirmed")
	wantStatus(t, "a reset by the one before", w.s.ResetPassword(t.Context(), w.letter(reset("alice@example.com")).Token, "password", otherPassword), 0)
	var now userRow
	if w.db.Take(&now, alice.ID); now.Email != "alice@example.com" || now.EmailConfirmedAt == nil {
		t.Errorf("the address is %s, confirmed %v", now.Email, now.EmailConfirmedAt)
	}
	w.moves(alice, "alice@example.com", "mallory@example.com")
	wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("mallory@example.com")).Token), 0)
	is("a change that is confirmed", "alice@example.com")
	w.pass(undoFor - time.Minute)
	is("a week later", "alice@example.com")
	w.pass(2 * time.Minute)
	if err := w.s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.user("alice2")
	if err := w.db.Model(&userRow{}).Where("username = ?", "alice2").Update("email", "alice@example.com").Error; err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestUndoingAChangeOfAddress(t *testing.T) {
	w := newWorld(t)
	offered := w.offers()
	alice := w.user("alice")
	w.set(alice, "email_confirmed_at", w.now)
	move := func(before, after string) {
		t.Helper()
		w.moves(alice, before, after)
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
		t.Errorf("offered to undo %v, want %v", *offered, want)
	}
	w.pass(6 * 24 * time.Hour)
	g := w.login(w.s, "alice")
	told := w.told()
	wantStatus(t, "as a confirmation", w.s.ConfirmEmail(t.Context(), l.Token), 400)
	w.endsEverywhere(g, func() error { return w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword) })
	if want := []string{"email_changed>mallet@example.com:alice@example.com", "password_changed>alice@example.com"}; !slices.Equal(*told, want) {
		t.Errorf("told %v, want %v", *told, want)
	}
	var now account
	if w.db.Take(&now, alice.ID); now.Email != "alice@example.com" {
		t.Errorf("the address is %s", now.Email)
	}
	wantStatus(t, "the letter again", w.s.ResetPassword(t.Context(), l.Token, "password", rightPassword), 400)
	wantStatus(t, "the letter of who had changed it", w.s.ResetPassword(t.Context(), later.Token, "password", rightPassword), 400)
	for _, email := range []string{"alice@example.com", "mallory@example.com", "nobody@example.com"} {
		if _, ok, err := undo(alice, email)(w); ok || err != nil {
			t.Errorf("a letter to %s: %v, %v", email, ok, err)
		}
	}
	w.letter(reset("alice@example.com"))

	move("alice@example.com", "mallory@example.com")
	l = w.letter(undo(alice, "alice@example.com"))
	w.pass(undoFor)
	wantStatus(t, "after a week", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 400)
}

// Away from a mailbox that somebody else reads an administrator helps: what they change
// is not undone from there.
func TestAChangeByAnAdministratorIsNotUndone(t *testing.T) {
	w := newWorld(t)
	offered := w.offers()
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
		if open := w.taken("alice@example.com"); len(open) > 0 {
			t.Errorf("before it is confirmed: open to %v", open)
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

// Who reads a mailbox from which an administrator moves an account may have changed the
// address before: what that offered them ends.
func TestAChangeByAnAdministratorEndsWhatWasOffered(t *testing.T) {
	for _, name := range []string{"confirmed", "not confirmed"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			offered := w.offers()
			alice, root := w.user("alice"), w.user("root")
			w.set(alice, "email_confirmed_at", w.now)
			confirmed := func(email string) {
				t.Helper()
				wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm(email)).Token), 0)
			}
			var early Letter
			w.moves(alice, "alice@example.com", "mallory@example.com")
			if name == "confirmed" {
				confirmed("mallory@example.com")
				early = w.letter(undo(alice, "alice@example.com"))
			}
			*offered = nil
			w.movedBy(Identity{UserID: root.ID, Role: RoleAdmin}, alice, "mallory@example.com", "rescue@example.com")
			confirmed("rescue@example.com")
			if _, ok, err := undo(alice, "alice@example.com")(w); ok || err != nil || len(*offered) > 0 {
				t.Errorf("offered %v, a letter: %v, %v", *offered, ok, err)
			}
			if early.Token != "" {
				wantStatus(t, "the letter of before", w.s.ResetPassword(t.Context(), early.Token, "password", otherPassword), 400)
			}
			var now account
			if w.db.Take(&now, alice.ID); now.Email != "rescue@example.com" {
				t.Errorf("the address is %s", now.Email)
			}
		})
	}
}

// An undo while a further change is not confirmed tells the address that counted, not
// the one that nobody has confirmed.
func TestAnUndoTellsTheAddressThatCounted(t *testing.T) {
	w := newWorld(t)
	w.offers()
	alice := w.user("alice")
	w.set(alice, "email_confirmed_at", w.now)
	w.moves(alice, "alice@example.com", "b@example.com")
	wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("b@example.com")).Token), 0)
	l := w.letter(undo(alice, "alice@example.com"))
	w.moves(alice, "b@example.com", "c@example.com")
	told := w.told()
	wantStatus(t, "an undo", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 0)
	if want := "email_changed>b@example.com:alice@example.com"; !slices.Contains(*told, want) {
		t.Errorf("told %v, want %s", *told, want)
	}
}

// Addresses that compare as equal can be those of two mailboxes: to change from one to
// the other is a change.
func TestFoldedAddressesAreTwoMailboxes(t *testing.T) {
	w := newWorld(t)
	w.offers()
	alice := w.user("alice")
	w.set(alice, "email", "info@straße.de")
	w.set(alice, "email_confirmed_at", w.now)
	w.moves(alice, "info@straße.de", "info@strasse.de")
	if l := w.letter(reset("info@straße.de")); l.Email != "info@straße.de" {
		t.Errorf("the letter goes to %s", l.Email)
	}
}

// A provider that has verified an address speaks for its mailbox alone.
func TestRecognise(t *testing.T) {
	for _, tt := range []struct {
		name, own, pending, verified string
		status                       int
		as                           string // "" for a new account
	}{
		{"the address of an account", "ann@example.com", "", "Ann@example.com", 0, "ann"},
		{"one that folds to it", "ann@straße.de", "", "ann@strasse.de", 409, ""},
		{"one that somebody has changed to and not confirmed", "ann@example.com", "bob@example.com", "bob@example.com", 0, ""},
		{"one that is left until the change is confirmed", "ann@example.com", "bob@example.com", "ann@example.com", 409, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.offers()
			ann := w.user("ann")
			w.set(ann, "email", tt.own)
			w.set(ann, "email_confirmed_at", w.now)
			if tt.pending != "" {
				w.moves(ann, tt.own, tt.pending)
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
				t.Errorf("it is user %d", id)
			}
		})
	}
}

// Who mistyped their address and corrects it offers the account to nobody else: what was
// never confirmed and is a day old at most cannot be taken back.
func TestAnAddressThatWasMistyped(t *testing.T) {
	for _, tt := range []struct {
		name      string
		confirmed bool
		after     time.Duration
		held      bool // the new address counts once it is confirmed
		kept      bool
	}{
		{"within the day", false, 23 * time.Hour, true, false},
		{"within the day, confirmed", true, time.Hour, true, true},
		{"after a day", false, 25 * time.Hour, true, true},
		{"within the day, at once", false, 23 * time.Hour, false, false},
		{"after a day, at once", false, 25 * time.Hour, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			offered := w.offers()
			if !tt.held {
				w.s.HoldEmails(nil)
			}
			alice := w.user("alice")
			if tt.confirmed {
				w.set(alice, "email_confirmed_at", w.now)
			}
			w.pass(tt.after)
			w.moves(alice, "alice@example.com", "right@example.com")
			var row userRow
			if w.db.Take(&row, alice.ID); row.EmailConfirmedAt != nil {
				t.Error("the new address is confirmed")
			}
			if tt.held {
				w.letter(reset("alice@example.com")) // it counts until then
				wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("right@example.com")).Token), 0)
			}
			_, letter, err := undo(alice, "alice@example.com")(w)
			if err != nil || letter != tt.kept || (len(*offered) > 0) != tt.kept {
				t.Errorf("offered %v, a letter: %v, %v", *offered, letter, err)
			}
			if open := w.taken("alice@example.com"); (len(open) == 0) != tt.kept {
				t.Errorf("it is open to %v", open)
			}
		})
	}

	// Where an address counts at once, one that a thief had for a moment is not theirs.
	w := newWorld(t)
	offered := w.offers()
	w.s.HoldEmails(nil)
	alice := w.user("alice")
	w.pass(48 * time.Hour)
	w.moves(alice, "alice@example.com", "mallory@example.com")
	w.moves(alice, "mallory@example.com", "mallet@example.com")
	if want := []string{"alice@example.com"}; !slices.Equal(*offered, want) {
		t.Errorf("offered to undo %v, want %v", *offered, want)
	}
}

// A change that cannot be undone is corrected by another: that offers the account to nobody
// either, neither at the address between, which was never the user's, nor at the first.
func TestCorrectingAChangeOffersNothing(t *testing.T) {
	const first, typo, right = "alice@example.com", "alcie@example.com", "alice@example.org"
	for _, tt := range []struct {
		name      string
		held      bool // a new address counts once it is confirmed
		confirmed bool
		old       time.Duration // when the first change comes, by an administrator or the user
		admin     bool
		after     time.Duration // when it is corrected
		back      bool          // to the first, and a day later somebody moves it
		want      []string
	}{
		{"an administrator's", false, true, 48 * time.Hour, true, time.Minute, false, nil},
		{"an administrator's, held", true, true, 48 * time.Hour, true, time.Minute, false, nil},
		{"within the first day", false, false, 23 * time.Hour, false, 2 * time.Hour, false, nil},
		{"within the first day, held", true, false, time.Hour, false, 24 * time.Hour, false, nil},
		{"an administrator's, taken back", true, true, 48 * time.Hour, true, time.Minute, true, []string{first}},
		{"an administrator's, that the user has a day", false, true, 48 * time.Hour, true, 25 * time.Hour, false, []string{typo}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			offered, told := w.offers(), w.told()
			if !tt.held {
				w.s.HoldEmails(nil)
			}
			alice := w.user("alice")
			if tt.confirmed {
				w.set(alice, "email_confirmed_at", w.now)
			}
			w.pass(tt.old)
			if tt.admin {
				w.movedBy(Identity{UserID: w.user("root").ID, Role: RoleAdmin}, alice, first, typo)
			} else {
				w.moves(alice, first, typo)
			}
			w.pass(tt.after)
			if tt.back {
				w.moves(alice, typo, first)
				if want := "email_changed>" + first + ":" + first; (*told)[len(*told)-1] != want {
					t.Errorf("told %v, want %s", *told, want)
				}
				w.pass(25 * time.Hour)
				w.moves(alice, first, right)
			} else {
				w.moves(alice, typo, right)
			}
			if tt.held {
				wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm(right)).Token), 0)
			}
			if !slices.Equal(*offered, tt.want) {
				t.Errorf("offered to undo it to %v, want %v", *offered, tt.want)
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

// An address that somebody has changed to and not confirmed is released to whoever comes
// next; one that was confirmed or registered is not.
func TestReleaseEmail(t *testing.T) {
	const own, claimed = "mallory@example.com", "Victim@example.com"
	for _, tt := range []struct {
		name     string
		as       func(w *world, mallory account)
		by       string // who takes the address: somebody new, or mallory
		released bool
	}{
		{"a change", func(w *world, m account) { w.moves(m, own, claimed) }, "", true},
		{"the second of two changes", func(w *world, m account) {
			w.moves(m, own, "other@example.com")
			w.moves(m, "other@example.com", claimed)
		}, "", true},
		{"by mallory", func(w *world, m account) { w.moves(m, own, claimed) }, "mallory", false},
		{"a change that was confirmed", func(w *world, m account) {
			w.moves(m, own, claimed)
			wantStatus(w.t, "a confirmation", w.s.ConfirmEmail(w.t.Context(), w.letter(confirm(claimed)).Token), 0)
		}, "", false},
		{"a registration", func(w *world, m account) { w.set(m, "email", claimed) }, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.offers()
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
			told := w.told()
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
			if want := []string{"email_changed>" + own + ":" + own}; !slices.Equal(*told, want) {
				t.Errorf("told %v, want %v", *told, want)
			}
			wantStatus(t, "a confirmation that was under way", w.s.ConfirmEmail(t.Context(), open.Token), 400)
			w.letter(reset(own))
			if len(w.taken(claimed)) == 0 {
				t.Error("the address is not to be had")
			}
			if open := w.taken(own); len(open) > 0 {
				t.Errorf("mallory's is open to %v", open)
			}
		})
	}
}

// Whoever registers an address in the moment in which it is left does not get it.
func TestLeavingAndRegisteringRace(t *testing.T) {
	w := newWorld(t)
	w.offers()
	alice := w.user("alice")
	w.set(alice, "email_confirmed_at", w.now)
	for range 20 {
		var wg sync.WaitGroup
		wg.Go(func() { w.moves(alice, "alice@example.com", "mallory@example.com") })
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
			t.Fatal("registered")
		}
		w.moves(alice, "mallory@example.com", "alice@example.com")
	}
	var n int64
	if db.WhereFold(w.db.Model(&account{}), "email", "alice@example.com").Count(&n); n != 1 {
		t.Errorf("%d accounts have it", n)
	}
}
