package auth

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
)

// A user who lost the second factor, or to whose account someone else added one, needs
// an operator: a password reset does not remove it.
func TestRemoveFactorsCommand(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	alice, _ := w.alice()
	_, token := authtest.Sign(t, w.db, authtest.Account{Username: "bob"})
	aliceID, bobID := authtest.UserID(t, w.db, "alice"), authtest.UserID(t, w.db, "bob")
	for _, id := range []int64{aliceID, bobID} {
		for table, row := range map[string]map[string]any{
			"auth_totp":           {"user_id": id, "secret": "x", "confirmed_at": 1, "last_step": 0},
			"auth_recovery_codes": {"user_id": id, "hash": fmt.Sprint(id)},
			"auth_passkeys":       {"user_id": id, "hash": fmt.Sprint(id), "credential_id": "x", "name": "x", "record": "{}", "created_at": 1, "last_used_at": 1},
		} {
			if err := w.db.Table(table).Create(row).Error; err != nil {
				t.Fatal(err)
			}
		}
	}
	var log bytes.Buffer
	module := Module(authtest.Config(), mail.Config{Env: "test"}, w.db, jobs.New(w.db, slog.New(slog.DiscardHandler)), slog.New(slog.NewTextHandler(&log, nil)))
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := module.Commands[0].Run(t.Context(), command.IO{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
		return out.String(), err
	}
	for _, args := range [][]string{{}, {"--username", "nobody"}, {"--username", "alice", "bob"}, {"--nonsense"}} {
		if out, err := run(args...); err == nil || !strings.Contains(err.Error(), "try:") {
			t.Errorf("%v: %s, %v", args, out, err)
		}
	}
	if out, err := run("--username", "ALICE"); err != nil || !strings.Contains(out, "alice") {
		t.Fatalf("%s, %v", out, err)
	}
	for _, table := range []string{"auth_totp", "auth_recovery_codes", "auth_passkeys"} {
		var left []int64
		if err := w.db.Table(table).Pluck("user_id", &left).Error; err != nil || len(left) != 1 || left[0] != bobID {
			t.Errorf("%s has rows of %v, %v", table, left, err)
		}
	}
	alice.Get("/whoami").Expect(401)
	w.api.With("Authorization", "Bearer "+token).Get("/whoami").Expect(200)

	if want := fmt.Sprintf("msg=security event=factors_removed user_id=%d", aliceID); !strings.Contains(log.String(), want) {
		t.Errorf("%q is not in the log:\n%s", want, log.String())
	}
	w.settled(t)
	files, err := filepath.Glob(filepath.Join(w.dir, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	var mails []string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "Subject: Two-factor authentication was turned off") {
			mails = append(mails, string(raw))
		}
	}
	if len(mails) != 1 || !strings.Contains(mails[0], "alice@example.com") || !strings.Contains(mails[0], "by an operator") {
		t.Errorf("mails: %q", mails)
	}
}
