// Package organisations determines the caller's role in the organisation that a request
// is about, and ensures that every organisation has an owner.
//
// It reads the project's tables organisations (id), memberships
// (organisation_id, user_id, role) and users.
//
// Reading order: organisations.go (roles and guards), rule.go (row rules for models
// whose rows belong to organisations), owners.go.
package organisations
