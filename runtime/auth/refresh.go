package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"time"

	"gorm.io/gorm"
)

// grace is how long after its rotation a refresh token still answers, with the
// same successor: parallel tabs and lost answers log nobody out.
const grace = 10 * time.Second

// Grant is what a login or a refresh gives.
type Grant struct {
	UserID         int64
	SessionID      string
	AccessToken    string
	RefreshToken   string
	ExpiresIn      time.Duration // of the access token
	RefreshExpires time.Time
}

// grant adds an access token to a refresh token.
func (s *Service) grant(userID int64, token string, row refreshRow) (Grant, error) {
	access, err := s.sign(userID, row.SessionID)
	return Grant{
		UserID: userID, SessionID: row.SessionID, AccessToken: access, RefreshToken: token,
		ExpiresIn: s.cfg.AccessTTL, RefreshExpires: time.UnixMilli(row.ExpiresAt),
	}, err
}

// store writes a refresh token of a session; it ends with the session at the
// latest.
func (s *Service) store(tx *gorm.DB, token string, session sessionRow) (refreshRow, error) {
	now := s.stamp()
	row := refreshRow{
		Hash: digest(token), SessionID: session.ID, CreatedAt: now,
		ExpiresAt: min(now+s.cfg.RefreshTTL.Milliseconds(), session.ExpiresAt),
	}
	err := tx.Create(&row).Error
	return row, err
}

// successor is the one token that can follow token under k. That it is derived
// and not drawn is what makes a retry get the same, on any replica, while the
// database holds nothing that could be used (RFC 9700 4.14.2).
func successor(k key, token string) string {
	mac := hmac.New(sha256.New, k.refresh)
	mac.Write([]byte(token))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// outcome of presenting a refresh token.
type outcome int

const (
	refused outcome = iota // unknown, expired, or of a session that is over
	rotated                // it has a successor, made now or less than grace ago
	reused                 // it was used before: somebody else has a copy
)

// Refresh rotates a refresh token. Each has one use and at most one successor,
// whoever presents it how often on whichever replica. Presented again within
// 10 seconds, and before its successor was used, it gets that same successor.
// Presented later, the family is taken for stolen: the session ends, its
// access tokens too. Every refusal is the same 401 fault.
//
// The rotation is one transaction: a process that dies in it leaves either the
// old token unused, or a successor that the retry within grace gets.
func (s *Service) Refresh(ctx context.Context, token string) (Grant, error) {
	var (
		result  outcome
		session sessionRow
		next    string
		row     refreshRow
	)
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var err error
		// The update comes first: it takes the lock that makes the others wait.
		won := tx.Model(&refreshRow{}).
			Where("hash = ? AND rotated_at = 0 AND expires_at > ?", digest(token), s.stamp()).
			UpdateColumn("rotated_at", s.stamp())
		if won.Error != nil {
			return won.Error
		}
		if row, session, err = s.family(tx, token); err != nil {
			return err
		}
		if row.Hash == "" {
			return invalidToken() // which rolls the update back
		}
		if won.RowsAffected == 1 {
			result, next = rotated, successor(s.keys[0], token)
			if row, err = s.store(tx, next, session); err != nil {
				return err
			}
			return tx.Model(&session).UpdateColumn("last_used_at", s.stamp()).Error
		}
		result, next, row, err = s.repeated(tx, token, row)
		if err != nil || result != reused {
			return err
		}
		_, err = s.revoke(tx, "id = ?", session.ID)
		return err
	})
	switch {
	case err != nil:
		return Grant{}, err
	case result == reused:
		s.forgetSession(session.ID)
		s.event(ctx, slog.LevelWarn, "refresh_reuse", slog.Int64("user_id", session.UserID), slog.String("session", session.ID))
		return Grant{}, invalidToken()
	case result == refused:
		s.event(ctx, slog.LevelInfo, "refresh_refused")
		return Grant{}, invalidToken()
	}
	return s.grant(session.UserID, next, row)
}

// family finds a refresh token and its session, when that is live; the row is
// empty otherwise.
func (s *Service) family(tx *gorm.DB, token string) (refreshRow, sessionRow, error) {
	var row refreshRow
	if err := tx.Where("hash = ?", digest(token)).Limit(1).Find(&row).Error; err != nil || row.Hash == "" {
		return refreshRow{}, sessionRow{}, err
	}
	var session sessionRow
	err := tx.Where("id = ? AND revoked_at = 0 AND expires_at > ?", row.SessionID, s.stamp()).
		Where("user_id IN (SELECT id FROM users WHERE is_active = ?)", true).
		Limit(1).Find(&session).Error
	if err != nil || session.ID == "" {
		return refreshRow{}, sessionRow{}, err
	}
	return row, session, nil
}

// repeated judges a token that was rotated before, or has expired unused.
func (s *Service) repeated(tx *gorm.DB, token string, row refreshRow) (outcome, string, refreshRow, error) {
	if row.RotatedAt == 0 {
		return refused, "", row, nil
	}
	if s.stamp()-row.RotatedAt > grace.Milliseconds() {
		return reused, "", row, nil
	}
	for _, k := range s.keys { // the secret may have been rotated in between
		next := successor(k, token)
		var found refreshRow
		if err := tx.Where("hash = ?", digest(next)).Limit(1).Find(&found).Error; err != nil {
			return refused, "", row, err
		}
		if found.Hash == "" {
			continue
		}
		if found.RotatedAt != 0 { // its holder has moved on: this is not their retry
			return reused, "", row, nil
		}
		return rotated, next, found, nil
	}
	return reused, "", row, nil
}

// Logout ends the session that a refresh token belongs to. A token that means
// nothing is no error: whoever logs out is out.
func (s *Service) Logout(ctx context.Context, token string) error {
	row, session, err := s.family(s.db.WithContext(ctx), token)
	if err != nil || row.Hash == "" {
		return err
	}
	return s.end(ctx, session.UserID, session.ID)
}

// LogoutSession ends the session of who asks.
func (s *Service) LogoutSession(ctx context.Context, id Identity) error {
	return s.end(ctx, id.UserID, id.SessionID)
}

func (s *Service) end(ctx context.Context, userID int64, session string) error {
	if _, err := s.revoke(s.db.WithContext(ctx), "id = ?", session); err != nil {
		return err
	}
	s.forgetSession(session)
	s.event(ctx, slog.LevelInfo, "logout", slog.Int64("user_id", userID), slog.String("session", session))
	return nil
}
