package web

import (
	"bytes"
	"encoding/json"
)

// maxBulk is the maximum number of elements in a Bulk.
const maxBulk = 1000

// Bulk is a body of many values: a JSON array, or an object with the array as
// "items". It has 1 to 1,000 elements. Errors are reported with the index of the
// element.
type Bulk[T any] []T

// UnmarshalJSON accepts either form.
func (b *Bulk[T]) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimLeft(data, " \t\r\n"); len(data) > 0 && data[0] == '{' {
		var envelope struct {
			Items []T `json:"items"`
		}
		err := json.Unmarshal(data, &envelope)
		*b = envelope.Items
		return err
	}
	return json.Unmarshal(data, (*[]T)(b))
}

func (Bulk[T]) isBulk() {}
