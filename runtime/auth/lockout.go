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

// Number of wrong passwords within one AUTH_LOCKOUT after which further attempts get
// 429 for as long.
const (
	accountTries = 10
	addressTries = 30
)

// counter is a failure count: of an account, of a name without one, or of an address.
type counter struct {
	subject string
	limit   int
}

// counters returns the counters of an attempt. A name without an account is counted
// like one, so that a lock does not reveal which names exist.
func counters(client Client, name string, user account) (byAccount, byAddress counter) {
	subject := "name:" + digest(foldName(name))
	if user.ID != 0 {
		subject = "user:" + strconv.FormatInt(user.ID, 10)
	}
	return counter{subject, accountTries}, counter{"address:" + client.network(), addressTries}
}

// locked returns a 429 fault if one of the counters has reached its limit.
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

// failed counts a failure. Each statement is atomic: concurrent failures on two
// replicas count as two.
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

// succeeded clears the count of an account. The count of an address is not cleared: an
// attacker with one account could otherwise guess passwords of all others indefinitely.
func (s *Service) succeeded(ctx context.Context, c counter) error {
	return s.db.WithContext(ctx).Where("subject = ? AND tries < ?", c.subject, c.limit).Delete(&failureRow{}).Error
}
