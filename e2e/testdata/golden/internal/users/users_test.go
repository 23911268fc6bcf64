package users

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"blog/internal/migrations"
	"blog/internal/model"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

const password = "Correct-Horse-7"

// world is the module under test with two users and an administrator.
type world struct {
	db                        *gorm.DB
	anybody, alice, bob, root *webtest.Client
	aliceID, bobID, rootID    int64
}

func start(t *testing.T) world {
	t.Helper()
	w := world{db: webtest.DB(t, migrations.All())}
	known, alice := authtest.Sign(t, w.db, authtest.Account{Username: "alice", Password: password})
	_, bob := authtest.Sign(t, w.db, authtest.Account{Username: "bob"})
	_, root := authtest.Sign(t, w.db, authtest.Account{Username: "root", Role: model.RoleAdmin})
	w.anybody = webtest.New(t, known, Module(w.db))
	as := func(token string) *webtest.Client { return w.anybody.With("Authorization", "Bearer "+token) }
	w.alice, w.bob, w.root = as(alice), as(bob), as(root)
	w.aliceID, w.bobID, w.rootID = authtest.UserID(t, w.db, "alice"), authtest.UserID(t, w.db, "bob"), authtest.UserID(t, w.db, "root")
	return w
}

func path(id int64) string { return fmt.Sprintf("/users/%d", id) }

func valid(username string) map[string]any {
	return map[string]any{"username": username, "email": username + "@example.com", "password": password}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	w := start(t)
	body := valid("carol")
	for name, value := range map[string]any{"id": 999, "role": "admin", "is_active": false, "created_at": "2001-01-01T00:00:00Z", "password_hash": "x"} {
		body[name] = value
	}
	answer := w.anybody.Post("/users", body).Expect(201)
	var user model.User
	answer.Into(&user)
	if user.ID == 999 || user.Role != model.RoleUser || !user.IsActive || user.CreatedAt.Year() == 2001 || user.Username != "carol" {
		t.Errorf("%+v", user)
	}
	if answer.Header("Location") != path(user.ID) {
		t.Errorf("Location %q", answer.Header("Location"))
	}
	if strings.Contains(string(answer.Body()), "password") || strings.Contains(string(answer.Body()), "argon2") {
		t.Errorf("the answer names the password: %s", answer.Body())
	}
	var mails []string
	w.db.Table("jobs").Where("kind = ?", "mail.welcome").Pluck("payload", &mails)
	if len(mails) != 1 || !strings.Contains(mails[0], "carol@example.com") {
		t.Errorf("welcome mails %v", mails)
	}

	// Registering an address repeatedly does not flood its mailbox.
	if err := w.db.WithContext(db.System(t.Context())).Delete(&user).Error; err != nil {
		t.Fatal(err)
	}
	again := valid("carola")
	again["email"] = "Carol@Example.com"
	w.anybody.Post("/users", again).Expect(201)
	var sent int64
	if w.db.Table("jobs").Where("kind = ?", "mail.welcome").Count(&sent); sent != 1 {
		t.Errorf("%d welcome mails to one address", sent)
	}
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	with := func(field string, value any) map[string]any {
		body := valid("carol")
		body[field] = value
		return body
	}
	for _, c := range []struct {
		body  map[string]any
		field string
		want  int
	}{
		{with("username", "ab"), "username", 422},
		{with("username", strings.Repeat("a", 51)), "username", 422},
		{with("username", " carol"), "username", 422},
		{with("username", "ca\x00rol"), "username", 422},
		{with("username", nil), "username", 422},
		{with("username", "ALICE"), "username", 409},
		{with("email", "nowhere"), "email", 422},
		{with("email", "Alice@Example.COM"), "email", 409},
		{with("password", "Sh0rt"), "password", 422},
		{with("password", "no-upper-1"), "password", 422},
		{with("password", "NO-LOWER-1"), "password", 422},
		{with("password", "No-Digit-x"), "password", 422},
		{with("password", "Password1"), "password", 422},
		{with("password", "Carol123"), "password", 422},
		{with("password", strings.Repeat("long enough ", 11)), "password", 422},
		{with("password", 12345678), "password", 422},
	} {
		answer := w.anybody.Post("/users", c.body)
		if details := answer.Expect(c.want).Details(); len(details) == 0 || details[0].Field != c.field {
			t.Errorf("%v: %s", c.body[c.field], answer.Body())
		}
	}
	// One response reports all errors.
	fields := map[string]bool{}
	for _, d := range w.anybody.Post("/users", map[string]string{"username": "ab", "email": "x", "password": "short"}).Expect(422).Details() {
		fields[d.Field] = true
	}
	if len(fields) != 3 {
		t.Errorf("wrong are %v", fields)
	}
	var n int64
	if w.db.Table("jobs").Count(&n); n != 0 {
		t.Errorf("%d mails for users who are not", n)
	}
}

// A name is taken in every spelling, and names that look like another user's are
// refused.
func TestNamesOfOnePerson(t *testing.T) {
	t.Parallel()
	w := start(t)
	register := func(username, email string) *webtest.Answer {
		return w.anybody.Post("/users", map[string]string{"username": username, "email": email, "password": password})
	}
	register("Jörg Weiß", "Jörg@Example.com").Expect(201)
	for _, name := range []string{"jörg weiß", "JÖRG WEISS", "jo\u0308rg weiß", "Ｊörg Weiß"} {
		if got := register(name, "other@example.com").Expect(409).JSON(); got["error"] != "Username taken" {
			t.Errorf("%s: %v", name, got)
		}
		w.bob.Patch(path(w.bobID), map[string]string{"username": name}).Expect(409)
	}
	for _, address := range []string{"JÖRG@example.com", "jo\u0308rg@example.com", "ｊörg@example.com"} {
		if got := register("other", address).Expect(409).JSON(); got["error"] != "Email taken" {
			t.Errorf("%s: %v", address, got)
		}
	}
	for _, name := range []string{"аlice", "аӏісе", "bοb", "jörg\u034f weiß"} {
		if got := register(name, "other@example.com").Expect(422).Details(); len(got) != 1 || got[0].Rule != "confusable" {
			t.Errorf("%q: %v", name, got)
		}
		w.bob.Patch(path(w.bobID), map[string]string{"username": name}).Expect(422)
	}
	register("other", "аlice@example.com").Expect(422)
	for _, name := range []string{"other ", "other\u00a0", "\u3000other"} {
		register(name, "other@example.com").Expect(422)
	}
	w.bob.Patch(path(w.bobID), map[string]string{"email": "аlice@example.com"}).Expect(422)
	for _, term := range []string{"JÖRG", "jo\u0308rg w", "weiss", "ＷＥＩ"} {
		if got := w.root.Get("/users?search=" + url.QueryEscape(term)).Expect(200).JSON(); got["total"] != 1.0 {
			t.Errorf("a search for %s: %v", term, got)
		}
	}
}

func TestTwentyEqualRegistrationsMakeOneUser(t *testing.T) {
	t.Parallel()
	w := start(t)
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		got = map[int]int{}
	)
	for range 20 {
		client := w.anybody.Fresh()
		wg.Go(func() {
			answer := client.Post("/users", valid("carol"))
			mu.Lock()
			defer mu.Unlock()
			got[answer.Status]++
		})
	}
	wg.Wait()
	if got[201] != 1 || got[409] != 19 {
		t.Errorf("statuses %v", got)
	}
	var n int64
	if w.db.Table("jobs").Count(&n); n != 1 {
		t.Errorf("%d welcome mails", n)
	}
}

func TestEverythingElseNeedsAToken(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.anybody.Get("/users").Expect(401)
	w.anybody.Get("/users/me").Expect(401)
	w.anybody.Get(path(w.aliceID)).Expect(401)
	w.anybody.Put(path(w.aliceID), map[string]any{}).Expect(401)
	w.anybody.Patch(path(w.aliceID), map[string]any{}).Expect(401)
	w.anybody.Delete(path(w.aliceID)).Expect(401)
	w.anybody.Post("/users/me/change-password", map[string]any{}).Expect(401)
}

func TestShow(t *testing.T) {
	t.Parallel()
	w := start(t)
	if got := w.bob.Get(path(w.aliceID)).Expect(200).JSON(); got["username"] != "alice" || got["password_hash"] != nil {
		t.Errorf("%v", got)
	}
	if got := w.bob.Get("/users/me").Expect(200).JSON(); got["username"] != "bob" {
		t.Errorf("%v", got)
	}
	for _, id := range []string{"999", "0", "-1", "abc", "99999999999999999999"} {
		w.alice.Get("/users/" + id).Expect(404)
	}
}

// TestOthersAreSeenByIDAndName tries every route that returns users.
func TestOthersAreSeenByIDAndName(t *testing.T) {
	t.Parallel()
	w := start(t)
	check := func(who string, user map[string]any, whole bool) {
		t.Helper()
		if _, shown := user["email"]; shown != whole || user["id"] == nil || user["username"] == nil || !whole && len(user) != 2 {
			t.Errorf("%s sees %v", who, user)
		}
	}
	check("bob", w.bob.Get(path(w.aliceID)).Expect(200).JSON(), false)
	check("bob", w.bob.Get(path(w.bobID)).Expect(200).JSON(), true)
	check("root", w.root.Get(path(w.aliceID)).Expect(200).JSON(), true)
	for who, client := range map[string]*webtest.Client{"bob": w.bob, "root": w.root} {
		for _, query := range []string{"?limit=100", "?cursor=", "?sort=username&cursor="} {
			var page struct{ Items []map[string]any }
			client.Get("/users" + query).Expect(200).Into(&page)
			if len(page.Items) != 3 {
				t.Errorf("%s sees %d users", who, len(page.Items))
			}
			for _, user := range page.Items {
				check(who, user, who == "root" || user["username"] == who)
			}
		}
	}
	for _, query := range []string{"?role=user", "?is_active=true", "?sort=email", "?sort=role", "?sort_by=email&cursor=", "?sort=updated_at"} {
		w.bob.Get("/users" + query).Expect(403)
		w.root.Get("/users" + query).Expect(200)
	}
	for query, want := range map[string]float64{"?search=example.com": 0, "?search=ali": 1} {
		if got := w.bob.Get("/users" + query).Expect(200).JSON(); got["total"] != want {
			t.Errorf("%s finds %v", query, got["total"])
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.db.Model(&model.User{}).Where("id = ?", w.bobID).Update("is_active", false)
	for query, want := range map[string]string{
		"":                              "root bob alice",
		"?sort=username&order=asc":      "alice bob root",
		"?sort_by=username&order=desc":  "root bob alice",
		"?search=ALI":                   "alice",
		"?search=example.com&limit=100": "root bob alice",
		"?search=%25":                   "",
		"?search=_":                     "",
		"?role=admin":                   "root",
		"?is_active=true":               "root alice",
		"?limit=1&page=2&sort=id":       "bob",
	} {
		var page struct{ Items []model.User }
		w.root.Get("/users" + query).Expect(200).Into(&page)
		var names []string
		for _, user := range page.Items {
			names = append(names, user.Username)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=101", "?page=0", "?page=x", "?sort=password_hash", "?order=up", "?role=root", "?is_active=maybe"} {
		w.root.Get("/users" + query).Expect(422)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	w := start(t)
	got := w.alice.Patch(path(w.aliceID), map[string]any{"username": "alicia", "role": "admin", "is_active": false, "id": 7, "password": "x", "email": nil}).Expect(200).JSON()
	if got["username"] != "alicia" || got["role"] != "user" || got["is_active"] != true || got["email"] != "alice@example.com" {
		t.Errorf("%v", got)
	}
	if got := w.alice.Put(path(w.aliceID), map[string]any{"username": "Alicia"}).Expect(200).JSON(); got["username"] != "Alicia" {
		t.Errorf("%v", got)
	}
	w.alice.Patch(path(w.aliceID), map[string]any{"username": "BOB"}).Expect(409)
	w.alice.Patch(path(w.aliceID), map[string]any{"username": ""}).Expect(422)
	w.alice.Patch(path(w.aliceID), map[string]any{"email": "x"}).Expect(422)
	w.alice.Patch(path(w.bobID), map[string]any{"username": "mine"}).Expect(403)
	w.alice.Patch("/users/999", map[string]any{"username": "mine"}).Expect(404)
	w.alice.Patch(path(w.aliceID), map[string]any{}).Expect(200)
	w.root.Patch(path(w.bobID), map[string]any{"role": "king"}).Expect(422)
	if got := w.root.Patch(path(w.bobID), map[string]any{"role": "guest", "username": "robert"}).Expect(200).JSON(); got["role"] != "guest" || got["username"] != "robert" {
		t.Errorf("%v", got)
	}
}

func TestNewAddressIsNotConfirmed(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.db.Exec("UPDATE users SET email_confirmed_at = created_at")
	if got := w.alice.Patch(path(w.aliceID), map[string]any{"email": "new@example.com"}).Expect(200).JSON(); got["email_confirmed_at"] != nil {
		t.Errorf("%v", got)
	}
	if got := w.alice.Get("/users/me").Expect(200).JSON(); got["email"] != "new@example.com" || got["email_confirmed_at"] != nil {
		t.Errorf("later: %v", got)
	}
}

// An address that a user has changed to but not confirmed is free for others.
func TestAnUnconfirmedChangeGivesWay(t *testing.T) {
	t.Parallel()
	w := start(t)
	service := authtest.Service(t, w.db)
	service.HoldEmails(func(*gorm.DB, string) error { return nil })
	api := webtest.New(t, web.Module{Name: "authtest", Use: []gin.HandlerFunc{service.Middleware()}}, Module(w.db))
	_, token := authtest.Sign(t, w.db, authtest.Account{Username: "mallory"})
	mallory := api.With("Authorization", "Bearer "+token)
	_, token = authtest.Sign(t, w.db, authtest.Account{Username: "dave"})
	dave := api.With("Authorization", "Bearer "+token)
	to := func(client *webtest.Client, name, email string, status int) {
		t.Helper()
		client.Patch(path(authtest.UserID(t, w.db, name)), map[string]string{"email": email}).Expect(status)
	}
	has := func(want string) {
		t.Helper()
		if got := mallory.Get("/users/me").Expect(200).JSON()["email"]; got != want {
			t.Errorf("mallory has %v, want %s", got, want)
		}
	}
	to(mallory, "mallory", "Carol@example.com", 200)
	body := valid("carol")
	body["username"] = "alice"
	api.Post("/users", body).Expect(409) // and nothing changes
	has("Carol@example.com")
	api.Post("/users", valid("carol")).Expect(201)
	has("mallory@example.com")
	to(mallory, "mallory", "carol@example.com", 409)
	to(mallory, "mallory", "dave@example.org", 200)
	to(dave, "dave", "dave@example.org", 200)
	has("mallory@example.com")
	to(mallory, "mallory", "alice@example.com", 409)
}

// TestAccountsAreChangedByPersons tries to change logins and roles with an API key,
// and long after the password was last confirmed.
func TestAccountsAreChangedByPersons(t *testing.T) {
	t.Parallel()
	w := start(t)
	keyed := func(userID int64) *webtest.Client {
		key, err := authtest.Service(t, w.db).MakeKey(t.Context(), auth.Identity{UserID: userID}, "script", []string{"write"}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return w.anybody.Fresh().With("X-API-Key", key.Key)
	}
	bobsKey, rootsKey := keyed(w.bobID), keyed(w.rootID)
	w.db.Table("auth_sessions").Where("1 = 1").Update("confirmed_at", 0)
	for name, client := range map[string]*webtest.Client{"bob, by key": bobsKey, "root, by key": rootsKey, "bob, not lately": w.bob, "root, not lately": w.root} {
		for _, body := range []map[string]any{{"email": "other@example.com"}, {"username": "robert"}, {"role": "admin"}, {"is_active": false}} {
			want := 403
			if body["username"] == nil && body["email"] == nil && strings.HasPrefix(name, "bob") {
				want = 200 // it is ignored
			}
			for _, send := range []func(string, any) *webtest.Answer{client.Patch, client.Put} {
				if got := send(path(w.bobID), body); got.Status != want {
					t.Errorf("%s: %v is answered %d, not %d", name, body, got.Status, want)
				}
			}
		}
		client.Patch(path(w.bobID), map[string]any{"username": "bob"}).Expect(200) // nothing changes
		client.Delete(path(w.bobID)).Expect(403)
	}
	if got := w.root.Get(path(w.bobID)).Expect(200).JSON(); got["role"] != "user" || got["is_active"] != true || got["username"] != "bob" {
		t.Errorf("bob is %v", got)
	}
}

func TestDeactivatedUserIsOut(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.bob.Get("/users/me").Expect(200)
	w.root.Patch(path(w.bobID), map[string]any{"is_active": false}).Expect(200)
	w.bob.Get("/users/me").Expect(401)
	w.root.Patch(path(w.bobID), map[string]any{"is_active": true}).Expect(200)
	w.bob.Get("/users/me").Expect(401) // he has to log in again
}

func TestRoleCountsAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.bob.Delete(path(w.aliceID)).Expect(403)
	w.root.Patch(path(w.bobID), map[string]any{"role": "admin"}).Expect(200)
	w.bob.Delete(path(w.aliceID)).Expect(204)
	w.root.Patch(path(w.bobID), map[string]any{"role": "user"}).Expect(200)
	w.bob.Delete(path(w.rootID)).Expect(403)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.alice.Delete(path(w.bobID)).Expect(403)
	if body := w.alice.Delete(path(w.aliceID)).Expect(204).Body(); len(body) != 0 {
		t.Errorf("body %q", body)
	}
	w.alice.Get("/users/me").Expect(401)
	w.root.Get(path(w.aliceID)).Expect(404)
	w.root.Delete(path(w.aliceID)).Expect(404)
	w.root.Delete(path(w.bobID)).Expect(204)
}

func TestLastAdministratorStays(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.root.Delete(path(w.rootID)).Expect(409)
	w.root.Patch(path(w.rootID), map[string]any{"role": "user"}).Expect(409)
	w.root.Patch(path(w.rootID), map[string]any{"is_active": false}).Expect(409)
	w.root.Patch(path(w.rootID), map[string]any{"username": "chief"}).Expect(200)
	w.root.Patch(path(w.bobID), map[string]any{"role": "admin"}).Expect(200)
	w.root.Delete(path(w.rootID)).Expect(204)
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	w := start(t)
	change := func(old, next string) *webtest.Answer {
		return w.alice.Post("/users/me/change-password", map[string]string{"old_password": old, "new_password": next})
	}
	if got := change("Wrong-Horse-7", "Different-Horse-8").Expect(400).JSON(); got["error"] != "Incorrect password" {
		t.Errorf("%v", got)
	}
	for _, weak := range []string{"short", "Password1", "alllowercase", "Alice1234"} {
		if got := change(password, weak).Expect(422).Details(); len(got) == 0 || got[0].Field != "new_password" {
			t.Errorf("%s: %v", weak, got)
		}
	}
	change("", "").Expect(422)
	if got := change("", "weak").Expect(422).Details(); got[0].Field != "old_password" || got[len(got)-1].Field != "new_password" {
		t.Errorf("not all at once: %+v", got)
	}
	if got := change(password, "Different-Horse-8").Expect(200).JSON(); got["message"] != "Password changed successfully" {
		t.Errorf("%v", got)
	}
	w.alice.Get("/users/me").Expect(200)
	change(password, "Different-Horse-9").Expect(400)
}

func TestChangePasswordOffersToRevokeKeys(t *testing.T) {
	t.Parallel()
	w := start(t)
	key, err := authtest.Service(t, w.db).MakeKey(t.Context(), auth.Identity{UserID: w.aliceID}, "script", nil, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	keyed := w.anybody.Fresh().With("X-API-Key", key.Key)
	change := map[string]any{"old_password": password, "new_password": "Different-Horse-8"}
	w.alice.Post("/users/me/change-password", change).Expect(200)
	keyed.Get("/users/me").Expect(200)
	change = map[string]any{"old_password": "Different-Horse-8", "new_password": "Different-Horse-9", "revoke_api_keys": true}
	w.alice.Post("/users/me/change-password", change).Expect(200)
	keyed.Get("/users/me").Expect(401)
}

func TestAdministratorsActInThePlaceOfUsers(t *testing.T) {
	t.Parallel()
	w := start(t)
	at := path(w.aliceID) + "/impersonate"
	w.anybody.Post(at, nil).Expect(401)
	w.bob.Post(at, nil).Expect(403)
	w.root.Post("/users/999/impersonate", nil).Expect(404)
	answer := w.root.Post(at, nil).Expect(200)
	if answer.Header("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", answer.Header("Cache-Control"))
	}
	alice := w.anybody.Fresh().With("Authorization", "Bearer "+answer.JSON()["access_token"].(string))
	if me := alice.Get("/users/me").Expect(200).JSON(); me["username"] != "alice" {
		t.Errorf("me is %v", me)
	}
	alice.Post(path(w.bobID)+"/impersonate", nil).Expect(403)
	alice.Delete(path(w.aliceID)).Expect(403) // it requires the password
	alice.Patch(path(w.aliceID), map[string]any{"email": "root@example.net"}).Expect(403)
	alice.Post("/users/me/change-password", map[string]any{"old_password": password, "new_password": "Different-Horse-8"}).Expect(403)
}

func TestAdministratorsEndSessions(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.alice.Delete(path(w.bobID) + "/sessions").Expect(403)
	w.alice.Delete(path(w.aliceID) + "/sessions").Expect(403)
	w.root.Delete("/users/999/sessions").Expect(404)
	w.root.Delete(path(w.bobID) + "/sessions").Expect(204)
	w.bob.Get("/users/me").Expect(401)
	w.alice.Get("/users/me").Expect(200)
}

// TestChangesOfAccountsAreLogged looks for the actor, the action and the user in the log.
func TestChangesOfAccountsAreLogged(t *testing.T) {
	t.Parallel()
	w := start(t)
	var log bytes.Buffer
	service, err := auth.New(authtest.Config(), w.db, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, token := authtest.Sign(t, w.db, authtest.Account{Username: "chief", Role: model.RoleAdmin})
	chief := webtest.New(t, web.Module{Name: "auth", Use: []gin.HandlerFunc{service.Middleware()}}, Module(w.db)).
		With("Authorization", "Bearer "+token)
	by := authtest.UserID(t, w.db, "chief")
	var notices []auth.Notice
	service.Notify(func(_ *gorm.DB, n auth.Notice) error { notices = append(notices, n); return nil })
	chief.Patch(path(w.aliceID), map[string]any{"email": "moved@example.com"}).Expect(200)
	if len(notices) != 1 || notices[0].Email != "alice@example.com" || notices[0].About != "moved@example.com" {
		t.Errorf("notices to the owner of a changed address: %+v", notices)
	}
	chief.Patch(path(w.aliceID), map[string]any{"email": "bob@example.com"}).Expect(409)
	log.Reset()
	chief.Patch(path(w.bobID), map[string]any{"role": "admin", "username": "Robert"}).Expect(200)
	chief.Patch(path(w.bobID), map[string]any{"role": "admin"}).Expect(200)
	chief.Delete(path(w.bobID)).Expect(204)
	for _, want := range []string{
		fmt.Sprintf(`msg=security event=account_changed user_id=%d by=%d fields="[username role]"`, w.bobID, by),
		fmt.Sprintf(`msg=security event=account_deleted user_id=%d by=%d`, w.bobID, by),
	} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("want once: %s\nin\n%s", want, log.String())
		}
	}
	if strings.Count(log.String(), "account_changed") != 1 {
		t.Errorf("what changes nothing is logged\n%s", log.String())
	}
}

func TestCreateCommand(t *testing.T) {
	t.Parallel()
	w := start(t)
	run := func(input string, args ...string) (string, error) {
		var out bytes.Buffer
		cmd := Module(w.db).Commands[0]
		err := cmd.Run(t.Context(), command.IO{Args: args, Stdin: strings.NewReader(input), Stdout: &out, Stderr: &out})
		return out.String(), err
	}
	out, err := run(password+"\n", "--username", "boss", "--email", "boss@example.com", "--admin")
	if err != nil || !strings.Contains(out, "created admin boss") {
		t.Fatalf("%s, %v", out, err)
	}
	var boss model.User
	w.db.Where("username = ?", "boss").Take(&boss)
	if boss.Role != model.RoleAdmin || !boss.IsActive || !strings.HasPrefix(boss.PasswordHash, "$argon2id$") {
		t.Errorf("%+v", boss)
	}
	for _, c := range [][]string{
		{"", "--username", "carol", "--email", "c@example.com"},
		{"weak\n", "--username", "carol", "--email", "c@example.com"},
		{password, "--username", "c", "--email", "c@example.com"},
		{password, "--username", "carol", "--email", "nowhere"},
		{password, "--username", "BOSS", "--email", "c@example.com"},
		{password, "--username", "bоss", "--email", "c@example.com"},
		{password, "--username", "carol", "--email", "c@example.com", "admin"},
		{password, "--nonsense"},
		{password},
	} {
		if out, err := run(c[0], c[1:]...); err == nil {
			t.Errorf("%v: %s", c, out)
		}
	}
	if out, _ := run(password, "--nonsense"); out != "" {
		t.Errorf("besides the error: %s", out)
	}
	_, err = run(password, "--username", "BOSS", "--email", "c@example.com")
	if err == nil || !strings.HasPrefix(err.Error(), "username taken\n") || !strings.Contains(err.Error(), "try:") || strings.Contains(err.Error(), "constraint") {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := run(password, "--username", "dave", "--email", "d@example.com"); err != nil {
		t.Errorf("a line without an end: %v", err)
	}
}
