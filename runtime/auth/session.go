package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

const (
	kindToken = "token" // access and refresh tokens
	kindPage  = "page"  // a cookie
)

// liveSession is the state of a valid session, cached for Staleness.
type liveSession struct {
	userID         int64
	subject        string // userID as in the sub claim
	username       string
	role           string
	actorID        int64 // the administrator who impersonates the user; 0 for none
	actor          string
	actorSessionID string // the actor's own session, with which this one ends
	kind           string
	confirmed      time.Time
	expires        time.Time
	factors        int
}

// liveSession returns the session if it has not ended and its user is active.
func (s *Service) liveSession(ctx context.Context, id string) (liveSession, bool, error) {
	now := s.now()
	live, ok, err := s.sessions.get(id, now, func() (liveSession, bool, error) {
		var row struct {
			UserID      int64
			Kind        string
			ConfirmedAt int64
			ExpiresAt   int64
			Factors     int
			Username    string
			Role        string
			ActorID     int64
			Actor       string
			ActorBy     string
		}
		found := s.db.WithContext(ctx).Table("auth_sessions").
			Select("auth_sessions.user_id, auth_sessions.kind, auth_sessions.confirmed_at, auth_sessions.expires_at, users.username, users.role, "+
				"COALESCE(own.factors, auth_sessions.factors) AS factors, COALESCE(actors.id, 0) AS actor_id, COALESCE(actors.username, '') AS actor, COALESCE(own.id, '') AS actor_by").
			Joins("JOIN users ON users.id = auth_sessions.user_id").
			Joins("LEFT JOIN auth_impersonations ON auth_impersonations.session_id = auth_sessions.id").
			Joins("LEFT JOIN auth_sessions own ON own.id = auth_impersonations.actor_session AND own.revoked_at = 0 AND own.expires_at > ?", now.UnixMilli()).
			Joins("LEFT JOIN users actors ON actors.id = own.user_id AND actors.is_active = ? AND actors.role = ?", true, RoleAdmin).
			// An impersonation lasts as long as the actor's session and role, and only for users who are not administrators.
			Where("auth_impersonations.session_id IS NULL OR actors.id IS NOT NULL AND users.role <> ?", RoleAdmin).
			Where("auth_sessions.id = ? AND auth_sessions.revoked_at = 0 AND users.is_active = ?", id, true).
			Limit(1).Find(&row)
		if found.Error != nil || found.RowsAffected == 0 {
			return liveSession{}, false, found.Error
		}
		return liveSession{
			userID: row.UserID, subject: strconv.FormatInt(row.UserID, 10),
			username: row.Username, role: row.Role, kind: row.Kind, actorID: row.ActorID, actor: row.Actor, actorSessionID: row.ActorBy,
			confirmed: time.UnixMilli(row.ConfirmedAt), expires: time.UnixMilli(row.ExpiresAt), factors: row.Factors,
		}, true, nil
	})
	return live, ok && now.Before(live.expires), err
}

func (s *Service) identity(id string, live liveSession) Identity {
	return Identity{
		UserID: live.userID, Username: live.username, Role: live.role, SessionID: id, ActorID: live.actorID, Actor: live.actor,
		fresh:       live.actorID == 0 && s.now().Sub(live.confirmed) < s.cfg.FreshFor,
		lacksFactor: live.factors < 2 && slices.Contains(s.cfg.Factor, live.role),
		alive: func(ctx context.Context) (bool, error) {
			now, ok, err := s.liveSession(ctx, id)
			return ok && now.username == live.username && now.role == live.role, err
		},
	}
}

// open creates a session of user, provided that they are still active and their
// password is still the one that was checked: a change of password that commits first
// wins, one that commits later revokes the session.
func (s *Service) open(tx *gorm.DB, user account, client Client, kind, cookieHash string, fresh bool) (sessionRow, error) {
	unchanged, err := s.lockUnchanged(tx, user)
	if err != nil {
		return sessionRow{}, err
	}
	if !unchanged {
		return sessionRow{}, invalidCredentials()
	}
	if err := s.notifyNewDevice(tx, user, client); err != nil {
		return sessionRow{}, err
	}
	now := s.stamp()
	session := sessionRow{
		ID: randomID(), UserID: user.ID, Kind: kind, CookieHash: cookieHash, Address: client.Address, Agent: client.Agent,
		CreatedAt: now, LastUsedAt: now, ExpiresAt: now + s.cfg.SessionTTL.Milliseconds(),
	}
	if fresh {
		session.ConfirmedAt = now
		f, err := factorsOf(tx, user.ID)
		if err != nil {
			return sessionRow{}, err
		}
		session.Factors = f.login()
	}
	err = tx.Create(&session).Error
	return session, err
}

// SessionInfo describes a session to its owner.
type SessionInfo struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`    // token or page
	Current    bool      `json:"current"` // whether it is the caller's
	Actor      string    `json:"actor" doc:"The administrator who impersonates you in this session; empty for none."`
	Address    string    `json:"address"`
	Agent      string    `json:"agent"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// Sessions lists the caller's active sessions, most recently used first, at most
// 100.
func (s *Service) Sessions(ctx context.Context, id Identity) ([]SessionInfo, error) {
	var rows []sessionRow
	err := s.db.WithContext(ctx).
		Where("user_id = ? AND revoked_at = 0 AND expires_at > ?", id.UserID, s.stamp()).
		Order("last_used_at DESC, id").Limit(100).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	actors, err := s.actors(ctx, rows)
	list := make([]SessionInfo, len(rows))
	for i, row := range rows {
		list[i] = SessionInfo{
			ID: row.ID, Kind: row.Kind, Current: row.ID == id.SessionID, Actor: actors[row.ID], Address: row.Address, Agent: row.Agent,
			CreatedAt: instant(row.CreatedAt), LastUsedAt: instant(row.LastUsedAt), ExpiresAt: instant(row.ExpiresAt),
		}
	}
	return list, err
}

// EndSession revokes one of the caller's sessions, including its access tokens. An
// ended session, or one of another user, is a 404 fault.
func (s *Service) EndSession(ctx context.Context, id Identity, session string) error {
	if err := id.self(); err != nil {
		return err
	}
	ended, err := s.revoke(s.db.WithContext(ctx), "user_id = ? AND id = ?", id.UserID, session)
	if err != nil {
		return err
	}
	if !ended {
		return fault.NotFound("Session not found")
	}
	s.forgetSession(session)
	s.event(ctx, slog.LevelInfo, "session_revoked", slog.Int64("user_id", id.UserID), slog.String("session", session))
	return nil
}

// EndSessions revokes every session of a user, except keep if that is not empty. Use it
// when their rights change or they are deactivated.
func (s *Service) EndSessions(ctx context.Context, userID int64, keep string) error {
	if _, err := s.revoke(s.db.WithContext(ctx), "user_id = ? AND id <> ?", userID, keep); err != nil {
		return err
	}
	s.Forget(userID)
	s.event(ctx, slog.LevelInfo, "sessions_revoked", slog.Int64("user_id", userID))
	return nil
}

// Forget drops what this process has cached about the user. Call it after a change of
// their role, name or is_active.
func (s *Service) Forget(userID int64) {
	s.sessions.forget(func(_ string, live liveSession) bool { return live.userID == userID || live.actorID == userID })
	s.apiKeys.forget(func(_ string, live liveKey) bool { return live.userID == userID })
}

// forgetSession drops an ended session from the cache, and those in which its user
// impersonates others.
func (s *Service) forgetSession(id string) {
	s.sessions.forget(func(key string, live liveSession) bool { return key == id || live.actorSessionID == id })
}

// revoke ends the sessions that match where, and reports whether there were any. The
// caller drops them from the cache after the transaction has committed.
func (s *Service) revoke(tx *gorm.DB, where string, args ...any) (bool, error) {
	done := tx.Model(&sessionRow{}).Where("revoked_at = 0").Where(where, args...).UpdateColumn("revoked_at", s.stamp())
	return done.RowsAffected > 0, done.Error
}

// randomID returns 128 random bits as text.
func randomID() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return hex.EncodeToString(raw)
}

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
