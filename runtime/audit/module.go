package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Module records changes in gdb (see [Log]) and serves them to administrators at
// GET /audit. It adds the command "audit verify".
func Module(gdb *gorm.DB) web.Module {
	h := handler{gdb}
	return web.Module{
		Name: "audit",
		Doc:  "The audit log: who changed what.",
		Err:  Log(gdb),
		Routes: []web.Route{
			web.Get("/audit", h.list).Doc("List the audit log").ID("listAudit").Guard(auth.Session(), auth.Admin()).With(auth.NoStore).
				Describe("Lists every change to a row, newest first. The values of secret and private fields are \"[hidden]\"."),
		},
		Commands: []command.Command{{
			Name: "audit verify", Args: "[HASH...]", Summary: "verify the hash chain of the audit log",
			Help: "Every entry contains the hash of the previous one. Reports the first broken entry, with exit code 3.\n" +
				"Prints the number of entries and the hash of the last: store it elsewhere, and pass it later to verify that the log still contains it.",
			Run: func(ctx context.Context, io command.IO) error {
				n, hash, err := Verify(db.System(ctx), gdb, io.Args...)
				if broken := (*Broken)(nil); errors.As(err, &broken) {
					return command.Finding(broken.Error() + "\n  try:   compare it with a backup")
				}
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(io.Stdout, "%d entries, the last is %s\n", n, hash)
				return err
			},
		}},
	}
}

type handler struct{ db *gorm.DB }

type listInput struct {
	db.Query
	Resource *string    `form:"resource" binding:"omitempty,max=64" doc:"Only changes of this table."`
	Row      *string    `form:"row" binding:"omitempty,max=255" doc:"Only changes of rows with this primary key."`
	Action   *string    `form:"action" binding:"omitempty,oneof=create update delete"`
	User     *int64     `form:"user_id" doc:"Only changes by this user, or by an actor impersonating the user."`
	Actor    *int64     `form:"actor_id" doc:"Only changes by this actor while impersonating users."`
	Request  *string    `form:"request_id" binding:"omitempty,max=128"`
	From     *time.Time `form:"from" doc:"Only changes from this time on."`
	To       *time.Time `form:"to" doc:"Only changes up to this time."`
}

func (h handler) list(c *gin.Context, in listInput) (db.Page[Entry], error) {
	tx := h.db.WithContext(c.Request.Context())
	tx = db.Where(tx, "resource", in.Resource)
	tx = db.Where(tx, "row_key", in.Row)
	tx = db.Where(tx, "action", in.Action)
	tx = db.Where(tx, "user_id", in.User)
	tx = db.Where(tx, "actor_id", in.Actor)
	tx = db.Where(tx, "request_id", in.Request)
	tx = db.AtLeast(tx, "created_at", in.From)
	tx = db.AtMost(tx, "created_at", in.To)
	page, err := db.List[Entry](tx.Omit("values_before", "values_after"), in.Query, "id")
	if err != nil || len(page.Items) == 0 {
		return page, err
	}
	return page, h.fill(c, page.Items)
}

// maxListed is the maximum size of the values of one page, in characters.
const maxListed = 16 << 20

// fill reads the values of entries, which may be large.
func (h handler) fill(c *gin.Context, entries []Entry) error {
	ids := make([]int64, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	tx := h.db.WithContext(c.Request.Context()).Model(&Entry{}).Where("id IN ?", ids).Session(&gorm.Session{})
	var size int64
	if err := tx.Select("SUM(LENGTH(values_before) + LENGTH(values_after))").Scan(&size).Error; err != nil {
		return err
	}
	if size > maxListed {
		return fault.InvalidQuery(fault.Detail{Field: "limit", Rule: "max", Message: "These entries are too large to list at once: ask for fewer"})
	}
	var rows []Entry
	if err := tx.Select("id", "values_before", "values_after").Find(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		if at := slices.Index(ids, row.ID); at >= 0 {
			entries[at].Before, entries[at].After = row.Before, row.After
		}
	}
	return nil
}
