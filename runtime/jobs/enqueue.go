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
	maxPayload      = 256 << 10 // bytes of JSON: enqueue IDs, not documents
	defaultAttempts = 15        // about six hours with the default backoff
)

// Option configures a job; see [Unique], [At] and [MaxAttempts].
type Option func(*job)

// Unique makes the job unique among those of its kind with this key: if there is one
// already, waiting, running, finished within the last seven days or dead for less than
// 30 days, no job is written and Enqueue returns nil.
func Unique(key string) Option {
	return func(j *job) {
		sum := sha256.Sum256([]byte(j.Kind + "\x00" + key))
		j.UniqueKey = new(hex.EncodeToString(sum[:]))
	}
}

// At delays the job until t.
func At(t time.Time) Option {
	return func(j *job) { j.DueAt = new(t.UnixMilli()) }
}

// MaxAttempts sets how many times the job is attempted before it is dead; the default
// is 15. An attempt during which the process dies counts too.
func MaxAttempts(n int) Option {
	return func(j *job) { j.MaxAttempts = max(n, 1) }
}

// Enqueue writes a job in tx: it exists if and only if tx commits. payload is stored as
// JSON of at most 256 KiB and decoded for the handler of kind, a name of at most 100
// bytes such as "mail.welcome".
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
	// A fresh session, without the conditions that the caller may have set on tx.
	tx = tx.Session(&gorm.Session{NewDB: true})
	if j.UniqueKey != nil {
		tx = tx.Clauses(clause.OnConflict{DoNothing: true})
	}
	return tx.Create(&j).Error
}
