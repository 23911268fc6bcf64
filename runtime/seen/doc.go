// Package seen passes the versions of rows that a client has read from the package web,
// which compares If-Match with the response of a GET, to the package db, whose
// statements then write a row only if it still has that version. So two replicas cannot
// both accept the same If-Match.
//
// All code is in seen.go. A version passes through these steps:
//
//	web: If-Match            -> Rows.Read, and a GET of the same path
//	db.Find                  -> Note
//	web: the ETag matches    -> Rows.Held, and the handler
//	db: UPDATE, DELETE       -> Of, a condition; nothing written is Changed
package seen
