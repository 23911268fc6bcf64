package web

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/fault"
)

type namedInner struct {
	Name string `json:"name"`
}

type namedBody struct {
	Title  string                `json:"title"`
	Count  int                   `json:"count"`
	Small  *uint8                `json:"small"`
	IDs    []int64               `json:"ids"`
	Inner  namedInner            `json:"inner"`
	List   []namedInner          `json:"list"`
	Maybe  Null[namedInner]      `json:"maybe"`
	Open   map[string]namedInner `json:"open"`
	Kept   json.RawMessage       `json:"kept"`
	Again  *namedBody            `json:"again"`
	Ratio  float64               `json:"ratio"`
	Filter Null[int]             `json:"filter"`
	Bytes  []byte                `json:"bytes"`
	Blobs  Null[[][]byte]        `json:"blobs"`
}

// decoded returns the decoded body and the status with the rejected fields and their
// rules, or "" if it is valid.
func decoded[T any](t *testing.T, raw string) (T, string) {
	t.Helper()
	rules := newRules()
	if err := rules.prepare(reflect.TypeFor[T]()); err != nil {
		t.Fatal(err)
	}
	var in struct{ Body T }
	f, _ := reflect.TypeOf(in).FieldByName("Body")
	err := newBody(&f, rules).decode(context.Background(), []byte(raw), reflect.ValueOf(&in).Elem().Field(0))
	if err == nil {
		return in.Body, ""
	}
	var refused []string
	for _, d := range fault.From(err).Details {
		at := ""
		if d.Index != nil {
			at = fmt.Sprint(*d.Index, ":")
		}
		refused = append(refused, at+d.Field+" "+d.Rule)
	}
	return in.Body, fmt.Sprint(fault.From(err).Status, " ", strings.Join(refused, ", "))
}

func TestNames(t *testing.T) {
	for raw, want := range map[string]string{
		`{}`:                                     "",
		`{"title":"a","count":1,"unknown":2}`:    "",
		`{"title":"a","title":"b"}`:              "422 title single",
		`{"title":"a", "titl\u0065" : "b"}`:      "422 title single",
		`{"title":"a","Title":"b"}`:              "422 Title name",
		`{"title":"a","Title":1}`:                "422 Title name",
		`{"inner":{"Name":1}}`:                   "422 inner.Name name",
		`{"TITLE":"a","TITLE":"b"}`:              "422 TITLE name, TITLE single, TITLE name",
		`{"x":1,"x":2}`:                          "422 x single",
		`{"unknown":{"x":[{"a":1,"a":2}]}}`:      "422 unknown.x[0].a single",
		`{"inner":{"name":"a","name":"b"}}`:      "422 inner.name single",
		`{"inner":{"Name":"a"}}`:                 "422 inner.Name name",
		`{"list":[{"name":"a"},{"NAME":"b"}]}`:   "422 list[1].NAME name",
		`{"maybe":{"name":"a","name":"a"}}`:      "422 maybe.name single",
		`{"maybe":{"Name":"a"}}`:                 "422 maybe.Name name",
		`{"open":{"Name":{"name":"a"}}}`:         "",
		`{"open":{"a":{"name":""},"a":null}}`:    "422 open.a single",
		`{"open":{"a":{"Name":""}}}`:             "422 open.a.Name name",
		`{"kept":{"A":1,"a":2}}`:                 "",
		`{"kept":{"A":1,"A":2}}`:                 "422 kept.A single",
		`{"again":{"again":{"Title":"a"}}}`:      "422 again.again.Title name",
		`{"title":"a","title":1}`:                "422 title single, title type",
		`{"bytes":"AAEC","blobs":["AA=="]}`:      "",
		`{"bytes":null,"kept":[1]}`:              "",
		`{"bytes":[1]}`:                          "422 bytes type",
		`{"bytes":[-0.0]}`:                       "422 bytes type",
		`{"bytes":[]}`:                           "422 bytes type",
		`{"bytes":["a"]}`:                        "422 bytes type",
		`{"blobs":["AA==",[1]]}`:                 "422 blobs[1] type",
		`{"title":"\"title\":","count":"title"}`: "422 count type",
		`{"` + "\u212a" + `ept":1}`:              "422 \u212aept name", // the Kelvin sign
	} {
		if _, got := decoded[namedBody](t, raw); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	for raw, want := range map[string]string{
		`[{"name":"a"},{"name":"b"}]`:            "",
		`[{"name":"a"},{"name":"b","name":"c"}]`: "422 1:name single",
		`{"items":[{"name":"a"},{"Name":"b"}]}`:  "422 1:Name name",
		`[{"name":"a"},{"Name":1}]`:              "422 1:Name name",
		`{"Items":[{"name":"a"}]}`:               "422 Items name",
		`{"items":[],"items":[{"name":"a"}]}`:    "422 items single",
	} {
		if _, got := decoded[Bulk[namedInner]](t, raw); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	many := make([]string, 5*maxLinear)
	for i := range many {
		many[i] = fmt.Sprintf(`"f%d":1`, i)
	}
	for _, twice := range []int{0, maxLinear - 2, maxLinear - 1, maxLinear, maxLinear + 1, 2 * maxLinear} {
		raw := "{" + strings.Join(many, ",") + fmt.Sprintf(`,"f%d":1}`, twice)
		if _, got := decoded[namedBody](t, raw); got != fmt.Sprintf("422 f%d single", twice) {
			t.Errorf("name %d of %d repeated: %q", twice, len(many), got)
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]int{
		"1": 1, "1.0": 1, "1.000": 1, "1e2": 100, "1E+2": 100, "1.50e1": 15, "-2.0": -2, "120e-1": 12, "0.0": 0, "-0.0": 0, "0e999999999999": 0,
		"9007199254740993.0": 9007199254740993, "0.1e1": 1,
	} {
		if got, refused := decoded[namedBody](t, `{"count":`+text+`,"ids":[`+text+`],"filter":`+text+`}`); refused != "" || got.Count != want || got.IDs[0] != int64(want) || got.Filter.Value != want {
			t.Errorf("%s: %d, %v, %+v, refused: %q", text, got.Count, got.IDs, got.Filter, refused)
		}
	}
	for _, text := range []string{"1.5", "1e-1", "0.1", "1e400", "1e999999999999", "-1e-999999999999", "1e19", "9223372036854775808.0", `"1.0"`, "true", "12e-2"} {
		if _, refused := decoded[namedBody](t, `{"count":`+text+`}`); refused != "422 count type" {
			t.Errorf("%s: %q", text, refused)
		}
	}
	if _, refused := decoded[namedBody](t, `{"small":-1.0}`); refused != "422 small type" {
		t.Errorf("-1.0 for an unsigned field: %q", refused)
	}
	if got, refused := decoded[namedBody](t, `{"ratio":1.0,"count":2.0}`); refused != "" || got.Ratio != 1 || got.Count != 2 {
		t.Errorf("%+v, %q", got, refused)
	}
}

// The cost of a body with many names grows linearly.
func BenchmarkNames(b *testing.B) {
	for _, count := range []int{8, 1000, 100_000} {
		var raw strings.Builder
		raw.WriteString(`{"title":"a"`)
		for i := range count {
			fmt.Fprintf(&raw, `,"f%d":1`, i)
		}
		raw.WriteString("}")
		s := shapeOf(reflect.TypeFor[namedBody](), make(map[reflect.Type]*shape))
		b.Run(fmt.Sprint("parser ", count), func(b *testing.B) {
			b.SetBytes(int64(raw.Len()))
			for b.Loop() {
				var body namedBody
				_ = json.Unmarshal([]byte(raw.String()), &body)
			}
		})
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			b.SetBytes(int64(raw.Len()))
			for b.Loop() {
				n := nameWalk{raw: []byte(raw.String())}
				n.value(s)
			}
		})
	}
}
