package auth

import (
	"context"
	"errors"
	"net/http"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Caller returns the identity on whose behalf the statement runs: the sender of the
// request in its context, or the identity passed to [As]. A request without valid
// credentials has an anonymous caller, the zero Identity, whose UserID matches no row.
//
// Row rules use it (see [db.Readable]). If the context has no request, [As] or
// [db.System], the statement fails: pass c.Request.Context() to WithContext, or set the
// caller with one of these.
func Caller(tx *gorm.DB) Identity {
	id, err := callerOf(tx.Statement.Context)
	if err != nil {
		_ = tx.AddError(err)
	}
	return id
}

var errNoCaller = errors.New("auth: a row rule needs the caller, but the context has none; " +
	"in a handler use db.WithContext(c.Request.Context()), on behalf of a user auth.As, without a user db.System")

func callerOf(ctx context.Context) (Identity, error) {
	if id, ok := ctx.Value(callerKey{}).(Identity); ok {
		return id, nil
	}
	a, ok := ctx.Value(contextKey{}).(*requestAuth)
	switch {
	case ok:
	case db.IsSystem(ctx), web.RequestID(ctx) != "":
		return Identity{}, nil
	default:
		return Identity{}, errNoCaller
	}
	id, err := a.resolve(context.WithValue(ctx, withoutWriting{}, true))
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Status == http.StatusUnauthorized {
		return Identity{}, nil
	}
	return id, err
}

type callerKey struct{}

// withoutWriting marks a context in which the caller is looked up from within a
// statement, possibly in a transaction that holds SQLite's only writing connection.
type withoutWriting struct{}

// As returns a context for work on behalf of id, such as a job that a user started: the
// row rules apply as they do for id.
func As(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, callerKey{}, id)
}

// Identify returns the identity of an active user, for [As]. It has no session: it is
// not fresh, and Recheck rejects it. Other users are a 404 fault.
func (s *Service) Identify(ctx context.Context, userID int64) (Identity, error) {
	var user account
	found := s.db.WithContext(ctx).Where("id = ? AND is_active = ?", userID, true).Limit(1).Find(&user)
	if err := affected(found, fault.NotFound("User not found")); err != nil {
		return Identity{}, err
	}
	return Identity{UserID: user.ID, Username: user.Username, Role: user.Role}, nil
}

// SignedIn restricts tx to no rows unless the caller is signed in: the rule for rows
// that every user may read or change.
func SignedIn(tx *gorm.DB) *gorm.DB {
	if Caller(tx).UserID == 0 {
		return tx.Where("1 = 0")
	}
	return tx
}

// Owns reports whether the caller is the user with this id or an administrator, or
// whether the work runs as [db.System]. Without a caller the statement fails, as in
// [Caller].
func Owns(tx *gorm.DB, userID int64) bool {
	if db.IsSystem(tx.Statement.Context) {
		return true
	}
	caller := Caller(tx)
	return caller.Admin() || userID != 0 && caller.UserID == userID
}

// OnlyAdmin restricts tx to no rows unless the caller is an administrator.
func OnlyAdmin(tx *gorm.DB) *gorm.DB {
	if !Caller(tx).Admin() {
		return tx.Where("1 = 0")
	}
	return tx
}
