package users

import (
	"slices"
	"time"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/templates/auth/files/internal/model"
)

type listInput struct {
	db.Query
	Sort     string  `form:"sort,default=created_at" alias:"sort_by" binding:"oneof=id username email role created_at updated_at relevance"`
	Search   string  `form:"search" binding:"max=100"`
	Role     *string `form:"role" binding:"omitnil,oneof=admin user guest"`
	IsActive *bool   `form:"is_active"`
}

// private reports whether the query would reveal fields that only administrators may read.
func (in listInput) private() bool {
	return in.Role != nil || in.IsActive != nil || in.Sort == "email" || in.Sort == "role" || in.Sort == "updated_at"
}

// view is a user as the caller may see them: ID and Username, and every field
// for the user themselves and for administrators.
type view struct {
	ID               int64      `json:"id"`
	Username         string     `json:"username"`
	Email            *string    `json:"email,omitempty" schema:"email"`
	Role             *string    `json:"role,omitempty" schema:"oneof=admin user guest"`
	IsActive         *bool      `json:"is_active,omitempty"`
	EmailConfirmedAt *time.Time `json:"email_confirmed_at,omitempty"`
	CreatedAt        *time.Time `json:"created_at,omitempty"`
	UpdatedAt        *time.Time `json:"updated_at,omitempty"`
}

func viewOf(user model.User, caller auth.Identity) view {
	v := view{ID: user.ID, Username: user.Username}
	if caller.UserID == user.ID || caller.Admin() {
		v.Email, v.Role, v.IsActive, v.EmailConfirmedAt = &user.Email, &user.Role, &user.IsActive, user.EmailConfirmedAt
		v.CreatedAt, v.UpdatedAt = &user.CreatedAt, &user.UpdatedAt
	}
	return v
}

type showInput struct {
	ID int64 `uri:"id" binding:"min=1"`
}

type createInput struct{ Body createBody }

// createBody has neither role nor is_active: nobody can grant themselves more than
// the role user.
type createBody struct {
	Username string `json:"username" binding:"required,min=3,max=50,pattern=^[^\\pZ\\pC]([^\\pC]*[^\\pZ\\pC])?$" example:"ada"`
	Email    string `json:"email" binding:"required,max=255,email" example:"ada@example.com"`
	Password string `json:"password" binding:"required" example:"Correct-Horse-7" schema:"min=8,max=128" doc:"8 to 128 characters, not a common password; fewer than 15 need upper case, lower case and a digit."` // see Check
}

// Check adds to the rules in the tags: names must not be confusable, and
// the password must meet the policy.
func (b createBody) Check() []fault.Detail {
	return slices.Concat(
		auth.NameDetails("username", b.Username),
		auth.AddressDetails("email", b.Email),
		auth.PasswordDetails("password", b.Password, b.Username, b.Email),
	)
}

func (b createBody) user(hash string) model.User {
	return model.User{Username: b.Username, Email: b.Email, PasswordHash: hash, Role: model.RoleUser, IsActive: true}
}

type updateInput struct {
	ID   int64 `uri:"id" binding:"min=1"`
	Body updateBody
}

// updateBody: absent and null fields change nothing. Role and IsActive are ignored
// unless an administrator sends them.
type updateBody struct {
	Username *string `json:"username" binding:"omitnil,min=3,max=50,pattern=^[^\\pZ\\pC]([^\\pC]*[^\\pZ\\pC])?$" example:"ada"`
	Email    *string `json:"email" binding:"omitnil,max=255,email"`
	Role     *string `json:"role" binding:"omitnil,oneof=admin user guest"`
	IsActive *bool   `json:"is_active"`
}

// Check adds to the rules in the tags: names must not be confusable.
func (b updateBody) Check() []fault.Detail {
	var details []fault.Detail
	if b.Username != nil {
		details = auth.NameDetails("username", *b.Username)
	}
	if b.Email != nil {
		details = append(details, auth.AddressDetails("email", *b.Email)...)
	}
	return details
}

// apply changes user and returns the columns that changed.
func (b updateBody) apply(user *model.User) []string {
	var changed []string
	if b.Username != nil && *b.Username != user.Username {
		user.Username = *b.Username
		changed = append(changed, "username")
	}
	if b.Email != nil && *b.Email != user.Email {
		user.Email, user.EmailConfirmedAt = *b.Email, nil // auth's EmailChanged clears the column
		changed = append(changed, "email")
	}
	if b.Role != nil && *b.Role != user.Role {
		user.Role = *b.Role
		changed = append(changed, "role")
	}
	if b.IsActive != nil && *b.IsActive != user.IsActive {
		user.IsActive = *b.IsActive
		changed = append(changed, "is_active")
	}
	return changed
}

type changePasswordInput struct{ Body changePasswordBody }

type changePasswordBody struct {
	OldPassword   string `json:"old_password" binding:"required,max=1000"`
	NewPassword   string `json:"new_password" binding:"required" schema:"min=8,max=128" doc:"8 to 128 characters, not a common password; fewer than 15 need upper case, lower case and a digit."` // see Check
	RevokeAPIKeys bool   `json:"revoke_api_keys" doc:"Also revoke all your API keys. Your other sessions always end."`
}

// Check adds the password policy to the rules in the tags. The handler checks for
// the user's own name and address, which are not known here.
func (b changePasswordBody) Check() []fault.Detail {
	return auth.PasswordDetails("new_password", b.NewPassword)
}

type message struct {
	Message string `json:"message"`
}
