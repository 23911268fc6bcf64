package files

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// File is the metadata of a stored file: a row of the table files.
type File struct {
	Name        string    `json:"name" gorm:"primaryKey"` // in the store; unguessable
	Original    string    `json:"original"`               // file name given by the uploader, without a path; only informational
	ContentType string    `json:"content_type"`           // detected from the content, without parameters
	Size        int64     `json:"size"`                   // bytes
	SHA256      string    `json:"sha256" gorm:"column:sha256"`
	UserID      int64     `json:"user_id"` // the uploader
	Private     bool      `json:"private"` // readable only by its owner and with a signed link
	Kept        bool      `json:"kept"`    // not deleted by Sweep, even if no row refers to it
	CreatedAt   time.Time `json:"created_at"`
}

// TableName implements gorm's Tabler.
func (File) TableName() string { return table }

const table = "files"

// Name is the name of a stored file in a row that refers to it: the last part of the
// file's URL. Its column has a foreign key to the table files, so that a file stays as
// long as a row refers to it.
type Name string

// Migrations returns the migrations that create the table, for the project's list.
func Migrations() []db.Migration {
	return []db.Migration{{
		ID:   "20260101000200_create_files",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&files1{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&files1{}) },
	}, {
		// Existing files are kept: nobody has agreed to their deletion.
		ID:   "20260101000201_add_kept_to_files",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().AddColumn(&files2{}, "Kept") },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropColumn(&files2{}, "Kept") },
	}}
}

// files1 is the table as created by the first migration.
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

// files2 is the column added by the second migration.
type files2 struct {
	Kept bool `gorm:"not null;default:true"`
}

func (files2) TableName() string { return table }
