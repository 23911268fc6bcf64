package web

import (
	"fmt"
	"reflect"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Checker is what the type of a body, or of the elements of one that is a
// list, may implement for rules that tags cannot say: what one field asks of
// another, or how good a password is. It is asked after the tags, also when
// they are broken, so that one answer tells everything that is wrong; a field
// that already breaks a tag, or did not come as its type, is reported by that
// alone. Check must therefore take any value, the zero value too. Each detail
// names its field as JSON does; without details the body is good.
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

// check asks the body, or each of its elements, and appends what it says to
// what is already wrong.
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
