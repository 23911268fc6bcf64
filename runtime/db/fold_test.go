package db_test

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Names are found whatever their case, by the index that keeps them unique.
func TestFold(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		seeded(t, gdb)
		for _, name := range []string{"ann", "ANN", "Ann"} {
			var u User
			must(t, db.WhereFold(gdb, "username", name).Take(&u).Error)
			if u.Username != "ann" {
				t.Errorf("found %q", u.Username)
			}
		}
		var u User
		if err := db.WhereFold(gdb, "username", "an_").Take(&u).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("an_: %v", err)
		}
		if gdb.Name() == "sqlite" {
			var plan struct{ Detail string }
			query := gdb.ToSQL(func(tx *gorm.DB) *gorm.DB { return db.WhereFold(tx, "username", "ann").Find(&User{}) })
			must(t, gdb.Raw("EXPLAIN QUERY PLAN "+query).Scan(&plan).Error)
			if !strings.Contains(plan.Detail, "idx_users_username") {
				t.Errorf("not by the index: %s", plan.Detail)
			}
		}
		must(t, gdb.Migrator().DropIndex("users", "idx_users_username"))
		must(t, gdb.Create(&User{Username: "ANN", Email: "ann2@x"}).Error)
		check(t, db.UniqueFold(gdb, "users", "username"), 409, map[bool]string{true: "Username taken", false: "Already taken"}[gdb.Name() == "postgres"], map[bool]string{true: "username/unique"}[gdb.Name() == "postgres"])
	})
}

// On MySQL the column gets a collation without case.
func TestFoldGivesCollation(t *testing.T) {
	gdb := open(t, address(t, "mysql"))
	must(t, gdb.Exec("CREATE TABLE users (id bigint PRIMARY KEY, username varchar(50) COLLATE utf8mb4_bin NOT NULL, email varchar(254) NOT NULL DEFAULT '', age int NOT NULL DEFAULT 18)").Error)
	must(t, gdb.Exec("INSERT INTO users (id, username) VALUES (1, 'Ünal'), (2, 'unal')").Error)
	must(t, db.UniqueFold(gdb, "users", "username"))
	check(t, gdb.Create(&User{ID: 3, Username: "üNAL"}).Error, 409, "Username taken", "username/unique")
	if err := gdb.Exec("INSERT INTO users (id, username) VALUES (4, NULL)").Error; err == nil {
		t.Error("the column takes null now")
	}
}
