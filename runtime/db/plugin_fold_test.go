package db_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Names are found ignoring case, by the index that keeps them unique.
func TestUniqueFold(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		createBlog(t, gdb)
		for _, name := range []string{"ann", "ANN", "Ann"} {
			var u User
			must(t, db.WhereFold(gdb, "username", name).Take(&u).Error)
			if u.Username != "ann" {
				t.Errorf("found %q", u.Username)
			}
		}
		var u User
		if err := db.WhereFold(gdb, "username", "an_").Take(&u).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("an_: %v", err)
		}
		if gdb.Name() == "sqlite" {
			var plan struct{ Detail string }
			query := gdb.ToSQL(func(tx *gorm.DB) *gorm.DB { return db.WhereFold(tx, "username", "ann").Find(&User{}) })
			must(t, gdb.Raw("EXPLAIN QUERY PLAN "+query).Scan(&plan).Error)
			if !strings.Contains(plan.Detail, "idx_users_username") {
				t.Errorf("the index is not used: %s", plan.Detail)
			}
		}
		must(t, gdb.Migrator().DropIndex("users", "idx_users_username"))
		must(t, gdb.Create(&User{Username: "ANN", Email: "ann2@x"}).Error)
		check(t, db.UniqueFold(gdb, "users", "username"), 409, map[bool]string{true: "Username taken", false: "Already taken"}[gdb.Name() == "postgres"], map[bool]string{true: "username/unique"}[gdb.Name() == "postgres"])
	})
}

// The first statement on a table may be one with a subquery on it.
func TestFoldInSubquery(t *testing.T) {
	type Word struct {
		ID   int64
		Name string `gorm:"size:50;not null"`
	}
	at := address(t, "sqlite")
	gdb := open(t, at)
	must(t, gdb.Migrator().CreateTable(&Word{}))
	must(t, db.UniqueNoCase(gdb, "words", "name"))
	must(t, gdb.Create(&Word{Name: "Straße"}).Error)
	var n int64
	other := open(t, at)
	must(t, other.Model(&Word{}).Where("id IN (?)", db.Where(other.Model(&Word{}).Select("id"), "name", new("STRASSE"))).Count(&n).Error)
	if n != 1 {
		t.Errorf("%d rows", n)
	}
}

// On MySQL UniqueFold changes the column to a case-insensitive collation.
func TestUniqueFoldSetsCollation(t *testing.T) {
	gdb := open(t, address(t, "mysql"))
	must(t, gdb.Exec("CREATE TABLE users (id bigint PRIMARY KEY, username varchar(50) COLLATE utf8mb4_bin NOT NULL, email varchar(254) NOT NULL DEFAULT '', age int NOT NULL DEFAULT 18)").Error)
	must(t, gdb.Exec("INSERT INTO users (id, username) VALUES (1, 'Ünal'), (2, 'unal')").Error)
	must(t, db.UniqueFold(gdb, "users", "username"))
	check(t, gdb.Create(&User{ID: 3, Username: "üNAL"}).Error, 409, "Username taken", "username/unique")
	if err := gdb.Exec("INSERT INTO users (id, username) VALUES (4, NULL)").Error; err == nil {
		t.Error("the column is nullable now")
	}
}

// Texts are folded by Unicode's rule.
func TestFold(t *testing.T) {
	for _, equal := range [][]string{
		{"alice", "ALICE", "Alice", "Ａｌｉｃｅ", "al\u200bice", "a\u00adlice"},
		{"ä", "Ä", "a\u0308", "A\u0308"}, {"a"}, {"straße", "STRASSE", "straẞe"}, {"ﬀ", "FF", "ff"}, {"σίσυφος", "ΣΊΣΥΦΟΣ"},
		{"i", "I", "Ｉ"}, {"ı"}, {"İ", "i\u0307"}, {"a "}, {" a"}, {"a\u00a0b", "A B"}, {"カ", "ｶ"}, {"が", "か\u3099"}, {"🙂"}, {"❤", "❤\ufe0f"},
		{"k", "\u212a"}, {"ж", "Ж"}, {"𐐨", "𐐀"}, {"ǆ", "Ǆ", "ǅ"}, {"", "\u200d"},
	} {
		for _, text := range equal {
			if got, want := db.Fold(text), db.Fold(equal[0]); got != want {
				t.Errorf("Fold(%q) = %q, but Fold(%q) = %q", text, got, equal[0], want)
			}
		}
	}
	if db.Fold("a") == db.Fold("ä") || db.Fold("ı") == db.Fold("i") || db.Fold("a ") == db.Fold("a") {
		t.Error("accents, dots or spaces are ignored")
	}
}

func FuzzFold(f *testing.F) {
	f.Add("Straße İ ﷺ \u0345\u0378")
	f.Fuzz(func(t *testing.T, text string) {
		once := db.Fold(text)
		if twice := db.Fold(once); twice != once {
			t.Errorf("Fold(%q) = %q, and folded again %q", text, once, twice)
		}
	})
}

// texts are of all kinds that databases compare differently.
var texts = []string{
	"a", "A", "ä", "Ä", "a\u0308", "é", "e", "E", "ß", "ss", "SS", "ẞ", "Ａ", "ａ", "a ", " a", "a\t", "a\u00a0", "ﬀ", "ff", "I", "ı", "İ", "i",
	"🙂", "🙃", "🙂 ", "é🙂", "ñ", "n", "Æ", "AE", "0", "00", "０", "_", "%", "'", `\`, "a-b", "ab", "A\u200db", "ж", "Ж", "日本", "日本 ", "ｶ", "カ", "\uffff", "𐐀", "𐐨", "σ", "ς", "Σ",
}

// A column of UniqueNoCase is unique, filtered, sorted and searched by its folded
// form, the same on every database.
func TestUniqueNoCaseOnEveryDatabase(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		type Word struct {
			ID   int64
			Name string `gorm:"size:50;not null"`
		}
		must(t, gdb.Migrator().CreateTable(&Word{}))
		must(t, db.UniqueNoCase(gdb, "words", "name"))
		must(t, db.SearchIndex(gdb, "words", "name"))
		first := map[string]string{} // text by folded form
		for _, text := range texts {
			err := gdb.Create(&Word{Name: text}).Error
			if _, taken := first[db.Fold(text)]; taken {
				check(t, err, 409, "Name taken", "name/unique")
				continue
			}
			if first[db.Fold(text)] = text; err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
		var sorted []string
		for text := range first {
			sorted = append(sorted, text)
		}
		slices.Sort(sorted)
		for i, form := range sorted {
			sorted[i] = first[form]
		}
		for _, text := range texts {
			want := []string{first[db.Fold(text)]}
			for what, tx := range map[string]*gorm.DB{"Where": db.Where(gdb.Model(&Word{}), "name", &text), "WhereFold": db.WhereFold(gdb.Model(&Word{}), "name", text)} {
				var found []string
				must(t, tx.Pluck("name", &found).Error)
				if !slices.Equal(found, want) {
					t.Errorf("%s %q finds %q, want %q", what, text, found, want)
				}
			}
			var from, matching []string
			must(t, db.AtLeast(gdb.Model(&Word{}), "name", &text).Order("name_folded").Pluck("name", &from).Error)
			if want := sorted[slices.Index(sorted, want[0]):]; !slices.Equal(from, want) {
				t.Errorf(">= %q finds %q, want %q", text, from, want)
			}
			must(t, db.Search(gdb.Model(&Word{}), text, "name").Order("name_folded").Pluck("name", &matching).Error)
			if want := slices.DeleteFunc(slices.Clone(sorted), func(s string) bool { return !strings.Contains(db.Fold(s), db.Fold(text)) }); !slices.Equal(matching, want) {
				t.Errorf("a search for %q finds %q, want %q", text, matching, want)
			}
		}
		var walked []string
		for cursor := ""; ; {
			page, err := db.List[Word](gdb, db.Query{Limit: 7, Order: "asc", Cursor: &cursor}, "name")
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
			t.Errorf("sorted: %q, want %q", walked, sorted)
		}
	})
}

// Every way of writing the column also writes its folded form.
func TestFoldedFormsAreWritten(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		type Word struct {
			ID   int64
			Name string  `gorm:"size:50;not null" json:"nAme"`
			Also *string `gorm:"size:20"`
			N    int
		}
		must(t, gdb.Migrator().CreateTable(&Word{}))
		must(t, db.UniqueNoCase(gdb, "words", "name"))
		must(t, db.UniqueNoCase(gdb, "words", "also"))
		also := "ALSO"
		words := []Word{{Name: "One", Also: &also}, {Name: "Two"}, {Name: "Three"}}
		must(t, gdb.Create(&words).Error)
		must(t, gdb.Create(&Word{Name: "Four"}).Error)
		must(t, gdb.Table("words").Create(map[string]any{"name": "Five", "n": 5}).Error)
		must(t, gdb.Model(&words[0]).Update("name", "ÉINS").Error)
		must(t, gdb.Model(&words[1]).UpdateColumns(map[string]any{"name": "ZWEI", "also": "Auch"}).Error)
		must(t, gdb.Model(&words[2]).Select("name").Updates(&Word{Name: "DREI"}).Error)
		words[0].N = 1
		must(t, gdb.Save(&words[0]).Error)
		must(t, gdb.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Word{ID: words[1].ID, Name: "DEUX"}).Error)
		must(t, gdb.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).
			Create(&Word{ID: words[2].ID, Name: "TROIS"}).Error)
		must(t, gdb.Table("words").Where("name = ?", "Four").Update("n", 4).Error)
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			return tx.Model(&Word{}).Where("name = ?", "Four").Update("name", "VIER").Error
		}))
		for i, c := range []struct{ name, also string }{{"éins", "also"}, {"deux", ""}, {"trois", ""}, {"vier", ""}, {"five", ""}} {
			var is struct{ NameFolded, AlsoFolded string }
			must(t, gdb.Raw("SELECT name_folded, coalesce(also_folded, '') AS also_folded FROM words ORDER BY id LIMIT 1 OFFSET ?", i).Scan(&is).Error)
			if is.NameFolded != c.name || is.AlsoFolded != c.also {
				t.Errorf("row %d: got %+v, want %+v", i+1, is, c)
			}
		}
		check(t, gdb.Model(&words[0]).Update("name", "Vier").Error, 409, "Name taken", "nAme/unique")
		if err := gdb.Model(&words[0]).Update("name", gorm.Expr("lower(name)")).Error; err == nil || !strings.Contains(err.Error(), "an expression") {
			t.Errorf("an expression: %v", err)
		}
		check(t, gdb.Create(&Word{Name: strings.Repeat("ﷺ", 50)}).Error, 422, "Validation error", "nAme/max")
		err := db.CreateAll(gdb, []Word{{Name: "six"}, {Name: "SEVEN"}, {Name: "Seven"}})
		check(t, err, 409, "Name taken", "nAme/unique")
		if at := index(err); at != 2 {
			t.Errorf("got row %d of the batch, want 2", at)
		}
		err = db.CreateAll(gdb, []Word{{Name: "six"}, {Name: "vIER"}})
		if check(t, err, 409, "Name taken", "nAme/unique"); index(err) != 1 {
			t.Errorf("got row %d of the batch, want 1", index(err))
		}
		type word struct {
			ID   int64
			Name string
			Also string
		}
		must(t, db.DropColumns(gdb.Table("words"), &word{}))
		must(t, gdb.Exec("INSERT INTO words (n) VALUES (1), (1)").Error)
	})
}

// A soft-deleted row does not count for a unique column: when the index is created,
// when a row is changed, and when a deleted row is restored.
func TestUniqueNoCaseIgnoresDeletedRows(t *testing.T) {
	type Word struct {
		ID             int64
		OrganisationID int64  `gorm:"<-:create"`
		Name           string `gorm:"size:700;not null"`
		DeletedAt      gorm.DeletedAt
	}
	type words struct {
		ID             int64
		OrganisationID int64  `gorm:"not null"`
		Name           string `gorm:"size:700;not null"`
		DeletedAt      gorm.DeletedAt
		NotDeleted     *int `gorm:"type:smallint GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN 1 END) STORED"`
	}
	for _, within := range [][]string{{"not_deleted"}, {"organisation_id", "not_deleted"}} {
		each(t, func(t *testing.T, gdb *gorm.DB) {
			must(t, gdb.Migrator().CreateTable(&words{}))
			put := func(org int64, name string) *Word {
				w := &Word{OrganisationID: org, Name: name}
				must(t, gdb.Create(w).Error)
				return w
			}
			for range 3 { // before the index
				must(t, gdb.Delete(put(1, "ÉTÉ")).Error)
			}
			put(1, "été")
			twice := put(1, "ÉTé")
			if err := db.UniqueNoCase(gdb, "words", "name", within...); err == nil || !strings.Contains(err.Error(), "equal apart from case") {
				t.Fatalf("equal rows: %v", err)
			}
			must(t, gdb.Delete(twice).Error)
			must(t, db.UniqueNoCase(gdb, "words", "name", within...))
			taken := func(err error) {
				t.Helper()
				check(t, err, 409, "Name taken", "name/unique")
			}
			taken(gdb.Create(&Word{OrganisationID: 1, Name: "Été"}).Error)
			taken(gdb.Unscoped().Model(twice).Update("deleted_at", nil).Error)
			must(t, gdb.Where("name", "été").Delete(&Word{}).Error)
			again := put(1, "ÉtÉ")
			taken(gdb.Create(&Word{OrganisationID: 1, Name: "été"}).Error)
			if err := gdb.Create(&Word{OrganisationID: 2, Name: "été"}).Error; len(within) == 2 {
				must(t, err)
			} else {
				taken(err)
			}
			var found []int64
			must(t, db.WhereFold(gdb.Model(&Word{}).Where("organisation_id", 1), "name", "ÉTÉ").Pluck("id", &found).Error)
			if !slices.Equal(found, []int64{again.ID}) {
				t.Errorf("found %v, want %d", found, again.ID)
			}
			var n int64
			must(t, gdb.Unscoped().Model(&Word{}).Where("deleted_at IS NOT NULL").Count(&n).Error)
			if n != 5 {
				t.Errorf("%d deleted rows are left, want 5", n)
			}
			if name := "idx_words_" + strings.Join(append(slices.Clone(within[:len(within)-1]), "name"), "_"); !gdb.Migrator().HasIndex("words", name) {
				t.Errorf("no index %s", name)
			}
		})
	}
}

// Rows may be equal in a column that is compared ignoring case, and keep their
// text. The column can be created for existing texts, be made unique, and be
// changed back.
func TestNoCase(t *testing.T) {
	type Word struct {
		ID   int64
		Name string `gorm:"size:50;not null"`
	}
	type plain struct {
		ID   int64
		Name string `gorm:"size:50;not null;index:idx_words_name"`
	}
	type nocase struct {
		ID   int64
		Name string `gorm:"size:50;not null;nocase"`
	}
	type unique struct {
		ID   int64
		Name string `gorm:"size:50;not null;fold"`
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Table("words").Migrator().CreateTable(&plain{}))
		for _, text := range texts[:20] {
			must(t, gdb.Create(&Word{Name: text}).Error)
		}
		must(t, db.ChangeTable(gdb, "words", &plain{}, &nocase{}))
		must(t, db.SearchIndex(gdb, "words", "name"))
		for _, text := range texts[20:] {
			must(t, gdb.Create(&Word{Name: text}).Error)
		}
		for _, text := range texts {
			var want, found []string
			for _, other := range texts {
				if db.Fold(other) == db.Fold(text) {
					want = append(want, other)
				}
			}
			must(t, db.Where(gdb.Model(&Word{}), "name", &text).Order("id").Pluck("name", &found).Error)
			if !slices.Equal(found, want) {
				t.Errorf("%q finds %q, want %q", text, found, want)
			}
		}
		sorted := slices.Clone(texts)
		slices.SortStableFunc(sorted, func(a, b string) int { return strings.Compare(db.Fold(a), db.Fold(b)) })
		var walked []string
		for cursor := ""; ; {
			page, err := db.List[Word](gdb, db.Query{Limit: 7, Order: "asc", Cursor: &cursor}, "name")
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
			t.Errorf("sorted: %q, want %q", walked, sorted)
		}
		must(t, db.DropSearchIndex(gdb, "words"))
		if err := db.ChangeTable(gdb, "words", &nocase{}, &unique{}); err == nil || !strings.Contains(err.Error(), "equal apart from case") {
			t.Fatalf("equal rows made unique: %v", err)
		}
	})
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Table("words").Migrator().CreateTable(&plain{}))
		must(t, gdb.Create(&Word{Name: "Été"}).Error)
		for _, change := range [][2]any{{&plain{}, &nocase{}}, {&nocase{}, &unique{}}, {&unique{}, &nocase{}}} {
			must(t, db.ChangeTable(gdb, "words", change[0], change[1]))
			var n int64
			must(t, db.WhereFold(gdb.Model(&Word{}), "name", "ÉTÉ").Count(&n).Error)
			err := gdb.Transaction(func(tx *gorm.DB) error { return tx.Create(&Word{Name: "étÉ"}).Error })
			if _, ok := change[1].(*unique); ok != (err != nil) || n != 1 {
				t.Errorf("%T: %d found, %v", change[1], n, err)
			}
			must(t, gdb.Where("id > 1").Delete(&Word{}).Error)
		}
		must(t, db.ChangeTable(gdb, "words", &nocase{}, &plain{}))
		if gdb.Migrator().HasColumn("words", "name_folded") || !gdb.Migrator().HasIndex("words", "idx_words_name") {
			t.Error("the folded column is left, or the index is not restored")
		}
	})
}

// Refold converts a column of UniqueFold, reports rows that are now equal, and
// loses nothing.
func TestRefold(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		type Org struct {
			ID             int64
			OrganisationID int64  `gorm:"<-:create"`
			Name           string `gorm:"size:50;not null"`
		}
		list := []db.Migration{{ID: "1", Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&Org{}); err != nil {
				return err
			}
			return db.UniqueFold(tx, "orgs", "name", "organisation_id")
		}}}
		_, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		var rows []Org
		for i := range 2100 {
			rows = append(rows, Org{OrganisationID: int64(i % 2), Name: fmt.Sprintf("NAME %d", i/2)})
		}
		must(t, gdb.CreateInBatches(&rows, 500).Error)
		must(t, gdb.Create(&Org{OrganisationID: 1, Name: "Straße"}).Error)
		list = append(list, db.Refold("2", "orgs", "name", "organisation_id"), db.Refold("3", "gone", "name"))
		if gdb.Name() != "mysql" { // its collation already treats these two as equal
			must(t, gdb.Create(&Org{OrganisationID: 1, Name: "STRASSE"}).Error)
			_, err = db.Migrate(t.Context(), gdb, list)
			if err == nil || !strings.Contains(err.Error(), `"Straße" (id 2101) = "STRASSE" (id 2102)`) {
				t.Fatalf("equal rows: %v", err)
			}
			must(t, gdb.Exec("UPDATE orgs SET organisation_id = 2 WHERE id = 2102").Error)
		}
		for range 2 {
			_, err = db.Migrate(t.Context(), gdb, list)
			must(t, err)
			var n, forms int64
			must(t, gdb.Model(&Org{}).Count(&n).Error)
			must(t, gdb.Raw("SELECT count(*) FROM orgs WHERE name_folded IS NOT NULL").Scan(&forms).Error)
			if n < 2101 || n != forms {
				t.Errorf("%d rows, %d forms", n, forms)
			}
			check(t, gdb.Create(&Org{OrganisationID: 1, Name: "strasse"}).Error, 409, "Name taken", "name/unique")
			check(t, gdb.Create(&Org{OrganisationID: 1, Name: "name 1049"}).Error, 409, "Name taken", "name/unique")
			_, err = db.Rollback(t.Context(), gdb, list, 2)
			must(t, err)
			var found Org
			must(t, db.WhereFold(gdb, "name", "name 7").Take(&found).Error)
		}
	})
}

// index returns the row of a batch that err is about; -1 for none.
func index(err error) int {
	var f *fault.Error
	if !errors.As(err, &f) || len(f.Details) == 0 || f.Details[0].Index == nil {
		return -1
	}
	return *f.Details[0].Index
}

// Rows that an older program stored without their folded forms get them in the next
// migration, and are unique from then on.
func TestMigrateFoldsRowsOfOlderPrograms(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		type Word struct {
			ID   int64
			Name *string `gorm:"size:50"`
		}
		list := []db.Migration{{ID: "1", Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&Word{}); err != nil {
				return err
			}
			return db.UniqueNoCase(tx, "words", "name")
		}}}
		_, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		must(t, gdb.Exec("INSERT INTO words (id, name) VALUES (1, 'ÄRGER'), (2, NULL)").Error)
		done, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		if len(done) != 0 {
			t.Errorf("applied %v", done)
		}
		small := "ärger"
		check(t, gdb.Create(&Word{ID: 3, Name: &small}).Error, 409, "Name taken", "name/unique")
		must(t, gdb.Exec("INSERT INTO words (id, name) VALUES (4, 'Ärger')").Error)
		_, err = db.Migrate(t.Context(), gdb, list)
		if err == nil || !strings.Contains(err.Error(), `words has a row, stored by an older program, whose name equals another's ignoring case`) || !strings.Contains(err.Error(), "Ärger") {
			t.Errorf("equal rows: %v", err)
		}
		must(t, gdb.Exec("UPDATE words SET name = 'Freude' WHERE id = 4").Error)
		_, err = db.Migrate(t.Context(), gdb, list)
		must(t, err)
	})
}
