package e2e

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/scaffold/spec"
)

var fuzzData = flag.Duration("data", 5*time.Second, "how long TestData sends random values")

// column is a column of the resource with all field types.
type column struct {
	name, typ string
	array     bool
	quoted    bool // a number written as a string
	optional  bool
	filter    bool
	ranges    bool
	sort      bool
	sample    string // JSON
	words     string
}

// columns returns every type: required, optional and as a list.
func columns() []column {
	var list []column
	for _, row := range spec.Types() {
		typed := row.Name
		switch row.Name {
		case "decimal":
			typed += "=10.2"
		case "enum":
			typed += "=draft/live"
		case "url":
			typed += ":max=500"
		}
		f, err := spec.ParseField("x:" + typed)
		if err != nil || f.Relation() || row.Upload {
			continue // relation
		}
		sample := f.Samples(1)[0].JSON
		if row.Name == "json" {
			sample = `{"a":1}` // without Go's type around it
		}
		plain := column{typ: row.Name, sample: sample}
		for _, mod := range []string{"filter", "sort"} {
			if row.Allows(mod) {
				typed += ":" + mod
			}
		}
		plain.filter, plain.sort, plain.ranges = row.Allows("filter"), row.Allows("sort"), row.Filters == "range"
		required, optional := plain, plain
		required.name, required.words = "r_"+row.Name, "r_"+row.Name+":"+typed
		// A list accepts 64 parameters.
		optional.filter, optional.optional = false, true
		optional.name, optional.words = "o_"+row.Name, "o_"+row.Name+":"+strings.Replace(typed, ":filter", "", 1)+":optional"
		list = append(list, required, optional)
		if row.Allows("string") {
			quoted := plain
			quoted.name, quoted.words, quoted.quoted, quoted.sample = "q_"+row.Name, "q_"+row.Name+":"+typed+":string", true, strconv.Quote(sample)
			list = append(list, quoted)
		}
		if row.Allows("array") {
			bare, _, _ := strings.Cut(typed, ":")
			list = append(list, column{
				name: "a_" + row.Name, typ: row.Name, array: true, optional: true, sample: "[" + sample + "]",
				words: "a_" + row.Name + ":" + bare + ":optional:array",
			})
		}
	}
	return list
}

// hostile returns JSON values at and beyond the limits of types.
func hostile() []string {
	list := strings.Split(strings.TrimSpace(`
null
true
false
0
-0
1
-1
0.0
-0.0
1.0
1e0
1E2
1.5
12.5
12.50
12.500
12.505
2147483647
2147483648
-2147483649
9007199254740993
9223372036854775807
9223372036854775808
-9223372036854775808
-9223372036854775809
1e18
1e22
123456789012345678901234567890
1.7976931348623157e308
1e308
1e309
-1e400
5e-324
1e-320
1e-400
1e131000
1e-131000
1e999999999
-1e-999999999
0e999999999
0.1
0.30000000000000004
1.10
99999999.99
99999999.994
100000000
""
" "
"a"
"A"
"a "
" a"
"a\t"
"ä"
"a\u0308"
"ß"
"SS"
"İ"
"ı"
"ﬀ"
"ＡＢ"
"🙂"
"😀"
"\u0000"
"a\u0000b"
"\\u0000"
"\ud800"
"a\udfffb"
"\ud83d\ude42"
"\ud83d "
"\uD83D\uD83D\uDE42"
"\\ud800"
"\ufffd"
"\ufffe"
"\ufeff"
"\u202e"
"\u2028"
"\u0001\u001f\u007f\u0085"
"\\"
"'"
"''; --"
"\""
"%"
"_"
"%00"
"a\nb\r\n"
"<script>&amp;"
"null"
"true"
"0"
"-0"
"-0.00"
"0.00"
"1"
"1.0"
"12.5"
"12.50"
"12.500"
"12.505"
"-99999999.99"
"99999999.99"
"99999999.991"
"100000000"
"1e2"
"1e-2"
"1e-3"
"1E+7"
"1e400"
"1e501"
"1e-501"
"0e-400"
"0e400"
"0e501"
"1e999999999"
"+1"
" 1"
"0x10"
"0b1"
"1_000"
"007"
".5"
"5."
"NaN"
"Infinity"
"-Inf"
"1,5"
"９"
"0001-01-01"
"0000-01-01"
"0000-12-31"
"0999-12-31"
"1000-01-01"
"1582-10-10"
"1900-02-29"
"2000-02-29"
"2026-01-31"
"9999-12-31"
"10000-01-01"
"-0001-01-01"
"2026-1-1"
"00:00:00"
"00:00"
"23:59:59"
"23:59:60"
"24:00:00"
"9:30"
"09:30:00.5"
"-01:00:00"
"0001-01-01T00:00:00Z"
"0001-01-01T00:00:00.000001Z"
"0001-01-01T00:00:01Z"
"0001-01-01T00:00:00+00:01"
"0001-01-01T00:00:00+14:00"
"0001-01-01T00:00:00-14:00"
"0001-01-01T23:59:59+23:59"
"0000-01-01T00:00:00Z"
"0000-12-31T23:59:59Z"
"0000-12-31T23:59:59-23:59"
"0999-12-31T23:59:59Z"
"1000-01-01T00:00:00+00:01"
"1883-11-18T12:00:00+00:53"
"1899-12-31T23:59:59.999999Z"
"1969-12-31T23:59:59.999999Z"
"1970-01-01T00:00:00Z"
"1970-01-01T00:00:01Z"
"2026-01-31T09:30:00.123456789+05:30"
"2026-01-31T09:30:00.9999999Z"
"2026-01-31t09:30:00z"
"2026-01-31 09:30:00Z"
"2026-01-31T09:30:00"
"2026-01-31T09:30:00-00:00"
"2026-01-31T09:30:00+24:00"
"2026-01-31T24:00:00Z"
"2026-06-30T23:59:60Z"
"2038-01-19T03:14:08Z"
"9999-12-31T23:59:59Z"
"9999-12-31T23:59:59.999999Z"
"9999-12-31T23:59:59.9999999Z"
"9999-12-31T23:59:59-00:01"
"9999-12-31T00:00:00-23:59"
"9999-12-31T23:59:59+14:00"
"10000-01-01T00:00:00Z"
"294277-01-01T00:00:00Z"
"0s"
"1h30m"
"1.5h"
"1µs"
"1us"
"-1ns"
"2562047h47m16.854775807s"
"-2562047h47m16.854775808s"
"2562047h47m16.854775808s"
"P1D"
"00000000-0000-0000-0000-000000000000"
"ffffffff-ffff-ffff-ffff-ffffffffffff"
"0192E4A0-7B3C-7D10-8000-000000000001"
"urn:uuid:0192e4a0-7b3c-7d10-8000-000000000001"
"{0192e4a0-7b3c-7d10-8000-000000000001}"
"0192e4a07b3c7d108000000000000001"
"ann@example.com"
"Ann@Example.COM"
"ann@müller.example"
"\"a b\"@example.com"
"https://example.com/%00?a=b#c"
"HTTP://EXAMPLE.COM"
"http://[::1]:8080/"
"https://müller.example/ä"
"http://a"
"a-b"
"a--b"
"draft"
"DRAFT"
"draft "
"AA=="
"AAA="
"AA"
"_-8="
"////"
"AA==\n"
"AB=="
[]
[null]
["a",null]
[null,null]
[1,null]
[1,2]
[1,"a"]
[""]
["a "]
["\u0000"]
["\ud800"]
[true,null]
[true,false]
[0.1,1e308]
[-0.0]
[9223372036854775807]
[1e400]
["2026-01-31",null]
["0001-01-01"]
["0001-01-01T00:00:00+14:00"]
["9999-12-31T23:59:59-14:00"]
["2026-01-31T09:30:00.123456789+05:30"]
["12:00:00"]
["1h"]
["-2562047h47m16.854775808s"]
["0192E4A0-7B3C-7D10-8000-000000000001"]
["draft"]
["ann@example.com"]
["https://example.com/"]
["a-b"]
[[]]
[{}]
{}
{"":""}
{"a":1,"a":2}
{"a":1.10,"b":-0,"c":1E5,"d":-0.0}
{"a":12345678901234567890123}
{"a":0.1234567890123456789012345}
{"a":1e131000}
{"a":1e-131000}
{"a":1e400}
{"a":1e308}
{"a":[1e-300]}
{"a":0e999999}
{"a":1e99999999999999999999}
{"\u0000":1}
{"a":"\u0000"}
{"a":"\ud800"}
{"\udc00":1}
{"a":"\u00e9é"}
{"b":1,"a":2,"aa":3}
{"a":{"b":[null,{"c":null}]}}
`), "\n")
	text := func(unit string, n int) string { return `"` + strings.Repeat(unit, n) + `"` }
	return append(list,
		text("a", 254), text("a", 255), text("a", 256), text("a", 500), text("a", 700), text("a", 2048), text("a", 2049),
		text("ä", 255), text("🙂", 255), text("🙂", 256), text("a", 1<<16), text("a", 1<<16+1), text("ä", 1<<16), text(`\u0001`, 1000),
		text("a", 17)+"", `"`+strings.Repeat("a", 242)+`@example.com"`, `"https://example.com/`+strings.Repeat("a", 480)+`"`,
		"["+strings.TrimSuffix(strings.Repeat(`"a",`, 100), ",")+"]", "["+strings.TrimSuffix(strings.Repeat(`1,`, 101), ",")+"]",
		"["+strings.TrimSuffix(strings.Repeat(text("🙂", 255)+",", 100), ",")+"]",
		strings.Repeat("[", 29)+strings.Repeat("]", 29), strings.Repeat("[", 30)+strings.Repeat("]", 30), strings.Repeat("[", 31)+strings.Repeat("]", 31),
		strings.Repeat(`{"a":`, 30)+"1"+strings.Repeat("}", 30), strings.Repeat(`{"a":`, 31)+"1"+strings.Repeat("}", 31), strings.Repeat("[", 60)+strings.Repeat("]", 60),
		`{"a":`+text("a", 100_000)+`}`,
		"["+strings.TrimSuffix(strings.Repeat(`1e99,`, 5000), ",")+"]",
		`"`+base64.StdEncoding.EncodeToString(make([]byte, 1<<16))+`"`,
	)
}

// randomValue derives a random value from others.
func randomValue(random *rand.Rand, from []string) string {
	pick := func() string { return from[random.IntN(len(from))] }
	switch random.IntN(6) {
	case 0: // a time with an offset
		year := []int{0, 1, 2, 999, 1000, 1969, 1970, 2026, 9998, 9999, 10000, random.IntN(10001)}[random.IntN(12)]
		return fmt.Sprintf(`"%04d-%02d-%02dT%02d:%02d:%02d%s%c%02d:%02d"`, year, []int{1, 12, 1 + random.IntN(12)}[random.IntN(3)], []int{1, 31, 1 + random.IntN(28)}[random.IntN(3)],
			random.IntN(24), random.IntN(60), random.IntN(60), []string{"", ".5", ".999999", ".9999999"}[random.IntN(4)], "+-"[random.IntN(2)], random.IntN(24), random.IntN(60))
	case 1: // a number
		return fmt.Sprintf("%s%d%s%s", []string{"", "-"}[random.IntN(2)], random.Uint64()>>random.IntN(64),
			[]string{"", ".0", ".10", fmt.Sprintf(".%d", random.Uint32())}[random.IntN(4)], []string{"", "", "e0", "e3", "e-3", "e19", "e-19", "e100", "e-320", "e400"}[random.IntN(10)])
	case 2: // a text of runes
		var b strings.Builder
		for range random.IntN(8) {
			b.WriteRune([]rune{rune(random.IntN(128)), rune(random.IntN(0x800)), rune(random.IntN(0x10000)), rune(random.IntN(0x110000))}[random.IntN(4)])
		}
		raw, _ := json.Marshal(b.String())
		return string(raw)
	case 3:
		return "[" + pick() + "," + pick() + "]"
	case 4:
		return `{"a":` + pick() + `,"b":[` + pick() + `]}`
	}
	// Change random bytes of a value.
	text := []byte(pick())
	for range 1 + random.IntN(2) {
		at := random.IntN(len(text))
		text[at] = `0123456789abeETZ:+-. "\u,[]{}`[random.IntN(29)]
	}
	return string(text)
}

// everyType builds a project with columns and returns its binary.
func everyType(t *testing.T, list []column) string {
	t.Helper()
	p := newProject(t, "shop")
	words := []string{"add", "resource", "thing"}
	for _, c := range list {
		words = append(words, c.words)
	}
	p.nexios(words...)
	exe := filepath.Join(p.dir, "shop.exe")
	p.run("go", "build", "-o", exe, ".")
	return exe
}

// database returns the URL of an empty database.
func database(t testing.TB, name string) string {
	t.Helper()
	var server string
	switch name {
	case "sqlite":
		return "sqlite:data.db"
	case "postgres":
		server = services.Postgres(t)
	case "mariadb":
		server = services.MySQL(t)
	}
	admin, err := db.Open(server, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made := fmt.Sprintf("data_%d", rand.Uint64())
	if err := admin.Exec("CREATE DATABASE " + made).Error; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin.Exec("DROP DATABASE " + made)
		db.Close(admin)
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + made
	return u.String()
}

// testedResource is the resource on each database.
type testedResource struct {
	t       *testing.T
	columns []column
	names   []string
	on      []client
	failed  map[string]int // by column
	tried   int            // values
	sent    int            // requests
}

const thingsPath = "/api/v1/things"

// TestData sends arbitrary values in bodies, filters, cursors and paths: the three
// databases respond alike, and never with a 500; accepted values are read, listed, found
// and written again unchanged.
func TestData(t *testing.T) {
	t.Parallel()
	d := &testedResource{t: t, columns: columns(), failed: map[string]int{}, names: []string{"sqlite", "postgres", "mariadb"}}
	if testing.Short() {
		d.names = d.names[:1]
	}
	exe := everyType(t, d.columns)
	for _, name := range d.names {
		b := blog{t: t, exe: exe, dir: t.TempDir(), env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "APP_ENV=test", "ADDR=127.0.0.1:0", "RATE_LIMIT=off",
			"APP_SECRET=0123456789abcdef0123456789abcdef0123456789", "DATABASE_URL=" + database(t, name),
		}}
		if _, problems, code := b.command("", "migrate", "up"); code != 0 {
			t.Fatal(problems)
		}
		d.on = append(d.on, b.serve().client())
	}
	values := hostile()
	seed := uint64(time.Now().UnixNano())
	for i, c := range d.columns {
		for j, value := range values {
			// The other columns of a type behave like its required one: a sixth of the
			// values is enough, a different one in each run.
			if strings.HasPrefix(c.name, "r_") || (i+j)%6 == int(seed%6) {
				d.try(c, value)
			}
		}
		d.walk(c)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	for n, end := 1, time.Now().Add(*fuzzData); time.Now().Before(end) && !t.Failed(); n++ {
		c := d.columns[random.IntN(len(d.columns))]
		d.try(c, randomValue(random, values))
		if n%500 == 0 {
			d.walk(d.columns[random.IntN(len(d.columns))])
		}
	}
	t.Logf("%d values in %d requests to the first of %d databases, seed %d", d.tried, d.sent, len(d.on), seed)
}

func (d *testedResource) errorf(format string, args ...any) {
	d.t.Helper()
	text := fmt.Sprintf(format, args...)
	about, _, _ := strings.Cut(text, " ")
	if d.failed[about]++; d.failed[about] < 12 {
		d.t.Error(text)
	}
}

// body returns a valid body with the value of one column replaced.
func (d *testedResource) body(c column, value string) string {
	var b strings.Builder
	for _, each := range d.columns {
		switch {
		case each.name == c.name:
			fmt.Fprintf(&b, ",%q:%s", each.name, value)
		case !each.optional:
			fmt.Fprintf(&b, ",%q:%s", each.name, each.sample)
		}
	}
	return "{" + b.String()[1:] + "}"
}

// try sends the value in every possible way.
func (d *testedResource) try(c column, value string) {
	d.tried++
	what := fmt.Sprintf("%s %.80s", c.name, value)
	body := d.body(c, value)
	created := d.same(what, "POST", thingsPath, body)
	bulk := d.same(what+" in bulk", "POST", thingsPath+"/bulk", "["+d.body(column{}, "")+","+body+"]")
	if ok := created[0].status == 201; ok != (bulk[0].status == 201) {
		d.errorf("%s: %d, and %d in bulk", what, created[0].status, bulk[0].status)
	} else if ok {
		for i, a := range created {
			d.stored(i, what, c, value, a)
		}
	}
	text := value
	var decoded string
	if json.Unmarshal([]byte(value), &decoded) == nil {
		text = decoded
	}
	if len(text) > 2000 {
		return
	}
	escaped := url.QueryEscape(text)
	d.same(what+" in the path", "GET", thingsPath+"/"+url.PathEscape(text), "")
	if c.filter {
		keys := []string{c.name}
		if c.ranges {
			keys = append(keys, c.name+"_min", c.name+"_max")
		}
		for _, key := range keys {
			d.same(what+" in a filter", "GET", thingsPath+"?limit=1&sort=id&"+key+"="+escaped, "")
		}
	}
	if c.sort && json.Valid([]byte(value)) {
		for _, id := range []string{"1", value} {
			cursor := base64.RawURLEncoding.EncodeToString([]byte(`{"s":"` + c.name + `","o":"asc","v":` + value + `,"i":` + id + `}`))
			d.same(what+" in a cursor", "GET", thingsPath+"?limit=1&order=asc&sort="+c.name+"&cursor="+cursor, "")
		}
	}
}

// same sends a request to every database, which must respond alike.
func (d *testedResource) same(what, method, path, body string) []response {
	d.sent++
	ask := func(c client) response {
		if body == "" {
			return c.get(path)
		}
		return c.do(method, path, body)
	}
	answers := []response{ask(d.on[0])}
	// Bodies and parameters are rejected before the database is used, so only a sample is
	// sent to all.
	if refused := answers[0].status == 400 || answers[0].status == 422; !refused || d.sent%8 == 0 {
		others := make([]response, len(d.on)-1)
		var all sync.WaitGroup
		for i, c := range d.on[1:] {
			all.Go(func() { others[i] = ask(c) })
		}
		all.Wait()
		answers = append(answers, others...)
	}
	for i, a := range answers {
		if a.err != nil || a.status >= 500 {
			d.errorf("%s: on %s %s is %d: %v %.300s", what, d.names[i], a.what, a.status, a.err, a.body)
		}
	}
	for i, a := range answers[1:] {
		if first := answers[0]; a.status != first.status || common(a, d.columns) != common(first, d.columns) {
			d.errorf("%s: on %s %s is %d %.300s\non %s %d %.300s", what, d.names[0], method, first.status, common(first, d.columns), d.names[i+1], a.status, common(a, d.columns))
		}
	}
	return answers
}

// common returns the parts of a response that all databases have in common.
func common(a response, columns []column) string {
	if a.status == 422 {
		return a.fields()
	}
	if a.status != 201 && (a.status != 200 || bytes.HasPrefix(a.body, []byte(`{"items"`))) {
		return ""
	}
	var rows struct {
		Items []map[string]json.RawMessage
	}
	var row map[string]json.RawMessage
	_ = json.Unmarshal(a.body, &rows)
	_ = json.Unmarshal(a.body, &row)
	var b strings.Builder
	for _, row := range append(rows.Items, row) {
		for _, c := range columns {
			if len(row[c.name]) > 0 {
				fmt.Fprintf(&b, " %s=%s", c.name, plain(c, row[c.name]))
			}
		}
	}
	return b.String()
}

// plain normalizes a value of the column: for json, neither the order of keys nor the
// notation of numbers matters.
func plain(c column, raw json.RawMessage) string {
	if c.typ == "float" {
		return strings.ReplaceAll(string(raw), "-0", "0") // they are equal
	}
	if c.typ != "json" {
		return string(raw)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return err.Error()
	}
	text, _ := json.Marshal(exact(value))
	return string(text)
}

func exact(value any) any {
	switch v := value.(type) {
	case json.Number:
		n, ok := new(big.Rat).SetString(string(v))
		if !ok {
			return "no number: " + string(v)
		}
		return n.RatString()
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = exact(v[key])
		}
	}
	return value
}

// stored checks that an accepted row is stored as it was sent.
func (d *testedResource) stored(on int, what string, c column, sent string, created response) {
	at, name := d.on[on], d.names[on]
	var row map[string]json.RawMessage
	if err := json.Unmarshal(created.body, &row); err != nil {
		d.errorf("%s: on %s: %v", what, name, err)
		return
	}
	path, got := thingsPath+"/"+string(row["id"]), row[c.name]
	if strings.Contains(string(got), "\ufffd") && !strings.Contains(sent, "\ufffd") && !strings.Contains(strings.ToLower(sent), `\ufffd`) {
		d.errorf("%s: on %s half of a character is accepted", what, name)
	} else if why := differs(c, sent, got); why != "" {
		d.errorf("%s: on %s it is %.200s: %s", what, name, got, why)
	}
	for _, a := range []response{at.get(path), at.patch(path, fmt.Sprintf(`{%q:%s}`, c.name, got)), at.get(path)} {
		if a.status != 200 || common(a, d.columns) != common(created, d.columns) {
			only := []column{c}
			d.errorf("%s: on %s %s is %d %.200s, and was %.200s", what, name, a.what, a.status, cmp.Or(common(a, only), string(a.body)), common(created, only))
		}
	}
	list := at.get(thingsPath + "?sort=id&limit=2")
	if list.status != 200 {
		d.errorf("%s: on %s the list is %d", what, name, list.status)
	}
	if string(got) == "null" || !c.filter {
		return
	}
	text := string(got)
	_ = json.Unmarshal(got, &text)
	keys := []string{c.name}
	if c.ranges {
		keys = append(keys, c.name+"_min", c.name+"_max")
	}
	for _, key := range keys {
		a := at.get(thingsPath + "?sort=id&limit=1&" + key + "=" + url.QueryEscape(text))
		if a.status != 200 || len(a.items()) != 1 || key == c.name && plainOf(a, c) != plain(c, got) {
			d.errorf("%s: on %s %s is %d %.300s", what, name, a.what, a.status, a.body)
		}
	}
}

func plainOf(a response, c column) string {
	var page struct{ Items []map[string]json.RawMessage }
	if json.Unmarshal(a.body, &page) != nil || len(page.Items) == 0 {
		return ""
	}
	return plain(c, page.Items[0][c.name])
}

// differs returns how a returned value differs from the one sent.
func differs(c column, sent string, got json.RawMessage) string {
	sent = strings.TrimSpace(sent)
	if string(got) == "null" || sent == "null" {
		if c.array && sent == "null" && string(got) == "[]" || sent == string(got) || c.optional && sent == "null" && string(got) == "null" {
			return ""
		}
		return "null"
	}
	if c.array {
		var a, b []json.RawMessage
		if json.Unmarshal([]byte(sent), &a) != nil || json.Unmarshal(got, &b) != nil || len(a) != len(b) {
			return "not a list as long"
		}
		one := c
		one.array = false
		for i := range a {
			if why := differs(one, string(a[i]), b[i]); why != "" {
				return why
			}
		}
		return ""
	}
	var a, b string
	quoted := json.Unmarshal([]byte(sent), &a) == nil && json.Unmarshal(got, &b) == nil
	number := func(text string) *big.Rat { n, _ := new(big.Rat).SetString(text); return n }
	ok := false
	switch c.typ {
	case "json":
		ok = plain(c, json.RawMessage(sent)) == plain(c, got)
	case "int", "bigint":
		if c.quoted {
			_ = json.Unmarshal([]byte(sent), &sent)
			got = json.RawMessage(b)
			if !quoted {
				_ = json.Unmarshal(got, &b)
				got = json.RawMessage(b)
			}
		}
		ok = number(sent).Cmp(number(string(got))) == 0
	case "float":
		var x, y float64
		ok = json.Unmarshal([]byte(sent), &x) == nil && json.Unmarshal(got, &y) == nil && x == y
	case "decimal":
		if !quoted {
			a = sent
			_ = json.Unmarshal(got, &b)
		}
		_, behind, _ := strings.Cut(b, ".")
		ok = number(a).Cmp(number(b)) == 0 && len(behind) == 2
	case "bool":
		ok = sent == string(got)
	default:
		ok = quoted && a == b
	case "time":
		ok = quoted && (a == b || a+":00" == b)
	case "datetime":
		x, err := time.Parse(time.RFC3339, a)
		y, err2 := time.Parse(time.RFC3339, b)
		ok = quoted && err == nil && err2 == nil && x.Truncate(time.Microsecond).Equal(y) && strings.HasSuffix(b, "Z")
	case "duration":
		x, err := time.ParseDuration(a)
		y, err2 := time.ParseDuration(b)
		ok = quoted && err == nil && err2 == nil && x == y
	case "uuid":
		hex := func(s string) string {
			return strings.ToLower(strings.NewReplacer("urn:uuid:", "", "{", "", "}", "", "-", "").Replace(s))
		}
		ok = quoted && hex(a) == hex(b)
	case "bytes":
		var numbers []int
		if json.Unmarshal([]byte(sent), &numbers) == nil {
			return "" // the parser accepts them as bytes
		}
		x, err := base64.StdEncoding.DecodeString(a)
		y, err2 := base64.StdEncoding.DecodeString(b)
		ok = quoted && err == nil && err2 == nil && bytes.Equal(x, y)
	}
	if !ok {
		return "not what was sent"
	}
	return ""
}

// walk reads the complete list by cursor, in both orders: every row appears once, and all
// databases have the same order.
func (d *testedResource) walk(c column) {
	if !c.sort {
		return
	}
	for _, order := range []string{"asc", "desc"} {
		for i, at := range d.on {
			total := at.get(thingsPath + "?limit=1&count=exact").number("total")
			seen, cursor := map[any]bool{}, ""
			for {
				a := at.get(thingsPath + "?limit=100&sort=" + c.name + "&order=" + order + "&cursor=" + url.QueryEscape(cursor))
				if a.status != 200 {
					d.errorf("walking by %s %s, on %s: %d %.300s", c.name, order, d.names[i], a.status, a.body)
					break
				}
				for _, row := range a.items() {
					if seen[row["id"]] {
						d.errorf("walking by %s %s, on %s: %v comes twice", c.name, order, d.names[i], row["id"])
					}
					seen[row["id"]] = true
				}
				if cursor = a.text("next_cursor"); cursor == "" {
					break
				}
			}
			if len(seen) != total {
				d.errorf("walking by %s %s, on %s: %d of %d come", c.name, order, d.names[i], len(seen), total)
			}
		}
	}
}
