// Package reload is the development server: it watches a project, builds what changed,
// and swaps the running program behind a proxy that owns the port.
//
// Its parts are packages of their own: build builds the program, process runs it, proxy
// forwards requests to it, and event holds the data they report. This package contains
// the event loop and the user interface.
//
// Reading order: reload.go (Run and the loop), open.go (startup), attempt.go (build a
// version and switch to it, or fail), keys.go (keys), watch.go with ignore.go (file
// changes), log.go (output of the program), feed.go with plain.go and screen.go
// (display), page.go, board.go and panel.go (the page at /dev).
package reload
