package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// checkIndexes looks for indexes that new tables get and those that an older
// version made lack, in what the migrations say.
func checkIndexes(open opened) []finding {
	lacking, err := lackingIndexes(open.spec, open.Files())
	if err != nil {
		return []finding{{"indexes", warn, err.Error(), ""}}
	}
	if len(lacking) == 0 {
		return []finding{{"indexes", well, "tables have the indexes for their lists and searches", ""}}
	}
	return lacking
}

func lackingIndexes(p spec.Project, project fs.FS) (lacking []finding, err error) {
	var made bytes.Buffer // what all migrations say
	names, err := fs.Glob(project, "internal/migrations/*.go")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(project, name)
		if err != nil {
			return nil, err
		}
		made.Write(text)
	}
	says := func(text string) bool { return bytes.Contains(made.Bytes(), []byte(text)) }
	for _, r := range p.Resources {
		lists, err := view.Lists(p, r)
		if err != nil {
			return nil, err
		}
		for _, list := range lists {
			covered := slices.ContainsFunc(r.Indexes, func(word string) bool {
				fields := spec.ParseIndex(word).Fields
				return len(fields) >= len(list.Fields) && slices.Equal(fields[:len(list.Fields)], list.Fields)
			})
			if !covered && !says(list.Name+",") && !says(list.Name+`"`) && !says(list.Name+";") {
				lacking = append(lacking, finding{
					"indexes", warn, fmt.Sprintf("lists of %s by %s read many rows: the table is from an older version and has no index on both", r.Plural, strings.Join(list.Fields, " and ")),
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
		if len(searched) > 0 && r.Existing == nil && !says(fmt.Sprintf("db.SearchIndex(tx, %q", r.TableName())) {
			lacking = append(lacking, finding{
				"indexes", warn, "searches of " + r.Plural + " read every row: the table is from an older version and has no search index",
				fmt.Sprintf("nexios add migration search-%s   # db.SearchIndex(tx, %q, %s)", strings.ReplaceAll(r.TableName(), "_", "-"), r.TableName(), strings.Join(searched, ", ")),
			})
		}
	}
	return lacking, nil
}
