// Package build builds the program of a project after an edit, in the shortest way that
// gives the same result as go build.
//
// Reading order: build.go (which way to build, and background work), graph.go (the
// packages and files of the program), compile.go (compile and link an edit),
// diagnostic.go (errors).
//
// # Decision: our own compile and link
//
// After an edit, go build checks every package, compiles all importers of the changed
// one, and links. The Builder gets all archives from the go command once (go list -deps
// -export); after an edit it runs the compiler for the changed package, for importers
// only where the export data changed, which edits of function bodies do not change, and
// then the linker.
//
// Measured on two cores, from the save to the first response of the new version of the
// guide project, relative to go build with its fastest flags and a start: 0.58 for a
// function in a package, 0.66 for one in internal/model, which everything imports, 0.61
// for an exported type. The usual tools, which run go build, take 1.6 to 2.3 (go run
// ./e2e/bench/reload). The price is graph.go and compile.go, some 900 lines that depend
// on the flags of compile and link and on the formats of importcfg files and archives.
//
// The fallback is go build itself, in all doubtful cases: imports, build constraints,
// embeds, go.mod or the toolchain changed, there is cgo, a tool prints something
// unexpected, or there is no index yet. The result gives the reason. If a new Go
// version changes its tools, builds become slower but stay correct:
// TestBuildEqualsGoBuild compares random edits with go build. Should the two files
// become too much to maintain, go build alone would do.
//
// # Decision: two sets of flags
//
// Packages compiled without DWARF link a fifth faster, but the go command caches them
// separately from those that `go test` and `go build` share, and compiling a whole
// program for the first time takes a minute. So the first build uses the shared
// packages, the second set is compiled in the background at low priority, and builds
// switch when it is complete.
package build
