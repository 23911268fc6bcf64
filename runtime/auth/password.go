package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Limits of a password, in characters. From longPassword on its length is
// enough, below it also needs different kinds of characters.
const (
	minPassword  = 8
	maxPassword  = 128
	longPassword = 15
)

// commonPasswords are those that are found most often where passwords were
// stolen, one a line and sorted: the list that zxcvbn is published with, by its
// license in common.license, as far as the other rules would let them pass, and
// some of ours. It begins with an empty line.
//
//go:embed common.txt
var commonPasswords string

// CheckPassword applies the policy to a new password: 8 to 128 characters,
// none of the common ones, not one of the user's own words (their name, their
// e-mail address) or the name of the program, and under 15 characters an upper-case letter, a lower-case
// letter and a digit. The error is a 422 fault that names everything missing,
// under field as the client wrote it, which is not empty.
func CheckPassword(field, password string, own ...string) error {
	if details := PasswordDetails(field, password, own...); len(details) > 0 {
		return fault.Invalid(details...)
	}
	return nil
}

// PasswordDetails is CheckPassword for those who report other fields with it.
// It returns nothing for a good password.
func PasswordDetails(field, password string, own ...string) []fault.Detail {
	var details []fault.Detail
	name := strings.ReplaceAll(field, "_", " ")
	name = strings.ToUpper(name[:1]) + name[1:] + " "
	wrong := func(rule, message string) {
		details = append(details, fault.Detail{Field: field, Rule: rule, Message: name + message})
	}
	length := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		wrong("utf8", "must be valid UTF-8")
	case length < minPassword:
		wrong("min", fmt.Sprintf("must have at least %d characters", minPassword))
	case length > maxPassword:
		wrong("max", fmt.Sprintf("must have at most %d characters", maxPassword))
	}
	if length < longPassword {
		if !strings.ContainsFunc(password, unicode.IsUpper) {
			wrong("upper", "needs an upper-case letter")
		}
		if !strings.ContainsFunc(password, unicode.IsLower) {
			wrong("lower", "needs a lower-case letter")
		}
		if !strings.ContainsFunc(password, unicode.IsDigit) {
			wrong("digit", "needs a digit")
		}
	}
	if common(password, own) {
		wrong("common", "is too common or too easy to guess")
	}
	return details
}

// common finds a password in the list of common ones, also when it was only
// capitalised or got digits and marks around it, and among the user's own
// words.
func common(password string, own []string) bool {
	lower := strings.ToLower(password)
	core := strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	listed := func(word string) bool {
		return word != "" && !strings.Contains(word, "\n") && strings.Contains(commonPasswords, "\n"+word+"\n")
	}
	if listed(lower) || listed(core) && len(lower)-len(core) <= 4 {
		return true
	}
	for _, word := range append(own, program()) {
		name, _, _ := strings.Cut(strings.ToLower(word), "@")
		if word != "" && (lower == strings.ToLower(word) || lower == name || core == name && len(lower)-len(core) <= 4) {
			return true
		}
	}
	return repetitive(lower)
}

// program is the name of the program that runs, without what Go knows of its
// module: the first word that others try.
func program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path == "" {
		return ""
	}
	return path.Base(info.Main.Path)
}

// repetitive finds "aaaaaaaaaaaaaaaa" and "abcabcabcabcabc".
func repetitive(text string) bool {
	for size := 1; size <= min(4, len(text)/3); size++ {
		if strings.HasPrefix(strings.Repeat(text[:size], len(text)/size+1), text) {
			return true
		}
	}
	return false
}

// cost is what one argon2id hash takes (RFC 9106; the OWASP minimum).
type cost struct {
	memory  uint32 // KiB
	rounds  uint32
	threads uint8
}

var (
	currentCost = cost{memory: 19 * 1024, rounds: 2, threads: 1}
	// testCost keeps a suite of tests, with its hundreds of users, from
	// spending most of its time on hashes, and from waiting for them in vain
	// where -race slows them down.
	testCost = cost{memory: 64, rounds: 1, threads: 1}
)

const (
	saltSize = 16
	hashSize = 32
	// queueWait is how long a request waits for its turn to hash.
	queueWait = 10 * time.Second
)

// hasher bounds how many hashes run at once: more than there are processors
// would make each slower and together eat the memory. What a hash took is left
// to the collector: to force it would cost every request, at the pleasure of
// whoever sends passwords. GOMEMLIMIT bounds it where memory is scarce.
//
// The queue is fair: who comes from one address waits for a place among those
// first, as many as hash at once, so that a thousand logins from there are never
// before one from elsewhere.
type hasher struct {
	slots chan struct{}
	cost  cost
	lines *lines
}

// lines are the queues of the addresses that wait or hash now.
type lines struct {
	mu  sync.Mutex
	all map[string]*line
}

type line struct {
	places chan struct{}
	users  int // who hold or wait for a place
}

// of returns the line of an address, which the caller gives back by done.
func (l *lines) of(address string, places int) *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.all[address]
	if own == nil {
		own = &line{places: make(chan struct{}, places)}
		l.all[address] = own
	}
	own.users++
	return own
}

func (l *lines) done(address string, own *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(l.all, address)
	}
}

// newHasher makes the hasher of an environment: only test has cheap hashes.
func newHasher(env string) hasher {
	h := hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), cost: currentCost, lines: &lines{all: map[string]*line{}}}
	if env == "test" {
		h.cost = testCost
	}
	return h
}

// enter waits for a turn of who asks from an address; the caller must call leave.
// It is a 503 fault when none comes within queueWait.
func (h hasher) enter(ctx context.Context, address string) (leave func(), err error) {
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	own := h.lines.of(address, cap(h.slots))
	held := 0
	leave = func() {
		if held == 2 {
			<-h.slots
		}
		if held > 0 {
			<-own.places
		}
		h.lines.done(address, own)
	}
	for _, queue := range []chan struct{}{own.places, h.slots} {
		select {
		case queue <- struct{}{}:
			held++
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-timer.C:
			err = fault.Unavailable("Too many logins at once", time.Second)
		}
		leave()
		return nil, err
	}
	return leave, nil
}

// make hashes a password to a PHC string. The caller has entered.
func (h hasher) make(password string) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails since Go 1.24
	sum := argon2.IDKey([]byte(password), salt, h.cost.rounds, h.cost.memory, h.cost.threads, hashSize)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.memory, h.cost.rounds, h.cost.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
}

// match says whether password is the one that phc was made from, and whether
// phc was made with less than the current cost. A phc that is none, such as
// that of a user who does not exist, takes as long and matches nothing. The
// caller has entered.
func (h hasher) match(phc, password string) (ok, outdated bool) {
	made, salt, sum, valid := parsePHC(phc)
	if !valid {
		made, salt, sum = h.cost, make([]byte, saltSize), make([]byte, hashSize)
	}
	got := argon2.IDKey([]byte(password), salt, made.rounds, made.memory, made.threads, hashSize)
	ok = subtle.ConstantTimeCompare(got, sum) == 1 && valid
	return ok, made.memory < h.cost.memory || made.rounds < h.cost.rounds
}

// parsePHC reads "$argon2id$v=19$m=19456,t=2,p=1$salt$hash", within limits that
// a hash of ours or of a sane elder keeps.
func parsePHC(phc string) (made cost, salt, sum []byte, ok bool) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return made, nil, nil, false
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &made.memory, &made.rounds, &made.threads); err != nil || n != 3 {
		return made, nil, nil, false
	}
	salt, err := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if err != nil {
		return made, nil, nil, false
	}
	sum, err = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	sane := made.memory >= 8 && made.memory <= 1<<20 && made.rounds >= 1 && made.rounds <= 64 && made.threads >= 1 &&
		len(salt) >= 8 && len(salt) <= 64 && len(sum) == hashSize
	return made, salt, sum, err == nil && sane
}

// Hash hashes a password with argon2id for the column password_hash: 19 MiB,
// two rounds, some 35 ms. It waits while as many hashes run as there are
// processors; a 503 fault after 10 seconds of that. It does not apply the
// policy; see CheckPassword.
func (s *Service) Hash(ctx context.Context, password string) (string, error) {
	leave, err := s.hasher.enter(ctx, addressOf(ctx))
	if err != nil {
		return "", err
	}
	defer leave()
	return s.hasher.make(password), nil
}
