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

func missingScope(scope string) *fault.Error {
	return &fault.Error{
		Status: http.StatusForbidden, Message: "The API key lacks the scope " + scope,
		Details: []fault.Detail{{Field: "scope", Rule: "scope", Message: scope}},
	}
}

func crossSite() *fault.Error {
	return fault.Forbidden("Requests with a cookie are not accepted from another site")
}
