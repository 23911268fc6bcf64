// Package passkeys authenticates users with passkeys (WebAuthn): keys stored on a
// device or security key and unlocked by fingerprint, face or PIN. A passkey counts
// as two factors, cannot be phished, and works only for this site.
//
// The protocol is implemented by github.com/go-webauthn/webauthn, which parses the
// formats of all authenticators (CBOR, COSE, attestations) and performs the checks
// that WebAuthn requires; it adds 3.3 MB to programs that import this package.
//
// # The flow
//
// Options and Challenge start a ceremony. Its state is kept in an encrypted cookie
// (see auth.Service.Carry), so that nothing is stored for users who never respond
// and nobody learns who has an account. A challenge is valid once, for five minutes.
package passkeys

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/fault"
)

const (
	newCookie    = "passkey-new"
	loginCookie  = "passkey"
	challengeFor = 5 * time.Minute
	method       = "passkey"
)

// Passkeys registers and verifies the passkeys of one site.
type Passkeys struct{ site *webauthn.WebAuthn }

// New returns the Passkeys of the site at APP_URL. Passkeys are permanently bound to
// its host name: they do not work under another.
func New(cfg auth.Config) (*Passkeys, error) {
	at, err := url.Parse(cfg.URL)
	if cfg.URL == "" {
		at, err = url.Parse("http://localhost:8000")
	}
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(at.Hostname()); err == nil {
		return nil, fmt.Errorf("passkeys need a host name in APP_URL, not an IP address: %q\n  where: the environment or .env\n  try:   APP_URL=http://localhost:%s", cfg.URL, at.Port())
	}
	site, err := webauthn.New(&webauthn.Config{
		RPID: at.Hostname(), RPDisplayName: cmp.Or(cfg.Issuer, at.Hostname()), RPOrigins: []string{at.Scheme + "://" + at.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	return &Passkeys{site}, err
}

// Options returns what a browser needs to create a passkey for the caller; see
// navigator.credentials.create.
func (p *Passkeys) Options(c *gin.Context, who auth.Identity) (json.RawMessage, error) {
	service := auth.Of(c)
	list, err := service.Credentials(c.Request.Context(), who.UserID)
	if err != nil {
		return nil, err
	}
	owner, err := ownerOf(who.UserID, who.Username, list)
	if err != nil {
		return nil, err
	}
	options, session, err := p.site.BeginRegistration(owner, webauthn.WithExclusions(webauthn.Credentials(owner.credentials).CredentialDescriptors()))
	if err != nil {
		return nil, err
	}
	if err := service.Carry(c, newCookie, session, challengeFor); err != nil {
		return nil, err
	}
	return json.Marshal(options)
}

// Add stores the passkey that a browser created with the Options, under a name. It
// returns a 400 fault for an invalid response.
func (p *Passkeys) Add(c *gin.Context, who auth.Identity, name string, response []byte) (auth.Passkey, error) {
	var session webauthn.SessionData
	service := auth.Of(c)
	if !service.Carried(c, newCookie, &session) {
		return auth.Passkey{}, expired()
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return auth.Passkey{}, invalidResponse(err)
	}
	made, err := p.site.CreateCredential(owner{id: who.UserID, name: who.Username}, session, parsed)
	if err != nil {
		return auth.Passkey{}, invalidResponse(err)
	}
	made.Attestation = webauthn.CredentialAttestation{} // no longer needed
	record, err := json.Marshal(made)
	if err != nil {
		return auth.Passkey{}, err
	}
	proof := auth.Proof{UserID: who.UserID, Method: method, ID: session.Challenge}
	passkey, err := service.AddPasskey(c.Request.Context(), who, proof, name, auth.Credential{UserID: who.UserID, ID: made.ID, Record: string(record)})
	if err == nil {
		service.Drop(c, newCookie)
	}
	return passkey, err
}

// Challenge returns what a browser needs to use any user's passkey; see
// navigator.credentials.get.
func (p *Passkeys) Challenge(c *gin.Context) (json.RawMessage, error) {
	options, session, err := p.site.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, err
	}
	if err := auth.Of(c).Carry(c, loginCookie, session, challengeFor); err != nil {
		return nil, err
	}
	return json.Marshal(options)
}

// Prove verifies the response to the Challenge and returns a strong proof of the
// user. It returns a 401 fault for an invalid response, and for a passkey whose
// signature counter went backwards: it may have been cloned.
func (p *Passkeys) Prove(c *gin.Context, response []byte) (auth.Proof, error) {
	var (
		session    webauthn.SessionData
		credential auth.Credential
	)
	service, ctx, client := auth.Of(c), c.Request.Context(), auth.ClientOf(c)
	if !service.Carried(c, loginCookie, &session) {
		return auth.Proof{}, expired()
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return auth.Proof{}, invalidResponse(err)
	}
	var broken error // a database error, not an invalid response
	_, used, err := p.site.ValidatePasskeyLogin(func(id, handle []byte) (webauthn.User, error) {
		found, ok, err := service.CredentialOf(ctx, id)
		if err != nil || !ok || !bytes.Equal(handle, handleOf(found.UserID)) {
			broken = err
			return nil, fmt.Errorf("no such passkey")
		}
		credential = found
		return ownerOf(found.UserID, found.Username, []auth.Credential{found})
	}, session, parsed)
	switch {
	case broken != nil:
		return auth.Proof{}, broken
	case err != nil:
		return auth.Proof{}, service.Disprove(ctx, client, method)
	case used.Authenticator.CloneWarning:
		service.CopiedPasskey(ctx, client, credential)
		return auth.Proof{}, service.Disprove(ctx, client, method)
	}
	record, err := json.Marshal(used)
	if err != nil {
		return auth.Proof{}, err
	}
	service.Drop(c, loginCookie)
	return auth.Proof{UserID: credential.UserID, Method: method, ID: session.Challenge, At: time.Now(), Strong: true},
		service.UsedPasskey(ctx, credential, string(record))
}

// owner implements webauthn.User.
type owner struct {
	id          int64
	name        string
	credentials []webauthn.Credential
}

func ownerOf(id int64, name string, list []auth.Credential) (owner, error) {
	o := owner{id: id, name: name}
	for _, c := range list {
		var credential webauthn.Credential
		if err := json.Unmarshal([]byte(c.Record), &credential); err != nil {
			return o, err
		}
		o.credentials = append(o.credentials, credential)
	}
	return o, nil
}

func (o owner) WebAuthnID() []byte                         { return handleOf(o.id) }
func (o owner) WebAuthnName() string                       { return o.name }
func (o owner) WebAuthnDisplayName() string                { return o.name }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

// handleOf returns the user handle for authenticators, which does not contain the name.
func handleOf(userID int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(userID)) // #nosec G115 -- only ever compared
}

func expired() *fault.Error {
	return fault.BadRequest("This was started in another browser or has expired: start again")
}

func invalidResponse(cause error) *fault.Error {
	f := fault.BadRequest("The passkey's response is not valid")
	f.Cause = cause
	return f
}
