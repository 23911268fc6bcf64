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

// pieces writes answers that are large one row at a time: JSON can be six times
// as long as the text that it stands for, and encoding/json would hold the whole
// of it, twice.
type pieces struct {
	lists  [][]int      // the lists of the answer, as lists finds them
	keys   []Key        // of an answer that is a struct
	weighs []weigh      // of each list
	of     reflect.Type // the answer
}

// wholeBelow is how many bytes of text an answer may hold that is encoded at
// once.
const wholeBelow = 256 << 10

// newPieces returns nil for answers of type t that are encoded at once, whatever
// they hold.
func newPieces(t reflect.Type, lists [][]int) *pieces {
	p := &pieces{lists: lists, of: t}
	for _, index := range lists {
		list := t
		if len(index) > 0 {
			list = t.FieldByIndex(index).Type
		}
		if w := weigher(list.Elem(), 4); w != nil {
			p.weighs = append(p.weighs, w)
		} else {
			p.weighs = append(p.weighs, func(reflect.Value) int { return 0 })
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
			return nil // one hides the other
		}
		seen[key.Name] = true
		p.keys = append(p.keys, key)
	}
	return p
}

// simple reports whether Keys tells all of the struct's JSON.
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

// large reports whether the answer is written in pieces.
func (p *pieces) large(answer reflect.Value) bool {
	if p == nil {
		return false
	}
	total := 0
	for i, index := range p.lists {
		list := at(answer, index)
		for j := range list.Len() {
			if total += p.weighs[i](list.Index(j)); total > wholeBelow {
				return true
			}
		}
	}
	return false
}

// write writes the answer as encoding/json does.
func (p *pieces) write(w io.Writer, answer reflect.Value) error {
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
		return list(answer)
	}
	mark := "{"
	for _, key := range p.keys {
		value := answer.FieldByIndex(key.Index)
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

func (p *pieces) isList(index []int) bool {
	return slices.ContainsFunc(p.lists, func(list []int) bool { return slices.Equal(list, index) })
}

// omitted reports whether encoding/json leaves a field out.
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

func at(v reflect.Value, index []int) reflect.Value {
	if len(index) == 0 {
		return v
	}
	return v.FieldByIndex(index)
}

// weigh counts the bytes of text in a value.
type weigh func(reflect.Value) int

// weigher is the weigh of a type; nil where none of it can be long. It looks so
// many types deep.
func weigher(t reflect.Type, deep int) weigh {
	if deep == 0 {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return reflect.Value.Len
	case reflect.Pointer:
		inner := weigher(t.Elem(), deep-1)
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
		inner := weigher(t.Elem(), deep-1)
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
			weigh weigh
		}
		var parts []part
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("json") != "-" && (f.IsExported() || f.Anonymous) {
				if inner := weigher(f.Type, deep-1); inner != nil {
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
				total += p.weigh(v.Field(p.field))
			}
			return total
		}
	}
	return nil
}
