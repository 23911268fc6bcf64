package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

const (
	totpStep      = 30 // seconds, RFC 6238
	recoveryCount = 10
	recoveryBytes = 15 // 120 bits
)

// Enrolment holds the parameters of an authenticator app.
type Enrolment struct {
	Secret string `json:"secret"` // base32, to type in
	URL    string `json:"url"`    // otpauth://, to show as a QR code
}

// EnrollTOTP starts the enrolment of a second factor for the caller. The new secret is
// in effect only after [Service.ConfirmTOTP]. If a factor is already confirmed, it
// returns a 409 fault: disable that first.
func (s *Service) EnrollTOTP(ctx context.Context, id Identity) (Enrolment, error) {
	generated, err := totp.Generate(totp.GenerateOpts{Issuer: s.cfg.Issuer, AccountName: id.Username})
	if err != nil {
		return Enrolment{}, err
	}
	row := totpRow{UserID: id.UserID, Secret: s.seal(generated.Secret())}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Where("user_id = ? AND confirmed_at = 0", id.UserID).Delete(&totpRow{}).Error; err != nil {
			return err
		}
		var on int64
		if err := tx.Model(&totpRow{}).Where("user_id = ?", id.UserID).Count(&on).Error; err != nil {
			return err
		}
		if on > 0 {
			return fault.Conflict("The second factor is already on")
		}
		if err := mayEnrol(tx, id); err != nil {
			return err
		}
		return tx.Create(&row).Error // the primary key rejects one of two concurrent enrolments
	})
	return Enrolment{Secret: generated.Secret(), URL: generated.URL()}, err
}

// ConfirmTOTP enables the second factor if code is a code of the secret, and returns
// the recovery codes, which cannot be shown again. A wrong code is a 422 fault.
func (s *Service) ConfirmTOTP(ctx context.Context, id Identity, code string) ([]string, error) {
	var codes []string
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := mayEnrol(tx, id); err != nil { // the user may have a factor since enrolment began
			return err
		}
		var row totpRow
		if err := tx.Where("user_id = ? AND confirmed_at = 0", id.UserID).Limit(1).Find(&row).Error; err != nil {
			return err
		}
		step, ok, err := s.stepOf(row, code)
		if err != nil {
			return err
		}
		if !ok {
			return wrongCode()
		}
		on := tx.Model(&totpRow{}).Where("user_id = ? AND confirmed_at = 0", id.UserID).
			UpdateColumns(map[string]any{"confirmed_at": s.stamp(), "last_step": step})
		if on.Error != nil || on.RowsAffected == 0 {
			return errors.Join(on.Error, wrongCode())
		}
		if codes, err = newRecoveryCodes(tx, id.UserID); err != nil {
			return err
		}
		if err := recordTwoFactors(tx, id.SessionID); err != nil {
			return err
		}
		return s.Tell(tx, id.UserID, Notice{Event: NoticeFactorAdded})
	})
	if err != nil {
		return nil, err
	}
	s.sessions.forgetKey(id.SessionID)
	s.event(ctx, slog.LevelInfo, "totp_enabled", slog.Int64("user_id", id.UserID))
	return codes, nil
}

// DisableTOTP disables the second factor and deletes the recovery codes. It returns a
// 404 fault if there is none.
func (s *Service) DisableTOTP(ctx context.Context, id Identity) error {
	if err := id.self(); err != nil {
		return err
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := affected(tx.Where("user_id = ?", id.UserID).Delete(&totpRow{}), noFactor()); err != nil {
			return err
		}
		if err := tx.Where("user_id = ?", id.UserID).Delete(&recoveryRow{}).Error; err != nil {
			return err
		}
		if err := resetFactors(tx, id.UserID); err != nil {
			return err
		}
		return s.Tell(tx, id.UserID, Notice{Event: NoticeFactorRemoved})
	})
	if err != nil {
		return err
	}
	s.Forget(id.UserID)
	s.event(ctx, slog.LevelWarn, "totp_disabled", slog.Int64("user_id", id.UserID))
	return nil
}

// RecoveryCodes replaces the recovery codes of the caller and returns the new ones,
// which cannot be shown again. Without a second factor it returns a 404 fault.
func (s *Service) RecoveryCodes(ctx context.Context, id Identity) ([]string, error) {
	var codes []string
	if err := id.self(); err != nil {
		return nil, err
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var row totpRow
		err := tx.Where("user_id = ? AND confirmed_at > 0", id.UserID).Limit(1).Find(&row).Error
		if err != nil {
			return err
		}
		if row.UserID == 0 {
			return noFactor()
		}
		if codes, err = newRecoveryCodes(tx, id.UserID); err != nil {
			return err
		}
		return s.Tell(tx, id.UserID, Notice{Event: NoticeRecoveryCodes})
	})
	if err != nil {
		return nil, err
	}
	s.event(ctx, slog.LevelInfo, "recovery_codes_made", slog.Int64("user_id", id.UserID))
	return codes, nil
}

// secondFactor reports whether code is valid for the user, or the user has no factor. A
// missing code is a 401 fault that requests it.
func (s *Service) secondFactor(ctx context.Context, userID int64, code string) (bool, error) {
	var row totpRow
	tx := s.db.WithContext(ctx)
	if err := tx.Where("user_id = ? AND confirmed_at > 0", userID).Limit(1).Find(&row).Error; err != nil || row.UserID == 0 {
		return err == nil, err
	}
	if code = strings.TrimSpace(code); code == "" {
		return false, &fault.Error{
			Status: http.StatusUnauthorized, Message: "Second factor required",
			Details: []fault.Detail{{Field: "code", Rule: "required", Message: "Code is required"}},
		}
	}
	step, ok, err := s.stepOf(row, code)
	if err != nil {
		return false, err
	}
	if ok { // each step is accepted once across all replicas
		used := tx.Model(&totpRow{}).Where("user_id = ? AND last_step < ?", userID, step).UpdateColumn("last_step", step)
		return used.RowsAffected == 1, used.Error
	}
	used := tx.Where("user_id = ? AND hash = ?", userID, digest(foldCode(code))).Delete(&recoveryRow{})
	if used.Error == nil && used.RowsAffected == 1 {
		s.event(ctx, slog.LevelWarn, "recovery_code_used", slog.Int64("user_id", userID))
	}
	return used.RowsAffected == 1, used.Error
}

// stepOf returns the time step of code: the current one or, to allow for clock skew,
// the previous or next (RFC 6238, 5.2).
func (s *Service) stepOf(row totpRow, code string) (int64, bool, error) {
	if len(code) != 6 || row.Secret == "" {
		return 0, false, nil
	}
	shared, err := s.unseal(row.Secret)
	if err != nil {
		return 0, false, err
	}
	now := s.now().Unix() / totpStep
	for _, step := range []int64{now, now - 1, now + 1} {
		want, err := hotp.GenerateCode(shared, uint64(step)) // #nosec G115 -- a time after 1970
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return step, true, nil
		}
	}
	return 0, false, nil
}

func newRecoveryCodes(tx *gorm.DB, userID int64) ([]string, error) {
	if err := tx.Where("user_id = ?", userID).Delete(&recoveryRow{}).Error; err != nil {
		return nil, err
	}
	codes := make([]string, recoveryCount)
	rows := make([]recoveryRow, recoveryCount)
	for i := range codes {
		raw := make([]byte, recoveryBytes)
		_, _ = rand.Read(raw) // never fails since Go 1.24
		text := strings.ToLower(base32.StdEncoding.EncodeToString(raw))
		codes[i] = text[:6] + "-" + text[6:12] + "-" + text[12:18] + "-" + text[18:]
		rows[i] = recoveryRow{Hash: digest(text), UserID: userID}
	}
	return codes, tx.Create(&rows).Error
}

// foldCode ignores case, spaces and dashes.
func foldCode(code string) string {
	return strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(code))
}

// seal encrypts text at rest with AES-256-GCM; the result starts with the kid of the
// key.
func (s *Service) seal(text string) string {
	k := s.keys[0]
	aead := gcm(k.seal)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	return k.kid + "." + base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), []byte(k.kid)))
}

func (s *Service) unseal(sealed string) (string, error) {
	kid, body, _ := strings.Cut(sealed, ".")
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return "", err
	}
	for _, k := range s.keys {
		aead := gcm(k.seal)
		if k.kid == kid && len(raw) > aead.NonceSize() {
			text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(kid))
			return string(text), err
		}
	}
	return "", fmt.Errorf("a second factor was encrypted with another secret (kid %s): set APP_SECRET_PREVIOUS to that one", kid)
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are always a valid key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES always supports GCM
	}
	return aead
}

func wrongCode() *fault.Error {
	return fault.Invalid(fault.Detail{Field: "code", Rule: "code", Message: "Code is wrong or expired"})
}

func noFactor() *fault.Error { return fault.NotFound("Second factor not found") }
