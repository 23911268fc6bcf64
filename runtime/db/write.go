package db

import (
	"errors"
	"net/http"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/fault"
)

// FindWritable returns the row of T whose primary key is id if the caller may
// change it; see [Writable]. For a row that the caller may only read it returns a
// 403 fault, for any other a 404 fault, as [Find] does.
func FindWritable[T any](tx *gorm.DB, id any) (T, error) {
	tx = tx.Session(&gorm.Session{})
	row, err := Find[T](tx.Set(writableOnly, reflect.TypeFor[T]()), id)
	if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Status != http.StatusNotFound {
		return row, err
	}
	if _, ok := any(&row).(Writable); !ok {
		return row, err
	}
	if _, readable := Find[T](tx, id); readable == nil {
		err = fault.Forbidden("You may not change this " + strings.ToLower(Humanize(reflect.TypeFor[T]().Name())))
	}
	return row, err
}

// Delete deletes the row of T whose primary key is id if the caller may change it.
// It returns the faults of [FindWritable], and a 409 if another row references it.
func Delete[T any](tx *gorm.DB, id any) error {
	tx = tx.Session(&gorm.Session{})
	deleted := whereKey[T](tx, id).Delete(new(T))
	// No row has an id that the column cannot hold.
	if f := (*fault.Error)(nil); errors.As(deleted.Error, &f) && f.Status == http.StatusUnprocessableEntity {
		deleted.Error = nil
	}
	if deleted.Error != nil || deleted.RowsAffected > 0 {
		return deleted.Error
	}
	if _, err := FindWritable[T](tx, id); err != nil {
		return err
	}
	// It was deleted in the meantime, or has become writable for the caller.
	return fault.NotFound(Humanize(reflect.TypeFor[T]().Name()) + " not found")
}

// Refs returns the rows of T with the primary keys ids, which the field of a body,
// such as "tag_ids", refers to. If one does not exist, is deleted or may not be
// read by the caller, Refs returns a 422 fault for that field. For no ids it
// returns an empty slice, which is not nil.
func Refs[T any](tx *gorm.DB, field string, ids any) ([]T, error) {
	found := []T{}
	n := reflect.ValueOf(ids).Len()
	if n == 0 {
		return found, nil
	}
	if err := tx.Where("? IN ?", clause.PrimaryColumn, ids).Find(&found).Error; err != nil {
		return nil, err
	}
	if len(found) < n {
		return nil, fault.Invalid(missing(field, nil))
	}
	return found, nil
}

// createdAtOnce is the maximum number of rows in one INSERT: databases limit
// parameters.
const createdAtOnce = 100

// CreateAll creates all rows in one transaction, or none, and sets their primary
// keys. The details of a fault give the index of the row that failed.
func CreateAll[T any](tx *gorm.DB, rows []T) error {
	tx = tx.Session(&gorm.Session{})
	first := 0
	err := tx.Transaction(func(tx *gorm.DB) error {
		for ; first < len(rows); first += createdAtOnce {
			some := rows[first:min(first+createdAtOnce, len(rows))]
			if err := tx.Create(&some).Error; err != nil {
				return err
			}
		}
		return nil
	})
	end := min(first+createdAtOnce, len(rows))
	if first >= len(rows) { // a constraint that is checked on commit
		first, end = 0, len(rows)
	}
	if v := (*violation)(nil); errors.As(err, &v) && v.index == nil {
		// PostgreSQL runs no statement in a failed transaction, so this is the
		// first chance.
		some := rows[first:end]
		locate(tx, &some, v, err)
	}
	return At(first, err)
}

// At returns err with first added to the index of each detail of its fault: an
// error in the third of the rows starting at first is one in row first+2. A detail
// without an index gets first.
func At(first int, err error) error {
	f := (*fault.Error)(nil)
	if !errors.As(err, &f) {
		return err
	}
	for i := range f.Details {
		index := first
		if of := f.Details[i].Index; of != nil {
			index += *of
		}
		f.Details[i].Index = &index
	}
	return err
}
