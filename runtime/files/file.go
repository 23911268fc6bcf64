package files

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// File is what is known of one stored file: a row of the table files.
type File struct {
	Name        string    `json:"name" gorm:"primaryKey"` // in the store; cannot be guessed
	Original    string    `json:"original"`               // the uploader's name for it, without a path; only data
	ContentType string    `json:"content_type"`           // by content, without parameters
	Size        int64     `json:"size"`                   // bytes
	SHA256      string    `json:"sha256" gorm:"column:sha256"`
	UserID      int64     `json:"user_id"` // who uploaded it
	Private     bool      `json:"private"` // only its owner, and who holds a signed link, may read it
	Kept        bool      `json:"kept"`    // Sweep leaves it, whether a row refers to it or not
	CreatedAt   time.Time `json:"created_at"`
}

// TableName implements gorm's Tabler.
func (File) TableName() string { return table }

const table = "files"

// Name is the name of a stored file in a row that refers to it: the last part
// of the file's URL. Its column has a foreign key to the table files, so that a
// file stays for as long as a row refers to it.
type Name string

// Migrations returns what makes the table, for the project's list.
func Migrations() []db.Migration {
	return []db.Migration{{
		ID:   "20260101000200_create_files",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&files1{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&files1{}) },
	}, {
		// Files from before the column are kept: nobody said they may go.
		ID:   "20260101000201_add_kept_to_files",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().AddColumn(&files2{}, "Kept") },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropColumn(&files2{}, "Kept") },
	}}
}

// files1 is the table as the first migration makes it.
type files1 struct {
	Name        string    `gorm:"primaryKey;size:40"`
	Original    string    `gorm:"size:1024;not null"`
	ContentType string    `gorm:"size:255;not null"`
	Size        int64     `gorm:"not null"`
	SHA256      string    `gorm:"column:sha256;size:64;not null"`
	UserID      int64     `gorm:"not null;index:idx_files_user_id"`
	Private     bool      `gorm:"not null"`
	CreatedAt   time.Time `gorm:"not null"`
}

func (files1) TableName() string { return table }

// files2 is what the second migration adds.
type files2 struct {
	Kept bool `gorm:"not null;default:true"`
}

func (files2) TableName() string { return table }
