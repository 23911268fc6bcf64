package organisations

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/organisations"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/templates/organisations/files/internal/model"
)

// Members are changed by people only: a leaked API key must not let anyone in.
// Changing who manages an organisation requires a recently confirmed password, as a
// transfer does (see confirmed).
func (h handler) memberRoutes() []web.Route {
	member, admin, owner := organisations.Member(h.db), organisations.Admin(h.db), organisations.Owner(h.db)
	return []web.Route{
		web.Get("/organisations/:organisation/members", h.members).Guard(member).Doc("List the members of an organisation"),
		web.Patch("/organisations/:organisation/members/:user", h.changeRole).Guard(auth.Session(), admin).Doc("Change the role of a member").
			Describe("A new role requires a password that was confirmed recently.").Fails(http.StatusConflict),
		web.Delete("/organisations/:organisation/members/:user", h.removeMember).Guard(auth.Session(), admin).Doc("Remove a member").
			Describe("Owners and admins are removed only with a password that was confirmed recently.").Fails(http.StatusConflict),
		web.Post("/organisations/:organisation/leave", h.leave).Guard(auth.Session(), member).Doc("Leave an organisation").
			Describe("Owners and admins leave only with a password that was confirmed recently.").Fails(http.StatusConflict),
		web.Post("/organisations/:organisation/transfer", h.transfer).Guard(auth.Fresh(), owner).Doc("Transfer ownership to another member").Returns(http.StatusOK),
	}
}

func (h handler) members(c *gin.Context, in membersInput) (db.Page[member], error) {
	tx := h.db.WithContext(c.Request.Context()).
		Select("memberships.id", "memberships.user_id", "users.username", "memberships.role", "memberships.created_at").
		Joins("JOIN users ON users.id = memberships.user_id").
		Where("memberships.organisation_id = ?", in.Organisation)
	return db.List[member](db.Where(tx, "role", in.Role), in.Query, in.Sort)
}

func (h handler) changeRole(c *gin.Context, in roleInput) (member, error) {
	var before string
	err := h.locked(c, func(tx *gorm.DB) error {
		row, err := h.changeable(c, tx, in.User)
		if err != nil {
			return err
		}
		before = row.Role
		if in.Body.Role == organisations.RoleOwner && !organisations.Of(c).Is(organisations.RoleOwner) {
			return fault.Forbidden("Only owners of the organisation may do this")
		}
		if row.Role == organisations.RoleOwner && in.Body.Role != organisations.RoleOwner {
			if err := organisations.KeepOwner(tx, row.OrganisationID, row.UserID); err != nil {
				return err
			}
		}
		if row.Role != in.Body.Role {
			if err := confirmed(c); err != nil {
				return err
			}
		}
		if err := setRole(tx, row, in.Body.Role); err != nil || row.Role == in.Body.Role || in.Body.Role != organisations.RoleOwner {
			return err
		}
		return tellOwners(c, tx, row)
	})
	if err != nil {
		return member{}, err
	}
	if before != in.Body.Role {
		record(c, "member_role_changed", in.Organisation, slog.Int64("user_id", in.User), slog.String("role", in.Body.Role))
	}
	return h.member(c, in.Organisation, in.User)
}

func (h handler) removeMember(c *gin.Context, in memberInput) (web.None, error) {
	err := h.locked(c, func(tx *gorm.DB) error {
		row, err := h.changeable(c, tx, in.User)
		if err != nil {
			return err
		}
		return drop(c, tx, row)
	})
	if err == nil {
		record(c, "member_removed", in.Organisation, slog.Int64("user_id", in.User))
	}
	return web.None{}, err
}

func (h handler) leave(c *gin.Context, in organisationInput) (web.None, error) {
	caller := organisations.Of(c)
	err := h.locked(c, func(tx *gorm.DB) error {
		row, err := find(tx, in.Organisation, caller.UserID)
		if err != nil {
			return err
		}
		return drop(c, tx.WithContext(db.System(tx.Statement.Context)), row) // with any role
	})
	if err == nil {
		record(c, "member_left", in.Organisation, slog.Int64("user_id", caller.UserID))
	}
	return web.None{}, err
}

func (h handler) transfer(c *gin.Context, in transferInput) (member, error) {
	caller := organisations.Of(c)
	if in.Body.UserID == caller.UserID {
		return member{}, fault.Invalid(fault.Detail{Field: "user_id", Rule: "ne", Message: "User must be another member"})
	}
	err := h.locked(c, func(tx *gorm.DB) error {
		row, err := find(tx, in.Organisation, in.Body.UserID)
		if fault.From(err) != nil && fault.From(err).Status == http.StatusNotFound {
			return fault.Invalid(fault.Detail{Field: "user_id", Rule: "exists", Message: "User is not a member"})
		}
		if err != nil {
			return err
		}
		if err := setRole(tx, row, organisations.RoleOwner); err != nil {
			return err
		}
		if err := tellOwners(c, tx, row); err != nil {
			return err
		}
		if caller.Role == "" { // an administrator of the application transfers it on behalf of others
			return nil
		}
		own, err := find(tx, in.Organisation, caller.UserID)
		if err != nil {
			return err
		}
		if err := organisations.KeepOwner(tx, in.Organisation, caller.UserID); err != nil {
			return err
		}
		return setRole(tx, own, organisations.RoleAdmin)
	})
	if err != nil {
		return member{}, err
	}
	record(c, "ownership_transferred", in.Organisation, slog.Int64("user_id", in.Body.UserID))
	return h.member(c, in.Organisation, in.Body.UserID)
}

// changeable returns the member that the caller, an admin, wants to change. Only
// owners may change owners.
func (h handler) changeable(c *gin.Context, tx *gorm.DB, userID int64) (model.Membership, error) {
	caller := organisations.Of(c)
	row, err := find(tx, caller.OrganisationID, userID)
	if err == nil && !caller.Is(row.Role) {
		err = fault.Forbidden("Only owners of the organisation may do this")
	}
	return row, err
}

func find(tx *gorm.DB, organisationID, userID int64) (model.Membership, error) {
	var row model.Membership
	err := tx.Where("organisation_id = ? AND user_id = ?", organisationID, userID).Limit(1).Find(&row).Error
	if err == nil && row.ID == 0 {
		err = fault.NotFound("Member not found")
	}
	return row, err
}

func setRole(tx *gorm.DB, row model.Membership, role string) error {
	if role == organisations.RoleMember {
		if err := withdraw(tx, row); err != nil {
			return err
		}
	}
	return tx.Model(&row).Update("role", role).Error
}

// tellOwners notifies the owners of an organisation, and the member, that the member
// is an owner now: it may have been an administrator who did it.
func tellOwners(c *gin.Context, tx *gorm.DB, row model.Membership) error {
	tx = tx.WithContext(db.System(tx.Statement.Context))
	var (
		added  struct{ Username, Name string }
		owners []int64
	)
	err := tx.Model(&model.Membership{}).Select("users.username", "organisations.name").
		Joins("JOIN users ON users.id = memberships.user_id").
		Joins("JOIN organisations ON organisations.id = memberships.organisation_id").
		Where("memberships.id = ?", row.ID).Take(&added).Error
	if err != nil {
		return err
	}
	err = tx.Model(&model.Membership{}).Where("organisation_id = ? AND role = ?", row.OrganisationID, organisations.RoleOwner).Pluck("user_id", &owners).Error
	for _, owner := range owners {
		if err == nil {
			err = auth.Of(c).Tell(tx, owner, auth.Notice{Event: auth.NoticeOwnerAdded, About: added.Username + ", of " + added.Name})
		}
	}
	return err
}

// confirmed returns a 403 fault unless the caller is a person who confirmed their
// password recently. Someone else at an open session, or an administrator who
// impersonates its user, does not change who manages an organisation.
func confirmed(c *gin.Context) error { return auth.Fresh().Check(c) }

// drop removes a member from the organisation, unless they are the last owner.
func drop(c *gin.Context, tx *gorm.DB, row model.Membership) error {
	if row.Role != organisations.RoleMember {
		if err := confirmed(c); err != nil {
			return err
		}
	}
	if row.Role == organisations.RoleOwner {
		if err := organisations.KeepOwner(tx, row.OrganisationID, row.UserID); err != nil {
			return err
		}
	}
	if err := withdraw(tx, row); err != nil {
		return err
	}
	return tx.Delete(&row).Error
}

// withdraw revokes the open invitations of a member who may no longer invite.
func withdraw(tx *gorm.DB, row model.Membership) error {
	return expire(tx.Where("organisation_id = ? AND invited_by = ?", row.OrganisationID, row.UserID), time.Now())
}

// member returns what other members may see of one.
func (h handler) member(c *gin.Context, organisationID, userID int64) (member, error) {
	var row member
	err := h.db.WithContext(c.Request.Context()).
		Select("memberships.id", "memberships.user_id", "users.username", "memberships.role", "memberships.created_at").
		Joins("JOIN users ON users.id = memberships.user_id").
		Where("memberships.organisation_id = ? AND memberships.user_id = ?", organisationID, userID).
		Take(&row).Error
	return row, err
}
