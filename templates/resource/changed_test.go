package resource_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// changes are command lines after `nexios`, with every kind of change, for a resource
// called thing.
const changes = `
change field thing title max=100 unique
change field thing title no-unique max=200 index
change field thing slug required --backfill none
change field thing slug optional unique
change field thing slug unique=nocase
rename field thing slug alias
rename field thing alias slug
change field thing slug no-unique search
change field thing slug nocase filter
change field thing slug no-nocase
change field thing title nocase
change field thing status enum=draft/live/old
change field thing status filter no-default
change field thing views bigint no-default
change field thing views no-filter
change field thing code text
change field thing code string max=40
change field thing tag optional ondelete=null
change field thing tag unique
change field thing tag no-unique no-ondelete
change field thing on required --backfill 2026-01-31
add field thing stars:int:min=1:filter --backfill 3
add field thing day:date:sort price:decimal=10.2 --backfill 2026
add field thing kind:enum=a/b at:datetime:optional --backfill a
rename field thing title headline
rename field thing tag label
rename field thing status state
rename field thing slug path
rename field thing body content
rename field thing photo picture
rename resource thing piece
rename resource tag mark
add index thing state,created_at
add index thing label,code --unique
rename field thing code sign
remove field thing label
remove field thing marks stars
remove field thing state content
remove field thing path picture
add field thing title:string:optional:nocase:search
remove field thing title
add field thing title:string:default=x
change field thing title no-default
`

// changedProject applies the changes that are valid for a resource, which is called
// piece afterwards.
func changedProject(t *testing.T, name, flags string) spec.Project {
	t.Helper()
	p := parse(t, project(), "tag name:string --uuid\n"+name+" title:string:search slug:string:optional:max=100 status:enum=draft/live:default=draft body:text:search "+
		"views:int:default=1:filter:sort code:string:max=30 tag:ref=tags tags:many=tags on:date:optional photo:file:optional "+flags)
	for i, line := range strings.Split(strings.TrimSpace(changes), "\n") {
		at := fmt.Sprintf("20261201%02d%02d00", i/60, i%60)
		line, fill, _ := strings.Cut(line, " --backfill ")
		line, unique := strings.CutSuffix(line, " --unique")
		words := strings.Fields(line)
		command, rest := strings.Join(words[:2], " "), words[3:]
		var (
			now spec.Project
			r   spec.Resource
			err error
		)
		switch command {
		case "change field":
			now, r, err = p.ChangeField(name, rest, fill, at)
		case "add field":
			if fill == "2026" { // for a date and a number
				now, r, err = p.AddFields(name, rest[:1], "2026-01-31", at)
				if err == nil {
					p = now
					now, r, err = p.AddFields(name, rest[1:], "9.50", at[:12]+"30")
				}
				break
			}
			now, r, err = p.AddFields(name, rest, fill, at)
		case "add index":
			now, r, err = p.AddIndex(name, rest[0], unique, at)
		case "rename field":
			now, r, err = p.RenameField(name, rest[0], rest[1], at)
		case "remove field":
			now, r, err = p.RemoveFields(name, rest, at)
		case "rename resource":
			of := words[2]
			if of == "thing" {
				of, name = name, rest[0]
			}
			now, r, err = p.RenameResource(of, rest[0], "", false, at)
		}
		if err != nil {
			if strings.Contains(err.Error(), "--soft-delete") {
				continue
			}
			t.Fatalf("%s: %v", line, err)
		}
		if p, err = scaffold.DropNoopChange(p, now, r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return p
}

// TestChangedFields changes everything that can be changed, for resources of every
// kind: their tests then pass, and each migration can be applied and rolled back
// without changing the rows in the table.
func TestChangedFields(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]string{"thing": "", "soft_thing": "--soft-delete --owner", "uuid_thing": "--uuid --table tbl_2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := changedProject(t, name, flags)
			r, _ := p.Resource("piece")
			dir := generate(t, p)
			text := strings.NewReplacer("{table}", r.At(r.Migration).TableName(), "{one}", name, "\t\t{owner}\n", map[bool]string{true: "\t\trow[\"user_id\"] = 1\n"}[r.Owner],
				"{id}", map[bool]string{true: `fmt.Sprintf("0192e4a0-7b3c-7d10-8000-%012d", i)`, false: "i"}[r.UUID]).Replace(rowsTest)
			if err := os.WriteFile(filepath.Join(dir, "internal", "migrations", "rows_test.go"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			run(t, dir, true, "gofmt", "-l", ".")
			run(t, dir, true, "go", "vet", "./...")
			if testing.Short() {
				return
			}
			test(t, dir)
		})
	}
}

// rowsTest applies, rolls back and reapplies each migration with rows in the table.
const rowsTest = `package migrations_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/webtest"

	"example.com/shop/internal/migrations"
)

func TestRows(t *testing.T) {
	list := migrations.All()
	slices.SortFunc(list, func(a, b db.Migration) int { return strings.Compare(a.ID, b.ID) })
	first := slices.IndexFunc(list, func(m db.Migration) bool { return m.ID > "202612" })
	gdb := webtest.DB(t, list[:first])
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i <= 3; i++ {
		must(gdb.Table("tags").Create(map[string]any{"id": fmt.Sprintf("0192e4a0-7b3c-7d10-8000-%012d", i), "name": "x", "created_at": "2026-01-01 00:00:00", "updated_at": "2026-01-01 00:00:00"}).Error)
	}
	must(gdb.Table("users").Create(map[string]any{"id": 1, "username": "ann", "email": "a@x.co", "password_hash": "x", "role": "user", "is_active": true, "created_at": "2026-01-01 00:00:00", "updated_at": "2026-01-01 00:00:00"}).Error)
	for i := 1; i <= 3; i++ {
		row := map[string]any{
			"id": {id}, "title": fmt.Sprintf("title's %d", i), "status": "live", "body": "b", "views": i, "code": fmt.Sprintf("c%d", i),
			"tag_id": fmt.Sprintf("0192e4a0-7b3c-7d10-8000-%012d", i), "created_at": "2026-01-01 00:00:00", "updated_at": "2026-01-01 00:00:00",
		}
		{owner}
		if i < 3 {
			row["slug"] = fmt.Sprintf("s%d", i)
		}
		must(gdb.Table("{table}").Create(row).Error)
	}
	i := 1
	must(gdb.Table("{one}_tags").Create(map[string]any{"{one}_id": {id}, "tag_id": fmt.Sprintf("0192e4a0-7b3c-7d10-8000-%012d", i)}).Error)
	for i, m := range list[first:] {
		was, had := content(t, gdb), indexes(t, gdb)
		_, err := db.Migrate(t.Context(), gdb, list[:first+i+1])
		must(err)
		_, err = db.Rollback(t.Context(), gdb, list[:first+i+1], 1)
		if strings.Contains(m.ID, "_remove_") && err != nil && strings.Contains(err.Error(), "would have no value") {
			continue // of a required reference: it is said
		}
		if err != nil {
			t.Fatalf("%s: %v", m.ID, err)
		}
		if has := indexes(t, gdb); !slices.Equal(has, had) {
			t.Errorf("%s: the indexes are\n%s\nand were\n%s", m.ID, strings.Join(has, "\n"), strings.Join(had, "\n"))
		}
		for j, row := range content(t, gdb) {
			if len(row) != len(was[j]) {
				t.Errorf("%s: the columns are %v, and were %v", m.ID, row, was[j])
			}
			for name, value := range row {
				filled := strings.Contains(m.ID, "_change_") && was[j][name] == nil // with a value by --backfill
				if lost := strings.Contains(m.ID, "_remove_"); !lost && !filled && fmt.Sprint(value) != fmt.Sprint(was[j][name]) {
					t.Errorf("%s: %s is %v, and was %v", m.ID, name, value, was[j][name])
				}
			}
		}
		_, err = db.Migrate(t.Context(), gdb, list[:first+i+1])
		must(err)
		for _, join := range []string{"{one}_tags", "piece_tags", "piece_marks"} {
			var n int64
			if gdb.Migrator().HasTable(join) {
				if must(gdb.Table(join).Count(&n).Error); n != 1 {
					t.Errorf("%s: %d rows in %s", m.ID, n, join)
				}
			}
		}
	}
	last := content(t, gdb)
	if len(last) != 3 || fmt.Sprint(last[0]["headline"]) != "title's 1" || fmt.Sprint(last[2]["sign"]) != "c3" || fmt.Sprint(last[1]["views"]) != "2" {
		t.Errorf("the rows are %v", last)
	}
}

// indexes are the indexes of a database of SQLite with their columns.
func indexes(t *testing.T, gdb *gorm.DB) (all []string) {
	t.Helper()
	if gdb.Name() != "sqlite" {
		return nil
	}
	err := gdb.Raw("SELECT m.tbl_name || ' ' || m.name || ' ' || group_concat(i.name) FROM sqlite_master m, pragma_index_info(m.name) i " +
		"WHERE m.type = 'index' AND m.sql IS NOT NULL GROUP BY m.name ORDER BY 1 -- " + rand.Text()).Scan(&all).Error
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func content(t *testing.T, gdb *gorm.DB) []map[string]any {
	t.Helper()
	var rows []map[string]any
	table := "{table}"
	if !gdb.Migrator().HasTable(table) {
		table = "pieces"
	}
	if err := gdb.Raw("SELECT * FROM " + table + " ORDER BY id -- " + rand.Text()).Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for name, value := range row {
			if text, ok := value.([]byte); ok {
				row[name] = string(text)
			}
		}
	}
	return rows
}
`
