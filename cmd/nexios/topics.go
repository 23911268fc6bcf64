package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// fieldsTopic explains the syntax of fields, from the tables that the parser uses.
func fieldsTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("A field is name:type[:modifier...]; no shell quoting needed. It is required\nunless it is optional or has a default.\n\nTypes\n")
	row := func(name, about string) {
		fmt.Fprintf(&b, "  %-18s %s\n", name, strings.Join(command.Wrap(about, 80-21), "\n                     "))
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
		row(strings.TrimSuffix(m[0]+"="+strings.Replace(m[1], "cascade/restrict/null", "ACTION", 1), "="), aboutModifier(m[0]))
	}
	return &cobra.Command{
		Use: "fields", Short: "The types and modifiers of fields", Long: strings.TrimSpace(b.String()),
		Example: `  title:string:min=3:search        author:ref=users      tags:many=tags
  price:decimal=10.2:min=0:sort    status:enum=draft/live:default=draft:filter
  names:string:array:optional      comments:has=comments`,
	}
}

// aboutModifier describes a modifier of fields.
func aboutModifier(name string) string {
	return map[string]string{
		"optional": "may be absent or null", "unique": "no two rows have the same value, or no two of an owner or organisation: see nexios help policies",
		"nocase": "upper and lower case are equal in filters and sorting; with unique, write unique=nocase", "index": "indexed",
		"search": "searched by ?search=; sort=relevance ranks the results", "sort": "lists may be sorted by it", "filter": "lists may be filtered by it; numbers and dates by _min and _max too",
		"default": "the value of new rows that do not set it", "min": "the minimum value, or number of characters",
		"max": "the maximum value, or number of characters", "len": "the exact number of characters", "secret": "never in responses",
		"private": "only the owner and administrators see it, and change it later", "immutable": "set at creation, never changed",
		"readonly": "in responses only; your own code sets it", "array": "a list of values", "string": "a string in JSON, since JavaScript rounds large numbers",
		"ondelete": "what happens when the row it refers to is deleted: cascade deletes this one too, restrict forbids it, null clears the reference", "pattern": "a regular expression, or a name such as alpha",
	}[name]
}

func policiesTopic() *cobra.Command {
	return &cobra.Command{
		Use: "policies", Short: "Who may read and change which rows",
		Long: `Each resource has one rule, next to its model. It applies to every access:
lists, relations, references in bodies, bulk, your own GORM queries.

  --guard none|user|admin       rows have no owner; who may call the routes
  --owner                       each user's own rows
  --read all|user|owner         rows have an owner; who may read them. With
                                --guard they have none: --guard admin --read all
  --write owner|user|admin      rows have an owner; who may change them
  --public FIELD                with --owner: a bool field that lets others read
  --organisation                rows belong to an organisation and its members

In a project with auth, a resource without these needs a login. The rules are
the methods Readable and Writable in internal/model; edit them freely. A row
the caller may not read is 404, one they may read but not change is 403.

unique applies within an organisation and, where only owners read their rows
(also with --public), to the rows of each owner, so that a conflict reveals
nothing about the rows of others. Otherwise it applies to all rows.

A row that others refer to cannot be deleted: 409, which names the referring
resource only to callers who may read some of its rows. ondelete=cascade and
ondelete=null allow the delete.

The caller comes from the statement's context: WithContext(c.Request.Context())
in handlers. db.System(ctx) acts without a user, auth.As(ctx, who) for a user.
Raw SQL bypasses the rules.`,
		Example: "  nexios add auth\n  nexios add resource article title:string --read all\n  nexios add resource note body:text --owner",
	}
}

func errorsTopic() *cobra.Command {
	return &cobra.Command{
		Use: "errors", Short: "How the API reports errors",
		Long: `Every error has one shape:

  {"error": "Validation error", "code": 422, "request_id": "...",
   "details": [{"field": "title", "rule": "min", "message": "Title must ..."}]}

  400  the request is malformed: its body is not JSON, for example
  401  not logged in, or the token has expired
  403  the caller may not do that; 404 if they may not see the row
  409  a unique, foreign key or check constraint, with its field
  412  If-Match does not match; 428 if it is required but missing (--lock)
  422  the body or query is not valid; all wrong fields are listed
  429  too many requests; retry after Retry-After seconds, as for 503
  500  anything else, logged with the request id

Handlers return them: fault.NotFound("Post not found"), fault.Conflict(...),
fault.Invalid(fault.Detail{Field: "end", Rule: "order", Message: "..."}). Any
other error is a 500, and its text is only logged.

Exit codes and JSON of nexios itself: nexios help json.`,
		Example: "  curl -s localhost:8000/api/v1/posts -H 'Content-Type: application/json' -d '{}'",
	}
}

func endpointsTopic() *cobra.Command {
	return &cobra.Command{
		Use: "endpoints", Short: "How to write an endpoint by hand",
		Long: `A route is a line in the Routes of a module, and a handler takes an input
struct and returns a response or an error:

  web.Post("/posts/:id/publish", h.publish).ID("publishPost").
      Doc("Publish a post").Returns(200).Fails(409).Guard(auth.User()),

  func (h handler) publish(c *gin.Context, in showInput) (model.Post, error) {
      tx := h.db.WithContext(c.Request.Context())
      post, err := db.FindWritable[model.Post](tx, in.ID)
      if err != nil {
          return post, err
      }
      post.Published = true
      err = tx.Select("published").Updates(&post).Error
      return post, err
  }

The tags of an input struct bind and validate: uri:"id", form:"page",
header:"If-Match", and a field Body with json and binding tags. The status is
201 for a POST, 204 for web.None and 200 otherwise, unless Returns sets it.
Errors: nexios help errors. A func(*gin.Context) is a handler too. Import gin,
internal/model and, from the runtime, auth, db, fault and web.

ID names the operation in clients, Doc and Describe document it, and Fails lists
the errors specific to it. Tests: nexios help testing.`,
		Example: "  nexios routes\n  nexios openapi",
	}
}

func authTopic() *cobra.Command {
	return &cobra.Command{
		Use: "auth", Short: "How users log in, and how requests are authenticated",
		Long: `  POST /auth/login     {username, password} -> access_token; a cookie holds the
                       refresh token (AUTH_REFRESH=body for native clients)
  POST /auth/refresh   a new access token; the refresh token is used once, and
                       a second use ends its session
  POST /auth/logout    ends the session on the server
  GET  /users/me       the caller; POST /users is registration

An access token (Authorization: Bearer) lives for 30 minutes. Changing an
account requires a password check within the last 15 minutes: POST
/auth/confirm-password.

--with selects parts: totp (second factor), apikeys (X-API-Key, with scopes),
reset and confirm (by mail), sessions (pages, by cookie), passkeys, oidc, or
none. More can be added later: nexios add auth --with passkeys/oidc. These two
include a page /login.

oidc logs in with an OpenID Connect provider: OIDC_ISSUER, OIDC_CLIENT_ID and
OIDC_CLIENT_SECRET. Register APP_URL/api/v1/auth/oidc/callback with it. Send the
browser to /auth/oidc/begin; it comes back to the page ?return_to= (/login),
which sends POST /auth/oidc-login {code}. Accounts are linked automatically only
if both sides have confirmed the e-mail address; otherwise by their user, in a
fresh session.

Passkeys are bound to the host of APP_URL for good; each counts as two factors.
Login: POST /auth/passkeys/challenge, then /auth/passkey-login. The last way to
log in to an account cannot be removed.

The scopes of a key are read and write, or those of one module (its tag in
OpenAPI): posts:read, posts:write; an unknown one is 422. They cover routes,
including the rows of other tables that a route returns, such as the author of
a post or the rows of a many field, if the rules of those tables let the user of
the key read them.

AUTH_REQUIRE_FACTOR=admin requires users with these roles to set up a second
factor, or to log in with it, before they can use any other route.

Administrators are created on the command line, never over HTTP:

  go run . user create --username ada --email ada@example.com --admin

Guards are set on routes: .Guard(auth.User()), auth.Admin(). Handlers call
auth.From(c); row rules call auth.Caller(tx), see nexios help policies. Tests
log in with webtest. Production does not start without APP_SECRET.`,
		Example: "  nexios add auth --with totp/apikeys\n  nexios add auth --with passkeys/oidc\n  nexios add auth --with none --guard posts/comments",
	}
}

func deployTopic() *cobra.Command {
	return &cobra.Command{
		Use: "deploy", Short: "How to run a project in production",
		Long: `compose.yaml starts the program with what it needs on one machine: it waits for
the database, migrates, and is healthy once it answers. The commands add and
remove keep it up to date.

  DATABASE_PASSWORD=... APP_SECRET=$(openssl rand -hex 32) \
      docker compose up --build --wait
  docker compose exec app /app/NAME user create --username ada \
      --email ada@example.com --admin          # with auth; NAME is the project

nexios add deploy writes the files for other places:

  --to kubernetes   deployment, service, probes, migrations, disruption budget
  --to systemd      a hardened unit and its settings
  --to fly          fly.toml, for a project with a database server

In production (APP_ENV=production) nothing migrates by itself: migrate up is a
separate step. /healthz is the liveness probe, /readyz the readiness probe,
which NAME health queries. On SIGTERM the program drains for SHUTDOWN_DELAY and
exits within 10 seconds.

TLS_CERT and TLS_KEY serve HTTPS. TLS_AUTOCERT_HOSTS=api.example.com gets a
certificate from Let's Encrypt, which must reach ADDR on port 443. Behind a
proxy, put its address into TRUSTED_PROXIES: otherwise all clients share the
proxy's rate limit. The client is the last address in X-Forwarded-For that is
not a trusted proxy's, or the value of the header that CLIENT_IP_HEADER names:
Fly-Client-IP, CF-Connecting-IP.

  NAME backup FILE   copies a SQLite database while it is in use

nexios add extras --with grafana/litestream writes a dashboard for the metrics,
and settings for Litestream, which replicates a SQLite database to S3.`,
		Example: "  nexios add deploy --to kubernetes/systemd",
	}
}

func configTopic() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "Where settings come from, and how to add one",
		Long: `Settings come from the environment and, in development alone, from .env. The
program's --help lists them with their defaults. The program does not start with
invalid values or with unknown names in .env, and reports them all at once.

A setting of your own is a field of Config in internal/app/config.go:

  Currency string ` + "`env:\"CURRENCY\" envDefault:\"EUR\" doc:\"of all prices\"`" + `

and is passed to a module as an argument in modules.go: Module(cfg.Currency).
Types with UnmarshalText parse themselves; Config.Validate checks the rest. Add
a line to .env.example. Errors never repeat the value of a setting whose name
contains SECRET, PASS, TOKEN, KEY or URL.

  APP_ENV        development, test, production
  ADDR           where to listen: 127.0.0.1:8000
  DATABASE_URL   sqlite:data/app.db, postgres://..., mysql://...
  SMTP_URL       smtp://localhost:1025; in development file:tmp/mail, which
                 http://localhost:8000/dev/mail shows
  REDIS_URL      redis://localhost:6379/0; without it each process keeps its own
                 rate limits and rooms`,
		Example: "  go run . --help\n  ADDR=127.0.0.1:8001 nexios dev",
	}
}

func cacheTopic() *cobra.Command {
	return &cobra.Command{
		Use: "cache", Short: "How to cache an expensive result",
		Long: `nexios add cache puts the variable cached into internal/app/modules.go. Pass it
to the module that needs it, posts.Module(gdb, cached), and keep it beside the
handler's db. Then:

  func (h handler) summary(c *gin.Context, _ web.None) (summary, error) {
      return cache.Get(c.Request.Context(), h.cached, "posts", time.Minute,
          func(ctx context.Context) (summary, error) {
              var s summary
              tx := h.db.WithContext(db.System(ctx))
              err := tx.Model(&model.Post{}).Count(&s.Posts).Error
              return s, err
          })
  }

Results are kept in Redis (REDIS_URL), shared by all replicas, or else in
memory. One request loads the value for all that wait, so ctx has no caller:
db.System(ctx) counts all rows, auth.As(ctx, who) those of a user, whose id must
then be in the key. After the transaction that changes the result:
h.cached.Delete(ctx, "posts"). While Redis is down, every request loads.

A test gives the module one in memory:

  Module: func(gdb *gorm.DB) web.Module {
      return posts.Module(gdb, cache.New(redis.Config{}, slog.Default()))
  },`,
		Example: "  nexios add cache",
	}
}

func testingTopic() *cobra.Command {
	return &cobra.Command{
		Use: "testing", Short: "The generated tests, and how to write more",
		Long: `  go test ./...                       each package on its own SQLite database
  TEST_DATABASE_URL=postgres://... go test ./...     or on that server

The test of a resource describes it as data; webtest.Resource calls every route
with valid and invalid input, as the owner and as other users. Commands such as
add field update it and keep your own cases:

  func TestPublish(t *testing.T) {
      client, _ := resource().Start(t)
      client.Post("/posts/7/publish", nil).Expect(404)
  }

A package's tests mount its own module on a migrated database, with no network.
Check responses with Expect(status), JSON() and Header(name); mail and jobs go
to the test's own queue. nexios dev shows a failing request with its SQL.`,
		Example: "  go test ./internal/posts -run TestPosts/create",
	}
}
