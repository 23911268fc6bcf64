package fault

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Error is the error of a request that did not succeed. Message and Details are
// shown to the client and must not contain anything that is not meant for it; Cause
// is logged and never shown.
type Error struct {
	Status     int           // HTTP status, 400 to 599
	Message    string        // one sentence for a person
	Details    []Detail      // what is wrong, field by field; may be empty
	RetryAfter time.Duration // with 429 and 503: when to retry; 0 for no hint
	Challenge  string        // with 401: the WWW-Authenticate value; "Bearer" when empty
	Cause      error         // the underlying error; may be nil
}

// Detail describes what is wrong with one field of the input.
type Detail struct {
	Field   string `json:"field" doc:"The JSON key or query parameter, as the client wrote it."`
	Rule    string `json:"rule" doc:"The rule that was broken, for programs: required, min, unique, type, ..."`
	Message string `json:"message" doc:"What is wrong, for people."`
	Index   *int   `json:"index,omitempty" doc:"In bulk input: the position of the element, from 0."`
}

// Error returns the message and the cause, for logs.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// BadRequest returns a 400: the request cannot be understood.
func BadRequest(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Message: message}
}

// Unauthorized returns a 401: the caller is not authenticated.
func Unauthorized(message string) *Error {
	return &Error{Status: http.StatusUnauthorized, Message: message}
}

// Forbidden returns a 403: the caller is authenticated but not allowed.
func Forbidden(message string) *Error {
	return &Error{Status: http.StatusForbidden, Message: message}
}

// NotFound returns a 404.
func NotFound(message string) *Error {
	return &Error{Status: http.StatusNotFound, Message: message}
}

// Conflict returns a 409: the request is well formed but conflicts with stored
// data.
func Conflict(message string, details ...Detail) *Error {
	return &Error{Status: http.StatusConflict, Message: message, Details: details}
}

// TooLarge returns a 413.
func TooLarge(message string) *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Message: message}
}

// Invalid returns a 422 for a body that breaks its rules.
func Invalid(details ...Detail) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Message: "Validation error", Details: details}
}

// InvalidQuery returns a 422 for a query string that breaks its rules.
func InvalidQuery(details ...Detail) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Message: "Invalid query parameters", Details: details}
}

// TooMany returns a 429 that asks the client to retry after the given duration.
func TooMany(message string, retry time.Duration) *Error {
	return &Error{Status: http.StatusTooManyRequests, Message: message, RetryAfter: retry}
}

// Unavailable returns a 503; retry as in TooMany.
func Unavailable(message string, retry time.Duration) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Message: message, RetryAfter: retry}
}

// NoSpace returns a 507: data can be read but not written.
func NoSpace(cause error) *Error {
	return &Error{Status: http.StatusInsufficientStorage, Message: "No space is left, so nothing can be written", RetryAfter: time.Minute, Cause: cause}
}

// Internal returns a 500: cause is logged and not shown to the client.
func Internal(cause error) *Error {
	return &Error{Status: http.StatusInternalServerError, Message: "Internal server error", Cause: cause}
}

// From returns err as an *Error: err itself if it is or wraps one, a 503 if the
// request's own deadline ended it, a 500 otherwise. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Status: http.StatusServiceUnavailable, Message: "The request took too long", Cause: err}
	}
	return Internal(err)
}
