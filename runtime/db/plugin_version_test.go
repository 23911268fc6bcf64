package db_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// Draft is a model with a version.
type Draft struct {
	ID        int64          `json:"id"`
	Text      string         `json:"text"`
	UpdatedAt time.Time      `json:"updated_at"`
	DeletedAt gorm.DeletedAt `json:"-"`
	Words     []Word         `json:"words" gorm:"many2many:draft_words"`
}

// Word is a word of drafts.
type Word struct{ ID int64 }

// Of several replicas whose If-Match check has passed, only one writes: the check
// is in the statement, for every kind of write.
func TestOnlyOneOfEqualIfMatchesWrites(t *testing.T) {
	const replicas = 3
	type id struct {
		ID int64 `uri:"id" binding:"min=1"`
	}
	writes := map[string]func(tx *gorm.DB, row Draft, text string) error{
		"updates": func(tx *gorm.DB, row Draft, text string) error {
			row.Text = text
			return tx.Select("text").Updates(&row).Error
		},
		"a map, twice": func(tx *gorm.DB, row Draft, text string) error {
			return tx.Transaction(func(tx *gorm.DB) error {
				if err := tx.Model(&row).Updates(map[string]any{"text": "first"}).Error; err != nil {
					return err
				}
				return tx.Model(&Draft{}).Where("id = ? OR id = 0", row.ID).Update("text", text).Error
			})
		},
		"save": func(tx *gorm.DB, row Draft, text string) error {
			row.Text = text
			return tx.Save(&row).Error
		},
		"related": func(tx *gorm.DB, row Draft, text string) error {
			return tx.Transaction(func(tx *gorm.DB) error {
				return tx.Model(&row).Omit("Words.*").Association("Words").Replace([]Word{{ID: 1}})
			})
		},
		"delete":        func(tx *gorm.DB, row Draft, _ string) error { return db.Delete[Draft](tx, row.ID) },
		"delete really": func(tx *gorm.DB, row Draft, _ string) error { return tx.Unscoped().Delete(&row).Error },
	}
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			at := address(t, name)
			gdb := open(t, at)
			must(t, gdb.AutoMigrate(&Word{}, &Draft{}))
			must(t, gdb.Create(&Word{ID: 1}).Error)
			for what, write := range writes {
				t.Run(what, func(t *testing.T) {
					var all sync.WaitGroup // wait until all requests have passed the check
					var clients []*webtest.Client
					for range replicas {
						gdb := open(t, at)
						clients = append(clients, webtest.New(t, web.Module{Name: "drafts", Routes: []web.Route{
							web.Get("/drafts/:id", func(c *gin.Context, in id) (Draft, error) {
								return db.Find[Draft](gdb.WithContext(c.Request.Context()).Preload("Words"), in.ID)
							}),
							web.Post("/drafts/:id", func(c *gin.Context, in id) (Draft, error) {
								tx := gdb.WithContext(c.Request.Context())
								row, err := db.FindWritable[Draft](tx, in.ID)
								all.Done()
								all.Wait()
								if err != nil {
									return row, err
								}
								return row, write(tx, row, c.GetHeader("X-Text"))
							}),
						}}))
					}
					for round := range 5 {
						row := Draft{Text: "old"}
						must(t, gdb.Create(&row).Error)
						path := fmt.Sprint("/drafts/", row.ID)
						tag := clients[0].Get(path).Expect(http.StatusOK).Header("ETag")
						all.Add(replicas)
						statuses := make([]int, replicas)
						var done sync.WaitGroup
						for i, client := range clients {
							done.Go(func() {
								statuses[i] = client.With("If-Match", tag).With("X-Text", fmt.Sprint("by ", i)).Post(path, nil).Status
							})
						}
						done.Wait()
						won := -1
						for i, status := range statuses {
							switch {
							case status == http.StatusCreated && won < 0:
								won = i
							case name == "mysql" && status == http.StatusServiceUnavailable:
								// When requests wait for each other, InnoDB cancels
								// one, which should retry.
							case status != http.StatusPreconditionFailed:
								t.Fatalf("round %d: %v", round, statuses)
							}
						}
						if won < 0 {
							t.Fatalf("round %d: no request succeeded", round)
						}
						if got := clients[0].Get(path); got.Status == http.StatusOK && what != "related" {
							if text := got.JSON()["text"]; text != fmt.Sprint("by ", won) {
								t.Errorf("round %d: %v is stored, but request %d succeeded", round, text, won)
							}
						}
					}
				})
			}
		})
	}
}

// A write that fails for another reason than its version gets the usual response,
// and a request without If-Match writes any version.
func TestIfMatchKeepsOtherStatuses(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createNotes(t, gdb)
		must(t, gdb.Migrator().CreateTable(&Leaflet{}))
		must(t, gdb.WithContext(db.System(t.Context())).Create([]Leaflet{{ID: 1, UserID: ann}, {ID: 2, UserID: bob}}).Error)
		type id struct {
			ID int64 `uri:"id" binding:"min=1"`
		}
		client := webtest.New(t, web.Module{Name: "leaflets", Routes: []web.Route{
			web.Get("/leaflets/:id", func(c *gin.Context, in id) (Leaflet, error) {
				return db.Find[Leaflet](gdb.WithContext(context.WithValue(c.Request.Context(), callerKey{}, bob)), in.ID)
			}),
			web.Delete("/leaflets/:id", func(c *gin.Context, in id) (web.None, error) {
				return web.None{}, db.Delete[Leaflet](gdb.WithContext(context.WithValue(c.Request.Context(), callerKey{}, bob)), in.ID)
			}),
		}})
		client.With("If-Match", client.Get("/leaflets/1").Header("ETag")).Delete("/leaflets/1").Expect(http.StatusForbidden)
		client.With("If-Match", `"older"`).Delete("/leaflets/2").Expect(http.StatusPreconditionFailed)
		client.With("If-Match", "*").Delete("/leaflets/2").Expect(http.StatusNoContent)
		client.Delete("/leaflets/2").Expect(http.StatusNotFound)
	})
}

// Leaflet is a model that everyone may read and its owner may write.
type Leaflet struct {
	ID        int64     `json:"id"`
	UserID    int64     `json:"user_id"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (Leaflet) Writable(tx *gorm.DB) *gorm.DB { return tx.Where("user_id", callerOf(tx)) }
