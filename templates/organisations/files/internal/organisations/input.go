package organisations

import (
	"time"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/templates/organisations/files/internal/model"
)

type listInput struct {
	db.Query
	Sort   string `form:"sort,default=created_at" binding:"oneof=id name created_at updated_at relevance"`
	Search string `form:"search" binding:"max=100"`
}

// organisation is an organisation with the caller's role in it.
type organisation struct {
	model.Organisation
	Role string `json:"role"` // empty for an administrator who is not a member
}

type createInput struct {
	Body struct {
		Name string `json:"name" binding:"required,max=100,pattern=^[^\\pZ\\pC]([^\\pC]*[^\\pZ\\pC])?$"`
	}
}

type organisationInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
}

type updateInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
	Body         struct {
		Name *string `json:"name" binding:"omitnil,max=100,pattern=^[^\\pZ\\pC]([^\\pC]*[^\\pZ\\pC])?$"`
	}
}

type membersInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
	db.Query
	Sort string  `form:"sort,default=created_at" binding:"oneof=role created_at"`
	Role *string `form:"role" binding:"omitnil,oneof=owner admin member"`
}

// member holds the fields that members may see of each other.
type member struct {
	ID        int64     `json:"-"`
	UserID    int64     `json:"user_id"`
	Username  string    `json:"username"`
	Role      string    `json:"role" binding:"oneof=owner admin member"`
	CreatedAt time.Time `json:"created_at"` // when they joined
}

// TableName returns the table that members are read from, joined with users.
func (member) TableName() string { return "memberships" }

type memberInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
	User         int64 `uri:"user" binding:"min=1"`
}

type roleInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
	User         int64 `uri:"user" binding:"min=1"`
	Body         struct {
		Role string `json:"role" binding:"required,oneof=owner admin member"`
	}
}

type transferInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
	Body         struct {
		UserID int64 `json:"user_id" binding:"required,min=1"`
	}
}

type invitationsInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
	db.Query
	Sort string `form:"sort,default=created_at" binding:"oneof=id email role expires_at created_at"`
}

// Nobody is invited as an owner: a member is promoted.
type inviteInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
	Body         struct {
		Email string `json:"email" binding:"required,max=255,email"`
		Role  string `json:"role" binding:"required,oneof=admin member"`
	}
}

type invitationInput struct {
	Organisation int64 `uri:"organisation" binding:"min=1"`
	ID           int64 `uri:"id" binding:"min=1"`
}

type acceptInput struct {
	Body struct {
		Token string `json:"token" binding:"required,max=1000"`
	}
}
