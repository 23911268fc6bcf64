// Package web turns typed handlers into a Gin application and serves it. It uses
// Gin's own types and hides none of them.
//
// Reading order: module.go (Module, Guard and Route, the table that everything else
// is built from), typed.go (turns a handler into a route), plan.go, body.go and
// set.go (decode a request into its input), rules.go and check.go (validation),
// response.go and fail.go (write a value or an error as a response; see package fault),
// app.go and middleware.go (the application and its outermost middleware), serve.go
// (start and shutdown). Each of the other files holds one feature, named by the file.
//
// # Why these parts are our own
//
// Binder (plan.go, body.go, set.go): Gin's binder stops at the first error and uses
// reflection to decode each request. Ours reports every error of a body in one
// response, tells null from absent and rejects values that databases cannot store.
// BenchmarkPost compares the two.
//
// Rate limiter (limit.go): golang.org/x/time/rate has no count to report in headers
// or to share between replicas. Ours is one map lookup in a shard, bounded in memory,
// and falls back to a count per replica while Redis is unavailable.
//
// Validation messages (messages.go): go-playground's translations/en print the key
// rather than its words (author_id), and lack our four rules and 13 others, such as
// uuid7 and timezone.
//
// Compression (compress.go): klauspost's gzhttp, whose encoders we use, produces the
// same bytes in the same time, with 8 allocations per response where ours has 5. It
// has no brotli, and does not strip the suffix that it adds to an ETag from the
// If-None-Match sent back, so it responds with 200 and the full body where ours
// responds with 304.
//
// CORS (cors.go): 45 lines for a list of origins. gin-contrib/cors, 460 lines and 13
// KB for patterns that CORS_ORIGINS does not allow, takes 2 to 4 times as long for a
// request from a listed origin. It omits Vary from responses to requests without an
// Origin, which a cache then serves to that origin without the headers; responds with
// 403 to other origins, where browsers only need the headers to be missing; and
// treats every OPTIONS as a preflight.
//
// # Middleware, guards and jobs
//
// Middleware is Gin's, added in Module.Use. A guard is a [Guard], added with
// [Route.Guard], and documents in OpenAPI what it requires. Work that outlives its
// request is a job of package jobs.
package web
