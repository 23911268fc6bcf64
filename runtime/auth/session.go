package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

const (
	kindToken = "token" // access and refresh tokens
	kindPage  = "page"  // a cookie
)

// liveSession is what is known, for Staleness, of a session that holds.
type liveSession struct {
	userID    int64
	subject   string // userID as the claim sub has it
	username  string
	role      string
	kind      string
	confirmed time.Time
	expires   time.Time
}

// liveSession finds a session that has neither ended nor lost its user.
func (s *Service) liveSession(ctx context.Context, id string) (liveSession, bool, error) {
	now := s.now()
	live, ok, err := s.sessions.get(id, now, func() (liveSession, bool, error) {
		var row struct {
			UserID      int64
			Kind        string
			ConfirmedAt int64
			ExpiresAt   int64
			Username    string
			Role        string
		}
		found := s.db.WithContext(ctx).Table("auth_sessions").
			Select("auth_sessions.user_id, auth_sessions.kind, auth_sessions.confirmed_at, auth_sessions.expires_at, users.username, users.role").
			Joins("JOIN users ON users.id = auth_sessions.user_id").
			Where("auth_sessions.id = ? AND auth_sessions.revoked_at = 0 AND users.is_active = ?", id, true).
			Limit(1).Find(&row)
		if found.Error != nil || found.RowsAffected == 0 {
			return liveSession{}, false, found.Error
		}
		return liveSession{
			userID: row.UserID, subject: strconv.FormatInt(row.UserID, 10),
			username: row.Username, role: row.Role, kind: row.Kind,
			confirmed: time.UnixMilli(row.ConfirmedAt), expires: time.UnixMilli(row.ExpiresAt),
		}, true, nil
	})
	return live, ok && now.Before(live.expires), err
}

func (s *Service) identity(id string, live liveSession) Identity {
	return Identity{
		UserID: live.userID, Username: live.username, Role: live.role, SessionID: id,
		fresh: s.now().Sub(live.confirmed) < s.cfg.FreshFor,
		alive: func(ctx context.Context) (bool, error) {
			_, ok, err := s.liveSession(ctx, id)
			return ok, err
		},
	}
}

// open writes a new session of user, provided that he is still active and his
// password is still the one that was checked: a change of password that
// commits first wins, one that commits later revokes the session.
func (s *Service) open(tx *gorm.DB, user account, client Client, kind, cookieHash string) (sessionRow, error) {
	unchanged, err := s.lockUnchanged(tx, user)
	if err != nil {
		return sessionRow{}, err
	}
	if !unchanged {
		return sessionRow{}, invalidCredentials()
	}
	now := s.stamp()
	session := sessionRow{
		ID: randomID(), UserID: user.ID, Kind: kind, CookieHash: cookieHash, Address: client.Address, Agent: client.Agent,
		CreatedAt: now, LastUsedAt: now, ConfirmedAt: now, ExpiresAt: now + s.cfg.SessionTTL.Milliseconds(),
	}
	err = tx.Create(&session).Error
	return session, err
}

// SessionInfo is a session as its owner sees it.
type SessionInfo struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`    // token or page
	Current    bool      `json:"current"` // the one that asks
	Address    string    `json:"address"`
	Agent      string    `json:"agent"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// Sessions lists the live sessions of who asks, the last used first, at most
// 100.
func (s *Service) Sessions(ctx context.Context, id Identity) ([]SessionInfo, error) {
	var rows []sessionRow
	err := s.db.WithContext(ctx).
		Where("user_id = ? AND revoked_at = 0 AND expires_at > ?", id.UserID, s.stamp()).
		Order("last_used_at DESC, id").Limit(100).Find(&rows).Error
	list := make([]SessionInfo, len(rows))
	for i, row := range rows {
		list[i] = SessionInfo{
			ID: row.ID, Kind: row.Kind, Current: row.ID == id.SessionID, Address: row.Address, Agent: row.Agent,
			CreatedAt: instant(row.CreatedAt), LastUsedAt: instant(row.LastUsedAt), ExpiresAt: instant(row.ExpiresAt),
		}
	}
	return list, err
}

// EndSession revokes one session of who asks, its access tokens too. A
// session that is not his, or over, is a 404 fault.
func (s *Service) EndSession(ctx context.Context, id Identity, session string) error {
	ended, err := s.revoke(s.db.WithContext(ctx), "user_id = ? AND id = ?", id.UserID, session)
	if err != nil {
		return err
	}
	if !ended {
		return fault.NotFound("Session not found")
	}
	s.sessions.forgetKey(session)
	s.event(ctx, slog.LevelInfo, "session_revoked", slog.Int64("user_id", id.UserID), slog.String("session", session))
	return nil
}

// EndSessions revokes every session of a user, except the one named by keep
// unless that is "". Use it when his rights change or he is deactivated.
func (s *Service) EndSessions(ctx context.Context, userID int64, keep string) error {
	if _, err := s.revoke(s.db.WithContext(ctx), "user_id = ? AND id <> ?", userID, keep); err != nil {
		return err
	}
	s.Forget(userID)
	s.event(ctx, slog.LevelInfo, "sessions_revoked", slog.Int64("user_id", userID))
	return nil
}

// Forget makes this process look at the database again before it believes
// anything about the user. Call it after his role, name or activity changed.
func (s *Service) Forget(userID int64) {
	s.sessions.forget(func(_ string, live liveSession) bool { return live.userID == userID })
	s.apiKeys.forget(func(_ string, live liveKey) bool { return live.userID == userID })
}

// revoke ends the sessions that where means, and says whether there were any.
// The caller forgets them afterwards, when the transaction has committed.
func (s *Service) revoke(tx *gorm.DB, where string, args ...any) (bool, error) {
	done := tx.Model(&sessionRow{}).Where("revoked_at = 0").Where(where, args...).UpdateColumn("revoked_at", s.stamp())
	return done.RowsAffected > 0, done.Error
}

// randomID is 128 random bits as text.
func randomID() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return hex.EncodeToString(raw)
}

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
