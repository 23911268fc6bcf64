package db

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Refused returns a function for web.Module's Refused. For a body that is rejected
// anyway, it also finds references to rows that do not exist for the caller, by the
// same rules as [Refs] and the row rules. The model is the response type of the
// route, or the element type of its list. A key of the body names a foreign key, or
// a many-to-many relation by its tag: gorm:"many2many:posts_tags;ids:tag_ids".
func Refused(gdb *gorm.DB) func(ctx context.Context, out reflect.Type, sent func() []map[string]any) []fault.Detail {
	var models sync.Map // of *schema.Schema, by reflect.Type; nil for one without references
	return func(ctx context.Context, out reflect.Type, values func() []map[string]any) []fault.Detail {
		known, ok := models.Load(out)
		if !ok {
			s := responseModel(gdb, out)
			if s != nil && len(refsOf(s))+len(s.Relationships.Many2Many) == 0 {
				s = nil
			}
			known, _ = models.LoadOrStore(out, s)
		}
		s := known.(*schema.Schema)
		if s == nil {
			return nil
		}
		var details []fault.Detail
		tx, sent := gdb.WithContext(ctx), values()
		for _, r := range refsOf(s) {
			r.soft = false // nothing is written, so rows need no lock
			if key := jsonName(s, r.column.DBName); hasKey(sent, key) {
				details = append(details, missingRefs(tx, r, key, sent)...)
			}
		}
		for _, relation := range s.Relationships.Many2Many {
			key, target := relation.Field.TagSettings["IDS"], relation.FieldSchema
			if id := target.PrioritizedPrimaryField; id != nil && hasKey(sent, key) {
				details = append(details, missingRefs(tx, ref{column: id, key: id, target: target}, key, sent)...)
			}
		}
		return details
	}
}

// responseModel returns the model of a response type: the type itself, or that of its
// only list.
func responseModel(gdb *gorm.DB, out reflect.Type) *schema.Schema {
	if out == nil || out.Kind() != reflect.Struct {
		return nil
	}
	if out.NumField() == 1 && out.Field(0).Type.Kind() == reflect.Slice {
		if out = out.Field(0).Type.Elem(); out.Kind() != reflect.Struct {
			return nil
		}
	}
	if !mayRefer(out) {
		return nil // GORM would log each response type that is not a model
	}
	stmt := &gorm.Statement{DB: gdb}
	if stmt.Parse(reflect.New(out).Interface()) != nil {
		return nil
	}
	return stmt.Schema
}

// mayRefer reports whether a struct has fields like a model with references: a relation
// and a key named after it, Note and NoteID, or a relation with a gorm tag.
func mayRefer(t reflect.Type) bool {
	fields := reflect.VisibleFields(t)
	return slices.ContainsFunc(fields, func(relation reflect.StructField) bool {
		kind := relation.Type
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		return kind.Kind() == reflect.Struct && (relation.Tag.Get("gorm") != "" || slices.ContainsFunc(fields, func(key reflect.StructField) bool {
			return key.Name != relation.Name && strings.HasPrefix(key.Name, relation.Name)
		}))
	})
}

func hasKey(sent []map[string]any, key string) bool {
	for _, values := range sent {
		if _, ok := values[key]; ok {
			return true
		}
	}
	return false
}

// maxLookups is the maximum number of references that are looked up for a fault.
const maxLookups = 20 * checkedAtOnce

// missingRefs returns a detail for each element whose key refers to a row, or to one of
// several rows, that the caller of tx may not read.
func missingRefs(tx *gorm.DB, r ref, key string, sent []map[string]any) []fault.Detail {
	wanted := make([][]string, len(sent))
	var distinct []any
	seen := map[string]bool{}
	for i, values := range sent {
		value := reflect.ValueOf(values[key])
		if !value.IsValid() {
			continue
		}
		list := []reflect.Value{value}
		if value.Kind() == reflect.Slice && value.Type().Elem().Kind() != reflect.Uint8 {
			list = nil
			for n := range value.Len() {
				list = append(list, value.Index(n))
			}
		}
		for _, one := range list {
			// In the column's type: the body may use another.
			row := reflect.New(r.column.Schema.ModelType).Elem()
			if r.column.Set(tx.Statement.Context, row, one.Interface()) != nil {
				continue
			}
			v, zero := r.column.ValueOf(tx.Statement.Context, row)
			if zero {
				continue
			}
			v = reflect.Indirect(reflect.ValueOf(v)).Interface()
			k := fmt.Sprint(v)
			if wanted[i] = append(wanted[i], k); !seen[k] {
				seen[k] = true
				distinct = append(distinct, v)
			}
		}
	}
	if len(distinct) == 0 || len(distinct) > maxLookups {
		return nil
	}
	found, err := existingRefs(tx, r, distinct)
	if err != nil {
		return nil // the body is rejected for its other errors
	}
	var details []fault.Detail
	for i, keys := range wanted {
		for _, k := range keys {
			if !found[k] {
				details = append(details, missing(key, &i))
				break
			}
		}
	}
	return details
}
