package db_test

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

type book struct {
	ID    int64
	Title string `gorm:"uniqueIndex"`
}

// A database is opened by its URL and migrated; handlers can return the errors of
// its statements as they are.
func Example() {
	ctx := db.System(context.Background()) // without a caller, so no row rules apply
	gdb, err := db.Open("sqlite::memory:", db.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(gdb)
	gdb = gdb.WithContext(ctx)
	done, err := db.Migrate(ctx, gdb, []db.Migration{{
		ID:   "20260101000000_create_books",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&book{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&book{}) },
	}})
	fmt.Println(done, err)
	for _, title := range []string{"Emma", "Ulysses", "Emma"} {
		if err := gdb.Create(&book{Title: title}).Error; err != nil {
			fmt.Println(fault.From(err).Status, fault.From(err).Message)
		}
	}
	page, err := db.List[book](gdb, db.Query{Page: 1, Limit: 10, Order: "asc"}, "title")
	fmt.Println(page.Items, *page.Total, err)
	_, err = db.Find[book](gdb, 7)
	fmt.Println(fault.From(err).Status, fault.From(err).Message)
	// Output:
	// [20260101000000_create_books] <nil>
	// 409 Title taken
	// [{1 Emma} {2 Ulysses}] 2 <nil>
	// 404 Book not found
}
