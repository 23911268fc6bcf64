package files

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Library is a store together with the table of what is in it.
type Library struct {
	Store Store

	cfg Config
	db  *gorm.DB
	key []byte // signs links
}

// New opens the store that cfg names. Without a secret links are signed with a
// random key and end with the process.
func New(cfg Config, gdb *gorm.DB) (*Library, error) {
	if cfg.URL == "" {
		cfg.URL = "file:data/files"
	}
	if cfg.Max == 0 {
		cfg.Max = 10 << 20
	}
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
	return &Library{Store: store, cfg: cfg, db: gdb, key: key}, nil
}

// Find returns the file of that name; fault 404 when there is none.
func (l *Library) Find(ctx context.Context, name string) (File, error) {
	var file File
	if !ValidName(name) {
		return file, fault.NotFound("File not found")
	}
	err := l.db.WithContext(ctx).Where("name = ?", name).Take(&file).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return file, fault.NotFound("File not found")
	}
	return file, err
}

// Remove deletes a file. A row of another table that refers to it makes it a
// fault 409, and the file stays.
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

// Sweep deletes objects that no row knows, which a process killed in the
// middle of an upload or a removal leaves behind, and unfinished ones. Only
// what was written before the given time is looked at: leave uploads that are
// under way a day. It returns how many objects it deleted.
func (l *Library) Sweep(ctx context.Context, before time.Time) (int, error) {
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
		if len(batch) < 500 {
			return nil
		}
		return flush()
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	return deleted, errors.Join(err, l.Store.Clean(ctx, before))
}
