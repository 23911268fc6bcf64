package redis_test

import (
	"fmt"

	"github.com/nexios-go/nexios/runtime/redis"
)

// The module shares the rate limit between replicas. Without a URL there is only one
// replica, and it does nothing.
func Example() {
	fmt.Println(redis.Module(redis.Config{}).Count == nil)
	fmt.Println(redis.Module(redis.Config{URL: "redis://cache.internal:6379/0"}).Count == nil)
	// Output:
	// true
	// false
}
