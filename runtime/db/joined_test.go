package db_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/webtest"
)

type cabinet struct {
	ID     int64
	Secret string
	RoomID *int64
	Room   *chamber
}

type chamber struct {
	ID     int64
	Secret string
}

type volume struct {
	ID        int64
	CabinetID *int64
	Cabinet   *cabinet
}

func (s *cabinet) AfterFind(*gorm.DB) error { s.Secret = ""; return nil }
func (c *chamber) AfterFind(*gorm.DB) error { c.Secret = ""; return nil }

// AfterFind also hides fields in joined rows.
func TestAfterFindRunsForJoinedRows(t *testing.T) {
	gdb := webtest.DB(t, []db.Migration{{ID: "20261121000000_create_volumes", Up: func(tx *gorm.DB) error {
		return tx.Migrator().CreateTable(&chamber{}, &cabinet{}, &volume{})
	}}})
	room := chamber{Secret: "c"}
	if err := gdb.Create(&room).Error; err != nil {
		t.Fatal(err)
	}
	for _, row := range []*volume{{Cabinet: &cabinet{Secret: "s", RoomID: &room.ID}}, {}} {
		if err := gdb.Create(row).Error; err != nil {
			t.Fatal(err)
		}
	}
	var all []volume
	if err := gdb.Joins("Cabinet").Joins("Cabinet.Room").Order("volumes.id").Find(&all).Error; err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Cabinet == nil || all[0].Cabinet.Room == nil || all[0].Cabinet.Secret != "" || all[0].Cabinet.Room.Secret != "" {
		t.Errorf("%+v", all)
	}
	var one volume
	if err := gdb.Joins("Cabinet").Take(&one, all[0].ID).Error; err != nil || one.Cabinet == nil || one.Cabinet.Secret != "" {
		t.Errorf("%+v, %v", one.Cabinet, err)
	}
}
