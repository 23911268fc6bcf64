package model

import (
	"time"

	"github.com/nexios-go/nexios/runtime/db"
)

// TourUser is a row of the table tour_users.
type TourUser struct {
	ID        int64     `json:"id"`
	Username  string    `json:"username" gorm:"size:50"`
	Email     string    `json:"email" gorm:"size:254"`
	FullName  string    `json:"full_name" gorm:"size:100"`
	BirthDate *db.Date  `json:"birth_date"`
	Role      string    `json:"role" gorm:"size:20"`
	Status    string    `json:"status" gorm:"size:20"`
	CreatedAt time.Time `json:"created_at"`
}
