package db_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Sheet can be wrong in every way: a rule, a reference that the plug-in checks, one
// that the database checks, and a list of references.
type Sheet struct {
	ID       int64   `json:"id"`
	Title    string  `json:"title"`
	NoteID   int64   `json:"note_id"`
	BureauID *int64  `json:"bureau_id"`
	Note     *Note   `json:"note,omitempty"`
	Bureau   *Bureau `json:"desk,omitempty"`
	Labels   []Label `json:"labels" gorm:"many2many:sheet_labels;ids:label_ids"`
}

// Bureau has no rule: only the foreign key checks whether one exists.
type Bureau struct {
	ID int64
}

type sheetBody struct {
	Title    string          `json:"title" binding:"required,min=3"`
	NoteID   int64           `json:"note_id" binding:"required,min=1"`
	BureauID web.Null[int64] `json:"bureau_id" binding:"omitempty,min=1"`
	LabelIDs []int64         `json:"label_ids" binding:"max=3"`
}

func (b sheetBody) sheet() Sheet {
	return Sheet{Title: b.Title, NoteID: b.NoteID, BureauID: b.BureauID.Ptr()}
}

type sheetPatch struct {
	Title    *string         `json:"title" binding:"omitempty,min=3"`
	NoteID   *int64          `json:"note_id" binding:"omitempty,min=1"`
	BureauID web.Null[int64] `json:"bureau_id" binding:"omitempty,min=1"`
	LabelIDs *[]int64        `json:"label_ids" binding:"omitempty,max=3"`
}

type sheets struct {
	Items []Sheet `json:"items"`
}

// sheetRoutes returns routes like generated ones.
func sheetRoutes(gdb *gorm.DB) web.Module {
	session := func(c *gin.Context) *gorm.DB { return gdb.WithContext(as(bob)) }
	return web.Module{Name: "sheets", Routes: []web.Route{
		web.Post("/sheets", func(c *gin.Context, in struct{ Body sheetBody }) (Sheet, error) {
			sheet := in.Body.sheet()
			return sheet, session(c).Transaction(func(tx *gorm.DB) (err error) {
				if sheet.Labels, err = db.Refs[Label](tx, "label_ids", in.Body.LabelIDs); err != nil {
					return err
				}
				return tx.Omit("Labels.*").Create(&sheet).Error
			})
		}),
		web.Post("/sheets/bulk", func(c *gin.Context, in struct{ Body web.Bulk[sheetBody] }) (sheets, error) {
			all := make([]Sheet, len(in.Body))
			return sheets{all}, session(c).Transaction(func(tx *gorm.DB) (err error) {
				for i, body := range in.Body {
					all[i] = body.sheet()
					if all[i].Labels, err = db.Refs[Label](tx, "label_ids", body.LabelIDs); err != nil {
						return db.At(i, err)
					}
				}
				return db.CreateAll(tx.Omit("Labels.*"), all)
			})
		}),
		web.Patch("/sheets/:id", func(c *gin.Context, in struct {
			ID   int64 `uri:"id"`
			Body sheetPatch
		}) (Sheet, error) {
			sheet, err := db.FindWritable[Sheet](session(c), in.ID)
			if err != nil {
				return sheet, err
			}
			return sheet, session(c).Transaction(func(tx *gorm.DB) error {
				var changed []string
				if in.Body.Title != nil {
					sheet.Title, changed = *in.Body.Title, append(changed, "title")
				}
				if in.Body.NoteID != nil {
					sheet.NoteID, changed = *in.Body.NoteID, append(changed, "note_id")
				}
				if in.Body.BureauID.Set {
					sheet.BureauID, changed = in.Body.BureauID.Ptr(), append(changed, "bureau_id")
				}
				if len(changed) > 0 {
					if err := tx.Select(changed).Updates(&sheet).Error; err != nil {
						return err
					}
				}
				if ids := in.Body.LabelIDs; ids != nil {
					labels, err := db.Refs[Label](tx, "label_ids", *ids)
					if err != nil {
						return err
					}
					return tx.Model(&sheet).Omit("Labels.*").Association("Labels").Replace(labels)
				}
				return nil
			})
		}),
	}}
}

// GORM reports the types that it cannot parse to its own logger, past slog.
func TestRefusedParsesModelsOnly(t *testing.T) {
	var logged strings.Builder
	previous := logger.Default
	logger.Default = logger.New(log.New(&logged, "", 0), logger.Config{LogLevel: logger.Error})
	t.Cleanup(func() { logger.Default = previous })
	refused := db.Refused(open(t, "sqlite:"+filepath.Join(t.TempDir(), "refused.db")))
	for _, out := range []reflect.Type{
		reflect.TypeFor[struct {
			ID     int64
			Scopes []string
			Made   time.Time
		}](),
		reflect.TypeFor[struct {
			Status string
			User   struct{ Name string }
		}](),
		reflect.TypeFor[struct {
			Items []struct{ Any map[string]any }
		}](),
	} {
		if details := refused(t.Context(), out, func() []map[string]any { return nil }); len(details) > 0 {
			t.Errorf("%v: %v", out, details)
		}
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %s", &logged)
	}
}

// One response lists every error of a body, whatever detects it: for every set of
// errors and every kind of body.
func TestOneResponseListsEveryFault(t *testing.T) {
	wrong := []struct {
		key   string
		value any
		fault string
	}{
		{"title", "x", "title min"},
		{"title", 7, "title type"},
		{"note_id", 3, "note_id exists"},      // deleted
		{"note_id", 1, "note_id exists"},      // Ann's
		{"note_id", -1, "note_id min"},        // no lookup for an impossible key
		{"bureau_id", 99, "bureau_id exists"}, // found by the database
		{"label_ids", []int{2, 1, 99}, "label_ids exists"},
		{"label_ids", []any{2, "x"}, "label_ids[1] type"},
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createNotes(t, gdb)
		must(t, gdb.AutoMigrate(&Bureau{}, &Sheet{}))
		all := gdb.WithContext(db.System(t.Context()))
		must(t, all.Create(&Sheet{Title: "there", NoteID: 4}).Error)
		calls, find := 0, db.Refused(gdb)
		refused := func(ctx context.Context, out reflect.Type, sent func() []map[string]any) []fault.Detail {
			calls++
			return find(ctx, out, sent)
		}
		database := web.Module{Name: "database", Refused: refused, Use: []gin.HandlerFunc{func(c *gin.Context) {
			c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), callerKey{}, bob))
		}}}
		app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), database, sheetRoutes(gdb))
		must(t, err)
		ask := func(method, path string, body any) []string {
			raw, err := json.Marshal(body)
			must(t, err)
			r := httptest.NewRequest(method, path, strings.NewReader(string(raw)))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			var answer struct {
				Details []struct {
					Field, Rule string
					Index       *int
				}
			}
			must(t, json.Unmarshal(w.Body.Bytes(), &answer))
			if w.Code != http.StatusUnprocessableEntity {
				t.Fatalf("%s %s %s: %d %s", method, path, raw, w.Code, w.Body)
			}
			var found []string
			for _, d := range answer.Details {
				text := d.Field + " " + d.Rule
				if d.Index != nil {
					text = fmt.Sprintf("%d: %s", *d.Index, text)
				}
				found = append(found, text)
			}
			slices.Sort(found)
			return found
		}
		check := func(what string, got, want []string) {
			t.Helper()
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		}
		for mask := 1; mask < 1<<len(wrong); mask++ {
			body := map[string]any{}
			var want, late []string
			for i, w := range wrong {
				if _, given := body[w.key]; mask&(1<<i) == 0 || given {
					continue
				}
				body[w.key] = w.value
				want, late = append(want, w.fault), append(late, "2: "+w.fault)
			}
			if len(body) != onesIn(mask) || len(body) > 3 {
				continue // a key has only one value; combinations of three are enough
			}
			check(fmt.Sprint("patch of ", body), ask("PATCH", "/sheets/1", body), slices.Clone(want))
			whole := map[string]any{"title": "long enough", "note_id": 4, "bureau_id": nil, "label_ids": []int{2}}
			for key, value := range body {
				whole[key] = value
			}
			check(fmt.Sprint("post of ", body), ask("POST", "/sheets", whole), want)
			early := map[string]any{"title": "long enough", "note_id": 1, "label_ids": []int{99}}
			sound := map[string]any{"title": "long enough", "note_id": 4}
			check(fmt.Sprint("bulk of ", body), ask("POST", "/sheets/bulk", []any{early, sound, whole}),
				append(late, "0: note_id exists", "0: label_ids exists"))
		}
		var stored int64
		must(t, all.Model(&Sheet{}).Count(&stored).Error)
		if stored != 1 {
			t.Errorf("%d sheets are stored, want 1", stored)
		}
		before := calls
		r := httptest.NewRequest("POST", "/sheets", strings.NewReader(`{"title": "long enough", "note_id": 4, "label_ids": [2]}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if app.ServeHTTP(w, r); w.Code != http.StatusCreated || calls != before {
			t.Errorf("valid body: %d %s, and %d calls of refused", w.Code, w.Body, calls-before)
		}
	})
}

func onesIn(mask int) (n int) {
	for ; mask > 0; mask &= mask - 1 {
		n++
	}
	return n
}
