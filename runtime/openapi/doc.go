// Package openapi describes an application's routes as an OpenAPI 3.1
// document, made from the same table that serves them, and serves it.
//
// Reading order: openapi.go (Module and Info), document.go (from routes to operations),
// schema.go (from Go types to schemas) with pattern.go and limits.go, words.go, docs.go.
//
// # Why a generator of our own
//
// What a route takes and answers is known to package web: the document asks the same
// rows that bind and check (web.Fields, web.Keys, web.Described). kin-openapi writes 3.0;
// swaggest/openapi-go reads tags of its own, so that each rule would be said twice. The
// tests read the document with kin-openapi, a JSON Schema validator and the generators of
// clients.
package openapi
