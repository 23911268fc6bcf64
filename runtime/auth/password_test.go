package auth

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexios-go/nexios/runtime/fault"
)

func TestPasswordPolicy(t *testing.T) {
	for password, want := range map[string][]string{
		"":                               {"min", "upper", "lower", "digit"},
		"aB3":                            {"min"},
		"Abcdef7":                        {"min", "common"},
		"abcdefg7x":                      {"upper"},
		"ABCDEFG7X":                      {"lower"},
		"Abcdefgxq":                      {"digit"},
		"!!!!!!!!":                       {"upper", "lower", "digit", "common"},
		"Password1":                      {"common"},
		"P@ssw0rd":                       {"common"},
		"Qwerty123!":                     {"common"},
		"Welcome2024":                    {"common"},
		"aaaaaaaaaaaaaaaaaaaa":           {"common"},
		"abcabcabcabcabcabc":             {"common"},
		"correcthorsebatterystaple":      {"common"},
		"Alice1234":                      {"common"},
		"Nexios2026":                     {"common"}, // the program's own name
		"Minecraft1":                     {"common"},
		"alice@example.com":              {"common"},
		strings.Repeat("xy4 ", 32) + "z": {"max"},
		strings.Repeat("é", 64) + "\xff": {"utf8"},
		"Correct-Horse-7":                nil,
		"Zürich-42":                      nil,
		"a long sentence in lower case":  nil,
		"пароль из многих слов":               nil,
		strings.Repeat("lorem ipsum dol ", 8): nil, // 128
	} {
		var rules []string
		for _, d := range PasswordDetails("password", password, "alice", "alice@example.com") {
			rules = append(rules, d.Rule)
			if d.Field != "password" || !strings.HasPrefix(d.Message, "Password ") {
				t.Errorf("%q: detail %+v", password, d)
			}
		}
		if !slices.Equal(rules, want) {
			t.Errorf("%q: %v, want %v", password, rules, want)
		}
	}
	wantStatus(t, "a bad password", CheckPassword("new_password", "x"), 422)
	if err := CheckPassword("password", rightPassword); err != nil {
		t.Error(err)
	}
}

func TestCommonPasswords(t *testing.T) {
	words := strings.Fields(commonPasswords)
	if len(words) < 10_000 || !slices.IsSorted(words) || len(words) != strings.Count(commonPasswords, "\n")-1 {
		t.Errorf("%d passwords, sorted: %v", len(words), slices.IsSorted(words))
	}
	for _, word := range []string{words[0], words[len(words)/2], words[len(words)-1]} {
		if !common(word, nil) || !common(strings.ToUpper(word), nil) {
			t.Errorf("%s is not found", word)
		}
	}
	for _, word := range []string{"", "\n", words[0] + "\n" + words[1], "7", "!!", "zürich-42"} {
		if common(word, nil) {
			t.Errorf("%q is common", word)
		}
	}
}

func TestHashesOfOtherImplementations(t *testing.T) {
	h := hasher{cost: cost{8, 1, 1}}
	// From the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1
	reference := "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, outdated := h.match(reference, "password"); !ok || outdated {
		t.Errorf("the reference hash: %v, outdated %v", ok, outdated)
	}
	for _, phc := range []string{
		"", "none", "password", "$argon2id$", "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=18$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=8,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=8,t=1,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=8,t=1,p=1$$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	} {
		for _, password := range []string{"", "password", "none"} {
			if ok, _ := h.match(phc, password); ok {
				t.Errorf("%q matches %q", password, phc)
			}
		}
	}
}

func TestLoginUpgradesOldHash(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	w.s.hasher.cost = cost{memory: 16, rounds: 2, threads: 1}
	w.login(w.s, "alice")
	var row userRow
	w.db.Take(&row)
	if !strings.Contains(row.PasswordHash, "$m=16,t=2,p=1$") {
		t.Errorf("stored %s", row.PasswordHash)
	}
	w.login(w.s, "alice")
	var same userRow
	w.db.Take(&same)
	if same.PasswordHash != row.PasswordHash {
		t.Error("hashed again at the same cost")
	}
}

func TestFailedLoginsAreIndistinguishable(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	w.set(w.user("gone"), "is_active", false)
	var answers []fault.Error
	for _, in := range []Credentials{
		{Username: "alice", Password: otherPassword}, {Username: "nobody", Password: rightPassword}, {Username: "gone", Password: rightPassword},
		{Username: "", Password: ""}, {Username: "alice' OR '1'='1", Password: rightPassword}, {Username: "alice", Password: ""}, {Username: "%", Password: rightPassword},
	} {
		_, err := w.s.Login(t.Context(), here, in)
		var f *fault.Error
		if !errors.As(err, &f) || f.Status != 401 || f.Message != "Invalid credentials" {
			t.Fatalf("%+v: %v", in, err)
		}
		answers = append(answers, *f)
	}
	for _, a := range answers {
		if a.Challenge != answers[0].Challenge || a.Cause != nil || a.Details != nil {
			t.Errorf("response %+v differs from %+v", a, answers[0])
		}
	}
}

// TestUnknownUserTakesAsLong compares medians at the real cost. Without the hash a
// login would be a hundred times as fast, so the bounds leave room for a busy machine.
func TestUnknownUserTakesAsLong(t *testing.T) {
	w := newFixture(t)
	w.s.hasher.cost = currentCost
	w.user("alice")
	w.set(w.user("gone"), "is_active", false)
	took := map[string][]time.Duration{}
	for i := range 9 {
		client := Client{Address: "198.51.100." + string(rune('1'+i))}
		for _, name := range []string{"alice", "nobody", "gone"} {
			begin := time.Now()
			_, err := w.s.Login(t.Context(), client, Credentials{Username: name, Password: otherPassword})
			took[name] = append(took[name], time.Since(begin))
			wantStatus(t, name, err, 401)
		}
	}
	median := func(name string) time.Duration { slices.Sort(took[name]); return took[name][4] }
	t.Logf("wrong password %s, unknown user %s, inactive user %s", median("alice"), median("nobody"), median("gone"))
	for _, name := range []string{"nobody", "gone"} {
		if ratio := float64(median(name)) / float64(median("alice")); ratio < 1./3 || ratio > 3 {
			t.Errorf("%s takes %.2f times as long as a wrong password", name, ratio)
		}
	}
}

func TestHashingWaitsForSlot(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	for range cap(w.s.hasher.slots) {
		w.s.hasher.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := w.s.Login(ctx, here, Credentials{Username: "alice", Password: rightPassword})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a login without a free slot: %v", err)
	}
	<-w.s.hasher.slots
	w.login(w.s, "alice")
}

// Requests from one address do not delay those from another.
func TestHashQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher("test")
		first := make([]func(), cap(h.slots))
		for i := range first {
			var err error
			if first[i], err = h.enter(t.Context(), "192.0.2.1"); err != nil {
				t.Fatal(err)
			}
		}
		crowd, stop := context.WithCancel(t.Context())
		for range 500 {
			go func() {
				if leave, err := h.enter(crowd, "192.0.2.1"); err == nil {
					<-crowd.Done()
					leave()
				}
			}()
		}
		synctest.Wait()
		entered := false
		go func() {
			leave, err := h.enter(t.Context(), "192.0.2.2")
			if entered = err == nil; entered {
				leave()
			}
		}()
		synctest.Wait()
		for _, leave := range first { // and as many of the crowd proceed
			leave()
		}
		synctest.Wait()
		if !entered {
			t.Error("a request from another address waits for the crowd")
		}
		stop()
		synctest.Wait()
		if n := len(h.addressQueues.all); n != 0 {
			t.Errorf("%d queues are left", n)
		}
	})
}

func TestOnlyTestsUseCheapHashes(t *testing.T) {
	for env, want := range map[string]cost{"": currentCost, "development": currentCost, "production": currentCost, "test": testCost} {
		if got := newHasher(env).cost; got != want {
			t.Errorf("%q: %+v", env, got)
		}
	}
}

// Forced garbage collections would let whoever sends passwords slow down the whole
// application.
func TestHashesDoNotForceGC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h := newHasher("test")
		leave, err := h.enter(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.make(rightPassword)
		leave()
		time.Sleep(time.Hour)
		synctest.Wait()
		runtime.ReadMemStats(&after)
		if n := after.NumForcedGC - before.NumForcedGC; n > 0 {
			t.Errorf("%d collections were forced", n)
		}
	})
}
