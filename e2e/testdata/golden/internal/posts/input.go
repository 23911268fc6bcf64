package posts

import (
	"blog/internal/model"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

type createInput struct{ Body createBody }

type bulkInput struct{ Body web.Bulk[createBody] }

type bulkOutput struct {
	Items []model.Post `json:"items"`
}

type createBody struct {
	Title     string  `json:"title" binding:"required,min=3,max=255"`
	Content   string  `json:"content" binding:"required,max=65536"`
	Published *bool   `json:"published"` // default false
	Category  *string `json:"category" binding:"omitempty,max=255"`
}

// post returns the new row.
func (b createBody) post() model.Post {
	post := model.Post{
		Title:     b.Title,
		Content:   b.Content,
		Published: false,
		Category:  b.Category,
	}
	if b.Published != nil {
		post.Published = *b.Published
	}
	return post
}

type updateInput struct {
	ID   int64 `uri:"id" binding:"min=1"`
	Body updateBody
}

// updateBody holds the fields that may change; absent fields keep their values.
type updateBody struct {
	Title     *string          `json:"title" binding:"omitempty,min=3,max=255"`
	Content   *string          `json:"content" binding:"omitempty,min=1,max=65536"`
	Published *bool            `json:"published"`
	Category  web.Null[string] `json:"category" binding:"omitempty,max=255"`
}

// apply writes the fields that were sent to post and returns the columns that changed.
func (b updateBody) apply(post *model.Post) []string {
	var changed []string
	if b.Title != nil {
		post.Title = *b.Title
		changed = append(changed, "title")
	}
	if b.Content != nil {
		post.Content = *b.Content
		changed = append(changed, "content")
	}
	if b.Published != nil {
		post.Published = *b.Published
		changed = append(changed, "published")
	}
	if b.Category.Set {
		post.Category = b.Category.Ptr()
		changed = append(changed, "category")
	}
	return changed
}

type showInput struct {
	ID int64 `uri:"id" binding:"min=1"`
}

type listInput struct {
	db.Query
	Sort      string  `form:"sort,default=created_at" alias:"sort_by" binding:"oneof=id title created_at updated_at relevance"`
	Search    string  `form:"search" binding:"max=100"`
	Published *bool   `form:"published"`
	Category  *string `form:"category"`
}
