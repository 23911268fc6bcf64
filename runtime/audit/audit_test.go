package audit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/shopspring/decimal"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/audit"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/openapi"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// Topic is referenced by the other models.
type Topic struct {
	ID        int64          `json:"id"`
	Name      string         `json:"name" gorm:"size:50;not null;uniqueIndex"`
	Secret    string         `json:"-" gorm:"size:50;not null;default:''"`
	Salary    *int64         `json:"salary"`
	DeletedAt gorm.DeletedAt `json:"-"`
	Tags      []Tag          `json:"tags" gorm:"many2many:topic_tags;constraint:OnDelete:CASCADE"`
}

// AfterFind hides the salary from all but administrators.
func (t *Topic) AfterFind(tx *gorm.DB) error {
	if !auth.Owns(tx, 0) {
		t.Salary = nil
	}
	return tx.Error
}

type Tag struct {
	ID    int64            `json:"id"`
	Word  string           `json:"word" gorm:"size:50;not null"`
	Price *decimal.Decimal `json:"price" gorm:"type:decimal(10,2);scale:2"`
}

// Idea is deleted with its topic, and belongs to a user.
type Idea struct {
	ID      int64  `json:"id"`
	TopicID int64  `json:"topic_id" gorm:"not null"`
	UserID  int64  `json:"user_id"`
	Text    string `json:"text" gorm:"size:50;not null"`
	Topic   *Topic `json:"-" gorm:"constraint:OnDelete:CASCADE"`
}

func (Idea) Readable(tx *gorm.DB) *gorm.DB {
	if caller := auth.Caller(tx); !caller.Admin() {
		return tx.Where("user_id", caller.UserID)
	}
	return tx
}

// Vote is deleted with its idea; in Mark the reference is set to null.
type Vote struct {
	ID     int64 `json:"id"`
	IdeaID int64 `json:"idea_id" gorm:"not null"`
	Idea   *Idea `json:"-" gorm:"constraint:OnDelete:CASCADE"`
}

type Mark struct {
	ID     int64  `json:"id"`
	IdeaID *int64 `json:"idea_id"`
	Idea   *Idea  `json:"-" gorm:"constraint:OnDelete:SET NULL"`
}

func migrations() []db.Migration {
	type users struct {
		ID               int64
		Username         string `gorm:"size:50;not null"`
		Email            string `gorm:"size:255;not null"`
		PasswordHash     string `gorm:"size:255;not null"`
		Role             string `gorm:"size:10;not null"`
		IsActive         bool   `gorm:"not null"`
		EmailConfirmedAt *time.Time
		CreatedAt        time.Time
		UpdatedAt        time.Time
	}
	type topicTags struct {
		TopicID int64 `gorm:"primaryKey;autoIncrement:false"`
		TagID   int64 `gorm:"primaryKey;autoIncrement:false"`
		Topic   Topic `gorm:"constraint:OnDelete:CASCADE"`
		Tag     Tag   `gorm:"constraint:OnDelete:CASCADE"`
	}
	return slices.Concat([]db.Migration{{
		ID: "20260101000000_create_users",
		Up: func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&users{}) },
	}, {
		ID: "20260101000900_create_topics",
		Up: func(tx *gorm.DB) error {
			return tx.Migrator().CreateTable(&Tag{}, &Topic{}, &topicTags{}, &Idea{}, &Vote{}, &Mark{})
		},
	}}, auth.Migrations(), audit.Migrations())
}

// each runs a test on a private database of every kind.
func each(t *testing.T, test func(t *testing.T, gdb *gorm.DB)) {
	for name, server := range map[string]func(testing.TB) string{
		"sqlite": func(testing.TB) string { return "" }, "postgres": services.Postgres, "mysql": services.MySQL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEST_DATABASE_URL", server(t))
			test(t, webtest.DB(t, migrations()))
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entries returns the entries after an ID as text: action, table, key, before and
// after.
func entries(t testing.TB, gdb *gorm.DB, after int64) (all []string, last int64) {
	t.Helper()
	var found []audit.Entry
	must(t, gdb.WithContext(db.System(t.Context())).Where("id > ?", after).Order("id").Find(&found).Error)
	for _, e := range found {
		all, last = append(all, fmt.Sprintf("%s %s %s %s>%s", e.Action, e.Resource, e.Row, e.Before, e.After)), e.ID
	}
	return all, max(last, after)
}

// Every kind of write is recorded.
func TestEveryWriteIsRecorded(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, audit.Log(gdb))
		ctx := auth.As(t.Context(), auth.Identity{UserID: 7, Username: "ann", Role: auth.RoleAdmin})
		tx := gdb.WithContext(ctx)
		salary := int64(9)
		var last int64
		check := func(what string, do func() error, want ...string) {
			t.Helper()
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			var got []string
			if got, last = entries(t, gdb, last); !slices.Equal(got, want) {
				t.Errorf("%s:\n%s\nnot\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		check("create", func() error { return tx.Create(&Topic{Name: "one", Secret: "s", Salary: &salary}).Error },
			`create topics 1 >{"id":1,"name":"one","secret":"[hidden]","salary":"[hidden]"}`)
		check("bulk create", func() error { return db.CreateAll(tx, []Tag{{Word: "a"}, {Word: "b"}}) },
			`create tags 1 >{"id":1,"word":"a"}`, `create tags 2 >{"id":2,"word":"b"}`)
		check("create from a map", func() error { return tx.Model(&Tag{}).Create(map[string]any{"id": 5, "word": "m"}).Error },
			`create tags 5 >{"id":5,"word":"m"}`)
		check("create with HTML", func() error { return tx.Create(&Tag{ID: 6, Word: "<b>&"}).Error }, `create tags 6 >{"id":6,"word":"<b>&"}`)
		check("update", func() error { return tx.Model(&Topic{ID: 1}).Update("name", "first").Error },
			`update topics 1 {"name":"one"}>{"name":"first"}`)
		check("update of a hidden value", func() error {
			return tx.Model(&Topic{ID: 1}).Updates(map[string]any{"secret": "t", "salary": 10}).Error
		},
			`update topics 1 {"secret":"[hidden]","salary":"[hidden]"}>{"secret":"[hidden]","salary":"[hidden]"}`)
		check("update without a change", func() error { return tx.Model(&Topic{ID: 1}).Update("name", "first").Error })
		check("bulk update", func() error { return tx.Model(&Tag{}).Where("id < ?", 3).Update("word", "x").Error },
			`update tags 1 {"word":"a"}>{"word":"x"}`, `update tags 2 {"word":"b"}>{"word":"x"}`)
		check("save", func() error { return tx.Save(&Tag{ID: 5, Word: "n"}).Error }, `update tags 5 {"word":"m"}>{"word":"n"}`)
		half := decimal.RequireFromString("10.5")
		check("create with decimals", func() error { return tx.Create(&Tag{ID: 7, Word: "p", Price: &half}).Error },
			`create tags 7 >{"id":7,"word":"p","price":"10.50"}`)
		check("update of decimals", func() error { return tx.Model(&Tag{ID: 7}).Update("price", decimal.NewFromInt(99)).Error },
			`update tags 7 {"price":"10.50"}>{"price":"99.00"}`)
		check("delete of decimals", func() error { return tx.Delete(&Tag{ID: 7}).Error },
			`delete tags 7 {"id":7,"word":"p","price":"99.00"}>`)
		topic := Topic{ID: 1}
		check("association", func() error {
			return tx.Model(&topic).Omit("Tags.*").Association("Tags").Replace([]Tag{{ID: 1}, {ID: 2}})
		},
			`create topic_tags 1,1 >{"topic_id":1,"tag_id":1}`, `create topic_tags 1,2 >{"topic_id":1,"tag_id":2}`)
		check("add an existing association", func() error { return tx.Model(&topic).Omit("Tags.*").Association("Tags").Append(&Tag{ID: 1}) })
		check("remove an association", func() error { return tx.Model(&topic).Omit("Tags.*").Association("Tags").Replace([]Tag{{ID: 2}}) },
			`delete topic_tags 1,1 {"topic_id":1,"tag_id":1}>`)
		check("write as the system", func() error {
			return gdb.WithContext(db.System(t.Context())).Create(&Idea{TopicID: 1, UserID: 8, Text: "i"}).Error
		},
			`create ideas 1 >{"id":1,"topic_id":1,"user_id":8,"text":"i"}`)
		must(t, tx.Create(&Vote{IdeaID: 1}).Error)
		must(t, tx.Create(&Mark{IdeaID: &topic.ID}).Error)
		_, last = entries(t, gdb, last)
		check("soft delete", func() error { return db.Delete[Topic](tx, int64(1)) },
			`delete topics 1 {"id":1,"name":"first","secret":"[hidden]","salary":"[hidden]"}>`,
			`delete ideas 1 {"id":1,"topic_id":1,"user_id":8,"text":"i"}>`,
			`update marks 1 {"idea_id":1}>{"idea_id":null}`,
			`delete votes 1 {"id":1,"idea_id":1}>`)
		must(t, tx.Create(&Topic{Name: "two"}).Error)
		must(t, tx.Model(&Topic{ID: 2}).Omit("Tags.*").Association("Tags").Append(&Tag{ID: 2}))
		must(t, tx.Create(&Idea{TopicID: 2, UserID: 7, Text: "j"}).Error)
		must(t, tx.Create(&Vote{IdeaID: 2}).Error)
		_, last = entries(t, gdb, last)
		check("hard delete", func() error { return tx.Unscoped().Delete(&Topic{}, 2).Error },
			`delete topics 2 {"id":2,"name":"two","secret":"[hidden]"}>`,
			`delete ideas 2 {"id":2,"topic_id":2,"user_id":7,"text":"j"}>`,
			`delete votes 2 {"id":2,"idea_id":2}>`,
			`delete topic_tags 2,2 {"topic_id":2,"tag_id":2}>`)
		check("rolled-back transaction", func() error {
			err := tx.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Create(&Tag{Word: "no"}).Error)
				return fault.BadRequest("no")
			})
			if err == nil {
				return errors.New("the transaction committed")
			}
			return nil
		})
		check("rolled-back savepoint", func() error {
			return tx.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Create(&Tag{ID: 20, Word: "kept"}).Error)
				_ = tx.Transaction(func(tx *gorm.DB) error {
					must(t, tx.Create(&Tag{ID: 21, Word: "no"}).Error)
					return errors.New("no")
				})
				return tx.Delete(&Tag{}, 20).Error
			})
		}, `create tags 20 >{"id":20,"word":"kept"}`, `delete tags 20 {"id":20,"word":"kept"}>`)
		must(t, tx.Create(&Topic{Name: "taken"}).Error)
		_, last = entries(t, gdb, last)
		check("rejected write", func() error {
			err := tx.Create(&Topic{Name: "taken"}).Error
			if f := fault.From(err); f.Status != 409 || len(f.Details) != 1 || f.Details[0].Field != "name" {
				return fmt.Errorf("unexpected error: %w", err)
			}
			return nil
		})
		n, _, err := audit.Verify(db.System(t.Context()), gdb)
		if err != nil || n != last {
			t.Errorf("verify a chain of %d entries: %d, %v", last, n, err)
		}
		var first audit.Entry
		must(t, gdb.Order("id").Take(&first).Error)
		if first.UserID != 7 || first.Username != "ann" {
			t.Errorf("the user of the first entry is %d %s", first.UserID, first.Username)
		}
	})
}

// A statement whose rows do not fit into memory is rejected and changes nothing.
func TestOversizedStatementIsRejected(t *testing.T) {
	gdb := webtest.DB(t, migrations())
	must(t, audit.Log(gdb))
	tx := gdb.WithContext(auth.As(t.Context(), auth.Identity{UserID: 7, Role: auth.RoleAdmin}))
	for _, tt := range []struct {
		name   string
		rows   int
		length int // of each row's text
		do     func(*gorm.DB) error
		status int
	}{
		{"many rows that go with another", 40_000, 1, func(tx *gorm.DB) error { return tx.Unscoped().Delete(&Topic{}, 1).Error }, http.StatusConflict},
		{"long rows that go with another", 17, 1 << 20, func(tx *gorm.DB) error { return tx.Unscoped().Delete(&Topic{}, 1).Error }, http.StatusConflict},
		{"that go softly", 17, 1 << 20, func(tx *gorm.DB) error { return tx.Delete(&Topic{}, 1).Error }, http.StatusConflict},
		{"many rows of which a value is another", 40_000, 1, func(tx *gorm.DB) error { return tx.Model(&Idea{}).Where("id > 0").Update("user_id", 9).Error }, http.StatusConflict},
		{"not so many", 1000, 1, func(tx *gorm.DB) error { return tx.Unscoped().Delete(&Topic{}, 1).Error }, http.StatusOK},
	} {
		must(t, gdb.Exec("DELETE FROM ideas").Error)
		must(t, gdb.Exec("DELETE FROM topics").Error)
		must(t, tx.Create(&Topic{ID: 1, Name: "one"}).Error)
		must(t, gdb.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?) INSERT INTO ideas (topic_id, user_id, text) SELECT 1, 7, substr(hex(zeroblob(?)), 1, ?) FROM n", tt.rows, tt.length, tt.length).Error)
		_, last := entries(t, gdb, 0)
		status := http.StatusOK
		if err := tt.do(tx); err != nil {
			status = fault.From(err).Status
		}
		var left int64
		must(t, gdb.WithContext(db.System(t.Context())).Model(&Idea{}).Where("user_id = ?", 7).Count(&left).Error)
		_, now := entries(t, gdb, last)
		if status != tt.status || status != http.StatusOK && (left != int64(tt.rows) || now != last) || status == http.StatusOK && now != last+int64(tt.rows)+1 {
			t.Errorf("%s: status %d, %d of %d rows left, %d entries", tt.name, status, left, tt.rows, now-last)
		}
	}
}

// Writes to the users table by the runtime itself record no password hash, without the
// project's model.
func TestPasswordHashIsNotRecorded(t *testing.T) {
	gdb := webtest.DB(t, migrations())
	must(t, audit.Log(gdb))
	_, token := authtest.Sign(t, gdb, authtest.Account{Username: "ann", Password: "Correct-Horse-7"})
	s := authtest.Service(t, gdb)
	ann, err := s.Authenticate(t.Context(), token)
	must(t, err)
	must(t, s.ChangePassword(t.Context(), auth.Client{Address: "192.0.2.1"}, ann, "Correct-Horse-7", "Different-Horse-8", false))
	got, _ := entries(t, gdb, 0)
	if want := `update users 1 {"password_hash":"[hidden]"}>{"password_hash":"[hidden]"}`; len(got) != 1 || got[0] != want {
		t.Errorf("recorded %q, want %s", got, want)
	}
}

// Concurrent writers append to the chain in order, lose no entry and do not deadlock.
func TestParallelWriters(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, audit.Log(gdb))
		tx := gdb.WithContext(db.System(t.Context()))
		must(t, tx.Create(&[]Tag{{Word: "0"}, {Word: "0"}}).Error)
		const writers, rounds = 6, 10
		errs := make(chan error, writers*rounds)
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for range rounds {
					errs <- tx.Transaction(func(tx *gorm.DB) error {
						own := Tag{Word: fmt.Sprint(w)}
						if err := tx.Create(&own).Error; err != nil {
							return err
						}
						return tx.Model(&Tag{}).Where("id = ?", own.ID).Update("word", "done").Error
					})
				}
			})
		}
		all.Wait()
		close(errs)
		failed := 0
		for err := range errs {
			// On a busy machine a writer may time out; it gets an error and leaves no
			// entry.
			if err != nil && fault.From(err).Status != http.StatusServiceUnavailable {
				t.Error(err)
			} else if err != nil {
				failed++
			}
		}
		n, _, err := audit.Verify(db.System(t.Context()), gdb)
		if want := int64(2 + 2*(writers*rounds-failed)); err != nil || n != want {
			t.Errorf("%d entries, not %d: %v", n, want, err)
		}
		if failed == writers*rounds {
			t.Error("no writer succeeded")
		}
	})
}

// Changes made directly to the table are detected and reported.
func TestVerifyReportsFirstBrokenEntry(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		module := audit.Module(gdb)
		must(t, module.Err)
		tx := gdb.WithContext(db.System(t.Context()))
		for i := range 5 {
			must(t, tx.Create(&Tag{Word: fmt.Sprint(i)}).Error)
		}
		_, hash, err := audit.Verify(db.System(t.Context()), gdb)
		must(t, err)
		for _, statement := range []string{"UPDATE audit_entries SET username = 'x' WHERE id = 3", "DELETE FROM audit_entries WHERE id = 3"} {
			if err := tx.Exec(statement).Error; err == nil {
				t.Errorf("%s: accepted by the database", statement)
			}
		}
		for _, name := range []string{"audit_entries_update", "audit_entries_delete"} {
			if gdb.Name() == "postgres" {
				must(t, tx.Exec("ALTER TABLE audit_entries DISABLE TRIGGER ALL").Error)
				break
			}
			must(t, tx.Exec("DROP TRIGGER "+name).Error)
		}
		run := func(args ...string) error {
			var out strings.Builder
			return module.Commands[0].Run(t.Context(), command.IO{Args: args, Stdout: &out})
		}
		must(t, run(hash))
		for _, c := range []struct{ name, do, undo, want string }{
			{"a change", "UPDATE audit_entries SET username = 'x' WHERE id = 3", "UPDATE audit_entries SET username = '' WHERE id = 3", "entry 3"},
			{"another key", "UPDATE audit_entries SET id = 30 WHERE id = 4", "UPDATE audit_entries SET id = 4 WHERE id = 30", "entry 4"},
			{"a shorter end", "UPDATE audit_heads SET entry = 4", "UPDATE audit_heads SET entry = 5", "entry 4"},
			{"a longer end", "UPDATE audit_heads SET entry = 6", "UPDATE audit_heads SET entry = 5", "entry 6"},
		} {
			must(t, tx.Exec(c.do).Error)
			if err := run(); command.ExitCode(err) != command.Found || !strings.Contains(err.Error(), c.want+":") {
				t.Errorf("%s: %v", c.name, err)
			}
			must(t, tx.Exec(c.undo).Error)
			must(t, run())
		}
		if err := run(strings.Repeat("0", 64)); command.ExitCode(err) != command.Found {
			t.Errorf("verify with an unknown hash: %v", err)
		}
		must(t, tx.Exec("DELETE FROM audit_entries WHERE id >= 4").Error)
		if err := run(); command.ExitCode(err) != command.Found || !strings.Contains(err.Error(), "entry 4:") {
			t.Errorf("verify a truncated chain: %v", err)
		}
	})
}

// Only administrators may read the log. The user of an entry is the caller of the
// request, whose ID the entry records.
func TestLogIsForAdministrators(t *testing.T) {
	gdb := webtest.DB(t, migrations())
	guards, admin := authtest.Sign(t, gdb, authtest.Account{Username: "root", Role: auth.RoleAdmin})
	_, user := authtest.Sign(t, gdb, authtest.Account{Username: "ann"})
	ann := authtest.UserID(t, gdb, "ann")
	tags := web.Module{Name: "tags", Routes: []web.Route{
		web.Post("/tags", func(c *gin.Context, in struct{ Body Tag }) (Tag, error) {
			return in.Body, gdb.WithContext(c.Request.Context()).Create(&in.Body).Error
		}).Guard(auth.User()),
		web.Post("/mine", func(c *gin.Context, in struct{ Body Tag }) (Tag, error) {
			return in.Body, gdb.WithContext(db.System(context.WithoutCancel(c.Request.Context()))).Create(&in.Body).Error
		}).Guard(auth.User()),
	}}
	module := audit.Module(gdb)
	client := webtest.New(t, guards, module, tags, openapi.Module(openapi.Info{Title: "log", Version: "1"}, []web.Module{module}))
	if text := string(client.Get("/openapi.json").Expect(http.StatusOK).Body()); !strings.Contains(text, `["object","null"]`) || !strings.Contains(text, `"actor_id"`) {
		t.Errorf("OpenAPI does not describe entries: %s", text)
	}
	as := func(token string) *webtest.Client { return client.With("Authorization", "Bearer "+token) }
	client.Get("/audit").Expect(http.StatusUnauthorized)
	as(user).Get("/audit").Expect(http.StatusForbidden)
	as(user).Post("/tags", map[string]any{"word": "one"}).Expect(http.StatusCreated)
	as(user).With("X-Request-ID", strings.Repeat("a", 128)).Post("/mine", map[string]any{"word": "two"}).Expect(http.StatusCreated)
	as(admin).Post("/tags", map[string]any{"word": "three"}).Expect(http.StatusCreated)
	var page db.Page[audit.Entry]
	answer := as(admin).Get("/audit?cursor=&limit=2").Expect(http.StatusOK)
	if answer.Into(&page); answer.Header("Cache-Control") != "no-store" {
		t.Error("the response may be cached")
	}
	if len(page.Items) != 2 || page.NextCursor == nil || page.Items[0].ID != 3 {
		t.Fatalf("%+v", page)
	}
	as(admin).Get(fmt.Sprintf("/audit?resource=tags&action=create&user_id=%d&order=asc", ann)).Expect(http.StatusOK).Into(&page)
	if len(page.Items) != 2 {
		t.Fatalf("%+v", page)
	}
	for _, e := range page.Items {
		if e.Username != "ann" || e.RequestID == "" || e.Before != "" || !strings.Contains(string(e.After), `"word":`) {
			t.Errorf("%+v", e)
		}
	}
	if page.Items[0].RequestID == "" || strings.HasPrefix(page.Items[0].RequestID, "client:") || page.Items[1].RequestID != "client:"+strings.Repeat("a", 121) {
		t.Errorf("the IDs of the requests are %s and %s", page.Items[0].RequestID, page.Items[1].RequestID)
	}
	// A response that would not fit into memory must be requested in parts.
	large := audit.Values(`{"word":"` + strings.Repeat("x", 3<<20) + `"}`)
	for id := range int64(3) {
		must(t, gdb.WithContext(db.System(t.Context())).Create(&audit.Entry{ID: 10 + id, Resource: "tags", Row: "1", Action: "update", Before: large, After: large}).Error)
	}
	if got := as(admin).Get("/audit").Expect(http.StatusUnprocessableEntity).Details(); len(got) != 1 || got[0].Field != "limit" {
		t.Errorf("%v", got)
	}
	as(admin).Get("/audit?cursor=&limit=1").Expect(http.StatusOK).Into(&page)
	if len(page.Items) != 1 || len(page.Items[0].After) < 3<<20 {
		t.Errorf("%d entries", len(page.Items))
	}
	var none []audit.Entry
	must(t, gdb.WithContext(auth.As(t.Context(), auth.Identity{UserID: ann})).Find(&none).Error)
	if len(none) != 0 {
		t.Errorf("ann can read %d entries in a custom handler", len(none))
	}
}
