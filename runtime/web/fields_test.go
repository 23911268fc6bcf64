package web

import (
	"reflect"
	"testing"
)

// counting has the parameters common to all lists.
type counting struct {
	Page  int     `form:"page"`
	Count *string `form:"count" binding:"omitempty,oneof=exact none"`
}

// A field of the input shadows an embedded parameter of the same name, so that a list
// can be filtered by a column of that name.
func TestFieldsShadowEmbeddedParameters(t *testing.T) {
	type in struct {
		counting
		Count *int `form:"count"`
	}
	p, err := newPlan(reflect.TypeFor[in](), newRules())
	if err != nil {
		t.Fatal(err)
	}
	var got in
	var seen params
	p.readQuery("page=2&count=7", reflect.ValueOf(&got).Elem(), &seen)
	if err := p.check(&got, reflect.ValueOf(&got).Elem(), &seen); err != nil || seen.query != nil {
		t.Fatal(err, seen.query)
	}
	if got.Page != 2 || got.Count == nil || *got.Count != 7 || got.counting.Count != nil {
		t.Errorf("read %+v", got)
	}
}
