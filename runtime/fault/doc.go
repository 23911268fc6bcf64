// Package fault defines the error type that handlers return: an HTTP status, a
// sentence for a person and, where they help, details by field. Package web writes
// it as the response; nothing else writes errors.
//
// All code is in fault.go. How an error becomes a response, and how to change
// that:
//
//	handler returns an error
//	  -> From: a *Error as it is, even if wrapped; any other error is Internal
//	  -> web: its status, its sentence, its details, in one format
//
// Package db already returns the errors of statements as *Error: a missing row is
// NotFound, a duplicate key Conflict, a locked table Unavailable. To respond
// differently, return another *Error; nothing has to be registered.
//
// To change the response of every route, add a middleware to the Use of a
// web.Module. After c.Next the error is c.Errors.Last and nothing has been written
// yet: web.Fail responds with another error (see its example), and a middleware
// that writes the response itself and sets c.Errors to nil gives it another format,
// as pages.Errors does for browsers.
package fault
