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
// change it; see [Writable]. One that they may only read is fault 403, any other
// fault 404, as in [Find].
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

// Delete deletes the row of T whose primary key is id if the caller may change
// it; the faults are those of [FindWritable], and 409 when another row refers
// to it.
func Delete[T any](tx *gorm.DB, id any) error {
	tx = tx.Session(&gorm.Session{})
	deleted := whereKey[T](tx, id).Delete(new(T))
	// An id that the column cannot hold is of no row.
	if f := (*fault.Error)(nil); errors.As(deleted.Error, &f) && f.Status == http.StatusUnprocessableEntity {
		deleted.Error = nil
	}
	if deleted.Error != nil || deleted.RowsAffected > 0 {
		return deleted.Error
	}
	if _, err := FindWritable[T](tx, id); err != nil {
		return err
	}
	// It was deleted in between, or came to be the caller's.
	return fault.NotFound(Humanize(reflect.TypeFor[T]().Name()) + " not found")
}

// Refs returns the rows of T with these primary keys, for the relation that a
// body names by field, such as "tag_ids". One that is not there, is deleted or
// is not the caller's to read makes it fault 422 on that field. No ids are no
// rows, and never nil.
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

// createdAtOnce bounds the rows of one INSERT: databases bound its parameters.
const createdAtOnce = 100

// CreateAll creates the rows in one transaction, all or none, and fills in
// their keys. The details of a fault say by their index which row is meant.
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
	if first >= len(rows) { // a constraint that is checked at the end of a transaction
		first, end = 0, len(rows)
	}
	if v := (*violation)(nil); errors.As(err, &v) && v.index == nil {
		// PostgreSQL answered nothing more in the transaction that had failed.
		some := rows[first:end]
		locate(tx, &some, v, err)
	}
	return At(first, err)
}

// At returns err with the details of its fault moved by first rows: what is
// wrong with the third of the rows from first on is wrong with the row first+2.
// A detail that names no row is about the row first.
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
