package db_test

import (
	"net/http"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// The models of tables whose rows belong to one organisation.

type label struct {
	ID             int64
	OrganisationID int64  `gorm:"<-:create"`
	Name           string `json:"name"`
}

type task struct {
	ID             int64
	OrganisationID int64 `gorm:"<-:create"`
	LabelID        *int64
	Label          *label
	ParentID       *int64 `json:"parent_id"`
	Slug           *string
	Labels         []label `gorm:"many2many:task_labels;foreignKey:OrganisationID,ID;joinForeignKey:OrganisationID,TaskID;references:OrganisationID,ID;joinReferences:OrganisationID,LabelID"`
}

func within() []db.Migration {
	type organisations struct{ ID int64 }
	type labels struct {
		ID             int64         `gorm:"uniqueIndex:idx_labels_organisation_id_id,priority:2"`
		OrganisationID int64         `gorm:"not null;uniqueIndex:idx_labels_organisation_id_id,priority:1;uniqueIndex:idx_labels_organisation_id_name,priority:1"`
		Organisation   organisations `gorm:"constraint:OnDelete:RESTRICT"`
		Name           string        `gorm:"size:50;not null;uniqueIndex:idx_labels_organisation_id_name,priority:2"`
	}
	type tasks struct {
		ID             int64         `gorm:"uniqueIndex:idx_tasks_organisation_id_id,priority:2"`
		OrganisationID int64         `gorm:"not null;uniqueIndex:idx_tasks_organisation_id_id,priority:1"`
		Organisation   organisations `gorm:"constraint:OnDelete:RESTRICT"`
		ParentID       *int64        `gorm:"index"`
		Parent         *tasks        `gorm:"foreignKey:OrganisationID,ParentID;references:OrganisationID,ID;constraint:OnDelete:RESTRICT"`
	}
	type taskLabels struct {
		OrganisationID int64  `gorm:"primaryKey;autoIncrement:false"`
		TaskID         int64  `gorm:"primaryKey;autoIncrement:false"`
		LabelID        int64  `gorm:"primaryKey;autoIncrement:false;index"`
		Task           tasks  `gorm:"foreignKey:OrganisationID,TaskID;references:OrganisationID,ID;constraint:OnDelete:CASCADE"`
		Label          labels `gorm:"foreignKey:OrganisationID,LabelID;references:OrganisationID,ID;constraint:OnDelete:CASCADE"`
	}
	return []db.Migration{{
		ID: "20260101000000_create",
		Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&organisations{}); err != nil {
				return err
			}
			return db.CreateTables(tx, &labels{}, &tasks{}, &taskLabels{})
		},
		Down: func(tx *gorm.DB) error {
			return tx.Migrator().DropTable("task_labels", "tasks", "labels", "organisations")
		},
	}, addTo()}
}

// addTo is a function of its own because its types have the same names.
func addTo() db.Migration {
	type labels struct {
		ID             int64
		OrganisationID int64
	}
	type tasks struct {
		ID             int64
		OrganisationID int64   `gorm:"->"`
		LabelID        *int64  `gorm:"index"`
		Label          labels  `gorm:"foreignKey:OrganisationID,LabelID;references:OrganisationID,ID;constraint:OnDelete:RESTRICT"`
		Slug           *string `gorm:"size:50"`
	}
	return db.Migration{
		ID: "20260101000001_add",
		Up: func(tx *gorm.DB) error {
			if err := db.AddColumns(tx, &tasks{}); err != nil {
				return err
			}
			return db.UniqueFold(tx, "tasks", "slug", "organisation_id")
		},
		Down: func(tx *gorm.DB) error { return db.DropColumns(tx, &tasks{}) },
	}
}

// TestReferencesStayWithin checks that the database itself rejects references to
// rows of another organisation, however they are written.
func TestReferencesStayWithinOrganisation(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		all := within()
		for range 2 { // up, down and up again
			_, err := db.Migrate(t.Context(), gdb, all)
			must(err)
			_, err = db.Rollback(t.Context(), gdb, all, 2)
			must(err)
		}
		_, err := db.Migrate(t.Context(), gdb, all)
		must(err)
		must(gdb.Exec("INSERT INTO organisations (id) VALUES (1), (2)").Error)
		labels := []label{{OrganisationID: 1, Name: "a"}, {OrganisationID: 1, Name: "b"}, {OrganisationID: 2, Name: "a"}}
		must(gdb.Create(&labels).Error)
		one := task{OrganisationID: 1, LabelID: &labels[0].ID, Slug: new("x"), Labels: labels[:2]}
		must(gdb.Omit("Labels.*").Create(&one).Error)
		two := task{OrganisationID: 2, Slug: new("x")}
		must(gdb.Create(&two).Error)
		child := task{OrganisationID: 1, ParentID: &one.ID}
		must(gdb.Create(&child).Error)

		rejected := func(what, field string, err error) {
			t.Helper()
			f := fault.From(err)
			if f == nil || f.Status != http.StatusConflict && f.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %v", what, err)
				return
			}
			if field != "" && (len(f.Details) != 1 || f.Details[0].Field != field) {
				t.Errorf("%s: %+v, want %s", what, f.Details, field)
			}
		}
		rejected("an added reference", "label_id", gdb.Create(&task{OrganisationID: 1, LabelID: &labels[2].ID}).Error)
		rejected("a changed reference", "label_id", gdb.Model(&task{ID: one.ID}).Select("label_id").Updates(&task{LabelID: &labels[2].ID}).Error)
		rejected("a reference to the table itself", "parent_id", gdb.Create(&task{OrganisationID: 2, ParentID: &one.ID}).Error)
		rejected("a new row's labels", "", gdb.Omit("Labels.*").Create(&task{OrganisationID: 1, Labels: labels[2:]}).Error)
		rejected("a row's labels", "", gdb.Model(new(one)).Omit("Labels.*").Association("Labels").Replace(labels[2:]))
		rejected("a duplicate name", "name", gdb.Create(&label{OrganisationID: 1, Name: "a"}).Error)
		rejected("a duplicate slug", "slug", gdb.Create(&task{OrganisationID: 1, Slug: new("X")}).Error)
		several := []task{{OrganisationID: 1, Slug: new("free")}, {OrganisationID: 1, Slug: new("x")}}
		err = gdb.Create(&several).Error
		rejected("several slugs", "slug", err)
		if f := fault.From(err); f != nil && gdb.Name() != "postgres" && (f.Details[0].Index == nil || *f.Details[0].Index != 1) {
			t.Errorf("details of the second: %+v", f.Details)
		}
		rejected("a referenced row", "", gdb.Delete(&labels[0]).Error)
		rejected("a referenced organisation", "", gdb.Exec("DELETE FROM organisations WHERE id = 1").Error)

		// A row cannot change its organisation.
		must(gdb.Model(&two).Select("organisation_id").Updates(&task{OrganisationID: 1}).Error)
		var got task
		must(gdb.Preload("Labels").Take(&got, one.ID).Error)
		if got.OrganisationID != 1 || len(got.Labels) != 2 {
			t.Errorf("%+v", got)
		}
		must(gdb.Take(&two).Error)
		if two.OrganisationID != 2 {
			t.Error("a row changed its organisation")
		}
		must(gdb.Model(&one).Omit("Labels.*").Association("Labels").Replace(labels[1:2]))
		if n := gdb.Model(&one).Association("Labels").Count(); n != 1 {
			t.Errorf("%d labels", n)
		}
	})
}
