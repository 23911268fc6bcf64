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

// The best hit comes first, on every database alike, and each hit once.
func TestListByRelevance(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Tale{}))
		text := func(s string) *string { return &s }
		tales := []Tale{
			{Title: "about nothing", Content: text("says go somewhere")}, // 1: a word of the content
			{Title: "cargo on board"},                                    // 2: within the title
			{Title: "Let us GO there"},                                   // 3: a word of the title
			{Title: "go"},                                                // 4: all of the title
			{Title: "go away and do not come back"},                      // 5: begins the title
			{Title: "Go away"},                                           // 6: the same, shorter
			{Title: "something", Content: text("go")},                    // 7: all of the content
			{Title: "Let us GO there"},                                   // 8: as 3, newer
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

// What cannot be ranked says so.
func TestListByRelevanceRefuses(t *testing.T) {
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

// A column of that name is sorted by.
func TestRelevanceIsAColumn(t *testing.T) {
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

// Of hits without number the newest are ranked, so that a common word costs
// what they do.
func TestRelevanceOfManyHits(t *testing.T) {
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

// Texts that PostgreSQL has made vectors of are ranked by it.
func TestVectorsByRelevance(t *testing.T) {
	gdb := open(t, address(t, "postgres"))
	must(t, gdb.Exec("CREATE TABLE tales (id bigserial PRIMARY KEY, title text NOT NULL, content text, created_at timestamptz, words tsvector GENERATED ALWAYS AS (setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', coalesce(content, '')), 'D')) STORED)").Error)
	text := "a ship"
	must(t, gdb.Create(&[]Tale{{Title: "harbours", Content: &text}, {Title: "Ships"}, {Title: "Planes"}}).Error)
	page, err := db.List[Tale](db.SearchVector(gdb, "ship", "words"), db.Query{}, db.Relevance)
	must(t, err)
	if len(page.Items) != 2 || page.Items[0].Title != "Ships" {
		said, _ := json.Marshal(page.Items)
		t.Error(strings.TrimSpace(string(said)))
	}
}
