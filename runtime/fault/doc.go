// Package fault holds the one kind of error that handlers return: an HTTP
// status, a sentence for a person and, where they help, details by field.
// The web package writes it; nothing else writes errors.
//
// Everything is in fault.go. How an error becomes an answer, and how to change that:
//
//	handler returns an error
//	  -> From: a *Error as it is, whatever wraps it; all else is Internal
//	  -> web: its status, its sentence, its details, one shape
//
// Errors of statements come out of package db as *Error already: no row is NotFound, a
// taken key Conflict, a locked table Unavailable. To answer something else, return
// another *Error; nothing has to be registered.
//
// What holds for every route is a middleware in the Use of a web.Module. After c.Next
// the error is c.Errors.Last and nothing is written yet: web.Fail answers with another
// (the example of web.Fail), and a middleware that writes by itself and sets c.Errors
// to nil gives the answer another shape, as pages.Errors does for browsers.
package fault
