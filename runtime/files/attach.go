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

// Attach checks the files that new rows refer to. rows is a pointer to a struct or a
// slice of structs; every field of type Name or *Name is checked. An empty *Name is set
// to nil: no file.
//
// A signed-in user may attach the files they uploaded, an administrator all files, and
// other callers none: readers of a row may read its files, so knowing a name must not
// be enough. Other names are a 422 fault that lists every field by its JSON key, with
// the index of the row for a slice; it does not reveal whether a name is unknown or
// belongs to another user.
//
// An attached file cannot be deleted. If a file is deleted between Attach and the
// write, the write is a 409 fault, due to the column's foreign key.
func Attach(c *gin.Context, tx *gorm.DB, rows any) error {
	v := reflect.Indirect(reflect.ValueOf(rows))
	if v.Kind() != reflect.Slice {
		return attach(c, tx, fileReferences(v, nil))
	}
	var all []reference
	for i := range v.Len() {
		all = append(all, fileReferences(v.Index(i), &i)...)
	}
	return attach(c, tx, all)
}

// Reattach is [Attach] for a row that changes. References from before the change are
// allowed, whoever uploaded the files.
func Reattach[T any](c *gin.Context, tx *gorm.DB, before T, row *T) error {
	old := fileReferences(reflect.ValueOf(&before).Elem(), nil)
	now := fileReferences(reflect.ValueOf(row).Elem(), nil)
	return attach(c, tx, slices.DeleteFunc(now, func(m reference) bool {
		return slices.ContainsFunc(old, func(o reference) bool { return o.name == m.name })
	}))
}

// reference is a reference of a row to a file.
type reference struct {
	field string
	index *int
	name  Name
}

func fileReferences(row reflect.Value, index *int) []reference {
	var all []reference
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
		all = append(all, reference{key, index, Name(value.String())})
	}
	return all
}

func attach(c *gin.Context, tx *gorm.DB, all []reference) error {
	var names []Name
	for _, m := range all {
		if ValidName(string(m.name)) {
			names = append(names, m.name)
		}
	}
	who, known := auth.From(c)
	message := "must be a file that you uploaded"
	if !known {
		names = nil
	}
	stored := tx.Session(&gorm.Session{NewDB: true}).WithContext(c.Request.Context()).Model(&File{})
	if who.Admin() {
		message = "must be an uploaded file"
	} else {
		stored = stored.Where("user_id = ?", who.UserID)
	}
	stored = stored.Session(&gorm.Session{})
	var allowed []Name
	for chunk := range slices.Chunk(names, 1000) {
		var found []Name
		if err := stored.Where("name IN ?", chunk).Pluck("name", &found).Error; err != nil {
			return err
		}
		allowed = append(allowed, found...)
	}
	slices.Sort(allowed)
	var details []fault.Detail
	for _, m := range all {
		if _, ok := slices.BinarySearch(allowed, m.name); !ok {
			details = append(details, fault.Detail{
				Field: m.field, Rule: "exists", Message: fmt.Sprintf("%s %s", db.Humanize(m.field), message), Index: m.index,
			})
		}
	}
	if len(details) > 0 {
		return fault.Invalid(details...)
	}
	return nil
}
