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
// A middleware is Gin's, in Module.Use; a guard is a [Guard], in [Route.Guard], and says
// in OpenAPI what it asks for. Work that outlives its request is a job of package
// jobs.
package web
