// Package reload is the development server: it watches a project, builds what
// changed, and swaps the running program behind a proxy that owns the port.
//
// Its parts are packages of their own: build makes the program, process runs it,
// proxy answers, and event is what they tell. Here is the loop that rules them,
// and what a person sees.
//
// Reading order: reload.go (Run and its loop), open.go (what it begins with),
// attempt.go (a version is built and takes over, or fails), press.go (what keys
// do), watch.go with ignore.go (what changed), heard.go (what the program
// writes), feed.go with plain.go and screen.go (what is shown), page.go, board.go
// and panel.go (the page at /dev).
package reload
