// Package web turns typed handlers into a served Gin application. It names
// Gin's own types and hides none of them.
//
// Reading order: module.go (Module, Guard and Route: the table that everything is made
// from), typed.go (a handler becomes a route), plan.go, body.go and set.go (how a
// request becomes its input), rules.go and check.go (what is refused), answer.go and
// fail.go (how a value or an error becomes an answer: see package fault), app.go and
// around.go (what is around each request), serve.go (start and stop). The other files
// are one part each, by its name.
//
// # What is ours, and why
//
// The binder (plan.go, body.go, set.go): Gin's stops at the first fault and decodes by
// reflection at each request. Ours names every fault of a body in one answer, tells null
// from absent and refuses what databases cannot store. BenchmarkPost compares the two.
//
// The limiter (limit.go): golang.org/x/time/rate has no count that could be told in
// headers or shared by replicas. Ours is one map lookup in a shard, bounded in memory,
// and goes on by itself while Redis is away.
//
// Messages (advice.go): go-playground's translations/en say the key and not its words
// (author_id), and have none for our four rules and 13 others, such as uuid7 and timezone.
//
// Compression (compress.go): gzhttp of klauspost, whose encoders these are, makes the
// same bytes in the same time, with 8 allocations an answer where ours has 5. It has no
// brotli, and leaves the suffix that it gives an ETag in the If-None-Match that comes
// back, so that it answers 200 and the whole body where ours answers 304.
//
// CORS (cors.go): 45 lines for a list of origins. gin-contrib/cors, 460 lines and 13 KB
// for patterns that CORS_ORIGINS must not have, takes 2 to 4 times as long for a page of a
// listed origin. It leaves Vary out of answers to requests without an Origin, which a cache
// then hands to that page without the headers; answers 403 to other origins, where browsers
// only need no headers; and takes every OPTIONS for a preflight.
//
// # Middleware, guards and jobs
//
// A middleware is Gin's, in Module.Use; a guard is a [Guard], in [Route.Guard], and says
// in OpenAPI what it asks for. Work that outlives its request is a job of package
// jobs.
package web
