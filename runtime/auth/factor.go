package auth

import (
	"context"
	"log/slog"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

// factors are the second factors of a user.
type factors struct {
	TOTP, Passkey bool
}

// factorsOf returns the second factors of a user.
func factorsOf(tx *gorm.DB, userID int64) (f factors, err error) {
	err = tx.Session(&gorm.Session{NewDB: true}).Raw("SELECT EXISTS (SELECT 1 FROM auth_totp WHERE user_id = ? AND confirmed_at > 0) AS totp, "+
		"EXISTS (SELECT 1 FROM auth_passkeys WHERE user_id = ?) AS passkey", userID, userID).Scan(&f).Error
	return f, err
}

// any reports whether the user has a second factor; a passkey counts as two factors.
func (f factors) any() bool { return f.TOTP || f.Passkey }

// login returns how many factors a password login of the user verifies: it requires the
// code of an authenticator app if there is one.
func (f factors) login() int {
	if f.TOTP {
		return 2
	}
	return 1
}

// mayEnrol returns a 403 fault for a session without the second factor that its role
// requires, if the user has one: they must use it, so that a password alone is not
// enough to add another.
func mayEnrol(tx *gorm.DB, id Identity) error {
	if err := id.self(); err != nil {
		return err
	}
	if !id.lacksFactor {
		return nil
	}
	f, err := factorsOf(tx, id.UserID)
	if err == nil && f.any() {
		err = factorRequired()
	}
	return err
}

// confirmed records when, and with how many factors, the user of a session last
// authenticated; the number of factors of a session never decreases.
func confirmed(tx *gorm.DB, session string, at int64, factors int) error {
	set := map[string]any{"confirmed_at": at}
	if factors > 1 {
		set["factors"] = factors
	}
	return tx.Model(&sessionRow{}).Where("id = ? AND revoked_at = 0", session).UpdateColumns(set).Error
}

// resetFactors resets the sessions of a user to one factor if they have no second
// factor left.
func resetFactors(tx *gorm.DB, userID int64) error {
	if f, err := factorsOf(tx, userID); err != nil || f.any() {
		return err
	}
	return tx.Session(&gorm.Session{NewDB: true}).Model(&sessionRow{}).Where("user_id = ?", userID).UpdateColumn("factors", 1).Error
}

// recordTwoFactors records that a session was authenticated with two factors.
func recordTwoFactors(tx *gorm.DB, session string) error {
	return tx.Session(&gorm.Session{NewDB: true}).Model(&sessionRow{}).Where("id = ?", session).UpdateColumn("factors", 2).Error
}

// RemoveFactors removes the second factor, recovery codes and passkeys of the user with
// this name, ignoring case, ends their sessions and notifies them. It is for operators
// who have verified the user's identity: a user who lost their device, or to whose
// account an attacker added a factor, cannot log in after a password reset (ASVS 5,
// 6.4.3 and 6.4.4). It returns the user's UserID and Username, and a 404 fault if there
// is no such user.
func (s *Service) RemoveFactors(ctx context.Context, username string) (Identity, error) {
	user, err := s.findUser(ctx, username)
	if err == nil && user.ID == 0 {
		err = fault.NotFound("User not found")
	}
	if err != nil {
		return Identity{}, err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, rows := range []any{&totpRow{}, &recoveryRow{}, &passkeyRow{}} {
			if err := tx.Where("user_id = ?", user.ID).Delete(rows).Error; err != nil {
				return err
			}
		}
		if _, err := s.revoke(tx, "user_id = ?", user.ID); err != nil {
			return err
		}
		return s.Tell(tx, user.ID, Notice{Event: NoticeFactorRemoved, About: "by an operator, who also removed your passkeys and logged you out"})
	})
	if err != nil {
		return Identity{}, err
	}
	s.Forget(user.ID)
	s.event(ctx, slog.LevelWarn, "factors_removed", slog.Int64("user_id", user.ID))
	return Identity{UserID: user.ID, Username: user.Username}, nil
}
