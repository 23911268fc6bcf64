package auth

import (
	"errors"
	"net/http"

	"github.com/nexios-go/nexios/runtime/fault"
)

var errNoMiddleware = errors.New("auth: a guard is used without the auth module; add auth.Module to the modules")

// unauthenticated is the answer when nothing names who asks (RFC 6750 3.1: no
// error code then).
func unauthenticated() *fault.Error { return fault.Unauthorized("Not authenticated") }

// invalidToken is the answer to whatever does not hold: forged, expired,
// revoked and unknown look alike.
func invalidToken() *fault.Error {
	e := fault.Unauthorized("Invalid or expired token")
	e.Challenge = `Bearer error="invalid_token"`
	return e
}

// invalidCredentials answers a wrong password, an unknown and an inactive user
// alike.
func invalidCredentials() *fault.Error { return fault.Unauthorized("Invalid credentials") }

// incorrectPassword answers a wrong password where the user is known.
func incorrectPassword() *fault.Error { return fault.BadRequest("Incorrect password") }

func forbidden() *fault.Error { return fault.Forbidden("Not allowed") }

func notFresh() *fault.Error { return fault.Forbidden("Confirm your password first") }

// factorRequired is the error for a user without the second factor that their role
// requires.
func factorRequired() *fault.Error {
	return &fault.Error{
		Status: http.StatusForbidden, Message: "Your role requires a second factor: set one up, or log in with it",
		Details: []fault.Detail{{Field: "factor", Rule: "required", Message: "A second factor is required"}},
	}
}

func missingScope(scope string) *fault.Error {
	return &fault.Error{
		Status: http.StatusForbidden, Message: "The API key lacks the scope " + scope,
		Details: []fault.Detail{{Field: "scope", Rule: "scope", Message: scope}},
	}
}

// notYou is the error for a proof of another user, or an old one, in a session.
func notYou() *fault.Error { return fault.BadRequest("This does not confirm your identity") }

// asked converts err for a signed-in user: a missing second factor is 422, a wrong
// one 400.
func asked(err error) error {
	f := fault.From(err)
	switch {
	case f.Status != http.StatusUnauthorized:
		return err
	case len(f.Details) > 0:
		return fault.Invalid(f.Details...)
	}
	return notYou()
}

func crossSite() *fault.Error {
	return fault.Forbidden("Requests with a cookie are not accepted from another site")
}
