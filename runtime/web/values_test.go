package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/shopspring/decimal"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// Values that databases cannot store, or that the parser would silently replace, are
// rejected by field.
func TestUnstorableValues(t *testing.T) {
	type kept struct {
		Text  string              `json:"text"`
		At    *time.Time          `json:"at"`
		Until web.Null[time.Time] `json:"until"`
		Price *decimal.Decimal    `json:"price"`
		Meta  db.JSON             `json:"meta"`
		Raw   json.RawMessage     `json:"raw"`
		Tags  []string            `json:"tags"`
		Days  web.Null[[]db.Date] `json:"days"`
		Maybe []*int              `json:"maybe"`
		Lines []line              `json:"lines"`
	}
	client := webtest.New(t, web.Module{Name: "kept", Routes: []web.Route{
		web.Post("/kept", func(_ *gin.Context, in struct{ Body kept }) (web.None, error) { return web.None{}, nil }),
		web.Post("/bulk", func(_ *gin.Context, in struct{ Body web.Bulk[kept] }) (web.None, error) { return web.None{}, nil }),
		web.Get("/kept", func(_ *gin.Context, in struct {
			At    *time.Time       `form:"at"`
			Price *decimal.Decimal `form:"price"`
		}) (web.None, error) {
			return web.None{}, nil
		}),
	}})
	for body, want := range map[string]string{
		`{"at":"0001-01-01T00:00:00+00:01"}`:                                 "at/type",
		`{"at":"0001-01-01T00:00:00Z"}`:                                      "at/type",
		`{"until":"9999-12-31T23:59:59-00:01"}`:                              "until/type",
		`{"until":"0000-06-01T00:00:00Z"}`:                                   "until/type",
		`{"at":"0001-01-01T00:00:00-00:01"}`:                                 "",
		`{"at":"9999-12-31T23:59:59.9999999Z"}`:                              "",
		`{"meta":{"a":1e131000}}`:                                            "meta/number",
		`{"meta":[1e-309]}`:                                                  "meta/number",
		`{"raw":[0e999999999]}`:                                              "raw/number",
		`{"raw":1e99999999999999999999}`:                                     "raw/number",
		`{"meta":1.7e308}`:                                                   "",
		`{"meta":0.` + strings.Repeat("1", 2000) + `}`:                       "meta/number",
		`{"meta":[` + strings.Repeat("1e99,", 200) + `1]}`:                   "meta/number",
		`{"meta":[` + strings.Repeat("1e99,", 100) + `1]}`:                   "",
		`{"meta":{"\u0000":1}}`:                                              "meta/text",
		`{"meta":{"a":["\u0000"]}}`:                                          "meta.a[0]/text",
		`{"meta":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`: "meta/depth",
		`{"meta":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}`: "",
		`{"tags":["a",null]}`:                                                "tags[1]/type",
		`{"tags":["a"],"TAGS":[ null ]}`:                                     "TAGS/name",
		`{"days":[null,"2026-01-31",null]}`:                                  "days[0]/type days[2]/type",
		`{"lines":[null]}`:                                                   "lines[0]/type",
		`{"maybe":[null]}`:                                                   "",
		`{"meta":[null],"raw":[null]}`:                                       "",
		`{"tags":null,"days":null,"at":null}`:                                "",
		`{"text":"a, null","tags":["[null","null"]}`:                         "",
		`{"text":"\ud800"}`:                                                  "400",
		`{"text":"\uDC00\ud800"}`:                                            "400",
		`{"text":"\ud83d\u0041"}`:                                            "400",
		`{"text":"\ud83d"}`:                                                  "400",
		`{"meta":{"\ud83d":1}}`:                                              "400",
		`{"text":"\ud83d\ude42\\ud800"}`:                                     "",
	} {
		for path, body := range map[string]string{"/kept": body, "/bulk": `[{},` + body + `]`} {
			answer := client.Post(path, body)
			got := ""
			switch answer.Status {
			case 204:
			case 422:
				for _, d := range answer.Details() {
					got += " " + d.Field + "/" + d.Rule
				}
				got = got[1:]
			default:
				got = fmt.Sprint(answer.Status)
			}
			if got != want {
				t.Errorf("%s %.100s: %s, want %s", path, body, got, want)
			}
		}
	}
	for query, status := range map[string]int{
		"at=0001-01-01T00:00:00%2B14:00": 422, "at=9999-12-31T23:59:59-14:00": 422, "at=0001-01-01T00:00:00Z": 422,
		"at=9999-12-31T23:59:59Z": 204, "price=1e501": 422, "price=1e100": 204,
	} {
		client.Get("/kept?" + query).Expect(status)
	}
}

// BenchmarkManyKeys measures the rejection of a body with 70,000 unknown keys.
func BenchmarkManyKeys(b *testing.B) {
	client := webtest.New(b, notes())
	var keys strings.Builder
	for i := range 70_000 {
		fmt.Fprintf(&keys, `"key%d":1,`, i)
	}
	for b.Loop() {
		client.Post("/notes", `{`+keys.String()+`"title":7,"stars":"x"}`).Expect(422)
	}
}
