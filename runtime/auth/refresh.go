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

// grace is how long a rotated refresh token is still accepted, with the same successor,
// so that parallel tabs and lost responses do not end the session.
const grace = 10 * time.Second

// Grant is the result of a login or a refresh.
type Grant struct {
	UserID         int64
	SessionID      string
	AccessToken    string
	RefreshToken   string
	ExpiresIn      time.Duration // of the access token
	RefreshExpires time.Time
}

// grant pairs a refresh token with a new access token.
func (s *Service) grant(userID int64, token string, row refreshRow) (Grant, error) {
	access, err := s.sign(userID, row.SessionID)
	return Grant{
		UserID: userID, SessionID: row.SessionID, AccessToken: access, RefreshToken: token,
		ExpiresIn: s.cfg.AccessTTL, RefreshExpires: time.UnixMilli(row.ExpiresAt),
	}, err
}

// store writes a refresh token of a session. It expires no later than the session.
func (s *Service) store(tx *gorm.DB, token string, session sessionRow) (refreshRow, error) {
	now := s.stamp()
	row := refreshRow{
		Hash: digest(token), SessionID: session.ID, CreatedAt: now,
		ExpiresAt: min(now+s.cfg.RefreshTTL.Milliseconds(), session.ExpiresAt),
	}
	err := tx.Create(&row).Error
	return row, err
}

// successor returns the only token that can follow token under k. It is derived, not
// random, so that a retry gets the same one on any replica while the database stores
// nothing usable (RFC 9700, 4.14.2).
func successor(k key, token string) string {
	mac := hmac.New(sha256.New, k.refresh)
	mac.Write([]byte(token))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// outcome is the result of presenting a refresh token.
type outcome int

const (
	refused outcome = iota // unknown, expired, or its session has ended
	rotated                // it has a successor, created now or less than grace ago
	reused                 // it was used before: a copy exists
)

// Refresh rotates a refresh token. Each token has one use and at most one successor,
// however often and on whichever replica it is presented. Presented again within 10
// seconds, and before its successor was used, it yields the same successor. Presented
// later, it is treated as stolen: the session ends, including its access tokens. Every
// rejection is the same 401 fault.
//
// The rotation is one transaction: a process that dies during it leaves either the old
// token unused, or a successor that a retry within the grace period returns.
func (s *Service) Refresh(ctx context.Context, token string) (Grant, error) {
	var (
		result  outcome
		session sessionRow
		next    string
		row     refreshRow
	)
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var err error
		// The update comes first: it takes the lock that concurrent requests wait for.
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
			return invalidToken() // rolls the update back
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

// family returns a refresh token and its session if the session is active, otherwise
// empty rows.
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

// repeated classifies a token that was rotated before, or that expired unused.
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
		if found.RotatedAt != 0 { // already used: not a retry
			return reused, "", row, nil
		}
		return rotated, next, found, nil
	}
	return reused, "", row, nil
}

// Logout ends the session of a refresh token. An unknown token is not an error, as
// there is nothing to end.
func (s *Service) Logout(ctx context.Context, token string) error {
	row, session, err := s.family(s.db.WithContext(ctx), token)
	if err != nil || row.Hash == "" {
		return err
	}
	return s.end(ctx, session.UserID, session.ID)
}

// LogoutSession ends the caller's session.
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
