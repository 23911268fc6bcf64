// Package openapi generates an OpenAPI 3.1 document of an application's routes, from
// the same table that serves them, and serves it.
//
// Reading order: openapi.go (Module and Info), document.go (routes to operations),
// schema.go (Go types to schemas) with pattern.go and limits.go, naming.go (operation
// ids and descriptions), docs.go.
//
// # Why our own generator
//
// Package web knows the inputs and outputs of a route: the document is derived from
// the same data that binds and validates requests (web.Fields, web.Keys,
// web.Described). kin-openapi generates 3.0; swaggest/openapi-go reads its own tags,
// so that each rule would be written twice. The tests check the document with
// kin-openapi, a JSON Schema validator and client generators.
package openapi
