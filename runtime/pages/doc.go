// Package pages serves HTML: html/template with layouts, partials and filters, and
// static files under names that change with their content. Templates and static files
// are embedded in the binary; in development they are reread from disk whenever they
// change.
//
// A module that serves pages has two directories:
//
//	templates/layout.html      the main layout
//	templates/layouts/*.html   further layouts
//	templates/partials/*.html  parts of pages
//	templates/error.html       the error page, optional; see Errors
//	templates/*.html           the pages
//	static/                    files served as they are
//
// Every page can use all layouts and partials, by their path below templates/. A page
// names its layout and defines the layout's blocks:
//
//	{{template "layout.html" .}}
//	{{define "title"}}Home{{end}}
//	{{define "content"}}{{template "partials/hero.html" .}}{{end}}
//
// html/template escapes all data by context.
//
// Reading order: pages.go (New and Pages), site.go (parsing of templates),
// filters.go, static.go.
package pages
