package db_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Tables that people have written by hand: with comments, tabs, constraints without
// a space, and names that are SQL keywords.
func TestChangeHandWrittenTables(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Exec(`CREATE TABLE parts (
	-- the key, and it's "odd" (really
	id INTEGER PRIMARY KEY,
	name	TEXT NOT NULL DEFAULT 'a -- b, /* c */', /* two
	lines, with a comma ) */
	"check" INT, [unique] INT,
	qty INT,
	old TEXT, -- goes
	CHECK(qty>0), UNIQUE("check",[unique])
) -- the end`).Error)
	must(t, gdb.Exec(`INSERT INTO parts (id, name, "check", [unique], qty, old) VALUES (7, 'x', 1, 2, 3, 'y')`).Error)
	type parts struct {
		ID     int64
		Name   string
		Check  *int64
		Unique *int64
		Qty    *int64
	}
	was := struct {
		parts
		Old *string
	}{}
	now := struct {
		parts
		Fresh *string
	}{}
	must(t, gdb.Transaction(func(tx *gorm.DB) error { return db.ChangeTable(tx, "parts", was, now) }))
	var row map[string]any
	must(t, gdb.Table("parts").Take(&row).Error)
	if row["name"] != "x" || row["check"] != int64(1) || row["unique"] != int64(2) || row["qty"] != int64(3) {
		t.Errorf("the row is %v", row)
	}
	if _, there := row["old"]; there {
		t.Error("column old still exists")
	}
	if _, there := row["fresh"]; !there {
		t.Error("column fresh is missing")
	}
	must(t, gdb.Exec("INSERT INTO parts (id) VALUES (8)").Error)
	if gdb.Table("parts").Take(&row, "id", 8); row["name"] != "a -- b, /* c */" {
		t.Errorf("the default is %v", row["name"])
	}
	for _, refused := range []string{"INSERT INTO parts (qty) VALUES (0)", `INSERT INTO parts ("check", [unique]) VALUES (1, 2)`} {
		if gdb.Exec(refused).Error == nil {
			t.Errorf("no error: %s", refused)
		}
	}
}
