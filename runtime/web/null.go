package web

import (
	"encoding/json"
	"reflect"
)

// Null is a field of a JSON body that may be absent, null or a value, for partial
// updates of nullable columns. Rules apply to the value and must begin with
// omitempty, which accepts absence and null:
//
//	Category web.Null[string] `json:"category" binding:"omitempty,max=50"`
type Null[T any] struct {
	Value T
	Set   bool // the key was sent, even with null
	Valid bool // the value is not null
}

// UnmarshalJSON implements json.Unmarshaler. It is called only if the key was sent.
func (n *Null[T]) UnmarshalJSON(data []byte) error {
	n.Set = true
	if n.Valid = string(data) != "null"; !n.Valid {
		return nil
	}
	return json.Unmarshal(data, &n.Value)
}

// MarshalJSON writes the value or null.
func (n Null[T]) MarshalJSON() ([]byte, error) {
	if !n.Valid {
		return []byte("null"), nil
	}
	return json.Marshal(n.Value)
}

// IsZero reports whether the key was absent, for omitzero.
func (n Null[T]) IsZero() bool { return !n.Set }

// Ptr returns the value for a nullable column: nil if the key was null or absent.
func (n Null[T]) Ptr() *T {
	if !n.Valid {
		return nil
	}
	return &n.Value
}

// checked returns the value to validate: nil, or a pointer to the value, so that
// omitempty does not skip a zero value.
func (n Null[T]) checked() any { return n.Ptr() }

// value returns the field to decode into when looking for mismatches.
func (n *Null[T]) value() reflect.Value { return reflect.ValueOf(&n.Value).Elem() }
