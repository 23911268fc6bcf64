// Package organisationstest signs in members of organisations, for the tests of modules
// whose rows belong to organisations.
package organisationstest

import (
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/organisations"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// IDs of the organisations.
const (
	ID    = 101 // of all users except Outsider
	Other = 102 // of Outsider and Both
)

// Usernames with a special role in the tests.
const (
	Outsider = "oscar" // not a member of the organisation ID
	Both     = "olive" // an owner of both organisations
)

// Two returns both organisations, for a webtest.Resource.
func Two() *webtest.Organisation {
	return &webtest.Organisation{ID: ID, Other: Other, Outsider: Outsider, Both: Both}
}

// SignIn is [authtest.SignIn] for members of the organisation ID: admins if role is
// "admin", otherwise plain members.
func SignIn(t testing.TB, gdb *gorm.DB, username, role string) (guards web.Module, id int64, token string) {
	t.Helper()
	guards, id, token = authtest.SignIn(t, gdb, username, "user")
	for _, key := range []int64{ID, Other} {
		keep(t, gdb, organisation{ID: key, Name: "Organisation"})
	}
	m := membership{OrganisationID: ID, UserID: id, Role: organisations.RoleMember}
	switch {
	case username == Outsider:
		m.OrganisationID, m.Role = Other, organisations.RoleOwner
	case username == Both:
		keep(t, gdb, membership{OrganisationID: Other, UserID: id, Role: organisations.RoleOwner})
		m.Role = organisations.RoleOwner
	case role == auth.RoleAdmin:
		m.Role = organisations.RoleAdmin
	}
	keep(t, gdb, m)
	return guards, id, token
}

// keep stores a row unless it exists.
func keep[T any](t testing.TB, gdb *gorm.DB, row T) {
	t.Helper()
	if err := gdb.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		t.Fatal(err)
	}
}

type organisation struct {
	ID        int64
	Name      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

type membership struct {
	ID             int64
	OrganisationID int64
	UserID         int64
	Role           string
	CreatedAt      time.Time
	UpdatedAt      time.Time
}
