package auth

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Wrong passwords that are answered, within one AUTH_LOCKOUT, before the next
// gets 429 for as long.
const (
	accountTries = 10
	addressTries = 30
)

// counter is one count of failures: of an account, a name that has none, or an
// address.
type counter struct {
	subject string
	limit   int
}

// counters of an attempt. A name without an account counts like one, so that
// the lock tells nothing.
func counters(client Client, name string, user account) (byAccount, byAddress counter) {
	subject := "name:" + digest(foldName(name))
	if user.ID != 0 {
		subject = "user:" + strconv.FormatInt(user.ID, 10)
	}
	return counter{subject, accountTries}, counter{"address:" + client.network(), addressTries}
}

// locked is a 429 fault when one of the counters is full.
func (s *Service) locked(ctx context.Context, counters ...counter) error {
	now := s.stamp()
	for _, c := range counters {
		var row failureRow
		if err := s.db.WithContext(ctx).Where("subject = ?", c.subject).Limit(1).Find(&row).Error; err != nil {
			return err
		}
		if row.Tries >= c.limit && row.EndsAt > now {
			return fault.TooMany("Too many failed attempts", time.Duration(row.EndsAt-now)*time.Millisecond)
		}
	}
	return nil
}

// failed counts a failure. Each statement is atomic by itself: two replicas
// that fail at once count two.
func (s *Service) failed(ctx context.Context, counters ...counter) error {
	now := s.stamp()
	ends := now + s.cfg.Lockout.Milliseconds()
	tx := s.db.WithContext(ctx)
	for _, c := range counters {
		over := tx.Model(&failureRow{}).Where("subject = ? AND ends_at <= ?", c.subject, now)
		if err := over.UpdateColumns(map[string]any{"tries": 0, "ends_at": ends}).Error; err != nil {
			return err
		}
		err := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "subject"}},
			DoUpdates: clause.Assignments(map[string]any{"tries": gorm.Expr("auth_failures.tries + 1")}),
		}).Create(&failureRow{Subject: c.subject, Tries: 1, EndsAt: ends}).Error
		if err != nil {
			return err
		}
		full := tx.Model(&failureRow{}).Where("subject = ? AND tries = ?", c.subject, c.limit).UpdateColumn("ends_at", ends)
		if full.Error != nil {
			return full.Error
		}
		if full.RowsAffected > 0 {
			s.event(ctx, slog.LevelWarn, "locked", slog.String("subject", c.subject))
		}
	}
	return nil
}

// succeeded clears the count of an account. An address is not cleared: who has
// one account of their own could otherwise guess at all others for ever.
func (s *Service) succeeded(ctx context.Context, c counter) error {
	return s.db.WithContext(ctx).Where("subject = ? AND tries < ?", c.subject, c.limit).Delete(&failureRow{}).Error
}
