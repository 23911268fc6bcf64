package auth

import (
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Migrations returns the migrations that create the tables of this package. The tables
// reference users, so they must come after its migration in the project's list. Later
// versions only append to them.
func Migrations() []db.Migration {
	return []db.Migration{
		{ID: "20260101000001_create_auth_sessions", Up: up(session1{}, refreshToken1{}), Down: down("auth_refresh_tokens", "auth_sessions")},
		{ID: "20260101000002_create_auth_failures", Up: up(failure1{}), Down: down("auth_failures")},
		{ID: "20260101000003_create_auth_one_time_tokens", Up: up(oneTime1{}), Down: down("auth_one_time_tokens")},
		{ID: "20260101000004_create_auth_totp", Up: up(totp1{}, recovery1{}), Down: down("auth_recovery_codes", "auth_totp")},
		{ID: "20260101000005_create_auth_api_keys", Up: up(apiKey1{}), Down: down("auth_api_keys")},
		db.Refold("20260101000006_fold_usernames", "users", "username"),
		db.Refold("20260101000007_fold_emails", "users", "email"),
		{ID: "20260101000008_create_auth_former_emails", Up: up(formerEmail1{}), Down: down("auth_former_emails")},
		{ID: "20260101000009_create_auth_identities", Up: later(identity1{}), Down: down("auth_identities")},
		{ID: "20260101000010_create_auth_passkeys", Up: later(passkey1{}), Down: down("auth_passkeys")},
		{ID: "20260101000011_create_auth_impersonations", Up: later(impersonation1{}), Down: down("auth_impersonations")},
		{ID: "20260101000012_add_auth_sessions_factors", Up: change("ADD COLUMN factors integer NOT NULL DEFAULT 0"), Down: change("DROP COLUMN factors")},
		{ID: "20260101000013_create_auth_left_emails", Up: later(leftEmail1{}), Down: down("auth_left_emails")},
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

// later is up for tables added in a later version: auth and the users table may have
// been removed before the upgrade.
func later(tables ...any) func(*gorm.DB) error {
	return func(tx *gorm.DB) error {
		if !tx.Migrator().HasTable("users") {
			return nil
		}
		return up(tables...)(tx)
	}
}

// change alters the sessions table, if it still exists.
func change(how string) func(*gorm.DB) error {
	return func(tx *gorm.DB) error {
		if !tx.Migrator().HasTable("auth_sessions") {
			return nil
		}
		return tx.Exec("ALTER TABLE auth_sessions " + how).Error
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

// The tables as created by these migrations. The rows of a user are deleted with them,
// however that happens.

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

type formerEmail1 struct {
	UserID int64  `gorm:"primaryKey;autoIncrement:false"`
	User   user1  `gorm:"constraint:OnDelete:CASCADE"`
	Email  string `gorm:"size:255;not null"`
	Folded string `gorm:"size:255;not null;index:idx_auth_former_emails_folded"`
}

func (formerEmail1) TableName() string { return "auth_former_emails" }

type leftEmail1 struct {
	ID     int64
	UserID int64  `gorm:"not null;index:idx_auth_left_emails_user_id"`
	User   user1  `gorm:"constraint:OnDelete:CASCADE"`
	Email  string `gorm:"size:255;not null"`
	Folded string `gorm:"size:255;not null;index:idx_auth_left_emails_folded"`
	EndsAt int64  `gorm:"not null"`
}

func (leftEmail1) TableName() string { return "auth_left_emails" }

type identity1 struct {
	ID         int64
	UserID     int64  `gorm:"not null;index:idx_auth_identities_user_id"`
	User       user1  `gorm:"constraint:OnDelete:CASCADE"`
	Hash       string `gorm:"size:64;not null;uniqueIndex:idx_auth_identities_hash"`
	Issuer     string `gorm:"size:255;not null"`
	Email      string `gorm:"size:255;not null"`
	CreatedAt  int64  `gorm:"not null;autoCreateTime:false"`
	LastUsedAt int64  `gorm:"not null"`
}

func (identity1) TableName() string { return "auth_identities" }

type passkey1 struct {
	ID           int64
	UserID       int64  `gorm:"not null;index:idx_auth_passkeys_user_id"`
	User         user1  `gorm:"constraint:OnDelete:CASCADE"`
	Hash         string `gorm:"size:64;not null;uniqueIndex:idx_auth_passkeys_hash"`
	CredentialID string `gorm:"size:2046;not null"`
	Name         string `gorm:"size:100;not null"`
	Record       string `gorm:"type:text;not null"`
	CreatedAt    int64  `gorm:"not null;autoCreateTime:false"`
	LastUsedAt   int64  `gorm:"not null"`
}

func (passkey1) TableName() string { return "auth_passkeys" }

type impersonation1 struct {
	SessionID    string   `gorm:"primaryKey;size:32"`
	Session      session1 `gorm:"constraint:OnDelete:CASCADE"`
	ActorID      int64    `gorm:"not null;index:idx_auth_impersonations_actor_id"`
	ActorSession string   `gorm:"size:32;not null"`
}

func (impersonation1) TableName() string { return "auth_impersonations" }
