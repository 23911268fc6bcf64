// Package organisations tells what the caller is in the organisation that a
// request is about, and keeps every organisation an owner.
//
// It reads the project's tables organisations (id), memberships
// (organisation_id, user_id, role) and users.
//
// Reading order: organisations.go (roles and guards), rule.go (the rule of a model
// whose rows belong to organisations), owners.go.
package organisations
