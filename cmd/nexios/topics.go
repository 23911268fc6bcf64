package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// fieldsTopic explains the field words, from the tables that read them.
func fieldsTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("A field is name:type[:modifier...]; no shell quoting needed. It is required\nunless it is optional or has a default.\n\nTypes\n")
	row := func(name, about string) {
		fmt.Fprintf(&b, "  %-18s %s\n", name, strings.Join(wrap(about, 80-21), "\n                     "))
	}
	for _, t := range spec.Types() {
		name := t.Name
		if t.Arg != "" {
			name += "=" + t.Form
		}
		if t.Arg == "may" {
			name = t.Name + "[=" + t.Form + "]"
		}
		row(name, t.Doc)
	}
	b.WriteString("\nModifiers\n")
	for _, m := range spec.Modifiers() {
		row(strings.TrimSuffix(m[0]+"="+strings.TrimPrefix(m[1], "cascade/restrict/"), "="), aboutModifier(m[0]))
	}
	return &cobra.Command{
		Use: "fields", Short: "The types and modifiers of fields", Long: strings.TrimSpace(b.String()),
		Example: `  title:string:min=3:search        author:ref=users      tags:many=tags
  price:decimal=10.2:min=0:sort    status:enum=draft/live:default=draft:filter
  names:string:array:optional      comments:has=comments`,
	}
}

// aboutModifier says what a modifier of fields does.
func aboutModifier(name string) string {
	return map[string]string{
		"optional": "may be absent or null", "unique": "no two rows have the same", "index": "is indexed",
		"search": "?search= looks into it", "sort": "lists may be sorted by it", "filter": "lists may be filtered by it; numbers and dates by _min and _max too",
		"default": "the value of new rows that say nothing", "min": "the least value, or the least number of characters",
		"max": "the greatest value, or the most characters", "len": "the exact number of characters", "secret": "never in answers",
		"private": "in answers for the owner and administrators only", "immutable": "set at creation, never changed",
		"readonly": "in answers only; your own code sets it", "array": "a list of values", "string": "a text in JSON, since JavaScript rounds large numbers",
		"ondelete": "what becomes of the row when the one it refers to is deleted: cascade deletes it, restrict forbids it, null clears the reference", "pattern": "a regular expression, or a name such as alpha",
	}[name]
}

func policiesTopic() *cobra.Command {
	return &cobra.Command{
		Use: "policies", Short: "Who may read and change which rows",
		Long: `A resource has one rule, beside its model. It holds on every way to a row:
lists, relations, references in bodies, bulk, your own GORM queries.

  --guard none|user|admin       rows have no owner; who may call the routes
  --owner                       each user's own rows
  --read all|user|owner         rows have an owner; who may read them
  --write owner|user|admin      rows have an owner; who may change them
  --public FIELD                with --owner: a bool field that lets others read
  --organisation                rows belong to an organisation and its members

In a project with auth, a resource without these needs a login. The rules are
the methods Readable and Writable in internal/model; edit them freely. A row
that one may not read is 404, one that one may read but not change is 403.

The caller comes from the statement's context: WithContext(c.Request.Context())
in handlers. db.System(ctx) works for nobody, auth.As(ctx, who) for a user. Raw
SQL has no rule.`,
		Example: "  nexios add auth\n  nexios add resource article title:string --read all\n  nexios add resource note body:text --owner",
	}
}

func errorsTopic() *cobra.Command {
	return &cobra.Command{
		Use: "errors", Short: "How the API tells what went wrong",
		Long: `Every error has one shape:

  {"error": "Validation error", "code": 422, "request_id": "...",
   "details": [{"field": "title", "rule": "min", "message": "Title must ..."}]}

  400  the body is not JSON, or the request makes no sense
  401  nobody is logged in, or the token has expired
  403  the caller may not do that; 404 where it may not know of the row
  409  a unique, foreign key or check rule of the database, with its field
  412  If-Match does not match; 428 when it is due and absent (--lock)
  422  the body or query breaks its rules: all fields at once
  429  too many requests: wait for Retry-After seconds; 503 likewise
  500  anything else, logged with the request id

Handlers return them: fault.NotFound("Post not found"), fault.Conflict(...),
fault.Invalid(fault.Detail{Field: "end", Rule: "order", Message: "..."}). Any
other error is a 500 whose text nobody outside sees.

Exit codes and JSON of nexios itself: nexios help json.`,
		Example: "  curl -s localhost:8000/api/v1/posts -H 'Content-Type: application/json' -d '{}'",
	}
}
