package organisations

import (
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Lock locks the memberships of an organisation against concurrent changes until the
// transaction tx ends. It returns a 404 fault if the organisation does not exist.
func Lock(tx *gorm.DB, organisationID int64) error {
	var row organisation
	err := tx.Clauses(locking()).Where("id = ?", organisationID).Limit(1).Find(&row).Error
	if err == nil && row.ID == 0 {
		err = notFound()
	}
	return err
}

// Lock is the function [Lock] for actions of the caller as a member. It returns a 403
// fault if the caller's role has changed since the guard checked it.
func (m Membership) Lock(tx *gorm.DB) error {
	if err := Lock(tx, m.OrganisationID); err != nil {
		return err
	}
	role, err := roleOf(tx.Clauses(locking()), m.OrganisationID, m.UserID)
	if err == nil && role != m.Role {
		err = fault.Forbidden("Your role in the organisation has changed")
	}
	return err
}

// KeepOwner returns a 409 fault if the user is the last active owner of the
// organisation, who can neither leave nor lose the role. tx must hold the [Lock].
func KeepOwner(tx *gorm.DB, organisationID, userID int64) error {
	var others []int64
	err := tx.Model(&membership{}).Clauses(locking()).
		Where("organisation_id = ? AND role = ? AND user_id <> ?", organisationID, RoleOwner, userID).
		Pluck("user_id", &others).Error
	if err != nil {
		return err
	}
	var active int64
	if len(others) > 0 {
		if err := tx.Model(&user{}).Where("id IN ? AND is_active = ?", others, true).Count(&active).Error; err != nil {
			return err
		}
	}
	if active == 0 {
		return fault.Conflict("The last owner of an organisation cannot be removed")
	}
	return nil
}

// KeepOwners is [KeepOwner] for every organisation of a user whose account is to be
// deleted in tx. It acquires their locks.
func KeepOwners(tx *gorm.DB, userID int64) error {
	if userID == 0 {
		return errors.New("organisations: the user to delete has no id, so last owners cannot be checked\n  try:   tx.Delete(&user) with a loaded user, instead of a condition")
	}
	var joined, owned []int64
	err := tx.Model(&organisation{}).Clauses(locking()).
		Where("id IN (?)", tx.Model(&membership{}).Select("organisation_id").Where("user_id = ?", userID)).
		Order("id").Pluck("id", &joined).Error
	if err != nil || len(joined) == 0 {
		return err
	}
	err = tx.Model(&membership{}).Clauses(locking()).
		Where("user_id = ? AND role = ?", userID, RoleOwner).Pluck("organisation_id", &owned).Error
	for _, id := range owned {
		if err == nil {
			err = KeepOwner(tx, id, userID)
		}
	}
	return err
}

func locking() clause.Locking { return clause.Locking{Strength: clause.LockingStrengthUpdate} }
