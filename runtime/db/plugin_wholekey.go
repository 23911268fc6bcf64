package db

import (
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// wholeKey is the GORM plug-in that adds the whole key to the update of a row. GORM
// omits columns with a zero value: an update of the row (0, 5) would also change
// (1, 5), and one of the row 0 is rejected.
type wholeKey struct{}

// Name implements gorm.Plugin.
func (wholeKey) Name() string { return "wholekey" }

// Initialize implements gorm.Plugin. It runs before plug-ins that add conditions.
func (p wholeKey) Initialize(gdb *gorm.DB) error {
	return gdb.Callback().Update().Before("*").Register("wholekey", p.update)
}

func (wholeKey) update(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.SQL.Len() > 0 {
		return
	}
	model := reflect.Indirect(reflect.ValueOf(s.Model))
	if !model.IsValid() || model.Type() != s.Schema.ModelType {
		return // several rows
	}
	var missing []clause.Expression
	for _, field := range s.Schema.PrimaryFields {
		if value, zero := field.ValueOf(s.Context, model); zero {
			missing = append(missing, clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: field.DBName}, Value: value})
		}
	}
	_, narrowed := s.Clauses["WHERE"]
	row := s.Dest == s.Model // Updates(&row), and not Model(&row)
	switch counted := s.Schema.PrioritizedPrimaryField; {
	case len(missing) < len(s.Schema.PrimaryFields):
		if narrowed && !row {
			return // Model(&Seat{Hall: 1}).Where(...) may mean several rows
		}
	case narrowed || !row || counted != nil && counted.AutoIncrement:
		return // no row is meant, or one that is not stored yet
	}
	for _, is := range missing {
		andWhere(tx, is)
	}
}
