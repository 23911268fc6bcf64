// Package reload is the development server: it watches a project, builds what
// changed, and swaps the running program behind a proxy that owns the port.
//
// Reading order: reload.go (Run and its loop), open.go (what it begins with),
// attempt.go (a version is built and takes over, or fails), press.go (what keys
// do), watch.go, build.go with graph.go and compile.go (what is built, and how),
// process.go with debug.go (what runs), proxy.go with stream.go and inject.go
// (what answers), record.go and trace.go (what the program tells of its
// requests), event.go with plain.go and screen.go (what is shown), page.go and
// panel.go (the page at /dev).
//
// # Decision: what a request did is read from the log
//
// How many statements a request took and what it logged comes by the records
// that the program writes anyway, grouped by their request_id. A header of the
// answer would have to leave before the last statement, and could not hold them.
//
// # Decision: requests wait for the build
//
// From the first sign of an edit to the swap, requests wait. Answering them
// from the old version would be faster and would show, right after a save, what
// the owner has just replaced. A failed build lets them through at once, with a
// header that says so; a build that takes longer than holdLimit does as well.
//
// # Decision: two sets of flags
//
// Packages compiled without DWARF link a fifth faster, but the go command keeps
// them apart from those that `go test` and `go build` share, and the first
// compile of a whole program takes a minute. So the first build uses the shared
// ones, the second set is made in the background at low priority, and builds
// change over when it is complete.
//
// # Decision: a debugger for each version, behind one port
//
// One dlv that restarts its program would have to end the last good version
// before the next one is known to start. So each version has a dlv of its own at
// an address of its own, and the port that editors know is passed on to the
// newest. Editors lose their connection when its version ends, which it does
// not while somebody looks at a request in it.
package reload
