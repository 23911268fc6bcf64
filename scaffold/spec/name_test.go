package spec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func TestWords(t *testing.T) {
	for name, want := range map[string]string{
		"post": "post", "BlogPost": "blog_post", "blog-posts": "blog_posts", "blogPost": "blog_post", "BLOG": "blog",
		"HTTPServer": "http_server", "UserID": "user_id", "APIKeys": "api_keys", "URLs": "urls", "type_": "type",
		"a__b": "a_b", "address2": "address2", "oauth2Token": "oauth2_token",
		"": "", "2fa": "", "_x": "", "-x": "", ".x": "", "a b": "", "a.b": "", "../../x": "", `x";drop`: "", "naïve": "", "имя": "",
		strings.Repeat("a", 300): "",
	} {
		if got := spec.Snake(name); got != want {
			t.Errorf("%q is %q, not %q", name, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for singular, plural := range map[string]string{
		"post": "posts", "category": "categories", "person": "people", "status": "statuses", "box": "boxes", "child": "children",
		"news": "news", "series": "series", "data": "data", "quiz": "quizzes", "media": "media", "blog_post": "blog_posts",
		"bonus": "bonuses", "address": "addresses", "class": "classes", "gas": "gases", "cache": "caches", "movie": "movies",
		"zombie": "zombies", "glove": "gloves", "wife": "wives", "human": "humans", "cafe": "cafes", "virus": "viruses", "tie": "ties",
		"database": "databases", "case": "cases", "house": "houses", "release": "releases", "license": "licenses", "course": "courses",
		"expense": "expenses", "message": "messages", "analysis": "analyses", "index": "indices", "woman": "women", "campus": "campuses",
		"story": "stories", "day": "days", "hero": "heroes", "photo": "photos", "type": "types", "func": "funcs", "select": "selects",
		"user": "users", "order": "orders", "group": "groups", "warehouse": "warehouses", "purchase": "purchases", "api_key": "api_keys",
		"lens": "lenses", "process": "processes", "business": "businesses", "invoice": "invoices", "shelf": "shelves", "potato": "potatoes",
	} {
		for _, given := range []string{singular, plural} {
			if got := spec.Singular(given); got != singular {
				t.Errorf("the singular of %s is %s, not %s", given, got, singular)
			}
			if got := spec.Plural(given); got != plural {
				t.Errorf("the plural of %s is %s, not %s", given, got, plural)
			}
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"blog", "my-shop", "shop_2", "A", strings.Repeat("a", 64)} {
		if err := spec.CheckName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "../x", "/abs", `C:\x`, "a/b", "CON", "con", "nul", "COM1", "lpt9", "Con.txt", "a b", ".hidden", "-flag", "_x", "2x", "naïve", "имя",
		"a\x00b", "a.b", "~", "..", ".", strings.Repeat("a", 65), strings.Repeat("a", 300),
	} {
		wantHelpfulError(t, name, spec.CheckName(name))
	}
}

func TestCheckModule(t *testing.T) {
	for _, path := range []string{"blog", "example.com/me/blog", "github.com/a/b/v2", "con-tact"} {
		if err := spec.CheckModule(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{
		"", "fmt", "net/x", "../x", "/abs", "a b", "example.com/", "example.com//x", "example.com/internal/x", "con", "-x", "имя",
		"github.com/nexios-go/nexios", "github.com/nexios-go/nexios/x", strings.Repeat("a/", 150) + "a",
	} {
		wantHelpfulError(t, path, spec.CheckModule(path))
	}
}

// wantHelpfulError checks that err says what is wrong and what to type next.
func wantHelpfulError(t *testing.T, word string, err error) {
	t.Helper()
	var e *problem.Error
	if !errors.As(err, &e) {
		t.Errorf("no helpful error for %q: %v", word, err)
		return
	}
	if e.What == "" || e.Try == "" || e.What[0] >= 'A' && e.What[0] <= 'Z' || strings.HasSuffix(e.What, ".") ||
		strings.Contains(e.What, "failed to") || strings.Contains(e.What, "\n") {
		t.Errorf("%q: not a complete error message: %v", word, err)
	}
}
