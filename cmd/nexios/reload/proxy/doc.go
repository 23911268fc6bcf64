// Package proxy owns the port of the development server: it forwards requests to the
// current version, delays them while a new one is being built, and adds a script to
// pages that reloads them.
//
// Reading order: proxy.go, stream.go (WebSockets and event streams at a swap),
// inject.go and live.go (the script in pages and its connection), trace.go (SQL and
// logs of requests).
//
// # Decision: requests wait for the build
//
// From the first sign of an edit to the swap, requests wait. Responses from the old
// version would be faster, but right after a save they would show what the user has
// just replaced. If the build fails, or takes longer than holdLimit, requests go to the
// old version, with a header that says so.
//
// # Decision: what a request did is read from the log
//
// The statements and log records of a request come from the log that the program writes
// anyway, grouped by request_id. A response header would be sent before the last
// statement, and could not hold them all.
package proxy
