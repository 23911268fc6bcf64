package files

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Attach checks the files that new rows refer to. rows is a pointer to a
// struct, or a slice of structs, of which every field of the type Name or *Name
// is looked at. An empty *Name becomes nil: no file.
//
// A signed-in user may attach what they uploaded, an administrator everything, and
// nobody else anything: whoever reads a row reads its files, so a name alone must
// not do. The rest is one fault 422 that names every field by its JSON key, and of a
// slice the index of the row; whether a name is unknown or another's is not
// told.
//
// What is attached cannot be deleted. A file that is deleted between Attach and
// the write makes that a fault 409, by the column's foreign key.
func Attach(c *gin.Context, tx *gorm.DB, rows any) error {
	v := reflect.Indirect(reflect.ValueOf(rows))
	if v.Kind() != reflect.Slice {
		return attach(c, tx, mentions(v, nil))
	}
	var all []mention
	for i := range v.Len() {
		all = append(all, mentions(v.Index(i), &i)...)
	}
	return attach(c, tx, all)
}

// Reattach is Attach for a row that changes. What it referred to before it may
// go on referring to, whoever uploaded that.
func Reattach[T any](c *gin.Context, tx *gorm.DB, before T, row *T) error {
	old := mentions(reflect.ValueOf(&before).Elem(), nil)
	now := mentions(reflect.ValueOf(row).Elem(), nil)
	return attach(c, tx, slices.DeleteFunc(now, func(m mention) bool {
		return slices.ContainsFunc(old, func(o mention) bool { return o.name == m.name })
	}))
}

// mention is a file that a row refers to.
type mention struct {
	field string
	index *int
	name  Name
}

func mentions(row reflect.Value, index *int) []mention {
	var all []mention
	for _, f := range reflect.VisibleFields(row.Type()) {
		if !f.IsExported() || f.Type != reflect.TypeFor[Name]() && f.Type != reflect.TypeFor[*Name]() {
			continue
		}
		v, err := row.FieldByIndexErr(f.Index)
		if err != nil || v.IsZero() {
			continue
		}
		value := reflect.Indirect(v)
		if value.IsZero() {
			v.SetZero()
			continue
		}
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, mention{key, index, Name(value.String())})
	}
	return all
}

func attach(c *gin.Context, tx *gorm.DB, all []mention) error {
	var names []Name
	for _, m := range all {
		if ValidName(string(m.name)) {
			names = append(names, m.name)
		}
	}
	who, known := auth.From(c)
	must := "must be a file that you uploaded"
	if !known {
		names = nil
	}
	stored := tx.Session(&gorm.Session{NewDB: true}).WithContext(c.Request.Context()).Model(&File{})
	if who.Admin() {
		must = "must be an uploaded file"
	} else {
		stored = stored.Where("user_id = ?", who.UserID)
	}
	stored = stored.Session(&gorm.Session{})
	var allowed []Name
	for some := range slices.Chunk(names, 1000) {
		var found []Name
		if err := stored.Where("name IN ?", some).Pluck("name", &found).Error; err != nil {
			return err
		}
		allowed = append(allowed, found...)
	}
	slices.Sort(allowed)
	var details []fault.Detail
	for _, m := range all {
		if _, ok := slices.BinarySearch(allowed, m.name); !ok {
			details = append(details, fault.Detail{
				Field: m.field, Rule: "exists", Message: fmt.Sprintf("%s %s", db.Humanize(m.field), must), Index: m.index,
			})
		}
	}
	if len(details) > 0 {
		return fault.Invalid(details...)
	}
	return nil
}
