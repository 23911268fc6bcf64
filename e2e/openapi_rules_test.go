package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unfollowed are the rules of IBM's and of OWASP's rule sets that the documents do not
// follow, with reasons: some require another API, some do not apply.
var unfollowed = map[string]string{
	"ibm-anchored-patterns":                      "notblank is \\S anywhere in the text",
	"ibm-array-attributes":                       "minItems and maxItems where a rule has them; a list that is answered may be empty",
	"ibm-avoid-inline-schemas":                   "a body without a name in Go has none here",
	"ibm-avoid-repeating-path-parameters":        "each operation is whole: what it was made of is one Go type",
	"ibm-collection-array-property":              "IBM's pages name their list after the resource; ours say items",
	"ibm-content-type-is-specific":               "an upload comes back in the type that it has",
	"ibm-error-response-schemas":                 "IBM's own error model; ours is {error, code, details, request_id}",
	"ibm-integer-attributes":                     "minimum and maximum where a rule has them",
	"ibm-major-version-in-path":                  "health, pages and WebSockets have no version",
	"ibm-no-ambiguous-paths":                     "/users/me beside /users/{id}: ids are numbers, and the fixed path wins",
	"ibm-no-array-responses":                     "the tour shows a list that is one",
	"ibm-no-circular-refs":                       "a row may refer to rows of its own table",
	"ibm-no-nullable-properties":                 "an optional field that has no value is null",
	"ibm-operationid-casing-convention":          "camelCase: the names of functions in most clients",
	"ibm-operationid-naming-convention":          "listSessions, not list_auth_sessions: a verb and a noun",
	"ibm-pagination-style":                       "page and cursor; IBM has offset or start",
	"ibm-patch-request-content-type":             "PATCH takes application/json, of the fields that change",
	"ibm-path-segment-casing-convention":         "kebab-case, as most URLs are; IBM has snake_case",
	"ibm-precondition-headers":                   "412 for a GET of a file, by headers that every GET may have",
	"ibm-property-description":                   "a field whose name says it all has none; the tag doc says more",
	"ibm-required-array-properties-in-response":  "details are absent where there are none",
	"ibm-required-enum-properties-in-response":   "only administrators see the role of others",
	"ibm-resource-response-consistency":          "users see more of themselves than of others",
	"ibm-response-status-codes":                  "422 for a body that breaks its rules, 400 for one that cannot be read",
	"ibm-schema-description":                     "a body is described by its operation",
	"ibm-schema-keywords":                        "bytes are contentEncoding base64, which JSON Schema has for them",
	"ibm-schema-naming-convention":               "named after the Go types",
	"ibm-schema-type-format":                     "uri-reference, duration, time and pattern names that IBM's list lacks",
	"ibm-string-attributes":                      "pattern and lengths where a rule has them; what is answered may be older than the rule",
	"ibm-success-response-example":               "schemas have examples where a pattern would make readers guess",
	"owasp:api1:2023-no-numeric-ids":             "numbers by default, --uuid on demand; no row is protected by its id",
	"owasp:api2:2023-no-credentials-in-url":      "the field named token, by which the test's own table is filtered",
	"owasp:api2:2023-read-restricted":            "files are public by their random name, tour, health and pages for everybody",
	"owasp:api2:2023-write-restricted":           "registration, login, refresh and password reset take no token",
	"owasp:api4:2023-array-limit":                "see ibm-array-attributes; pages are limited by limit, which has a maximum",
	"owasp:api4:2023-integer-format":             "int64 where it is one; page and limit fit into any",
	"owasp:api4:2023-integer-limit":              "see ibm-integer-attributes",
	"owasp:api4:2023-rate-limit":                 "what is not below /api is not limited",
	"owasp:api4:2023-rate-limit-responses-429":   "what is not below /api is not limited",
	"owasp:api4:2023-string-limit":               "maxLength where a rule has it; every body is limited to 1 MiB",
	"owasp:api4:2023-string-restricted":          "a text may be any text",
	"owasp:api8:2023-define-cors-origin":         "CORS is a setting, off by default",
	"owasp:api8:2023-define-error-responses-401": "what is public answers none",
	"owasp:api8:2023-define-error-validation":    "what reads no input has nothing to refuse",
	"owasp:api9:2023-inventory-access":           "who may reach the server is not known here",
}

// strictRules checks the documents by IBM's and OWASP's rules, and logs the number of
// violations of each unfollowed rule, and the reason.
func strictRules(t *testing.T, tools npmTools, documents map[string]string) {
	t.Helper()
	counts := map[string]map[string]int{}
	for name, at := range documents {
		out, _ := tools.run(at, "spectral", "lint", "-r", filepath.Join(tools.dir, "strict.yaml"), "-f", "json", "--quiet", "openapi.json") // it fails if there are findings
		var found []struct{ Code string }
		begin := strings.Index(out, "[")
		if begin < 0 || json.NewDecoder(strings.NewReader(out[begin:])).Decode(&found) != nil {
			t.Fatalf("%s: spectral with strict.yaml:\n%s", name, head(out))
		}
		for _, one := range found {
			if counts[one.Code] == nil {
				counts[one.Code] = map[string]int{}
			}
			counts[one.Code][name]++
		}
	}
	names := slices.Sorted(maps.Keys(documents))
	table := fmt.Sprintf("\n%-43s %6s", "rule", strings.Join(names, " "))
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		why, known := unfollowed[rule]
		if !known {
			t.Errorf("unexpected violation of the rule %s", rule)
		}
		table += fmt.Sprintf("\n%-43s", rule)
		for _, name := range names {
			table += fmt.Sprintf(" %5d", counts[rule][name])
		}
		table += "  " + why
	}
	t.Log(table)
	for rule := range unfollowed {
		if counts[rule] == nil {
			t.Errorf("no document violates the rule %s any more", rule)
		}
	}
}
