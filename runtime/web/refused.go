package web

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// refusedFunc is a Module.Refused.
type refusedFunc func(ctx context.Context, out reflect.Type, sent func() []map[string]any) []fault.Detail

// completeError adds the findings of Module.Refused to the error of a handler about a
// missing row: the handler may have checked only one kind of row, or only the first
// element.
func (p *plan) completeError(c *gin.Context, in reflect.Value, err error) error {
	f := (*fault.Error)(nil)
	if p.body == nil || len(p.body.refused) == 0 || !errors.As(err, &f) || f.Status != http.StatusUnprocessableEntity ||
		!slices.ContainsFunc(f.Details, func(d fault.Detail) bool { return d.Rule == "exists" }) {
		return err
	}
	body := reflect.Indirect(in.FieldByIndex(p.body.index))
	if !body.IsValid() {
		return err
	}
	whole := *f
	whole.Details = p.body.complete(c.Request.Context(), body, f.Details)
	return &whole
}

// complete adds the findings of Module.Refused to the details of an invalid body, in
// the order of its elements.
func (b *body) complete(ctx context.Context, body reflect.Value, details []fault.Detail) []fault.Detail {
	if len(b.refused) == 0 || len(details) >= maxDetails || b.list && body.Len() > maxBulk {
		return details
	}
	var values []map[string]any
	sent := func() []map[string]any {
		if values == nil {
			values = b.sent(body)
		}
		return values
	}
	all := slices.Clip(details)
	for _, find := range b.refused {
		for _, found := range find(ctx, b.out, sent) {
			if !b.list {
				found.Index = nil
			}
			// Skip fields that already have an error.
			if !slices.ContainsFunc(details, func(d fault.Detail) bool { return d.Field == found.Field && row(d) == row(found) }) {
				all = append(all, found)
			}
		}
	}
	if len(all) == len(details) {
		return details
	}
	slices.SortStableFunc(all, func(one, other fault.Detail) int { return row(one) - row(other) })
	return all[:min(len(all), maxDetails)]
}

// row returns the index of the element that a detail concerns, or -1 if none.
func row(d fault.Detail) int {
	if d.Index == nil {
		return -1
	}
	return *d.Index
}

// sent returns the values of a body by key, without absent, null and zero values: one
// map, or one per element of a list.
func (b *body) sent(body reflect.Value) []map[string]any {
	elements := []reflect.Value{body}
	if b.list {
		elements = nil
		for i := range body.Len() {
			elements = append(elements, body.Index(i))
		}
	}
	sent := make([]map[string]any, len(elements))
	for i, element := range elements {
		element = reflect.Indirect(element)
		if element.Kind() != reflect.Struct {
			continue
		}
		sent[i] = make(map[string]any)
		for _, key := range Keys(element.Type()) {
			value := element.FieldByIndex(key.Index)
			if n, ok := value.Interface().(interface{ checked() any }); ok {
				value = reflect.ValueOf(n.checked())
			}
			if value = reflect.Indirect(value); value.IsValid() && !value.IsZero() {
				sent[i][key.Name] = value.Interface()
			}
		}
	}
	return sent
}
