// Package organisations serves organisations, their members and invitations to
// join them. The guards of the routes decide who may do what.
package organisations

import (
	"log/slog"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/organisations"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/templates/organisations/files/internal/model"
)

type handler struct {
	db     *gorm.DB
	outbox outbox
}

// Module returns the routes of organisations. url is the address of the
// application: links in mails begin with it.
func Module(url string, sender mail.Config, gdb *gorm.DB, queue *jobs.Queue) web.Module {
	outbox, err := newOutbox(url, sender)
	if err != nil {
		return web.Module{Name: "organisations", Err: err}
	}
	h := handler{gdb, outbox}
	jobs.Handle(queue, inviteJob, h.sendInvitation)
	jobs.Handle(queue, purgeJob, h.purge)
	jobs.Schedule(queue, "41 3 * * *", purgeJob, struct{}{})
	return web.Module{
		Name:   "organisations",
		Routes: slices.Concat(h.organisationRoutes(), h.memberRoutes(), h.invitationRoutes()),
	}
}

func (h handler) organisationRoutes() []web.Route {
	member, admin, owner := organisations.Member(h.db), organisations.Admin(h.db), organisations.Owner(h.db)
	return []web.Route{
		web.Get("/organisations", h.list).Guard(auth.User()).Doc("List your organisations"),
		web.Post("/organisations", h.create).Guard(auth.User()).Doc("Create an organisation (you become its owner)"),
		web.Get("/organisations/:organisation", h.show).Guard(member).Doc("Get an organisation"),
		web.Put("/organisations/:organisation", h.update).Guard(admin).Doc("Rename an organisation"),
		web.Patch("/organisations/:organisation", h.update).Guard(admin).Doc("Rename an organisation"),
		web.Delete("/organisations/:organisation", h.remove).Guard(auth.Fresh(), owner).Doc("Delete an organisation, unless rows belong to it").Fails(http.StatusConflict),
	}
}

func (h handler) list(c *gin.Context, in listInput) (db.Page[organisation], error) {
	caller, _ := auth.From(c)
	tx := h.db.WithContext(c.Request.Context()).
		Select("organisations.id", "organisations.name", "memberships.role", "organisations.created_at", "organisations.updated_at").
		Joins("JOIN memberships ON memberships.organisation_id = organisations.id AND memberships.user_id = ?", caller.UserID)
	return db.List[organisation](db.Search(tx, in.Search, "name"), in.Query, in.Sort)
}

func (h handler) create(c *gin.Context, in createInput) (organisation, error) {
	caller, _ := auth.From(c)
	row := model.Organisation{Name: in.Body.Name}
	err := h.db.WithContext(c.Request.Context()).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return tx.Create(&model.Membership{OrganisationID: row.ID, UserID: caller.UserID, Role: organisations.RoleOwner}).Error
	})
	if err != nil {
		return organisation{}, err
	}
	record(c, "organisation_created", row.ID)
	web.Location(c, row.ID)
	return organisation{row, organisations.RoleOwner}, nil
}

func (h handler) show(c *gin.Context, in organisationInput) (organisation, error) {
	row, err := db.Find[model.Organisation](h.db.WithContext(c.Request.Context()), in.Organisation)
	return organisation{row, organisations.Of(c).Role}, err
}

func (h handler) update(c *gin.Context, in updateInput) (organisation, error) {
	tx := h.db.WithContext(c.Request.Context())
	row, err := db.Find[model.Organisation](tx, in.Organisation)
	if err == nil && in.Body.Name != nil && *in.Body.Name != row.Name {
		row.Name = *in.Body.Name
		err = tx.Model(&row).Select("name").Updates(&row).Error
		record(c, "organisation_renamed", row.ID)
	}
	return organisation{row, organisations.Of(c).Role}, err
}

func (h handler) remove(c *gin.Context, in organisationInput) (web.None, error) {
	err := h.locked(c, func(tx *gorm.DB) error {
		return tx.Delete(&model.Organisation{ID: in.Organisation}).Error
	})
	if err == nil {
		record(c, "organisation_deleted", in.Organisation)
	}
	return web.None{}, err
}

// locked runs work in a transaction that locks the members of the organisation in
// the path.
func (h handler) locked(c *gin.Context, work func(tx *gorm.DB) error) error {
	return h.db.WithContext(c.Request.Context()).Transaction(func(tx *gorm.DB) error {
		if err := organisations.Of(c).Lock(tx); err != nil {
			return err
		}
		return work(tx)
	})
}

// record writes to the security log what the caller did to an organisation.
func record(c *gin.Context, event string, organisationID int64, attrs ...slog.Attr) {
	caller, _ := auth.From(c)
	attrs = append(attrs, slog.Int64("organisation_id", organisationID), slog.Int64("by", caller.UserID))
	auth.Of(c).Record(c.Request.Context(), event, attrs...)
}
