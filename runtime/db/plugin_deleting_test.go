package db_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// A soft-deleted row counts as gone for the rows that reference it, and for those
// that it references, as the foreign keys define.
func TestSoftDeletesFollowForeignKeys(t *testing.T) {
	type Shelf struct {
		ID        int64
		Name      string
		DeletedAt gorm.DeletedAt
	}
	type Box struct { // not soft-deleted, on a shelf
		ID      int64
		ShelfID *int64
	}
	type Book struct { // soft-deleted, on a shelf
		ID        int64
		ShelfID   *int64
		DeletedAt gorm.DeletedAt
	}
	type Note struct { // soft-deleted, about a book
		ID        int64
		BookID    *int64
		DeletedAt gorm.DeletedAt
	}
	for _, rule := range []string{"RESTRICT", "CASCADE", "SET NULL"} {
		each(t, func(t *testing.T, gdb *gorm.DB) {
			key := map[string]string{"sqlite": "integer PRIMARY KEY", "postgres": "bigserial PRIMARY KEY", "mysql": "bigint AUTO_INCREMENT PRIMARY KEY"}[gdb.Name()]
			at := map[string]string{"sqlite": "datetime", "postgres": "timestamptz", "mysql": "datetime(6)"}[gdb.Name()]
			for _, statement := range []string{
				"CREATE TABLE shelves (id " + key + ", name varchar(20), deleted_at " + at + ")",
				"CREATE TABLE boxes (id " + key + ", shelf_id bigint, FOREIGN KEY (shelf_id) REFERENCES shelves(id) ON DELETE " + rule + ")",
				"CREATE TABLE books (id " + key + ", shelf_id bigint, deleted_at " + at + ", FOREIGN KEY (shelf_id) REFERENCES shelves(id) ON DELETE " + rule + ")",
				"CREATE TABLE notes (id " + key + ", book_id bigint, deleted_at " + at + ", FOREIGN KEY (book_id) REFERENCES books(id) ON DELETE " + rule + ")",
				"CREATE TABLE tags (id " + key + ")",
				"CREATE TABLE book_tags (book_id bigint, tag_id bigint, PRIMARY KEY (book_id, tag_id), " +
					"FOREIGN KEY (book_id) REFERENCES books(id) ON DELETE CASCADE, FOREIGN KEY (tag_id) REFERENCES tags(id) ON DELETE CASCADE)",
			} {
				must(t, gdb.Exec(statement).Error)
			}
			count := func(what string, model any) int64 {
				var n int64
				must(t, gdb.Model(model).Where(what).Count(&n).Error)
				return n
			}
			shelves := func(n int) (ids []int64) {
				for range n {
					shelf := Shelf{Name: "a"}
					must(t, gdb.Create(&shelf).Error)
					must(t, gdb.Create(&Box{ShelfID: &shelf.ID}).Error)
					book := Book{ShelfID: &shelf.ID}
					must(t, gdb.Create(&book).Error)
					must(t, gdb.Create(&Note{BookID: &book.ID}).Error)
					must(t, gdb.Exec("INSERT INTO tags (id) VALUES (?)", book.ID).Error)
					must(t, gdb.Exec("INSERT INTO book_tags VALUES (?, ?)", book.ID, book.ID).Error)
					ids = append(ids, shelf.ID)
				}
				return ids
			}
			ids := shelves(2)
			deleteShelf := func(id int64) error { return gdb.Delete(&Shelf{}, id).Error }
			if rule == "RESTRICT" {
				check(t, deleteShelf(ids[0]), 409, "Shelf is still used by books", "")
				if n := count("1 = 1", &Shelf{}); n != 2 {
					t.Errorf("%s: %d shelves are left", rule, n)
				}
				check(t, gdb.Where("shelf_id", ids[0]).Delete(&Book{}).Error, 409, "Book is still used by notes", "")
				must(t, gdb.Where("1 = 1").Delete(&Note{}).Error)
				must(t, gdb.Where("shelf_id", ids[0]).Delete(&Book{}).Error)
				check(t, deleteShelf(ids[0]), 409, "Shelf is still used by boxes", "")
				must(t, gdb.Where("shelf_id", ids[0]).Delete(&Box{}).Error)
				must(t, deleteShelf(ids[0])) // only deleted books reference it
				must(t, gdb.Where("shelf_id", ids[1]).Delete(&Box{}).Error)
				must(t, gdb.Where("shelf_id", ids[1]).Delete(&Book{}).Error)
				must(t, gdb.Unscoped().Delete(&Shelf{ID: ids[1]}).Error) // permanently
				return
			}
			must(t, deleteShelf(ids[0]))
			must(t, gdb.Transaction(func(tx *gorm.DB) error { return tx.Delete(&Shelf{ID: ids[1]}).Error }))
			left := fmt.Sprint(count("shelf_id IS NOT NULL", &Box{}), count("1 = 1", &Box{}), count("shelf_id IS NOT NULL", &Book{}), count("1 = 1", &Book{}), count("1 = 1", &Note{}))
			if want := map[string]string{"CASCADE": "0 0 0 0 0", "SET NULL": "0 2 0 2 2"}[rule]; left != want {
				t.Errorf("%s leaves %s, want %s", rule, left, want)
			}
			var rows int64
			must(t, gdb.Unscoped().Model(&Note{}).Count(&rows).Error)
			var joins int64
			must(t, gdb.Table("book_tags").Count(&joins).Error)
			if rows != 2 || joins != 2 {
				t.Errorf("%s: %d notes and %d tags of books are stored", rule, rows, joins)
			}
			// A delete that matches no row changes nothing else.
			ids = shelves(1)
			tx := gdb.Where("id", 99).Delete(&Shelf{})
			if tx.Error != nil || tx.RowsAffected != 0 {
				t.Errorf("%s: %v, %d", rule, tx.Error, tx.RowsAffected)
			}
			tx = gdb.Where("name = ?", "a").Delete(&Shelf{})
			if tx.Error != nil || tx.RowsAffected != 1 || count("1 = 1", &Shelf{}) != 0 {
				t.Errorf("%s: %v, %d", rule, tx.Error, tx.RowsAffected)
			}
			if err := gdb.Delete(&Shelf{}).Error; err == nil {
				t.Errorf("%s: all shelves were deleted", rule)
			}
		})
	}
}

// A chain of cascading rows is deleted from its leaves: MariaDB follows 15 levels.
func TestDeepCascades(t *testing.T) {
	type Part struct {
		ID        int64
		PartID    *int64
		DeletedAt gorm.DeletedAt
	}
	type Piece struct {
		ID      int64
		PieceID *int64
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		type parts struct {
			ID        int64
			PartID    *int64
			Part      *parts `gorm:"constraint:OnDelete:CASCADE"`
			DeletedAt gorm.DeletedAt
		}
		type pieces struct {
			ID      int64
			PieceID *int64
			Piece   *pieces `gorm:"constraint:OnDelete:CASCADE"`
		}
		must(t, gdb.Migrator().CreateTable(&parts{}, &pieces{}))
		const levels = 40
		for i := range int64(levels) {
			part, piece := Part{ID: i + 1}, Piece{ID: i + 1}
			if i > 0 {
				part.PartID, piece.PieceID = &i, &i
			}
			must(t, gdb.Create(&part).Error)
			must(t, gdb.Create(&piece).Error)
		}
		// A cycle ends too.
		must(t, gdb.Model(&Part{}).Where("id", 1).Update("part_id", levels).Error)
		must(t, gdb.Delete(&Part{ID: 2}).Error)
		var n int64
		must(t, gdb.Model(&Part{}).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d of %d are left", n, levels)
		}
		must(t, gdb.Delete(&Piece{ID: 1}).Error)
		must(t, gdb.Model(&Piece{}).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d of %d are left", n, levels)
		}
	})
}

// Rows of an existing join table, without CASCADE, are deleted with the row whose
// many field they are, and keep the rows that they reference from being deleted.
func TestForeignJoinTables(t *testing.T) {
	type Genre struct{ ID int64 }
	type Song struct {
		ID     int64
		Genres []Genre `gorm:"many2many:song_genre"`
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		for _, statement := range []string{
			"CREATE TABLE songs (id bigint PRIMARY KEY)",
			"CREATE TABLE genres (id bigint PRIMARY KEY)",
			"CREATE TABLE song_genre (song_id bigint, genre_id bigint, PRIMARY KEY (song_id, genre_id), FOREIGN KEY (song_id) REFERENCES songs(id), FOREIGN KEY (genre_id) REFERENCES genres(id))",
			"CREATE TABLE plays (id bigint PRIMARY KEY, song_id bigint, FOREIGN KEY (song_id) REFERENCES songs(id))",
			"INSERT INTO plays VALUES (1, NULL)",
		} {
			must(t, gdb.Exec(statement).Error)
		}
		for id := range int64(3) {
			must(t, gdb.Create(&Song{ID: id + 1, Genres: []Genre{{ID: 1}, {ID: id + 2}}}).Error)
		}
		must(t, gdb.Exec("UPDATE plays SET song_id = 2").Error)
		pairs := func() (n int64) {
			must(t, gdb.Table("song_genre").Count(&n).Error)
			return n
		}
		check(t, db.Delete[Genre](gdb, 1), 409, "Genre is still used by song genre", "")
		must(t, db.Delete[Song](gdb, int64(1)))
		if n := pairs(); n != 4 {
			t.Errorf("%d pairs are left, want 4", n)
		}
		check(t, db.Delete[Song](gdb, int64(2)), 409, "Song is still used by other rows", "")
		if n := pairs(); n != 4 {
			t.Errorf("%d pairs are left after a rejected delete, want 4", n)
		}
	})
}
