package web_test

import (
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/shopspring/decimal"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// ruled has one field per rule.
type ruled struct {
	Text     string                    `json:"text" binding:"omitempty,min=2,max=4"`
	Exact    string                    `json:"exact" binding:"omitempty,len=2"`
	Status   string                    `json:"status" binding:"omitempty,oneof=draft live"`
	Email    string                    `json:"email" binding:"omitempty,email"`
	URL      string                    `json:"url" binding:"omitempty,http_url"`
	UUID     string                    `json:"uuid" binding:"omitempty,uuid"`
	Slug     string                    `json:"slug" binding:"omitempty,slug"`
	Pattern  string                    `json:"pattern" binding:"omitempty,pattern=^(a0x7Cb){10x2C2}\\d$"`
	Blank    *string                   `json:"blank" binding:"omitempty,notblank"`
	Number   *int                      `json:"number" binding:"omitempty,gt=1,lt=5"`
	Ratio    *float64                  `json:"ratio" binding:"omitempty,gte=0.5,lte=1.5"`
	Price    *decimal.Decimal          `json:"price" binding:"omitempty,min=0.01,max=100,decimal=5 2"`
	Cost     web.Null[decimal.Decimal] `json:"cost" binding:"omitempty,max=10,decimal=5.2"`
	Length   *db.Duration              `json:"length" binding:"omitempty,max=60000000000"`
	Day      *db.Date                  `json:"day"`
	Clock    *db.Clock                 `json:"clock"`
	Tags     []string                  `json:"tags" binding:"omitempty,min=1,max=2,unique,dive,min=2"`
	Raw      []byte                    `json:"raw" binding:"omitempty,max=2"`
	From     *int                      `json:"from"`
	To       *int                      `json:"to" binding:"omitempty,gtefield=From"`
	AuthorID int64                     `json:"author_id" binding:"omitempty,min=1"`
}

func TestRules(t *testing.T) {
	client := webtest.New(t, web.Module{Name: "rules", Routes: []web.Route{
		web.Post("/rules", func(*gin.Context, struct{ Body ruled }) (web.None, error) { return web.None{}, nil }),
	}})
	for _, body := range []string{
		`{}`, `{"text":"äöüß"}`, `{"exact":"ab"}`, `{"status":"live"}`, `{"email":"a@example.com"}`, `{"url":"https://example.com/x?y=z"}`,
		`{"uuid":"0192e4a0-7b3c-7d10-8000-000000000001"}`, `{"slug":"a-part-1"}`, `{"pattern":"ab1"}`, `{"pattern":"b2"}`, `{"blank":" x"}`,
		`{"number":2}`, `{"ratio":0.5}`, `{"price":"99.99"}`, `{"price":0.01}`, `{"price":"1.100"}`, `{"cost":null}`, `{"cost":"9.99"}`, `{"length":"1m"}`,
		`{"day":"2026-02-28"}`, `{"clock":"23:59"}`, `{"tags":["ab","cd"]}`, `{"from":1,"to":1}`,
	} {
		client.Post("/rules", body).Expect(204)
	}
	for body, want := range map[string]string{
		`{"text":"a"}`:                  "text min: Text must be at least 2 characters long",
		`{"text":"äöüßa"}`:              "text max: Text must be at most 4 characters long",
		`{"exact":"abc"}`:               "exact len: Exact must be exactly 2 characters long",
		`{"status":"gone"}`:             "status oneof: Status must be one of: draft, live",
		`{"email":"a"}`:                 "email email: Email must be an e-mail address",
		`{"url":"javascript:alert(1)"}`: "url http_url: Url must be a URL",
		`{"uuid":"a"}`:                  "uuid uuid: Uuid must be a UUID",
		`{"slug":"a--b"}`:               "slug slug: Slug must be lower-case letters and digits separated by single hyphens",
		`{"slug":"A"}`:                  "slug slug: Slug must be lower-case letters and digits separated by single hyphens",
		`{"pattern":"aab1"}`:            `pattern pattern: Pattern must match ^(a|b){1,2}\d$`,
		`{"blank":" \t"}`:               "blank notblank: Blank must not be blank",
		`{"number":1}`:                  "number gt: Number must be more than 1",
		`{"number":5}`:                  "number lt: Number must be less than 5",
		`{"ratio":0.4}`:                 "ratio gte: Ratio must be at least 0.5",
		`{"ratio":1.6}`:                 "ratio lte: Ratio must be at most 1.5",
		`{"price":"0"}`:                 "price min: Price must be at least 0.01",
		`{"price":100.01}`:              "price max: Price must be at most 100",
		`{"price":"1.001"}`:             "price decimal: Price must have at most 5 digits, 2 of them after the decimal point",
		`{"price":"1e1000000000"}`:      "price type: Price must be a decimal number",
		`{"price":1e-1000000000}`:       "price type: Price must be a decimal number",
		`{"cost":1e600}`:                "cost type: Cost must be a decimal number",
		`{"price":"x"}`:                 "price type: Price must be a decimal number",
		`{"cost":"1.001"}`:              "cost decimal: Cost must have at most 5 digits, 2 of them after the decimal point",
		`{"cost":"11"}`:                 "cost max: Cost must be at most 10",
		`{"length":"61s"}`:              "length max: Length must be at most 1m0s",
		`{"length":61}`:                 "length type: Length must be a duration such as 1h30m",
		`{"day":"2026-02-30"}`:          "day type: Day must be a date such as 2006-01-02",
		`{"clock":"25:00"}`:             "clock type: Clock must be a time of day such as 15:04:05",
		`{"raw":"AAAA"}`:                "raw max: Raw must have at most 2 bytes",
		`{"tags":["ab","cd","ef"]}`:     "tags max: Tags must have at most 2 elements",
		`{"tags":["ab","ab"]}`:          "tags unique: Tags must not repeat a value",
		`{"tags":["ab","c"]}`:           "tags[1] min: Tags must be at least 2 characters long",
		`{"from":2,"to":1}`:             "to gtefield: To must not be less than from",
		`{"author_id":-1}`:              "author_id min: Author must be at least 1",
	} {
		d := client.Post("/rules", body).Expect(422).Details()
		if len(d) != 1 || d[0].Field+" "+d[0].Rule+": "+d[0].Message != want {
			t.Errorf("%s: %+v, want %s", body, d, want)
		}
	}
}
