// Package process runs the processes of the development server: build tools, and each
// version of the program, optionally under a debugger. They end when the server does,
// even if it is killed.
//
// Reading order: process.go (Spawner, and App, a running version) with the process_
// file of your system and reap.go, streams.go (connections that do not end on their
// own), record.go (the output of the program), port.go (the port to listen on),
// debug.go.
//
// # Decision: a debugger for each version, behind one port
//
// A single dlv that restarts the program would have to stop the last good version
// before the next one is known to start. So each version has its own dlv at a private
// address, and connections to the port that editors know are forwarded to the newest
// one. Editors lose their connection when their version is stopped, but not while they
// inspect a request in it.
package process
