package db_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

type Article struct {
	ID        int64            `json:"id"`
	Title     string           `json:"title" gorm:"size:100;not null;index"`
	Rank      *int             `json:"rank" gorm:"index"`
	Score     *float64         `json:"score"`
	Price     *decimal.Decimal `json:"price" gorm:"type:decimal(10,2)"`
	Published bool             `json:"published" gorm:"not null"`
	Day       *db.Date         `json:"day"`
	ReadAt    *time.Time       `json:"read_at"`
	CreatedAt time.Time        `json:"created_at" gorm:"not null;index"`
	OwnerID   *int64           `json:"owner_id"`
	Owner     *Owner           `json:"owner"`
}

type Owner struct {
	ID   int64  `json:"id"`
	Name string `json:"name" gorm:"size:100"`
}

const articles = 57

// createLibrary fills a table of articles, with ties and NULLs in every column that
// allows them.
func createLibrary(t testing.TB, gdb *gorm.DB) {
	t.Helper()
	must(t, gdb.Migrator().CreateTable(&Owner{}, &Article{}))
	must(t, gdb.Create(&Owner{Name: "ann"}).Error)
	start := time.Date(2026, 1, 1, 0, 0, 0, 123456000, time.UTC)
	owner := int64(1)
	rows := make([]Article, articles)
	for i := range rows {
		a := Article{Title: fmt.Sprintf("Title %d", i%10), Published: i%3 == 0, CreatedAt: start.Add(time.Duration(i/2) * time.Microsecond), OwnerID: &owner}
		if i%4 != 0 {
			rank, score, price := i%5, float64(i%7)/3, decimal.New(int64(i%6)*10+5, -2)
			day, read := db.NewDate(2026, 1, 1+i%5), start.Add(time.Duration(i%5)*time.Hour)
			a.Rank, a.Score, a.Price, a.Day, a.ReadAt = &rank, &score, &price, &day, &read
		}
		rows[i] = a
	}
	must(t, gdb.Create(rows).Error)
}

var sorts = []string{"id", "title", "rank", "score", "price", "published", "day", "read_at", "created_at"}

// Whatever the sort order and the paging, every row is returned exactly once, in
// the same order.
func TestPagesReturnEveryRowOnce(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createLibrary(t, gdb)
		for _, sort := range sorts {
			for _, order := range []string{"asc", "desc"} {
				var all, counted, keyed []int64
				must(t, gdb.Model(&Article{}).Order(sort+" "+order+", id "+order).Pluck("id", &all).Error)
				q := db.Query{Limit: 7, Order: order}
				for q.Page = 1; ; q.Page++ {
					page, err := db.List[Article](gdb, q, sort)
					must(t, err)
					counted = append(counted, ids(page)...)
					if *page.Total != articles || *page.Pages != 9 || *page.HasPrev != (q.Page > 1) || (page.NextCursor != nil) != page.HasNext {
						t.Fatalf("%s %s: page %d is %s", sort, order, q.Page, asJSON(page))
					}
					if !page.HasNext {
						break
					}
				}
				q.Page, q.Cursor = 0, new("")
				for range articles {
					page, err := db.List[Article](gdb, q, sort)
					must(t, err)
					keyed = append(keyed, ids(page)...)
					if page.Total != nil || page.Pages != nil || page.Page != nil || page.HasPrev != nil || page.HasNext != (page.NextCursor != nil) {
						t.Fatalf("%s %s: page is %s", sort, order, asJSON(page))
					}
					if q.Cursor = page.NextCursor; q.Cursor == nil {
						break
					}
				}
				if !slices.Equal(all, counted) {
					t.Errorf("%s %s: numbered pages:\n%v\nwant\n%v", sort, order, counted, all)
				}
				if !slices.Equal(all, keyed) {
					t.Errorf("%s %s: keyset pages:\n%v\nwant\n%v", sort, order, keyed, all)
				}
			}
		}
	})
}

// A cursor does not change the meaning of the caller's OR.
func TestCursorKeepsOr(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createLibrary(t, gdb)
		var got []int64
		q := db.Query{Limit: 2, Order: "asc", Cursor: new("")}
		for range articles {
			page, err := db.List[Article](gdb.Where("id < ?", 5).Or("id > ?", 55), q, "created_at")
			must(t, err)
			got = append(got, ids(page)...)
			if q.Cursor = page.NextCursor; q.Cursor == nil {
				break
			}
		}
		if !slices.Equal(got, []int64{1, 2, 3, 4, 56, 57}) {
			t.Errorf("rows %v", got)
		}
	})
}

// The cursor of a numbered page continues after that page.
func TestFromPageToCursor(t *testing.T) {
	gdb := open(t, "sqlite::memory:")
	createLibrary(t, gdb)
	first, err := db.List[Article](gdb, db.Query{}, "created_at")
	must(t, err)
	second, err := db.List[Article](gdb, db.Query{Page: 2}, "created_at")
	must(t, err)
	next, err := db.List[Article](gdb, db.Query{Cursor: first.NextCursor}, "created_at")
	must(t, err)
	if !slices.Equal(ids(second), ids(next)) {
		t.Errorf("page 2 is %v, the page after the cursor of page 1 %v", ids(second), ids(next))
	}
}

func ids(p db.Page[Article]) []int64 {
	var all []int64
	for _, a := range p.Items {
		all = append(all, a.ID)
	}
	return all
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Totals, number of pages and neighbours, at the limits and with filters.
func TestCounts(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createLibrary(t, gdb)
		published, low, high, ann := true, 2, 3, int64(1)
		for name, c := range map[string]struct {
			tx                  *gorm.DB
			q                   db.Query
			items, total, pages int
			next, prev          bool
		}{
			"defaults":           {gdb, db.Query{}, 10, 57, 6, true, false},
			"last":               {gdb, db.Query{Page: 6}, 7, 57, 6, false, true},
			"after the last":     {gdb, db.Query{Page: 7}, 0, 57, 6, false, true},
			"far after the last": {gdb, db.Query{Page: 1e9, Limit: 100}, 0, 57, 1, false, true},
			"all in one":         {gdb, db.Query{Limit: 57}, 57, 57, 1, false, false},
			"none":               {gdb.Where("1 = 0"), db.Query{}, 0, 0, 0, false, false},
			"filter":             {db.Where(gdb, "published", &published), db.Query{Limit: 5}, 5, 19, 4, true, false},
			"no filter":          {db.Where[bool](gdb, "published", nil), db.Query{Limit: 5}, 5, 57, 12, true, false},
			"range":              {db.AtMost(db.AtLeast(gdb, "rank", &low), "rank", &high), db.Query{Limit: 50}, 16, 16, 1, false, false},
			"search and filter":  {db.Search(db.Where(gdb, "published", &published), "title 3", "title"), db.Query{}, 2, 2, 1, false, false},
			"search, two":        {db.Search(db.Where(gdb, "owner_id", &ann).Where("id < ?", 20), "TITLE 3", "title", "title"), db.Query{}, 2, 2, 1, false, false},
			"preload and joins":  {db.Where(gdb.Preload("Owner").Joins("Owner"), "id", &ann), db.Query{}, 1, 1, 1, false, false},
		} {
			page, err := db.List[Article](c.tx, c.q, "created_at")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if len(page.Items) != c.items || *page.Total != int64(c.total) || *page.Pages != int64(c.pages) || page.HasNext != c.next || *page.HasPrev != c.prev {
				t.Errorf("%s: %s", name, asJSON(page)[len(asJSON(page.Items)):])
			}
			if page.Items == nil {
				t.Errorf("%s: items are null", name)
			}
		}
	})
}

// Each relation costs one statement, whatever the number of rows, and a list that
// fits on its page is not counted.
func TestNumberOfStatements(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createLibrary(t, gdb)
		statements := 0
		must(t, gdb.Callback().Query().Before("gorm:query").Register("test", func(*gorm.DB) { statements++ }))
		for name, c := range map[string]struct {
			q    db.Query
			want int
		}{
			"counted": {db.Query{}, 3},
			"fits":    {db.Query{Limit: 100}, 2},
			"keyset":  {db.Query{Cursor: new("")}, 2},
		} {
			statements = 0
			page, err := db.List[Article](gdb.Preload("Owner"), c.q, "created_at")
			must(t, err)
			if statements != c.want {
				t.Errorf("%s: %d statements, want %d", name, statements, c.want)
			}
			for _, a := range page.Items {
				if a.Owner == nil || a.Owner.Name != "ann" {
					t.Fatalf("%s: article without its owner", name)
				}
			}
		}
	})
}

// A cursor of another origin is a client error, whatever it contains.
func TestInvalidCursors(t *testing.T) {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createLibrary(t, gdb)
		for _, cursor := range []string{
			"x", "====", encode("{}"), encode("null"), encode("[1]"),
			encode(`{"s":"title","o":"asc","v":"x","i":1}`),                        // another column
			encode(`{"s":"rank","o":"desc","v":1,"i":1}`),                          // another direction
			encode(`{"s":"rank","o":"asc","v":"1","i":1}`),                         // another type
			encode(`{"s":"rank","o":"asc","v":1.5,"i":1}`),                         //
			encode(`{"s":"rank","o":"asc","v":1,"i":null}`),                        // no id
			encode(`{"s":"rank","o":"asc","v":1,"i":"1 OR 1=1"}`),                  //
			encode(`{"s":"rank","o":"asc","v":1}`),                                 //
			encode(`{"s":"rank","o":"asc","i":1}`),                                 //
			encode(`{"s":"rank","o":"asc","v":99999999999999999999999999,"i":1}`),  // out of range
			encode(`{"s":"rank","o":"asc","v":{"a":1},"i":[]}`),                    //
			encode(`{"s":"rank","o":"asc","v":1,"i":1}`) + "AA",                    // trailing
			encode(`{"s":"rank","o":"asc","v":1,"i":1}{"s":"rank","o":"asc"}`),     //
			encode(`{"s":"rank); DROP TABLE articles; --","o":"asc","v":1,"i":1}`), //
			strings.Repeat("A", 100000),                                            //
		} {
			_, err := db.List[Article](gdb, db.Query{Order: "asc", Cursor: &cursor}, "rank")
			f := fault.From(err)
			if f == nil || f.Status != 422 || f.Message != "Invalid query parameters" || len(f.Details) != 1 || f.Details[0].Field != "cursor" {
				t.Errorf("%.60s: %v", cursor, err)
			}
		}
		// A value of the right type that a database cannot store.
		for _, text := range []string{`"a\u0000b"`, `"\ud800"`} {
			cursor := encode(`{"s":"title","o":"asc","v":` + text + `,"i":1}`)
			if _, err := db.List[Article](gdb, db.Query{Order: "asc", Cursor: &cursor}, "title"); err != nil && fault.From(err).Status != 422 {
				t.Errorf("%s: %v", text, err)
			}
		}
		if _, err := db.List[Article](gdb, db.Query{}, "secret"); fault.From(err) == nil || fault.From(err).Status != 422 {
			t.Errorf("unknown sort column: %v", err)
		}
	})
}

// In keyset paging the JSON of a page omits the fields of numbered pages.
func TestPageJSON(t *testing.T) {
	gdb := open(t, "sqlite::memory:")
	createLibrary(t, gdb)
	keys := func(q db.Query) string {
		page, err := db.List[Owner](gdb, q, "id")
		must(t, err)
		return asJSON(db.Map(page, func(o Owner) string { return o.Name }))
	}
	if got, want := keys(db.Query{}), `{"items":["ann"],"total":1,"page":1,"limit":10,"pages":1,"has_next":false,"has_prev":false,"next_cursor":null}`; got != want {
		t.Errorf("counted: %s", got)
	}
	if got, want := keys(db.Query{Cursor: new("")}), `{"items":["ann"],"limit":10,"has_next":false,"next_cursor":null}`; got != want {
		t.Errorf("keyset: %s", got)
	}
}

// Search ignores case and takes every character literally.
func TestSearch(t *testing.T) {
	names := []string{"École", "ÉCOLE", "école", "ÉcOlE", "100% sure", "100 sure", "snake_case", "snakeXcase", `back\slash`, "it's", "bang!", "[set]", "star*", "what?", "Straße", "ΣΊΣΥΦΟΣ", "日本語"}
	cases := map[string][]string{
		"école":     {"École", "ÉCOLE", "école", "ÉcOlE"},
		"ÉCOLE":     {"École", "ÉCOLE", "école", "ÉcOlE"},
		"100%":      {"100% sure"},
		"%":         {"100% sure"},
		"_":         {"snake_case"},
		"SNAKE_":    {"snake_case"},
		`\`:         {`back\slash`},
		"'":         {"it's"},
		"!":         {"bang!"},
		"[SET]":     {"[set]"},
		"*":         {"star*"},
		"?":         {"what?"},
		"straße":    {"Straße"},
		"σίσυφος":   {"ΣΊΣΥΦΟΣ"},
		"本":         {"日本語"},
		"sure' -- ": nil,
		"é*":        nil,
		"é]":        nil,
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Owner{}))
		for _, name := range names {
			must(t, gdb.Create(&Owner{Name: name}).Error)
		}
		for term, want := range cases {
			var got []string
			must(t, db.Search(gdb.Model(&Owner{}), term, "name").Order("id").Pluck("name", &got).Error)
			switch {
			case gdb.Name() == "mysql" && strings.ContainsAny(term, "éÉσß"):
				// Its collation may find more, but never less.
				for _, w := range want {
					if !slices.Contains(got, w) {
						t.Errorf("%s: found %q, without %q", term, got, w)
					}
				}
			case gdb.Name() == "postgres" && term == "σίσυφος":
				// The C.UTF-8 locale of the test's server does not fold ς to Σ.
			case gdb.Name() == "postgres" && strings.EqualFold(term, "école"):
				if !slices.Contains(got, "école") && !slices.Contains(got, "ÉCOLE") {
					t.Errorf("%s: found %q", term, got)
				}
			default:
				if !slices.Equal(got, want) {
					t.Errorf("%s: found %q, want %q", term, got, want)
				}
			}
		}
		var n int64
		must(t, db.Search(gdb.Model(&Owner{}), "", "name").Count(&n).Error)
		if n != int64(len(names)) {
			t.Errorf("an empty term found %d rows", n)
		}
	})
}

// A page after a cursor is read from an index, at any depth.
func TestCursorUsesIndex(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	createLibrary(t, gdb)
	for _, sort := range []string{"created_at", "rank", "id"} {
		for _, order := range []string{"asc", "desc"} {
			first, err := db.List[Article](gdb, db.Query{Limit: 20, Order: order, Cursor: new("")}, sort)
			must(t, err)
			var plans []string
			must(t, gdb.Callback().Query().After("gorm:query").Replace("test", func(tx *gorm.DB) {
				var plan []struct{ Detail string }
				must(t, gdb.Session(&gorm.Session{NewDB: true}).Raw("EXPLAIN QUERY PLAN "+tx.Statement.SQL.String(), tx.Statement.Vars...).Scan(&plan).Error)
				for _, p := range plan {
					plans = append(plans, p.Detail)
				}
			}))
			_, err = db.List[Article](gdb, db.Query{Limit: 20, Order: order, Cursor: first.NextCursor}, sort)
			must(t, err)
			must(t, gdb.Callback().Query().Remove("test"))
			for _, plan := range plans {
				if !strings.HasPrefix(plan, "SEARCH articles USING I") {
					t.Errorf("%s %s: %s", sort, order, plan)
				}
			}
			if len(plans) == 0 {
				t.Errorf("%s %s: no plan", sort, order)
			}
		}
	}
}

// Notice is a table with rows that only some callers may read.
type Notice struct {
	ID        int64
	OwnerID   int64     `gorm:"not null;index:idx_notices_owner_id_list,priority:1"`
	Public    bool      `gorm:"not null;index;index:idx_notices_public_list,priority:1"`
	CreatedAt time.Time `gorm:"not null;index;index:idx_notices_owner_id_list;index:idx_notices_public_list"`
}

// A list of rows that are public or the caller's own is read in order, without
// sorting all of them; so is one that is sorted by a column of few values.
func TestListsReadInOrder(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			at := address(t, name)
			gdb := open(t, at)
			must(t, gdb.Migrator().CreateTable(&Notice{}))
			rows := make([]Notice, 20_000)
			for i := range rows {
				rows[i] = Notice{OwnerID: int64(i % 100), Public: i%2 == 0, CreatedAt: start.Add(time.Duration(i) * time.Second)}
			}
			must(t, gdb.CreateInBatches(rows, 1000).Error)
			if name == "postgres" {
				must(t, gdb.Exec("ANALYZE notices").Error) // the server does this itself, later
			}
			must(t, db.Close(gdb))
			if gdb, _ = db.Open(at, db.Options{}); gdb == nil {
				t.Fatal("not open")
			}
			defer db.Close(gdb)
			for what, tx := range map[string]*gorm.DB{
				"readable": gdb.Where("owner_id = ? OR public = ?", 7, true).Order("created_at DESC, id DESC"),
				"sorted":   gdb.Order("public DESC, id DESC"),
				"own":      gdb.Where("owner_id = ?", 7).Order("created_at DESC, id DESC"),
				"filtered": gdb.Where("public = ?", false).Order("created_at DESC, id DESC"),
				"own, after a cursor": gdb.Where("owner_id = ?", 7).
					Where("(created_at, id) < (?, ?)", start.Add(time.Hour), 3600).Order("created_at DESC, id DESC"),
			} {
				query := gdb.ToSQL(func(*gorm.DB) *gorm.DB { return tx.Session(&gorm.Session{DryRun: true}).Limit(20).Find(&[]Notice{}) })
				explain := map[string]string{"sqlite": "EXPLAIN QUERY PLAN ", "postgres": "EXPLAIN "}[name]
				found, err := gdb.Raw(explain + query).Rows()
				must(t, err)
				plan := ""
				for found.Next() {
					var a, b, c, line string
					if name == "postgres" {
						must(t, found.Scan(&line))
					} else {
						must(t, found.Scan(&a, &b, &c, &line))
					}
					plan += line + "\n"
				}
				must(t, found.Close())
				if strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("%s is sorted:\n%s\n%s", what, query, plan)
				}
			}
		})
	}
}
