package db_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

type shelf struct {
	ID    int64
	Books []shelved `gorm:"foreignKey:ShelfID"`
}

func (shelf) TableName() string { return "shelves" }

type shelved struct {
	ID      int64
	ShelfID int64
}

func (shelved) TableName() string { return "shelved" }

func TestBesideLimitsPreload(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&shelf{}, &shelved{}))
		must(t, gdb.Create([]shelf{{ID: 1}, {ID: 2}}).Error)
		var books []shelved
		for i := range int64(250) {
			books = append(books, shelved{ID: 1000 - i, ShelfID: 1 + i%2})
		}
		must(t, gdb.Create(&books).Error)
		for id := int64(1); id <= 2; id++ {
			found, err := db.Find[shelf](gdb.Preload("Books", db.Beside), id)
			must(t, err)
			if len(found.Books) != 100 {
				t.Fatalf("%d books are preloaded, want 100", len(found.Books))
			}
			for i, book := range found.Books {
				if want := 753 - id + int64(2*i); book.ID != want || book.ShelfID != id {
					t.Fatalf("book at %d: got %+v, want ID %d", i, book, want)
				}
			}
		}
	})
}
