package tour

import (
	"encoding/xml"
	"time"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/templates/tour/files/internal/model"
)

type idInput struct {
	ID int64 `uri:"id" binding:"min=1"`
}

type nameInput struct {
	Name string `uri:"name"`
}

type pathInput struct {
	Path string `uri:"path"`
}

type jsonInput struct{ Body personBody }

type personBody struct {
	Name string `json:"name" binding:"required,max=100"`
	Age  *int   `json:"age" binding:"required,min=0,max=150"`
}

type createUserInput struct{ Body userBody }

// userBody does not allow the role admin, so users cannot make themselves
// administrators. The password is checked and not stored: the tour has no login.
type userBody struct {
	Username  string   `json:"username" binding:"required,min=3,max=50"`
	Email     string   `json:"email" binding:"required,email,max=254"`
	Password  string   `json:"password" binding:"required,min=8,max=128"`
	FullName  string   `json:"full_name" binding:"required,max=100"`
	BirthDate *db.Date `json:"birth_date"`
	Role      *string  `json:"role" binding:"omitempty,oneof=user guest"`
	Status    *string  `json:"status" binding:"omitempty,oneof=active inactive pending"`
}

func (b userBody) user() model.TourUser {
	user := model.TourUser{
		Username: b.Username, Email: b.Email, FullName: b.FullName, BirthDate: b.BirthDate,
		Role: "user", Status: "active",
	}
	if b.Role != nil {
		user.Role = *b.Role
	}
	if b.Status != nil {
		user.Status = *b.Status
	}
	return user
}

type listUsersInput struct {
	db.Query
	Sort string `form:"sort,default=created_at" alias:"sort_by" binding:"oneof=id username created_at"`
}

// listedUser holds the fields of a user that everyone may read: no address, no
// birthday.
type listedUser struct {
	ID        int64     `json:"id"`
	Username  string    `json:"username"`
	FullName  string    `json:"full_name"`
	Role      string    `json:"role"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
}

// TableName returns the table of listed users.
func (listedUser) TableName() string { return "tour_users" }

type message struct {
	XMLName xml.Name `json:"-" xml:"response"`
	Message string   `json:"message" xml:"message"`
}

type jsonAnswer struct {
	Status string `json:"status"`
	User   person `json:"user"`
}

type person struct {
	Name string `json:"name"`
	Age  int    `json:"age"`
}

type itemAnswer struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type productAnswer struct {
	ProductID int64  `json:"product_id"`
	Type      string `json:"type"`
}

type categoryAnswer struct {
	CategoryName string `json:"category_name"`
	Type         string `json:"type"`
}

type wildcardAnswer struct {
	WildcardPath string `json:"wildcard_path"`
	Type         string `json:"type"`
}
