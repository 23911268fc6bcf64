package migrations

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

func createPosts() db.Migration {
	type users struct {
		ID int64
	}
	type posts struct {
		ID        int64
		UserID    int64     `gorm:"not null;index:idx_posts_user_id_list,priority:1"`
		User      users     `gorm:"constraint:OnDelete:CASCADE"`
		Title     string    `gorm:"size:255;not null;index"`
		Content   string    `gorm:"not null"`
		Published bool      `gorm:"not null;default:false;index:idx_posts_published_list,priority:1"`
		Category  *string   `gorm:"size:255;index:idx_posts_category_list,priority:1"`
		CreatedAt time.Time `gorm:"not null;index;index:idx_posts_user_id_list;index:idx_posts_published_list;index:idx_posts_category_list"`
		UpdatedAt time.Time `gorm:"not null"`
	}
	return db.Migration{
		ID: "20260101000000_create_posts",
		Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&posts{}); err != nil {
				return err
			}
			return db.SearchIndex(tx, "posts", "title", "content")
		},
		Down: func(tx *gorm.DB) error {
			if err := db.DropSearchIndex(tx, "posts"); err != nil {
				return err
			}
			return tx.Migrator().DropTable("posts")
		},
	}
}
