package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// head is the end of the chain: one row, locked by every transaction that appends,
// so that entries are in commit order.
type head struct {
	ID    int64 // always 1
	Entry int64
	Hash  string
}

func (head) TableName() string { return "audit_heads" }

// insertBatch is the maximum number of rows in one INSERT.
const insertBatch = 100

// add appends entries to the chain.
func add(tx *gorm.DB, entries []Entry) error {
	var end head
	locked := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Session(&gorm.Session{})
	err := locked.Take(&end, 1).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		// The first transaction creates the row; concurrent ones wait for it.
		if err = tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&head{ID: 1}).Error; err == nil {
			err = locked.Take(&end, 1).Error
		}
	}
	if err != nil {
		return fmt.Errorf("read the end of the audit log: %w", err)
	}
	now := tx.NowFunc()
	for i := range entries {
		e := &entries[i]
		e.ID, e.Previous, e.CreatedAt = end.Entry+1, end.Hash, now
		e.Hash = e.digest()
		end.Entry, end.Hash = e.ID, e.Hash
	}
	if err := tx.CreateInBatches(&entries, insertBatch).Error; err != nil {
		return err
	}
	return tx.Select("entry", "hash").Updates(&end).Error
}

// digest returns the hash of an entry, over a JSON array of its fields.
func (e Entry) digest() string {
	text, err := json.Marshal([]any{
		e.Previous, e.ID, e.CreatedAt.UTC().Format(time.RFC3339Nano), e.UserID, e.Username, e.ActorID, e.Actor, e.KeyID,
		e.Resource, e.Row, e.Action, string(e.Before), string(e.After), e.RequestID,
	})
	if err != nil {
		panic(err) // numbers and strings never fail
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Broken reports the first entry at which the chain is broken.
type Broken struct {
	Entry int64 // the first broken entry
	What  string
}

// Error implements error.
func (b *Broken) Error() string {
	return fmt.Sprintf("the audit log is broken at entry %d: %s", b.Entry, b.What)
}

// Verify reads the whole chain and returns the number of entries and the hash of
// the last. If the chain is broken, the error is a *Broken.
//
// An intact chain proves that no entry was changed, inserted or removed. Anyone who
// can write to the database can recompute the whole chain, so store the hash
// elsewhere from time to time and pass it in known: a hash that no entry has is a
// *Broken error, too.
func Verify(ctx context.Context, gdb *gorm.DB, known ...string) (entries int64, hash string, err error) {
	var end head
	tx := gdb.WithContext(ctx)
	// Read the end first: entries may be added in the meantime.
	if err := tx.Limit(1).Find(&end, 1).Error; err != nil {
		return 0, "", fmt.Errorf("read the end of the audit log: %w", err)
	}
	wanted := map[string]bool{}
	for _, one := range known {
		wanted[one] = true
	}
	var last Entry
	for last.ID < end.Entry {
		var batch []Entry
		if err := tx.Where("id > ?", last.ID).Order("id").Limit(1000).Find(&batch).Error; err != nil {
			return 0, "", err
		}
		for _, e := range batch {
			switch {
			case e.ID != last.ID+1:
				return 0, "", &Broken{last.ID + 1, "the entry is missing"}
			case e.Previous != last.Hash:
				return 0, "", &Broken{e.ID, "it does not follow the previous entry"}
			case e.digest() != e.Hash:
				return 0, "", &Broken{e.ID, "its contents were changed"}
			}
			delete(wanted, e.Hash)
			if last = e; e.ID == end.Entry && e.Hash != end.Hash {
				return 0, "", &Broken{e.ID, "it was added outside the chain"}
			}
		}
		if len(batch) == 0 {
			return 0, "", &Broken{last.ID + 1, "it and all later entries are missing"}
		}
	}
	var before Entry
	if found := tx.Where("id <= 0").Limit(1).Find(&before); found.Error != nil || found.RowsAffected > 0 {
		return 0, "", cmp.Or(found.Error, error(&Broken{before.ID, "it precedes the first entry"}))
	}
	for _, one := range known {
		if wanted[one] {
			return 0, "", &Broken{0, "no entry has the hash " + one + ": the chain was recomputed, or the hash is from another log"}
		}
	}
	return last.ID, last.Hash, nil
}
