// Package users serves users. Anyone may register; everything else requires a
// token. Users read, change and delete themselves, administrators everyone; of
// other users only the public fields are visible.
package users

import (
	"log/slog"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"blog/internal/model"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/web"
)

type handler struct{ db *gorm.DB }

// Module returns the routes and commands of users.
func Module(gdb *gorm.DB) web.Module {
	h := handler{gdb}
	return web.Module{
		Name: "users",
		Doc:  "User accounts.",
		Routes: []web.Route{
			web.Get("/users", h.list).Guard(auth.User()).Doc("List users"),
			web.Post("/users", h.create).Doc("Register").Fails(http.StatusConflict),
			web.Get("/users/me", h.me).Guard(auth.User()).Doc("Get the current user").ID("getCurrentUser"),
			web.Post("/users/me/change-password", h.changePassword).Guard(auth.Self()).Doc("Change your password").
				Returns(http.StatusOK).Fails(http.StatusBadRequest, http.StatusTooManyRequests),
			web.Get("/users/:id", h.show).Guard(auth.User()).Doc("Get a user"),
			web.Put("/users/:id", h.update).Guard(auth.User()).Doc("Update a user (only the fields you send)").Fails(http.StatusConflict),
			web.Patch("/users/:id", h.update).Guard(auth.User()).Doc("Update a user (only the fields you send)").Fails(http.StatusConflict),
			web.Delete("/users/:id/sessions", h.endSessions).Guard(auth.Session(), auth.Admin()).Doc("Log a user out everywhere").ID("revokeUserSessions"),
			web.Post("/users/:id/impersonate", h.impersonate).Guard(auth.Fresh(), auth.Admin()).With(auth.NoStore).Doc("Impersonate a user").ID("impersonateUser").
				Describe("Returns an access token for the user. It expires with your session, and after an hour at most. You are recorded as the actor in the log and in the user's list of sessions. Administrators cannot be impersonated.").
				Returns(http.StatusOK),
			web.Delete("/users/:id", h.remove).Guard(auth.Fresh()).Doc("Delete a user").Fails(http.StatusConflict),
		},
		Commands: []command.Command{{
			Name: "user create", Args: "--username U --email E [--admin]", Summary: "create a user; the password is prompted for or read from standard input",
			Starts: true, Run: h.createCommand,
		}},
	}
}

// list returns all users, each with the fields that the caller may read. Only
// administrators may search, filter and sort by private fields.
func (h handler) list(c *gin.Context, in listInput) (db.Page[view], error) {
	caller, _ := auth.From(c)
	tx := h.db.WithContext(db.System(c.Request.Context()))
	switch {
	case caller.Admin():
		tx = db.Search(tx, in.Search, "username", "email")
	case in.private():
		return db.Page[view]{}, fault.Forbidden("Only administrators may filter or sort users by e-mail, role or state")
	default:
		tx = db.Search(tx, in.Search, "username")
	}
	tx = db.Where(tx, "role", in.Role)
	tx = db.Where(tx, "is_active", in.IsActive)
	page, err := db.List[model.User](tx, in.Query, in.Sort)
	return db.Map(page, func(user model.User) view { return viewOf(user, caller) }), err
}

// welcome is the payload of the job mail.welcome.
type welcome struct {
	To       string `json:"to"`
	Username string `json:"username"`
}

func (h handler) create(c *gin.Context, in createInput) (model.User, error) {
	ctx := c.Request.Context()
	hash, err := auth.Of(c).Hash(ctx, in.Body.Password)
	if err != nil {
		return model.User{}, err
	}
	user := in.Body.user(hash)
	err = h.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := auth.Of(c).ReleaseEmail(tx, 0, user.Email); err != nil {
			return err
		}
		if err := tx.Create(&user).Error; err != nil {
			return err
		}
		// One mail per address, however often it is registered.
		return jobs.Enqueue(tx, "mail.welcome", welcome{user.Email, user.Username}, jobs.Unique(db.Fold(user.Email)))
	})
	if err != nil {
		return model.User{}, err
	}
	web.Location(c, user.ID)
	return user, nil
}

func (h handler) me(c *gin.Context, _ web.None) (model.User, error) {
	who, _ := auth.From(c)
	// The row is the caller's own, so Readable need not narrow the query.
	return db.Find[model.User](h.db.WithContext(db.System(c.Request.Context())), who.UserID)
}

func (h handler) changePassword(c *gin.Context, in changePasswordInput) (message, error) {
	who, _ := auth.From(c)
	if err := auth.CheckPassword("new_password", in.Body.NewPassword, who.Username); err != nil {
		return message{}, err
	}
	err := auth.Of(c).ChangePassword(c.Request.Context(), auth.ClientOf(c), who, in.Body.OldPassword, in.Body.NewPassword, in.Body.RevokeAPIKeys)
	return message{"Password changed successfully"}, err
}

func (h handler) show(c *gin.Context, in showInput) (view, error) {
	caller, _ := auth.From(c)
	user, err := db.Find[model.User](h.db.WithContext(db.System(c.Request.Context())), in.ID)
	return viewOf(user, caller), err
}

func (h handler) update(c *gin.Context, in updateInput) (model.User, error) {
	who, _ := auth.From(c)
	var (
		user    model.User
		changed []string
	)
	err := h.db.WithContext(c.Request.Context()).Transaction(func(tx *gorm.DB) error {
		var err error
		if user, err = h.own(tx, who, in.ID); err != nil {
			return err
		}
		if !who.Admin() {
			in.Body.Role, in.Body.IsActive = nil, nil
		}
		admin, email := user.Role == model.RoleAdmin && user.IsActive, user.Email
		if changed = in.Body.apply(&user); len(changed) == 0 {
			return nil
		}
		if slices.ContainsFunc(changed, sensitive) {
			if err := auth.Fresh().Check(c); err != nil {
				return err
			}
		}
		if admin && (user.Role != model.RoleAdmin || !user.IsActive) {
			if err := keepAdmin(tx, user.ID); err != nil {
				return err
			}
		}
		if user.Email != email {
			if err := auth.Of(c).ReleaseEmail(tx, user.ID, user.Email); err != nil {
				return err
			}
		}
		if err := tx.Model(&user).Select(changed).Updates(&user).Error; err != nil || user.Email == email {
			return err
		}
		return auth.Of(c).EmailChanged(tx, user.ID, email)
	})
	if err != nil {
		return model.User{}, err
	}
	if len(changed) > 0 {
		auth.Of(c).Record(c.Request.Context(), "account_changed",
			slog.Int64("user_id", user.ID), slog.Int64("by", who.UserID), slog.Any("fields", changed))
	}
	if slices.Contains(changed, "is_active") && !user.IsActive {
		return user, auth.Of(c).EndSessions(c.Request.Context(), user.ID, "")
	}
	auth.Of(c).Forget(user.ID)
	return user, nil
}

func (h handler) remove(c *gin.Context, in showInput) (web.None, error) {
	who, _ := auth.From(c)
	err := h.db.WithContext(c.Request.Context()).Transaction(func(tx *gorm.DB) error {
		user, err := h.own(tx, who, in.ID)
		if err != nil {
			return err
		}
		if err := keepAdmin(tx, user.ID); err != nil {
			return err
		}
		return tx.Delete(&user).Error
	})
	if err == nil {
		auth.Of(c).Forget(in.ID)
		auth.Of(c).Record(c.Request.Context(), "account_deleted", slog.Int64("user_id", in.ID), slog.Int64("by", who.UserID))
	}
	return web.None{}, err
}

func (h handler) endSessions(c *gin.Context, in showInput) (web.None, error) {
	ctx := c.Request.Context()
	user, err := db.Find[model.User](h.db.WithContext(ctx), in.ID)
	if err != nil {
		return web.None{}, err
	}
	return web.None{}, auth.Of(c).EndSessions(ctx, user.ID, "")
}

// impersonation is the access token of an impersonated session.
type impersonation struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in" doc:"Lifetime in seconds."`
}

func (h handler) impersonate(c *gin.Context, in showInput) (impersonation, error) {
	who, _ := auth.From(c)
	grant, err := auth.Of(c).Impersonate(c.Request.Context(), auth.ClientOf(c), who, in.ID)
	return impersonation{grant.AccessToken, "bearer", int(grant.ExpiresIn.Seconds())}, err
}

// sensitive reports whether a column decides who can log in or what they may do.
// The e-mail address does: its owner can reset the password.
func sensitive(column string) bool {
	return slices.Contains([]string{"username", "email", "role", "is_active"}, column)
}

// own returns the user to change, provided the caller may change them.
func (h handler) own(tx *gorm.DB, who auth.Identity, id int64) (model.User, error) {
	tx = tx.WithContext(db.System(tx.Statement.Context)) // to distinguish 403 from 404
	user, err := db.Find[model.User](tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}), id)
	if err == nil && user.ID != who.UserID && !who.Admin() {
		err = fault.Forbidden("Not allowed")
	}
	return user, err
}

// keepAdmin returns an error if the change would remove the last active
// administrator. It locks all of them, so that two cannot remove each other at
// the same time.
func keepAdmin(tx *gorm.DB, leaving int64) error {
	var admins []int64
	tx = tx.WithContext(db.System(tx.Statement.Context)) // all of them, for any caller
	err := tx.Model(&model.User{}).Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).
		Where("role = ? AND is_active = ?", model.RoleAdmin, true).Order("id").Pluck("id", &admins).Error
	if err == nil && len(admins) == 1 && admins[0] == leaving {
		err = fault.Conflict("The last administrator cannot be removed")
	}
	return err
}
