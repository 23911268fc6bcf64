package openapi

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/nexios-go/nexios/runtime/web"
)

// id returns an operation id of a verb and a noun: "listPosts", "createPost",
// "changePassword". It depends only on method and path, so that rewording a summary
// does not rename functions in clients. The module's name is put before an id that is
// in use.
func (d *document) id(module string, r web.Route) string {
	name := r.Operation
	if name == "" {
		name = operationID(r)
	}
	if d.ids[name] {
		name = strings.ToLower(module) + upper(name)
	}
	for i := 2; d.ids[name]; i++ {
		name = strings.TrimRight(name, "0123456789") + strconv.Itoa(i)
	}
	d.ids[name] = true
	return name
}

func operationID(r web.Route) string {
	segments := strings.FieldsFunc(r.Path, func(c rune) bool { return c == '/' })
	for len(segments) > 0 && (segments[0] == "api" || isVersion(segments[0])) {
		segments = segments[1:]
	}
	if len(segments) == 0 {
		return strings.ToLower(r.Method) + "Root"
	}
	last := segments[len(segments)-1]
	if r.Success == http.StatusSwitchingProtocols {
		if segments[0] == "ws" && len(segments) > 1 {
			segments = segments[1:]
		}
		return "connect" + noun(segments)
	}
	switch one := isParameter(last); {
	case r.Method == http.MethodGet && one, r.Method == http.MethodHead && one:
		return "get" + noun(segments)
	case r.Method == http.MethodGet && isList(r.Out):
		return "list" + noun(segments)
	case r.Method == http.MethodPost && last == "bulk":
		return "bulkCreate" + noun(segments[:len(segments)-1])
	case r.Method == http.MethodPost && r.Success == http.StatusCreated:
		return "create" + noun(append(slices.Clone(segments), ":id"))
	case r.Method == http.MethodPost && !one: // the action is the last segment
		verb := camel(last)
		if len(segments) > 2 && !strings.ContainsAny(last, "-_") && !isParameter(segments[len(segments)-2]) {
			verb += noun(segments[len(segments)-2 : len(segments)-1])
		}
		return strings.ToLower(verb[:1]) + verb[1:]
	case r.Method == http.MethodPut:
		return "put" + noun(segments)
	case r.Method == http.MethodPatch:
		return "update" + noun(segments)
	}
	return strings.ToLower(r.Method) + noun(segments)
}

// noun joins the segments of a path; a segment followed by a parameter becomes
// singular.
func noun(segments []string) string {
	name := ""
	for i, segment := range segments {
		switch {
		case isParameter(segment):
			if i == 0 || isParameter(segments[i-1]) {
				name += camel(segment[1:])
			}
		case i+1 < len(segments) && isParameter(segments[i+1]):
			name += camel(inflection.Singular(segment))
		default:
			name += camel(segment)
		}
	}
	return name
}

func isParameter(segment string) bool { return segment[0] == ':' || segment[0] == '*' }

func isVersion(segment string) bool {
	return len(segment) > 1 && segment[0] == 'v' && strings.Trim(segment[1:], "0123456789") == ""
}

// isList reports whether a response is a list or a page of one.
func isList(t reflect.Type) bool {
	if t == nil {
		return false
	}
	if t.Kind() != reflect.Struct {
		return t.Kind() == reflect.Slice
	}
	keys := web.Keys(t)
	return slices.ContainsFunc(keys, func(k web.Key) bool {
		return k.Field.Type.Kind() == reflect.Slice && (k.Name == "items" || len(keys) == 1)
	})
}

func upper(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// words splits a name into words: "user_id" and "user-id" become "user id".
func words(name string) string { return strings.NewReplacer("_", " ", "-", " ").Replace(name) }

// description returns the details of a route and what its guards require.
func description(r web.Route) string {
	var sentences []string
	if r.Details != "" {
		sentences = append(sentences, r.Details)
	}
	for _, g := range r.Guards {
		sentence := cmp.Or(g.Doc, "Requires: "+g.Name+".")
		says := strings.TrimSuffix(sentence, ".")
		// "Requires a signed-in user; API keys are not accepted." says the shorter, too.
		if !slices.ContainsFunc(r.Guards, func(o web.Guard) bool { return o.Doc != sentence && strings.HasPrefix(o.Doc, says) }) && !slices.Contains(sentences, sentence) {
			sentences = append(sentences, sentence)
		}
	}
	if len(r.Guards) == 0 {
		sentences = append(sentences, "Public.")
	}
	return strings.Join(sentences, " ")
}

// schemes are the alternatives by which a caller passes all guards: those that each of
// them accepts, or where none is accepted by all, every one.
func schemes(guards []web.Guard) []string {
	var list []string
	for _, g := range guards {
		accepted := strings.Fields(g.Scheme)
		if len(accepted) == 0 {
			continue
		}
		common := slices.DeleteFunc(slices.Clone(list), func(scheme string) bool { return !slices.Contains(accepted, scheme) })
		if len(common) > 0 {
			list = common
			continue
		}
		list = append(list, accepted...)
	}
	return list
}

// parameterDoc describes a parameter without a doc tag.
func parameterDoc(r web.Route, in, name string) string {
	switch {
	case in == "query" && isList(r.Out) && name == "search":
		return "Text to search for, in any case."
	case in == "query" && isList(r.Out) && (name == "sort" || name == "sort_by"):
		return "Field to sort by."
	case in == "query" && isList(r.Out) && strings.HasSuffix(name, "_min"):
		return "Only rows whose " + words(strings.TrimSuffix(name, "_min")) + " is at least this."
	case in == "query" && isList(r.Out) && strings.HasSuffix(name, "_max"):
		return "Only rows whose " + words(strings.TrimSuffix(name, "_max")) + " is at most this."
	case in == "query" && isList(r.Out):
		return "Only rows with this value of " + name + "."
	case in == "path" && name == "id":
		before, _, _ := strings.Cut(r.Path, "/:id")
		return "The id of the " + words(inflection.Singular(before[strings.LastIndex(before, "/")+1:])) + "."
	}
	return "The " + words(name) + "."
}

// valuesDoc describes special values of a parameter.
func valuesDoc(p parameter) string {
	if p.Description == "" && slices.Contains(p.Schema.Enum, any("relevance")) && (p.Name == "sort" || p.Name == "sort_by") {
		return " With relevance, the best matches of search come first; it requires search and page numbers, and ranks the newest 10,000 matches."
	}
	return ""
}

// exampleOf returns an example error response of the status.
func exampleOf(status int, text string) any {
	type detail struct {
		Field   string `json:"field"`
		Rule    string `json:"rule"`
		Message string `json:"message"`
	}
	example := struct {
		Error     string   `json:"error"`
		Code      int      `json:"code"`
		Details   []detail `json:"details,omitempty"`
		RequestID string   `json:"request_id"`
	}{Error: text, Code: status, RequestID: "ARCB44UG7ZGKOGLLQ2TZBLTSL7"}
	switch status {
	case http.StatusUnprocessableEntity:
		example.Error = "Validation error"
		example.Details = []detail{{"name", "required", "Name is required"}}
	case http.StatusConflict:
		example.Error = "Name taken"
		example.Details = []detail{{"name", "unique", "Name taken"}}
	case http.StatusUnauthorized:
		example.Error = "Not authenticated"
	}
	return example
}

// rateLimitHeaders adds the rate limit headers to a response.
func (d *document) rateLimitHeaders(r *response) {
	for _, h := range []struct{ name, doc string }{
		{"RateLimit-Limit", "Requests allowed in the window."},
		{"RateLimit-Remaining", "Requests left in the window."},
		{"RateLimit-Reset", "Seconds until the window ends."},
	} {
		d.Components.Headers.set(h.name, header{Description: h.doc, Schema: &schema{Type: "integer", Minimum: "0"}})
		r.Headers.set(h.name, header{Ref: "#/components/headers/" + h.name})
	}
}
