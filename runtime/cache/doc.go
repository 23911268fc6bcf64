// Package cache keeps what is expensive to make: in Redis, where all replicas have it, or
// without REDIS_URL in the memory of the process, up to 64 MiB.
//
//	func (h handler) summary(c *gin.Context, _ web.None) (summary, error) {
//		return cache.Get(c.Request.Context(), h.cached, "posts", time.Minute, func(ctx context.Context) (summary, error) {
//			return count(h.db.WithContext(db.System(ctx)))
//		})
//	}
//
// A value is made once for all who ask for its key, so its context has no caller: a
// statement on rows that not everybody may read fails, unless it says whose they are.
// Say auth.As(ctx, who) with who.UserID in the key for the rows of a user, and
// db.System(ctx) for what everybody may know of all rows, such as their number.
//
// Everything is in cache.go.
//
// # What is ours, and why
//
// Memory is otter's, Redis go-redis', one load for many singleflight's. Ours are the
// hundred lines that make one function of the three, and keep what one caller may read
// from the next.
package cache
