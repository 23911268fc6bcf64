package db_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

type Paper struct {
	ID        int64
	Title     string `gorm:"size:50;not null"`
	Tenant    int64  `gorm:"not null"`
	DeletedAt gorm.DeletedAt
}

// What Find remembers of one read must not leak into another that asks for
// more: each case runs twice, after the plain one and after itself.
func TestFindHonoursWhatTheStatementCarries(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.AutoMigrate(&Paper{}))
	must(t, gdb.Table("old_papers").AutoMigrate(&Paper{}))
	must(t, gdb.Create(&[]Paper{{Title: "one", Tenant: 1}, {Title: "two", Tenant: 2}, {Title: "gone", Tenant: 1}}).Error)
	must(t, gdb.Delete(&Paper{}, 3).Error)
	must(t, gdb.Table("old_papers").Create(&Paper{Title: "old"}).Error)

	// A plugin that restricts every query.
	restricted := open(t, address(t, "sqlite"))
	must(t, restricted.AutoMigrate(&Paper{}))
	must(t, restricted.Create(&[]Paper{{Title: "one", Tenant: 1}, {Title: "two", Tenant: 2}}).Error)
	must(t, restricted.Callback().Query().Before("gorm:query").Register("tenant", func(tx *gorm.DB) { tx.Where("tenant = ?", 1) }))

	ended, cancel := context.WithCancel(t.Context())
	cancel()

	for name, c := range map[string]struct {
		tx    *gorm.DB
		id    any
		title string // "" for absent
	}{
		"plain":               {gdb, int64(1), "one"},
		"another":             {gdb, int64(2), "two"},
		"absent":              {gdb, int64(9), ""},
		"deleted":             {gdb, int64(3), ""},
		"deleted, unscoped":   {gdb.Unscoped(), int64(3), "gone"},
		"condition":           {gdb.Where("tenant = ?", 2), int64(1), ""},
		"scope":               {gdb.Scopes(func(tx *gorm.DB) *gorm.DB { return tx.Where("tenant = ?", 2) }), int64(1), ""},
		"other table":         {gdb.Table("old_papers"), int64(1), "old"},
		"other columns":       {gdb.Select("id"), int64(1), ""},
		"other join":          {gdb.Joins("JOIN papers p ON p.id = papers.id AND p.tenant = 2"), int64(1), ""},
		"null":                {gdb, nil, ""},
		"list":                {gdb, []int64{2, 7}, "two"},
		"plugin lets through": {restricted, int64(1), "one"},
		"plugin keeps away":   {restricted, int64(2), ""},
		"ended context":       {gdb.WithContext(ended), int64(1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				tx := c.tx.Session(&gorm.Session{})
				row, err := db.Find[Paper](tx, c.id)
				if c.title == "" && name != "other columns" {
					require.Error(t, err)
					if name == "ended context" {
						require.ErrorIs(t, err, context.Canceled)
						continue
					}
					require.Equal(t, 404, fault.From(err).Status)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, c.title, row.Title)
			}
		})
	}
}
