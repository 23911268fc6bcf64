package web

import (
	"fmt"
	"reflect"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Checker may be implemented by the type of a body, or of the elements of a list
// body, for rules that tags cannot express: a relation between fields, or the
// strength of a password. Check runs after the tags, even if they fail, so that one
// response reports every error. It must therefore accept any value, the zero value
// included. An error for a field that already fails a tag or has the wrong type is
// dropped. Each detail names its field as in JSON; no details mean that the body is
// valid.
//
//	func (b period) Check() []fault.Detail {
//		if b.End.Before(b.Begin) {
//			return []fault.Detail{{Field: "end", Rule: "order", Message: "End must not be before begin"}}
//		}
//		return nil
//	}
type Checker interface {
	Check() []fault.Detail
}

var checker = reflect.TypeFor[Checker]()

// check calls Check on the body, or on each of its elements, and appends the result
// to details.
func (b *body) check(v reflect.Value, details []fault.Detail) []fault.Detail {
	known := details
	ask := func(v reflect.Value, prefix string) {
		for _, d := range v.Addr().Interface().(Checker).Check() {
			d.Field = prefix + d.Field
			if len(details) < maxDetails && !covered(d.Field, known) {
				details = append(details, d)
			}
		}
	}
	if !b.list {
		ask(v, "")
		return details
	}
	for i := 0; i < v.Len() && len(details) < maxDetails; i++ {
		ask(v.Index(i), fmt.Sprintf("[%d].", i))
	}
	return details
}
