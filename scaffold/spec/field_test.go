package spec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func TestParseField(t *testing.T) {
	for word, want := range map[string]string{
		"title:string":                        "title:string",
		"DueDate:date:optional":               "due_date:date:optional",
		"a:string:unique:optional":            "a:string:optional:unique",
		"author_id:ref=Users":                 "author:ref=users",
		"tags:many=Tag":                       "tags:many=tags",
		"price:decimal":                       "price:decimal=12.2",
		"price:decimal=10.2:min=0":            "price:decimal=10.2:min=0",
		"a:string:default=O'Brien":            "a:string:default=O'Brien",
		"type:string":                         "type:string",
		"order:int":                           "order:int",
		"at:time:default=09:30":               "at:time:default=09:30",
		"at:time:default=09:30:15:optional":   "at:time:optional:default=09:30:15",
		"u:url:default=https://a.b/c":         "u:url:default=https://a.b/c",
		"c:string:pattern=^[A-Z]{2}$":         "c:string:pattern=^[A-Z]{2}$",
		"c:string:pattern=a:b:unique":         "",
		"c:string:pattern=[0-9]:[a-z]+:min=4": "c:string:min=4:pattern=[0-9]:[a-z]+",
		"e:email:unique=nocase":               "e:email:unique=nocase",
		"n:int:min=-5:max=5:default=0":        "n:int:default=0:min=-5:max=5",
		"n:int:filter:max=2000000000":         "n:int:filter:max=2000000000",
		"s:string:default=":                   "",
		"s:string:optional:default=":          "s:string:optional:default=",
		"d:duration:min=1s:max=1h":            "d:duration:min=1s:max=1h",
	} {
		f, err := spec.ParseField(word)
		if want == "" {
			wantHelpfulError(t, word, err)
			continue
		}
		if err != nil || f.String() != want {
			t.Errorf("%s is %s, not %s: %v", word, f, want, err)
			continue
		}
		if again, err := spec.ParseField(f.String()); err != nil || again.String() != want {
			t.Errorf("%s is not canonical: %s, %v", want, again, err)
		}
	}
}

func TestParseFieldErrors(t *testing.T) {
	for _, word := range []string{
		"", "title", "title:", ":string", "a b:string", "имя:string", "2x:int", strings.Repeat("a", 300) + ":int",
		"title:strin", "title:string:optinal", "title:string:", "a:enum", "a:enum=", "a:enum=x/x", "a:enum=x//y", "a:enum=a,b", "a:enum=/",
		"a:int:min=x", "a:int:min=9:max=1", "a:int:min=1.5", "a:int:min=", "a:int:min", "a:int:unique=yes", "a:int:default=x",
		"a:enum=draft/live:default=gone", "a:bool:default=yes", "a:date:default=2026-02-30", "a:time:default=25:00", "a:uuid:default=x",
		"a:email:default=x", "a:url:default=ftp://x", "a:slug:default=A", "a:datetime:default=now", "a:duration:default=1",
		"a:string:min=5:default=abc", "a:string:max=2:default=abc", "a:int:max=5:default=9", "a:decimal=10.2:default=1.234",
		"a:string:min=300", "a:string:max=0", "a:string:max=20000", "a:string:len=5:max=9", "a:string:pattern=(", "a:string:min=01",
		"a:string:max=2:pattern=[a-z]{3}", "a:string:max=800:unique", "a:url:unique", "a:text:unique", "a:text:index", "a:json:filter",
		"a:decimal=2.3", "a:decimal=0.0", "a:decimal=x", "a:decimal=20.2", "a:decimal=10", "a:int=5", "a:string=5",
		"a:int:unique:min=1:max=2", "a:bool:unique", "a:enum=x/y:unique", "a:string:secret:search", "a:string:array:unique",
		"a:ref", "a:ref=", "a:ref=a b", "a:ref=users:ondelete=now", "a:ref=users:ondelete=null", "a:ref=users:default=1",
		"a:many=tags:optional", "a:int:optional:optional", "a:bytes:default=x", "a:file:default=x",
	} {
		_, err := spec.ParseField(word)
		wantHelpfulError(t, word, err)
	}
}

// Every sample is valid, and every bad value names a rule of the field.
func TestSamples(t *testing.T) {
	for _, word := range []string{
		"a:string", "a:string:max=1", "a:string:min=200", "a:string:len=7", "a:string:pattern=^[A-Z]{3}-[0-9]+$", "a:string:pattern=phone:unique",
		"a:string:pattern=(de|en|fr)", "a:string:pattern=color:unique", "a:string:min=5:max=5:pattern=lower:unique",
		"a:text", "a:int", "a:int:max=-5:unique", "a:int:min=7", "a:int:min=1:max=3:unique", "a:float:max=0.5", "a:decimal", "a:decimal=3.3:unique",
		"a:decimal=5.0:min=10:max=12:unique", "a:bool", "a:date:unique", "a:time", "a:datetime:unique", "a:duration:min=1ns:max=5ns", "a:uuid:unique",
		"a:email:max=6:unique", "a:email", "a:url:max=30", "a:slug:len=3:unique", "a:json", "a:bytes:len=4", "a:enum=x/y/z", "a:enum=only",
	} {
		f, err := spec.ParseField(word)
		if err != nil {
			t.Errorf("%s: %v", word, err)
			continue
		}
		samples := f.Samples(spec.Rows)
		if len(samples) == 0 || f.Is("unique") && len(samples) < spec.Rows {
			t.Errorf("%s has only the samples %+v", word, samples)
		}
		for _, bad := range f.Bad() {
			if bad.Rule == "" || bad.JSON == "" {
				t.Errorf("%s has the bad value %+v", word, bad)
			}
		}
	}
}

// TestSuggestedModifiers: the suggestion for a modifier without its value is a valid field
// with that modifier.
func TestSuggestedModifiers(t *testing.T) {
	for _, row := range spec.Types() {
		word := "a:" + row.Name
		if row.Arg == "must" {
			word += "=" + strings.ToLower(row.Form)
		}
		for _, m := range spec.Modifiers() {
			if !row.Allows(m[0]) || m[1] == "" || m[0] == "unique" { // also valid without a value
				continue
			}
			_, err := spec.ParseField(word + ":" + m[0])
			refused, ok := errors.AsType[*problem.Error](err)
			if !ok {
				t.Errorf("%s:%s: %v", word, m[0], err)
				continue
			}
			if f, err := spec.ParseField(refused.Try); err != nil || !f.Is(m[0]) {
				t.Errorf("%s:%s: invalid suggestion %s: %v", word, m[0], refused.Try, err)
			}
		}
	}
}

func TestError(t *testing.T) {
	_, err := spec.ParseResource(spec.Resource{Name: "post", Fields: []string{"title:strin"}})
	var types []string
	for _, row := range spec.Types() {
		types = append(types, row.Name)
	}
	want := `unknown type "strin" in title:strin
  types: ` + strings.Join(types, " ") + `
  try:   nexios add resource post title:string`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nis not\n%s", err, want)
	}
}
