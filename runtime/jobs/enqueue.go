package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Limits of a job.
const (
	maxKind         = 100       // bytes
	maxPayload      = 256 << 10 // bytes of JSON: enqueue ids, not documents
	defaultAttempts = 15        // about six hours with the default backoff
)

// Option refines a job; see Unique, At and MaxAttempts.
type Option func(*job)

// Unique makes the job the only one of its kind with this key: when there is
// one already, waiting, running or finished within the last seven days, the
// new one is not written and Enqueue returns nil.
func Unique(key string) Option {
	return func(j *job) {
		sum := sha256.Sum256([]byte(j.Kind + "\x00" + key))
		j.UniqueKey = new(hex.EncodeToString(sum[:]))
	}
}

// At makes the job wait until t.
func At(t time.Time) Option {
	return func(j *job) { j.DueAt = new(t.UnixMilli()) }
}

// MaxAttempts sets how often the job is tried before it is dead; 15. A process
// that dies while it runs the job counts as a try.
func MaxAttempts(n int) Option {
	return func(j *job) { j.MaxAttempts = max(n, 1) }
}

// Enqueue writes a job in tx: it exists when tx commits and not otherwise.
// payload is stored as JSON of at most 256 KiB and comes back to the handler
// of kind, a name of at most 100 bytes such as "mail.welcome".
func Enqueue(tx *gorm.DB, kind string, payload any, opts ...Option) error {
	if kind == "" || len(kind) > maxKind {
		return fmt.Errorf("jobs: a kind has 1 to %d bytes, not %d", maxKind, len(kind))
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("jobs: payload of %s: %w", kind, err)
	}
	if len(text) > maxPayload {
		return fmt.Errorf("jobs: payload of %s has %d bytes, the limit is %d; enqueue an id instead", kind, len(text), maxPayload)
	}
	j := job{Kind: kind, Payload: string(text), State: ready, MaxAttempts: defaultAttempts, DueAt: new(now())}
	for _, opt := range opts {
		opt(&j)
	}
	// A fresh session: conditions that the caller collected on tx are not ours.
	tx = tx.Session(&gorm.Session{NewDB: true})
	if j.UniqueKey != nil {
		tx = tx.Clauses(clause.OnConflict{DoNothing: true})
	}
	return tx.Create(&j).Error
}
