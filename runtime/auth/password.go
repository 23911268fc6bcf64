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

// Limits of a password, in characters. From longPassword on, length suffices; shorter
// passwords also need different kinds of characters.
const (
	minPassword  = 8
	maxPassword  = 128
	longPassword = 15
)

// commonPasswords are the passwords found most often in breaches, one per line and
// sorted: the list published with zxcvbn (license in common.license), without those
// that the other rules reject, and some of ours. It begins with an empty line.
//
//go:embed common.txt
var commonPasswords string

// CheckPassword applies the policy to a new password: 8 to 128 characters, not a common
// one, not one of the user's own words (name, e-mail address) or the name of the
// program, and under 15 characters an upper-case letter, a lower-case letter and a
// digit. The error is a 422 fault that lists every violation under field, which is the
// name in the request and must not be empty.
func CheckPassword(field, password string, own ...string) error {
	if details := PasswordDetails(field, password, own...); len(details) > 0 {
		return fault.Invalid(details...)
	}
	return nil
}

// PasswordDetails is CheckPassword for callers that report other fields along with it.
// It returns nil for a valid password.
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

// common reports whether a password is in the list of common ones, possibly capitalised
// or with digits and punctuation around it, or is one of the user's own words.
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

// program returns the name of the running program from its module path: one of the
// first words an attacker tries.
func program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path == "" {
		return ""
	}
	return path.Base(info.Main.Path)
}

// repetitive detects "aaaaaaaaaaaaaaaa" and "abcabcabcabcabc".
func repetitive(text string) bool {
	for size := 1; size <= min(4, len(text)/3); size++ {
		if strings.HasPrefix(strings.Repeat(text[:size], len(text)/size+1), text) {
			return true
		}
	}
	return false
}

// cost holds the parameters of an argon2id hash (RFC 9106; the OWASP minimum).
type cost struct {
	memory  uint32 // KiB
	rounds  uint32
	threads uint8
}

var (
	currentCost = cost{memory: 19 * 1024, rounds: 2, threads: 1}
	// testCost keeps a test suite with hundreds of users from spending most of its time
	// on hashes, and from timing out on them under -race.
	testCost = cost{memory: 64, rounds: 1, threads: 1}
)

const (
	saltSize = 16
	hashSize = 32
	// queueWait is how long a request waits for its turn to hash.
	queueWait = 10 * time.Second
)

// hasher bounds the number of concurrent hashes: more than there are processors would
// make each slower and exhaust the memory. The memory of a hash is left to the garbage
// collector: forcing a collection would slow down every request whenever a client sends
// passwords. GOMEMLIMIT bounds it where memory is scarce.
//
// The queue is fair: requests from one address first wait for a slot of that address,
// of which there are as many as concurrent hashes, so that a thousand logins from there
// do not delay one from elsewhere.
type hasher struct {
	slots         chan struct{}
	cost          cost
	addressQueues *addressQueues
}

// addressQueues holds the queues of the addresses that wait or hash at present.
type addressQueues struct {
	mu  sync.Mutex
	all map[string]*addressQueue
}

type addressQueue struct {
	places chan struct{}
	users  int // requests that hold or wait for a slot
}

// of returns the queue of an address, which the caller releases with done.
func (l *addressQueues) of(address string, places int) *addressQueue {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.all[address]
	if own == nil {
		own = &addressQueue{places: make(chan struct{}, places)}
		l.all[address] = own
	}
	own.users++
	return own
}

func (l *addressQueues) done(address string, own *addressQueue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(l.all, address)
	}
}

// newHasher returns the hasher for an environment: only test has cheap hashes.
func newHasher(env string) hasher {
	h := hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), cost: currentCost, addressQueues: &addressQueues{all: map[string]*addressQueue{}}}
	if env == "test" {
		h.cost = testCost
	}
	return h
}

// enter waits for a slot for a request from address; the caller must call leave. It
// returns a 503 fault after queueWait.
func (h hasher) enter(ctx context.Context, address string) (leave func(), err error) {
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	own := h.addressQueues.of(address, cap(h.slots))
	held := 0
	leave = func() {
		if held == 2 {
			<-h.slots
		}
		if held > 0 {
			<-own.places
		}
		h.addressQueues.done(address, own)
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

// make hashes a password to a PHC string. The caller must hold a slot.
func (h hasher) make(password string) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails since Go 1.24
	sum := argon2.IDKey([]byte(password), salt, h.cost.rounds, h.cost.memory, h.cost.threads, hashSize)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.memory, h.cost.rounds, h.cost.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
}

// match reports whether phc is the hash of password, and whether it was made with less
// than the current cost. An invalid phc, such as that of a user who does not exist,
// takes as long and never matches. The caller must hold a slot.
func (h hasher) match(phc, password string) (ok, outdated bool) {
	made, salt, sum, valid := parsePHC(phc)
	if !valid {
		made, salt, sum = h.cost, make([]byte, saltSize), make([]byte, hashSize)
	}
	got := argon2.IDKey([]byte(password), salt, made.rounds, made.memory, made.threads, hashSize)
	ok = subtle.ConstantTimeCompare(got, sum) == 1 && valid
	return ok, made.memory < h.cost.memory || made.rounds < h.cost.rounds
}

// parsePHC parses "$argon2id$v=19$m=19456,t=2,p=1$salt$hash" and rejects unreasonable
// parameters.
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

// Hash hashes a password with argon2id for the column password_hash: 19 MiB, two
// rounds, about 35 ms. It waits while as many hashes run as there are processors, and
// returns a 503 fault after 10 seconds. It does not apply the policy; see
// [CheckPassword].
func (s *Service) Hash(ctx context.Context, password string) (string, error) {
	leave, err := s.hasher.enter(ctx, addressOf(ctx))
	if err != nil {
		return "", err
	}
	defer leave()
	return s.hasher.make(password), nil
}
