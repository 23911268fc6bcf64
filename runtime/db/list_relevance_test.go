package db_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// The best match comes first, in the same order on every database, and each once.
func TestListByRelevance(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Tale{}))
		text := func(s string) *string { return &s }
		tales := []Tale{
			{Title: "about nothing", Content: text("says go somewhere")}, // 1: a word of the content
			{Title: "cargo on board"},                                    // 2: inside a word of the title
			{Title: "Let us GO there"},                                   // 3: a word of the title
			{Title: "go"},                                                // 4: the whole title
			{Title: "go away and do not come back"},                      // 5: a prefix of the title
			{Title: "Go away"},                                           // 6: the same, shorter
			{Title: "something", Content: text("go")},                    // 7: the whole content
			{Title: "Let us GO there"},                                   // 8: like 3, newer
			{Title: "no hit"},
			{Title: "ÉCOLE go_%"},  // 10: a word of the title
			{Title: "une école x"}, // 11
			{Title: "École [go]"},  // 12
			{Title: "σίσυφοΣ"},
		}
		must(t, gdb.Create(&tales).Error)
		for _, index := range []bool{false, true} {
			if index {
				must(t, db.SearchIndex(gdb, "tales", searched...))
			}
			for term, want := range map[string][]int64{
				"go": {4, 6, 5, 10, 8, 3, 12, 2, 7, 1}, "GO ": {6, 5, 8, 3, 2, 1}, "écol": {12, 10, 11}, "ÉCOLE GO_%": {10}, "o_": {10},
				"[": {12}, "Σίσυφος": {13}, "nowhere": {},
			} {
				for _, order := range []string{"desc", "asc"} {
					var ids []int64
					for page := 1; ; page++ {
						p, err := db.List[Tale](db.Search(gdb, term, searched...), db.Query{Page: page, Limit: 4, Order: order}, db.Relevance)
						must(t, err)
						for _, item := range p.Items {
							ids = append(ids, item.ID)
						}
						if int(*p.Total) != len(want) || p.NextCursor != nil || p.TotalIsEstimate {
							t.Errorf("%q: %d of %d, cursor %v", term, *p.Total, len(want), p.NextCursor)
						}
						if !p.HasNext {
							break
						}
					}
					if order == "asc" {
						slices.Reverse(ids)
					}
					if !slices.Equal(ids, want) {
						t.Errorf("%q %s, index %t: %v, not %v", term, order, index, ids, want)
					}
				}
			}
		}
	})
}

// Queries that cannot be ranked are 422 faults.
func TestListByRelevanceRejects(t *testing.T) {
	gdb := open(t, address(t, "memory"))
	must(t, gdb.Migrator().CreateTable(&Tale{}))
	for _, c := range []struct {
		term, field string
		q           db.Query
	}{
		{"", "search", db.Query{}},
		{"go", "cursor", db.Query{Cursor: new("")}},
		{"go", "cursor", db.Query{Cursor: new("e30")}},
	} {
		_, err := db.List[Tale](db.Search(gdb, c.term, searched...), c.q, db.Relevance)
		var refused *fault.Error
		if !errors.As(err, &refused) || refused.Status != 422 || len(refused.Details) != 1 || refused.Details[0].Field != c.field {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A column named relevance takes precedence.
func TestRelevanceColumn(t *testing.T) {
	type Paper struct {
		ID        int64
		Title     string
		Relevance int
	}
	gdb := open(t, address(t, "memory"))
	must(t, gdb.Migrator().CreateTable(&Paper{}))
	must(t, gdb.Create(&[]Paper{{Title: "long one", Relevance: 2}, {Title: "one", Relevance: 1}}).Error)
	page, err := db.List[Paper](db.Search(gdb, "one", "title"), db.Query{}, db.Relevance)
	must(t, err)
	if len(page.Items) != 2 || page.Items[0].Relevance != 2 {
		t.Errorf("%+v", page.Items)
	}
}

// Of very many matches only the newest are ranked, so that the cost of a common
// word is limited.
func TestRelevanceOfManyMatches(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Tale{}))
		must(t, db.SearchIndex(gdb, "tales", searched...))
		tales := make([]Tale, 10_300)
		for i := range tales {
			tales[i].Title = fmt.Sprintf("a word %06d", i)
		}
		tales[0].Title, tales[400].Title = "word", "wordy"
		must(t, gdb.CreateInBatches(tales, 1000).Error)
		page, err := db.List[Tale](db.Search(gdb, "word", searched...), db.Query{Page: 1000}, db.Relevance)
		must(t, err)
		first, err := db.List[Tale](db.Search(gdb, "word", searched...), db.Query{}, db.Relevance)
		must(t, err)
		if first.Items[0].ID != 401 || first.Items[1].ID != 10_300 || *first.Total != 10_000 || !first.TotalIsEstimate || !first.HasNext || page.HasNext || len(page.Items) != 10 {
			t.Errorf("%+v of %d, %t, %t, %t, %d", first.Items[0], *first.Total, first.TotalIsEstimate, first.HasNext, page.HasNext, len(page.Items))
		}
	})
}

// Texts with a tsvector of PostgreSQL are ranked by it.
func TestVectorsByRelevance(t *testing.T) {
	gdb := open(t, address(t, "postgres"))
	must(t, gdb.Exec("CREATE TABLE tales (id bigserial PRIMARY KEY, title text NOT NULL, content text, created_at timestamptz, words tsvector GENERATED ALWAYS AS (setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', coalesce(content, '')), 'D')) STORED)").Error)
	text := "a ship"
	must(t, gdb.Create(&[]Tale{{Title: "harbours", Content: &text}, {Title: "Ships"}, {Title: "Planes"}}).Error)
	page, err := db.List[Tale](db.SearchVector(gdb, "ship", "words"), db.Query{}, db.Relevance)
	must(t, err)
	if len(page.Items) != 2 || page.Items[0].Title != "Ships" {
		text, _ := json.Marshal(page.Items)
		t.Error(strings.TrimSpace(string(text)))
	}
}
