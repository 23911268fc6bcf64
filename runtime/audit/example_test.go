package audit_test

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/audit"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
)

type Note struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// Every change is recorded, in the transaction of the change.
func Example() {
	gdb, err := db.Open("sqlite::memory:", db.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(gdb)
	ctx := context.Background()
	notes := db.Migration{ID: "20260101000000_create_notes", Up: func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&Note{}) }}
	if _, err := db.Migrate(ctx, gdb, append(audit.Migrations(), notes)); err != nil {
		fmt.Println(err)
		return
	}
	if err := audit.Log(gdb); err != nil { // audit.Module calls it
		fmt.Println(err)
		return
	}
	ann := gdb.WithContext(auth.As(ctx, auth.Identity{UserID: 7, Username: "ann"}))
	note := Note{Text: "draft"}
	ann.Create(&note)
	ann.Model(&note).Update("text", "done")

	var entries []audit.Entry
	gdb.WithContext(db.System(ctx)).Order("id").Find(&entries)
	for _, e := range entries {
		fmt.Println(e.ID, e.Username, e.Action, e.Resource, e.Row, e.Before, e.After)
	}
	n, _, err := audit.Verify(db.System(ctx), gdb)
	fmt.Println(n, err)
	// Output:
	// 1 ann create notes 1  {"id":1,"text":"draft"}
	// 2 ann update notes 1 {"text":"draft"} {"text":"done"}
	// 2 <nil>
}
