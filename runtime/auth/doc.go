// Package auth authenticates and authorises callers: password hashing, access and
// refresh tokens, sessions and their end, lockout, second factors, API keys, and
// the guards of the route table.
//
// Reading order: config.go (settings and keys), service.go (the Service and its
// middleware), identity.go and guard.go (what a module sees), login.go,
// session.go, refresh.go, then the parts: lockout.go, totp.go, apikey.go,
// onetime.go, page.go; proof.go is the basis of logins without a password
// (identities.go with package oidc, passkeys.go with package passkeys), factor.go
// the second factor that a role can require.
//
// # What is stored
//
// Everything lives in the project's own database, so any number of replicas
// agree; the tables are those of [Migrations]. Random secrets (refresh tokens,
// API keys, one-time tokens, page cookies, recovery codes) are stored as their
// SHA-256 only: each has at least 120 random bits, so a slow hash adds nothing
// (ASVS 5, 6.5.2). Times are Unix milliseconds, which every database compares
// alike.
//
// The project owns the table users. This package reads and writes it by column
// name: id, username, email, password_hash, role, is_active, created_at,
// email_confirmed_at.
//
// # Why a check of our own for other sites
//
// net/http's CrossOriginProtection lets every GET pass, and a listed origin also from
// another site. LogoutPage and proofs may be served by any method, and CORS_ORIGINS is
// meant for siblings: sameSite is twenty lines and refuses both.
//
// # When a revocation is seen
//
// An access token names its session, and the session is looked up at every
// use, through a cache that lives for [Staleness]. The process that revokes
// forgets its entry before it answers; the other replicas follow within
// Staleness.
package auth
