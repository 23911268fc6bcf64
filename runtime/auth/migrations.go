package auth

import (
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Migrations makes the tables of this package. They refer to the table users,
// so they follow its migration in the project's list. A later version may
// append to them and changes none.
func Migrations() []db.Migration {
	return []db.Migration{
		{ID: "20260101000001_create_auth_sessions", Up: up(session1{}, refreshToken1{}), Down: down("auth_refresh_tokens", "auth_sessions")},
		{ID: "20260101000002_create_auth_failures", Up: up(failure1{}), Down: down("auth_failures")},
		{ID: "20260101000003_create_auth_one_time_tokens", Up: up(oneTime1{}), Down: down("auth_one_time_tokens")},
		{ID: "20260101000004_create_auth_totp", Up: up(totp1{}, recovery1{}), Down: down("auth_recovery_codes", "auth_totp")},
		{ID: "20260101000005_create_auth_api_keys", Up: up(apiKey1{}), Down: down("auth_api_keys")},
		db.Refold("20260101000006_fold_usernames", "users", "username"),
		db.Refold("20260101000007_fold_emails", "users", "email"),
	}
}

func up(tables ...any) func(*gorm.DB) error {
	return func(tx *gorm.DB) error {
		for _, table := range tables {
			if err := tx.Migrator().CreateTable(table); err != nil {
				return err
			}
		}
		return nil
	}
}

func down(tables ...string) func(*gorm.DB) error {
	return func(tx *gorm.DB) error {
		for _, table := range tables {
			if err := tx.Migrator().DropTable(table); err != nil {
				return err
			}
		}
		return nil
	}
}

// The tables as these migrations made them. What belongs to a user goes with
// him, however his row is deleted.

type user1 struct{ ID int64 }

func (user1) TableName() string { return "users" }

type session1 struct {
	ID          string `gorm:"primaryKey;size:32"`
	UserID      int64  `gorm:"not null;index:idx_auth_sessions_user_id"`
	User        user1  `gorm:"constraint:OnDelete:CASCADE"`
	Kind        string `gorm:"size:8;not null"`
	CookieHash  string `gorm:"size:64;not null;index:idx_auth_sessions_cookie_hash"`
	Address     string `gorm:"size:64;not null"`
	Agent       string `gorm:"size:255;not null"`
	CreatedAt   int64  `gorm:"not null;autoCreateTime:false"`
	LastUsedAt  int64  `gorm:"not null"`
	ConfirmedAt int64  `gorm:"not null"`
	ExpiresAt   int64  `gorm:"not null;index:idx_auth_sessions_expires_at"`
	RevokedAt   int64  `gorm:"not null"`
}

func (session1) TableName() string { return "auth_sessions" }

type refreshToken1 struct {
	Hash      string   `gorm:"primaryKey;size:64"`
	SessionID string   `gorm:"size:32;not null;index:idx_auth_refresh_tokens_session_id"`
	Session   session1 `gorm:"constraint:OnDelete:CASCADE"`
	CreatedAt int64    `gorm:"not null;autoCreateTime:false"`
	ExpiresAt int64    `gorm:"not null;index:idx_auth_refresh_tokens_expires_at"`
	RotatedAt int64    `gorm:"not null"`
}

func (refreshToken1) TableName() string { return "auth_refresh_tokens" }

type failure1 struct {
	Subject string `gorm:"primaryKey;size:191"`
	Tries   int    `gorm:"not null"`
	EndsAt  int64  `gorm:"not null;index:idx_auth_failures_ends_at"`
}

func (failure1) TableName() string { return "auth_failures" }

type oneTime1 struct {
	Hash      string `gorm:"primaryKey;size:64"`
	UserID    int64  `gorm:"not null;index:idx_auth_one_time_tokens_user_id"`
	User      user1  `gorm:"constraint:OnDelete:CASCADE"`
	Purpose   string `gorm:"size:16;not null"`
	Email     string `gorm:"size:255;not null"`
	ExpiresAt int64  `gorm:"not null;index:idx_auth_one_time_tokens_expires_at"`
}

func (oneTime1) TableName() string { return "auth_one_time_tokens" }

type totp1 struct {
	UserID      int64  `gorm:"primaryKey;autoIncrement:false"`
	User        user1  `gorm:"constraint:OnDelete:CASCADE"`
	Secret      string `gorm:"size:255;not null"`
	ConfirmedAt int64  `gorm:"not null"`
	LastStep    int64  `gorm:"not null"`
}

func (totp1) TableName() string { return "auth_totp" }

type recovery1 struct {
	Hash   string `gorm:"primaryKey;size:64"`
	UserID int64  `gorm:"not null;index:idx_auth_recovery_codes_user_id"`
	User   user1  `gorm:"constraint:OnDelete:CASCADE"`
}

func (recovery1) TableName() string { return "auth_recovery_codes" }

type apiKey1 struct {
	ID         int64
	UserID     int64  `gorm:"not null;index:idx_auth_api_keys_user_id"`
	User       user1  `gorm:"constraint:OnDelete:CASCADE"`
	Name       string `gorm:"size:100;not null"`
	Prefix     string `gorm:"size:16;not null"`
	Hash       string `gorm:"size:64;not null;uniqueIndex:idx_auth_api_keys_hash"`
	Scopes     string `gorm:"size:1000;not null"`
	CreatedAt  int64  `gorm:"not null;autoCreateTime:false"`
	LastUsedAt int64  `gorm:"not null"`
	ExpiresAt  int64  `gorm:"not null"`
	RevokedAt  int64  `gorm:"not null"`
}

func (apiKey1) TableName() string { return "auth_api_keys" }
