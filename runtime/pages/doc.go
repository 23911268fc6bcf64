// Package pages serves HTML: html/template with layouts, partials and filters,
// and static files under names that change with their content. Templates and
// static files are embedded in the binary; in development they are read from
// disk again whenever they change.
//
// A module that serves pages has two folders:
//
//	templates/layout.html      what pages have around them
//	templates/layouts/*.html   further layouts
//	templates/partials/*.html  pieces of pages
//	templates/error.html       the page of an error, if any; see Errors
//	templates/*.html           the pages
//	static/                    files served as they are
//
// Layouts and partials are seen by every page, under their path below
// templates/. A page names its layout and fills the blocks that it leaves
// open:
//
//	{{template "layout.html" .}}
//	{{define "title"}}Home{{end}}
//	{{define "content"}}{{template "partials/hero.html" .}}{{end}}
//
// All data is escaped by html/template for the place where it stands.
//
// Reading order: pages.go (New and Pages), site.go (templates, parsed), filters.go,
// static.go.
package pages
