package db_test

import (
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

type Tick struct {
	ID    int64
	Kind  int  `gorm:"not null;index"`
	Spare bool `gorm:"not null"`
}

const ticks = 12_000

// manyTicks creates more rows than are counted exactly, three quarters of them with
// spare.
func manyTicks(t testing.TB, gdb *gorm.DB) {
	t.Helper()
	must(t, gdb.Migrator().CreateTable(&Tick{}))
	rows := make([]Tick, ticks)
	for i := range rows {
		rows[i] = Tick{Kind: i % 7, Spare: i%4 != 0}
	}
	must(t, gdb.CreateInBatches(rows, 2000).Error)
	switch gdb.Name() { // the server does this itself, later
	case "postgres":
		must(t, gdb.Exec("ANALYZE ticks").Error)
	case "mysql":
		must(t, gdb.Exec("ANALYZE TABLE ticks").Error)
	}
}

// Few rows are always counted exactly; for many rows the total is what the query
// asks for, and an estimate is marked as one.
func TestTotals(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		manyTicks(t, gdb)
		lite := gdb.Name() == "sqlite" // SQLite counts a whole table exactly, and estimates others from the rows it has read
		for name, c := range map[string]struct {
			tx          *gorm.DB
			q           db.Query
			least, most int64 // -1 for no total
			estimate    bool
			next        bool
		}{
			"all":                    {gdb, db.Query{}, 10_001, 15_000, !lite, true},
			"all, exactly":           {gdb, db.Query{Count: new("exact")}, ticks, ticks, false, true},
			"all, not counted":       {gdb, db.Query{Count: new("none")}, -1, -1, false, true},
			"many":                   {gdb.Where("id > ?", 100), db.Query{}, 10_001, 15_000, true, true},
			"many, exactly":          {gdb.Where("id > ?", 100), db.Query{Count: new("exact")}, ticks - 100, ticks - 100, false, true},
			"few":                    {gdb.Where("spare"), db.Query{}, 9000, 9000, false, true},
			"few, not counted":       {gdb.Where("spare"), db.Query{Count: new("none")}, -1, -1, false, true},
			"one page":               {gdb.Where("id <= 10"), db.Query{}, 10, 10, false, false},
			"one page, not counted":  {gdb.Where("id <= 10"), db.Query{Count: new("none")}, -1, -1, false, false},
			"beyond the exact count": {gdb.Where("id > ?", 100), db.Query{Page: 1150}, 11_501, 15_000, true, true},
			"last":                   {gdb, db.Query{Page: 1200}, ticks, ticks, false, false},
			"last, exactly":          {gdb, db.Query{Page: 1200, Count: new("exact")}, ticks, ticks, false, false},
			"last, not counted":      {gdb, db.Query{Page: 1200, Count: new("none")}, -1, -1, false, false},
			"after the last":         {gdb.Where("id > ?", 100), db.Query{Page: 1200}, 10_001, 11_990, true, false},
			"after the last of few":  {gdb.Where("spare"), db.Query{Page: 1200}, 9000, 9000, false, false},
			"grouped":                {gdb.Group("id"), db.Query{}, ticks, ticks, false, true},
		} {
			page, err := db.List[Tick](c.tx, c.q, "id")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			page.Items = nil
			total := int64(-1)
			if page.Total != nil {
				total = *page.Total
			}
			if total < c.least || total > c.most || page.TotalIsEstimate != c.estimate || page.HasNext != c.next || page.HasNext != (page.NextCursor != nil) || (page.Pages == nil) != (total < 0) {
				t.Errorf("%s: %s", name, asJSON(page))
			}
		}
	})
}

// Deep pages, which are found by their keys, continue where the earlier pages end,
// with the same conditions and relations.
func TestDeepPages(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		manyTicks(t, gdb)
		var want, got []int64
		tx := gdb.Where("kind < ?", 2).Or("kind = ?", 5)
		must(t, tx.Session(&gorm.Session{}).Model(&Tick{}).Order("kind DESC, id DESC").Pluck("id", &want).Error)
		for q := (db.Query{Page: 1, Limit: 100}); ; q.Page++ {
			page, err := db.List[Tick](tx.Session(&gorm.Session{}), q, "kind")
			must(t, err)
			for _, row := range page.Items {
				got = append(got, row.ID)
			}
			if !page.HasNext {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %d rows, want %d, or the order differs", len(got), len(want))
		}
	})
}

// The count of a whole table that is slow on SQLite is cached for a while, and
// marked as an estimate.
func TestCachedTotalOfLargeTable(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a large table")
	}
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Migrator().CreateTable(&Tick{}))
	must(t, gdb.Exec("INSERT INTO ticks (kind, spare) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999999) SELECT 1, true FROM n").Error)
	must(t, gdb.Create(&Tick{Kind: 2}).Error) // the first write also runs optimize
	list := func(q db.Query) db.Page[Tick] {
		page, err := db.List[Tick](gdb, q, "id")
		must(t, err)
		return page
	}
	if first := list(db.Query{}); *first.Total != 1_000_000 || first.TotalIsEstimate {
		t.Errorf("first total: %d, estimated %v", *first.Total, first.TotalIsEstimate)
	}
	must(t, gdb.Create(&Tick{Kind: 2}).Error)
	if second := list(db.Query{}); *second.Total != 1_000_000 || !second.TotalIsEstimate || !second.HasNext {
		t.Errorf("second total: %d, estimated %v", *second.Total, second.TotalIsEstimate)
	}
	if exact := list(db.Query{Count: new("exact")}); *exact.Total != 1_000_001 || exact.TotalIsEstimate {
		t.Errorf("exact total: %d, estimated %v", *exact.Total, exact.TotalIsEstimate)
	}
	for end := time.Now().Add(30 * time.Second); *list(db.Query{}).Total != 1_000_001; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the cached total does not expire")
		}
	}
}
