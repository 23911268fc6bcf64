package organisations_test

import (
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/organisations"
	"github.com/nexios-go/nexios/runtime/web"
)

type plan struct {
	ID             int64
	OrganisationID int64
	Title          string
}

// Readable implements db.Readable: members may read the plans of their organisations.
func (plan) Readable(tx *gorm.DB) *gorm.DB {
	return organisations.Within(tx, organisations.RoleMember)
}

// Writable implements db.Writable: administrators may change them.
func (plan) Writable(tx *gorm.DB) *gorm.DB {
	return organisations.Within(tx, organisations.RoleAdmin)
}

// Rows belong to the organisation of the path: their model decides who may read and
// change them, a guard who may use the routes.
func Example() {
	module := func(gdb *gorm.DB, routes ...web.Route) web.Module {
		for i, route := range routes {
			routes[i] = route.Guard(organisations.Member(gdb))
		}
		return web.Module{Name: "plans", Prefix: "/organisations/:organisation/plans", Routes: routes}
	}
	_, _ = module, plan{}
}
