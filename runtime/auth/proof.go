package auth

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Proof is an authentication by something other than a password: an identity
// provider or a passkey.
type Proof struct {
	UserID int64
	Method string    // as logged: "oidc"
	ID     string    // of this proof, which is valid for one login
	At     time.Time // when the user authenticated, from which the session is fresh; zero if unknown
	Strong bool      // covers two factors: no second factor is required
}

const (
	purposeSpent = "spent"

	// spentFor is how long a used proof is remembered; longer than any proof is valid.
	spentFor = time.Hour
)

// LoginWith is [Service.Login] with a proof. It requires the user's second factor,
// if there is one, unless the proof is strong; the session is as fresh as the
// proof. A reused proof is a 401 fault.
func (s *Service) LoginWith(ctx context.Context, client Client, p Proof, code string) (Grant, error) {
	var (
		row   refreshRow
		token = secret()
	)
	user, session, err := s.openWith(ctx, client, p, code, kindToken, "", func(tx *gorm.DB, session sessionRow) error {
		var err error
		row, err = s.store(tx, token, session)
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	s.event(ctx, slog.LevelInfo, "login", slog.Int64("user_id", user.ID), slog.String("session", session.ID), slog.String("address", client.Address), slog.String("method", p.Method))
	return s.grant(user.ID, token, row)
}

// LoginPageWith is [Service.LoginPage] with a proof; see [Service.LoginWith].
func (s *Service) LoginPageWith(c *gin.Context, p Proof, code string) (csrf string, err error) {
	if err := s.refuseCrossSite(c); err != nil {
		return "", err
	}
	ctx, client, cookie := c.Request.Context(), ClientOf(c), secret()
	before, beforeErr := s.pageIdentity(c)
	user, session, err := s.openWith(ctx, client, p, code, kindPage, digest(cookie), func(*gorm.DB, sessionRow) error { return nil })
	if err != nil {
		return "", err
	}
	if beforeErr == nil {
		if err := s.LogoutSession(ctx, before); err != nil {
			return "", err
		}
	}
	s.setCookie(c, s.pageCookie(c.Request), cookie, "/", http.SameSiteLaxMode, s.cfg.SessionTTL)
	s.event(ctx, slog.LevelInfo, "login", slog.Int64("user_id", user.ID), slog.String("session", session.ID), slog.String("address", client.Address), slog.String("method", p.Method))
	NoStore(c)
	return formToken(s.keys[0], cookie), nil
}

// ConfirmWith is [Service.Confirm] with a recent proof of the caller. A proof of
// another user, or without the time of authentication, is a 400 fault.
func (s *Service) ConfirmWith(ctx context.Context, client Client, id Identity, p Proof, code string) error {
	if err := id.self(); err != nil {
		return err
	}
	if p.UserID != id.UserID || s.now().Sub(p.At) >= s.cfg.FreshFor {
		return wrongIdentity()
	}
	if _, err := s.prove(ctx, client, p, code); err != nil {
		return signedInError(err)
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.spend(tx, p); err != nil {
			return signedInError(err)
		}
		factors, err := p.factors(tx)
		if err != nil {
			return err
		}
		return confirmed(tx, id.SessionID, s.confirmed(p), factors)
	})
	if err != nil {
		return err
	}
	s.sessions.forgetKey(id.SessionID)
	s.event(ctx, slog.LevelInfo, "login_confirmed", slog.Int64("user_id", id.UserID), slog.String("session", id.SessionID), slog.String("method", p.Method))
	return nil
}

// Disprove records a failed proof, which counts towards locking the address, and
// returns the error to respond with: a 401 fault, as for a wrong password, or 429.
func (s *Service) Disprove(ctx context.Context, client Client, method string) error {
	_, byAddress := counters(client, "", account{})
	if err := s.locked(ctx, byAddress); err != nil {
		return err
	}
	s.event(ctx, slog.LevelWarn, "login_failed", slog.String("address", client.Address), slog.String("method", method))
	if err := s.failed(ctx, byAddress); err != nil {
		return err
	}
	return invalidCredentials()
}

// openWith opens a session of a kind with a proof; more runs in its transaction.
func (s *Service) openWith(ctx context.Context, client Client, p Proof, code, kind, cookieHash string, more func(*gorm.DB, sessionRow) error) (account, sessionRow, error) {
	var session sessionRow
	user, err := s.prove(ctx, client, p, code)
	if err != nil {
		return user, session, err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.spend(tx, p); err != nil {
			return err
		}
		if session, err = s.open(tx, user, client, kind, cookieHash, false); err != nil {
			return err
		}
		factors, err := p.factors(tx)
		if err != nil {
			return err
		}
		if err := confirmed(tx, session.ID, s.confirmed(p), factors); err != nil {
			return err
		}
		return more(tx, session)
	})
	return user, session, err
}

// prove checks that a proof belongs to an active user and, unless it is strong,
// checks the second factor. As in verify, attempts are serialized and counted.
func (s *Service) prove(ctx context.Context, client Client, p Proof, code string) (account, error) {
	var user account
	if err := s.db.WithContext(ctx).Where("id = ?", p.UserID).Limit(1).Find(&user).Error; err != nil {
		return user, err
	}
	byAccount, byAddress := counters(client, "", user)
	leave, err := s.hasher.enter(ctx, client.network())
	if err != nil {
		return user, err
	}
	defer leave()
	if err := s.locked(ctx, byAccount, byAddress); err != nil {
		return user, err
	}
	ok := user.ID != 0 && user.IsActive
	if ok && !p.Strong {
		if ok, err = s.secondFactor(ctx, user.ID, code); err != nil {
			return user, err
		}
	}
	if !ok {
		s.event(ctx, slog.LevelWarn, "login_failed", slog.Int64("user_id", user.ID), slog.String("address", client.Address), slog.String("method", p.Method))
		if err := s.failed(ctx, byAccount, byAddress); err != nil {
			return user, err
		}
		return user, invalidCredentials()
	}
	return user, s.succeeded(ctx, byAccount)
}

// spend marks a proof as used: of two concurrent logins with it, one succeeds.
func (s *Service) spend(tx *gorm.DB, p Proof) error {
	row := oneTimeRow{Hash: digest(p.Method + " " + p.ID), UserID: p.UserID, Purpose: purposeSpent, ExpiresAt: s.now().Add(spentFor).UnixMilli()}
	err := tx.Create(&row).Error
	if err != nil && fault.From(err).Status == http.StatusConflict {
		return invalidCredentials()
	}
	return err
}

// factors returns how many factors a proof and the second factor amount to.
func (p Proof) factors(tx *gorm.DB) (int, error) {
	if p.Strong {
		return 2, nil
	}
	f, err := factorsOf(tx, p.UserID)
	return f.login(), err
}

// confirmed returns the stored time of a proof: never later than now, whatever the
// provider's clock says.
func (s *Service) confirmed(p Proof) int64 {
	if p.At.IsZero() {
		return 0
	}
	return min(p.At.UnixMilli(), s.stamp())
}
