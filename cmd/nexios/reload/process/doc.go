// Package process runs what the development server starts: the tools that build,
// and each version of the program, with a debugger where one is asked for. What
// it starts ends with it, however it ends itself.
//
// Reading order: process.go (Spawner, and App, a running version) with the
// process_ file of your system and reap.go, streams.go (connections that never
// end by themselves), record.go (the lines that a program writes), port.go (where
// to listen), debug.go.
//
// # Decision: a debugger for each version, behind one port
//
// One dlv that restarts its program would have to end the last good version
// before the next one is known to start. So each version has a dlv of its own at
// an address of its own, and the port that editors know is passed on to the
// newest. Editors lose their connection when its version ends, which it does
// not while somebody looks at a request in it.
package process
