package db

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"unicode"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Find returns the row of T whose primary key is id, with the conditions and
// preloads of tx. If there is none, or the column cannot hold id, it returns a 404
// fault: "Post not found".
func Find[T any](tx *gorm.DB, id any) (T, error) {
	var row T
	var err error
	if _, several := id.(Key); several {
		err = whereKey[T](tx, id).Take(&row).Error
	} else {
		err = takeByKey(tx, &row, id)
	}
	if err == nil {
		recordSeen(tx, &row)
		return row, nil
	}
	if f := (*fault.Error)(nil); errors.Is(err, gorm.ErrRecordNotFound) ||
		errors.As(err, &f) && f.Status == http.StatusUnprocessableEntity {
		missing := fault.NotFound(Humanize(reflect.TypeFor[T]().Name()) + " not found")
		missing.Cause = err
		return row, missing
	}
	return row, err
}

// Humanize turns a name of Go or of a database into words that can begin a
// sentence: "BlogPost" and "blog_post" become "Blog post", "author_id" becomes
// "Author".
func Humanize(name string) string {
	var b strings.Builder
	runes := []rune(strings.TrimSuffix(name, "_id"))
	for i, r := range runes {
		switch {
		case r == '_' || r == '-' || r == ' ':
			b.WriteByte(' ')
			continue
		case i > 0 && unicode.IsUpper(r) && unicode.IsLower(runes[i-1]):
			b.WriteByte(' ')
		}
		if b.Len() == 0 {
			b.WriteRune(unicode.ToUpper(r))
		} else {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
