package auth

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/fault"
)

// impersonationTTL is the maximum duration of an impersonation.
const impersonationTTL = time.Hour

// impersonationRow marks a session in which an actor impersonates its user.
type impersonationRow struct {
	SessionID    string `gorm:"primaryKey;size:32"`
	ActorID      int64
	ActorSession string `gorm:"size:32"` // with which this session ends
}

func (impersonationRow) TableName() string { return "auth_impersonations" }

// Impersonate opens a session in which an administrator with a fresh session
// impersonates another active user. The session has the user's rights, except for
// anything that requires their password or changes how they log in: passwords, factors,
// API keys, logins and other sessions. It has no refresh token and lasts as long as its
// access token, at most an hour. It ends when the administrator's session ends, when
// they are no longer an administrator, and when the user becomes one. The actor appears
// in the log, in the user's list of sessions and in [Identity.ActorID].
//
// It returns a 403 fault for administrators and the caller's own account, and 404
// for inactive users.
func (s *Service) Impersonate(ctx context.Context, client Client, actor Identity, userID int64) (Grant, error) {
	switch {
	case !actor.Admin() || actor.SessionID == "" || actor.ActorID != 0:
		return Grant{}, forbidden()
	case !actor.Fresh():
		return Grant{}, notFresh()
	}
	now := s.stamp()
	session := sessionRow{
		ID: randomID(), UserID: userID, Kind: kindToken, Address: client.Address, Agent: client.Agent, CreatedAt: now, LastUsedAt: now,
		ExpiresAt: now + min(s.cfg.AccessTTL, s.cfg.SessionTTL, impersonationTTL).Milliseconds(),
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var user account
		err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Where("id = ? AND is_active = ?", userID, true).Limit(1).Find(&user).Error
		switch {
		case err != nil:
			return err
		case user.ID == 0:
			return fault.NotFound("User not found")
		case user.Role == RoleAdmin:
			return fault.Forbidden("Administrators cannot be impersonated")
		}
		if err := tx.Create(&session).Error; err != nil {
			return err
		}
		return tx.Create(&impersonationRow{SessionID: session.ID, ActorID: actor.UserID, ActorSession: actor.SessionID}).Error
	})
	if err != nil {
		return Grant{}, err
	}
	s.event(ctx, slog.LevelWarn, "impersonation", slog.Int64("user_id", userID), slog.Int64("actor_id", actor.UserID), slog.String("session", session.ID), slog.String("address", client.Address))
	access, err := s.sign(userID, session.ID)
	return Grant{UserID: userID, SessionID: session.ID, AccessToken: access, ExpiresIn: min(s.cfg.AccessTTL, s.cfg.SessionTTL, impersonationTTL)}, err
}

// actors returns the usernames of the actors of sessions, by session ID.
func (s *Service) actors(ctx context.Context, sessions []sessionRow) (map[string]string, error) {
	ids := make([]string, len(sessions))
	for i, row := range sessions {
		ids[i] = row.ID
	}
	var found []struct{ SessionID, Username string }
	err := s.db.WithContext(ctx).Table("auth_impersonations").Select("auth_impersonations.session_id, users.username").
		Joins("JOIN users ON users.id = auth_impersonations.actor_id").Where("auth_impersonations.session_id IN ?", ids).Find(&found).Error
	names := map[string]string{}
	for _, f := range found {
		names[f.SessionID] = f.Username
	}
	return names, err
}
