package files

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Library is a store and the table of its files.
type Library struct {
	Store Store

	cfg        Config
	db         *gorm.DB
	key        []byte // signs links
	references []Column
}

// Column is a column of the project's tables that contains names of files.
type Column struct {
	Table, Name string
	// Rows is a value of the table's model if a rule restricts who may read its rows
	// (see [db.Readable]): the same callers may read their files.
	Rows any
}

// New opens the store of cfg. references are the columns that refer to files: Sweep
// deletes files to which none of them refers. Without a secret, links are signed with a
// random key and are valid until the process ends.
func New(cfg Config, gdb *gorm.DB, references ...Column) (*Library, error) {
	cfg.URL = cmp.Or(cfg.URL, "file:data/files")
	cfg.Max = cmp.Or(cfg.Max, 10<<20)
	store, err := OpenStore(cfg.URL)
	if err != nil {
		return nil, err
	}
	secret := []byte(cfg.Secret)
	if len(secret) == 0 {
		secret = []byte(rand.Text())
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "nexios signed file links", sha256.Size)
	if err != nil {
		return nil, err
	}
	return &Library{Store: store, cfg: cfg, db: gdb, key: key, references: references}, nil
}

// Find returns the file with this name. It returns a 404 fault if there is none that
// the caller of ctx (see [auth.Caller]) may read.
//
// A file that rows refer to may be read by callers who may read one of the rows. In a
// project with such rules, a file without references may be read only by its uploader
// and administrators, unless it is Kept. Private and links (see [Library.Linked]) are
// up to the route.
func (l *Library) Find(ctx context.Context, name string) (File, error) {
	var file File
	if !ValidName(name) {
		return file, fault.NotFound("File not found")
	}
	err := l.db.WithContext(ctx).Where("name = ?", name).Take(&file).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return file, fault.NotFound("File not found")
	}
	if err != nil {
		return file, err
	}
	readable, err := l.readable(ctx, file)
	if err == nil && !readable {
		err = fault.NotFound("File not found")
	}
	if err != nil {
		return File{}, err
	}
	return file, nil
}

// readable reports whether the caller may read a file according to the rules of the
// rows that refer to it.
func (l *Library) readable(ctx context.Context, file File) (bool, error) {
	if db.IsSystem(ctx) || !slices.ContainsFunc(l.references, func(c Column) bool { return c.Rows != nil }) {
		return true, nil
	}
	if !auth.Caller(l.db.WithContext(ctx)).Can("files:read") { // a key with other scopes reads what anonymous callers may
		ctx = auth.As(ctx, auth.Identity{})
	}
	for _, c := range l.references {
		if is, err := l.refers(l.db.WithContext(ctx), c, file.Name); is || err != nil {
			return is, err
		}
	}
	// References from rows that the caller may not read, or that were deleted.
	all := l.db.WithContext(db.System(ctx)).Unscoped().Session(&gorm.Session{})
	for _, c := range l.references {
		if is, err := l.refers(all, c, file.Name); is || err != nil {
			return false, err
		}
	}
	if file.Kept {
		return true, nil
	}
	tx := l.db.WithContext(ctx)
	owns := auth.Owns(tx, file.UserID)
	return owns, tx.Error
}

// refers reports whether a row visible to tx contains the name in the column.
func (l *Library) refers(tx *gorm.DB, c Column, name string) (bool, error) {
	if c.Rows == nil {
		tx = tx.Table(c.Table)
	} else {
		tx = tx.Model(c.Rows)
	}
	var n int64
	err := tx.Where(clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: c.Name}, Value: name}).Count(&n).Error
	return n > 0, err
}

// Remove deletes a file. If a row of another table refers to it, it returns a 409
// fault, and the file stays.
func (l *Library) Remove(ctx context.Context, file File) error {
	result := l.db.WithContext(ctx).Where("name = ?", file.Name).Delete(&File{})
	if result.Error != nil {
		return result.Error
	}
	if result.RowsAffected == 0 {
		return fault.NotFound("File not found")
	}
	return l.Store.Delete(ctx, file.Name)
}

// Sweep deletes unused files and objects older than the given time, and returns their
// number:
//
//   - files that no row refers to: uploads that were never attached, were replaced,
//     or whose row was deleted. This applies only to projects with columns for
//     files; others serve uploads directly, and all of them stay. Files that are
//     Kept stay too.
//   - objects without a row of the table, left by a process killed during an upload
//     or a removal, and unfinished objects.
//
// Allow a day for an upload to be attached. Sweep may run on several replicas
// concurrently: the row is deleted first, by a statement that fails if the file is
// being attached, then the object.
func (l *Library) Sweep(ctx context.Context, before time.Time) (int, error) {
	unused, err := l.sweepRows(ctx, before)
	if err != nil {
		return unused, err
	}
	unknown, err := l.sweepStore(ctx, before)
	return unused + unknown, errors.Join(err, l.Store.Clean(ctx, before))
}

const batchSize = 500

func (l *Library) sweepRows(ctx context.Context, before time.Time) (int, error) {
	if len(l.references) == 0 {
		return 0, nil
	}
	unused := l.db.WithContext(ctx).Where("kept = ? AND created_at < ?", false, before)
	for _, c := range l.references {
		unused = unused.Where("NOT EXISTS (SELECT 1 FROM ? WHERE ? = files.name)",
			clause.Table{Name: c.Table}, clause.Column{Table: c.Table, Name: c.Name})
	}
	unused = unused.Session(&gorm.Session{})
	deleted, last := 0, ""
	for {
		var names []string
		err := unused.Model(&File{}).Where("name > ?", last).Order("name").Limit(batchSize).Pluck("name", &names).Error
		if err != nil || len(names) == 0 {
			return deleted, err
		}
		last = names[len(names)-1]
		for _, name := range names {
			result := unused.Where("name = ?", name).Delete(&File{})
			if conflict := (*fault.Error)(nil); errors.As(result.Error, &conflict) && conflict.Status == http.StatusConflict {
				continue // being attached
			}
			if result.Error != nil {
				return deleted, result.Error
			}
			if result.RowsAffected == 0 {
				continue
			}
			if err := l.Store.Delete(ctx, name); err != nil {
				return deleted, err
			}
			deleted++
		}
	}
}

func (l *Library) sweepStore(ctx context.Context, before time.Time) (int, error) {
	deleted := 0
	var batch []string
	flush := func() error {
		var known []string
		if err := l.db.WithContext(ctx).Model(&File{}).Where("name IN ?", batch).Pluck("name", &known).Error; err != nil {
			return err
		}
		isKnown := make(map[string]bool, len(known))
		for _, name := range known {
			isKnown[name] = true
		}
		for _, name := range batch {
			if isKnown[name] {
				continue
			}
			if err := l.Store.Delete(ctx, name); err != nil {
				return err
			}
			deleted++
		}
		batch = batch[:0]
		return nil
	}
	err := l.Store.Each(ctx, before, func(name string) error {
		batch = append(batch, name)
		if len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	return deleted, err
}
