// Package oidc authenticates users with an OpenID Connect provider: authorization
// code flow with PKCE, state and nonce (RFC 9700 2.1, OpenID Connect Core 3.1). The
// result is a [Login], from which package auth opens a session.
//
// The protocol is implemented by github.com/coreos/go-oidc and golang.org/x/oauth2,
// which verify tokens, fetch and cache keys, and are what most Go programs use; they
// add 0.6 MB to programs that import this package.
//
// # Flow
//
// Begin redirects the browser to the provider, and Callback receives it back. The
// state in between is kept in an encrypted cookie (see auth.Service.Carry), so that
// nothing is stored for users who never return. Callback does not log in either: it
// stores the Login in the browser for a few minutes, and redirects to a page of the
// application. That page makes one request that uses it, to log in, to confirm the
// user or to link the account, and shows the result, such as a required second
// factor or an unverified e-mail address.
package oidc

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"golang.org/x/oauth2"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Config holds the settings of this package, as read by runtime/config.
type Config struct {
	Issuer       string `env:"OIDC_ISSUER" doc:"issuer URL of the OpenID Connect provider, exactly as it appears in its discovery document; empty disables it"`
	ClientID     string `env:"OIDC_CLIENT_ID" doc:"client ID assigned by the provider"`
	ClientSecret string `env:"OIDC_CLIENT_SECRET" doc:"client secret assigned by the provider"`
	RedirectURL  string `env:"OIDC_REDIRECT_URL" doc:"redirect URL registered with the provider: .../auth/oidc/callback; by default under APP_URL"`
}

// Validate rejects an incomplete configuration, and URLs that are not encrypted.
func (c Config) Validate() error {
	if c == (Config{}) {
		return nil
	}
	for _, s := range []struct{ name, value string }{{"OIDC_ISSUER", c.Issuer}, {"OIDC_CLIENT_ID", c.ClientID}, {"OIDC_CLIENT_SECRET", c.ClientSecret}} {
		if s.value == "" {
			return fmt.Errorf("%s is missing, but other OIDC_* settings are set\n  where: the environment or .env\n  try:   %s=... from your provider, or remove all OIDC_* settings", s.name, s.name)
		}
	}
	return errors.Join(checkURL("OIDC_ISSUER", c.Issuer), checkURL("OIDC_REDIRECT_URL", c.RedirectURL))
}

func checkURL(name, value string) error {
	u, err := url.Parse(value)
	if value == "" || err == nil && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && (u.Scheme == "https" || u.Scheme == "http" && local(u.Hostname())) {
		return nil
	}
	return fmt.Errorf("%s is not an https:// URL: %q\n  where: the environment or .env; http:// is allowed for this machine only\n  try:   %s=https://accounts.example.com", name, value, name)
}

func local(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// Purposes of a login at the provider.
const (
	ToLogIn   = "login"
	ToConfirm = "confirm" // reauthenticate the signed-in user
	ToLink    = "link"    // link it to the account of the signed-in user
)

const (
	flowCookie  = "oidc"
	loginCookie = "oidc-login"

	// flowFor limits the time at the provider, loginFor the time for what follows,
	// such as a second factor.
	flowFor  = 10 * time.Minute
	loginFor = 5 * time.Minute

	// longestSubject is the limit of OpenID Connect Core 1.0, 2.
	longestSubject = 255

	// pause is how long to wait before retrying a provider that did not respond.
	pause = 5 * time.Second
)

// Provider is an OpenID Connect provider. It is first contacted when a user logs in, so
// a program starts even if the provider is down.
type Provider struct {
	cfg    Config
	client *http.Client

	mu     sync.Mutex
	found  *oidc.Provider
	failed time.Time // last time it did not respond
}

// New returns the Provider configured by cfg.
func New(cfg Config) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Provider{cfg: cfg, client: &http.Client{Timeout: 10 * time.Second}}, nil
}

// Login is a person authenticated by the provider, and the purpose of the login.
type Login struct {
	auth.Person
	Purpose  string
	Sessions []string  // of the browser that started it, to confirm or link
	ID       string    // of this login
	At       time.Time // when the person authenticated; zero if the provider does not say
}

// Proof returns the login as a proof for the user it is linked to.
func (l Login) Proof(userID int64) auth.Proof {
	return auth.Proof{UserID: userID, Method: "oidc", ID: l.ID, At: l.At}
}

// flow is the state kept from Begin to Callback.
type flow struct {
	State, Nonce, Verifier, Purpose, Return string
	Sessions                                []string
}

// Begin returns the provider's URL to redirect the browser to. The provider redirects
// it back to the route "callback" next to the current one, and that to returnTo, a path
// of this application. To confirm or link, the browser must be logged in, and the
// result is valid for its sessions only: otherwise Begin returns a 401 fault. It
// returns a 503 fault if the provider does not respond.
func (p *Provider) Begin(c *gin.Context, purpose, returnTo string) (string, error) {
	if !slices.Contains([]string{ToLogIn, ToConfirm, ToLink}, purpose) {
		return "", fault.InvalidQuery(fault.Detail{Field: "for", Rule: "oneof", Message: "For must be one of login, confirm, link"})
	}
	if !localPath(returnTo) {
		return "", fault.InvalidQuery(fault.Detail{Field: "return_to", Rule: "path", Message: "Return to must be a path on this site"})
	}
	// The page that follows uses the login without interaction: another site must not
	// be able to start a flow that ends in the user's account.
	if from := c.GetHeader("Sec-Fetch-Site"); purpose != ToLogIn && from != "" && from != "same-origin" && from != "none" {
		return "", fault.Forbidden("A login cannot be started from another site")
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Purpose: purpose, Return: returnTo}
	if purpose != ToLogIn {
		var err error
		if f.Sessions, err = auth.Of(c).BrowserSessions(c); err != nil {
			return "", err
		}
	}
	provider, err := p.discover(c.Request.Context())
	if err != nil {
		return "", err
	}
	if err := auth.Of(c).Carry(c, flowCookie, f, flowFor); err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if purpose == ToConfirm {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return p.oauth(c, provider).AuthCodeURL(f.State, options...), nil
}

// Callback handles the provider's redirect, stores the login in the browser for
// [Provider.Take], and returns the URL of the page passed to Begin. It returns a 400
// fault if the login was started in another browser or has expired.
func (p *Provider) Callback(c *gin.Context) (string, error) {
	var f flow
	query, service, ctx := c.Request.URL.Query(), auth.Of(c), c.Request.Context()
	if !service.Carried(c, flowCookie, &f) || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1 {
		return "", fault.BadRequest("This login was started in another browser or has expired: start again")
	}
	service.Drop(c, flowCookie)
	if iss := query.Get("iss"); query.Has("error") || iss != "" && iss != p.cfg.Issuer { // RFC 9207
		return "", fault.BadRequest("The login was cancelled, or refused by the identity provider")
	}
	provider, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	login, err := p.redeem(c, provider, f, query.Get("code"))
	if err != nil {
		service.Record(ctx, "oidc_failed", slog.String("issuer", p.cfg.Issuer), slog.Any("error", err))
		return "", invalidLogin(err)
	}
	if err := service.Carry(c, loginCookie, login, loginFor); err != nil {
		return "", err
	}
	return service.URL() + f.Return, nil
}

// Take returns the login that Callback stored in the browser, if it was started for the
// purpose and, to confirm or link, by the caller's session. Otherwise it returns a 400
// fault.
func (p *Provider) Take(c *gin.Context, purpose string) (Login, error) {
	var login Login
	who, _ := auth.From(c)
	if !auth.Of(c).Carried(c, loginCookie, &login) || login.Purpose != purpose || len(login.Sessions) > 0 && !slices.Contains(login.Sessions, who.SessionID) {
		return Login{}, fault.BadRequest("No login from the identity provider was found: start again")
	}
	return login, nil
}

// Done deletes the used login from the browser.
func (p *Provider) Done(c *gin.Context) { auth.Of(c).Drop(c, loginCookie) }

// redeem exchanges the code for the provider's claims about the person.
func (p *Provider) redeem(c *gin.Context, provider *oidc.Provider, f flow, code string) (Login, error) {
	ctx := oidc.ClientContext(c.Request.Context(), p.client)
	oauth := p.oauth(c, provider)
	tokens, err := oauth.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return Login{}, err
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: p.cfg.ClientID}).Verify(ctx, raw)
	if err != nil {
		return Login{}, err
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(f.Nonce)) != 1 {
		return Login{}, errors.New("the nonce of the token does not match")
	}
	if n := len(token.Subject); n == 0 || n > longestSubject {
		return Login{}, fmt.Errorf("the subject of the token has %d characters: OpenID Connect Core 1.0, 2, has 1 to %d", n, longestSubject)
	}
	var idClaims claims
	if err := token.Claims(&idClaims); err != nil {
		return Login{}, err
	}
	if idClaims.Party != "" && idClaims.Party != p.cfg.ClientID {
		return Login{}, errors.New("the token was issued to another application")
	}
	if idClaims.Email == "" && provider.UserInfoEndpoint() != "" {
		info, err := provider.UserInfo(ctx, oauth.TokenSource(ctx, tokens))
		if err != nil {
			return Login{}, err
		}
		if info.Subject != token.Subject {
			return Login{}, errors.New("the subjects of the token and of userinfo differ")
		}
		var more claims
		if err := info.Claims(&more); err != nil {
			return Login{}, err
		}
		idClaims.Email, idClaims.Verified, idClaims.Username = info.Email, boolOrString(info.EmailVerified), more.Username
	}
	login := Login{
		Person:  auth.Person{Issuer: token.Issuer, Subject: token.Subject, Email: idClaims.Email, EmailVerified: bool(idClaims.Verified), Username: idClaims.Username},
		Purpose: f.Purpose, Sessions: f.Sessions, ID: f.State,
	}
	if idClaims.AuthTime > 0 {
		login.At = time.Unix(idClaims.AuthTime, 0)
	}
	return login, nil
}

// claims are the claims used from an ID token or the userinfo response.
type claims struct {
	Email    string       `json:"email"`
	Verified boolOrString `json:"email_verified"`
	Username string       `json:"preferred_username"`
	AuthTime int64        `json:"auth_time"`
	Party    string       `json:"azp"`
}

// boolOrString is a bool that some providers encode as a string.
type boolOrString bool

func (t *boolOrString) UnmarshalJSON(text []byte) error {
	*t = string(text) == "true" || string(text) == `"true"`
	return nil
}

func (p *Provider) oauth(c *gin.Context, provider *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: provider.Endpoint(),
		RedirectURL: cmp.Or(p.cfg.RedirectURL, auth.Of(c).URL()+path.Dir(c.FullPath())+"/callback"), Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
}

// discover fetches the provider's endpoints and keys once. If the provider does not
// respond, it retries after a pause.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	if p.cfg.Issuer == "" {
		return nil, fault.Unavailable("No identity provider is configured: set OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET", 0)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if time.Since(p.failed) < pause {
		return nil, unavailable(errors.New("the provider did not respond a moment ago"))
	}
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.cfg.Issuer)
	if err != nil {
		p.failed = time.Now()
		return nil, unavailable(err)
	}
	p.found = found
	return found, nil
}

// unavailable is the error for a provider that does not respond.
func unavailable(cause error) *fault.Error {
	f := fault.Unavailable("The identity provider is not responding: try again, or log in another way", pause)
	f.Cause = cause
	return f
}

// invalidLogin is the error for a login that failed at the provider or in verification.
func invalidLogin(cause error) *fault.Error {
	if rejected := (*oauth2.RetrieveError)(nil); !errors.As(cause, &rejected) {
		if n := (net.Error)(nil); errors.As(cause, &n) {
			return unavailable(cause)
		}
	}
	f := fault.BadRequest("The identity provider's response is not valid: start again")
	f.Cause = cause
	return f
}

// localPath reports whether a path stays on this site however a browser interprets it.
func localPath(text string) bool {
	u, err := url.Parse(text)
	return err == nil && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && len(text) <= 500 &&
		u.Scheme == "" && u.Host == "" && u.User == nil && !strings.ContainsFunc(text, func(r rune) bool { return r == '\\' || r <= ' ' || r == 0x7f })
}
