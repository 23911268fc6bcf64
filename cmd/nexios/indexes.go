package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// checkIndexes looks in the migrations for indexes that new tables get and tables made
// by older versions lack.
func checkIndexes(open opened) []finding {
	missing, err := missingIndexes(open.spec, open.Files())
	if err != nil {
		return []finding{{"indexes", statusWarn, err.Error(), ""}}
	}
	if len(missing) == 0 {
		return []finding{{"indexes", statusOK, "tables have the indexes for their lists and searches", ""}}
	}
	return missing
}

func missingIndexes(p spec.Project, project fs.FS) (missing []finding, err error) {
	var migrations bytes.Buffer // text of all migrations
	names, err := fs.Glob(project, "internal/migrations/*.go")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(project, name)
		if err != nil {
			return nil, err
		}
		migrations.Write(text)
	}
	mentions := func(text string) bool { return bytes.Contains(migrations.Bytes(), []byte(text)) }
	for _, r := range p.Resources {
		lists, err := view.Lists(p, r)
		if err != nil {
			return nil, err
		}
		// Indexes are renamed with their table, which migrations do not say of each.
		tables := []string{r.TableName()}
		for _, was := range r.Former {
			tables = append(tables, cmp.Or(was.Table, was.Plural))
		}
		listed := func(name string) bool {
			return slices.ContainsFunc(tables, func(table string) bool {
				name := "idx_" + table + strings.TrimPrefix(name, "idx_"+r.TableName())
				return mentions(name+",") || mentions(name+`"`) || mentions(name+";")
			})
		}
		searchable := func(table string) bool { return mentions(fmt.Sprintf("db.SearchIndex(tx, %q", table)) }
		for _, list := range lists {
			covered := slices.ContainsFunc(r.Indexes, func(word string) bool {
				fields := spec.ParseIndex(word).Fields
				return len(fields) >= len(list.Fields) && slices.Equal(fields[:len(list.Fields)], list.Fields)
			})
			if !covered && !listed(list.Name) {
				missing = append(missing, finding{
					"indexes", statusWarn, fmt.Sprintf("lists of %s by %s read many rows: the table is from an older version and has no index on both", r.Plural, strings.Join(list.Fields, " and ")),
					"nexios add index " + r.Name + " " + strings.Join(list.Fields, ","),
				})
			}
		}
		fields, err := r.Parsed()
		if err != nil {
			return nil, err
		}
		var searched []string
		for _, f := range fields {
			if f.Is("search") {
				searched = append(searched, fmt.Sprintf("%q", f.Column()))
			}
		}
		if len(searched) > 0 && r.Existing == nil && !slices.ContainsFunc(tables, searchable) {
			missing = append(missing, finding{
				"indexes", statusWarn, "searches of " + r.Plural + " read every row: the table is from an older version and has no search index",
				fmt.Sprintf("nexios add migration search-%s   # db.SearchIndex(tx, %q, %s)", strings.ReplaceAll(r.TableName(), "_", "-"), r.TableName(), strings.Join(searched, ", ")),
			})
		}
	}
	return missing, nil
}
