package spec_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// FuzzParseField checks that an accepted definition has one canonical form with the same
// meaning, and that an error suggests an acceptable definition.
func FuzzParseField(f *testing.F) {
	for _, row := range spec.Types() {
		f.Add("Due-date:" + row.Name)
		for _, m := range spec.Modifiers() {
			f.Add("name:" + row.Name + ":" + m[0] + "=1")
		}
	}
	for _, word := range strings.Fields("price:decimal=10.2:min=0:max=9.99 kind:enum=a/b:default=a author:ref=users:ondelete=null " +
		"code:string:pattern=^[A-Z]{2}$:len=2 id:int a:string:optional:optional x: :string x:strin x:string:uniqe x:string:min=-1 x:int:default=99999999999999999999") {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		field, err := spec.ParseField(word)
		if err == nil {
			again, err := spec.ParseField(field.String())
			if err != nil || !reflect.DeepEqual(again, field) {
				t.Errorf("%q is %+v, and %q is %+v, %v", word, field, field.String(), again, err)
			}
			return
		}
		refused, ok := errors.AsType[*problem.Error](err)
		if !ok || refused.What == "" || refused.Try == "" {
			t.Fatalf("%q: %v", word, err)
		}
		if strings.ContainsFunc(refused.What+refused.Where+refused.Try, unicode.IsControl) {
			t.Errorf("%q: unexpected error %q", word, err)
		}
		if _, err := spec.ParseField(refused.Try); err != nil {
			t.Errorf("%q: invalid suggestion %q: %v", word, refused.Try, err)
		}
	})
}
