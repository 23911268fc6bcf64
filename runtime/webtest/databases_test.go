package webtest

import (
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/db"
)

// node and root refer to each other in a circle, so that no order of deletion works.
type node struct {
	ID       int64
	ParentID *int64
	Parent   *node `gorm:"constraint:OnDelete:RESTRICT"`
}

type root struct {
	ID     int64
	NodeID int64
	Node   *node `gorm:"constraint:OnDelete:RESTRICT"`
}

type color struct {
	ID   int64
	Name string
}

// TestDatabaseReuse leaves rows behind: the next test must find none of them, the
// rows of migrations unchanged, and keys that start at 1.
func TestDatabaseReuse(t *testing.T) {
	tables := db.Migration{ID: "20260101000000_create", Up: func(tx *gorm.DB) error {
		return tx.Migrator().CreateTable(&node{}, &root{}, &color{})
	}}
	rows := db.Migration{ID: "20260101000001_fill", Up: func(tx *gorm.DB) error { return tx.Create(&color{Name: "red"}).Error }}
	for name, server := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": services.Postgres,
		"mysql":    services.MySQL,
	} {
		for kind, migrations := range map[string][]db.Migration{"empty": {tables}, "filled": {tables, rows}} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Setenv("TEST_DATABASE_URL", server(t))
				all := &databases{owner: t, migrations: migrations}
				for range 3 {
					t.Run("test", func(t *testing.T) {
						gdb := all.take(t)
						var colors []color
						if err := gdb.Find(&colors).Error; err != nil || len(colors) != len(migrations)-1 {
							t.Fatalf("colors %v, %v", colors, err)
						}
						for _, c := range colors {
							if c.Name != "red" {
								t.Errorf("the color is %q", c.Name)
							}
						}
						one, two := node{}, node{}
						if err := gdb.Create(&one).Error; err != nil || one.ID != 1 {
							t.Fatalf("the first key is %d, %v", one.ID, err)
						}
						two.ParentID = &one.ID
						for _, err := range []error{
							gdb.Create(&two).Error, gdb.Model(&one).Update("parent_id", two.ID).Error, gdb.Create(&root{NodeID: two.ID}).Error,
							gdb.Model(&color{}).Where("1 = 1").Update("name", "blue").Error,
						} {
							if err != nil {
								t.Error(err)
							}
						}
					})
				}
				if reused := name != "sqlite" && kind == "empty"; reused != (len(all.idle) == 1) {
					t.Errorf("%d databases are idle", len(all.idle))
				}
			})
		}
	}
}
