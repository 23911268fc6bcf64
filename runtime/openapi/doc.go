// Package openapi describes an application's routes as an OpenAPI 3.1
// document, made from the same table that serves them, and serves it.
//
// Reading order: openapi.go (Module and Info), document.go (from routes to operations),
// schema.go (from Go types to schemas) with pattern.go and limits.go, words.go, docs.go.
package openapi
