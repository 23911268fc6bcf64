package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/db"
)

// A name or an address is the same in every spelling: for logins, lockouts and mails,
// and when another user wants it.
func TestNamesAreEqualInEverySpelling(t *testing.T) {
	w := newFixture(t)
	jörg := w.user("Jörg Weiß")
	ways := []string{"Jörg Weiß", "JÖRG WEISS", "jo\u0308rg weiß", "ＪÖrg Ｗeiß", "Jörg Weiß ", "jörg\u00a0weiẞ"}
	for _, name := range ways {
		w.login(w.s, name)
		user, err := w.s.findFold(t.Context(), "email", name+"@Example.COM")
		if err != nil || user.ID != jörg.ID && name != "Jörg Weiß " {
			t.Errorf("the address of %q: %+v, %v", name, user, err)
		}
		err = w.db.Create(&userRow{Username: name, Email: fmt.Sprintf("%x@example.com", name), Role: "user"}).Error
		if name != "Jörg Weiß " { // rejected by the API
			wantStatus(t, "another "+name, err, 409)
		}
	}
	for i := range accountTries {
		w.failLogins(w.s, ways[i%len(ways)], 1)
	}
	for _, name := range ways {
		_, err := w.s.Login(t.Context(), here, Credentials{Username: name, Password: rightPassword})
		wantStatus(t, "locked "+name, err, 429)
	}
	for i := range accountTries { // a name without an account has a single lockout too
		w.failLogins(w.s, []string{"Ｎｏｂｏｄｙ", "nobody ", "NOBODY"}[i%3], 1)
	}
	_, err := w.s.Login(t.Context(), here, Credentials{Username: "nobody", Password: rightPassword})
	wantStatus(t, "locked nobody", err, 429)
}

// Users of an older version keep their names. If the names of two of them have become
// equal, the migration reports it and changes nothing until one is renamed.
func TestUsersOfOlderVersion(t *testing.T) {
	w := newFixture(t)
	list := append([]db.Migration{users()}, Migrations()...)
	folded := slices.IndexFunc(list, func(m db.Migration) bool { return strings.HasSuffix(m.ID, "_fold_usernames") })
	_, err := db.Rollback(t.Context(), w.db, list, len(list)-folded) // before the folded columns
	if err == nil {                                                  // keep the other tables
		unfolded := slices.DeleteFunc(slices.Clone(list), func(m db.Migration) bool { return strings.Contains(m.ID, "_fold_") })
		_, err = db.Migrate(t.Context(), w.db, unfolded)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.user("Straße")
	w.login(w.s, "straße") // compared by the database's own collation
	if w.db.Name() != "mysql" {
		w.user("STRASSE")
		if _, err := db.Migrate(t.Context(), w.db, list); err == nil {
			t.Fatal("two users have the same name")
		}
		w.login(w.s, "STRASSE")
		w.db.Exec("UPDATE users SET username = 'other', email = 'other@example.com' WHERE username = 'STRASSE'")
	}
	if _, err := db.Migrate(t.Context(), w.db, list); err != nil {
		t.Fatal(err)
	}
	w.login(w.s, "Ｓtrasse")
	// As written by a program of the older version that is still running.
	if err := w.db.Exec("UPDATE users SET username_folded = NULL, email_folded = NULL").Error; err != nil {
		t.Fatal(err)
	}
	w.login(w.s, "Straße")
}

// Names that look like other ones are rejected, ordinary names are not.
func TestConfusableNames(t *testing.T) {
	for _, good := range []string{
		"alice", "Jörg Weiß", "o'neill-3", "Иван Петров", "Мария", "сестра", "Ελένη", "Αθηνά", "田中さん", "カタカナ", "Kim김치", "李小龙 Lee", "नमस्ते", "שלום", "محمد",
		"🙂🙂🙂", "❤\ufe0f abc", "123", "Dvořák", "Ｔａｒｏ", "Արամ", "สมชาย", "e\u0301va",
	} {
		if details := NameDetails("username", good); details != nil {
			t.Errorf("%q: %v", good, details)
		}
	}
	for bad, why := range map[string]string{
		"аlice": "mixes Cyrillic and Latin", "аӏісе": "look like Latin", "ΒΟΒ": "look like Latin", "bοb": "mixes Latin and Greek", "раура": "look like Latin",
		"a\u034flice": "invisible", "\u3164\u3164\u3164": "invisible", "ꓐꓳꓐ": "uncommon", "ᎪᎠᎷ": "uncommon", "Алиса Smith": "mixes", "日本Ж": "mixes", "かな한글": "mixes",
	} {
		details := NameDetails("user_name", bad)
		if len(details) != 1 || details[0].Rule != "confusable" || !strings.HasPrefix(details[0].Message, "User name ") || !strings.Contains(details[0].Message, why) {
			t.Errorf("%q: %v, want %q", bad, details, why)
		}
	}
	for address, good := range map[string]bool{
		"ivan@example.com": true, "ivan@пример.example": true, "иван@example.com": true, "ivan.петров@example.com": true,
		"аlice@example.com": false, "alice@ехаmple.com": false, "alice@еxample.com": false,
		"jörg@straße.de": true, "❤\U0001f98a@example.com": true, "\"a b\"@example.com": true, "e\u0301va@example.com": true,
		// Fold maps these to alice@example.com, mail servers do not.
		"alice@exam\u200bple.com": false, "al\u00adice@example.com": false, "alice@example.com\u2028": false, "a\u034flice@example.com": false,
		"❤\ufe0f@example.com": false, "ａlice@ｅxample.com": true,
	} {
		if details := AddressDetails("email", address); (details == nil) != good {
			t.Errorf("%q: %v", address, details)
		}
	}
}

func BenchmarkNameDetails(b *testing.B) {
	for _, name := range []string{"alice", "Иван Петров", "田中さん"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				NameDetails("username", name)
			}
		})
	}
}
