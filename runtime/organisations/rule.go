package organisations

import (
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/auth"
)

// Within restricts tx to the rows of organisations in which the caller has the role or
// a higher one: in a request about one organisation to the rows of that, otherwise to
// those of all of them. It is the rule for rows with a column organisation_id; see
// [db.Readable].
func Within(tx *gorm.DB, role string) *gorm.DB { return narrow(tx, "organisation_id", role) }

// Joined is [Within] for the rows of organisations themselves.
func Joined(tx *gorm.DB, role string) *gorm.DB { return narrow(tx, "id", role) }

func narrow(tx *gorm.DB, name, role string) *gorm.DB {
	column := clause.Column{Table: clause.CurrentTable, Name: name}
	if m, ok := tx.Statement.Context.Value(contextKey{}).(Membership); ok && m.of(tx) {
		if !m.Is(role) {
			return tx.Where("1 = 0")
		}
		return tx.Where(clause.Eq{Column: column, Value: m.OrganisationID})
	}
	caller := auth.Caller(tx)
	if caller.Admin() {
		return tx
	}
	theirs := tx.Session(&gorm.Session{NewDB: true}).Model(&membership{}).Select("organisation_id").
		Where("user_id = ? AND role IN ?", caller.UserID, ranks[slices.Index(ranks, role):])
	return tx.Where(clause.Expr{SQL: "? IN (?)", Vars: []any{column, theirs}})
}

// of reports whether the caller of tx is the user whom the guard checked, and not
// someone on whose behalf a part of the work is done; see [auth.As].
func (m Membership) of(tx *gorm.DB) bool { return auth.Caller(tx).UserID == m.UserID }
