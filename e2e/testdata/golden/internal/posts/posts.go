// Package posts serves posts.
package posts

import (
	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"blog/internal/model"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

type handler struct{ db *gorm.DB }

// Module returns the routes of posts.
func Module(gdb *gorm.DB) web.Module {
	h := handler{gdb}
	return web.Module{Name: "posts", Routes: []web.Route{
		web.Get("/posts", h.list).Doc("List posts").Guard(auth.User()),
		web.Post("/posts", h.create).Doc("Create a post").Guard(auth.User()),
		web.Post("/posts/bulk", h.bulk).Doc("Create several posts at once (all or none)").Guard(auth.User()),
		web.Get("/posts/:id", h.show).Doc("Get a post").Guard(auth.User()),
		web.Put("/posts/:id", h.update).Doc("Update a post (only the fields you send)").Guard(auth.User()),
		web.Patch("/posts/:id", h.update).Doc("Update a post (only the fields you send)").Guard(auth.User()),
		web.Delete("/posts/:id", h.remove).Doc("Delete a post").Fails(409).Guard(auth.User()),
	}}
}

func (h handler) list(c *gin.Context, in listInput) (db.Page[model.Post], error) {
	tx := h.db.WithContext(c.Request.Context()).Preload("User")
	tx = db.Search(tx, in.Search, "title", "content")
	tx = db.Where(tx, "published", in.Published)
	tx = db.Where(tx, "category", in.Category)
	return db.List[model.Post](tx, in.Query, in.Sort)
}

func (h handler) create(c *gin.Context, in createInput) (model.Post, error) {
	post := in.Body.post()
	who, _ := auth.From(c)
	post.UserID = who.UserID
	if err := h.db.WithContext(c.Request.Context()).Create(&post).Error; err != nil {
		return post, err
	}
	web.Location(c, post.ID)
	return post, nil
}

func (h handler) bulk(c *gin.Context, in bulkInput) (bulkOutput, error) {
	who, _ := auth.From(c)
	posts := make([]model.Post, len(in.Body))
	for i, body := range in.Body {
		posts[i] = body.post()
		posts[i].UserID = who.UserID
	}
	err := db.CreateAll(h.db.WithContext(c.Request.Context()), posts)
	return bulkOutput{posts}, err
}

func (h handler) show(c *gin.Context, in showInput) (model.Post, error) {
	tx := h.db.WithContext(c.Request.Context()).Preload("User")
	return db.Find[model.Post](tx, in.ID)
}

func (h handler) update(c *gin.Context, in updateInput) (model.Post, error) {
	tx := h.db.WithContext(c.Request.Context())
	post, err := db.FindWritable[model.Post](tx, in.ID)
	if err != nil {
		return post, err
	}
	if changed := in.Body.apply(&post); len(changed) > 0 {
		err = tx.Select(changed).Updates(&post).Error
	}
	return post, err
}

func (h handler) remove(c *gin.Context, in showInput) (web.None, error) {
	return web.None{}, db.Delete[model.Post](h.db.WithContext(c.Request.Context()), in.ID)
}
