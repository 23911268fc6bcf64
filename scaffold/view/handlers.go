package view

import (
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Handlers is the file of the module and its handlers.
type Handlers struct {
	Imports  string
	List     bool
	Create   bool
	Bulk     bool
	Show     bool
	Update   bool
	Delete   bool
	Reads    string // guards of reading routes: ".Guard(auth.User())"
	Writes   string // guards of writing routes
	Lock     string // precondition of changing a row: ".Locked()"
	Preload  []string
	With     []string // preloaded for a single row only: has fields
	Beside   string   // what the documentation of a response says about them
	Search   []string // quoted columns
	Vector   string   // quoted column that is searched instead; "" for none
	Reread   bool     // the database changes more of a row than was sent
	Filters  []Filter
	Many     []Many
	Conflict string // statuses that writing may respond with: ".Fails(409)"
	Omit     string // associations that saving a row omits: `"Tags.*"`
	Key      string // Go expression of the key in the path: "in.ID"
	Made     string // Go expressions of the parts of a new row's key: "post.ID"
	Vars     string // a variable for several rows
	Attach   bool   // new rows refer to uploads
	Reattach bool   // updated rows may refer to others
	// Deprecated is the Go expression of the deprecation of an older version; "" for none.
	Deprecated string
}

// Filter is one condition of a list.
type Filter struct {
	Func   string // of package db: "Where", "AtLeast", "AtMost"
	Column string
	Name   string // of the field in the input
}

// Many is one many field of the resource.
type Many struct {
	Name  string // of the field in the model: "Tags"
	Input string // of the field in the input: "TagIDs"
	Rows  string // a variable for the rows: "tags"
	Type  string // of one row: "Tag"
	Key   string // key in the body: "tag_ids"
}

func (w resource) handlers(v Resource) Handlers {
	r := w.r
	o := Handlers{
		List: w.serves("list"), Create: w.serves("create"), Bulk: w.serves("bulk"),
		Show: w.serves("show"), Update: w.serves("update"), Delete: w.serves("delete"),
		Vars: unexported(r.Plural),
	}
	var made []string
	for _, key := range w.key() {
		made = append(made, v.Var+"."+key.Name)
	}
	o.Vector = w.vector()
	o.Reread = slices.ContainsFunc(w.fields, func(f field) bool { return f.Is("auto") && f.Is("readonly") })
	o.Key, o.Made = w.keyed("in"), strings.Join(made, ", ")
	if o.Vars == v.Var || variable(r.Plural) == "row" {
		o.Vars = "rows"
	}
	paths := []string{gormImport, webImport}
	if o.List || o.Create || o.Bulk || o.Show || o.Update || o.Delete {
		paths = append(paths, ginImport, w.p.Module+"/internal/model")
	}
	if o.List || o.Bulk || o.Show || o.Update || o.Delete {
		paths = append(paths, dbImport)
	}
	o.Reads, o.Writes = w.access().guards()
	if r.Lock {
		o.Lock = ".Locked()"
	}
	if r.Organisation {
		paths = append(paths, organisationsImport)
	} else if o.Reads != "" && (o.List || o.Show) || o.Writes != "" && o.changes() || r.Owner && (o.Create || o.Bulk) {
		paths = append(paths, authImport)
	}
	if r.Owner {
		o.Preload = append(o.Preload, "User")
	}
	var beside []string
	for _, f := range w.fields {
		switch f.Type {
		case "ref":
			o.Preload = append(o.Preload, exported(f.Name))
		case "many":
			o.Preload = append(o.Preload, exported(f.Name))
			m := Many{Name: exported(f.Name), Input: f.inputName(), Rows: variable(f.Name, v.Var, o.Vars), Type: f.relatedType(), Key: f.Input()}
			if m.Rows == "row" {
				m.Rows = "found"
			}
			o.Many = append(o.Many, m)
		case "has":
			o.With = append(o.With, exported(f.Name))
			beside = append(beside, w.beside(f))
		}
		if f.row.Upload {
			o.Attach = o.Attach || o.Create || o.Bulk
			o.Reattach = o.Reattach || o.Update && !f.Is("immutable")
		}
		if f.Is("unique") || w.isKey(f) || f.Type == "ref" || f.Type == "many" || f.row.Listed || f.row.Upload {
			o.Conflict = ".Fails(409)"
		}
		if f.Is("search") {
			o.Search = append(o.Search, quoted(f.Column()))
		}
		if f.Is("filter") {
			o.Filters = append(o.Filters, Filter{"Where", quoted(f.Column()), exported(f.Column())})
			if f.row.Filters == "range" {
				o.Filters = append(o.Filters,
					Filter{"AtLeast", quoted(f.Column()), exported(f.Column()) + "Min"},
					Filter{"AtMost", quoted(f.Column()), exported(f.Column()) + "Max"})
			}
		}
	}
	if slices.ContainsFunc(r.Indexes, func(word string) bool { return spec.ParseIndex(word).Unique }) {
		o.Conflict = ".Fails(409)"
	}
	o.Beside = strings.Join(beside, " ")
	if o.Attach || o.Reattach {
		paths = append(paths, filesImport)
	}
	if len(o.Many) > 0 && (o.Create || o.Bulk || o.Update) {
		var joins []string
		for _, m := range o.Many {
			joins = append(joins, quoted(m.Name+".*"))
		}
		o.Omit = strings.Join(joins, ", ")
		paths = append(paths, dbImport)
	}
	o.Imports = imports(w.p.Module, paths...)
	return o
}

// beside documents how many rows of a has field a response contains, and where to find the
// others.
func (w resource) beside(f field) string {
	text := "At most 100 " + words(f.Name) + ", by id."
	back, ok := spec.BackRef(w.r, f.target, f.Field)
	if ok && back.Is("filter") && f.target.Serves("list") && f.target.Organisation == w.r.Organisation {
		text = "At most 100 " + words(f.Name) + ", by id; all of them: ?" + back.Column() + "= in the list of " + words(f.target.Plural) + "."
	}
	return text
}

// changes reports whether the package has a route that writes.
func (o Handlers) changes() bool { return o.Create || o.Bulk || o.Update || o.Delete }
