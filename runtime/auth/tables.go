package auth

// The rows of this package's tables. Times are Unix milliseconds; 0 means never.

type sessionRow struct {
	ID          string `gorm:"primaryKey;size:32"` // public: the sid claim
	UserID      int64
	Kind        string `gorm:"size:8"`  // kindToken or kindPage
	CookieHash  string `gorm:"size:64"` // digest of a page session's cookie
	Address     string `gorm:"size:64"`
	Agent       string `gorm:"size:255"`
	CreatedAt   int64  `gorm:"autoCreateTime:false"`
	LastUsedAt  int64
	ConfirmedAt int64 // when the password was last checked
	Factors     int   // of the login or confirmation; 0: written by an older version
	ExpiresAt   int64
	RevokedAt   int64
}

func (sessionRow) TableName() string { return "auth_sessions" }

type refreshRow struct {
	Hash      string `gorm:"primaryKey;size:64"`
	SessionID string `gorm:"size:32"`
	CreatedAt int64  `gorm:"autoCreateTime:false"`
	ExpiresAt int64
	RotatedAt int64
}

func (refreshRow) TableName() string { return "auth_refresh_tokens" }

type failureRow struct {
	Subject string `gorm:"primaryKey;size:191"`
	Tries   int
	EndsAt  int64
}

func (failureRow) TableName() string { return "auth_failures" }

type oneTimeRow struct {
	Hash      string `gorm:"primaryKey;size:64"`
	UserID    int64
	Purpose   string `gorm:"size:16"`
	Email     string `gorm:"size:255"` // recipient address
	ExpiresAt int64
}

func (oneTimeRow) TableName() string { return "auth_one_time_tokens" }

// formerEmailRow is the address of a user that stays in use until the new one is
// confirmed.
type formerEmailRow struct {
	UserID int64  `gorm:"primaryKey;autoIncrement:false"`
	Email  string `gorm:"size:255"`
	Folded string `gorm:"size:255"`
}

func (formerEmailRow) TableName() string { return "auth_former_emails" }

// leftEmailRow is an address that a user has changed away from. Until EndsAt it is
// reserved, and the user can revert to it.
type leftEmailRow struct {
	ID     int64
	UserID int64
	Email  string `gorm:"size:255"`
	Folded string `gorm:"size:255"`
	EndsAt int64  // 0: the new address is not yet confirmed
}

func (leftEmailRow) TableName() string { return "auth_left_emails" }

type totpRow struct {
	UserID      int64  `gorm:"primaryKey;autoIncrement:false"`
	Secret      string `gorm:"size:255"` // sealed
	ConfirmedAt int64  // 0: enrolment is not complete
	LastStep    int64  // the last 30-second step for which a code was accepted
}

func (totpRow) TableName() string { return "auth_totp" }

type recoveryRow struct {
	Hash   string `gorm:"primaryKey;size:64"`
	UserID int64
}

func (recoveryRow) TableName() string { return "auth_recovery_codes" }

type apiKeyRow struct {
	ID         int64
	UserID     int64
	Name       string `gorm:"size:100"`
	Prefix     string `gorm:"size:16"` // first characters of the key, to recognise it by
	Hash       string `gorm:"size:64"`
	Scopes     string `gorm:"size:1000"` // separated by spaces
	CreatedAt  int64  `gorm:"autoCreateTime:false"`
	LastUsedAt int64
	ExpiresAt  int64 // 0: never
	RevokedAt  int64
}

func (apiKeyRow) TableName() string { return "auth_api_keys" }

// identityRow links a user to a subject of an OpenID provider.
type identityRow struct {
	ID         int64
	UserID     int64
	Hash       string `gorm:"size:64"`  // digest of issuer and subject; case-sensitive on every database
	Issuer     string `gorm:"size:255"` // for display
	Email      string `gorm:"size:255"` // as given by the provider when linked
	CreatedAt  int64  `gorm:"autoCreateTime:false"`
	LastUsedAt int64
}

func (identityRow) TableName() string { return "auth_identities" }

type passkeyRow struct {
	ID           int64
	UserID       int64
	Hash         string `gorm:"size:64"`   // digest of the credential's id
	CredentialID string `gorm:"size:2046"` // hexadecimal; at most 1023 bytes (WebAuthn 3, 4)
	Name         string `gorm:"size:100"`
	Record       string
	CreatedAt    int64 `gorm:"autoCreateTime:false"`
	LastUsedAt   int64
}

func (passkeyRow) TableName() string { return "auth_passkeys" }

// account holds the columns of the project's users table that this package reads. The
// tags are used where changes are recorded.
type account struct {
	ID           int64  `json:"id"`
	Username     string `json:"username"`
	Email        string `json:"email"`
	PasswordHash string `json:"-"`
	Role         string `json:"role"`
	IsActive     bool   `json:"is_active"`
}

func (account) TableName() string { return "users" }
