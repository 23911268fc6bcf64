package organisations

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/organisations"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/templates/organisations/files/internal/model"
)

const (
	inviteJob = "organisations.invite"
	purgeJob  = "organisations.purge"

	openFor = 7 * 24 * time.Hour  // how long an invitation can be accepted
	keptFor = 30 * 24 * time.Hour // how long an expired one is kept

	// Invitations per user and hour, so that no mailbox is flooded.
	perAddress = 3
	perUser    = 50
)

func (h handler) invitationRoutes() []web.Route {
	admin := organisations.Admin(h.db)
	return []web.Route{
		web.Get("/organisations/:organisation/invitations", h.invitations).Guard(admin).Doc("List the open invitations of an organisation"),
		web.Post("/organisations/:organisation/invitations", h.invite).Guard(auth.Session(), admin).Doc("Invite someone by e-mail").
			Describe("An invitation as admin requires a password that was confirmed recently.").Fails(http.StatusTooManyRequests),
		web.Delete("/organisations/:organisation/invitations/:id", h.revoke).Guard(auth.Session(), admin).Doc("Revoke an invitation"),
		web.Post("/invitations/accept", h.accept).Guard(auth.Session()).Doc("Accept an invitation with the token from the e-mail").
			Returns(http.StatusOK).Fails(http.StatusBadRequest),
	}
}

func (h handler) invitations(c *gin.Context, in invitationsInput) (db.Page[model.Invitation], error) {
	tx := h.db.WithContext(c.Request.Context()).Where("organisation_id = ? AND expires_at > ?", in.Organisation, time.Now().UTC())
	return db.List[model.Invitation](tx, in.Query, in.Sort)
}

// invite replaces an earlier invitation to the same address, ignoring case. The
// mail is sent to the address as written.
func (h handler) invite(c *gin.Context, in inviteInput) (model.Invitation, error) {
	caller, now := organisations.Of(c), time.Now().UTC()
	row := model.Invitation{
		OrganisationID: in.Organisation, Email: in.Body.Email, Role: in.Body.Role,
		InvitedBy: caller.UserID, ExpiresAt: now.Add(openFor),
	}
	if row.Role != organisations.RoleMember {
		if err := confirmed(c); err != nil {
			return model.Invitation{}, err
		}
	}
	err := h.locked(c, func(tx *gorm.DB) error {
		if err := mayInvite(tx, caller.UserID, row.Email, now); err != nil {
			return err
		}
		earlier, err := to(row.Email, tx.Where("organisation_id = ? AND expires_at > ?", row.OrganisationID, now))
		if err != nil {
			return err
		}
		if err := expire(tx.Where("id IN ?", earlier), now); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return jobs.Enqueue(tx, inviteJob, invited{row.ID})
	})
	if err == nil {
		record(c, "member_invited", row.OrganisationID, slog.Int64("invitation_id", row.ID), slog.String("role", row.Role))
	}
	return row, err
}

func mayInvite(tx *gorm.DB, userID int64, email string, now time.Time) error {
	tx = tx.WithContext(db.System(tx.Statement.Context)) // of any organisation
	sent := tx.Where("invited_by = ? AND created_at > ?", userID, now.Add(-time.Hour)).Session(&gorm.Session{})
	var all int64
	if err := sent.Model(&model.Invitation{}).Count(&all).Error; err != nil {
		return err
	}
	same, err := to(email, sent)
	if err == nil && (all >= perUser || len(same) >= perAddress) {
		err = fault.TooMany("Too many invitations, try again later", time.Hour)
	}
	return err
}

// to narrows the invitations that tx matches to those for the address, compared as
// in logins and by [db.Fold].
func to(email string, tx *gorm.DB) ([]int64, error) {
	var rows []model.Invitation
	err := tx.Select("id", "email").Find(&rows).Error
	var ids []int64
	for _, row := range rows {
		if db.Fold(row.Email) == db.Fold(email) {
			ids = append(ids, row.ID)
		}
	}
	return ids, err
}

func (h handler) revoke(c *gin.Context, in invitationInput) (web.None, error) {
	err := h.locked(c, func(tx *gorm.DB) error {
		now := time.Now().UTC()
		row, err := db.Find[model.Invitation](tx.Where("organisation_id = ? AND expires_at > ?", in.Organisation, now), in.ID)
		if err != nil {
			return err
		}
		return expire(tx.Where("id = ?", row.ID), now)
	})
	if err == nil {
		record(c, "invitation_revoked", in.Organisation, slog.Int64("invitation_id", in.ID))
	}
	return web.None{}, err
}

// expire ends the invitations that tx matches.
func expire(tx *gorm.DB, now time.Time) error {
	return tx.Model(&model.Invitation{}).Where("expires_at > ?", now.UTC()).
		Updates(map[string]any{"expires_at": now.UTC(), "token_hash": ""}).Error
}

func (h handler) accept(c *gin.Context, in acceptInput) (organisation, error) {
	caller, _ := auth.From(c)
	tx := h.db.WithContext(db.System(c.Request.Context())) // the caller is not a member yet
	invitation, err := open(tx, in.Body.Token)
	if err != nil {
		return organisation{}, err
	}
	var joined organisation
	err = tx.Transaction(func(tx *gorm.DB) error {
		if err := organisations.Lock(tx, invitation.OrganisationID); err != nil {
			return err
		}
		// It may have been accepted or revoked meanwhile.
		if invitation, err = open(tx, in.Body.Token); err != nil {
			return err
		}
		var same int64
		err = db.WhereFold(tx.Model(&model.User{}), "email", invitation.Email).Where("id = ?", caller.UserID).Count(&same).Error
		if err == nil && same == 0 {
			err = fault.Forbidden("This invitation was sent to another e-mail address")
		}
		if err != nil {
			return err
		}
		if err := expire(tx.Where("id = ?", invitation.ID), time.Now()); err != nil {
			return err
		}
		// An existing member keeps their role.
		row := model.Membership{OrganisationID: invitation.OrganisationID, UserID: caller.UserID, Role: invitation.Role}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
			return err
		}
		if row, err = find(tx, row.OrganisationID, row.UserID); err != nil {
			return err
		}
		joined.Role = row.Role
		joined.Organisation, err = db.Find[model.Organisation](tx, row.OrganisationID)
		return err
	})
	if err == nil {
		record(c, "invitation_accepted", joined.ID, slog.Int64("user_id", caller.UserID), slog.String("role", joined.Role))
	}
	return joined, err
}

// open returns the open invitation that the token belongs to.
func open(tx *gorm.DB, token string) (model.Invitation, error) {
	var row model.Invitation
	err := tx.Where("token_hash = ? AND expires_at > ?", digest(token), time.Now().UTC()).Limit(1).Find(&row).Error
	if err == nil && row.ID == 0 {
		err = fault.BadRequest("Invalid or expired token")
	}
	return row, err
}

// invited is the payload of the job that sends an invitation. It holds no token;
// that is created with the mail.
type invited struct {
	ID int64 `json:"id"`
}

// sendInvitation sends an invitation that is still open. If the job runs twice, only
// the token of the later mail is valid.
func (h handler) sendInvitation(ctx context.Context, job invited) error {
	tx := h.db.WithContext(db.System(ctx))
	var row struct{ Email, Organisation, Inviter string }
	err := tx.Model(&model.Invitation{}).
		Select("invitations.email", "organisations.name AS organisation", "users.username AS inviter").
		Joins("JOIN organisations ON organisations.id = invitations.organisation_id").
		Joins("JOIN users ON users.id = invitations.invited_by").
		Where("invitations.id = ? AND invitations.expires_at > ?", job.ID, time.Now().UTC()).Limit(1).Scan(&row).Error
	if err != nil || row.Email == "" {
		return err
	}
	token := rand.Text() + rand.Text()
	set := tx.Model(&model.Invitation{}).Where("id = ? AND expires_at > ?", job.ID, time.Now().UTC()).Update("token_hash", digest(token))
	if set.Error != nil || set.RowsAffected == 0 {
		return set.Error
	}
	if err := h.outbox.send(ctx, row.Email, letter{row.Inviter, row.Organisation, h.outbox.url + "/accept-invitation#token=" + token, token}); err != nil {
		return err
	}
	return tx.Model(&model.Invitation{}).Where("id = ?", job.ID).Update("sent_at", time.Now().UTC()).Error
}

// purge deletes invitations that expired a while ago.
func (h handler) purge(ctx context.Context, _ struct{}) error {
	return h.db.WithContext(db.System(ctx)).Where("expires_at < ?", time.Now().UTC().Add(-keptFor)).Delete(&model.Invitation{}).Error
}

// digest returns the hash under which a token is stored.
func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
