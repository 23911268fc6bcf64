package auth

import (
	"fmt"
	"testing"

	"github.com/nexios-go/nexios/runtime/db"
)

// However a name or an address is written, it is one person's: at the login,
// for the lock and the mails, and where another wants it.
func TestNamesAreEqualHoweverTheyAreWritten(t *testing.T) {
	w := newWorld(t)
	jörg := w.user("Jörg Weiß")
	ways := []string{"Jörg Weiß", "JÖRG WEISS", "jo\u0308rg weiß", "ＪÖrg Ｗeiß", "Jörg Weiß ", "jörg\u00a0weiẞ"}
	for _, name := range ways {
		w.login(w.s, name)
		user, err := w.s.findFold(t.Context(), "email", name+"@Example.COM")
		if err != nil || user.ID != jörg.ID && name != "Jörg Weiß " {
			t.Errorf("the address of %q: %+v, %v", name, user, err)
		}
		err = w.db.Create(&userRow{Username: name, Email: fmt.Sprintf("%x@example.com", name), Role: "user"}).Error
		if name != "Jörg Weiß " { // which the API does not take
			wantStatus(t, "another "+name, err, 409)
		}
	}
	for i := range accountTries {
		w.wrong(w.s, ways[i%len(ways)], 1)
	}
	for _, name := range ways {
		_, err := w.s.Login(t.Context(), here, Credentials{Username: name, Password: rightPassword})
		wantStatus(t, "locked "+name, err, 429)
	}
	for i := range accountTries { // nor is there another for a name that nobody has
		w.wrong(w.s, []string{"Ｎｏｂｏｄｙ", "nobody ", "NOBODY"}[i%3], 1)
	}
	_, err := w.s.Login(t.Context(), here, Credentials{Username: "nobody", Password: rightPassword})
	wantStatus(t, "locked nobody", err, 429)
}

// Users of an older version keep their names. Two whose names are one now are
// told, and nothing is done before one has another.
func TestUsersOfAnOlderVersion(t *testing.T) {
	w := newWorld(t)
	list := append([]db.Migration{users()}, Migrations()...)
	_, err := db.Rollback(t.Context(), w.db, list, 2)
	if err != nil {
		t.Fatal(err)
	}
	w.user("Straße")
	w.login(w.s, "straße") // still by the database's own comparison
	if w.db.Name() != "mysql" {
		w.user("STRASSE")
		if _, err := db.Migrate(t.Context(), w.db, list); err == nil {
			t.Fatal("two users have one name")
		}
		w.login(w.s, "STRASSE")
		w.db.Exec("UPDATE users SET username = 'other', email = 'other@example.com' WHERE username = 'STRASSE'")
	}
	if _, err := db.Migrate(t.Context(), w.db, list); err != nil {
		t.Fatal(err)
	}
	w.login(w.s, "Ｓtrasse")
}
