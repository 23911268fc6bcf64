// Package proxy owns the port of the development server: it sends requests to the
// version that is current, lets them wait for one that is on its way, and adds
// the script to pages that loads them again.
//
// Reading order: proxy.go, stream.go (WebSockets and event streams at a swap),
// inject.go and live.go (the script in pages, and what it is told), trace.go
// (what the program tells of its requests).
//
// # Decision: requests wait for the build
//
// From the first sign of an edit to the swap, requests wait. Answering them
// from the old version would be faster and would show, right after a save, what
// the owner has just replaced. A failed build lets them through at once, with a
// header that says so; a build that takes longer than holdLimit does as well.
//
// # Decision: what a request did is read from the log
//
// How many statements a request took and what it logged comes by the records
// that the program writes anyway, grouped by their request_id. A header of the
// answer would have to leave before the last statement, and could not hold them.
package proxy
