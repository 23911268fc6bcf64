package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// streamer writes large responses one row at a time: JSON can be six times as long as
// its text, and encoding/json would hold all of it in memory, twice.
type streamer struct {
	lists [][]int      // indexes of the response's slices, from sliceIndexes
	keys  []Key        // of a response that is a struct
	sizes []sizeFunc   // one per list
	of    reflect.Type // type of the response
}

// streamAbove is the size of the text in a response, in bytes, above which it is
// streamed.
const streamAbove = 256 << 10

// newStreamer returns nil if responses of type t are never streamed.
func newStreamer(t reflect.Type, lists [][]int) *streamer {
	p := &streamer{lists: lists, of: t}
	for _, index := range lists {
		list := t
		if len(index) > 0 {
			list = t.FieldByIndex(index).Type
		}
		if w := sizeOf(list.Elem(), 4); w != nil {
			p.sizes = append(p.sizes, w)
		} else {
			p.sizes = append(p.sizes, func(reflect.Value) int { return 0 })
		}
	}
	switch {
	case len(lists) == 0:
		return nil
	case t.Kind() == reflect.Slice:
		return p
	case t.Kind() != reflect.Struct || !simple(t):
		return nil
	}
	seen := map[string]bool{}
	for _, key := range Keys(t) {
		if seen[key.Name] {
			return nil // one shadows the other
		}
		seen[key.Name] = true
		p.keys = append(p.keys, key)
	}
	return p
}

// simple reports whether Keys describes the struct's JSON completely.
func simple(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if strings.Contains(options, "string") {
			return false
		}
		if f.Anonymous && (f.Type.Kind() == reflect.Pointer || f.Type.Kind() == reflect.Struct && !simple(f.Type)) {
			return false
		}
	}
	return true
}

// large reports whether the response should be streamed.
func (p *streamer) large(response reflect.Value) bool {
	if p == nil {
		return false
	}
	total := 0
	for i, index := range p.lists {
		list := fieldAt(response, index)
		for j := range list.Len() {
			if total += p.sizes[i](list.Index(j)); total > streamAbove {
				return true
			}
		}
	}
	return false
}

// write writes the response in the same form as encoding/json.
func (p *streamer) write(w io.Writer, response reflect.Value) error {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	text := func(v any) error {
		buffer.Reset()
		if err := encoder.Encode(v); err != nil {
			return fmt.Errorf("encode %T: %w", v, err)
		}
		_, err := w.Write(bytes.TrimSuffix(buffer.Bytes(), []byte("\n")))
		return err
	}
	list := func(v reflect.Value) error {
		mark := "["
		for i := range v.Len() {
			if _, err := io.WriteString(w, mark); err != nil {
				return err
			}
			if err := text(v.Index(i).Addr().Interface()); err != nil {
				return err
			}
			mark = ","
		}
		if v.Len() == 0 {
			mark = "[]"
		} else {
			mark = "]"
		}
		_, err := io.WriteString(w, mark)
		return err
	}
	if p.keys == nil {
		return list(response)
	}
	mark := "{"
	for _, key := range p.keys {
		value := response.FieldByIndex(key.Index)
		if key.Omit && omitted(key, value) {
			continue
		}
		if _, err := io.WriteString(w, mark); err != nil {
			return err
		}
		mark = ","
		if err := text(key.Name); err != nil {
			return err
		}
		if _, err := io.WriteString(w, ":"); err != nil {
			return err
		}
		write := func(v reflect.Value) error { return text(v.Addr().Interface()) }
		if p.isList(key.Index) {
			write = list
		}
		if err := write(value); err != nil {
			return err
		}
	}
	if mark == "{" {
		mark = "{}"
	} else {
		mark = "}"
	}
	_, err := io.WriteString(w, mark)
	return err
}

func (p *streamer) isList(index []int) bool {
	return slices.ContainsFunc(p.lists, func(list []int) bool { return slices.Equal(list, index) })
}

// omitted reports whether encoding/json omits a field.
func omitted(key Key, v reflect.Value) bool {
	_, options, _ := strings.Cut(key.Field.Tag.Get("json"), ",")
	for option := range strings.SplitSeq(options, ",") {
		switch {
		case option == "omitzero":
			if z, ok := v.Interface().(interface{ IsZero() bool }); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) {
				return z.IsZero()
			}
			if v.IsZero() {
				return true
			}
		case option == "omitempty":
			switch v.Kind() {
			case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
				if v.Len() == 0 {
					return true
				}
			case reflect.Struct:
			default:
				if v.IsZero() {
					return true
				}
			}
		}
	}
	return false
}

func fieldAt(v reflect.Value, index []int) reflect.Value {
	if len(index) == 0 {
		return v
	}
	return v.FieldByIndex(index)
}

// sizeFunc returns the number of bytes of text in a value.
type sizeFunc func(reflect.Value) int

// sizeOf returns the sizeFunc of a type, or nil if its values cannot be long. It
// descends at most deep levels.
func sizeOf(t reflect.Type, deep int) sizeFunc {
	if deep == 0 {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return reflect.Value.Len
	case reflect.Pointer:
		inner := sizeOf(t.Elem(), deep-1)
		if inner == nil {
			return nil
		}
		return func(v reflect.Value) int {
			if v.IsNil() {
				return 0
			}
			return inner(v.Elem())
		}
	case reflect.Slice:
		inner := sizeOf(t.Elem(), deep-1)
		if inner == nil {
			return reflect.Value.Len
		}
		return func(v reflect.Value) int {
			total := 0
			for i := range v.Len() {
				total += inner(v.Index(i))
			}
			return total
		}
	case reflect.Struct:
		type part struct {
			field int
			size  sizeFunc
		}
		var parts []part
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("json") != "-" && (f.IsExported() || f.Anonymous) {
				if inner := sizeOf(f.Type, deep-1); inner != nil {
					parts = append(parts, part{i, inner})
				}
			}
		}
		if parts == nil {
			return nil
		}
		return func(v reflect.Value) int {
			total := 0
			for _, p := range parts {
				total += p.size(v.Field(p.field))
			}
			return total
		}
	}
	return nil
}
