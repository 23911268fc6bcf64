package organisations

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/templates/organisations/files/internal/migrations"
	"github.com/nexios-go/nexios/templates/organisations/files/internal/model"
)

// world is the module under test with two organisations: acme of olga (owner), adam (admin),
// mary and mike (members), and other of oscar. root is an administrator of the
// application.
type world struct {
	db          *gorm.DB
	log         *bytes.Buffer
	notices     *notices
	dir         string // where mail is written
	as          map[string]*webtest.Client
	id          map[string]int64
	acme, other int64
}

func start(t *testing.T) world {
	t.Helper()
	w := world{
		db: webtest.DB(t, migrations.All()), log: new(bytes.Buffer), notices: new(notices), dir: t.TempDir(),
		as: map[string]*webtest.Client{}, id: map[string]int64{},
	}
	service, err := auth.New(authtest.Config(), w.db, slog.New(slog.NewTextHandler(w.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	service.Notify(w.notices.add)
	queue := jobs.New(w.db, slog.New(slog.DiscardHandler))
	nobody := webtest.New(t,
		web.Module{Name: "auth", Use: []gin.HandlerFunc{service.Middleware()}},
		Module("https://app.example.com", mail.Config{Env: "test", URL: "file:" + w.dir}, w.db, queue))
	w.as["nobody"] = nobody
	for _, name := range []string{"olga", "adam", "mary", "mike", "oscar", "root"} {
		account := authtest.Account{Username: name}
		if name == "root" {
			account.Role = auth.RoleAdmin
		}
		_, token := authtest.Sign(t, w.db, account)
		w.as[name] = nobody.Fresh().With("Authorization", "Bearer "+token)
		w.id[name] = authtest.UserID(t, w.db, name)
	}
	w.acme, w.other = w.create("olga", "Acme"), w.create("oscar", "Other")
	w.join(t, w.acme, "adam", "admin")
	w.join(t, w.acme, "mary", "member")
	w.join(t, w.acme, "mike", "member")
	work(t, queue)
	return w
}

// notices records the notices sent to users.
type notices struct {
	mu   sync.Mutex
	list []string
}

func (n *notices) add(_ *gorm.DB, notice auth.Notice) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, notice.Event+">"+notice.Email+": "+notice.About)
	return nil
}

// expect compares the recipients of the notices since the last call.
func (n *notices) expect(t *testing.T, notice string, to ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	var want []string
	for _, name := range to {
		want = append(want, "owner_added>"+name+"@example.com: "+notice)
	}
	slices.Sort(n.list)
	if !slices.Equal(n.list, want) {
		t.Errorf("notices to %q, want %q", n.list, want)
	}
	n.list = nil
}

// work runs the queue until the test ends.
func work(t *testing.T, queue *jobs.Queue) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- queue.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (w world) create(name, organisation string) int64 {
	var made model.Organisation
	w.as[name].Post("/organisations", map[string]string{"name": organisation}).Expect(201).Into(&made)
	return made.ID
}

func (w world) join(t *testing.T, organisation int64, name, role string) {
	t.Helper()
	if err := w.db.Create(&model.Membership{OrganisationID: organisation, UserID: w.id[name], Role: role}).Error; err != nil {
		t.Fatal(err)
	}
}

// role returns the role of a user in an organisation; empty for non-members.
func (w world) role(organisation int64, name string) string {
	var row model.Membership
	w.db.Where("organisation_id = ? AND user_id = ?", organisation, w.id[name]).Limit(1).Find(&row)
	return row.Role
}

func (w world) path(words ...any) string {
	path := fmt.Sprintf("/organisations/%d", w.acme)
	for _, word := range words {
		path += fmt.Sprint("/", word)
	}
	return path
}

// TestWhoMayDoWhat tries every route with every role.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	type body = map[string]any
	callers := []string{"nobody", "oscar", "mary", "adam", "olga", "root"}
	for i, caller := range callers {
		t.Run(caller, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.join(t, w.acme, "root", "owner") // so that olga may leave
			if caller == "root" {
				w.db.Where("user_id = ?", w.id["root"]).Delete(&model.Membership{})
			}
			invitation := w.invite("olga", "new@example.com")
			for _, c := range []struct {
				method, path string
				body         any
				want         [6]int
			}{
				{"GET", w.path(), nil, [6]int{401, 404, 200, 200, 200, 200}},
				{"PUT", w.path(), body{"name": "Acme Ltd"}, [6]int{401, 404, 403, 200, 200, 200}},
				{"PATCH", w.path(), body{"name": "Acme Inc"}, [6]int{401, 404, 403, 200, 200, 200}},
				{"GET", w.path("members"), nil, [6]int{401, 404, 200, 200, 200, 200}},
				{"GET", w.path("invitations"), nil, [6]int{401, 404, 403, 200, 200, 200}},
				{"POST", w.path("invitations"), body{"email": "a@example.com", "role": "admin"}, [6]int{401, 404, 403, 201, 201, 201}},
				{"DELETE", w.path("invitations", invitation), nil, [6]int{401, 404, 403, 204, 204, 204}},
				{"PATCH", w.path("members", w.id["mike"]), body{"role": "admin"}, [6]int{401, 404, 403, 200, 200, 200}},
				{"PATCH", w.path("members", w.id["mike"]), body{"role": "owner"}, [6]int{401, 404, 403, 403, 200, 200}},
				{"PATCH", w.path("members", w.id["olga"]), body{"role": "member"}, [6]int{401, 404, 403, 403, 200, 200}},
				{"PATCH", w.path("members", w.id["olga"]), body{"role": "owner"}, [6]int{401, 404, 403, 403, 403, 200}},
				{"POST", w.path("transfer"), body{"user_id": w.id["oscar"]}, [6]int{401, 404, 403, 403, 403, 422}},
				{"DELETE", w.path("members", w.id["olga"]), nil, [6]int{401, 404, 403, 403, 403, 204}},
				{"DELETE", w.path("members", w.id["mike"]), nil, [6]int{401, 404, 403, 204, 403, 409}},
				{"POST", w.path("leave"), nil, [6]int{401, 404, 204, 204, 204, 404}},
				{"DELETE", w.path(), nil, [6]int{401, 404, 404, 404, 404, 204}},
				{"GET", w.path(), nil, [6]int{401, 404, 404, 404, 404, 404}},
			} {
				if got := w.as[caller].Send(c.method, c.path, c.body); got.Status != c.want[i] {
					t.Errorf("%s %s %v: %d, want %d: %s", c.method, c.path, c.body, got.Status, c.want[i], got.Body())
				}
			}
		})
	}
}

// TestOneOrganisationIsNotAnother tries to reach another organisation's rows through
// one's own.
func TestOneOrganisationIsNotAnother(t *testing.T) {
	t.Parallel()
	w := start(t)
	invitation := w.invite("olga", "new@example.com")
	own := fmt.Sprintf("/organisations/%d", w.other)
	oscar := w.as["oscar"]
	oscar.Delete(fmt.Sprintf("%s/invitations/%d", own, invitation)).Expect(404)
	oscar.Delete(fmt.Sprintf("%s/members/%d", own, w.id["mary"])).Expect(404)
	oscar.Patch(fmt.Sprintf("%s/members/%d", own, w.id["mary"]), map[string]string{"role": "admin"}).Expect(404)
	oscar.Post(own+"/transfer", map[string]int64{"user_id": w.id["mary"]}).Expect(422)
	for path, want := range map[string]int{"/organisations": 1, own + "/members": 1, own + "/invitations": 0, "/organisations?search=acme": 0} {
		if got := oscar.Get(path).Expect(200).JSON(); int(got["total"].(float64)) != want || len(got["items"].([]any)) != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	for _, id := range []string{"0", "-1", "abc", "999", "99999999999999999999"} {
		oscar.Get("/organisations/" + id).Expect(404)
		oscar.Get("/organisations/" + id + "/members").Expect(404)
		w.as["root"].Get("/organisations/" + id + "/members").Expect(404)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, name := range []any{nil, "", " ", " x", "a\nb", strings.Repeat("x", 101), 7} {
		w.as["mary"].Post("/organisations", map[string]any{"name": name}).Expect(422)
		w.as["olga"].Patch(w.path(), map[string]any{"name": name, "id": 7, "role": "x"})
	}
	if got := w.as["olga"].Get(w.path()).Expect(200).JSON(); got["name"] != "Acme" || got["role"] != "owner" {
		t.Errorf("%v", got)
	}
	w.as["nobody"].Post("/organisations", map[string]any{"name": "Mine"}).Expect(401)
	answer := w.as["mary"].Post("/organisations", map[string]any{"name": "Mine", "id": 999, "role": "member"}).Expect(201)
	got := answer.JSON()
	if got["role"] != "owner" || got["id"] == 999.0 || answer.Header("Location") != fmt.Sprintf("/organisations/%v", got["id"]) {
		t.Errorf("%v, %s", got, answer.Header("Location"))
	}
	var page struct{ Items []organisation }
	w.as["mary"].Get("/organisations?sort=name&order=asc").Expect(200).Into(&page)
	if len(page.Items) != 2 || page.Items[0].Name != "Acme" || page.Items[0].Role != "member" || page.Items[1].Role != "owner" {
		t.Errorf("%+v", page.Items)
	}
}

// TestMembersSeeWhatIsPublic checks that members see only names.
func TestMembersSeeWhatIsPublic(t *testing.T) {
	t.Parallel()
	w := start(t)
	answer := w.as["mary"].Get(w.path("members")).Expect(200)
	if strings.Contains(string(answer.Body()), "example.com") {
		t.Errorf("members see addresses: %s", answer.Body())
	}
	var page struct{ Items []map[string]any }
	answer.Into(&page)
	for _, item := range page.Items {
		if len(item) != 4 || item["username"] == "" || item["user_id"] == nil {
			t.Errorf("%v", item)
		}
	}
	w.as["mary"].Get(w.path("members") + "?role=admin&sort=role&cursor=").Expect(200).Into(&page)
	if len(page.Items) != 1 || page.Items[0]["username"] != "adam" {
		t.Errorf("%v", page.Items)
	}
}

// TestLastOwnerStays tries every way to remove the last owner.
func TestLastOwnerStays(t *testing.T) {
	t.Parallel()
	w := start(t)
	olga := w.as["olga"]
	olga.Post(w.path("leave"), nil).Expect(409)
	olga.Delete(w.path("members", w.id["olga"])).Expect(409)
	olga.Patch(w.path("members", w.id["olga"]), map[string]string{"role": "admin"}).Expect(409)
	olga.Post(w.path("transfer"), map[string]int64{"user_id": w.id["olga"]}).Expect(422)
	w.as["root"].Patch(w.path("members", w.id["olga"]), map[string]string{"role": "member"}).Expect(409)
	if err := w.deleteUser("olga"); fault.From(err) == nil || fault.From(err).Status != http.StatusConflict {
		t.Errorf("the account is deleted: %v", err)
	}
	if err := w.db.Where("username = ?", "olga").Delete(&model.User{}).Error; err == nil {
		t.Error("users are deleted whoever they are")
	}

	// An owner who cannot sign in does not count.
	w.join(t, w.acme, "root", "owner")
	w.db.Table("users").Where("id = ?", w.id["root"]).Update("is_active", false)
	olga.Post(w.path("leave"), nil).Expect(409)
	w.db.Table("users").Where("id = ?", w.id["root"]).Update("is_active", true)
	if err := w.deleteUser("olga"); err != nil {
		t.Error(err)
	}
	if err := w.deleteUser("mike"); err != nil {
		t.Error(err)
	}
	if w.role(w.acme, "olga")+w.role(w.acme, "mike") != "" {
		t.Error("they are members though they are gone")
	}
}

// deleteUser deletes an account as the module users does.
func (w world) deleteUser(name string) error {
	return w.db.Transaction(func(tx *gorm.DB) error {
		user, err := db.Find[model.User](tx, w.id[name])
		if err != nil {
			return err
		}
		return tx.Delete(&user).Error
	})
}

// TestOwnersGoAtOnce has two owners leave at the same time, in different ways: one
// of them stays.
func TestOwnersGoAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	ways := map[string]func(name, other string) bool{
		"leave": func(name, _ string) bool { return w.as[name].Post(w.path("leave"), nil).Status == 204 },
		"demote": func(name, other string) bool {
			return w.as[name].Patch(w.path("members", w.id[other]), map[string]string{"role": "member"}).Status == 200
		},
		"remove": func(name, other string) bool {
			return w.as[name].Delete(w.path("members", w.id[other])).Status == 204
		},
	}
	for one, go1 := range ways {
		for two, go2 := range ways {
			w.db.Where("organisation_id = ?", w.acme).Delete(&model.Membership{})
			w.join(t, w.acme, "olga", "owner")
			w.join(t, w.acme, "adam", "owner")
			var wg sync.WaitGroup
			wg.Go(func() { go1("olga", "adam") })
			wg.Go(func() { go2("adam", "olga") })
			wg.Wait()
			var owners int64
			w.db.Model(&model.Membership{}).Where("organisation_id = ? AND role = ?", w.acme, "owner").Count(&owners)
			if owners != 1 {
				t.Errorf("%s and %s leave %d owners", one, two, owners)
			}
		}
	}
	w.db.Where("organisation_id = ?", w.acme).Delete(&model.Membership{})
	w.join(t, w.acme, "mary", "owner")
	w.join(t, w.acme, "mike", "owner")
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.deleteUser("mary") })
	wg.Go(func() { _ = w.deleteUser("mike") })
	wg.Wait()
	if w.role(w.acme, "mary")+w.role(w.acme, "mike") != "owner" {
		t.Error("two accounts are deleted at once, or neither")
	}
}

// TestOwnersAreTold makes owners in every way: owners are notified, so that someone who
// briefly controlled an owner's account does not go unnoticed.
func TestOwnersAreTold(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.as["olga"].Patch(w.path("members", w.id["mary"]), map[string]string{"role": "owner"}).Expect(200)
	w.notices.expect(t, "mary, of Acme", "mary", "olga")
	w.as["olga"].Patch(w.path("members", w.id["mary"]), map[string]string{"role": "owner"}).Expect(200)
	w.as["olga"].Patch(w.path("members", w.id["mike"]), map[string]string{"role": "admin"}).Expect(200)
	w.notices.expect(t, "")
	w.as["olga"].Post(w.path("transfer"), map[string]int64{"user_id": w.id["mike"]}).Expect(200)
	w.notices.expect(t, "mike, of Acme", "mary", "mike", "olga")
	w.as["root"].Post(w.path("transfer"), map[string]int64{"user_id": w.id["adam"]}).Expect(200)
	w.notices.expect(t, "adam, of Acme", "adam", "mary", "mike")
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	w := start(t)
	if got := w.as["olga"].Post(w.path("transfer"), map[string]int64{"user_id": w.id["mary"]}).Expect(200).JSON(); got["username"] != "mary" || got["role"] != "owner" {
		t.Errorf("%v", got)
	}
	if w.role(w.acme, "olga") != "admin" || w.role(w.acme, "mary") != "owner" {
		t.Error("it is not transferred")
	}
	w.as["olga"].Post(w.path("transfer"), map[string]int64{"user_id": w.id["adam"]}).Expect(403)
	w.as["olga"].Delete(w.path()).Expect(403)
	w.as["mary"].Delete(w.path()).Expect(204)
	if w.role(w.acme, "olga") != "" {
		t.Error("members are left")
	}
	w.as["oscar"].Get(fmt.Sprintf("/organisations/%d", w.other)).Expect(200)
}

// TestWhoManagesIsConfirmed tries every way to change who manages an organisation
// with a session whose password was checked long ago, with an impersonated session,
// and with a fresh one. Joining and leaving do not require a fresh session.
func TestWhoManagesIsConfirmed(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.join(t, w.acme, "oscar", "owner")
	service := authtest.Service(t, w.db)
	stale, err := service.OpenSession(t.Context(), auth.Client{}, w.id["olga"])
	if err != nil {
		t.Fatal(err)
	}
	_, token := authtest.Sign(t, w.db, authtest.Account{Username: "boss", Role: auth.RoleAdmin})
	boss, err := service.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	impersonated, err := service.Impersonate(t.Context(), auth.Client{}, boss, w.id["olga"])
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		method, path string
		body         map[string]any
		fresh        int
	}
	member := func(name string) string { return w.path("members", w.id[name]) }
	ways := []request{
		{"POST", w.path("invitations"), map[string]any{"email": "a@example.com", "role": "admin"}, 201},
		{"PATCH", member("mary"), map[string]any{"role": "admin"}, 200},
		{"PATCH", member("mike"), map[string]any{"role": "owner"}, 200},
		{"PATCH", member("oscar"), map[string]any{"role": "admin"}, 200},
		{"PATCH", member("oscar"), map[string]any{"role": "member"}, 200},
		{"PATCH", member("adam"), map[string]any{"role": "owner"}, 200},
		{"DELETE", member("adam"), nil, 204},
		{"POST", w.path("transfer"), map[string]any{"user_id": w.id["mary"]}, 200},
		{"POST", w.path("leave"), nil, 204}, // as an admin now
	}
	for name, token := range map[string]string{"stale": stale.AccessToken, "impersonated": impersonated.AccessToken} {
		client := w.as["nobody"].With("Authorization", "Bearer "+token)
		for _, way := range ways {
			got := client.Send(way.method, way.path, way.body)
			if got.Status != 403 || !strings.Contains(string(got.Body()), "Confirm your password first") {
				t.Errorf("%s: %s %s %v: %d %s", name, way.method, way.path, way.body, got.Status, got.Body())
			}
		}
		client.Post(w.path("invitations"), map[string]string{"email": name + "@example.com", "role": "member"}).Expect(201)
		client.Patch(member("adam"), map[string]string{"role": "admin"}).Expect(200) // as he is
		w.join(t, w.acme, "root", "member")
		client.Delete(member("root")).Expect(204)
	}
	for _, way := range ways {
		w.as["olga"].Send(way.method, way.path, way.body).Expect(way.fresh)
	}
	stale, err = service.OpenSession(t.Context(), auth.Client{}, w.id["oscar"])
	if err != nil {
		t.Fatal(err)
	}
	w.as["nobody"].With("Authorization", "Bearer "+stale.AccessToken).Post(w.path("leave"), nil).Expect(204) // as a member
}

// TestKeysLetNobodyIn uses an API key with every scope.
func TestKeysLetNobodyIn(t *testing.T) {
	t.Parallel()
	w := start(t)
	service := authtest.Service(t, w.db)
	made, err := service.MakeKey(t.Context(), auth.Identity{UserID: w.id["olga"], SessionID: "any"}, "ci", []string{"write"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	key := w.as["nobody"].With("X-API-Key", made.Key)
	key.Get(w.path()).Expect(200)
	key.Get(w.path("members")).Expect(200)
	key.Patch(w.path(), map[string]string{"name": "By key"}).Expect(200)
	key.Post(w.path("invitations"), map[string]string{"email": "a@example.com", "role": "member"}).Expect(403)
	key.Patch(w.path("members", w.id["mary"]), map[string]string{"role": "admin"}).Expect(403)
	key.Delete(w.path("members", w.id["mary"])).Expect(403)
	key.Post(w.path("transfer"), map[string]int64{"user_id": w.id["mary"]}).Expect(403)
	key.Post(w.path("leave"), nil).Expect(403)
	key.Delete(w.path()).Expect(403)
}

// TestChangesAreLogged looks for the actor, the action and the user in the log.
func TestChangesAreLogged(t *testing.T) {
	t.Parallel()
	w := start(t)
	mike := w.id["mike"]
	w.as["olga"].Patch(w.path(), map[string]string{"name": "Acme Ltd"}).Expect(200)
	w.as["olga"].Patch(w.path("members", mike), map[string]string{"role": "admin"}).Expect(200)
	w.as["olga"].Patch(w.path("members", mike), map[string]string{"role": "admin"}).Expect(200)
	w.as["olga"].Delete(w.path("members", mike)).Expect(204)
	w.as["mary"].Post(w.path("leave"), nil).Expect(204)
	w.as["olga"].Delete(w.path("invitations", w.invite("olga", "new@example.com"))).Expect(204)
	w.as["olga"].Post(w.path("transfer"), map[string]int64{"user_id": w.id["adam"]}).Expect(200)
	w.as["adam"].Delete(w.path()).Expect(204)
	for _, event := range []string{
		fmt.Sprintf("organisation_created organisation_id=%d by=%d", w.acme, w.id["olga"]),
		fmt.Sprintf("organisation_renamed organisation_id=%d by=%d", w.acme, w.id["olga"]),
		fmt.Sprintf("member_role_changed user_id=%d role=admin organisation_id=%d by=%d", mike, w.acme, w.id["olga"]),
		fmt.Sprintf("member_removed user_id=%d organisation_id=%d by=%d", mike, w.acme, w.id["olga"]),
		fmt.Sprintf("member_left user_id=%d organisation_id=%d by=%d", w.id["mary"], w.acme, w.id["mary"]),
		fmt.Sprintf("member_invited invitation_id=1 role=member organisation_id=%d by=%d", w.acme, w.id["olga"]),
		fmt.Sprintf("invitation_revoked invitation_id=1 organisation_id=%d by=%d", w.acme, w.id["olga"]),
		fmt.Sprintf("ownership_transferred user_id=%d organisation_id=%d by=%d", w.id["adam"], w.acme, w.id["olga"]),
		fmt.Sprintf("organisation_deleted organisation_id=%d by=%d", w.acme, w.id["adam"]),
	} {
		if strings.Count(w.log.String(), "msg=security event="+event+"\n") != 1 {
			t.Errorf("want once: %s\nin\n%s", event, w.log)
		}
	}
}

// A handler without a guard reaches what the caller can reach through the routes,
// and no more: members of other organisations are not visible.
func TestRowsOfOtherOrganisations(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.as["olga"].Post(w.path("invitations"), map[string]string{"email": "new@example.com", "role": "member"}).Expect(201)
	type reach struct{ organisations, members, invitations, renamed, removed int64 }
	for name, want := range map[string]reach{
		"nobody": {},
		"oscar":  {organisations: 1, members: 1, renamed: 1, removed: 1},
		"mary":   {organisations: 1, members: 4},
		"adam":   {organisations: 1, members: 4, invitations: 1, renamed: 1, removed: 4},
		"root":   {organisations: 2, members: 5, invitations: 1, renamed: 2, removed: 5},
	} {
		ctx := auth.As(context.Background(), auth.Identity{UserID: w.id[name], Role: map[bool]string{true: auth.RoleAdmin}[name == "root"]})
		var got reach
		tx := w.db.WithContext(ctx).Begin()
		renamed := tx.Model(&model.Organisation{}).Where("1 = 1").Update("name", "Renamed")
		got.renamed = renamed.RowsAffected
		removed := tx.Where("1 = 1").Delete(&model.Membership{})
		got.removed = removed.RowsAffected
		tx.Rollback()
		tx = w.db.WithContext(ctx)
		for _, err := range []error{
			renamed.Error, removed.Error,
			tx.Model(&model.Organisation{}).Count(&got.organisations).Error,
			tx.Model(&model.Membership{}).Count(&got.members).Error,
			tx.Model(&model.Invitation{}).Count(&got.invitations).Error,
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if got != want {
			t.Errorf("%s reaches %+v, not %+v", name, got, want)
		}
	}
}
