package db_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// The models of these tests: racks are soft-deleted, and tomes reference them.

type rack struct {
	ID        int64
	OfficeID  int64
	Seen      int64
	DeletedAt gorm.DeletedAt
}

type tome struct {
	ID        int64
	OfficeID  int64
	RackID    *int64
	Rack      *rack `gorm:"foreignKey:OfficeID,RackID;references:OfficeID,ID"`
	Title     string
	DeletedAt gorm.DeletedAt
}

// createRacks creates the tables, with composite foreign keys like those of an
// organisation's rows.
func createRacks(t *testing.T, gdb *gorm.DB, rule string) {
	t.Helper()
	for _, table := range []string{"tomes", "racks"} {
		must(t, gdb.Exec("DROP TABLE IF EXISTS "+table).Error)
	}
	key := map[string]string{"sqlite": "integer PRIMARY KEY", "postgres": "bigserial PRIMARY KEY", "mysql": "bigint AUTO_INCREMENT PRIMARY KEY"}[gdb.Name()]
	at := map[string]string{"sqlite": "datetime", "postgres": "timestamptz", "mysql": "datetime(6)"}[gdb.Name()]
	if rule == "SET NULL" && gdb.Name() == "postgres" {
		rule += " (rack_id)"
	}
	keys := ", FOREIGN KEY (office_id, rack_id) REFERENCES racks(office_id, id)"
	if gdb.Name() == "mysql" && rule == "SET NULL" {
		keys = ", FOREIGN KEY (rack_id) REFERENCES racks(id)" // MySQL cannot set only a part of the key to null
	}
	must(t, gdb.Exec("CREATE TABLE racks (id "+key+", office_id bigint NOT NULL, seen bigint NOT NULL, deleted_at "+at+", UNIQUE (office_id, id))").Error)
	must(t, gdb.Exec("CREATE TABLE tomes (id "+key+", office_id bigint NOT NULL, rack_id bigint, title varchar(20), deleted_at "+at+keys+" ON DELETE "+rule+")").Error)
}

// referenceWrites are the ways to write a reference to a rack; of is a tome without one.
var referenceWrites = map[string]func(tx *gorm.DB, to rack, of tome) error{
	"create": func(tx *gorm.DB, to rack, _ tome) error {
		return tx.Create(&tome{OfficeID: 1, RackID: &to.ID}).Error
	},
	"create several": func(tx *gorm.DB, to rack, _ tome) error {
		return tx.Create(&[]tome{{OfficeID: 1}, {OfficeID: 1, RackID: &to.ID}}).Error
	},
	"bulk": func(tx *gorm.DB, to rack, _ tome) error {
		return db.CreateAll(tx, []tome{{OfficeID: 1}, {OfficeID: 1, RackID: &to.ID}})
	},
	"in a transaction": func(tx *gorm.DB, to rack, _ tome) error {
		return tx.Transaction(func(tx *gorm.DB) error { return tx.Create(&tome{OfficeID: 1, RackID: &to.ID}).Error })
	},
	"update": func(tx *gorm.DB, to rack, of tome) error {
		of.RackID = &to.ID
		return tx.Select("rack_id").Updates(&of).Error
	},
	"update by a map": func(tx *gorm.DB, to rack, of tome) error {
		return tx.Model(&of).Updates(map[string]any{"rack_id": to.ID}).Error
	},
	"update of a column": func(tx *gorm.DB, to rack, of tome) error {
		return tx.Model(&tome{}).Where("id", of.ID).Update("rack_id", to.ID).Error
	},
	"save": func(tx *gorm.DB, to rack, of tome) error {
		of.RackID = &to.ID
		return tx.Save(&of).Error
	},
}

// danglingTomes counts the tomes that reference a deleted rack.
func danglingTomes(t *testing.T, gdb *gorm.DB) (n int64) {
	t.Helper()
	must(t, gdb.Model(&tome{}).Where("rack_id IN (SELECT id FROM racks WHERE deleted_at IS NOT NULL)").Count(&n).Error)
	return n
}

// A referenced row cannot be deleted before the reference is written: a soft delete
// after the check of the reference waits until then.
func TestReferencedRowsAreLocked(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createRacks(t, gdb, "RESTRICT")
		type deleteKey struct{}
		between := func(tx *gorm.DB) {
			deletion, _ := tx.Statement.Context.Value(deleteKey{}).(func())
			if deletion != nil {
				deletion()
			}
		}
		must(t, gdb.Callback().Create().Before("gorm:create").Register("between", between))
		must(t, gdb.Callback().Update().Before("gorm:update").Register("between", between))
		for name, write := range referenceWrites {
			to, of := rack{OfficeID: 1}, tome{OfficeID: 1}
			must(t, gdb.Create(&to).Error)
			must(t, gdb.Create(&of).Error)
			var deleted error
			ctx := context.WithValue(t.Context(), deleteKey{}, func() {
				short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				deleted = db.Delete[rack](gdb.WithContext(short), to.ID)
			})
			written := write(gdb.WithContext(ctx), to, of)
			check(t, deleted, 503, "The request took too long", "")
			if written != nil {
				t.Errorf("%s: %v", name, written)
			}
			check(t, db.Delete[rack](gdb, to.ID), 409, "Rack is still used by tomes", "")
		}
		if n := danglingTomes(t, gdb); n > 0 {
			t.Errorf("%d tomes reference deleted racks", n)
		}
	})
}

// Rows that cascade from a deleted row are locked as well.
func TestCascadingRowsAreLocked(t *testing.T) {
	type leaf struct {
		ID     int64
		TomeID int64
		Tome   *tome
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createRacks(t, gdb, "CASCADE")
		key := map[string]string{"sqlite": "integer PRIMARY KEY", "postgres": "bigserial PRIMARY KEY", "mysql": "bigint AUTO_INCREMENT PRIMARY KEY"}[gdb.Name()]
		must(t, gdb.Exec("CREATE TABLE leafs (id "+key+", tome_id bigint, FOREIGN KEY (tome_id) REFERENCES tomes(id) ON DELETE RESTRICT)").Error)
		on := rack{OfficeID: 1}
		must(t, gdb.Create(&on).Error)
		of := tome{OfficeID: 1, RackID: &on.ID}
		must(t, gdb.Create(&of).Error)
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&leaf{TomeID: of.ID}).Error)
			short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			check(t, db.Delete[rack](gdb.WithContext(short), on.ID), 503, "The request took too long", "")
			return nil
		}))
		check(t, db.Delete[rack](gdb, on.ID), 409, "Rack is still used by leafs", "")
	})
}

// A delete sees references that were committed after its transaction had read
// something. On SQLite none can be written in the meantime.
func TestDeletesSeeCommittedReferences(t *testing.T) {
	for _, name := range []string{"postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			gdb := open(t, address(t, name))
			createRacks(t, gdb, "RESTRICT")
			to := rack{OfficeID: 1}
			must(t, gdb.Create(&to).Error)
			must(t, gdb.Transaction(func(tx *gorm.DB) error {
				var n int64
				must(t, tx.Model(&tome{}).Count(&n).Error)
				must(t, gdb.Create(&tome{OfficeID: 1, RackID: &to.ID}).Error)
				check(t, db.Delete[rack](tx, to.ID), 409, "Rack is still used by tomes", "")
				return nil
			}))
		})
	}
}

// On PostgreSQL an update of a referenced row does not wait for the referencing
// one.
func TestReferencedRowsCanBeUpdated(t *testing.T) {
	gdb := open(t, address(t, "postgres"))
	createRacks(t, gdb, "RESTRICT")
	to := rack{OfficeID: 1}
	must(t, gdb.Create(&to).Error)
	count := func(tx *gorm.DB) error { return tx.Model(&to).Update("seen", gorm.Expr("seen + 1")).Error }
	must(t, gdb.Transaction(func(tx *gorm.DB) error {
		must(t, tx.Create(&tome{OfficeID: 1, RackID: &to.ID}).Error)
		must(t, count(gdb))
		return count(tx)
	}))
}

// A concurrent delete and reference both succeed only if the foreign key defines
// what happens to the reference, and neither ends with a 500.
func TestConcurrentDeletesAndReferences(t *testing.T) {
	const rounds = 5
	each(t, func(t *testing.T, gdb *gorm.DB) {
		for _, rule := range []string{"RESTRICT", "CASCADE", "SET NULL"} {
			createRacks(t, gdb, rule)
			for name, write := range referenceWrites {
				for range rounds {
					to, of := rack{OfficeID: 1}, tome{OfficeID: 1}
					must(t, gdb.Create(&to).Error)
					must(t, gdb.Create(&of).Error)
					var deleted, written error
					var ready, done sync.WaitGroup
					ready.Add(2)
					at := func(do func()) {
						done.Go(func() { ready.Done(); ready.Wait(); do() })
					}
					at(func() { deleted = db.Delete[rack](gdb, to.ID) })
					at(func() { written = write(gdb, to, of) })
					done.Wait()
					for _, err := range []error{deleted, written} {
						var f *fault.Error
						if err != nil && (!errors.As(err, &f) || f.Status != http.StatusConflict && f.Status != http.StatusUnprocessableEntity && f.Status != http.StatusServiceUnavailable) {
							t.Errorf("%s, %s: %v", rule, name, err)
						}
					}
					if rule == "RESTRICT" && deleted == nil && written == nil {
						t.Errorf("%s: a rack was deleted and then referenced", name)
					}
				}
			}
			if n := danglingTomes(t, gdb); n > 0 {
				t.Errorf("%s: %d tomes reference deleted racks", rule, n)
			}
		}
	})
}
