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

// refusal is a module's Refused.
type refusal func(ctx context.Context, out reflect.Type, sent func() []map[string]any) []fault.Detail

// dangling completes the error of a handler that met a row which the body refers
// to and which is not there: it may have looked for one kind of row only, or for
// those of the first element.
func (p *plan) dangling(c *gin.Context, in reflect.Value, err error) error {
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

// complete returns the details of a body that is refused with what the modules
// know to be wrong besides, in the order of its elements.
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
			// What breaks a rule already has its sentence.
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

// row is the element that a detail is about, -1 for none.
func row(d fault.Detail) int {
	if d.Index == nil {
		return -1
	}
	return *d.Index
}

// sent are the values of a body by their keys, without those that are absent,
// null or empty; of a list, element by element.
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
