package web

import (
	"encoding/json"
	"reflect"
)

// Null is a field of a JSON body that may be absent, null or a value, for
// partial updates of what may be empty. Rules apply to the value and begin
// with omitempty, which lets absence and null pass:
//
//	Category web.Null[string] `json:"category" binding:"omitempty,max=50"`
type Null[T any] struct {
	Value T
	Set   bool // the key was sent, be it with null
	Valid bool // a value was sent
}

// UnmarshalJSON notes that the key was sent.
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

// Ptr returns the value, or nil for null and absence: what a nullable column
// takes.
func (n Null[T]) Ptr() *T {
	if !n.Valid {
		return nil
	}
	return &n.Value
}

// checked is what the rules look at: nil, or a pointer to the value, so that
// omitempty does not let a zero value pass.
func (n Null[T]) checked() any { return n.Ptr() }

// value is where a value that does not fit is looked at more closely.
func (n *Null[T]) value() reflect.Value { return reflect.ValueOf(&n.Value).Elem() }
