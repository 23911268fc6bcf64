package model

import "time"

// Organisation is a row of the table organisations.
type Organisation struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name" gorm:"size:100"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}
