package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// The models of these tests: notes and labels may be read and changed by their
// owners, and published notes may be read by everyone.

type Note struct {
	ID        int64 `json:"id"`
	UserID    int64 `json:"user_id"`
	Title     string
	Published bool
	DeletedAt gorm.DeletedAt
	Labels    []Label `gorm:"many2many:note_labels"`
	Remarks   []Remark
}

func (Note) Readable(tx *gorm.DB) *gorm.DB {
	return tx.Where("user_id", callerOf(tx)).Or("published", true)
}
func (Note) Writable(tx *gorm.DB) *gorm.DB { return tx.Where("user_id", callerOf(tx)) }

type Label struct {
	ID     int64
	UserID int64
	Name   string
}

func (Label) Readable(tx *gorm.DB) *gorm.DB { return tx.Where("user_id = ?", callerOf(tx)) }

type Remark struct {
	ID     int64  `json:"id"`
	NoteID int64  `json:"note_id"`
	FileID *int64 `json:"file_id"`
	Body   string
	Note   *Note
	File   *Archive
}

// Archive is a model with soft deletes and no rule.
type Archive struct {
	ID        int64
	DeletedAt gorm.DeletedAt
}

type callerKey struct{}

func as(user int64) context.Context {
	return context.WithValue(context.Background(), callerKey{}, user)
}

var errNoCaller = errors.New("no caller")

func callerOf(tx *gorm.DB) int64 {
	user, ok := tx.Statement.Context.Value(callerKey{}).(int64)
	if !ok {
		_ = tx.AddError(errNoCaller)
	}
	return user
}

const (
	ann int64 = 1
	bob int64 = 2
)

// createNotes fills the tables: Ann has a draft (1), a published note (2) and a
// deleted one (3), each with a remark, and the label 1; Bob has note 4 and
// label 2.
func createNotes(t *testing.T, gdb *gorm.DB) *gorm.DB {
	t.Helper()
	must(t, gdb.AutoMigrate(&Label{}, &Note{}, &Archive{}, &Remark{}))
	all := gdb.WithContext(db.System(t.Context()))
	must(t, all.Create(&[]Note{
		{UserID: ann, Title: "draft"}, {UserID: ann, Title: "shown", Published: true}, {UserID: ann, Title: "gone", Published: true}, {UserID: bob, Title: "bob's"},
	}).Error)
	must(t, all.Create(&[]Label{{UserID: ann, Name: "hers"}, {UserID: bob, Name: "his"}}).Error)
	must(t, all.Create(&[]Remark{{NoteID: 1, Body: "on the draft"}, {NoteID: 2, Body: "on the shown"}, {NoteID: 4, Body: "on bob's"}}).Error)
	must(t, all.Create(&[]Archive{{}, {DeletedAt: gorm.DeletedAt{Time: time.Now(), Valid: true}}}).Error)
	must(t, all.Delete(&Note{}, 3).Error)
	must(t, all.Exec("INSERT INTO note_labels (note_id, label_id) VALUES (1, 1), (2, 1), (4, 2)").Error)
	return gdb
}

// Every way to read notes returns Bob his own and the published ones, and neither
// drafts of Ann nor deleted notes.
func TestRulesApplyToEveryRead(t *testing.T) {
	ids := func(notes []Note) []int64 {
		var all []int64
		for _, n := range notes {
			all = append(all, n.ID)
		}
		return all
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createNotes(t, gdb)
		tx := gdb.WithContext(as(bob))
		for name, read := range map[string]func() ([]int64, error){
			"find": func() ([]int64, error) { var n []Note; err := tx.Order("id").Find(&n).Error; return ids(n), err },
			"or": func() ([]int64, error) {
				var n []Note
				err := tx.Where("id = ?", 0).Or("id > 0").Order("id").Find(&n).Error
				return ids(n), err
			},
			"or in text": func() ([]int64, error) {
				var n []Note
				err := tx.Where("id = 0 or id > 0").Order("id").Find(&n).Error
				return ids(n), err
			},
			"not": func() ([]int64, error) {
				var n []Note
				err := tx.Not("id = 0").Order("id").Find(&n).Error
				return ids(n), err
			},
			"pluck": func() (n []int64, err error) { return n, tx.Model(&Note{}).Order("id").Pluck("id", &n).Error },
			"scan": func() ([]int64, error) {
				var n []struct{ ID int64 }
				err := tx.Model(&Note{}).Order("id").Scan(&n).Error
				var all []int64
				for _, r := range n {
					all = append(all, r.ID)
				}
				return all, err
			},
			"maps": func() ([]int64, error) {
				var n []map[string]any
				err := tx.Model(&Note{}).Find(&n).Error
				return make([]int64, len(n)), err
			},
			"batches": func() ([]int64, error) {
				var all, some []Note
				err := tx.FindInBatches(&some, 1, func(*gorm.DB, int) error { all = append(all, some...); return nil }).Error
				return ids(all), err
			},
			"subquery": func() (n []int64, err error) {
				err = gdb.WithContext(db.System(as(bob))).Model(&Note{}).Where("id IN (?)", tx.Model(&Note{}).Select("id")).Order("id").Pluck("id", &n).Error
				return
			},
			"join in SQL": func() ([]int64, error) {
				var n []Note
				err := tx.Joins("JOIN remarks ON remarks.note_id = notes.id").Order("notes.id").Find(&n).Error
				return ids(n), err
			},
			"counted list": func() ([]int64, error) {
				var all []int64
				for page := 1; page <= 2; page++ {
					p, err := db.List[Note](tx, db.Query{Order: "asc", Limit: 1, Page: page}, "id")
					if err != nil {
						return nil, err
					}
					if *p.Total != 2 || p.TotalIsEstimate {
						return nil, fmt.Errorf("total %d", *p.Total)
					}
					all = append(all, ids(p.Items)...)
				}
				return all, nil
			},
			"list": func() ([]int64, error) {
				p, err := db.List[Note](tx, db.Query{Order: "asc"}, "id")
				if err == nil && *p.Total != 2 {
					err = fmt.Errorf("total %d", *p.Total)
				}
				return ids(p.Items), err
			},
			"cursor": func() ([]int64, error) {
				var all []int64
				for cursor := ""; ; {
					p, err := db.List[Note](tx, db.Query{Order: "asc", Limit: 1, Cursor: &cursor}, "title")
					if err != nil {
						return nil, err
					}
					all = append(all, ids(p.Items)...)
					if p.NextCursor == nil {
						slices.Sort(all)
						return all, nil
					}
					cursor = *p.NextCursor
				}
			},
			"rows": func() (all []int64, err error) {
				rows, err := tx.Model(&Note{}).Select("id").Order("id").Rows()
				if err != nil {
					return nil, err
				}
				defer rows.Close()
				for rows.Next() {
					var id int64
					if err := rows.Scan(&id); err != nil {
						return nil, err
					}
					all = append(all, id)
				}
				return all, rows.Err()
			},
			"preload": func() ([]int64, error) {
				var r []Remark
				err := tx.Preload("Note").Order("id").Find(&r).Error
				return seen(r), err
			},
			"join": func() ([]int64, error) {
				var r []Remark
				err := tx.Joins("Note").Order("remarks.id").Find(&r).Error
				return seen(r), err
			},
			"inner join": func() ([]int64, error) {
				var r []Remark
				err := tx.InnerJoins("Note", gdb.Where("1 = 1")).Order("remarks.id").Find(&r).Error
				return seen(r), err
			},
			"association": func() ([]int64, error) {
				var all []int64
				for id := range int64(3) {
					var n []Note
					if err := tx.Model(&Remark{ID: id + 1, NoteID: []int64{1, 2, 4}[id]}).Association("Note").Find(&n); err != nil {
						return nil, err
					}
					all = append(all, ids(n)...)
				}
				return all, nil
			},
		} {
			got, err := read()
			want := []int64{2, 4}
			if name == "maps" {
				want = []int64{0, 0}
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}

		var n int64
		if err := tx.Model(&Note{}).Count(&n).Error; err != nil || n != 2 {
			t.Errorf("count %d, %v", n, err)
		}
		for id, want := range map[int64]int{1: 404, 2: 200, 3: 404, 4: 200, 9: 404} {
			if _, err := db.Find[Note](tx, id); status(err) != want {
				t.Errorf("note %d: %v", id, err)
			}
			if err := tx.Take(&Note{}, id).Error; (err == nil) != (want == 200) {
				t.Errorf("note %d by Take: %v", id, err)
			}
		}
		var shown Note
		must(t, tx.Preload("Labels").Preload("Remarks").Take(&shown, 2).Error)
		if len(shown.Labels) != 0 || len(shown.Remarks) != 1 {
			t.Errorf("labels %v, remarks %v", shown.Labels, shown.Remarks)
		}
		if n := tx.Model(&Note{ID: 2}).Association("Labels").Count(); n != 0 {
			t.Errorf("%d labels", n)
		}
		if err := tx.Unscoped().Take(&Note{}, 1).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("unscoped: %v", err)
		}
		if err := gdb.WithContext(t.Context()).Find(&[]Note{}).Error; !errors.Is(err, errNoCaller) {
			t.Errorf("without a caller: %v", err)
		}
		if err := gdb.WithContext(t.Context()).Model(&Note{}).Count(&n).Error; !errors.Is(err, errNoCaller) {
			t.Errorf("count without a caller: %v", err)
		}
		if gdb.WithContext(db.System(t.Context())).Model(&Note{}).Count(&n); n != 3 {
			t.Errorf("the system counts %d", n)
		}
	})
}

func seen(remarks []Remark) []int64 {
	var all []int64
	for _, r := range remarks {
		if r.Note != nil {
			all = append(all, r.Note.ID)
		}
	}
	return all
}

func status(err error) int {
	if err == nil {
		return 200
	}
	return fault.From(err).Status
}

// No way to write changes a note that the caller may not change.
func TestRulesApplyToEveryWrite(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createNotes(t, gdb)
		tx, all := gdb.WithContext(as(bob)), gdb.WithContext(db.System(t.Context()))
		for name, write := range map[string]func(id int64) error{
			"update": func(id int64) error { return tx.Model(&Note{ID: id}).Update("title", "x").Error },
			"updates": func(id int64) error {
				return tx.Model(&Note{}).Where("id = ?", id).Updates(map[string]any{"title": "x"}).Error
			},
			"update column": func(id int64) error { return tx.Model(&Note{ID: id}).UpdateColumn("title", "x").Error },
			"all":           func(int64) error { return tx.Model(&Note{}).Where("1 = 1").Update("title", "x").Error },
			"or": func(id int64) error {
				return tx.Model(&Note{}).Where("id = ?", id).Or("id > 0").Update("title", "x").Error
			},
			"save": func(id int64) error { return tx.Save(&Note{ID: id, UserID: bob, Title: "x"}).Error },
			"upsert": func(id int64) error {
				return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Note{ID: id, UserID: bob, Title: "x"}).Error
			},
			"delete":             func(id int64) error { return tx.Delete(&Note{}, id).Error },
			"delete by struct":   func(id int64) error { return tx.Delete(&Note{ID: id}).Error },
			"delete permanently": func(id int64) error { return tx.Unscoped().Where("id = ?", id).Delete(&Note{}).Error },
			"db.Delete":          func(id int64) error { return db.Delete[Note](tx, id) },
			"delete everything":  func(int64) error { return tx.Session(&gorm.Session{AllowGlobalUpdate: true}).Delete(&Note{}).Error },
		} {
			for _, id := range []int64{1, 2} {
				err := write(id)
				var n Note
				if all.Take(&n, id).Error != nil || n.Title == "x" || n.UserID != ann {
					t.Fatalf("%s changed note %d: %+v, %v", name, id, n, err)
				}
			}
		}
		must(t, all.Unscoped().Model(&Note{}).Where("user_id = ?", bob).Update("deleted_at", nil).Error)

		for id, want := range map[int64]int{1: 404, 2: 403, 3: 404, 9: 404} {
			if _, err := db.FindWritable[Note](tx, id); status(err) != want {
				t.Errorf("note %d: %v", id, err)
			}
			if err := db.Delete[Note](tx, id); status(err) != want {
				t.Errorf("deleting note %d: %v", id, err)
			}
		}
		// A rule does not count as the condition that GORM requires.
		for name, err := range map[string]error{
			"update": tx.Model(&Note{}).Update("title", "x").Error,
			"delete": tx.Delete(&Note{}).Error,
		} {
			if !errors.Is(err, gorm.ErrMissingWhereClause) {
				t.Errorf("%s of everything: %v", name, err)
			}
		}
		if err := gdb.WithContext(t.Context()).Where("id = 1").Delete(&Note{}).Error; !errors.Is(err, errNoCaller) {
			t.Errorf("without a caller: %v", err)
		}

		hers := gdb.WithContext(as(ann))
		note, err := db.FindWritable[Note](hers, 1)
		must(t, err)
		note.Title = "mine"
		must(t, hers.Select("title").Updates(&note).Error)
		note.Title = "still mine"
		must(t, hers.Save(&note).Error)
		must(t, hers.Save(&Note{ID: 77, UserID: ann, Title: "new, with a key"}).Error)
		// A referenced row stays, even if it would only be soft-deleted.
		check(t, db.Delete[Note](hers, 1), 409, "Note is still used by remarks", "")
		must(t, gdb.Exec("DELETE FROM remarks WHERE note_id = 1").Error)
		must(t, db.Delete[Note](hers, 1))
		if all.Take(&note, 1).Error == nil {
			t.Error("her own note is still there")
		}
	})
}

// A reference to a row that does not exist, is deleted or may not be read by the
// caller is the same 422, however it is written.
func TestReferencesMustBeReadable(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createNotes(t, gdb)
		tx := gdb.WithContext(as(bob))
		must(t, tx.Create(&Remark{NoteID: 4, Body: "own"}).Error)
		must(t, tx.Create(&Remark{NoteID: 2, Body: "published", FileID: new(int64(1))}).Error)
		var mine Remark
		must(t, tx.Where("body = ?", "own").Take(&mine).Error)
		for name, write := range map[string]func(tx *gorm.DB, note int64) error{
			"create": func(tx *gorm.DB, note int64) error { return tx.Create(&Remark{NoteID: note}).Error },
			"bulk":   func(tx *gorm.DB, note int64) error { return tx.Create(&[]Remark{{NoteID: 4}, {NoteID: note}}).Error },
			"update": func(tx *gorm.DB, note int64) error {
				return tx.Model(&mine).Select("note_id").Updates(&Remark{NoteID: note}).Error
			},
			"update of a map": func(tx *gorm.DB, note int64) error {
				return tx.Model(&mine).Updates(map[string]any{"note_id": note}).Error
			},
			"update of a column": func(tx *gorm.DB, note int64) error { return tx.Model(&mine).UpdateColumn("note_id", note).Error },
			"update by struct":   func(tx *gorm.DB, note int64) error { return tx.Model(&mine).Updates(Remark{NoteID: note}).Error },
			"save":               func(tx *gorm.DB, note int64) error { r := mine; r.NoteID = note; return tx.Save(&r).Error },
			"a label": func(tx *gorm.DB, note int64) error {
				return tx.Omit("Labels.*").Create(&Note{UserID: bob, Labels: []Label{{ID: map[int64]int64{1: 1, 3: 777, 999: 999}[note]}}}).Error
			},
			"Refs": func(tx *gorm.DB, note int64) error {
				_, err := db.Refs[Note](tx, "note_ids", []int64{4, note})
				return err
			},
		} {
			for what, note := range map[string]int64{"another's": 1, "deleted": 3, "absent": 999} {
				for _, inside := range []bool{false, true} {
					err := write(tx, note)
					if inside {
						err = tx.Transaction(func(tx *gorm.DB) error { return write(tx, note) })
					}
					f := fault.From(err)
					if f == nil || f.Status != 422 || len(f.Details) != 1 || f.Details[0].Rule != "exists" {
						t.Errorf("%s, %s, in a transaction %v: %v", name, what, inside, err)
						continue
					}
					if d := f.Details[0]; name == "bulk" && (d.Index == nil || *d.Index != 1 || d.Field != "note_id") {
						t.Errorf("%s, %s: %+v", name, what, d)
					}
				}
			}
		}
		err := tx.Create(&Remark{NoteID: 1, FileID: new(int64(2))}).Error
		var fields []string
		for _, d := range fault.From(err).Details {
			fields = append(fields, d.Field+": "+d.Message)
		}
		slices.Sort(fields)
		if got := strings.Join(fields, ", "); got != "file_id: File not found, note_id: Note not found" {
			t.Errorf("both at once: %s", got)
		}
	})
}

// CreateAll writes all rows or none, and its errors give the index in the whole
// batch.
func TestCreateAll(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createNotes(t, gdb)
		createBlog(t, gdb)
		tx := gdb.WithContext(as(bob))
		remarks := func(change func([]Remark)) []Remark {
			all := make([]Remark, 250)
			for i := range all {
				all[i].NoteID = 4
			}
			change(all)
			return all
		}
		users := make([]User, 250)
		for i := range users {
			users[i] = User{Username: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("%d@x", i)}
		}
		users[230].Username = "ANN"
		posts := make([]Post, 250)
		for i := range posts {
			posts[i] = Post{Title: fmt.Sprint(i), AuthorID: 1}
		}
		posts[130].AuthorID = 99
		for name, c := range map[string]struct {
			err    error
			status int
			index  int
		}{
			"another's note": {db.CreateAll(tx, remarks(func(r []Remark) { r[205].NoteID = 1 })), 422, 205},
			"a deleted file": {db.CreateAll(tx, remarks(func(r []Remark) { r[105].FileID = new(int64(2)) })), 422, 105},
			"unique":         {db.CreateAll(tx, users), 409, 230},
			"foreign key":    {db.CreateAll(tx, posts), 422, 130},
		} {
			f := fault.From(c.err)
			if f == nil || f.Status != c.status || len(f.Details) != 1 || f.Details[0].Index == nil || *f.Details[0].Index != c.index {
				t.Errorf("%s: %v %s", name, c.err, asJSON(f))
			}
		}
		for model, want := range map[any]int64{&Remark{}: 3, &User{}: 1, &Post{}: 1} {
			var n int64
			if tx.Model(model).Count(&n); n != want {
				t.Errorf("%T: %d rows, want %d", model, n, want)
			}
		}
		all := remarks(func([]Remark) {})
		must(t, db.CreateAll(tx, all))
		if all[249].ID == 0 {
			t.Error("the last row has no key")
		}
	})
}

// The rule of a nested relation applies to joins.
func TestNestedJoins(t *testing.T) {
	type Reply struct {
		ID       int64
		RemarkID int64
		Remark   *Remark
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createNotes(t, gdb)
		must(t, gdb.AutoMigrate(&Reply{}))
		must(t, gdb.Create(&[]Reply{{RemarkID: 1}, {RemarkID: 2}, {RemarkID: 3}}).Error)
		var replies []Reply
		must(t, gdb.WithContext(as(bob)).Joins("Remark").Joins("Remark.Note").Order("replies.id").Find(&replies).Error)
		var all []int64
		for _, r := range replies {
			if r.Remark.Note != nil {
				all = append(all, r.Remark.Note.ID)
			}
		}
		if !slices.Equal(all, []int64{2, 4}) {
			t.Errorf("notes %v", all)
		}
	})
}

// The table whose rows prevent a deletion is named only to callers who may read
// some of those rows: whether the database or a soft delete fails, for one row,
// many, or cascading ones.
func TestReferencingTableIsNamedToReadersOnly(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		for _, table := range []string{"folders", "sheets", "marks"} {
			must(t, gdb.Exec(map[string]string{
				"folders": "CREATE TABLE folders (id bigint PRIMARY KEY, deleted_at timestamp NULL)",
				"sheets":  "CREATE TABLE sheets (id bigint PRIMARY KEY, user_id bigint, folder_id bigint, FOREIGN KEY (folder_id) REFERENCES folders(id))",
				"marks":   "CREATE TABLE marks (id bigint PRIMARY KEY, user_id bigint, sheet_id bigint, FOREIGN KEY (sheet_id) REFERENCES sheets(id))",
			}[table]).Error)
		}
		all := gdb.WithContext(db.System(t.Context()))
		must(t, all.Create([]folder{{ID: 1}, {ID: 2}}).Error)
		must(t, all.Create([]sheet{{ID: 1, UserID: ann, FolderID: 1}, {ID: 2, UserID: bob, FolderID: 2}}).Error)
		must(t, all.Create([]mark{{ID: 1, UserID: bob, SheetID: 1}, {ID: 2, UserID: ann, SheetID: 2}}).Error)
		const other = "other rows"
		for _, c := range []struct {
			who          int64
			what         string
			delete       func(tx *gorm.DB) error
			table        string
			inTx, failed string // in a transaction; and where the transaction runs no further statement
		}{
			{bob, "Folder", func(tx *gorm.DB) error { return db.Delete[folder](tx, 1) }, other, other, other},
			{ann, "Folder", func(tx *gorm.DB) error { return db.Delete[folder](tx, 1) }, "sheets", "sheets", "sheets"},
			{bob, "Folder", func(tx *gorm.DB) error { return tx.Where("id IN (1)").Delete(&folder{}).Error }, other, other, other},
			{bob, "Folder", func(tx *gorm.DB) error { return tx.Unscoped().Delete(&folder{ID: 1}).Error }, other, other, other},
			{ann, "Folder", func(tx *gorm.DB) error { return tx.Unscoped().Delete(&folder{ID: 1}).Error }, "sheets", "sheets", other},
			{ann, "Sheet", func(tx *gorm.DB) error { return db.Delete[sheet](tx, 1) }, other, other, other},
			{ann, "Sheet", func(tx *gorm.DB) error { return tx.Where("user_id", ann).Delete(&sheet{}).Error }, other, other, other},
			{bob, "Sheet", func(tx *gorm.DB) error { return db.Delete[sheet](tx, 2) }, other, other, other},
			{0, "Sheet", func(tx *gorm.DB) error { return db.Delete[sheet](tx, 1) }, "marks", "marks", "marks"},
		} {
			ctx := db.System(t.Context())
			if c.who != 0 {
				ctx = as(c.who)
			}
			check(t, c.delete(gdb.WithContext(ctx)), 409, c.what+" is still used by "+c.table, "")
			want := c.inTx
			if gdb.Name() == "postgres" {
				want = c.failed
			}
			check(t, gdb.WithContext(ctx).Transaction(c.delete), 409, c.what+" is still used by "+want, "")
		}
		// About raw SQL nothing is known.
		check(t, gdb.Exec("DELETE FROM sheets WHERE id = 1").Error, 409, map[string]string{"sqlite": "Refers to something that does not exist"}[gdb.Name()]+
			map[bool]string{true: "Still used by other rows"}[gdb.Name() != "sqlite"], "")
	})
}

type folder struct {
	ID        int64
	DeletedAt gorm.DeletedAt
}

type sheet struct{ ID, UserID, FolderID int64 }

func (sheet) Readable(tx *gorm.DB) *gorm.DB { return tx.Where("user_id", callerOf(tx)) }

type mark struct{ ID, UserID, SheetID int64 }

func (mark) Readable(tx *gorm.DB) *gorm.DB { return tx.Where("user_id", callerOf(tx)) }
