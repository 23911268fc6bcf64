package organisations

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Roles of a member. Each includes the rights of those before it.
const (
	RoleMember = "member"
	RoleAdmin  = "admin"
	RoleOwner  = "owner"
)

var ranks = []string{RoleMember, RoleAdmin, RoleOwner}

// Membership is the caller's role in the organisation of the path.
type Membership struct {
	OrganisationID int64
	UserID         int64
	Role           string // empty for an administrator of the application who is not a member

	admin bool
}

// Is reports whether the caller has the role or a higher one. Administrators of the
// application have the rights of owners.
func (m Membership) Is(role string) bool {
	return m.admin || slices.Index(ranks, m.Role) >= slices.Index(ranks, role)
}

// Member admits members of the organisation in the path parameter :organisation, such
// as /organisations/:organisation/posts. For others the organisation does not exist:
// 404.
func Member(gdb *gorm.DB) web.Guard { return guard(gdb, RoleMember) }

// Admin is [Member] for admins and owners. Other members get a 403.
func Admin(gdb *gorm.DB) web.Guard { return guard(gdb, RoleAdmin) }

// Owner is [Member] for owners. Other members get a 403.
func Owner(gdb *gorm.DB) web.Guard { return guard(gdb, RoleOwner) }

func guard(gdb *gorm.DB, role string) web.Guard {
	g := auth.User()
	signedIn := g.Check
	g.Name = "organisation:" + role
	g.Status = append(slices.Clone(g.Status), http.StatusNotFound)
	g.Check = func(c *gin.Context) error {
		if err := signedIn(c); err != nil {
			return err
		}
		m, err := find(c, gdb)
		if err != nil {
			return err
		}
		if !m.Is(role) {
			return fault.Forbidden("Only " + role + "s of the organisation may do this")
		}
		web.Keep(c, contextKey{}, m)
		return nil
	}
	return g
}

// Recheck returns a function for WebSocket connections, which outlive their request, to
// call every second. It returns a 403 fault once the user is no longer a member of the
// organisation. It queries the database every few seconds.
func (m Membership) Recheck(gdb *gorm.DB) func(context.Context) error {
	looked := time.Now()
	return func(ctx context.Context) error {
		if m.Role == "" || time.Since(looked) < recheckEvery {
			return nil
		}
		role, err := roleOf(gdb.WithContext(ctx), m.OrganisationID, m.UserID)
		if err == nil && role == "" {
			err = fault.Forbidden("You are no longer a member of the organisation")
		}
		if err == nil {
			looked = time.Now()
		}
		return err
	}
}

const recheckEvery = 3 * time.Second

type contextKey struct{}

// Of returns the caller's membership in the organisation of the path, as determined by
// the guard of the route; the zero Membership without one.
func Of(c *gin.Context) Membership {
	m, _ := c.Request.Context().Value(contextKey{}).(Membership)
	return m
}

// Per returns the rate limit key for a limit per organisation, shared by all its
// members (see [web.LimitBy]). It is empty on routes without the guards of this
// package.
func Per(c *gin.Context) string {
	if m := Of(c); m.OrganisationID != 0 {
		return "organisation:" + strconv.FormatInt(m.OrganisationID, 10)
	}
	return ""
}

func find(c *gin.Context, gdb *gorm.DB) (Membership, error) {
	id, err := strconv.ParseInt(c.Param("organisation"), 10, 64)
	if err != nil || strconv.FormatInt(id, 10) != c.Param("organisation") {
		return Membership{}, notFound()
	}
	caller, _ := auth.From(c)
	m := Membership{OrganisationID: id, UserID: caller.UserID, admin: caller.Admin()}
	tx := gdb.WithContext(c.Request.Context())
	if m.Role, err = roleOf(tx, id, caller.UserID); err != nil || m.Role != "" {
		return m, err
	}
	if !m.admin {
		return m, notFound()
	}
	var there int64
	if err = tx.Model(&organisation{}).Where("id = ?", id).Count(&there).Error; err == nil && there == 0 {
		err = notFound()
	}
	return m, err
}

// roleOf returns the role of a user in an organisation, or "" if there is none.
func roleOf(tx *gorm.DB, organisationID, userID int64) (string, error) {
	var row membership
	err := tx.Where("organisation_id = ? AND user_id = ?", organisationID, userID).Limit(1).Find(&row).Error
	return row.Role, err
}

func notFound() *fault.Error { return fault.NotFound("Organisation not found") }

// Columns read by this package.

type organisation struct{ ID int64 }

func (organisation) TableName() string { return "organisations" }

type membership struct {
	OrganisationID int64 `gorm:"primaryKey"`
	UserID         int64 `gorm:"primaryKey"`
	Role           string
}

func (membership) TableName() string { return "memberships" }

type user struct {
	ID       int64
	IsActive bool
}

func (user) TableName() string { return "users" }
