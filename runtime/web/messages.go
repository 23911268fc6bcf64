package web

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"

	"github.com/nexios-go/nexios/runtime/fault"
)

// detail describes a failed rule and a value that would pass it.
func detail(path string, f validator.FieldError) fault.Detail {
	return fault.Detail{Field: path, Rule: f.Tag(), Message: sentence(path, predicate(f))}
}

// sentence joins the name in a field's path and a predicate: "Author must be at least
// 1" for "author_id".
func sentence(path, rest string) string {
	name := path[strings.LastIndexAny(path, ".]")+1:]
	if name == "" {
		name, _, _ = strings.Cut(path, "[")
		name = name[strings.LastIndexByte(name, '.')+1:]
	}
	name = strings.TrimSpace(strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " "))
	if name == "" {
		name = "value"
	}
	_, size := utf8.DecodeRuneInString(name)
	return strings.ToUpper(name[:size]) + name[size:] + " " + rest
}

// predicate completes a sentence that begins with the field's name.
func predicate(f validator.FieldError) string {
	param := f.Param()
	switch f.Tag() {
	case "required", "required_if", "required_unless", "required_with", "required_with_all", "required_without", "required_without_all":
		return "is required"
	case "min", "gte":
		return "must " + amount(f, "at least")
	case "max", "lte":
		return "must " + amount(f, "at most")
	case "gt":
		return "must " + amount(f, "more than")
	case "lt":
		return "must " + amount(f, "less than")
	case "len":
		return "must " + amount(f, "exactly")
	case "eq":
		return "must be " + param
	case "ne":
		return "must not be " + param
	case "oneof", "oneofci":
		return "must be one of: " + strings.Join(strings.Fields(param), ", ")
	case "email":
		return "must be an e-mail address"
	case "url", "http_url", "uri":
		return "must be a URL"
	case "uuid", "uuid4", "uuid7":
		return "must be a UUID"
	case "slug":
		return "must be lower-case letters and digits separated by single hyphens"
	case "notblank":
		return "must not be blank"
	case "pattern":
		return "must match " + param
	case "decimal":
		all, behind := digits(param)
		return fmt.Sprintf("must have at most %d digits, %d of them after the decimal point", all, behind)
	case "alpha":
		return "must be letters only"
	case "alphanum":
		return "must be letters and digits only"
	case "ascii":
		return "must be ASCII only"
	case "numeric", "number":
		return "must be a number"
	case "lowercase":
		return "must be lower-case"
	case "uppercase":
		return "must be upper-case"
	case "unique":
		return "must not repeat a value"
	case "eqfield":
		return "must be equal to " + words(param)
	case "nefield":
		return "must differ from " + words(param)
	case "gtfield":
		return "must be more than " + words(param)
	case "gtefield":
		return "must not be less than " + words(param)
	case "ltfield":
		return "must be less than " + words(param)
	case "ltefield":
		return "must not be more than " + words(param)
	case "startswith":
		return "must begin with " + param
	case "endswith":
		return "must end with " + param
	case "contains":
		return "must contain " + param
	case "excludes":
		return "must not contain " + param
	case "json":
		return "must be JSON"
	case "base64", "base64url":
		return "must be base64"
	case "ip":
		return "must be an IP address"
	case "ipv4":
		return "must be an IPv4 address"
	case "ipv6":
		return "must be an IPv6 address"
	case "cidr":
		return "must be a network such as 10.0.0.0/8"
	case "hostname", "hostname_rfc1123", "fqdn":
		return "must be a host name"
	case "e164":
		return "must be a telephone number such as +4930123456"
	case "hexcolor":
		return "must be a colour such as #ffcc00"
	case "timezone":
		return "must be a time zone such as Europe/Berlin"
	case "datetime":
		return "must be a time such as " + param
	case "iso4217":
		return "must be a currency such as EUR"
	case "iso3166_1_alpha2":
		return "must be a country such as DE"
	case "bcp47_language_tag":
		return "must be a language such as de-AT"
	case "semver":
		return "must be a version such as 1.2.3"
	case "latitude":
		return "must be a latitude"
	case "longitude":
		return "must be a longitude"
	case "boolean":
		return "must be true or false"
	}
	return "is not valid"
}

// words splits the name of a Go field into words: "starts at" for StartsAt.
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// amount completes "must" with a bound on the number of characters or elements, or on
// the value itself.
func amount(f validator.FieldError, compared string) string {
	unit, param := "", f.Param()
	switch f.Kind() {
	case reflect.String:
		unit = " character"
	case reflect.Slice, reflect.Array, reflect.Map:
		unit = " element"
		if f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Uint8 {
			unit = " byte"
		}
	default:
		param = Bound(f.Type(), param)
		if compared == "exactly" {
			return "be " + param
		}
		return "be " + compared + " " + param
	}
	if param != "1" {
		unit += "s"
	}
	if f.Kind() == reflect.String {
		return "be " + compared + " " + param + unit + " long"
	}
	return "have " + compared + " " + param + unit
}
