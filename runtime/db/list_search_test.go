package db_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Tale is a table with searched columns.
type Tale struct {
	ID        int64
	Title     string `gorm:"size:255;not null"`
	Content   *string
	CreatedAt time.Time `gorm:"not null;index"`
}

var searched = []string{"title", "content"}

// found returns the titles of the rows that match the term, with and without List.
func found(t testing.TB, gdb *gorm.DB, term string) []string {
	t.Helper()
	var titles []string
	must(t, db.Search(gdb.Model(&Tale{}), term, searched...).Order("id").Pluck("title", &titles).Error)
	page, err := db.List[Tale](db.Search(gdb, term, searched...), db.Query{Limit: 100, Order: "asc"}, "id")
	must(t, err)
	var again []string
	for _, item := range page.Items {
		again = append(again, item.Title)
	}
	if !slices.Equal(titles[:min(len(titles), 100)], again) || *page.Total != int64(len(titles)) {
		t.Errorf("%q: all rows %q, page %q of %d", term, titles, again, *page.Total)
	}
	return titles
}

// An index does not change the results of a search, even while rows are created,
// changed and deleted.
func TestSearchIndexKeepsResults(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Tale{}))
		text := func(s string) *string { return &s }
		tales := []Tale{
			{Title: "One hundred % sure", Content: text("100%_pure \\ [x]* ?")}, {Title: "ONE", Content: nil}, {Title: "Zone", Content: text("one\ntwo")},
			{Title: "Straße Ärger ÉCOLE", Content: text("σίσυφος ΣΊΣΥΦΟΣ")}, {Title: "école Kelvin \u212Aelvin", Content: text("\u017Feven seven SEVEN")},
			{Title: "日本語テスト", Content: text("漢字かな混じり文")}, {Title: `say "hi" AND go`, Content: text("it's -- NEAR(a b)")}, {Title: "", Content: text("ab")},
		}
		must(t, gdb.Create(&tales).Error)
		terms := []string{
			"one", "ONE", "oNe hund", "%", "100%", "%_p", "_pu", `\`, ` \ `, "[x]", "[x]*", " ?", "Ärg", "äRG", "école", "ÉCO", "straß", "STRASSE", "σίσ", "ΣΊΣ", "ς",
			"kel", "\u212Ael", "ſev", "sev", "日本語", "本語テ", "本語", "かな混じ", `"hi"`, "\" A", "AND", "it's", "-- ", "NEAR(a", "ab", "abc", "nothing of this", "seven 599", "seven 598", "seven 0", "of 49 é", "straßen", "one\nt", "é", "e", "Ék",
		}
		want := map[string][]string{}
		compare := func(what string) {
			t.Helper()
			for _, term := range terms {
				if got := found(t, gdb, term); !slices.Equal(got, want[term]) {
					t.Errorf("%s: %q finds %q, without an index %q", what, term, got, want[term])
				}
			}
		}
		without := func() {
			must(t, db.DropSearchIndex(gdb, "tales"))
			for _, term := range terms {
				want[term] = found(t, gdb, term)
			}
			must(t, db.SearchIndex(gdb, "tales", searched...))
		}
		without()
		compare("rebuilt index")
		change := func() {
			more := Tale{Title: "another one with ÉCOLE", Content: text("seven 日本語")}
			must(t, gdb.Create(&more).Error)
			if more.ID != 9 && gdb.Name() != "mysql" {
				t.Errorf("the key of a row with a trigger is %d", more.ID)
			}
			many := make([]Tale, 600) // more than are indexed at once
			for i := range many {
				many[i] = Tale{Title: fmt.Sprintf("one of %d écoles", i%50), Content: text(fmt.Sprintf("seven %d", i))}
			}
			must(t, gdb.CreateInBatches(many, 90).Error)
			must(t, gdb.Model(&Tale{}).Where("id = ?", many[599].ID).Update("content", "whatever holds straßen").Error)
			must(t, gdb.Delete(&many[0]).Error)
			must(t, gdb.Model(&tales[1]).Updates(map[string]any{"title": "now école", "content": "with text"}).Error)
			must(t, gdb.Delete(&tales[2]).Error)
		}
		change()
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&Tale{Title: "is taken back: one", Content: nil}).Error)
			compareInside := found(t, tx, "taken back")
			if len(compareInside) != 1 {
				t.Errorf("inside the transaction: %q", compareInside)
			}
			return nil
		}))
		must(t, gdb.Where("title LIKE ?", "is taken%").Delete(&Tale{}).Error)
		kept := map[string][]string{}
		for _, term := range terms {
			kept[term] = found(t, gdb, term)
		}
		without()
		for _, term := range terms {
			if !slices.Equal(kept[term], want[term]) {
				t.Errorf("updated index: %q finds %q, without an index %q", term, kept[term], want[term])
			}
		}
	})
}

// SQLite's index folds letters as the condition on the rows does.
func TestSearchIndexFoldsLikeRows(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Migrator().CreateTable(&Tale{}))
	var rows []Tale
	for r := rune(0x21); r < 0x530; r++ {
		if unicode.IsLetter(r) {
			for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
				if (o <= unicode.MaxASCII) != (r <= unicode.MaxASCII) {
					continue // which are different letters here
				}
				rows = append(rows, Tale{Title: fmt.Sprintf("é%c%c%c %d", r, r, o, r)})
			}
		}
	}
	must(t, gdb.CreateInBatches(rows, 500).Error)
	for range 2 { // without an index, and with one
		for _, row := range rows {
			term, _, _ := strings.Cut(row.Title, " ")
			runes := []rune(term)
			runes[1], runes[2], runes[3] = runes[3], runes[3], runes[1]
			if !slices.Contains(found(t, gdb, string(runes)), row.Title) {
				t.Errorf("%q does not find %q", string(runes), row.Title)
			}
		}
		must(t, db.SearchIndex(gdb, "tales", searched...))
	}
}

// Missing triggers, as after a table was rebuilt, do not hide rows.
func TestSearchWithoutTriggers(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Migrator().CreateTable(&Tale{}))
	must(t, db.SearchIndex(gdb, "tales", searched...))
	must(t, gdb.Exec("DROP TRIGGER tales_search_update").Error)
	must(t, gdb.Create(&Tale{Title: "before"}).Error)
	must(t, gdb.Model(&Tale{}).Where("id = 1").Update("title", "afterwards").Error)
	if got := found(t, gdb, "afterw"); len(got) != 1 {
		t.Errorf("found %q", got)
	}
	must(t, db.SearchIndex(gdb, "tales", "title")) // fewer columns than are searched
	must(t, gdb.Model(&Tale{}).Where("id = 1").Update("content", "in the content").Error)
	if got := found(t, gdb, "content"); len(got) != 1 {
		t.Errorf("found %q", got)
	}
}

// A search in a subquery also uses the index, as for a deep page, whose rows are
// found by their keys.
func TestSearchInSubqueryUsesIndex(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Migrator().CreateTable(&Tale{}))
	must(t, db.SearchIndex(gdb, "tales", searched...))
	query := gdb.ToSQL(func(tx *gorm.DB) *gorm.DB {
		return tx.Where("id IN (?)", db.Search(gdb.Model(&Tale{}).Select("id"), "some of them", searched...)).Find(&[]Tale{})
	})
	if !strings.Contains(query, "MATCH") {
		t.Errorf("the index is not used: %s", query)
	}
}

// The index works in every schema of a database, whichever schema pg_trgm is in.
func TestSearchIndexInAnotherSchema(t *testing.T) {
	gdb := open(t, address(t, "postgres"))
	for _, schema := range []string{"one", "two"} {
		must(t, gdb.Exec("CREATE SCHEMA "+schema).Error)
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Exec("SET LOCAL search_path = "+schema).Error)
			must(t, tx.Migrator().CreateTable(&Tale{}))
			return db.SearchIndex(tx, "tales", searched...)
		}))
		if schema == "one" {
			continue
		}
		must(t, gdb.Exec("DROP SCHEMA one CASCADE").Error)
		var n int
		must(t, gdb.Raw("SELECT count(*) FROM pg_indexes WHERE indexname = 'idx_tales_search'").Scan(&n).Error)
		if n != 1 {
			t.Errorf("%d indexes", n)
		}
	}
}
