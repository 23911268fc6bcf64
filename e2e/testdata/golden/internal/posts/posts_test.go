package posts_test

import (
	"strings"
	"testing"

	"blog/internal/migrations"
	"blog/internal/model"
	"blog/internal/posts"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// resource describes posts to the tests.
func resource() webtest.Resource {
	return webtest.Resource{
		Module:     posts.Module,
		Migrations: migrations.All(),
		Path:       "/posts",
		Model:      model.Post{},
		SignIn:     authtest.SignIn,
		Read:       "owner",
		Write:      "owner",
		Owner:      "user_id",
		Public:     "published",
		Loads:      []string{"user"},
		Fields: []webtest.Field{
			{
				Name: "title", Search: true, Sort: true,
				Values: []any{"bravo", "alpha", "charlie"},
				Valid:  []any{"aaa", strings.Repeat("a", 255)},
				Breaks: webtest.Breaks{"type": {1}, "required": {""}, "max": {strings.Repeat("a", 256)}, "min": {"aa"}},
			},
			{
				Name: "content", Search: true,
				Values: []any{"bravo", "alpha", "charlie"},
				Valid:  []any{"a", strings.Repeat("a", 65536)},
				Breaks: webtest.Breaks{"type": {1}, "required": {""}, "max": {strings.Repeat("a", 65537)}},
			},
			{
				Name: "published", Filter: true, Default: false,
				Values: []any{false, true, true},
				Breaks: webtest.Breaks{"type": {"yes"}},
			},
			{
				Name: "category", Optional: true, Filter: true,
				Values: []any{"bravo", "alpha", "charlie"},
				Valid:  []any{"a", strings.Repeat("a", 255), ""},
				Breaks: webtest.Breaks{"type": {1}, "max": {strings.Repeat("a", 256)}},
			},
		},
	}
}

func TestPosts(t *testing.T) { resource().Run(t) }
