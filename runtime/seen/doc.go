// Package seen carries the versions of rows that a client has seen from where they
// are checked to where they are written: the package web, which compares If-Match
// with what a GET answers, and the package db, whose statements then write a row
// only while it still has that version. So two replicas cannot both take the same
// If-Match for the newest.
//
// Everything is in seen.go. The way of a version:
//
//	web: If-Match            -> Rows.Read, and a GET of the same path
//	db.Find                  -> Note
//	web: the ETag matches    -> Rows.Held, and the handler
//	db: UPDATE, DELETE       -> Of, a condition; nothing written is Changed
package seen
