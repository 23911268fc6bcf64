package db_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Texts are equal only if all their characters are, on every database: case,
// accents, Unicode normalization, emoji, width and trailing spaces are significant
// in unique columns, filters, sorting and cursors. A search ignores case, and
// nothing else.
func TestTextComparisonsOnEveryDatabase(t *testing.T) {
	texts := []string{
		"a", "A", "ä", "Ä", "a\u0308", "é", "e", "E", "ß", "ss", "SS", "Ａ", "ａ", "a ", " a", "a\t", "a\u00a0", "ﬀ", "ff", "I", "ı", "İ", "i",
		"🙂", "🙃", "🙂 ", "é🙂", "ñ", "n", "Æ", "AE", "0", "00", "０", "_", "%", "'", `\`, "a-b", "ab", "ж", "Ж", "日本", "日本 ", "\uffff", "𐐀", "𐐨",
		"ẞ", "σ", "ς", "Σ", "k", "K", "\u212a", "s", "S", "ſ", "å", "Å", "\u212b", "µ", "μ", "Μ", "ǅ", "ǆ", "i\u0307", "Ꙁ", "ꙁ", "Ა", "ა", "a.b", "a[b", "(a", "a|b", "*", "?", "^a$", "{1}", "ſk.S",
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		type Word struct {
			ID    int64
			Name  string `gorm:"size:50;not null;uniqueIndex"`
			Long  string `gorm:"not null"`
			Added string `gorm:"size:50"`
		}
		type word struct {
			ID    int64
			Added string `gorm:"size:50;not null;default:'';index"`
		}
		type names struct {
			ID   int64
			Name string `gorm:"size:50;not null;uniqueIndex"`
			Long string `gorm:"not null"`
		}
		must(t, gdb.Table("words").Migrator().CreateTable(&names{}))
		must(t, db.AddColumns(gdb.Table("words"), &word{}))
		for _, text := range texts {
			if err := gdb.Create(&Word{Name: text, Long: text, Added: text}).Error; err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			check(t, gdb.Create(&Word{Name: text}).Error, 409, "Name taken", "name/unique")
		}
		sorted := slices.Sorted(slices.Values(texts))
		for _, column := range []string{"name", "long", "added"} {
			for _, text := range texts {
				var found []string
				must(t, db.Where(gdb.Model(&Word{}), column, &text).Pluck("name", &found).Error)
				if !slices.Equal(found, []string{text}) {
					t.Errorf("%s = %q finds %q", column, text, found)
				}
				var from []string
				must(t, db.AtLeast(gdb.Model(&Word{}), column, &text).Pluck("name", &from).Error)
				slices.Sort(from)
				if want := sorted[slices.Index(sorted, text):]; !slices.Equal(from, want) {
					t.Errorf("%s >= %q finds %q, want %q", column, text, from, want)
				}
				must(t, db.Search(gdb.Model(&Word{}), text, column).Pluck("name", &found).Error)
				want := slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return !strings.Contains(folded(s), folded(text)) })
				slices.Sort(found)
				slices.Sort(want)
				if !slices.Equal(found, want) {
					t.Errorf("%s searched for %q finds %q, want %q", column, text, found, want)
				}
			}
			var walked []string
			for cursor := ""; ; {
				page, err := db.List[Word](gdb, db.Query{Limit: 7, Order: "asc", Cursor: &cursor}, column)
				must(t, err)
				for _, w := range page.Items {
					walked = append(walked, w.Name)
				}
				if page.NextCursor == nil {
					break
				}
				cursor = *page.NextCursor
			}
			if !slices.Equal(walked, sorted) {
				t.Errorf("sorted by %s: %q, want %q", column, walked, sorted)
			}
		}
	})
}

// folded maps the cases of every character to one; ASCII and other letters do not
// mix.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII {
			return unicode.ToLower(r)
		}
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if other > unicode.MaxASCII {
				least = min(least, other)
			}
		}
		return least
	}, s)
}
