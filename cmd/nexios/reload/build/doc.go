// Package build makes the program of a project after an edit, by the shortest
// way that gives what go build would.
//
// Reading order: build.go (which way is taken, and what is prepared in the
// background), graph.go (what the program is made from), compile.go (an edit is
// compiled and linked), diagnostic.go (what was wrong).
//
// # Decision: our own compile and link
//
// After an edit go build looks through every package, compiles all importers of
// the changed one, and links. The Builder asks the go command once for all
// archives (go list -deps -export), and on an edit calls the compiler for the
// changed package alone. It goes on to the importers only where the export data
// changed, which that of a function's body does not, and calls the linker.
//
// Measured on two cores, from the save to the new answer of the guide project, as
// so many times go build with its fastest flags and a start: 0.58 for a function
// in a package, 0.66 for one in internal/model, which everything imports, 0.61
// for an exported type. The usual tools, which run go build, take 1.6 to 2.3
// (go run ./e2e/bench/reload). It costs graph.go and compile.go, some 900 lines,
// which know the flags of compile and link and the form of an importcfg and of an
// archive.
//
// The fallback is go build itself, and every doubt leads there: imports, build
// constraints, embeds, go.mod or the toolchain changed, there is cgo, a tool says
// what is not understood, or the index is not made yet. The result says why.
// Should a new Go change its tools, builds get slower and stay right:
// TestBuildEqualsGoBuild compares random edits with go build. Should the two files
// be too much to keep up one day, go build alone serves as well.
//
// # Decision: two sets of flags
//
// Packages compiled without DWARF link a fifth faster, but the go command keeps
// them apart from those that `go test` and `go build` share, and the first
// compile of a whole program takes a minute. So the first build uses the shared
// ones, the second set is made in the background at low priority, and builds
// change over when it is complete.
package build
