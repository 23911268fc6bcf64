package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

type Letter struct {
	ID        int64
	Title     string  `gorm:"size:50;not null;uniqueIndex"`
	Note      *string `gorm:"size:50"`
	Pages     int
	Day       db.Date
	CreatedAt time.Time
	UpdatedAt time.Time
}

// The cached text of a Create must not leak into one that needs more: each case
// runs after a plain one, and twice.
func TestCachedCreateKeepsStatements(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.AutoMigrate(&Letter{}))
		must(t, gdb.Table("old_letters").AutoMigrate(&Letter{}))
		note, other, day := "note", "other", db.NewDate(2025, 3, 1)
		at := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
		titles := 0
		letter := func() *Letter {
			titles++
			return &Letter{Title: "letter " + string(rune('a'+titles)), Note: &note, Pages: 3, Day: day}
		}
		stored := func(tx *gorm.DB, l *Letter) Letter {
			t.Helper()
			require.NotZero(t, l.ID)
			var row Letter
			must(t, tx.Where("id = ?", l.ID).Take(&row).Error)
			return row
		}
		for range 2 {
			plain := letter()
			must(t, gdb.Create(plain).Error)
			require.WithinDuration(t, time.Now(), plain.CreatedAt, time.Minute)
			require.Equal(t, plain.CreatedAt, plain.UpdatedAt)
			require.Equal(t, *plain, stored(gdb, plain))

			empty := &Letter{Title: letter().Title, Day: day}
			must(t, gdb.Create(empty).Error)
			require.Equal(t, *empty, stored(gdb, empty))

			dated := letter()
			dated.CreatedAt, dated.UpdatedAt = at, at
			must(t, gdb.Create(dated).Error)
			require.Equal(t, at, stored(gdb, dated).CreatedAt)
			require.Equal(t, at, stored(gdb, dated).UpdatedAt)

			omitted := letter()
			must(t, gdb.Omit("note").Create(omitted).Error)
			require.Nil(t, stored(gdb, omitted).Note)

			elsewhere := letter()
			must(t, gdb.Table("old_letters").Create(elsewhere).Error)
			require.Equal(t, elsewhere.Title, stored(gdb.Table("old_letters"), elsewhere).Title)

			keyed := letter()
			keyed.ID = int64(1000 * titles)
			must(t, gdb.Create(keyed).Error)
			require.Equal(t, *keyed, stored(gdb, keyed))

			several := []Letter{*letter(), *letter()}
			must(t, gdb.Create(&several).Error)
			require.Equal(t, several[0], stored(gdb, &several[0]))
			require.Equal(t, several[1], stored(gdb, &several[1]))

			again := *plain
			again.ID, again.Note = 0, &other
			must(t, gdb.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "title"}}, DoUpdates: clause.AssignmentColumns([]string{"note"})}).Create(&again).Error)
			require.Equal(t, "other", *stored(gdb, plain).Note)

			again.ID = 0
			require.Error(t, gdb.Create(&again).Error, "duplicate title")
		}
		var rows int64
		must(t, gdb.Model(&Letter{}).Count(&rows).Error)
		require.EqualValues(t, 14, rows)
	})
}

// Worded has a value that is an expression.
type Worded struct {
	ID    int64
	Words Upper
}

// Upper becomes one of two expressions.
type Upper string

// GormValue implements gorm.Valuer.
func (u Upper) GormValue(context.Context, *gorm.DB) clause.Expr {
	if strings.HasPrefix(string(u), "~") {
		return clause.Expr{SQL: "lower(?)", Vars: []any{string(u)}}
	}
	return clause.Expr{SQL: "upper(?)", Vars: []any{string(u)}}
}

func TestCreateLeavesExpressionsToGORM(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Exec("CREATE TABLE wordeds (id integer primary key, words text)").Error)
	for words, want := range map[Upper]string{"one": "ONE", "~Two": "~two"} {
		row := Worded{Words: words}
		must(t, gdb.Create(&row).Error)
		var got string
		must(t, gdb.Raw("SELECT words FROM wordeds WHERE id = ?", row.ID).Scan(&got).Error)
		require.Equal(t, want, got)
	}
}

// A foreign key may be checked on commit.
func TestDeferredReferences(t *testing.T) {
	type Hen struct{ ID int64 }
	type Egg struct {
		ID    int64
		HenID int64
		Hen   *Hen
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		if gdb.Name() == "mysql" {
			t.Skip("MySQL has no deferred constraints")
		}
		must(t, gdb.Exec("CREATE TABLE hens (id integer PRIMARY KEY)").Error)
		must(t, gdb.Exec("CREATE TABLE eggs (id integer PRIMARY KEY, hen_id integer NOT NULL REFERENCES hens DEFERRABLE INITIALLY DEFERRED)").Error)
		must(t, gdb.Create(&Hen{ID: 1}).Error)
		eggs := make([]Egg, 150)
		for i := range eggs {
			eggs[i] = Egg{ID: int64(i + 1), HenID: 1}
		}
		eggs[120].HenID = 9
		err := db.CreateAll(gdb, eggs)
		f := (*fault.Error)(nil)
		if !errors.As(err, &f) || len(f.Details) != 1 || f.Details[0].Field != "hen_id" || f.Details[0].Index == nil || *f.Details[0].Index != 120 {
			t.Errorf("got %v, %+v", err, f)
		}
	})
}
