// Package cache caches values that are expensive to compute: in Redis, shared by all
// replicas, or without REDIS_URL in the memory of the process, up to 64 MiB.
//
//	func (h handler) summary(c *gin.Context, _ web.None) (summary, error) {
//		return cache.Get(c.Request.Context(), h.cached, "posts", time.Minute, func(ctx context.Context) (summary, error) {
//			return count(h.db.WithContext(db.System(ctx)))
//		})
//	}
//
// A value is loaded once for all callers of its key, so the context of load carries
// no caller: a statement on rows with restricted access fails unless the context
// names one. Use auth.As(ctx, who), with who.UserID in the key, for the rows of a
// user, and db.System(ctx) for what everyone may know about all rows, such as their
// number.
//
// All code is in cache.go.
//
// # Why our own code
//
// The memory cache is otter, the Redis client go-redis, and singleflight shares
// loads. Our hundred lines combine the three in one function and keep the data of one
// caller from the next.
package cache
