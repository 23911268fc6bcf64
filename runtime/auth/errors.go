package auth

import (
	"errors"
	"net/http"

	"github.com/nexios-go/nexios/runtime/fault"
)

var errNoMiddleware = errors.New("auth: a guard is used without the auth module; add auth.Module to the modules")

// unauthenticated is the error for a request without credentials (RFC 6750, 3.1: no
// error code in that case).
func unauthenticated() *fault.Error { return fault.Unauthorized("Not authenticated") }

// invalidToken is the error for an invalid credential: forged, expired, revoked and
// unknown ones are indistinguishable.
func invalidToken() *fault.Error {
	e := fault.Unauthorized("Invalid or expired token")
	e.Challenge = `Bearer error="invalid_token"`
	return e
}

// invalidCredentials is the error for a wrong password, an unknown user and an inactive
// user alike.
func invalidCredentials() *fault.Error { return fault.Unauthorized("Invalid credentials") }

// incorrectPassword is the error for a wrong password of a known user.
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

// wrongIdentity is the error for a stale proof, or one of another user, in a session.
func wrongIdentity() *fault.Error { return fault.BadRequest("This does not confirm your identity") }

// signedInError converts err for a signed-in user: a missing second factor is a 422
// fault, a wrong one 400.
func signedInError(err error) error {
	f := fault.From(err)
	switch {
	case f.Status != http.StatusUnauthorized:
		return err
	case len(f.Details) > 0:
		return fault.Invalid(f.Details...)
	}
	return wrongIdentity()
}

func crossSite() *fault.Error {
	return fault.Forbidden("Requests with a cookie are not accepted from another site")
}
