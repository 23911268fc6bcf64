package db_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"
)

type seat struct {
	Hall int64  `gorm:"primaryKey;autoIncrement:false"`
	Row  int64  `gorm:"primaryKey;autoIncrement:false"`
	Note string `gorm:"size:50"`
}

type state struct {
	Code int64  `gorm:"primaryKey;autoIncrement:false"`
	Note string `gorm:"size:50"`
}

// An update of a row changes only that row, even if parts of its key, or all of it,
// are 0.
func TestUpdatesNameTheWholeKey(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		if err := gdb.AutoMigrate(&seat{}, &state{}); err != nil {
			t.Fatal(err)
		}
		for name, update := range map[string]func(*seat) *gorm.DB{
			"Updates":       func(s *seat) *gorm.DB { s.Note = "new"; return gdb.Select("note").Updates(s) },
			"Where":         func(s *seat) *gorm.DB { s.Note = "new"; return gdb.Where("note", "").Select("note").Updates(s) },
			"Model":         func(s *seat) *gorm.DB { return gdb.Model(s).Update("note", "new") },
			"Model, a map":  func(s *seat) *gorm.DB { return gdb.Model(s).Updates(map[string]any{"note": "new"}) },
			"UpdateColumns": func(s *seat) *gorm.DB { s.Note = "new"; return gdb.Select("note").UpdateColumns(s) },
		} {
			for _, key := range [][2]int64{{0, 5}, {5, 0}, {5, 5}} {
				gdb.Where("1 = 1").Delete(&seat{})
				gdb.Create(&[]seat{{Hall: 0, Row: 5}, {Hall: 5, Row: 0}, {Hall: 5, Row: 5}, {Hall: 1, Row: 5}, {Hall: 5, Row: 1}})
				if got := update(&seat{Hall: key[0], Row: key[1]}); got.Error != nil || got.RowsAffected != 1 {
					t.Errorf("%s of %v changes %d rows: %v", name, key, got.RowsAffected, got.Error)
				}
				var changed seat
				if gdb.Take(&changed, "note", "new"); [2]int64{changed.Hall, changed.Row} != key {
					t.Errorf("%s of %v changes %v", name, key, changed)
				}
			}
		}
		gdb.Create(&seat{})
		if got := gdb.Updates(&seat{Note: "origin"}); got.Error != nil || got.RowsAffected != 1 {
			t.Errorf("the seat (0, 0): %d rows: %v", got.RowsAffected, got.Error)
		}
		gdb.Create(&[]state{{Code: 0}, {Code: 1}})
		if got := gdb.Updates(&state{Note: "none"}); got.Error != nil || got.RowsAffected != 1 {
			t.Errorf("the state 0: %d rows: %v", got.RowsAffected, got.Error)
		}

		// Updates of several rows, or of all by mistake, are unchanged.
		if got := gdb.Where("code < ?", 2).Updates(&state{Note: "both"}); got.Error != nil || got.RowsAffected != 2 {
			t.Errorf("with a condition: %d rows: %v", got.RowsAffected, got.Error)
		}
		if got := gdb.Model(&seat{Hall: 5}).Where("note <> ?", "nothing").Update("note", "hall"); got.Error != nil || got.RowsAffected != 3 {
			t.Errorf("with part of the key and a condition: %d rows: %v", got.RowsAffected, got.Error)
		}
		if err := gdb.Model(&state{}).Update("note", "all").Error; !errors.Is(err, gorm.ErrMissingWhereClause) {
			t.Errorf("all states: %v", err)
		}
	})
}
