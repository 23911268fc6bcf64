// Package auth authenticates and authorises callers: password hashing, access and
// refresh tokens, sessions and their revocation, lockout, second factors, API keys, and
// the guards of the route table.
//
// Reading order: config.go (settings and keys), service.go (the Service and its
// middleware), identity.go and guard.go (what a module uses), login.go, session.go,
// refresh.go, then lockout.go, totp.go, apikey.go, onetime.go and page.go. proof.go is
// the basis of logins without a password (identities.go with package oidc, passkeys.go
// with package passkeys); factor.go holds the second factor that a role can require.
//
// # What is stored
//
// All state lives in the project's own database, shared by any number of replicas; the
// tables are those of [Migrations]. Random secrets (refresh tokens, API keys, one-time
// tokens, page cookies, recovery codes) are stored only as their SHA-256: each has at
// least 120 random bits, so a slow hash would add nothing (ASVS 5, 6.5.2). Times are
// Unix milliseconds, which compare the same on every database.
//
// The project owns the users table. This package reads and writes it by column name:
// id, username, email, password_hash, role, is_active, created_at, email_confirmed_at.
//
// # Why not net/http's CrossOriginProtection
//
// CrossOriginProtection lets every GET pass, and a listed origin also from another
// site. LogoutPage and proofs may be served by any method, and CORS_ORIGINS is meant
// for sibling domains: sameSite takes twenty lines and rejects both.
//
// # When a revocation takes effect
//
// An access token names its session, which is looked up on every use through a cache
// with a lifetime of [Staleness]. The process that revokes a session drops its cache
// entry before it responds; other replicas follow within Staleness.
package auth
